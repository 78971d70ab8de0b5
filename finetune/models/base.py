"""A base taken apart: its trunk, which makes embeddings, its own last layer, and where its positions lie.

A base is an entry of ours or a Kipoi folder, a checkpoint of gReLU, or Enformer. The trunk is used as it was trained;
what is put on it is in ``finetune.models.heads``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from finetune.models.cut import Cut, cut_module
from finetune.models.parts import Base, copied, describe, trained_on, without_embeddings
from zoo.errors import UsageError
from zoo.models.entry import Entry, has_own_loader, open_entry
from zoo.models.files import argument_path
from zoo.models.grelu import read_checkpoint
from zoo.models.load import load_entry
from zoo.models.loaded import LoadedModel

__all__ = ["Base", "copied", "describe", "open_base", "trained_on"]

GRELU = "grelu.lightning.LightningModel"
GRELU_FILE = "grelu.ckpt"


def open_base(name: str, *, trust: bool = False, length: int | None = None) -> Base:
    """Load a base and take it apart.

    Args:
        name: an entry's name or folder, a gReLU ``.ckpt``, ``hf://...``; ``enformer`` (weights from the cache of
            Hugging Face, else fetched), ``enformer:PATH`` or ``enformer:random``.
        trust: Python of a folder that is not bundled may run.
        length: bp of a window other than the base's own; for gReLU models and Enformer, whose trunks take any.

    Raises:
        ModelError: unknown, broken, or a base without embeddings. UsageError: a length that it does not take.
        TrustError, FetchError, SystemStateError: as ``zoo.load_model``.
    """
    if str(name).partition(":")[0] == "enformer" and not Path(name).exists():
        from finetune.models.enformer import open_enformer

        return open_enformer(str(name), length)
    entry = open_entry(name, trust=trust)
    if has_own_loader(entry):
        raise without_embeddings(str(name), "its dataloader is its own, and makes more than windows of sequence")
    path = _checkpoint_of(entry)
    if path is not None:
        from finetune.models.grelu import open_grelu

        return open_grelu(entry, path, length)
    base = _from_entry(entry, load_entry(entry))
    if length not in (None, base.length):
        raise UsageError(
            f"{name}: takes windows of {base.length:,} bp, not {length:,}", "", "Fix: leave out the length"
        )
    return base


def _checkpoint_of(entry: Entry) -> Path | None:
    """The gReLU checkpoint that an entry is, or that its ``args.checkpoint`` names."""
    if entry.description is None:
        return entry.path
    if entry.description.defined_as != GRELU:
        return None
    return argument_path(entry.description, "checkpoint")


# ---------------------------------------------------------------- entries


def _from_entry(entry: Entry, model: LoadedModel) -> Base:
    cut = cut_module(model)
    if cut is None:
        raise without_embeddings(entry.name, "no linear layer makes its output through a known activation")
    spec = model.outputs[cut.output]
    channels, positions = cut.embedding
    bin_size, offset, own = _positions_of_entry(model, cut)
    base = Base(
        name=entry.name,
        trunk=cut.trunk,
        channels=channels,
        positions=positions,
        length=model.length,
        bin_size=bin_size,
        offset=offset,
        own_bin=own,
        n_value=model.loader.n_value,
        head=cut.head,
        activation=cut.activation,
        tracks=spec.tracks,
        card=model.card,
        trained_on=trained_on(model.card),
        place=cut.place,
        hashes=dict(model.hashes),
        model=model,
    )
    return _with_grelu_form(base, entry.path)


def _positions_of_entry(model: LoadedModel, cut: Cut) -> tuple[int, int, int]:
    """bp of a position, bp to the first, bp of an own bin. A base of one position has one bin: all it sees."""
    spec, positions = model.outputs[cut.output], cut.embedding[1]
    if spec.kind == "profile" and model.places_bins and positions == spec.n_bins:
        return spec.bin_size, spec.offset, spec.bin_size
    if positions == 1:
        placed = spec.kind == "profile" and model.places_bins
        span, offset = (spec.bin_size * spec.n_bins, spec.offset) if placed else (model.length, 0)
        return span, offset, span
    if spec.kind == "scalar" and model.length % positions == 0:  # pooled after the layer: positions fill the window
        return model.length // positions, 0, model.length
    raise without_embeddings(
        model.name, f"it is not known where its {positions} positions lie: its description names no bin size"
    )


def _with_grelu_form(base: Base, folder: Path) -> Base:
    """With the ``grelu.ckpt`` that lies beside an entry, if it holds the same tensors.

    gReLU is not imported for this (seconds); that both give the same numbers is for the tests of an entry to show.
    """
    path = folder / GRELU_FILE
    if not path.is_file() or base.head is None:
        return base
    checkpoint = read_checkpoint(path)
    trunk = base.trunk.state_dict()
    head = {f"head.{key}": tensor.reshape(-1) for key, tensor in base.head.state_dict().items()}
    theirs = {key: one.reshape(-1) if ".head." in key else one for key, one in checkpoint.state.items()}
    keys = _same_tensors(trunk | head, theirs)
    if keys is None or len(keys) != len(theirs):
        return base
    trunk_keys = {key: keys[key] for key in trunk}
    return replace(base, grelu=replace(checkpoint, full_state={}), grelu_keys=trunk_keys)


def _same_tensors(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> dict[str, str] | None:
    """Our name -> their name of each tensor, told by kind (weight, bias, ...), values and order."""
    left = dict(theirs)
    found = {}
    for name, tensor in ours.items():
        kind = name.rpartition(".")[2]
        match = next((key for key, one in left.items() if key.endswith(f".{kind}") and torch.equal(one, tensor)), None)
        if match is None:
            return None
        found[name] = match
        del left[match]
    return found
