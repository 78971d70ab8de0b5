"""The arrays of a Keras HDF5 file, layer by layer.

Keras loads by order, not by name: a layer's ``weight_names`` lists trainable arrays first, then the
others. ``registry.roles`` gives the same order for each kind of layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from zoo.errors import ModelError
from zoo.models.keras.arrays import LayerArrays, put
from zoo.models.keras.config import GraphConfig, LayerConfig
from zoo.models.keras.registry import roles
from zoo.words import counted

__all__ = ["LayerArrays", "arrays_of", "check_layers", "inner_graph", "put", "read_arrays"]

# Names of arrays that tell their role in every Keras.
ROLES = {"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "recurrent_kernel"}


def read_arrays(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """All arrays of a file: layer name -> array name -> array, in Keras's order.

    Raises:
        ModelError: no HDF5, or no weights of Keras in it.
    """
    try:
        with h5py.File(path, "r") as handle:
            group = handle.get("model_weights", handle)
            return {name: _layer_arrays(group[name]) for name in _texts(group, "layer_names")}
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: cannot be read as weights of Keras ({type(error).__name__}: {error})",
            "",
            "Fix: the file is damaged or of another kind; give the HDF5 file of model.save() or save_weights()",
        ) from None


def _layer_arrays(group: h5py.Group) -> dict[str, np.ndarray]:
    return {name: np.asarray(group[name], dtype=np.float32) for name in _texts(group, "weight_names")}


def _texts(group: h5py.Group, key: str) -> list[str]:
    """A list of names; Keras splits a long one into ``key0``, ``key1`` ..."""
    if key in group.attrs:
        values = list(group.attrs[key])
    elif f"{key}0" in group.attrs:
        values, part = [], 0
        while f"{key}{part}" in group.attrs:
            values += list(group.attrs[f"{key}{part}"])
            part += 1
    else:
        raise KeyError(f"{group.name} lacks the attribute {key}")
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def check_layers(config: GraphConfig, stored: Mapping[str, Any], where: str = "") -> None:
    """Refuse weights of layers that the architecture lacks, or whose order is another.

    Keras gives weights to layers by their order, the zoo by their names: where the two differ, the file belongs to
    another architecture.

    Raises:
        ModelError: naming such layers.
    """
    names = [layer.name for layer in config.layers]
    held = [name for name, arrays in stored.items() if arrays]
    if surplus := [name for name in held if name not in names]:
        raise ModelError(
            f"{where}: holds weights of {counted(len(surplus), 'layer')} that the architecture lacks",
            f"{', '.join(surplus[:6])}; the architecture has {', '.join(names[:6])} ...",
            "Fix: give the architecture that belongs to these weights",
        )
    if held != sorted(held, key=names.index):
        raise ModelError(
            f"{where}: its layers are in another order than those of the architecture, so names or order mislead",
            f"weights: {', '.join(held[:6])}; architecture: {', '.join([name for name in names if name in held][:6])}",
            "Fix: give the architecture that belongs to these weights",
        )


def arrays_of(layer: LayerConfig, stored: dict[str, np.ndarray], where: str = "") -> dict[str, Any]:
    """The arrays of one layer by role; for a model used as a layer, by its layers' names.

    Raises:
        ModelError: the file holds more or fewer arrays than the layer has.
    """
    if (inner := inner_graph(layer)) is not None:
        if stored and all(isinstance(part, Mapping) for part in stored.values()):
            return stored  # of an archive, which keeps the layers of inner models apart
        return _nested(inner, stored, where)
    if layer.kind == "MultiheadAttention":
        return _attention(stored)
    trainable, fixed = roles(layer)
    if layer.version < 2:
        stored = _joined_gates(layer, stored)
    if stored and not (trainable or fixed):
        raise ModelError(
            f"{where}: layer {layer.name!r} ({layer.kind}) with arrays of its own is not supported: Keras's has none",
            f"the file holds {len(stored)}: {', '.join(stored)}",
            "Fix: rebuild the model with layers of Keras; custom_objects of a model folder are not run",
        )
    if len(trainable) + len(fixed) != len(stored):
        raise ModelError(
            f"{where}: layer {layer.name!r} ({layer.kind}) has {counted(len(trainable) + len(fixed), 'array')}",
            f"the file holds {len(stored)}: {', '.join(stored) or 'none'}",
            "Fix: give the weights that belong to this architecture",
        )
    # A layer that was frozen when saved lists the same arrays in the same order.
    return _by_role([*trainable, *fixed], stored, f"layer {layer.name!r} ({layer.kind})", where)


def _attention(stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Attention layers hold layers of their own: the last parts of the names tell them apart."""
    return {"/".join(name.split(":")[0].split("/")[-2:]): array for name, array in stored.items()}


