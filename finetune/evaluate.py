"""``evaluate``: the verdict of a fine-tuned run, or of any model, on the targets and splits of a configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from finetune.config import FinetuneConfig
from finetune.config_file import load_config
from finetune.data.prepare import Prepared
from finetune.finetune import command
from finetune.models.base import Base, open_base, trained_on
from finetune.run import Run
from finetune.training.train import load_best
from finetune.verdict.page import page
from finetune.verdict.sides import BaseTracks, judged_tracks
from finetune.verdict.verdict import Verdict, judge
from zoo.errors import UsageError
from zoo.genome.encode import one_hot
from zoo.models.loaded import LoadedModel, Runner
from zoo.outputs import OutputSpec, choose_tracks, first_of, track_patterns
from zoo.progress import Notes
from zoo.results.check_out import check_out
from zoo.results.whole import replacing_all, sole_writer
from zoo.words import counted

__all__ = ["evaluate"]

Report = Callable[[str], None]
#: Windows that a model predicts at once.
ROWS = 64


def evaluate(
    model: str | Path,
    config: str | Path | FinetuneConfig,
    *,
    split: str = "test",
    tracks: Sequence[str] = (),
    out: str | Path | None = None,
    sets: tuple[str, ...] = (),
    trust: bool = False,
    report: Report | None = None,
) -> Verdict:
    """Judge a run or a model beside baselines.

    Args:
        model: folder of ``zoo finetune``, or what ``zoo predict`` takes as a model.
        config: a ``run.yaml``: targets, regions and splits are taken from it.
        split: ``test`` or ``validation``.
        tracks: of a model, in the order of the targets; default those of the targets' names, or its only one.
        out: an HTML page, with the figures beside it as ``.json``; None writes nothing.
        sets: as ``--set``. trust: Python of a folder that is not bundled may run.

    Raises:
        UsageError: the model's tracks or bins are not those of the targets. ZooError: as ``finetune``.
    """
    if split not in ("test", "validation"):
        raise UsageError(f"--split {split}: not known", "", "Fix: test or validation")
    read = config if isinstance(config, FinetuneConfig) else load_config(config, sets)
    page_path = None
    if out is not None:
        page_path = check_out(out, inputs=[config], suffixes=(".html",), what="the page", beside=_beside)
    notes = Notes(report)
    folder = Path(model)
    made_by = command("evaluate", model, config, sets=sets, split=split, tracks=",".join(tracks), out=out)
    if (folder / "identity.json").is_file():
        verdict, history = _of_run(folder, read, split, trust, notes, made_by)
    else:
        verdict, history = _of_model(str(model), read, split, tracks, trust, notes, made_by), ()
    if page_path is not None:
        with sole_writer(page_path), replacing_all([*_beside(page_path), page_path]) as (data, html):
            data.write_text(json.dumps(verdict.as_dict(), indent=1) + "\n", encoding="utf-8")
            html.write_text(page(verdict, history), encoding="utf-8")
    return verdict


def _beside(path: Path) -> list[Path]:
    return [path.with_suffix(".json")]


# ---------------------------------------------------------------- a run


def _of_run(
    folder: Path, config: FinetuneConfig, split: str, trust: bool, notes: Notes, made_by: str
) -> tuple[Verdict, tuple]:
    """The weights of the run's best epoch, on the data of the configuration.

    Raises:
        InputError: the run has no finished epoch. UsageError: its model is not that of the configuration.
    """
    own = load_config(folder / "config.yaml")
    if (own.base, own.mode, own.lora, own.cell) != (config.base, config.mode, config.lora, config.cell):
        changed = [key for key in ("base", "mode", "lora", "cell") if getattr(own, key) != getattr(config, key)]
        raise UsageError(
            f"{folder}: its model is another one than that of the configuration",
            f"{', '.join(changed)} differ",
            f"Fix: zoo evaluate {folder} {folder / 'config.yaml'}",
        )
    run = Run(config, trust, notes)
    model = run.adapted()
    trained = load_best(model, folder)
    facts = {"model": str(folder), "base": run.base.name, "mode": config.mode, "weights": trained.weights_hash}
    return run.judge(model, split, facts | {"splits": run.splits(), "command": made_by}), trained.history


# ---------------------------------------------------------------- a model


def _of_model(
    name: str,
    config: FinetuneConfig,
    split: str,
    tracks: Sequence[str],
    trust: bool,
    notes: Notes,
    made_by: str,
) -> Verdict:
    import zoo

    model = zoo.load_model(name, trust=trust)
    if not isinstance(model, LoadedModel):
        raise UsageError(f"{name}: takes the arrays of its own dataloader", "", "Fix: judge a model of sequence alone")
    # Windows are laid for the model that is judged: it stands where a base would.
    run = Run(config.model_copy(update={"mode": "head"}), trust, notes, _standing(model))
    if len(run.sets) > 1 or any(cells is not None for cells in run.cells.values()):
        raise UsageError(
            "a model of sequence alone is judged on one head without `cell`",
            f"{len(run.sets)} heads",
            "Fix: leave `heads` and `cell` out of a copy of the configuration",
        )
    prepared = next(iter(run.sets.values()))
    output, columns = _columns(model, prepared, tracks)
    runner = Runner(model, str(run.device))

    def predict(rows: np.ndarray, cell: str | None = None, told: str | None = None) -> np.ndarray:
        return np.concatenate(
            [_predicted(runner, output, prepared, rows[i : i + ROWS]) for i in range(0, len(rows), ROWS)]
        )

    base = BaseTracks(open_base(config.base, trust=trust, length=config.length), prepared, run.device)
    judged = judged_tracks(
        prepared,
        predict,
        side=split,
        base=base,
        columns=columns,
        loci=config.verdict.loci,
    )
    facts = {"model": name, "base": config.base, "splits": run.splits(), "command": made_by}
    return judge(judged, config.verdict, facts, config.train.seed)


def _standing(model: LoadedModel) -> Base:
    """What is known of the bins of a model, in the form of a base; it is not taken apart."""
    profiles = [spec for spec in model.outputs if spec.kind == "profile"]
    spec = profiles[0] if profiles else model.outputs[0]
    if profiles and not model.places_bins:
        raise UsageError(
            f"{model.name}: its card does not say where its bins lie",
            "",
            "Fix: judge a model whose card gives bin_size",
        )
    return Base(
        name=model.name,
        trunk=torch.nn.Identity(),
        channels=0,
        positions=spec.n_bins,
        length=model.length,
        bin_size=spec.bin_size if profiles else model.length,
        offset=spec.offset,
        own_bin=spec.bin_size,
        n_value=model.loader.n_value,
        card=model.card,
        trained_on=trained_on(model.card),
        hashes=model.hashes,
    )


def _predicted(runner: Runner, output: OutputSpec, prepared: Prepared, rows: np.ndarray) -> np.ndarray:
    """(k, tracks, bins) of the targets' bins; finer bins of the model are reduced as the targets were."""
    letters = prepared.letters(rows, np.zeros(len(rows), np.int64))
    values = runner.forward(one_hot(letters, runner.model.loader.n_value))[output.name]
    if values.ndim == 2:
        return values[:, :, None]
    group = prepared.geometry.bin_size // output.bin_size
    if group == 1:
        return values
    parts = values.reshape(*values.shape[:2], -1, group)
    return {"sum": parts.sum, "mean": parts.mean, "max": parts.max}[prepared.tracks[0].reduce](axis=-1)


