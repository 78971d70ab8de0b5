"""A module cut before the last linear layer of its output: what comes before is the trunk, the layer is the head.

No name is guessed. Layers are tried from the last that ran: random numbers are put in place of the layer's output, and
only if the module then gives those numbers, through a known activation and a known order of axes, does everything else
of the module lie before the layer. So a connection that goes around it, a norm or a scale behind it, are found out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.genome.encode import random_windows
from zoo.models.loaded import LoadedModel, device_of, full_float32
from zoo.models.sequence_loader import SequenceLoader

__all__ = [
    "ACTIVATIONS",
    "Cut",
    "CutTrunk",
    "LastLayer",
    "activate",
    "cut_module",
    "shares_weights",
    "to_logit",
]

#: Name -> what turns logits (n, tracks, bins) to predictions. Softmax is over tracks.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "exp": torch.exp,
    "softplus": nn.functional.softplus,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: torch.softmax(x, dim=1),
    "relu": torch.relu,
}
WINDOWS = 2
TOLERANCE = 1e-6


def activate(logits: Tensor, name: str) -> Tensor:
    """Logits (n, tracks, bins) to predictions, by a key of ``ACTIVATIONS``."""
    return ACTIVATIONS[name](logits)


def to_logit(value: Tensor, activation: str, floor: float) -> Tensor:
    """What an activation turns into the value.

    Args:
        floor: values at or beyond the ends of what the activation gives are brought this near to them.

    Raises:
        ModelError: an activation that has no inverse.
    """
    if activation == "identity":
        return value
    if activation in ("exp", "softmax"):
        return value.clamp(min=floor).log()
    if activation == "sigmoid":
        return torch.logit(value.clamp(floor, 1 - floor))
    if activation == "softplus":
        value = value.clamp(min=floor)
        return value + torch.log(-torch.expm1(-value))
    raise ModelError(f"the activation {activation!r} has no inverse", "", "Fix: another `train.loss`")


@dataclass(frozen=True)
class Cut:
    """A module in two.

    Attributes:
        trunk: (n, 4, L) to (n, channels, positions).
        head: (n, channels, positions) to logits (n, tracks, bins).
        activation: key of ``ACTIVATIONS``.
        place: the layer's name in the module.
        output: number of the model's output that it makes.
        embedding: (channels, positions).
    """

    trunk: CutTrunk
    head: LastLayer
    activation: str
    place: str
    output: int
    embedding: tuple[int, int]


class _Reached(Exception):
    """The input of the layer that was cut off; it ends a forward pass and is no error."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value


class _Stop(nn.Module):
    """In the layer's place: the forward pass ends here, and what lies behind is not computed."""

    def forward(self, x: Tensor) -> Tensor:
        raise _Reached(x)


class CutTrunk(nn.Module):
    """All of a module before one layer; ``module`` keeps the names of its weights, without that layer's.

    Args:
        module: with ``_Stop`` in the layer's place.
        loader: lays (n, 4, L) out as the module takes it.
        channels_last: whether the layer's features are on the last axis (Linear) or on axis 1 (Conv).
    """

    def __init__(self, module: nn.Module, loader: SequenceLoader, channels_last: bool) -> None:
        super().__init__()
        self.module = module
        self.loader = loader
        self.channels_last = channels_last

    def forward(self, x: Tensor) -> Tensor:
        """(n, 4, L) one-hot to (n, channels, positions)."""
        value = None
        try:
            self.module(_arranged(self.loader, x))
        except _Reached as reached:
            value = reached.value
        if value is None:
            raise RuntimeError("the layer that was cut off did not run")
        if self.channels_last:
            return value.flatten(1, -2).transpose(1, 2) if value.ndim > 2 else value.unsqueeze(2)
        return value.flatten(2)


class LastLayer(nn.Module):
    """The layer that was cut off, on embeddings.

    Args:
        layer: Linear, Conv1d or Conv2d.
        middle: sizes of the layer's input between batch and channels (after channels for Conv).
        order: how its output becomes (n, tracks, bins): a key of ``_ORDERS``.
        shape: (tracks, bins).
    """

    def __init__(self, layer: nn.Module, middle: tuple[int, ...], order: str, shape: tuple[int, int]) -> None:
        super().__init__()
        self.layer = layer
        largest = max(middle, default=1)
        free = middle.index(largest) if middle else -1
        self.middle = tuple(-1 if i == free else size for i, size in enumerate(middle))
        self.order, self.shape = order, shape

    def forward(self, embedding: Tensor) -> Tensor:
        """(n, channels, positions) to logits (n, tracks, bins)."""
        n, channels, _ = embedding.shape
        if _is_channels_last(self.layer):
            sizes = (n, *self.middle, channels) if self.middle else (n, channels)
            x = embedding.transpose(1, 2).reshape(sizes)
        else:
            x = embedding.reshape(n, channels, *self.middle)
        return _ORDERS[self.order](self.layer(x), _is_channels_last(self.layer), self.shape)


def _by_position(z: Tensor, channels_last: bool, shape: tuple[int, int]) -> Tensor:
    if channels_last:
        return z.flatten(1, -2).transpose(1, 2) if z.ndim > 2 else z.unsqueeze(2)
    return z.flatten(2)


