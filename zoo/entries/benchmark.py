"""``zoo benchmark``: how many windows a second a model predicts on a device, and how much memory that takes.

Everything is measured in a fresh process (``benchmark_worker``), so that nothing that this one holds is counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import zoo.errors
from zoo.entries.benchmark_worker import cores
from zoo.errors import SystemStateError, UsageError, ZooError
from zoo.models.entry import Entry, has_own_loader, open_entry
from zoo.results.check_out import check_out
from zoo.results.whole import replacing, sole_writer
from zoo.run.job import check_batch_size
from zoo.store.hub import is_hub_name
from zoo.store.registry import entries_folder
from zoo.store.speed import BENCHMARK, read_speed, with_run
from zoo.words import counted

__all__ = ["benchmark"]

PACKAGES = Path(__file__).resolve().parents[2]


def benchmark(
    model: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int | str = "auto",
    precision: str = "float32",
    windows: int | None = None,
    write: bool = False,
    out: str | Path | None = None,
    trust: bool = False,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Measure a model on windows of random sequence.

    Args:
        model: registry name, folder of an entry, or a file, as for ``load_model``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        threads: of PyTorch on the CPU; default as many as it takes by itself.
        batch_size: windows a forward pass, or ``"auto"``.
        precision: ``float32``, ``bfloat16`` or ``float16``.
        windows: of each timed run; default what takes about a second, at least one batch.
        write: put the run and the number of parameters into ``benchmark.json`` of the entry. A run on a busy machine is
            left out, and a note says so: others would read a figure that is several times wrong.
        out: or into this file, whatever the machine did. An older run of the same device, hardware, threads, precision
            and batch size is replaced, others stay.
        trust: run Python of a folder that is not bundled.
        report: called with each note.

    Returns:
        The run, as it stands in the file, and ``parameters``: how many numbers PyTorch holds as parameters of the
        model, without the means and variances of batch normalisation. ``windows_per_second`` is that of the
        forward pass alone, from one-hot windows in memory to values in memory; ``predict_windows_per_second`` that of
        `zoo predict` from a BED and a FASTA to an HDF5 file, without loading the model. Both are medians of
        ``repeats`` runs after a warm-up, with the slowest and fastest beside them. ``peak_memory_bytes`` is what
        ``memory_of`` says: on a CPU the largest resident memory of the process up to the end of the forward passes,
        Python and PyTorch included, of which ``baseline_memory_bytes`` were there before the model was loaded; on a
        GPU what PyTorch allocated there. ``load_average`` is how many processes wanted a core in the minute before;
        where that is more than one for two cores, or a single thread had no core of its own for a tenth of the time,
        ``busy`` is true, and the figures are those of a shared machine. ``windows_per_cpu_second`` counts only the
        time in which the forward pass had a core: with one thread about what an idle machine gives.

    Raises:
        UsageError: the model's inputs are made by its own dataloader; or the file must not be written.
        ZooError: see ``zoo.predict``.
    """
    entry = open_entry(model, trust=trust)
    path = _destination(entry, write, out)
    _check(entry, threads, batch_size, windows)
    settings = {
        "model": str(entry.path) if Path(str(model)).exists() else str(model),
        "device": device,
        "threads": threads,
        "batch_size": batch_size,
        "precision": precision,
        "windows": windows,
        "trust": trust,
    }
    if path is not None:
        read_speed(path)  # before the work: a file that cannot be added to
    run = _measured(settings) | {"date": f"{datetime.now(UTC):%Y-%m-%d}", "command": _command(model, settings)}
    parameters = run.pop("parameters")
    left_out = write and run["busy"]
    if path is not None:
        with sole_writer(path):
            document = with_run(read_speed(path), None if left_out else run, parameters)
            with replacing(path) as partial:
                partial.write_text(f"{json.dumps(document, indent=1, ensure_ascii=False)}\n", encoding="utf-8")
    for note in _notes(run, path, left_out) if report is not None else ():
        report(note)
    return run | {"parameters": parameters}


