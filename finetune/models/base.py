"""A base taken apart: its trunk, which makes embeddings, its own last layer, and where its positions lie.

A base is an entry of ours or a Kipoi folder, a checkpoint of gReLU, or Enformer. The trunk is used as it was trained;
what is put on it is in ``finetune.models.heads``.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from finetune.models.cut import Cut, activate, cut_module
from zoo.errors import ModelError, UsageError
from zoo.extras import needs
from zoo.models.entry import Entry, has_own_loader, open_entry
from zoo.models.grelu import GreluCheckpoint, activation_name, build_module, output_spec, read_checkpoint
from zoo.models.load import load_entry, verify_files
from zoo.models.loaded import LoadedModel
from zoo.store.cache import argument_path

if TYPE_CHECKING:
    from zoo.cards.schema import Card

__all__ = ["Base", "copied", "describe", "from_grelu", "open_base", "places", "shape_of"]

GRELU = "grelu.lightning.LightningModel"
GRELU_FILE = "grelu.ckpt"


@dataclass
class Base:
    """A model that new heads are put on.

    Attributes:
        name: what the user asked for; for ``hf://`` with the commit.
        trunk: (n, 4, length) one-hot, channels A C G T, to (n, channels, positions). It shares its weights with
            ``model``: training changes both, so that a frozen base is opened again or judged before.
        channels, positions: of the embedding of one window.
        length: bp of a window.
        bin_size: bp a position covers. offset: bp from the start of the window to the first position.
        own_bin: bp of a bin of the base's own output; larger than ``bin_size`` where its head pools positions.
        n_value: value of the four channels at an unknown base.
        head: the base's own last layers, embedding to logits (n, tracks, bins); None without.
        activation: from logits to its prediction: a key of ``finetune.models.cut.ACTIVATIONS``.
        tracks: names of its own tracks.
        card: the card of an entry.
        trained_on: chromosomes that the base was trained on, as card or checkpoint says; None where they are silent.
        grelu: its gReLU form, without weights (``full_state`` is empty), by which results export to stock gReLU.
        grelu_keys: name of a tensor in ``trunk.state_dict()`` -> its name in the state of a gReLU checkpoint.
        place: name of the head's layer in the module of an entry (``trunk.module`` is that module without it).
        hashes: file -> sha256 of what was loaded.
        model: the loaded model, whole; None where there is none (Enformer, gReLU checkpoints of another length).
    """

    name: str
    trunk: nn.Module
    channels: int
    positions: int
    length: int
    bin_size: int
    offset: int
    own_bin: int
    n_value: float
    head: nn.Module | None = None
    activation: str = "identity"
    tracks: tuple[str, ...] = ()
    card: Card | None = None
    trained_on: tuple[str, ...] | None = None
    grelu: GreluCheckpoint | None = None
    grelu_keys: dict[str, str] = field(default_factory=dict)
    place: str | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    model: LoadedModel | None = None

    def predict(self, x: Tensor) -> Tensor:
        """The base's own prediction, (n, 4, length) to (n, tracks, bins).

        Raises:
            ModelError: it has no head of its own.
        """
        if self.head is None:
            raise ModelError(f"{self.name}: has no head of its own", "", "Fix: train one with `mode: head`")
        return activate(self.head(self.trunk(x)), self.activation)


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
        raise _without_embeddings(str(name), "its dataloader is its own, and makes more than windows of sequence")
    path = _checkpoint_of(entry)
    if path is not None:
        return _open_grelu(entry, path, length)
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


def _without_embeddings(name: str, why: str) -> ModelError:
    return ModelError(
        f"{name}: base without embeddings",
        why,
        "Fix: take a base whose prediction is a Linear or Conv1d layer's output through exp, softplus, sigmoid, "
        "softmax, relu or nothing",
    )


def trained_on(card: Card | None, checkpoint: GreluCheckpoint | None = None) -> tuple[str, ...] | None:
    """Chromosomes that a model was trained on, as its card or checkpoint says; None where they are silent."""
    splits = card.training.splits if card is not None else None
    if splits is not None and isinstance(splits.train, list):
        return tuple(splits.train)
    named = checkpoint.data_params.get("train", {}) if checkpoint is not None else {}
    chroms = named.get("chroms") if isinstance(named, Mapping) else None
    if isinstance(chroms, list | tuple) and chroms and all(isinstance(one, str) for one in chroms):
        return tuple(chroms)
    return None


# ---------------------------------------------------------------- entries


def _from_entry(entry: Entry, model: LoadedModel) -> Base:
    cut = cut_module(model)
    if cut is None:
        raise _without_embeddings(entry.name, "no linear layer makes its output through a known activation")
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
    raise _without_embeddings(
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


# ---------------------------------------------------------------- checkpoints of gReLU


def _open_grelu(entry: Entry, path: Path, length: int | None) -> Base:
    hashes = verify_files(entry, (path,))
    checkpoint = read_checkpoint(path)
    module = build_module(checkpoint)
    own = checkpoint.length
    spec, _ = output_spec(module, checkpoint)
    slim = replace(checkpoint, full_state={})  # the module has copies of the weights
    base = from_grelu(entry.name, module.model, slim, length or own)
    return replace(
        base,
        tracks=spec.tracks,
        card=entry.card,
        trained_on=trained_on(entry.card, slim),
        hashes=hashes,
    )


def from_grelu(name: str, model: nn.Module, checkpoint: GreluCheckpoint, length: int) -> Base:
    """A base of a model of gReLU: its ``embedding`` and ``head``.

    Args:
        model: of ``grelu.model.models``, in eval mode. length: bp of a window.

    Raises:
        ModelError: no embedding of (channels, positions), or it is not known where its positions lie.
        UsageError: a length that the model does not take.
    """
    trunk, head = getattr(model, "embedding", None), getattr(model, "head", None)
    if not isinstance(trunk, nn.Module) or not isinstance(head, nn.Module):
        raise _without_embeddings(name, f"gReLU's {checkpoint.model_type} has no embedding and head")
    inner = None
    if type(head).__name__ == "MLPHead":  # its layers before the last belong to the trunk
        trunk, head, inner = _before_last(model)
    shape = shape_of(trunk, length, name)
    if len(shape) != 2:
        raise _without_embeddings(name, f"its embedding has the shape {shape}, not (channels, positions)")
    channels, positions = shape
    placed = (length, 0) if positions == 1 else places(checkpoint, length, positions)
    if placed is None:
        raise _without_embeddings(
            name, f"it is not known where its {positions:,} positions lie in {length:,} bp: crop_len or bin_size is off"
        )
    bins = shape_of(nn.Sequential(trunk, head), length, name)[1]
    prefix = "" if inner is None else "0."
    keys = {key: "model." + _grelu_name(key, prefix) for key in trunk.state_dict()}
    return Base(
        name=name,
        trunk=trunk,
        channels=channels,
        positions=positions,
        length=length,
        bin_size=placed[0],
        offset=placed[1],
        own_bin=placed[0] if bins == positions else placed[0] * positions,
        n_value=0.0,
        head=head,
        activation=activation_name(checkpoint),
        grelu=checkpoint,
        grelu_keys=keys,
        place=inner,
    )


class _Hidden(nn.Module):
    """The layers of gReLU's MLPHead but the last: (n, channels, positions) to (n, hidden, 1)."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(list(head.blocks)[:-1])

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1).unsqueeze(1)
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)


