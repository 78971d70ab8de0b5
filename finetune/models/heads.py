"""New heads on a trunk, and the whole that is trained: trunk, heads, and what is known of the cell.

A head is one linear layer a track on the embedding of each bin. Positions outside of the target are cut away; where a
bin covers several positions their embeddings are averaged first, which is the same as averaging logits.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from finetune.models.atac import offset_logits, offset_prediction
from finetune.models.cut import LastLayer, activate, to_logit
from finetune.models.freeze import is_frozen, set_training, unfreeze
from finetune.models.lora import merge_lora
from zoo.errors import UsageError
from zoo.words import counted

if TYPE_CHECKING:
    from finetune.data.batches import Batch
    from finetune.data.regions import Geometry
    from finetune.models.base import Base

__all__ = ["ACTIVATION_OF_LOSS", "Adapted", "Head", "Plain", "head_for", "init_head", "warm_start"]

#: Loss -> activation of the head that is trained with it: a key of ``finetune.models.cut.ACTIVATIONS``.
ACTIVATION_OF_LOSS = {
    "poisson": "exp",
    "poisson_multinomial": "exp",
    "multinomial_counts": "exp",
    "mse": "identity",
    "weighted_mse": "identity",
    "bce": "sigmoid",
    "ce": "softmax",
}
#: Smallest mean that is taken to a logit: log(0) is none.
FLOOR = 1e-3


class Head(nn.Module):
    """A 1x1 convolution from embeddings to logits.

    Args:
        channels: of the embedding. tracks: to predict.
        activation: key of ``finetune.models.cut.ACTIVATIONS``.
        pool: positions a bin. crop: positions that are cut away at the left and the right.
    """

    def __init__(
        self, channels: int, tracks: int, activation: str = "exp", pool: int = 1, crop: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, tracks, 1)
        self.activation, self.pool, self.crop = activation, pool, crop

    def place(self, embedding: Tensor) -> Tensor:
        """(n, channels, positions) to (n, channels, bins)."""
        left, right = self.crop
        if left or right:
            embedding = embedding[:, :, left : embedding.shape[2] - right]
        return nn.functional.avg_pool1d(embedding, self.pool) if self.pool > 1 else embedding

    def forward(self, embedding: Tensor) -> Tensor:
        """(n, channels, positions) to logits (n, tracks, bins)."""
        return self.conv(self.place(embedding))

    def extra_repr(self) -> str:
        return f"activation={self.activation}, pool={self.pool}, crop={self.crop}"


def head_for(base: Base, geometry: Geometry, tracks: int, loss: str, seed: int = 0) -> Head:
    """A head whose bins are those of the geometry.

    Raises:
        UsageError: a bin is no whole number of the base's positions, or bins do not lie on them.
    """
    before = geometry.offset - base.offset
    after = base.positions * base.bin_size - before - geometry.span
    fits = geometry.bin_size % base.bin_size == 0 and before % base.bin_size == 0
    if not fits or before < 0 or after < 0:
        raise UsageError(
            f"bins of {geometry.bin_size:,} bp from {geometry.offset:,} do not lie on the positions of {base.name}",
            f"it has {counted(base.positions, 'position')} of {base.bin_size:,} bp from {base.offset:,}",
            f"Fix: a multiple of {base.bin_size:,} as `bin` of the targets",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Head(
            base.channels,
            tracks,
            ACTIVATION_OF_LOSS[loss],
            geometry.bin_size // base.bin_size,
            (before // base.bin_size, after // base.bin_size),
        )


def init_head(head: Head, mean: Tensor) -> None:
    """Start at a constant: weights zero, and the bias such that each track is its training mean.

    Args:
        mean: (tracks,) over training windows, in the target's units after its transform.
    """
    with torch.no_grad():
        head.conv.weight.zero_()
        head.conv.bias.copy_(to_logit(torch.as_tensor(mean, dtype=torch.float32), head.activation, FLOOR))


def warm_start(head: Head, base: Base, mean: Tensor | None = None, predicted: float | None = None) -> bool:
    """Start from the base's own head, where that is one linear layer a position of one track with this activation.

    Args:
        mean: (tracks,) of the training targets, and predicted: mean of the base's own prediction on training windows.
            Where both are given, the bias is moved by what lies between, so that depth is no matter (exp only).

    Returns:
        Whether it could be done; the head is left as it is where not.
    """
    layer = _linear_of(base.head)
    if layer is None or base.activation != head.activation or layer.weight.shape[0] != 1:
        return False
    if layer.weight.numel() != head.conv.in_channels:
        return False
    with torch.no_grad():
        head.conv.weight.copy_(layer.weight.reshape(1, -1, 1).expand_as(head.conv.weight))
        head.conv.bias.zero_()
        if layer.bias is not None:
            head.conv.bias += layer.bias
        if mean is not None and predicted is not None and head.activation == "exp":
            head.conv.bias += torch.as_tensor(mean).clamp(min=FLOOR).log() - torch.tensor(max(predicted, FLOOR)).log()
    return True


def _linear_of(head: nn.Module | None) -> nn.Linear | nn.Conv1d | nn.Conv2d | None:
    """The only layer with weights, of a head that is nothing else: one value a position."""
    if head is None or (isinstance(head, LastLayer) and head.order not in ("position", "mean")):
        return None
    parts = [part for part in head.modules() if next(part.parameters(recurse=False), None) is not None]
    found = parts[0] if len(parts) == 1 and isinstance(parts[0], nn.Linear | nn.Conv1d | nn.Conv2d) else None
    if isinstance(found, nn.Conv1d | nn.Conv2d) and (set(found.kernel_size) != {1} or found.groups != 1):
        return None
    return found


@dataclass(frozen=True)
class Plain:
    """A trained head and its trunk as plain layers, for a package.

    Attributes:
        trunk: with low-rank updates merged, in eval mode, nothing frozen.
        weight: (tracks, channels). bias: (tracks,).
        activation, pool, crop: of the head.
        tracks: their names.
    """

    trunk: nn.Module
    weight: Tensor
    bias: Tensor
    activation: str
    pool: int
    crop: tuple[int, int]
    tracks: tuple[str, ...]

    def logits(self, x: Tensor) -> Tensor:
        """(n, 4, L) to (n, tracks, bins)."""
        head = Head(self.weight.shape[1], self.weight.shape[0], self.activation, self.pool, self.crop)
        head.load_state_dict({"conv.weight": self.weight.unsqueeze(2), "conv.bias": self.bias})
        return head.to(x)(self.trunk(x))


class Adapted(nn.Module):
    """What is trained.

    Args:
        trunk: of a base, frozen as the mode says.
        heads: by name.
        adapter: change of logits by what is known of the cell: called with embedding (n, channels, bins), ``atac``,
            ``summary`` and ``average`` of the batch; gives (n, tracks, bins). With ``dna = False`` it gets no
            embedding.
        offset: the average of the batch takes the place of the head's logits: the prediction is that average, changed
            by the adapter, and exactly that average where the change is 0.
    """

    def __init__(
        self, trunk: nn.Module, heads: Mapping[str, nn.Module], adapter: nn.Module | None = None, offset: bool = False
    ) -> None:
        super().__init__()
        if offset and adapter is None:
            raise ValueError("an average is changed by an adapter, and there is none")
        self.trunk = trunk
        self.heads = nn.ModuleDict(heads)
        self.adapter = adapter
        self.offset = offset

    def train(self, mode: bool = True) -> Adapted:
        """As of any module, but frozen parts stay in eval mode."""
        super().train(mode)
        for part in self.modules():
            if is_frozen(part):
                part.training = False
        return self

    def set_training(self) -> None:
        """``train()``, by the name that the contract of a training loop has."""
        set_training(self)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (n, tracks, bins) of the batch's head."""
        return self._logits(batch)[0]

    def predict(self, batch: Batch) -> Tensor:
        """Predictions (n, tracks, bins), in the units of the target after its transform."""
        logits, change = self._logits(batch)
        activation = self.heads[batch.head].activation
        if self.offset and change is not None and batch.average is not None:
            return offset_prediction(batch.average, change, activation)
        return activate(logits, activation)

    def embed(self, batch: Batch) -> Tensor:
        """(n, channels, positions): those of the batch where it holds them, else the trunk's.

        Where nothing of the trunk trains, no graph of it is kept.
        """
        if batch.embedded:
            return batch.inputs.to(self._dtype())
        if any(parameter.requires_grad for parameter in self.trunk.parameters()):
            return self.trunk(batch.inputs)
        with torch.no_grad():
            return self.trunk(batch.inputs)

    def _dtype(self) -> torch.dtype:
        """Of heads and adapter: cached embeddings are float16."""
        return next(
            (p.dtype for m in (self.heads, self.adapter) if m is not None for p in m.parameters()), torch.float32
        )

    def _logits(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        head = self.heads[batch.head]
        if self.adapter is None:
            return head(self.embed(batch)), None
        uses_dna = bool(getattr(self.adapter, "dna", True))
        embedding = self.embed(batch) if uses_dna or not self.offset else None
        placed = head.place(embedding) if uses_dna and embedding is not None else None
        change = self.adapter(placed, batch.atac, batch.summary, batch.average)
        if not self.offset:
            return head(embedding) + change, change
        if batch.average is None:
            raise UsageError("`cell.average: offset` without averages", "", "Fix: prepare the run again")
        return offset_logits(batch.average, head.activation) + change, change

    def to_plain(self, tracks: tuple[str, ...], head: str = "main", baked: bool = False) -> Plain:
        """One head and a merged copy of the trunk; this model stays as it is.

        Args:
            tracks: names of the head's tracks.
            baked: whether the adapter is taken along by the caller, with a cell's summary as a constant.

        Raises:
            UsageError: the cell's own track is an input of the model: a plain network has no place for it.
        """
        if self.adapter is not None and not baked:
            raise UsageError(
                "the model reads tracks; it is no function of the sequence alone",
                "",
                "Fix: bake a cell's head first",
            )
        own = self.heads[head]
        trunk = copy.deepcopy(self.trunk)
        merge_lora(trunk)
        unfreeze(trunk)
        weight, bias = own.conv.weight.detach().squeeze(2).clone(), own.conv.bias.detach().clone()
        return Plain(trunk.eval(), weight, bias, own.activation, own.pool, own.crop, tuple(tracks))
