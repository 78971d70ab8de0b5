"""The result of a run as a draft of an entry: weights, YAML for Kipoi, and a card with the verdict as it is.

An entry is made in the plainest form that gives the same numbers:

1. the base's own Python module with other weights, where it has as many tracks as the run;
2. a gReLU model, where the base is one, which stock gReLU loads too;
3. the base in a folder of the entry, cut before its last layer, with the new heads (``entry_module``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from finetune.config import FinetuneConfig
from finetune.data.prepare import Prepared, genome_of
from finetune.models.adapt import head_loss
from zoo.entries.example import cut_example, random_example
from zoo.entries.writer import EntryFiles, write_entry
from zoo.errors import MismatchError, ModelError
from zoo.words import counted

if TYPE_CHECKING:
    from finetune.models.atac import CellAdapter
    from finetune.models.base import Base

__all__ = ["BakedCells", "HeadWeights", "Result", "output_name", "package"]

#: Largest difference, of the largest value, between the entry's predictions and the trained model's.
TOLERANCE = 1e-4
ENTRY_MODULE = Path(__file__).with_name("entry_module.py")
SIDES = ("train", "validation", "test")


@dataclass(frozen=True)
class BakedCells:
    """Cells whose heads need no track any more.

    Attributes:
        names: of the cells. adapter: of the run. summaries: (cells, k) of their whole tracks.
    """

    names: tuple[str, ...]
    adapter: CellAdapter
    summaries: torch.Tensor


@dataclass(frozen=True)
class HeadWeights:
    """One head as plain numbers.

    Attributes:
        name: of the head. tracks: names, in order. weight: (tracks, channels). bias: (tracks,).
        pool: positions of the embedding to a bin. activation: from logits to predictions.
        cells: that were baked; tracks are then one cell's after the other's.
    """

    name: str
    tracks: tuple[str, ...]
    weight: torch.Tensor
    bias: torch.Tensor
    pool: int
    activation: str
    cells: BakedCells | None = None


@dataclass(frozen=True)
class Result:
    """What is packaged.

    Attributes:
        base: taken apart; its trunk holds the trained weights, low-rank updates merged.
        heads: of the run. sets: what they were trained on.
        predict: (n, 4, L) one-hot to head -> (n, tracks, bins) predictions of the trained model.
        evaluation: lines of the card. sentence: of the verdict, in words.
        command: how the run was made. facts: further lines of the card's ``finetune`` record.
    """

    base: Base
    heads: tuple[HeadWeights, ...]
    sets: Mapping[str, Prepared]
    predict: Callable[[torch.Tensor], Mapping[str, torch.Tensor]]
    evaluation: Sequence[dict[str, Any]]
    sentence: str
    command: str
    facts: Mapping[str, Any]


def package(result: Result, config: FinetuneConfig, name: str, out: Path) -> Path:
    """Write ``out/name`` and compare it with the trained model.

    Returns:
        The entry's folder, which ``zoo predict`` and ``zoo test`` take.

    Raises:
        MismatchError: the entry does not give the numbers of the trained model.
        ModelError: the base has no form that an entry can take.
    """
    entry = _entry(result, config, name)
    folder = write_entry(entry, out)
    _compare(result, folder)
    return folder


def _entry(result: Result, config: FinetuneConfig, name: str) -> EntryFiles:
    base = result.base
    example = _example(result, config)
    text: dict[str, Any] = {
        "name": name,
        "length": base.length,
        "targets": _targets(result),
        "info": _info(result, config),
        "card": _card(result, config),
        "prose": _prose(result, config, example.origin),
        "fasta": example.fasta,
        "bed": example.bed,
    }
    for form in (_own_module, _grelu_module):
        if (made := form(result, config)) is not None:
            return EntryFiles(**text, **made)
    return EntryFiles(**text, **_cut_module(result))


# ---------------------------------------------------------------- three forms


def _own_module(result: Result, config: FinetuneConfig) -> dict[str, Any] | None:
    """The base's own module, where the new head fits into the place of its own."""
    base = result.base
    if (
        len(result.heads) != 1
        or result.heads[0].cells is not None
        or base.model is None
        or base.place is None
        or base.model.folder is None
    ):
        return None
    description = base.model.folder / "model.yaml"
    head = result.heads[0]
    if not description.is_file() or head.pool != 1 or head.activation != base.activation:
        return None
    from zoo.cards.kipoi import read_model

    args = read_model(base.model.folder).args
    layer = base.model.module.get_submodule(base.place)
    if "module_class" not in args or "module_file" not in args or layer.weight.shape[0] != len(head.tracks):
        return None
    if layer.weight[:, :, ...].numel() != head.weight.numel() or len(base.tracks) != len(head.tracks):
        return None
    state = dict(base.trunk.module.state_dict())
    state[f"{base.place}.weight"] = head.weight.reshape(layer.weight.shape)
    if layer.bias is not None:
        state[f"{base.place}.bias"] = head.bias
    elif bool(head.bias.abs().max() > 0):
        return None
    order = list(base.model.module.state_dict())
    return {
        "module_source": base.model.folder / args["module_file"],
        "module_class": args["module_class"],
        "module_kwargs": dict(args.get("module_kwargs") or {}),
        "state": {key: state[key].detach().cpu().contiguous().clone() for key in order},
        "extra": _checkpoint_file(result, config),
    }


