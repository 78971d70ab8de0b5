"""Search for settings: many runs at once by Ray Tune, poor ones stopped early by ASHA.

ASHA (Li et al. 2020, arXiv:1810.05934) lets a run go on at each milestone of epochs only where it is among the better
ones there. Settings are drawn by the seed before anything runs. They are compared on validation alone; the best ones
are trained again and judged on test by the caller, once.
"""

from __future__ import annotations

import csv
import math
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import InputError, SystemStateError, UsageError
from zoo.extras import needs
from zoo.results.whole import replacing
from zoo.words import counted

__all__ = ["DEFAULT_SPACE", "TRIALS", "TuneResult", "draw", "search"]

#: What is searched where nothing is said: keys of ``run.yaml`` and where their values come from.
DEFAULT_SPACE: dict[str, Any] = {
    "mode": ["head", "lora", "full"],
    "train.lr": {"loguniform": [1e-4, 1e-2]},
    "train.weight_decay": {"loguniform": [1e-6, 1e-2]},
    "lora.rank": [4, 8, 16],
}
TRIALS = "trials.tsv"
#: Stands for a failed run's loss: worse than any, and finite, because ASHA interpolates between losses.
_WORST = 1e30
#: Of the runs at a milestone, one in so many goes on.
_REDUCTION = 3
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths of the configuration stay right
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is the caller's
    "RAY_DEDUP_LOGS": "0",
}

Report = Callable[[int, float], None]
Run = Callable[[dict[str, Any], Report], float]


@dataclass(frozen=True)
class TuneResult:
    """What was found.

    Attributes:
        best: overrides of the run with the lowest validation loss.
        trials: a row a run: its number, overrides, ``val_loss`` (the lowest of its epochs), ``epochs`` that it ran,
            ``state`` (finished, stopped, failed) and ``error``.
        failed: how many failed.
    """

    best: dict[str, Any]
    trials: tuple[dict[str, Any], ...]
    failed: int


def draw(space: Mapping[str, Any], trials: int, seed: int) -> list[dict[str, Any]]:
    """Settings of each run; no two the same as long as the space has more.

    Args:
        space: dotted key -> a list to choose from, or ``{loguniform: [low, high]}``, ``{uniform: ...}``,
            ``{integers: [low, high]}``, both ends included.

    Raises:
        UsageError: an entry that is none of these.
    """
    random = np.random.default_rng(seed)
    if trials < 1 or not space:
        raise UsageError(
            f"{counted(trials, 'trial')} over {counted(len(space), 'key')}",
            "",
            "Fix: at least one of each, as --trials 16",
        )
    found: list[dict[str, Any]] = []
    for _ in range(trials):
        for _ in range(100):
            one = {key: _value(key, entry, random) for key, entry in space.items()}
            if one not in found:
                break
        found.append(one)
    return found


