"""A Kipoi folder with ``kipoi.model.KerasModel``: HDF5, and JSON where the architecture is beside it -> module.

Nothing of the folder runs: neither its ``custom_objects`` nor Lambda bytecode. So no trust is asked for.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from zoo.cards.card import card_of
from zoo.cards.kipoi import ModelDescription
from zoo.errors import ModelError
from zoo.models.files import argument_path
from zoo.models.keras import KerasGraph, load_keras
from zoo.words import counted

__all__ = ["TracksFirst", "build_module", "files_used"]


class TracksFirst(nn.Module):
    """A Keras graph whose profiles (N, bins, tracks) are turned to the zoo's (N, tracks, bins)."""

    def __init__(self, graph: KerasGraph) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, *inputs: Tensor) -> Tensor | list[Tensor]:
        result = self.graph(*inputs)
        return [_turned(part) for part in result] if isinstance(result, list) else _turned(result)


def files_used(model: ModelDescription, trusted: bool = False) -> tuple[Path, ...]:
    """The HDF5 file and, where ``model.yaml`` names one, the JSON of the architecture; remote ones are fetched.

    Args:
        trusted: of no effect; nothing of the folder runs.

    Raises:
        ModelError: an argument is missing or a file does not exist. FetchError: a download failed.
    """
    names = ("weights", "arch") if model.args.get("arch") else ("weights",)
    return tuple(argument_path(model, name) for name in names)


def build_module(model: ModelDescription, trusted: bool = False) -> torch.nn.Module:
    """Convert the folder's Keras model.

    Returns:
        A module in eval mode that takes Keras's layout. With a card, profiles come as (N, tracks, bins);
        without one, in the layout that the Kipoi folder describes, which is Keras's.

    Raises:
        ModelError: an argument, file or layer that is not supported; layers are named.
    """
    if model.args.get("backend") not in (None, "tensorflow", "theano"):
        raise model.document.error(
            ("args", "backend"), f"the backend {model.args['backend']!r} is not known", "tensorflow or theano"
        )
    graph = load_keras(*files_used(model, trusted), backend=model.args.get("backend"))
    if len(graph.input_names) != len(model.inputs):
        raise ModelError(
            f"{model.folder}: the Keras model takes {counted(len(graph.input_names), 'input')}: "
            f"{', '.join(graph.input_names)}",
            f"schema.inputs of model.yaml names {len(model.inputs)}",
            "Fix: correct schema.inputs",
        )
    return TracksFirst(graph).eval() if not model.is_file and card_of(model.component) else graph


def _turned(part: Tensor) -> Tensor:
    return part.transpose(1, 2) if part.ndim == 3 else part