def _grelu_module(result: Result, config: FinetuneConfig) -> dict[str, Any] | None:
    """A gReLU model of the same architecture with another number of tasks."""
    found = _grelu_checkpoint(result, config)
    if found is None:
        return None
    from zoo.entries import grelu_entry_module as module

    params = {key: list(value) if isinstance(value, tuple) else value for key, value in found.model_params.items()}
    return {
        "module_source": Path(module.__file__),
        "module_class": "GreluEntry",
        "module_kwargs": {
            "model_type": found.model_type,
            "model_params": params,
            "activation": result.heads[0].activation,
            "scalar": result.base.positions == 1,
        },
        "state": found.state,
        "pip": ("grelu>=1.1",),
        "extra": _checkpoint_file(result, config),
    }


def _checkpoint_file(result: Result, config: FinetuneConfig) -> dict[str, bytes]:
    from zoo.entries.grelu import slim_bytes

    found = _grelu_checkpoint(result, config)
    return {} if found is None else {"grelu.ckpt": slim_bytes(found)}


#: What gReLU calls the losses that it has: task and loss.
GRELU_LOSSES = {
    "poisson": ("regression", "poisson"),
    "poisson_multinomial": ("regression", "poisson_multinomial"),
    "mse": ("regression", "mse"),
    "weighted_mse": ("regression", "mse"),
    "bce": ("binary", "bce"),
    "ce": ("multiclass", "ce"),
}


def _grelu_checkpoint(result: Result, config: FinetuneConfig) -> Any:
    """The gReLU form of the result, or None where gReLU cannot hold it."""
    base = result.base
    if base.grelu is None or not base.grelu_keys or len(result.heads) != 1:
        return None
    head = result.heads[0]
    loss = GRELU_LOSSES.get(head_loss(config, head.name))
    keys = _head_keys(base)
    # gReLU's head is no layer at all where it has as many tasks as channels.
    if loss is None or head.pool != 1 or keys is None or head.cells or len(head.tracks) == base.channels:
        return None
    state = {theirs: base.trunk.state_dict()[ours] for ours, theirs in base.grelu_keys.items()}
    weight, bias = keys
    state[weight] = head.weight[:, :, None]
    state[bias] = head.bias
    prepared = result.sets[head.name]
    data = {
        "tasks": {"name": list(head.tracks)},
        "train": {
            "seq_len": base.length,
            "label_len": prepared.geometry.span,
            "bin_size": prepared.geometry.bin_size,
            "chroms": _chroms(prepared, "train"),
            **({"genome": base.card.genome.assembly} if base.card and base.card.genome else {}),
        },
    }
    return replace(
        base.grelu,
        model_params=dict(base.grelu.model_params) | {"n_tasks": len(head.tracks)},
        task=loss[0],
        loss=loss[1],
        train_params={"task": loss[0], "loss": loss[1], "lr": config.train.lr, "seed": config.train.seed},
        data_params=data,
        performance={},
        full_state={key: value.detach().cpu().contiguous().clone() for key, value in state.items()},
    )


def _head_keys(base: Base) -> tuple[str, str] | None:
    """Names of weight and bias of gReLU's ConvHead without a norm; None for other heads."""
    if base.grelu.model_params.get("final_norm") or base.grelu.model_params.get("final_act_func"):
        return None
    found = [
        key
        for key in _state_names(base)
        if key.startswith("model.head.") and key.rpartition(".")[2] in ("weight", "bias")
    ]
    if len(found) != 2:
        return None
    weight, bias = sorted(found, key=lambda key: key.endswith("bias"))
    return weight, bias


def _state_names(base: Base) -> list[str]:
    """Names in the state of gReLU's model, which is built without memory for its weights."""
    from zoo.models.grelu import architecture

    with torch.device("meta"):
        return [f"model.{key}" for key in architecture(base.grelu).state_dict()]