def _value(key: str, entry: Any, random: np.random.Generator) -> Any:
    if isinstance(entry, list | tuple) and entry:
        return entry[int(random.integers(len(entry)))]
    if isinstance(entry, Mapping) and len(entry) == 1:
        ((kind, bounds),) = entry.items()
        if isinstance(bounds, list | tuple) and len(bounds) == 2 and all(_is_number(b) for b in bounds):
            low, high = bounds
            if kind == "uniform" and low < high:
                return float(random.uniform(low, high))
            if kind == "loguniform" and 0 < low < high:
                return float(math.exp(random.uniform(math.log(low), math.log(high))))
            if kind == "integers" and int(low) == low <= high == int(high):
                return int(random.integers(int(low), int(high), endpoint=True))
    raise UsageError(
        f"{key}: {entry!r} is no range to search",
        "",
        "Fix: a list to choose from, {uniform: [LOW, HIGH]}, {loguniform: [LOW, HIGH]} or {integers: [LOW, HIGH]}",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def search(
    run: Run,
    space: Mapping[str, Any],
    trials: int,
    seed: int,
    cpus: int | None,
    address: str | None = None,
    folder: Path | None = None,
    *,
    epochs: int = 100,
    cpus_per_trial: int = 1,
    gpus_per_trial: float = 0,
    tell: Callable[[dict[str, Any]], None] | None = None,
) -> TuneResult:
    """Run each of the settings that ``draw`` gives; a run that fails ends nothing.

    Args:
        run: trains with overrides (dotted key -> value), calls ``report(epoch, validation loss)`` after each epoch,
            counted from 1, and returns its validation loss. It is pickled, and called in other processes.
        cpus: of the cluster that is started here; None is all of the machine.
        address: of a cluster that runs, instead. folder: for ``trials.tsv``; the cluster at an address must see it.
        epochs: the most that a run has. tell: told each row, when a run has ended.

    Raises:
        UsageError: the space is wrong. InputError: all runs failed. SystemStateError: no Ray, or no such cluster.
    """
    drawn = draw(space, trials, seed)
    with needs("ray", "zoo tune"):
        import ray
        from ray import tune
        from ray.tune.schedulers import ASHAScheduler
    rows: dict[int, dict[str, Any]] = {}
    with _cluster(ray, cpus, address, folder) as storage, _quiet():
        tuner = tune.Tuner(
            tune.with_resources(_trainable(run), {"cpu": cpus_per_trial, "gpu": gpus_per_trial}),
            param_space={"trial": tune.grid_search([{"number": i, "overrides": one} for i, one in enumerate(drawn)])},
            tune_config=tune.TuneConfig(
                metric="val_loss",
                mode="min",
                reuse_actors=True,  # a process imports PyTorch once, not for each run
                scheduler=ASHAScheduler(
                    time_attr="epoch", max_t=epochs + 1, grace_period=max(1, epochs // 8), reduction_factor=_REDUCTION
                ),
            ),
            run_config=tune.RunConfig(
                name="tune", storage_path=str(storage), verbose=0, callbacks=[_teller(drawn, rows, tell, epochs)]
            ),
        )
        grid = tuner.fit()
        for result in grid:
            if result.config is not None:
                number = result.config["trial"]["number"]
                rows.setdefault(
                    number, _row(number, drawn[number], result.metrics or {}, str(result.error or ""), epochs)
                )
    table = [rows.get(i) or _row(i, one, {}, "was not run", epochs) for i, one in enumerate(drawn)]
    if folder is not None:
        _write(folder / TRIALS, table)
    return _judged(drawn, table)


def _trainable(run: Run) -> Callable[[dict[str, Any]], None]:
    """What a worker calls. An error of a run is a number of it, so that nothing is printed and nothing stops."""

    def trial(settings: dict[str, Any]) -> None:
        from ray import tune

        seen = {"epoch": 0, "best": _WORST}

        def report(epoch: int, value: float) -> None:
            if not math.isfinite(value):
                raise ValueError(f"the validation loss of epoch {epoch} is {value}")
            seen["epoch"], seen["best"] = int(epoch), min(seen["best"], float(value))
            tune.report({"epoch": seen["epoch"], "val_loss": float(value), "best": seen["best"]})

        try:
            report_last = float(run(dict(settings["trial"]["overrides"]), report))
            if not math.isfinite(report_last):
                raise ValueError(f"the validation loss is {report_last}")
            seen["best"] = min(seen["best"], report_last)
            tune.report({"epoch": seen["epoch"], "val_loss": report_last, "best": seen["best"], "whole": True})
        except Exception as error:
            text = (str(error).splitlines() or [""])[0]
            told = f"{type(error).__name__}: {text}"[:500]
            tune.report({"epoch": seen["epoch"], "val_loss": _WORST, "best": _WORST, "failed": told})

    return trial


def _row(
    number: int, overrides: Mapping[str, Any], metrics: Mapping[str, Any], error: str, epochs: int
) -> dict[str, Any]:
    error = metrics.get("failed") or (error.strip().splitlines() or [""])[-1]
    best = metrics.get("best", math.nan)
    done = int(metrics.get("epoch", 0))
    state = (
        "failed" if error or not best < _WORST else "finished" if metrics.get("whole") or done >= epochs else "stopped"
    )
    return {
        "trial": number,
        **overrides,
        "val_loss": math.nan if state == "failed" else float(best),
        "epochs": done,
        "state": state,
        "error": error or ("ended without a result" if state == "failed" else ""),
    }


def _teller(
    drawn: Sequence[Mapping[str, Any]], rows: dict[int, Any], tell: Callable[[dict], None] | None, epochs: int
) -> Any:
    """Tells each run's row when it ends."""
    from ray.tune import Callback

    class Tell(Callback):
        """Calls ``tell`` in the process of the search."""

        def _ended(self, trial: Any, error: str) -> None:
            number = trial.config["trial"]["number"]
            rows[number] = _row(number, drawn[number], trial.last_result or {}, error, epochs)
            if tell is not None:
                tell(rows[number])

        def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            self._ended(trial, "")

        def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            self._ended(trial, "the process of the run ended")

    return Tell()


def _judged(drawn: Sequence[dict[str, Any]], table: Sequence[dict[str, Any]]) -> TuneResult:
    good = [row for row in table if row["state"] != "failed"]
    failed = len(table) - len(good)
    if not good:
        raise InputError(
            f"tune: every run failed; the first: {table[0]['error']}",
            f"{failed} runs",
            "Fix: zoo finetune with the same run.yaml tells more",
        )
    best = min(good, key=lambda row: (row["val_loss"], row["trial"]))
    return TuneResult(dict(drawn[best["trial"]]), tuple(table), failed)


def _write(path: Path, table: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(table[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


# ---------------------------------------------------------------- the cluster


@contextmanager
def _cluster(ray: Any, cpus: int | None, address: str | None, folder: Path | None) -> Iterator[Path]:
    """A cluster for the search, and a folder for Ray's own files; what was started here ends here."""
    found = dict(os.environ), {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    os.environ.update(_ENVIRONMENT)
    scratch = Path(tempfile.mkdtemp(prefix="zr", dir=_short()))
    mine = not ray.is_initialized()
    storage = scratch / "r"
    if address is not None and folder is not None:  # other machines write there too
        storage = folder / ".ray"
    try:
        if mine:
            _start(ray, cpus, address, scratch)
        yield storage.resolve()
    finally:
        if mine:
            ray.shutdown()
        shutil.rmtree(scratch, ignore_errors=True)
        if storage.parent != scratch:
            shutil.rmtree(storage, ignore_errors=True)
        _put_back(*found)


def _put_back(environment: dict[str, str], handlers: dict[int, Any]) -> None:
    """What Ray sets in this process."""
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)


def _answers(address: str) -> None:
    """Ray waits for minutes for a cluster that is not there; OSError where nothing listens at HOST:PORT."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _start(ray: Any, cpus: int | None, address: str | None, scratch: Path) -> None:
    import logging

    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address is not None:
            _answers(address)
            ray.init(address=address, **quiet)
        else:
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=100 * 1024**2,
                _temp_dir=str(scratch),
                **quiet,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SystemStateError(
            f"tune: no Ray cluster {'at ' + address if address else 'could be started'}: {reason}",
            "",
            "Fix: ray start --head on that machine, or no address" if address else "Fix: free memory or space in /tmp",
        ) from error


def _short() -> str | None:
    """A folder whose name leaves room: Ray's sockets have at most 107 characters."""
    return "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray's loggers and warnings say nothing inside."""
    import logging
    import warnings

    names = ("ray", "ray.tune", "ray.train", "ray.air")
    before = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"ray(\.|$)")
        try:
            for name in names:
                logging.getLogger(name).setLevel(logging.CRITICAL)
            yield
        finally:
            for name, level in before.items():
                logging.getLogger(name).setLevel(level)