#: Ways from a layer's output to (n, tracks, bins): a value a position; their mean over positions; or one layer for
#: all bins, tracks or bins outermost.
_ORDERS: dict[str, Callable[[Tensor, bool, tuple[int, int]], Tensor]] = {
    "position": _by_position,
    "mean": lambda z, last, shape: _by_position(z, last, shape).mean(2, keepdim=True),
    "tracks": lambda z, last, shape: z.reshape(len(z), *shape),
    "bins": lambda z, last, shape: z.reshape(len(z), *reversed(shape)).transpose(1, 2),
}


def cut_module(model: LoadedModel) -> Cut | None:
    """Find the last linear layer of one of the outputs and cut before it.

    The trunk shares its weights with the model, whose own module stays whole.

    Returns:
        None where no layer passes the test.
    """
    module = model.module.eval()
    x = torch.from_numpy(random_windows(WINDOWS, model.length)).to(device_of(module))
    with torch.no_grad(), full_float32():
        for place, layer, given in reversed(_layers_that_ran(module, _arranged(model.loader, x))):
            found = _what_follows(model, layer, x)
            if found is None:
                continue
            number, order, activation, shape = found
            cut = _cut_at(model, place, layer, given, order, shape, activation, number)
            if cut is not None and _is_same(model, cut, x):
                return cut
    return None


def _arranged(loader: SequenceLoader, x: Tensor) -> Tensor:
    arranged = loader.arrange(x)
    return arranged if loader.dtype == "float32" else arranged.to(getattr(torch, loader.dtype))


def _is_channels_last(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear)


def _layers_that_ran(module: nn.Module, x: Any) -> list[tuple[str, nn.Module, tuple[int, ...]]]:
    """Linear layers in the order in which they ran, with the shape of the input; those that ran once."""
    calls: list[tuple[str, nn.Module, tuple[int, ...]]] = []
    handles = []
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d) and name:

            def note(part: nn.Module, given: tuple[Any, ...], result: Tensor, name: str = name) -> None:
                calls.append((name, part, tuple(given[0].shape) if given else ()))

            handles.append(part.register_forward_hook(note))
    try:
        module(x)
    finally:
        for handle in handles:
            handle.remove()
    names = [name for name, _, _ in calls]
    return [call for call in calls if names.count(call[0]) == 1 and len(call[2]) > 1]


def _what_follows(model: LoadedModel, layer: nn.Module, x: Tensor) -> tuple[int, str, str, tuple[int, int]] | None:
    """Number of the output, order and activation by which the layer's output becomes the model's; None if it is not."""
    put: list[Tensor] = []

    def replace(part: nn.Module, given: tuple[Any, ...], result: Tensor) -> Tensor:
        noise = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
        put.append((noise * 1.5).to(result))
        return put[-1]

    handle = layer.register_forward_hook(replace)
    try:
        named = model.named(model.module(_arranged(model.loader, x)))
    finally:
        handle.remove()
    for number, part in enumerate(named.values()):
        wanted = part if part.ndim == 3 else part.unsqueeze(2)
        shape = (int(wanted.shape[1]), int(wanted.shape[2]))
        for order, arrange in _ORDERS.items():
            if order in ("tracks", "bins") and put[0][0].numel() != shape[0] * shape[1]:
                continue
            logits = arrange(put[0], _is_channels_last(layer), shape)
            if logits.shape != wanted.shape:
                continue
            for name in ACTIVATIONS:
                if _close(activate(logits, name), wanted):
                    return number, order, name, shape
    return None


def _close(a: Tensor, b: Tensor) -> bool:
    """Equal within 1e-6 of the scale of what is wanted."""
    return a.shape == b.shape and bool((a - b).abs().max() <= TOLERANCE * b.abs().max().clamp(min=1e-30))


def _cut_at(
    model: LoadedModel,
    place: str,
    layer: nn.Module,
    given: tuple[int, ...],
    order: str,
    shape: tuple[int, int],
    activation: str,
    number: int,
) -> Cut | None:
    last = _is_channels_last(layer)
    middle = given[1:-1] if last else given[2:]
    channels, positions = (given[-1] if last else given[1]), int(torch.Size(middle).numel())
    if not last and order in ("position", "mean") and not _keeps_positions(layer):
        return None
    module = shares_weights(model.module)
    parent, _, name = place.rpartition(".")
    setattr(module.get_submodule(parent), name, _Stop())
    head = LastLayer(shares_weights(layer), middle, order, shape)
    return Cut(CutTrunk(module, model.loader, last), head, activation, place, number, (channels, positions))


def _keeps_positions(layer: nn.Module) -> bool:
    """Whether a convolution gives one position for each that it takes."""
    if any(step != 1 for step in layer.stride):
        return False
    if layer.padding == "same" or all(size == 1 for size in layer.kernel_size):
        return layer.padding == "same" or not any(layer.padding)
    sizes = zip(layer.kernel_size, layer.dilation, layer.padding, strict=False)
    return layer.padding != "valid" and all(d * (k - 1) == 2 * p for k, d, p in sizes)


def shares_weights(module: nn.Module) -> nn.Module:
    """A copy of the module's structure on the same parameters and buffers."""
    tensors = (*module.parameters(), *module.buffers())
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})


def _is_same(model: LoadedModel, cut: Cut, x: Tensor) -> bool:
    """Whether trunk, head and activation give what the model gives."""
    wanted = list(model.named(model.module(_arranged(model.loader, x))).values())[cut.output]
    found = activate(cut.head(cut.trunk(x)), cut.activation)
    return _close(found, wanted if wanted.ndim == 3 else wanted.unsqueeze(2))
