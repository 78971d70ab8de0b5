"""Keras files written by hand: what ``model.save()`` of Keras 2 and 3 leaves, without Keras."""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import numpy as np


def node(name, kind, inputs, **options):
    """A layer of a functional model; ``inputs`` is a list of calls, each a list of (layer, call) or names."""
    inputs = [[(source, 0) if isinstance(source, str) else source for source in call] for call in inputs]
    calls = [[[source, number, 0, {}] for source, number in call] for call in inputs]
    return {"class_name": kind, "name": name, "config": {"name": name, **options}, "inbound_nodes": calls}


def functional(layers, inputs, outputs, name="model_1"):
    """Architecture of a functional model."""
    config = {
        "name": name,
        "layers": layers,
        "input_layers": [[n, 0, 0] for n in inputs],
        "output_layers": [[n, 0, 0] for n in outputs],
    }
    return {"class_name": "Model", "config": config}


def sequential(*layers):
    """Architecture of a Sequential model from (kind, options) pairs, as Keras 2.2.4 writes it."""
    listed = [{"class_name": kind, "config": options} for kind, options in layers]
    return {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": listed}}


def write_h5(path, architecture, arrays, version="2.2.4", backend="tensorflow"):
    """Write ``arrays`` (layer -> list of (name, array), in Keras's order) and the architecture, unless it is None."""
    with h5py.File(path, "w") as handle:
        group = handle.create_group("model_weights") if architecture is not None else handle
        if architecture is not None:
            handle.attrs["model_config"] = json.dumps(architecture).encode()
        for where in {handle, group}:
            where.attrs["keras_version"], where.attrs["backend"] = version.encode(), backend.encode()
        names = list(arrays)
        if architecture is not None:
            layers = architecture["config"]
            layers = layers if isinstance(layers, list) else layers["layers"]
            names = [layer.get("name") or layer["config"]["name"] for layer in layers]
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            part = group.create_group(name)
            entries = arrays.get(name, [])
            part.attrs["weight_names"] = np.array([f"{name}/{key}".encode() for key, _ in entries], dtype="S")
            for key, array in entries:
                part[f"{name}/{key}"] = np.asarray(array, np.float32)
    return path


def write_keras(path, architecture, groups, version="3.15.1", names=None, root="layers"):
    """``groups``: path below ``layers`` -> arrays of its ``vars``; ``names``: path -> the layer's own name."""
    content = io.BytesIO()
    with h5py.File(content, "w") as handle:
        handle.create_group(root)
        for key, arrays in groups.items():
            part = handle.create_group(f"{root}/{key}/vars")
            if names:
                part.attrs["name"] = names[key]
            for i, array in enumerate(arrays):
                part[str(i)] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(architecture))
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("model.weights.h5", content.getvalue())
    return path