def _notes(run: Mapping[str, Any], path: Path | None, left_out: bool) -> list[str]:
    notes = []
    if run["busy"]:
        load = "" if run["load_average"] is None else f" (load {run['load_average']:g} of {counted(cores(), 'core')})"
        notes.append(f"other programs kept this machine busy{load}: alone the model is faster than these figures")
    if left_out:
        notes.append(f"{path} got the number of parameters and not this run: measure again when the machine is idle")
    elif path is not None:
        notes.append(f"{path} holds the run")
    return notes


def _check(entry: Entry, threads: int | None, batch_size: int | str, windows: int | None) -> None:
    if has_own_loader(entry):
        raise UsageError(
            f"{entry.name}: what it takes is made by its own dataloader, and random windows are none of that",
            "only models that take one-hot sequence are measured",
            f"Fix: zoo predict {entry.name} REGIONS -o OUT.tsv says how fast your regions go",
        )
    for name, value in (("--threads", threads), ("--windows", windows)):
        if value is not None and value < 1:
            raise UsageError(f"{name} {value}: is no positive number", "", f"Fix: {name} 1, say")
    check_batch_size(batch_size)


def _destination(entry: Entry, write: bool, out: str | Path | None) -> Path | None:
    """The file that is written, or None.

    Raises:
        UsageError: both are asked for, or it must not be written.
    """
    if write and out is not None:
        raise UsageError("--write and -o name two files", "", "Fix: leave one of them out")
    if out is not None:
        return check_out(out, suffixes=(".json",), what="a benchmark")
    if not write:
        return None
    fix = f"Fix: -o {BENCHMARK}"
    if is_hub_name(entry.name):
        raise UsageError(f"--write: {entry.name} is a copy of somebody's repository", "", fix)
    if not entry.path.is_dir():
        what = "a file, which has no folder of an entry" if entry.path.is_file() else "a model of a group"
        raise UsageError(f"--write: {entry.name} is {what}", "only an entry with a folder of its own has the file", fix)
    ours = entries_folder().resolve() in entry.path.resolve().parents
    if not (ours or Path(entry.name).exists()):
        raise UsageError(f"--write: {entry.name} belongs to a source, which others keep", "", fix)
    if not os.access(entry.path, os.W_OK):
        raise UsageError(f"--write: {entry.path} cannot be written", "", fix)
    return check_out(entry.path / BENCHMARK, suffixes=(".json",), what="a benchmark", option="--write")


def _command(model: str | Path, settings: Mapping[str, Any]) -> str:
    words = ["zoo benchmark", str(model)]
    for name, usual in (
        ("device", "auto"),
        ("threads", None),
        ("batch_size", "auto"),
        ("precision", "float32"),
        ("windows", None),
    ):
        if settings[name] != usual:
            words.append(f"--{name.replace('_', '-')} {settings[name]}")
    return " ".join([*words, *(["--trust"] if settings["trust"] else [])])


def _measured(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker measured.

    Raises:
        ZooError: what it raised. SystemStateError: it died.
    """
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(PACKAGES), *filter(None, sys.path)])}
    if settings["threads"] is not None:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[name] = str(settings["threads"])
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as scratch:
        answer = Path(scratch) / "answer.json"
        (Path(scratch) / "settings.json").write_text(json.dumps(dict(settings)), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "zoo.entries.benchmark_worker", scratch]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        try:
            found = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise _died(done) from None
    if "error" in found:
        kind = getattr(zoo.errors, found["error"].pop("kind"), ZooError)
        raise kind(**found["error"])
    return found


def _died(done: subprocess.CompletedProcess[str]) -> SystemStateError:
    last = (done.stderr.strip().splitlines() or ["(nothing on stderr)"])[-1][:300]
    killed = done.returncode == -9
    why = "it was killed, as by a system that is out of memory" if killed else f"exit {done.returncode}: {last}"
    return SystemStateError(
        "the process that measures ended before it had an answer", why, "Fix: --batch-size 1 takes the least memory"
    )
