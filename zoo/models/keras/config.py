"""A Keras model's architecture as plain data, with the names of Keras 2 whatever version wrote it.

Sources: the ``model_config`` attribute of an HDF5 file, or the JSON of ``model.to_json()``; written by
Keras 1, 2 or 3, standalone or within TensorFlow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from zoo.errors import ModelError
from zoo.models.keras.calls import Call, TensorRef, read_calls, read_reference, snake_case
from zoo.models.keras.tensor_functions import ACTIVATIONS, KERAS

__all__ = ["Call", "GraphConfig", "LayerConfig", "TensorRef", "parse_config"]

# Names of Keras 1 -> names of Keras 2.
OLD_KINDS = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "SeparableConvolution1D": "SeparableConv1D",
    "Functional": "Model",
}
OLD_KEYS = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "border_mode": "padding",
    "subsample_length": "strides",
    "subsample": "strides",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "output_dim": "units",
    "pool_length": "pool_size",
    "stride": "strides",
    "p": "rate",
    "concat_axis": "axis",
    "dim_ordering": "data_format",
    "inner_activation": "recurrent_activation",
    "length": "size",
}
OLD_MERGES = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate"}
OLD_FORMATS = {"tf": "channels_last", "th": "channels_first"}
JOINS = (
    "Add",
    "Subtract",
    "Multiply",
    "Maximum",
    "Minimum",
    "Average",
    "Dot",
)  # layers of several tensors, and operations too
CONTAINERS = ("Sequential", "Model")


@dataclass(frozen=True)
class LayerConfig:
    """One layer.

    Attributes:
        name, kind: e.g. ``conv1d_1`` and ``Conv1D``.
        options: the layer's config, keys as in Keras 2.
        version: major version of the Keras that wrote it; some defaults differ.
        calls: its uses; a shared layer has several.
        wrapped: the layer inside TimeDistributed or Bidirectional.
        graph: the model inside, where a model is used as a layer.
        operation: where it is no layer but an operation on tensors: its name, such as ``math.multiply``.
        package: where the class is not Keras's own, as far as the file says: ``concise`` of ``concise>ConvDNA``.
    """

    name: str
    kind: str
    options: dict[str, Any]
    version: int = 2
    calls: tuple[Call, ...] = ()
    wrapped: LayerConfig | None = None
    graph: GraphConfig | None = None
    operation: str | None = None
    package: str = ""


@dataclass(frozen=True)
class GraphConfig:
    """Layers and how they are joined; Sequential models are a chain."""

    name: str
    layers: tuple[LayerConfig, ...]
    inputs: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]


def parse_config(text: str, version: str | None = None, where: str = "") -> GraphConfig:
    """Read an architecture.

    Args:
        text: the JSON.
        version: ``keras_version`` of the file; the JSON's own wins.
        where: file name, for errors.

    Raises:
        ModelError: no JSON, or no architecture of Keras.
    """
    try:
        data = json.loads(text)
        data["config"], data["class_name"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{where}: holds no architecture of Keras ({type(error).__name__}: {error})",
            "",
            "Fix: give the JSON of model.to_json(), or an HDF5 file of model.save()",
        ) from None
    try:
        major = int(str(data.get("keras_version") or version or "2").split(".")[0])
        return _graph(data, major)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{where}: the architecture is damaged or of an unknown form ({type(error).__name__}: {error})",
            f"written by Keras {version or '(unknown)'}",
            "Fix: save the model again with Keras 2 (model.save('model.h5'))",
        ) from None


def _graph(data: dict[str, Any], version: int, name: str = "") -> GraphConfig:
    kind, config = OLD_KINDS.get(data["class_name"], data["class_name"]), data["config"]
    if kind == "Sequential":
        return _chain(config, version, name)
    if kind != "Model":
        raise ValueError(f"a model of class {data['class_name']!r}")
    layers = tuple(_layer(item, version) for item in config["layers"])
    inputs, outputs = _references(config["input_layers"]), _references(config["output_layers"])
    graph = GraphConfig(str(config.get("name") or name or "model"), layers, inputs, outputs)
    return _outputs_from_zero(graph) if version >= 3 else _calls_from_zero(graph)


def _calls_from_zero(graph: GraphConfig) -> GraphConfig:
    """Keras 2 counts the calls of an inner model from 1: its call 0 is the model's own making."""
    used = {(ref.layer, ref.call) for ref in graph.outputs} | {
        (ref.layer, ref.call) for layer in graph.layers for call in layer.calls for ref in call.inputs
    }
    names = {name for name, _ in used} - {name for name, number in used if number == 0}
    late = {layer.name for layer in graph.layers if layer.graph and layer.name in names}
    if not late:
        return graph

    def earlier(ref: TensorRef) -> TensorRef:
        return replace(ref, call=ref.call - 1) if ref.layer in late else ref

    layers = tuple(replace(layer, calls=tuple(call.moved(earlier) for call in layer.calls)) for layer in graph.layers)
    return replace(graph, layers=layers, outputs=tuple(map(earlier, graph.outputs)))


