"""What an interrupted run leaves so that ``--resume`` can go on: ``OUT.partial.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.results import partial_of, replacing

__all__ = ["Journal", "JournalState"]


@dataclass(frozen=True)
class JournalState:
    """Where a run stands.

    Attributes:
        signature: what must be equal for the rest to fit: model, regions, genome, options.
        cursor: windows laid over the regions so far.
        rows: predictions written so far.
        counts: the reader's counts at the cursor.
        writer: what the writer's ``checkpoint`` returned.
    """

    signature: dict[str, Any]
    cursor: int
    rows: int
    counts: dict[str, Any]
    writer: dict[str, Any]


class Journal:
    """The journal of one result."""

    def __init__(self, out: Path) -> None:
        partial = partial_of(out)
        self.path = partial.with_name(partial.name + ".json")

    def save(self, state: JournalState) -> None:
        with replacing(self.path) as partial:
            partial.write_text(json.dumps(asdict(state)), encoding="utf-8")

    def load(self, signature: dict[str, Any]) -> JournalState | None:
        """The state to resume from, or None when there is none.

        Raises:
            UsageError: the earlier run had other arguments or files.
        """
        try:
            state = JournalState(**json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise UsageError(
                f"{self.path}: the journal of the interrupted run is damaged", "", "Fix: start again without --resume"
            ) from None
        expected = json.loads(json.dumps(signature))
        differing = [key for key in expected if state.signature.get(key) != expected[key]]
        if differing:
            key = differing[0]
            raise UsageError(
                f"--resume: the interrupted run had another {key}: {_short(state.signature.get(key))}, "
                f"now {_short(expected[key])}",
                f"{len(differing)} thing(s) differ: {', '.join(differing)}",
                "Fix: repeat the command with the earlier arguments, or start again without --resume",
            )
        return state

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