def _joined_gates(layer: LayerConfig, stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keras 1 keeps kernel, recurrent kernel and bias of each gate of a recurrent layer; Keras 2 joins the gates.

    Keras 1 lists an LSTM's gates as input, cell, forget, output; a GRU's as update, reset, candidate.
    """
    kind = (layer.wrapped or layer).kind
    order = {"LSTM": (0, 2, 1, 3), "GRU": (0, 1, 2)}.get(kind)
    arrays = list(stored.values())
    sides = 2 if layer.kind == "Bidirectional" else 1
    if order is None or len(arrays) != 3 * len(order) * sides:
        return stored
    joined = {}
    for side in range(sides):
        part = arrays[side * 3 * len(order) : (side + 1) * 3 * len(order)]
        for role in range(3):
            joined[f"{side}/{role}"] = np.concatenate([part[3 * gate + role] for gate in order], axis=-1)
    return joined


def inner_graph(layer: LayerConfig) -> GraphConfig | None:
    """The model that is used as a layer, by itself or at every position (TimeDistributed)."""
    return layer.graph or (layer.wrapped.graph if layer.wrapped is not None else None)


def _nested(graph: GraphConfig, stored: dict[str, np.ndarray], where: str) -> dict[str, Any]:
    """Split the flat list of a model used as a layer: trainable arrays of all layers, then the fixed ones."""
    trainable, fixed = _places(graph)
    places = [*trainable, *fixed]
    if len(places) != len(stored):
        raise ModelError(
            f"{where}: the arrays of the inner model {graph.name!r} do not fit its layers",
            counted(len(stored), "array"),
            "Fix: give the weights that belong to this architecture",
        )
    arrays = _by_role(places, stored, f"the inner model {graph.name!r}", where)
    return _tree(graph, arrays)


Place = tuple[str, ...]  # names of models and a layer, then the role


def _places(graph: GraphConfig) -> tuple[list[Place], list[Place]]:
    """Where the arrays of a flat list belong. A layer that is frozen has all of its own among the fixed ones."""
    sections: tuple[list[Place], list[Place]] = [], []
    for layer in graph.layers:
        if layer.operation is not None:
            continue
        inner = inner_graph(layer)
        parts = _places(inner) if inner is not None else tuple([(role,) for role in part] for part in roles(layer))
        if layer.options.get("trainable") is False:
            parts = [], [*parts[0], *parts[1]]
        for section, part in zip(sections, parts, strict=True):
            section += [(layer.name, *place) for place in part]
    return sections


def _tree(graph: GraphConfig, arrays: Mapping[Place, np.ndarray]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for layer in graph.layers:
        own = {place[1:]: array for place, array in arrays.items() if place[0] == layer.name}
        inner = inner_graph(layer)
        found[layer.name] = _tree(inner, own) if inner is not None else {place[0]: a for place, a in own.items()}
    return found


def _by_role(places: Sequence[Any], stored: dict[str, np.ndarray], what: str, where: str) -> dict[Any, np.ndarray]:
    """Arrays in the order of the file -> by role; a name that speaks of another role is an error.

    Raises:
        ModelError: arrays in another order than Keras's.
    """
    for place, name in zip(places, stored, strict=True):
        role = place if isinstance(place, str) else place[-1]
        told = re.sub(r"(_\d+)?(:0)?$", "", name.rpartition("/")[2])
        if told in ROLES and role.rpartition("/")[2] in ROLES and told != role.rpartition("/")[2]:
            raise ModelError(
                f"{where}: the arrays of {what} are in an unknown order",
                f"{name} stands where {role} is expected",
                "Fix: save the model again, with model.save('model.keras')",
            )
    return dict(zip(places, stored.values(), strict=True))
