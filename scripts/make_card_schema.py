#!/usr/bin/env python3
"""Make ``docs/card.schema.json``, the JSON Schema of a card's front matter, for editors.

python -m scripts.make_card_schema
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "docs" / "card.schema.json"

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))


def schema_text() -> str:
    """The content of the file."""
    from zoo.cards.schema import card_json_schema

    return json.dumps(card_json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    print(SCHEMA)