def _outputs_from_zero(graph: GraphConfig) -> GraphConfig:
    """Keras 3 counts the calls of an inner functional model from 1 in the list of outputs, from 0 everywhere else."""
    late = {layer.name for layer in graph.layers if layer.graph and layer.kind == "Model"}
    outputs = tuple(
        replace(ref, call=ref.call - 1) if ref.layer in late and ref.call > 0 else ref for ref in graph.outputs
    )
    return replace(graph, outputs=outputs)


def _chain(config: Any, version: int, name: str) -> GraphConfig:
    """Sequential: in Keras 1 and early 2 its config is the bare list of layers."""
    items = config if isinstance(config, list) else config["layers"]
    name = name if isinstance(config, list) else str(config.get("name") or name)
    layers, source = [], TensorRef("sequential_input")
    if items and items[0]["class_name"] == "InputLayer":
        first, *items = items
        source = TensorRef(_name(first))
    start = source
    layers.append(LayerConfig(source.layer, "InputLayer", {}, version, (Call(()),)))
    for item in items:
        layer = _layer(item, version, (Call((source,)),))
        layers.append(layer)
        source = TensorRef(layer.name)
    return GraphConfig(name or "sequential", tuple(layers), (start,), (source,))


def _layer(item: dict[str, Any], version: int, calls: tuple[Call, ...] | None = None) -> LayerConfig:
    kind = OLD_KINDS.get(item["class_name"], item["class_name"])
    # Keras 3 writes custom classes as "package>Name", and so does TensorFlow's registration.
    kind = kind.rpartition(">")[2]
    if calls is None:
        calls = tuple(read_calls(item.get("inbound_nodes") or [], kind)) or (Call(()),)
    name = _name(item)
    if (operation := _operation(item, kind, calls, version)) is not None:
        return LayerConfig(name, kind, dict(item["config"]), version, calls, operation=operation)
    if kind in CONTAINERS:
        return LayerConfig(name, kind, {}, version, calls, graph=_graph(item, version, name))
    options = _modern(kind, dict(item["config"]))
    if kind == "Merge" and not options.get("layers"):  # of Keras 1, whose models to be merged may be in its config
        kind = OLD_MERGES.get(options.get("mode"), "Merge")
    wrapped = _layer(options.pop("layer"), version, ()) if kind in ("TimeDistributed", "Bidirectional") else None
    return LayerConfig(name, kind, options, version, calls, wrapped, package=_package(item))


def _package(item: dict[str, Any]) -> str:
    """Whose the class is: ``package>Name``, or the module that late files name beside it; nothing for Keras's own."""
    for named in (item["class_name"], str(item.get("registered_name"))):
        if ">" in named:
            return named.rpartition(">")[0]
    module = str(item.get("module") or "keras")
    return "" if {"keras", "tf_keras", "tensorflow"} & set(module.split(".")) else module


def _operation(item: dict[str, Any], kind: str, calls: tuple[Call, ...], version: int) -> str | None:
    """What an item that is an operation and no layer computes: ``math.multiply`` of TensorFlow, ``ops.Multiply`` ..."""
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        return str(item["config"]["function"])
    # Layers that join tensors take one list; `Add(x, 1.0)` is the operation, whatever module the file names.
    listed = all(len(call.given) == 1 and isinstance(call.given[0], list) for call in calls)
    if ".ops" in str(item.get("module")) or (kind in JOINS and any(len(call.given) > 1 for call in calls)):
        return f"ops.{kind}"
    # HDF5 of Keras 3 names no modules; every layer that is called says whether it is trainable, no operation does.
    bare = version >= 3 and item.get("module") is None and not {"trainable", "layers"} & set(item["config"])
    if not bare or calls == (Call(()),) or (kind in JOINS and listed):
        return None
    return f"ops.{kind}" if snake_case(kind) in (*KERAS, *ACTIVATIONS) or kind in JOINS else None


def _name(item: dict[str, Any]) -> str:
    config = item["config"] if isinstance(item["config"], dict) else {}
    return str(item.get("name") or config.get("name") or item["class_name"].lower())


def _modern(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options with the keys of Keras 2."""
    for old, new in OLD_KEYS.items():
        # A GRU's or Merge's own `mode`, `length` ... mean other things only where the new key is there too.
        if old in options and new not in options:
            options[new] = options.pop(old)
    if "nb_row" in options:
        options["kernel_size"] = [options["nb_row"], options["nb_col"]]
    if options.get("data_format") in OLD_FORMATS:
        options["data_format"] = OLD_FORMATS[options["data_format"]]
    return options


def _references(value: Any) -> tuple[TensorRef, ...]:
    """``["x", 0, 0]``, ``[["x", 0, 0], ...]`` or, in Keras 3, a dict of such by name."""
    if isinstance(value, dict):
        return tuple(ref for part in value.values() for ref in _references(part))
    if value and isinstance(value[0], str):
        return (read_reference(value),)
    return tuple(read_reference(part) for part in value)
