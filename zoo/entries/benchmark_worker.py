"""The process in which ``zoo benchmark`` measures: started anew for each run, with settings in a folder, and done.

``python -m zoo.entries.benchmark_worker FOLDER`` reads ``FOLDER/settings.json`` and writes ``FOLDER/answer.json``.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.words import counted

if TYPE_CHECKING:
    import numpy as np
    import torch

    from zoo.models.loaded import Runner

__all__ = ["main", "measure"]

SECONDS = 1.0  # that a timed run shall take
REPEATS = 5  # timed runs of the forward pass; of the whole path fewer, as it takes longer
PATH_REPEATS = 3
MOST = 1 << 14  # windows of a run
KEPT = 16 << 20  # bytes of different windows that are held; they are fed again and again
BUSY = 0.5  # processes a core, above which other programs take part of the machine
OWN = 0.9  # of its time that a single thread has a core where no other program takes it
GAP = 100  # bp between the regions of the whole path


def main(folder: Path) -> None:
    """Measure by the settings in the folder; what is wrong is an answer too."""
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    try:
        answer = measure(settings, folder)
    except ZooError as error:
        answer = {"error": {"kind": type(error).__name__, "what": error.what, "extent": error.extent, "fix": error.fix}}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def measure(settings: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Forward passes, then the whole path of ``zoo predict``; see ``zoo.entries.benchmark``."""
    from importlib import metadata

    import torch

    from zoo.model import load_model
    from zoo.models.loaded import Runner
    from zoo.progress import Silent, listening

    if settings["threads"] is not None:
        torch.set_num_threads(settings["threads"])
    baseline, load = peak_memory(), load_average()
    with listening(Silent()):
        model = load_model(settings["model"], trust=settings["trust"])
    options = {key: settings[key] for key in ("device", "precision", "batch_size")}
    runner = Runner(model, **options)
    pool = _windows(model.length, runner.batch_size)
    warm_up = _timed(lambda: _forward(runner, pool, runner.batch_size))
    each = _timed(lambda: _forward(runner, pool, runner.batch_size)) / runner.batch_size
    windows = settings["windows"] or _as_many(each, runner.batch_size)
    forward, of_cpu = [], []
    for _ in range(REPEATS):
        start = time.process_time()
        forward.append(windows / _timed(lambda: _forward(runner, pool, windows)))
        of_cpu.append(windows / max(time.process_time() - start, 1e-9))
    peak, memory_of = _peak(runner.device)
    options |= {"batch_size": runner.batch_size}  # less than was asked for, where a GPU had no room
    whole = _whole_path(model, windows, options, scratch)
    cpu = runner.device.type == "cpu"
    own = statistics.median(a / b for a, b in zip(forward, of_cpu, strict=True))
    alone = not cpu or torch.get_num_threads() > 1 or own >= OWN
    return {
        "parameters": sum(part.numel() for part in model.module.parameters()),
        "device": runner.device.type,
        "hardware": hardware(runner.device),
        "threads": torch.get_num_threads() if cpu else None,
        "precision": settings["precision"],
        "batch_size": runner.batch_size,
        "windows": windows,
        "window_bp": model.length,
        "repeats": REPEATS,
        "warm_up_seconds": round(warm_up, 3),
        "windows_per_second": _figures(statistics.median(forward)),
        "windows_per_second_range": [_figures(min(forward)), _figures(max(forward))],
        "windows_per_cpu_second": _figures(statistics.median(of_cpu)) if cpu else None,
        "predict_windows_per_second": _figures(statistics.median(whole)),
        "predict_windows_per_second_range": [_figures(min(whole)), _figures(max(whole))],
        "peak_memory_bytes": peak,
        "memory_of": memory_of,
        "baseline_memory_bytes": baseline,
        "load_average": load,
        "busy": not alone or (load is not None and load > BUSY * cores()),
        "versions": {
            "seqzoo": metadata.version("seqzoo"),
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
    }


def _windows(length: int, batch_size: int) -> np.ndarray:
    """(n, 4, length) float32 of random bases: whole batches, as many different ones as there is room for."""
    import numpy as np

    batches = max(1, min(8, KEPT // (16 * length * batch_size)))
    bases = np.random.default_rng(0).integers(0, 4, (batches * batch_size, length))
    return (np.arange(4)[None, :, None] == bases[:, None, :]).astype(np.float32)


def _forward(runner: Runner, pool: np.ndarray, windows: int) -> None:
    """Predict so many windows in batches, from memory to memory."""
    done = 0
    while done < windows:
        size = min(runner.batch_size, windows - done)
        at = done % len(pool)
        batch = pool[at : at + size]
        runner.forward(batch)  # whose values come back to the CPU: a GPU has finished then
        done += len(batch)


def _timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _as_many(each: float, batch_size: int) -> int:
    """Windows that take about ``SECONDS``, in whole batches."""
    batches = max(1, min(round(SECONDS / (each * batch_size)), MOST // batch_size))
    return batches * batch_size


def _figures(rate: float) -> float:
    """Four figures: more are not the same the next time."""
    return float(f"{rate:.4g}")


def _whole_path(model: Any, windows: int, options: dict[str, Any], scratch: Path) -> list[float]:
    """Windows a second from a BED and a FASTA of random bases to a file, ``PATH_REPEATS`` times after a warm-up."""
    import zoo

    fasta, bed = _genome(scratch, model.length, windows)
    given = {"any_genome": True, "trust": True, "report": lambda _: None} | options

    def run() -> None:
        zoo.predict(model, bed, fasta, scratch / "out.h5", **given)

    zoo.predict(model, bed, fasta, scratch / "out.h5", limit=1, **given)
    return [windows / _timed(run) for _ in range(PATH_REPEATS)]


def _genome(scratch: Path, length: int, windows: int) -> tuple[Path, Path]:
    """A FASTA of one contig, and regions that each have a window in it; where it ends, they begin again."""
    import numpy as np

    size = min(length + GAP * windows, max(4 * length, 20_000_000))
    letters = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(1).integers(0, 4, size)]
    fasta, bed = scratch / "random.fa", scratch / "regions.bed"
    text = letters.tobytes().decode()
    fasta.write_text(">chr1\n" + "".join(f"{text[i : i + 80]}\n" for i in range(0, size, 80)), encoding="ascii")
    starts = [(GAP * i) % (size - length + 1) for i in range(windows)]
    bed.write_text("".join(f"chr1\t{start}\t{start + length}\n" for start in starts), encoding="ascii")
    return fasta, bed


# ---------------------------------------------------------------- the machine


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes.

    Linux says it of the program alone (VmHWM); ``ru_maxrss`` also counts what the process that started it held.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def load_average() -> float | None:
    """Processes that wanted a core in the minute before; None where the system does not say."""
    import os

    try:
        return round(os.getloadavg()[0], 1)
    except (AttributeError, OSError):
        return None


def _peak(device: torch.device) -> tuple[int, str]:
    """Bytes, and of what they are."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), "device: largest allocation of PyTorch's tensors"
    if device.type == "mps":
        return torch.mps.driver_allocated_memory(), "device: allocated by PyTorch after the passes"
    return peak_memory(), "process: largest resident memory, Python and PyTorch included"


def hardware(device: torch.device) -> str:
    """The name of the processor, with its cores; or of the GPU."""
    from zoo.models.loaded import processor_name

    name, n = processor_name(device), cores()
    return name if device.type != "cpu" else f"{name}, {counted(n, 'core')}"


def cores() -> int:
    """Cores that this process may use."""
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
