"""``finetune``: a configuration in; a run with its verdict and the draft of an entry out.

The order of work: read the configuration, take the base apart, prepare windows and targets, put heads on the trunk,
train, judge once on the test side, write the page, draft the entry.

    RUN/
        run.json          what was asked, versions, checksums, counts, notes
        config.yaml       the configuration with what --set changed
        history.csv       losses of each epoch
        last.ckpt         for --resume; best.ckpt the weights of the best epoch
        verdict.json      every figure; verdict.html the page
        entry/NAME/       the draft of an entry
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

from finetune.config import FinetuneConfig
from finetune.config_file import load_config
from finetune.data.batches import Batch, Batches, interleaved
from finetune.data.prepare import Prepared
from finetune.models.atac import bake
from finetune.models.base import describe
from finetune.models.cut import activate
from finetune.models.freeze import frozen_hash, layer_groups
from finetune.models.heads import Adapted, Plain
from finetune.models.lora import trainable_share
from finetune.package import BakedCells, HeadWeights, Result, output_name, package
from finetune.run import Run
from finetune.training.checkpoints import BEST, LAST
from finetune.training.train import TrainResult, train
from finetune.verdict.page import page
from finetune.verdict.verdict import Verdict
from zoo.errors import ModelError, UsageError
from zoo.progress import Notes
from zoo.results.check_out import check_folder
from zoo.results.record import write_run_record
from zoo.results.whole import remove, replacing, sole_writer

__all__ = ["FinetuneResult", "check_run_folder", "command", "finetune", "fit"]

Report = Callable[[str], None]
#: Options with a letter of their own.
OPTIONS = {"out": "-o"}


@dataclass(frozen=True)
class FinetuneResult:
    """What a run made.

    Attributes:
        folder: of the run. prepared: folder of each head's set.
        verdict: None where only data were prepared. entry: the draft, or None where the model is no function of
            sequence alone. weights_hash: sha256 of what was trained.
        notes: what the user should know. tuning: of a search, its best settings and all its trials.
    """

    folder: Path
    prepared: dict[str, Path | None]
    verdict: Verdict | None = None
    entry: Path | None = None
    weights_hash: str | None = None
    training: TrainResult | None = None
    notes: list[str] = field(default_factory=list)
    tuning: dict[str, Any] | None = None

    @property
    def sentence(self) -> str:
        """The verdict in words, or where the data lie."""
        if self.verdict is None:
            return "prepared: " + ", ".join(f"{head} in {folder}" for head, folder in self.prepared.items())
        return self.verdict.sentence

    def as_dict(self) -> dict[str, Any]:
        """Plain data: the sentence, where everything lies, and the figures as lines of a card's ``evaluation``."""
        return {
            "sentence": self.sentence,
            "gained": None if self.verdict is None else self.verdict.gained,
            "run": str(self.folder),
            "prepared": {head: folder and str(folder) for head, folder in self.prepared.items()},
            "entry": self.entry and str(self.entry),
            "weights_sha256": self.weights_hash,
            "evaluation": [] if self.verdict is None else self.verdict.evaluation_lines(""),
            "notes": list(self.notes),
        } | ({} if self.tuning is None else {"tuning": self.tuning})


def finetune(
    config: str | Path | FinetuneConfig,
    out: str | Path | None = None,
    *,
    sets: tuple[str, ...] = (),
    prepare_only: bool = False,
    resume: bool = False,
    force: bool = False,
    trust: bool = False,
    report: Report | None = None,
) -> FinetuneResult:
    """Adapt a model to new tracks or cell types, and judge what was gained.

    Args:
        config: a ``run.yaml``, or a configuration.
        out: folder of the run; default the file's name without its suffix, beside it.
        sets: ``key=value`` each, as ``--set``.
        prepare_only: stop once the data are read, checked and binned.
        resume: go on behind the last whole epoch. force: replace an older run.
        trust: Python of a base that is not bundled may run.
        report: called with each note for the user.

    Raises:
        ZooError: see ``zoo.errors`` for the kinds. An interrupted run keeps its last whole epoch.
    """
    read = config if isinstance(config, FinetuneConfig) else load_config(config, sets)
    folder = _folder(config, out)
    if not prepare_only:  # before the data are read, which may take long
        folder = check_run_folder(folder, read, config, resume=resume, force=force)
    notes = Notes(report)
    run = Run(read, trust, notes)
    if prepare_only:
        return FinetuneResult(folder, {name: one.folder for name, one in run.sets.items()}, notes=notes.texts)
    model = run.adapted()
    batches = run.batches(run.embeddings() if read.mode == "head" else None)
    with sole_writer(folder):
        _begin(run, folder, resume=resume)
        made_by = command("finetune", config, sets=sets, out=out)
        return _train_and_judge(run, model, batches, folder, resume, notes, made_by)


# ---------------------------------------------------------------- the folder


def _folder(config: str | Path | FinetuneConfig, out: str | Path | None) -> Path:
    if out is not None:
        return Path(out)
    if isinstance(config, FinetuneConfig):
        raise UsageError("a configuration that is no file needs a folder for its run", "", "Fix: give `out`")
    return Path(config).with_suffix("")


