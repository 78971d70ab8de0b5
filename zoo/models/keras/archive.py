"""Arrays of ``model.weights.h5`` as Keras 3 and TensorFlow 2.11 and later write it, in the order of older files.

A layer's group has the name of its class (``conv1d``, ``conv1d_1``, counted in the order of the model) and holds
``vars/0``, ``vars/1`` ...; layers inside layers have groups of their own (``cell``, ``forward_layer``, ``layers``).
Keras 3.4 and later write the layer's own name beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from zoo.errors import ModelError
from zoo.models.keras.calls import snake_case
from zoo.models.keras.config import GraphConfig, LayerConfig
from zoo.words import counted

__all__ = ["layer_arrays"]

RECURRENT = ("LSTM", "GRU", "SimpleRNN")
# MultiHeadAttention: the layers that it holds, and the names that its arrays have in older files.
PROJECTIONS = {"query": "query", "key": "key", "value": "value", "output": "attention_output"}
NO_ARRAYS = ("seed_generator", "_dropout_layer", "_softmax")


def layer_arrays(group: h5py.Group | None, config: GraphConfig, where: str = "") -> dict[str, Any]:
    """Arrays of all layers of a model.

    Args:
        group: that of its layers.

    Returns:
        Layer name -> array name -> array in Keras's order; for an inner model, the same of its layers.

    Raises:
        ModelError: a layer keeps arrays in a way that is not known here.
    """
    groups: Mapping[str, Any] = group if group is not None else {}
    named = {_own_name(part): part for part in groups.values() if _own_name(part) is not None}
    counts: Counter[str] = Counter()
    found = {}
    for layer in config.layers:
        if layer.operation is not None and layer.operation.startswith("ops."):
            continue  # Keras 3's operations are no layers
        kind = snake_case("Functional" if layer.kind == "Model" else layer.kind)
        key = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
        part = named.get(layer.name) if named else groups.get(key)
        found[layer.name] = {} if part is None else _arrays(part, layer, where)
    return found


def _own_name(group: h5py.Group) -> str | None:
    name = group["vars"].attrs.get("name") if "vars" in group else None
    return name.decode() if isinstance(name, bytes) else name


def _arrays(group: h5py.Group, layer: LayerConfig, where: str) -> dict[str, Any]:
    if layer.graph is not None:
        return layer_arrays(group.get("layers"), layer.graph, where)
    if layer.kind == "TimeDistributed":
        return _arrays(group["layer"], layer.wrapped, where) if "layer" in group else {}
    if layer.kind == "Bidirectional":
        sides = {side: _arrays(group[f"{side}_layer"], layer.wrapped, where) for side in ("forward", "backward")}
        return {f"{side}/{name}": array for side, arrays in sides.items() for name, array in arrays.items()}
    if layer.kind in RECURRENT and "cell" in group:
        return _variables(group["cell"])
    if layer.kind == "MultiHeadAttention":
        return _projections(group)
    _check_no_more(group, layer, where)
    return _variables(group)


def _projections(group: h5py.Group) -> dict[str, np.ndarray]:
    found = {}
    for name, old in PROJECTIONS.items():
        part = next((group[key] for key in (f"{name}_dense", f"_{name}_dense") if key in group), None)
        arrays = [] if part is None else list(_variables(part).values())
        found |= {f"{old}/{role}": array for role, array in zip(("kernel", "bias"), arrays, strict=False)}
    return found


def _variables(group: h5py.Group) -> dict[str, np.ndarray]:
    variables = group.get("vars", {})
    return {key: np.asarray(variables[key], dtype=np.float32) for key in sorted(variables, key=int)}


def _check_no_more(group: h5py.Group, layer: LayerConfig, where: str) -> None:
    """Refuse a layer of other layers whose order is not known."""
    inner: list[str] = []
    group.visititems(lambda name, part: inner.append(name) if isinstance(part, h5py.Dataset) else None)
    if odd := [name for name in inner if name.split("/")[0] not in ("vars", *NO_ARRAYS)]:
        raise ModelError(
            f"{where}: layer {layer.name!r} ({layer.kind}) keeps arrays of inner layers, which is not supported here",
            f"{counted(len(odd), 'array')}: {', '.join(odd[:4])}",
            "Fix: save the model as HDF5: model.save('model.h5')",
        )
