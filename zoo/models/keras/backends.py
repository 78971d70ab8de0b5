"""On which backend a model was trained: Theano turns the kernels of convolutions around, all others do not.

Keras 2 writes the backend into its files; Keras 1, which ran on Theano or TensorFlow, does not. There the names of the
arrays tell: a variable of TensorFlow ends in ``:0`` (``convolution1d_1_W:0``), one of Theano does not.
Source: Keras 1.2.2, ``conv2d`` and ``pool2d`` of its Theano backend, ``convert_kernel`` of ``utils/np_utils.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from zoo.errors import ModelError
from zoo.models.keras.config import GraphConfig, LayerConfig
from zoo.models.keras.shapes import AverageInside, EdgePad
from zoo.models.keras.weights import inner_graph
from zoo.words import counted

__all__ = ["as_theano", "backend_of", "json_backend"]

CORRELATES = ("tensorflow", "cntk", "jax", "torch", "numpy", "openvino")
# Names that Keras 1 gave: convolution1d_1_W, batchnormalization_2_running_mean, lstm_1_U_i
OF_KERAS_1 = re.compile(r"_([WUb](_\w)?|gamma|beta|running_mean|running_std|alphas)(_\d+)?$")


def backend_of(
    graph: nn.Module,
    config: GraphConfig,
    stored: Mapping[str, Mapping[str, Any]],
    written: tuple[str | None, str | None],
    version: str | None,
    stated: str | None,
    where: str,
) -> str:
    """``theano`` or another backend; ``tensorflow`` where nothing depends on it.

    Args:
        graph: the model as built, before any kernel is turned.
        stored: layer name -> its arrays by name, as the file has them.
        written: backends that the file of the weights and that of the architecture name.
        version: of the Keras that wrote the weights, if the file says so.
        stated: what the user says: ``args.backend`` of a model.yaml.

    Raises:
        ModelError: nothing tells, or the user says one thing and the file another.
    """
    found = _told(written, config, stored, version)
    turned = _convolutions(graph)
    if stated is not None and found is not None and turned and (stated == "theano") != (found[0] == "theano"):
        raise ModelError(
            f"{where}: model.yaml says `backend: {stated}`, but the file is of {found[0]}: {found[1]}",
            f"{counted(len(turned), 'convolution')}, whose kernels the two read in opposite directions",
            f"Fix: put `backend: {'theano' if found[0] == 'theano' else 'tensorflow'}` below `args` of model.yaml",
        )
    if found is not None or stated is not None or not turned:
        return found[0] if found is not None else stated or "tensorflow"
    raise ModelError(
        f"{where}: does not say whether it was trained on Theano, which reads the kernels of convolutions backwards",
        f"{counted(len(turned), 'convolution')}; neither a backend nor names of arrays that tell "
        f"(found: {', '.join(list(_names(config, stored))[:3]) or 'none'})",
        "Fix: put `backend: theano` or `backend: tensorflow` below `args` in the model.yaml of a folder with the file",
    )


def _told(
    written: tuple[str | None, str | None],
    config: GraphConfig,
    stored: Mapping[str, Mapping[str, Any]],
    version: str | None,
) -> tuple[str, str] | None:
    """The backend and what tells it, the surest first."""
    if written[0] in (*CORRELATES, "theano"):
        return written[0], f"it names the backend {written[0]!r}"
    major = re.match(r"\d+", version or "")
    if (major and int(major.group()) >= 3) or "tf" in (version or ""):
        return "tensorflow", f"Keras {version} wrote it"
    names = list(_names(config, stored))
    if names and all(name.endswith(":0") for name in names):
        return "tensorflow", f"its arrays have names of TensorFlow, such as {names[0]}"
    telling = [name for name in names if OF_KERAS_1.search(name)]
    if telling and not any(name.endswith(":0") for name in names):
        return "theano", f"its arrays have names of Keras 1 on Theano, such as {telling[0]}"
    if written[1] in (*CORRELATES, "theano"):
        return written[1], f"`backend` in the JSON of its architecture is {written[1]!r}"
    return None


def json_backend(text: str) -> str | None:
    """``backend`` of the JSON of an architecture."""
    backend = json.loads(text).get("backend")
    return backend if isinstance(backend, str) else None


def _names(config: GraphConfig, stored: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Names of the arrays of convolutions and of inner models."""
    for layer in config.layers:
        if _convolves(layer):
            yield from stored.get(layer.name, {})


def _convolves(layer: LayerConfig) -> bool:
    return inner_graph(layer) is not None or "Conv" in (layer.wrapped or layer).kind


def _convolutions(graph: nn.Module) -> list[nn.Module]:
    """Convolutions for which the direction makes a difference."""
    kinds = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
    found = {id(part.weight): part for part in graph.modules() if isinstance(part, kinds)}
    return [part for part in found.values() if max(part.kernel_size) > 1]


def as_theano(graph: nn.Module) -> None:
    """Turn the kernels, and place ``same`` as Theano does: half a kernel before the first position."""
    for part in _convolutions(graph):
        part.weight.data = part.weight.data.flip(tuple(range(2, part.weight.ndim))).contiguous()
    averages = {id(part.pad) for part in graph.modules() if isinstance(part, AverageInside)}
    for part in graph.modules():
        if isinstance(part, EdgePad) and part.mode == "same":
            pools = id(part) in averages or part.value != 0.0
            part.before = tuple(map(_before_pool, part.kernel)) if pools else _half(part)


def _half(pad: EdgePad) -> tuple[int, ...]:
    return tuple(((kernel - 1) * dilation + 1) // 2 for kernel, dilation in zip(pad.kernel, pad.dilation, strict=True))


def _before_pool(size: int) -> int:
    return size - 2 if size > 2 and size % 2 else size - 1
