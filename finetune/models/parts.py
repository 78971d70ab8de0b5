"""A base taken apart: what ``open_base`` gives, whatever the base was."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from finetune.models.cut import activate
from zoo.errors import ModelError
from zoo.models.grelu import GreluCheckpoint
from zoo.models.loaded import LoadedModel

if TYPE_CHECKING:
    from zoo.cards.schema import Card

__all__ = ["Base", "copied", "describe", "trained_on", "without_embeddings"]


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
        grelu: its gReLU form, without weights (``full_state`` is empty), by which results export to stock gReLU: with
            ``final_pool_func`` None where a new head gives a value a position.
        grelu_keys: name of a tensor in ``trunk.state_dict()`` -> its name in the state of a gReLU checkpoint.
        place: name of the head's layer in the module of an entry (``trunk.module`` is that module without it).
        hashes: file -> sha256 of what was loaded.
        model: the loaded model, whole, on the trunk's weights; None for Enformer, and at another length than its own.
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


def without_embeddings(name: str, why: str) -> ModelError:
    """The error for a base that cannot be taken apart."""
    return ModelError(
        f"{name}: base without embeddings",
        why,
        "Fix: take a base whose prediction is a Linear or Conv1d layer's output through exp, softplus, sigmoid, "
        "softmax, relu or nothing",
    )


def trained_on(card: Card | None, checkpoint: GreluCheckpoint | None = None) -> tuple[str, ...] | None:
    """Training chromosomes of a card, else of a checkpoint's ``data_params``; None where both are silent."""
    """Chromosomes that a model was trained on, as its card or checkpoint says; None where they are silent."""
    splits = card.training.splits if card is not None else None
    if splits is not None and isinstance(splits.train, list):
        return tuple(splits.train)
    named = checkpoint.data_params.get("train", {}) if checkpoint is not None else {}
    chroms = named.get("chroms") if isinstance(named, Mapping) else None
    if isinstance(chroms, list | tuple) and chroms and all(isinstance(one, str) for one in chroms):
        return tuple(chroms)
    return None


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
