"""Levels runs and reproduces of one entry: `zoo.check.worker` in the confinement, and what it told."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards.kipoi import read_model
from zoo.check.confine import Guards, Limits, Outcome, run_confined
from zoo.check.findings import CODES, LEVELS, Finding
from zoo.files import cache_folder

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Ran", "ended", "run_entry", "run_kipoi", "scratch_folder"]

STAGES = {"load": "while it was loaded", "predict": "while it predicted"}
LIMITS = {
    "time": "did not end within {seconds:g} s {stage}: it was ended",
    "memory": "took more than {memory:,} bytes of memory {stage}: it was ended",
    "processes": "started more than {processes} processes {stage}: they were ended",
    "disk": "wrote more than {file_bytes:,} bytes {stage}: it was ended",
}
GOT = "got.h5"  # what was produced, in the scratch folder
MOST_TOLD = 50_000_000  # bytes that are read of what a run left
#: Parts of the cache that hold what was fetched; what is written about their use goes to the scratch folder.
CACHE = ("blobs", "md5", "made", "hub", "wheels")


@dataclass
class Ran:
    """What came of a confined run.

    Attributes:
        findings: in order.
        facts: what was measured.
        guards: what confined it; None where nothing ran.
        fingerprint: predictions on seeded windows by output, or None.
        seconds: wall-clock time.
    """

    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    guards: Guards | None = None
    fingerprint: dict[str, np.ndarray] | None = None
    seconds: float = 0.0


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder for one confined run, with the fetched files of the cache to read; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="zoo-check-", ignore_cleanup_errors=True) as name:
        scratch = Path(name).resolve()
        (scratch / "cache").mkdir()
        for part in CACHE:
            there = cache_folder() / part
            if there.is_dir():
                (scratch / "cache" / part).symlink_to(there.resolve())
        yield scratch


def _cache_parts() -> list[Path]:
    return [cache_folder().resolve() / part for part in CACHE if (cache_folder() / part).is_dir()]


def run_entry(
    name: str,
    entry: str | Path,
    folder: Path,
    level: str,
    limits: Limits,
    *,
    rtol: float,
    atol: float,
    keep: Path | None = None,
) -> Ran:
    """Load an entry, run it and examine what it does, confined.

    Args:
        entry: its path; of a model of a group, below the group's folder.
        folder: that of the entry or group.
        level: ``runs``, ``reproduces`` or ``fingerprint`` (predict the seeded windows and nothing else).
        rtol, atol: tolerance of the example.
        keep: the folder for what was produced where it differs from what was expected.
    """
    with scratch_folder() as scratch:
        reads = [folder.resolve(), *_cache_parts()]
        spec = {
            "name": name,
            "entry": str(entry),
            "folder": str(folder),
            "level": level,
            "rtol": rtol,
            "atol": atol,
            "reads": [*map(str, reads), sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[2])],
        }
        (scratch / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        command = [sys.executable, "-m", "zoo.check.worker", str(scratch / "spec.json")]
        variables = {"ZOO_CACHE": str(scratch / "cache")}
        outcome = run_confined(command, scratch, reads=reads, limits=limits, variables=variables)
        ran, stage = _read(scratch / "told.jsonl", name)
        ran.guards, ran.seconds = outcome.guards, outcome.seconds
        at = "runs" if level == "fingerprint" else level
        if (stopped := ended(name, at, outcome, stage, limits)) is not None:
            ran.findings.append(stopped)
        ran.fingerprint = _fingerprint(scratch / "fingerprint.npz")
        if keep is not None and "got" in ran.facts and (got := scratch / GOT).is_file():
            _keep(ran, got, keep / f"{name.replace('/', '-')}.got.h5")
    return ran


def _keep(ran: Ran, got: Path, place: Path) -> None:
    """Keep what was produced, and name the place where findings say GOT."""
    if got.is_symlink():  # foreign code could lead the copy elsewhere
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(got, place)
    ran.findings = [Finding(**one.as_dict() | {"what": one.what.replace("GOT", str(place))}) for one in ran.findings]


def _read(path: Path, name: str) -> tuple[Ran, str]:
    """Findings and facts that were told, and the stage that was reached; lines that are none are left out.

    Foreign code can write here as well: what it writes is a finding about itself, or nothing.
    """
    ran, stage = Ran(), "load"
    if path.is_symlink() or not path.is_file():
        return ran, stage
    with path.open(encoding="utf-8", errors="replace") as handle:
        lines = handle.read(MOST_TOLD).splitlines()
    for line in lines:
        try:
            told = json.loads(line)
            if "finding" in told:
                ran.findings.append(_finding(told["finding"], name))
            elif "stage" in told:
                stage = str(told["stage"])
            else:
                ran.facts |= dict(told["fact"])
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return ran, stage


def _finding(told: dict[str, Any], name: str) -> Finding:
    """A finding, once its parts are seen to be such; texts are escaped where they are shown.

    Raises:
        ValueError, TypeError: it is none.
    """
    found = Finding(**told)
    words = (found.what, found.fix, found.rule, "" if found.path is None else found.path)
    if (
        not all(isinstance(one, str) for one in words)
        or not re.fullmatch(r"[a-z]+", found.rule)
        or found.entry != name
        or found.severity not in ("error", "warning", "note")
        or found.level not in (*LEVELS, "fingerprint")
        or found.code not in CODES.values()
        or not (found.line is None or isinstance(found.line, int))
    ):
        raise ValueError("no finding")
    return found


def ended(name: str, level: str, outcome: Outcome, stage: str, limits: Limits) -> Finding | None:
    """A run that did not come to its end by itself."""
    words = STAGES.get(stage, STAGES["predict"])
    if outcome.ended_for is not None:
        what = LIMITS[outcome.ended_for].format(stage=words, **vars(limits))
        rule = "size" if outcome.ended_for == "disk" else outcome.ended_for
        return Finding(name, level, rule, "error", what, "use less, or raise the limit: `zoo check --help`")
    if outcome.code == 0:
        return None
    if any(sign in outcome.output for sign in ("MemoryError", "bad_alloc", "can't allocate memory")):
        what = f"asked for more than {limits.memory:,} bytes of memory {words}"
        return Finding(name, level, "memory", "error", what, "use less, or raise the limit: `zoo check --help`")
    last = (outcome.output.strip().splitlines() or ["it printed nothing"])[-1][:300]
    how = f"ended with status {outcome.code}" if outcome.code > 0 else f"was ended by signal {-outcome.code}"
    return Finding(name, level, "crash", "error", f"the process {how} {words}: {last}", "run it alone: `zoo test`")


def _fingerprint(path: Path) -> dict[str, np.ndarray] | None:
    import numpy as np

    if path.is_symlink() or not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > MOST_TOLD:  # packed, it may be far smaller
                return None
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError):
        return None


# ---------------- Kipoi

KIPOI = """
import sys, kipoi
model = kipoi.get_model(sys.argv[1], source="dir")
found = model.pipeline.predict_example()
print("PREDICTED", getattr(found, "shape", type(found).__name__))
"""


def run_kipoi(name: str, folder: Path, limits: Limits) -> list[Finding]:
    """Unmodified Kipoi loads the entry and predicts its example, confined, in a copy in which it makes indexes."""
    import importlib.util

    if importlib.util.find_spec("kipoi") is None:
        what = "kipoi is not installed: whether it loads the entry was not tried"
        return [Finding(name, "runs", "kipoi", "note", what, "python3 scripts/bootstrap.py env")]
    with scratch_folder() as scratch:
        copy = scratch / "kipoi" / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for place, _, names in os.walk(copy):
            for one in names:
                os.utime(Path(place) / one)
        command = [sys.executable, "-c", KIPOI, str(copy)]
        outcome = run_confined(command, scratch, limits=limits)
    if outcome.code == 0 and "PREDICTED" in outcome.output:
        return [Finding(name, "runs", "kipoi", "note", "kipoi loads it and predicts its example")]
    last = (outcome.output.strip().splitlines() or ["it printed nothing"])[-1][:300]
    if lacking := _lacking(folder, last):
        what = f"whether kipoi loads it was not tried: {lacking}, which its model.yaml asks for, is not installed"
        fix = f"pip install {lacking}, or --no-kipoi; a reviewer runs it where it is"
        return [Finding(name, "runs", "kipoi", "warning", what, fix)]
    why = LIMITS[outcome.ended_for].format(stage="", **vars(limits)) if outcome.ended_for else last
    what = f"kipoi cannot load it and predict its example: {why}"
    return [Finding(name, "runs", "kipoi", "error", what, f'kipoi.get_model("{folder}", source="dir")')]


def _lacking(folder: Path, last: str) -> str | None:
    """The package that kipoi's process had not, if model.yaml names it: that is no fault of the entry."""
    missing = re.search(r"No module named '(\w+)", last)
    if missing is None:
        return None
    dependencies = read_model(folder).dependencies
    stated = [str(one) for kind in ("conda", "pip") for one in dependencies.get(kind) or ()]
    return missing[1] if missing[1] in {re.split(r"[^\w-]", one)[0] for one in stated} else None