#: What a run leaves that ended before its first epoch did: another may begin in its place.
BEGUN = {"identity.json", "config.yaml", "history.csv", "tensorboard", "wandb"}


def check_run_folder(folder: Path, config: FinetuneConfig, given: Any, *, resume: bool, force: bool) -> Path:
    """The folder to write.

    Raises:
        UsageError: it holds an older run or other files, or is a part of what is read.
    """
    read = [path for target in config.targets for path in target.files]
    base = Path(config.base) if Path(config.base).is_dir() else None
    folder = check_folder(folder, inputs=[*read, config.genome], option="-o")
    if base is not None and base.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UsageError(f"{folder}: is a part of {base}, the base", "", "Fix: give another folder with -o")
    inside = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if force or inside <= BEGUN:
        return folder
    if "identity.json" not in inside:
        raise UsageError(
            f"{folder}: is a folder with other files", _counted(inside), "Fix: give another folder with -o"
        )
    if not resume:
        raise UsageError(f"{folder}: holds a run already", "", "Fix: --resume to go on with it, --force, or another -o")
    return folder


def _counted(names: set[str]) -> str:
    return f"{len(names):,} files and folders: {', '.join(sorted(names)[:3])}{', ...' if len(names) > 3 else ''}"


def _begin(run: Run, folder: Path, *, resume: bool) -> None:
    """Write what a later part of the run must be the same in.

    Raises:
        UsageError: what is to go on was of other data or options.
    """
    identity = folder / "identity.json"
    if resume and identity.is_file() and (folder / LAST).is_file():
        _check_same(json.loads(identity.read_text(encoding="utf-8")), run.identity(), folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not resume:  # what an older run found is not this one's
        for name in (*BEGUN, LAST, BEST, "verdict.json", "verdict.html", "run.run.json", "entry"):
            remove(folder / name)
    with replacing(identity) as partial:
        partial.write_text(json.dumps(run.identity(), indent=1) + "\n", encoding="utf-8")
    with replacing(folder / "config.yaml") as partial:
        plain = json.loads(run.config.model_dump_json())
        partial.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")


def _check_same(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    changed = [key for key in now if before.get(key) != now[key]]
    if changed:
        raise UsageError(
            f"{folder}: cannot go on: {changed[0]} changed since the run began",
            f"{len(changed)} changed: {', '.join(changed)}",
            "Fix: bring back what it was, or begin anew with --force",
        )


# ---------------------------------------------------------------- train


def _train_and_judge(
    run: Run,
    model: Adapted,
    batches: Mapping[str, Batches],
    folder: Path,
    resume: bool,
    notes: Notes,
    made_by: str,
) -> FinetuneResult:
    share = trainable_share(model)
    notes.add(f"{share:.2%} of {sum(p.numel() for p in model.parameters()):,} weights train")
    before = frozen_hash(model)
    trained = fit(run, model, folder, batches, resume=resume, told=lambda row: notes.say(_told(row)))
    notes.add(*trained.notes)
    if frozen_hash(model) != before:
        raise RuntimeError("what is frozen changed during training")
    verdict = run.judge(model, facts=_facts(run, trained, share) | {"name": folder.name, "command": made_by})
    _write_verdict(verdict, trained, folder)
    entry = _package(run, model, verdict, folder, notes, made_by)
    write_run_record(folder / "run", _record(run, trained, verdict, notes))
    return FinetuneResult(
        folder,
        {name: one.folder for name, one in run.sets.items()},
        verdict,
        entry,
        trained.weights_hash,
        trained,
        notes.texts,
    )


def fit(
    run: Run,
    model: Adapted,
    folder: Path,
    batches: Mapping[str, Batches] | None = None,
    *,
    resume: bool = False,
    told: Callable[[Mapping[str, float]], None] | None = None,
) -> TrainResult:
    """Train the model of a run; checkpoints and history lie in ``folder``.

    Args:
        batches: of the run; made where they are not given. told: each epoch's row of the history.
    """
    config = run.config
    if batches is None:
        batches = run.batches(run.embeddings() if config.mode == "head" else None)

    def validation() -> Iterator[Batch]:
        for one in batches.values():
            yield from one.side("validation")

    return train(
        model,
        lambda epoch: interleaved(batches, epoch, config.train.seed),
        validation,
        config.train,
        run.losses(),
        folder,
        sum(len(one) for one in batches.values()),
        resume=resume,
        report=told,
        parameter_groups=lambda module, settings: layer_groups(module, settings.lr, settings.layer_decay),
    )


def _told(row: Mapping[str, float]) -> str:
    return (
        f"epoch {int(row['epoch'])}: loss {row['train_loss']:.4f} in training, {row['val_loss']:.4f} in validation, "
        f"{row['seconds']:.0f} s"
    )


# ---------------------------------------------------------------- what is written


def _facts(run: Run, trained: TrainResult, share: float) -> dict[str, Any]:
    main = next(iter(run.sets.values()))
    return {
        "base": run.base.name,
        "mode": run.config.mode,
        "loss": run.config.train.loss,
        "seed": run.config.train.seed,
        "epochs": len(trained.history),
        "weights": trained.weights_hash,
        "prepared": main.facts.get("hash"),
        "trained share": share,
        "windows": main.facts.get("windows", {}),
        "left out": main.facts.get("counts", {}),
        "splits": run.splits(),
    }


def command(verb: str, *arguments: object, sets: tuple[str, ...] = (), **options: object) -> str:
    """The command line that does what a function was asked for.

    Args:
        arguments: paths and names; a configuration that is no file is ``CONFIG``.
        options: ``name=value``; those without a value are left out.
    """
    words = ["zoo", verb, *("CONFIG" if isinstance(one, FinetuneConfig) else str(one) for one in arguments)]
    words += [word for text in sets for word in ("--set", text)]
    words += [word for name, value in options.items() if value for word in (OPTIONS.get(name, f"--{name}"), str(value))]
    return shlex.join(words)


def _write_verdict(verdict: Verdict, trained: TrainResult, folder: Path) -> None:
    with replacing(folder / "verdict.json") as partial:
        partial.write_text(json.dumps(verdict.as_dict(), indent=1) + "\n", encoding="utf-8")
    with replacing(folder / "verdict.html") as partial:
        partial.write_text(page(verdict, trained.history), encoding="utf-8")


def _record(run: Run, trained: TrainResult, verdict: Verdict, notes: Notes) -> dict[str, Any]:
    return {
        "config": json.loads(run.config.model_dump_json()),
        "base": describe(run.base),
        "prepared": {name: one.facts for name, one in run.sets.items()},
        "weights": trained.weights_hash,
        "best epoch": trained.best_epoch,
        "sentence": verdict.sentence,
        "notes": notes.texts,
    }


# ---------------------------------------------------------------- the entry


def _package(run: Run, model: Adapted, verdict: Verdict, folder: Path, notes: Notes, made_by: str) -> Path | None:
    baked = run.config.cell.bake
    if model.adapter is not None and not baked:
        notes.add(
            "the model reads tracks: no entry of sequence alone is drafted (of cells in `cell.bake` there would be)"
        )
        return None
    if baked:  # its figures are those of the heads without the track
        verdict = run.judge(model, facts=verdict.facts, baked=True)
    plain = {name: model.to_plain(_names(run.sets[name]), name, baked=bool(baked)) for name in run.sets}
    run.base.trunk = next(iter(plain.values())).trunk
    heads = tuple(_head_weights(run, model, name, one) for name, one in plain.items())
    name = run.config.name or _entry_name(run.base.name, folder)

    def predict(x: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.inference_mode():
            return {head.name: activate(_logits(head, plain[head.name], x), head.activation) for head in heads}

    result = Result(
        run.base,
        heads,
        run.sets,
        predict,
        verdict.evaluation_lines(made_by, _only_output(heads)),
        verdict.sentence,
        made_by,
        {"weights_sha256": verdict.facts.get("weights"), "prepared": verdict.facts.get("prepared")},
    )
    try:
        return package(result, run.config, name, folder / "entry")
    except ModelError as error:
        notes.add(f"no entry was drafted: {error.what}; {error.fix}")
        return None


def _head_weights(run: Run, model: Adapted, name: str, plain: Plain) -> HeadWeights:
    told, tracks, cells = run.cells[name], plain.tracks, None
    if run.config.cell.bake:
        baked, assays = run.config.cell.bake, run.sets[name].assays
        numbers = [told.names.index(cell) for cell in baked]
        cells = BakedCells(baked, model.adapter, torch.from_numpy(told.summary[numbers]))
        tracks = tuple(cell if len(assays) == 1 else f"{cell}-{assay}" for cell in baked for assay in assays)
    return HeadWeights(name, tracks, plain.weight, plain.bias, plain.pool, plain.activation, cells)


def _logits(head: HeadWeights, plain: Plain, x: torch.Tensor) -> torch.Tensor:
    """(n, tracks, bins) of the trained model, baked cells one after the other."""
    if head.cells is None:
        return plain.logits(x)
    embedding = plain.trunk(x)
    pooled = torch.nn.functional.avg_pool1d(embedding, head.pool) if head.pool > 1 else embedding
    values = torch.nn.functional.conv1d(pooled, head.weight[:, :, None], head.bias)
    parts = [bake(head.cells.adapter, one)(pooled) for one in head.cells.summaries]
    return torch.cat([values + part for part in parts], dim=1)


def _only_output(heads: tuple[HeadWeights, ...]) -> str | None:
    """The output of the card that all figures are of; None where there are several."""
    return output_name(heads[0]) if len(heads) == 1 else None


def _entry_name(base: str, folder: Path) -> str:
    """Of base and run, in the letters that the name of an entry may have."""
    name = f"{Path(base).name.split(':')[-1]}-{folder.resolve().name}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "model"


def _names(prepared: Prepared) -> tuple[str, ...]:
    return tuple(track.name for track in prepared.tracks)
