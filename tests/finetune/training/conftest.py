"""The path to the toys of training."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
# The repository first: `tests/` is on the path, where the folder `finetune` would be taken for the package.
for folder in (HERE.parent, HERE.parents[3]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