class _LastOfMlp(nn.Module):
    """The last layer of gReLU's MLPHead, on (n, hidden, 1)."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.block = head.blocks[-1]

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x.transpose(1, 2)).transpose(1, 2)


def _before_last(model: nn.Module) -> tuple[nn.Module, nn.Module, str]:
    number = len(model.head.blocks) - 1
    trunk = nn.Sequential(model.embedding, _Hidden(model.head)).eval()
    return trunk, _LastOfMlp(model.head).eval(), f"model.head.blocks.{number}.linear"


def _grelu_name(key: str, prefix: str) -> str:
    """Name in gReLU's model of a tensor of the trunk; of one with an MLP, ``1.`` is the head's part."""
    if not prefix:
        return f"embedding.{key}"
    number, _, rest = key.partition(".")
    return f"embedding.{rest}" if number == "0" else f"head.{rest}"


def places(checkpoint: GreluCheckpoint, length: int, positions: int) -> tuple[int, int] | None:
    """bp of a position and bp to the first, by ``crop_len`` of the model; None where they do not fill the window."""
    crop = checkpoint.model_params.get("crop_len")
    if crop is None:
        with needs("grelu", f"the gReLU checkpoint {checkpoint.path}"):
            import grelu.model.models as architectures
        signature = inspect.signature(getattr(architectures, checkpoint.model_type))
        crop = signature.parameters["crop_len"].default if "crop_len" in signature.parameters else 0
    if not isinstance(crop, int):  # "auto" of DilatedConvModel, which does not pool
        return (1, (length - positions) // 2)
    total = positions + 2 * crop
    return (length // total, crop * (length // total)) if length % total == 0 else None


def shape_of(module: nn.Module, length: int, name: str) -> tuple[int, ...]:
    """Shape of the module's output for one window, without the batch, computed without numbers where it can be.

    Raises:
        UsageError: the module does not take this length.
    """
    tensors = {key: tensor for key, tensor in (*module.named_parameters(), *module.named_buffers())}
    try:
        with torch.inference_mode():
            try:
                state = {key: tensor.to("meta") for key, tensor in tensors.items()}
                window = torch.zeros(1, 4, length, device="meta")
                return tuple(torch.func.functional_call(module, state, (window,)).shape[1:])
            except NotImplementedError:  # an operation that needs numbers
                return tuple(module(torch.zeros(1, 4, length)).shape[1:])
    except Exception as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UsageError(
            f"{name}: does not take a window of {length:,} bp", detail, "Fix: leave out the length, or give a multiple"
        ) from error


def copied(base: Base) -> Base:
    """A base with a trunk of its own, so that training leaves the other as it is."""
    return replace(base, trunk=copy.deepcopy(base.trunk))


def describe(base: Base) -> dict[str, Any]:
    """Plain facts for a record: name, hashes, geometry."""
    return {
        "name": base.name,
        "hashes": dict(base.hashes),
        "channels": base.channels,
        "positions": base.positions,
        "length": base.length,
        "bin_size": base.bin_size,
        "offset": base.offset,
        "activation": base.activation,
    }
