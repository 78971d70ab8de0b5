"""``tune``: settings searched on the validation side, the best trained again and judged once on the test side."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from finetune.config import FinetuneConfig
from finetune.config_file import as_number, load_config
from finetune.finetune import FinetuneResult, check_run_folder, finetune, fit
from finetune.run import Run
from finetune.training.tune import search
from zoo.errors import UsageError
from zoo.progress import Notes
from zoo.results.whole import replacing

__all__ = ["tune"]

Report = Callable[[str], None]
#: What is varied where nothing is said; what the mode does not use is left out.
DEFAULT_SPACE = ("train.lr=1e-4:1e-2", "train.weight_decay=0,1e-3,1e-2", "lora.rank=4,8,16")
#: Where a trial's processes cannot be told apart from others': one thread each.
ONE_THREAD = "train.threads=1"


def tune(
    config: str | Path,
    out: str | Path | None = None,
    *,
    trials: int = 16,
    space: Sequence[str] = (),
    sets: tuple[str, ...] = (),
    address: str | None = None,
    cpus: int = 1,
    force: bool = False,
    trust: bool = False,
    report: Report | None = None,
) -> FinetuneResult:
    """Search settings with Ray Tune's ASHA (Li et al. 2020, arXiv:1810.05934), then run the best of them.

    Args:
        config: a ``run.yaml``. out: folder of the best run; default the file's name with ``-tuned``.
        trials: settings that are tried. space: ``key=a,b,...`` or ``key=low:high`` each.
        address: of a Ray cluster that runs already. cpus: of a trial.
        force, trust, sets, report: as in ``finetune``.

    Returns:
        The best run; its ``tuning``, and ``tuning.json`` in its folder, list all trials.

    Raises:
        ZooError: as ``finetune``; a trial that fails ends nothing but itself.
    """
    read = load_config(config, sets)
    folder = Path(out) if out is not None else Path(config).with_name(f"{Path(config).with_suffix('').name}-tuned")
    varied = dict(map(_varied, space or _default_space(read)))
    _check_space(config, sets, varied)
    _check_folder(folder, read, config, force)  # not once all trials have run
    notes = Notes(report)
    Run(read, trust, notes)  # prepared once, and every mistake found before a trial starts
    path = str(Path(config).resolve())

    def trial(overrides: dict[str, Any], tell: Callable[[int, float], None]) -> float:
        return _validation_loss(path, (*sets, ONE_THREAD, *_as_sets(overrides)), trust, tell)

    found = search(
        trial,
        varied,
        trials,
        read.train.seed,
        None,
        address,
        epochs=read.train.epochs,
        cpus_per_trial=cpus,
        tell=lambda row: notes.say(_told(row)),
    )
    best = _as_sets(found.best)
    notes.add(f"best of {trials} trials: {', '.join(best)}; {found.failed} failed")
    result = finetune(config, folder, sets=(*sets, *best), force=force, trust=trust, report=report)
    with replacing(result.folder / "tuning.json") as partial:
        record = {"best": found.best, "failed": found.failed, "trials": found.trials, "space": varied}
        partial.write_text(json.dumps(record, indent=1, default=str) + "\n", encoding="utf-8")
    return dataclasses.replace(result, tuning=record)


def _default_space(config: FinetuneConfig) -> tuple[str, ...]:
    return tuple(one for one in DEFAULT_SPACE if config.mode == "lora" or not one.startswith("lora."))


def _check_space(config: str | Path, sets: tuple[str, ...], varied: Mapping[str, Any]) -> None:
    """Every value that may be tried is one that the key can have: else all trials would fail for it.

    Raises:
        UsageError: an unknown key, or a value that it cannot have.
    """
    for key, values in varied.items():
        for value in values["loguniform"] if isinstance(values, Mapping) else values:
            try:
                load_config(config, (*sets, *_as_sets({key: value})))
            except UsageError as error:
                raise UsageError(error.what.replace("--set ", "--space ", 1), error.extent, error.fix) from None


def _check_folder(folder: Path, read: FinetuneConfig, config: str | Path, force: bool) -> None:
    if not force and (folder / "identity.json").is_file():
        raise UsageError(f"{folder}: holds a run already", "", "Fix: --force to replace it, or another -o")
    check_run_folder(folder, read, config, resume=False, force=force)


def _varied(text: str) -> tuple[str, Any]:
    """``key=a,b,...`` or ``key=low:high`` (on a log scale) as ``search`` takes it.

    Raises:
        UsageError: neither.
    """
    key, equals, values = text.partition("=")
    low, colon, high = values.partition(":")
    try:
        if equals and colon:
            return key, {"loguniform": [float(low), float(high)]}
        if equals and values:
            return key, [as_number(yaml.safe_load(value)) for value in values.split(",")]
    except (ValueError, yaml.YAMLError):
        pass
    raise UsageError(
        f"--space {text}: is no range and no choice", "", "Fix: --space train.lr=1e-4:1e-2 or --space mode=lora,full"
    )


def _told(row: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{key}={value}" for key, value in row.items() if "." in key or key == "mode")
    return f"trial {row['trial']}: validation loss {row['val_loss']}, {row['state']} ({settings})"


def _as_sets(overrides: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{key}={json.dumps(value)}" for key, value in overrides.items())


def _validation_loss(path: str, sets: tuple[str, ...], trust: bool, tell: Callable[[int, float], None]) -> float:
    """Train once and give the best validation loss; the test side is not looked at."""
    run = Run(load_config(path, sets), trust, Notes())
    with tempfile.TemporaryDirectory(prefix="zoo-trial-") as folder:
        trained = fit(run, run.adapted(), Path(folder), told=lambda row: tell(int(row["epoch"]), row["val_loss"]))
    losses = [row["val_loss"] for row in trained.history]
    if not losses:
        raise UsageError("a trial has no epoch", "", "Fix: train.epochs: 1 or more")
    return min(losses)
