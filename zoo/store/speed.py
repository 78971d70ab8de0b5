"""``benchmark.json`` of an entry: how fast its model was measured to be, and how much memory it took, by device.

``zoo benchmark`` writes it, nobody by hand; ``zoo info`` and the gallery read it. One run stands for each device,
hardware, number of threads, precision and batch size: measuring again replaces it. Beside the runs stands how many
parameters the model has, which no machine changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.progress import human_bytes
from zoo.words import counted

__all__ = ["BENCHMARK", "SAME", "read_parameters", "read_speed", "speed_line", "with_run"]

BENCHMARK = "benchmark.json"
VERSION = 1
#: What makes two runs the same measurement.
SAME = ("device", "hardware", "threads", "precision", "batch_size")
NEEDED = (*SAME, "windows", "windows_per_second", "peak_memory_bytes", "versions", "date", "command")


def read_speed(path: Path) -> list[dict[str, Any]]:
    """The runs of a file; none where it is not there.

    Raises:
        InputError: it is no such file.
    """
    return _read(path)["runs"]


def read_parameters(path: Path) -> int | None:
    """How many parameters the model has; None where the file does not say, or is not there.

    Raises:
        InputError: it is no such file.
    """
    return _read(path).get("parameters")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {"runs": []}
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, str(error)) from None
    try:
        document = json.loads(text)
        runs, version = document["runs"], document["schema_version"]
    except (ValueError, KeyError, TypeError):
        raise _wrong(path, "it is not JSON with schema_version and runs") from None
    if version != VERSION:
        raise _wrong(path, f"schema_version is {version!r}, this program reads {VERSION}")
    for i, run in enumerate(runs if isinstance(runs, list) else [None]):
        lacking = [name for name in NEEDED if not isinstance(run, Mapping) or name not in run]
        if lacking:
            raise _wrong(path, f"runs[{i}] lacks {lacking[0]}")
    if type(document.get("parameters", 0)) is not int:
        raise _wrong(path, "parameters is no whole number")
    return document


def _wrong(path: Path, why: str) -> InputError:
    return InputError(f"{path}: is no file of `zoo benchmark`: {why}", "", f"Fix: rm {path}, and measure again")


def with_run(
    runs: Sequence[Mapping[str, Any]], run: Mapping[str, Any] | None, parameters: int | None = None
) -> dict[str, Any]:
    """The file's content with a run put in the place of an older one of the same measurement, or behind the others.

    Args:
        run: None leaves the runs as they are.
        parameters: of the model.
    """
    begin = {"schema_version": VERSION} | ({} if parameters is None else {"parameters": parameters})
    if run is None:
        return begin | {"runs": [dict(one) for one in runs]}
    key = [run[name] for name in SAME]
    places = [i for i, one in enumerate(runs) if [one[name] for name in SAME] == key]
    found = [dict(one) for i, one in enumerate(runs) if i not in places[1:]]
    if places:
        found[places[0]] = dict(run)
    else:
        found.append(dict(run))
    return begin | {"runs": found}


def speed_line(run: Mapping[str, Any]) -> str:
    """``812 windows/s, 412.0 MB, cpu (AMD EPYC, 2 cores), 1 thread, float32, 32 windows a batch (2026-11-29)``."""
    rate = float(run["windows_per_second"])
    threads, batch = run["threads"], run["batch_size"]
    parts = [
        f"{_rate(rate)} {'window' if _rate(rate) == '1' else 'windows'}/s",
        human_bytes(run["peak_memory_bytes"]),
        f"{run['device']} ({run['hardware']})",
        *([counted(threads, "thread")] if threads else []),
        str(run["precision"]),
        f"{counted(batch, 'window')} a batch",
    ]
    if run.get("busy"):
        alone = run.get("windows_per_cpu_second")
        parts.append("on a busy machine" + (f": {_rate(alone)} windows a second of CPU" if alone else ""))
    return f"{', '.join(parts)} ({run['date']})"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
