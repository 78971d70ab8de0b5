"""Run an entry and say what came of it: ``python -m zoo.check.worker SPEC.json``, inside the confinement.

Each line of ``told.jsonl`` in the scratch folder is a finding, a stage that begins, or a fact that was measured. What
is told by a process in which foreign code runs is what that code lets it tell: the confinement is the guarantee, and a
reader of the code is the judge.
"""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.check.findings import CODES, Finding, from_error
from zoo.check.watchman import Watchman
from zoo.errors import MismatchError, ZooError
from zoo.words import counted_of

if TYPE_CHECKING:
    from zoo.models.entry import Entry
    from zoo.models.loaded import LoadedModel

__all__ = ["Teller", "main", "run_stages"]


class Teller:
    """Writes lines that the parent reads."""

    def __init__(self, path: Path, entry: str, level: str) -> None:
        self.handle = path.open("a", encoding="utf-8")
        self.entry, self.level, self.stage_name = entry, level, "load"
        self.errors = 0

    def _line(self, **facts: Any) -> None:
        self.handle.write(json.dumps(facts) + "\n")
        self.handle.flush()

    def stage(self, name: str) -> None:
        """A step begins: ``load`` or ``predict``."""
        self.stage_name = name
        self._line(stage=name)

    def fact(self, **facts: Any) -> None:
        """Something that was measured."""
        self._line(fact=facts)

    def finding(self, rule: str, what: str, fix: str = "", severity: str = "error", code: int = 4) -> None:
        """A finding about the running entry."""
        self.errors += severity == "error"
        self._line(finding=Finding(self.entry, self.level, rule, severity, what, fix, code=code).as_dict())

    def error(self, rule: str, error: ZooError) -> None:
        """An error of the package as a finding."""
        self.errors += 1
        found = from_error(self.entry, self.level, _rule_of(error, rule), error)
        if found.code not in CODES.values():  # what the machine refuses here is a limit that the entry met
            found = replace(found, code=CODES["model"])
        self._line(finding=found.as_dict())


#: Words in an error that say which limit or guard was met.
SIGNS = {
    "memory": ("MemoryError", "can't allocate memory", "not enough memory", "Cannot allocate memory"),
    "size": ("File too large", "No space left"),
    "processes": ("Resource temporarily unavailable", "can't start new thread"),
    "length": ("bp, the card says",),
}


def _rule_of(error: ZooError, rule: str) -> str:
    text = f"{error} {error.__cause__ or ''} {error.__context__ or ''}"
    return next((name for name, signs in SIGNS.items() if any(sign in text for sign in signs)), rule)


def main(path: str) -> int:
    """Run one entry as the specification says; findings go to ``told.jsonl``."""
    spec = json.loads(Path(path).read_text(encoding="utf-8"))
    scratch = Path(path).parent
    teller = Teller(scratch / "told.jsonl", spec["name"], spec["level"])
    import torch

    torch.set_num_threads(1)
    folder = Path(spec["folder"])
    watchman = Watchman(
        folder,
        scratch,
        spec["reads"],
        lambda rule, what: teller.finding(rule, what, "a model is a function of its input and its own files"),
    )
    watchman.arm()
    run_stages(spec, teller, scratch)
    return 0


def run_stages(spec: dict[str, Any], teller: Teller, scratch: Path) -> None:
    """Load, predict and compare; what goes wrong is told."""
    import numpy as np

    from zoo.check import behaviour
    from zoo.entries.check import run_example
    from zoo.models.entry import has_own_loader, open_entry
    from zoo.models.load import load_entry

    try:
        teller.stage("load")
        entry = open_entry(spec["entry"], trust=True)
        if has_own_loader(entry):
            teller.stage("predict")
            run_example(entry)
            what = "its own dataloader makes the batches: only the example was run"
            teller.finding("behaviour", what, severity="note")
            _compare(spec, teller, scratch)
            return
        loaded = load_entry(entry)
        teller.stage("predict")
        if spec["level"] != "fingerprint":
            behaviour.examine(loaded, entry, teller)
            _predict_example(entry, teller)
        np.savez(scratch / "fingerprint.npz", **behaviour.fingerprint(loaded))
        _compare(spec, teller, scratch)
    except ZooError as error:
        teller.error(teller.stage_name, error)
    except MemoryError as error:
        teller.finding("memory", f"MemoryError: {error}".rstrip(": "), "use less memory, or --memory")
    except OSError as error:
        rule = "size" if error.errno in (errno.EFBIG, errno.ENOSPC) else teller.stage_name
        teller.finding(rule, str(error), "a model writes nothing but to a temporary folder, and little there")


def _predict_example(entry: Entry, teller: Teller) -> LoadedModel | None:
    """The example predicts, and its predictions are numbers."""
    import numpy as np

    from zoo.entries.check import run_example

    if not entry.description.loader.examples:
        own = entry.card is None or entry.card.verification is None or entry.card.verification.status != "unverified"
        fix = "an entry has a small example with expected predictions; CONTRIBUTING.md says how it is made"
        teller.finding("example", "there is no example", fix, "error" if own else "warning")
        return None
    model, batch = run_example(entry)
    teller.fact(windows=len(batch))
    for name, values in batch.values.items():
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            what = f"output {name!r} of the example has {counted_of(bad, values.size, 'value')} not finite (NaN)"
            teller.finding("finite", what, "a prediction is a number")
    return model


def _compare(spec: dict[str, Any], teller: Teller, scratch: Path) -> None:
    """Level reproduces: the example beside ``expected.h5``; what was produced is kept where it differs."""
    if spec["level"] != "reproduces":
        return
    from zoo.entries.check import NothingToTest, check_example

    try:
        kept = scratch / "got.h5"
        report = check_example(spec["entry"], rtol=spec["rtol"], atol=spec["atol"], trust=True, save=kept)
    except NothingToTest as error:
        teller.finding("expected", error.what, error.fix, "note")
    except MismatchError as error:
        what = "; ".join((error.what, error.extent)).replace(str(kept), "GOT")
        teller.finding("expected", what, error.fix.removeprefix("Fix: "), code=error.exit_code)
        teller.fact(got=kept.name)
    except ZooError as error:
        teller.error("expected", error)
    else:
        worst = max(report.comparisons, key=lambda item: item.largest_difference)
        what = f"the example agrees: largest difference {worst.largest_difference:.2g}, {worst.worst}"
        teller.finding("expected", what, severity="note")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
