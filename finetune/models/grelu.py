"""A checkpoint of gReLU as a base: its ``embedding`` is the trunk, its ``head`` the base's own head."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from finetune.models.cut import shares_weights
from finetune.models.parts import Base, trained_on, without_embeddings
from zoo.errors import UsageError
from zoo.extras import needs
from zoo.models.entry import Entry
from zoo.models.grelu import GreluCheckpoint, activation_name, build_module, output_spec, read_checkpoint
from zoo.models.load import verify_files
from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader
from zoo.words import counted

__all__ = ["from_grelu", "open_grelu", "places", "shape_of"]


def open_grelu(entry: Entry, path: Path, length: int | None = None) -> Base:
    """The base of a checkpoint.

    Args:
        entry: that it is, or that names it. path: of the file. length: bp of a window other than its own.

    Raises:
        ModelError, UsageError: as ``from_grelu``. SystemStateError: gReLU is not installed.
    """
    hashes = verify_files(entry, (path,))
    checkpoint = read_checkpoint(path)
    module = build_module(checkpoint)
    own = checkpoint.length
    spec, _ = output_spec(module, checkpoint)
    slim = replace(checkpoint, full_state={})  # the module has copies of the weights
    whole = None
    if length in (None, own):
        loader = SequenceLoader(own, centring="grelu")
        whole = LoadedModel(entry.name, module, loader, (spec,), entry.card, entry.path, hashes=hashes)
    return replace(
        from_grelu(entry.name, module.model, slim, length or own),
        tracks=spec.tracks,
        card=entry.card,
        trained_on=trained_on(entry.card, slim),
        hashes=hashes,
        model=whole,
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
        raise without_embeddings(name, f"gReLU's {checkpoint.model_type} has no embedding and head")
    inner = None
    if type(head).__name__ == "MLPHead":  # its layers before the last belong to the trunk
        trunk, head, inner = _before_last(model)
    trunk = shares_weights(trunk)
    if type(trunk).__name__ == "EnformerTrunk":
        from finetune.models.enformer import in_pieces

        trunk = in_pieces(trunk)
    shape = shape_of(trunk, length, name)
    if len(shape) != 2:
        raise without_embeddings(name, f"its embedding has the shape {shape}, not (channels, positions)")
    channels, positions = shape
    placed = (length, 0) if positions == 1 else places(checkpoint, length, positions)
    if placed is None:
        raise without_embeddings(
            name,
            f"it is not known where its {counted(positions, 'position')} lie in {length:,} bp: crop_len or "
            "bin_size is off",
        )
    bins = shape_of(nn.Sequential(trunk, head), length, name)[1]
    if positions > 1 and "final_pool_func" in _arguments(checkpoint):
        # a new head gives a value a position; gReLU's default is to average them
        checkpoint = replace(checkpoint, model_params=checkpoint.model_params | {"final_pool_func": None})
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


def _arguments(checkpoint: GreluCheckpoint) -> dict[str, Any]:
    """Arguments of the checkpoint's class of gReLU, with their defaults."""
    with needs("grelu", f"the gReLU checkpoint {checkpoint.path}"):
        import grelu.model.models as architectures
    signature = inspect.signature(getattr(architectures, checkpoint.model_type))
    return {name: parameter.default for name, parameter in signature.parameters.items()}


def places(checkpoint: GreluCheckpoint, length: int, positions: int) -> tuple[int, int] | None:
    """bp of a position and bp to the first, by ``crop_len`` of the model; None where they do not fill the window."""
    crop = checkpoint.model_params.get("crop_len", _arguments(checkpoint).get("crop_len", 0))
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
