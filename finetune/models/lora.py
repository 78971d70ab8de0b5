"""Low-rank updates of linear layers and convolutions (LoRA, Hu et al. 2022, arXiv:2106.09685).

A layer W becomes W + alpha / rank * U D, of which only U (zeros at the start) and D train. For a convolution D is a
convolution with ``rank`` filters a group, of the layer's own kernel, stride, padding and dilation, and U mixes them at
each position, so that U D is a kernel of the layer's shape: it can be merged into W without a trace.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from finetune.models.freeze import freeze
from zoo.errors import UsageError
from zoo.words import counted, near_names

__all__ = ["LoraLayer", "add_lora", "default_names", "merge_lora", "trainable_share"]

#: What is updated in a trunk with attention: queries and values, as in the paper.
ATTENTION = ("to_q", "to_v")


class LoraLayer(nn.Module):
    """A frozen layer and its update.

    ``weight`` is the merged one, so that code which reads it instead of calling the layer sees the update.

    Args:
        base: Linear or Conv1d. rank: at most; smaller where a group has fewer channels.
        alpha: the update is scaled by alpha / rank.
        generator: of the start values of ``down``, uniform as torch's own of a layer.
    """

    def __init__(self, base: nn.Linear | nn.Conv1d, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        freeze(base)
        self.base = base
        self.scale = alpha / rank
        groups = base.groups if isinstance(base, nn.Conv1d) else 1
        outputs, *inner = base.weight.shape
        self.groups, self.rank = groups, min(rank, outputs // groups, math.prod(inner))
        bound = 1 / math.sqrt(math.prod(inner))
        start = torch.rand((groups * self.rank, *inner), generator=generator) * 2 * bound - bound
        self.down = nn.Parameter(start.to(base.weight))
        self.up = nn.Parameter(base.weight.new_zeros(outputs, self.rank))

    @property
    def weight(self) -> Tensor:
        """The layer's weight with its update."""
        return self.base.weight + self.update().to(self.base.weight)

    @property
    def bias(self) -> Tensor | None:
        return self.base.bias

    def update(self, dtype: torch.dtype | None = None) -> Tensor:
        """alpha / rank * U D in the shape of the layer's weight."""
        dtype = dtype or self.up.dtype
        up = self.up.to(dtype).reshape(self.groups, -1, self.rank)
        down = self.down.to(dtype).reshape(self.groups, self.rank, -1)
        return (up @ down).reshape(self.base.weight.shape) * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """As the layer's own."""
        if isinstance(self.base, nn.Linear):
            low = nn.functional.linear(x, self.down)
            return self.base(x) + nn.functional.linear(low, self.up * self.scale)
        # torch's own path, which knows every kind of padding; it takes the number of filters from the weight
        low = self.base._conv_forward(x, self.down, None)
        mix = (self.up * self.scale).unsqueeze(2)
        return self.base(x) + nn.functional.conv1d(low, mix, groups=self.groups)


def default_names(trunk: nn.Module) -> tuple[str, ...]:
    """Queries and values where the trunk has layers of these names (Enformer, Borzoi); else every layer."""
    names = {name.rpartition(".")[2] for name, _ in _layers(trunk)}
    return ATTENTION if set(ATTENTION) <= names else ("*",)


def add_lora(
    module: nn.Module, rank: int = 8, alpha: float | None = None, names: Sequence[str] = (), seed: int = 0
) -> list[str]:
    """Freeze a module and give its layers low-rank updates, in place. Its output is the same to the bit.

    Args:
        alpha: default ``rank``: the update is not scaled.
        names: ends of names of Linear and Conv1d layers (``to_q``, ``blocks.4.conv``), or globs (``*.conv``, ``*``);
            default ``default_names``.

    Returns:
        Names of the changed layers.

    Raises:
        UsageError: a name that matches no layer, with near ones; a module that has updates already.
    """
    if any(isinstance(part, LoraLayer) for part in module.modules()):
        raise UsageError("the trunk has low-rank updates already", "", "Fix: merge_lora(trunk) first")
    layers = dict(_layers(module))
    chosen = _chosen(list(layers), tuple(names) or default_names(module))
    freeze(module)
    generator = torch.Generator().manual_seed(seed)
    new = {id(layers[name]): LoraLayer(layers[name], rank, alpha or float(rank), generator) for name in chosen}
    _exchange(module, new)
    return chosen


def merge_lora(module: nn.Module) -> None:
    """Put the updates into the weights and the plain layers back in their places.

    The sum is made in float64. A weight that is shared with another model is not changed there.
    """
    new: dict[int, nn.Module] = {}
    for part in list(module.modules()):
        if isinstance(part, LoraLayer):
            merged = (part.base.weight.detach().double() + part.update(torch.float64).detach()).to(part.base.weight)
            part.base.weight = nn.Parameter(merged, requires_grad=False)
            new[id(part)] = part.base
    _exchange(module, new)


def trainable_share(module: nn.Module) -> float:
    """Share of the module's weights that train."""
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in module.parameters()]
    return sum(n for n, trains in counts if trains) / max(1, sum(n for n, _ in counts))


def _layers(module: nn.Module) -> Iterator[tuple[str, nn.Linear | nn.Conv1d]]:
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear | nn.Conv1d) and name:
            yield name, part


def _chosen(layers: list[str], names: Sequence[str]) -> list[str]:
    chosen: set[str] = set()
    for wanted in names:
        found = {name for name in layers if _matches(name, wanted)}
        if not found:
            raise _matches_nothing(wanted, layers)
        chosen |= found
    return [name for name in layers if name in chosen]


def _matches(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith(f".{wanted}") or fnmatch.fnmatchcase(name, wanted)


def _matches_nothing(wanted: str, layers: list[str]) -> UsageError:
    ends = list(dict.fromkeys(name.rpartition(".")[2] for name in layers))
    names = [name for name in ends if not name.isdigit()] + layers
    near = near_names(wanted, names) or names[:3]
    return UsageError(
        f"`lora.names`: {wanted!r} matches no layer of the base",
        f"it has {counted(len(layers), 'layer')}; near: {', '.join(near)}"
        if near
        else "it has no Linear and no Conv1d layers",
        f"Fix: write {near[0]!r}, or leave out `lora.names`" if near else "Fix: `mode: head`",
    )


def _exchange(module: nn.Module, new: dict[int, nn.Module]) -> None:
    """Put modules in the places of others, wherever these stand; a module may stand in several."""
    if not new:
        return
    for parent in [part for part in module.modules() if not isinstance(part, LoraLayer)]:
        for key, child in list(parent._modules.items()):
            if child is not None and id(child) in new:
                setattr(parent, key, new[id(child)])