def _columns(model: LoadedModel, prepared: Prepared, tracks: Sequence[str]) -> tuple[OutputSpec, dict[int, int]]:
    """The output that is judged, and for each target the number of its track.

    Raises:
        UsageError: it is not clear which.
    """
    wanted = [track.name for track in prepared.tracks]
    patterns = track_patterns(tracks)
    known = [(output, name) for output in model.outputs for name in output.tracks]
    if patterns:
        chosen = []
        for pattern in patterns:
            choice = choose_tracks(model.outputs, (pattern,))
            chosen += [(spec.name, name) for spec in choice.outputs for name in spec.tracks]
    elif all(any(name == one for _, one in known) for name in wanted):
        chosen = [next((output.name, one) for output, one in known if one == name) for name in wanted]
    elif len(known) == 1:
        chosen = [(known[0][0].name, known[0][1])] * len(wanted)
    else:
        raise UsageError(
            f"{model.name}: which of its {counted(len(known), 'track')} are the targets?",
            f"targets: {first_of(wanted)}; tracks: {first_of([name for _, name in known])}",
            "Fix: --tracks NAME for each target, in their order",
        )
    if len(chosen) != len(wanted):
        raise UsageError(
            f"--tracks names {counted(len(chosen), 'track')} for {len(wanted)} targets",
            "",
            "Fix: one for each target, in order",
        )
    if len({output for output, _ in chosen}) > 1:
        raise UsageError("--tracks are of several outputs", "", "Fix: judge one output at a time")
    output = next(spec for spec in model.outputs if spec.name == chosen[0][0])
    _check_bins(model, output, prepared)
    return replace(output), {i: output.tracks.index(name) for i, (_, name) in enumerate(chosen)}


def _check_bins(model: LoadedModel, output: OutputSpec, prepared: Prepared) -> None:
    geometry = prepared.geometry
    if output.kind == "scalar":
        if geometry.n_bins == 1:
            return
    elif (
        geometry.bin_size % output.bin_size == 0
        and output.offset == geometry.offset
        and output.n_bins * output.bin_size == geometry.span
    ):
        return
    raise UsageError(
        f"{model.name}: its bins are not those of the targets",
        f"{output.n_bins:,} of {output.bin_size} bp from {output.offset}; targets have {geometry.n_bins:,} of "
        f"{geometry.bin_size} bp from {geometry.offset}",
        f"Fix: bin: {output.bin_size} in the targets",
    )