def _cut_module(result: Result) -> dict[str, Any]:
    """The base beside the new heads."""
    base = result.base
    state = {f"trunk.{key}": value for key, value in base.trunk.state_dict().items()}
    for head in result.heads:
        state[f"heads.{head.name}.weight"] = head.weight[:, :, None]
        state[f"heads.{head.name}.bias"] = head.bias
    path, files = _base_files(base)
    cells = {}
    if (baked := result.heads[0].cells) is not None:
        state |= {f"adapter.{key}": value for key, value in baked.adapter.state_dict().items()}
        state["summaries"] = baked.summaries
        cells = {"cells": {"number": len(baked.names), "adapter": baked.adapter.arguments()}}
    return {
        "module_source": ENTRY_MODULE,
        "module_class": "FinetunedEntry",
        "module_kwargs": {
            "base": path,
            "length": base.length,
            "heads": {
                head.name: {"tracks": len(head.weight), "pool": head.pool, "activation": head.activation}
                for head in result.heads
            },
            "scalar": base.positions == 1,
        }
        | cells,
        "state": {key: value.detach().cpu().contiguous().clone() for key, value in state.items()},
        "pip": ("seqzoo[finetune]",),
        "extra": files,
    }


def _base_files(base: Base) -> tuple[str, dict[str, bytes]]:
    """What opens the base in the entry's folder, and the files that it takes there.

    Raises:
        ModelError: a base that lies in no folder.
    """
    if base.model is None or base.model.folder is None:
        if base.name.partition(":")[0] == "enformer":
            return "enformer:random", {}  # the weights are the entry's
        raise ModelError(
            f"{base.name}: has no folder that an entry could hold",
            "its head does not fit into gReLU's either",
            "Fix: one `bin` for all targets, the base's own; or `zoo add` the base and name that folder in `base`",
        )
    folder = base.model.folder
    if folder.is_file():
        return f"base/{folder.name}", {f"base/{folder.name}": folder.read_bytes()}
    kept = [path for path in sorted(folder.rglob("*")) if path.is_file() and _belongs(path.relative_to(folder))]
    return "base", {f"base/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in kept}


def _belongs(path: Path) -> bool:
    return (
        "__pycache__" not in path.parts and path.parts[0] != "example" and not path.name.endswith((".pyc", ".partial"))
    )


# ---------------------------------------------------------------- what the card says


def _chroms(prepared: Prepared, side: str) -> list[str]:
    return list(dict.fromkeys(map(str, prepared.windows.chrom[prepared.rows(side)])))


def output_name(head: HeadWeights) -> str:
    """What the head's output is called in an entry."""
    return "preds" if head.name == "main" else head.name


def _targets(result: Result) -> Any:
    targets = []
    for head in result.heads:
        bins = result.sets[head.name].geometry.n_bins
        shape = f"({len(head.tracks)},)" if result.base.positions == 1 else f"({len(head.tracks)}, {bins})"
        targets.append({"name": output_name(head), "shape": shape, "doc": "one row a track, see the card"})
    return targets if len(targets) > 1 else targets[0]


def _info(result: Result, config: FinetuneConfig) -> dict[str, Any]:
    card = config.card
    return {
        "authors": [{"name": author} for author in card.authors],
        "license": card.license or "unknown",
        "doc": _summary(result, config),
        "tags": list(card.tags),
    }


def _summary(result: Result, config: FinetuneConfig) -> str:
    if config.card.summary:
        return config.card.summary
    names = [track for head in result.heads for track in head.tracks]
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{counted(len(names), 'track')} ({shown}) from sequence: {result.base.name} fine-tuned."


def _card(result: Result, config: FinetuneConfig) -> dict[str, Any]:
    base = result.base
    card: dict[str, Any] = {"version": "0.1.0", "summary": _summary(result, config)}
    if base.card is not None and base.card.genome is not None:
        card["genome"] = base.card.genome.model_dump()
    card["outputs"] = [_output(head, result, config) for head in result.heads]
    main = result.sets[result.heads[0].name]
    data = [one.model_dump(exclude_none=True) for one in config.card.data]
    version = f"@{base.card.version}" if base.card is not None else ""
    card["training"] = {
        "data": data or [{"name": track.name, "licence": "TODO"} for track in main.tracks],
        "splits": {side: _chroms(main, side) for side in SIDES},
        "base_model": f"{Path(base.name).name}{version}",
        "code": result.command,
        "seed": config.train.seed,
    }
    card["evaluation"] = list(result.evaluation)
    card["interpretation"] = {
        "output": "logits",
        "method": "deepliftshap",
        "reference": "dinucleotide shuffles",
    }
    card["finetune"] = {
        "mode": config.mode,
        "base_sha256": dict(base.hashes),
        "loss": config.train.loss,
        "epochs": config.train.epochs,
        "verdict": result.sentence,
    } | dict(result.facts)
    return card


def _output(head: HeadWeights, result: Result, config: FinetuneConfig) -> dict[str, Any]:
    prepared = result.sets[head.name]
    output: dict[str, Any] = {
        "name": output_name(head),
        "kind": "scalar" if result.base.positions == 1 else "profile",
        "tracks": list(head.tracks),
    }
    if output["kind"] == "profile":
        output |= {"bin_size": prepared.geometry.bin_size, "offset": prepared.geometry.offset}
    if config.card.units:
        output["units"] = config.card.units
    output["transform"] = ", ".join(dict.fromkeys("+".join(track.transform) for track in prepared.tracks))
    pairs = [
        [track.name, prepared.tracks[track.partner].name]
        for i, track in enumerate(prepared.tracks)
        if track.partner is not None and i < track.partner
    ]
    return output | ({"strand": pairs} if pairs else {})


def _prose(result: Result, config: FinetuneConfig, origin: str) -> str:
    card = config.card
    main = result.sets[result.heads[0].name]
    counts = ", ".join(f"{len(main.rows(side)):,} {side}" for side in SIDES)
    left = ", ".join(f"{n:,} {what}" for what, n in main.facts.get("counts", {}).items() if n)
    parts = [
        "## What it predicts",
        card.doc or "TODO: say in words what a value means, and its units.",
        "## Use it for",
        "\n".join(f"- {line}" for line in card.use) or "TODO: tasks for which the model was shown to work.",
        "## Do not use it for",
        "\n".join(f"- {line}" for line in card.avoid) or "TODO: its known limits.",
        "## Training",
        f"`{result.base.name}` was adapted (`mode: {config.mode}`, loss `{config.train.loss}`, "
        f"{counted(config.train.epochs, 'epoch')}, seed {config.train.seed}) on {counts} windows"
        + (f" ({left})" if left else "")
        + f". Made by:\n\n```\n{result.command}\n```",
        "## Evaluation",
        f"{result.sentence} The lines above give each metric beside the best of the baselines on the same windows; "
        "intervals are 95% of a bootstrap over blocks of the genome.",
        "## Files and licences",
        f"Drafted by `zoo finetune`. Example: {origin}."
        + ("" if card.license else " TODO: authors and licence of the weights (`info` of model.yaml)."),
    ]
    return "\n\n".join(parts)


def _example(result: Result, config: FinetuneConfig) -> Any:
    """Windows of the test side; random sequence where no window was laid there."""
    import tempfile

    prepared = result.sets[result.heads[0].name]
    rows = prepared.rows("test")
    if prepared.letters is None or not len(rows):
        return random_example(result.base.length)
    genome = genome_of(config, result.base, prepared.head)
    rows = rows[np.linspace(0, len(rows) - 1, min(6, len(rows))).astype(int)]
    with tempfile.TemporaryDirectory() as folder:
        bed = Path(folder) / "regions.bed"
        # Whole windows, so that Kipoi's loader, which tells of windows and not of regions, tells the same places.
        lines = [
            f"{chrom}\t{start}\t{start + prepared.geometry.length}\n"
            for chrom, start in zip(prepared.windows.chrom[rows], prepared.windows.start[rows], strict=True)
        ]
        bed.write_text("".join(lines))
        return replace(cut_example(genome, bed, result.base.length), origin=f"test windows of {genome.name}")


def _compare(result: Result, folder: Path) -> None:
    import zoo

    model = zoo.load_model(folder, trust=True)
    letters = torch.randint(4, (4, result.base.length), generator=torch.Generator().manual_seed(0))
    x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    found = model.predict(x.numpy())
    named = found if isinstance(found, dict) else {output_name(result.heads[0]): found}
    for head in result.heads:
        wanted = result.predict(x)[head.name].detach().cpu().numpy()
        got = named[output_name(head)].reshape(wanted.shape)
        worst = float(np.abs(got - wanted).max() / max(float(np.abs(wanted).max()), 1e-12))
        if worst > TOLERANCE:
            raise MismatchError(
                f"{folder}: the entry predicts other numbers than the trained model",
                f"head {head.name}: {worst:.1e} of the largest value, on {len(x)} random windows",
                "Fix: this is a fault of `zoo finetune`; the checkpoints of the run are good",
            )
