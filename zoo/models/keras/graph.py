"""The layers built and joined: a Keras model as one ``torch.nn.Module``, run in the order of its graph."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras import layers, sequence_layers, shapes
from zoo.models.keras import sequence_layers as recurrent
from zoo.models.keras.activations import activation_layer, lambda_module
from zoo.models.keras.config import Call, GraphConfig, LayerConfig, TensorRef, parse_config
from zoo.models.keras.weights import LayerArrays, arrays_of, read_arrays

__all__ = ["BUILDERS", "KerasGraph", "build_graph", "build_layer", "load_keras"]

IGNORED_ARGUMENTS = {"training", "mask"}  # of calls: prediction has no training, and masks are not supported anyway


@dataclass(frozen=True)
class Step:
    """One call of one layer; ``module`` is its key in ``KerasGraph.layers``."""

    module: str
    call: TensorRef
    inputs: tuple[TensorRef, ...]


class KerasGraph(nn.Module):
    """A model of Keras. Tensors keep Keras's layout: one-hot sequence is (N, L, 4).

    ``forward`` takes the inputs in the model's order, as several arguments, one list, or a dict by
    ``input_names``. One output is returned as a tensor, several as a list in the order of ``output_names``.
    """

    def __init__(self, config: GraphConfig, modules: Mapping[str, nn.Module], steps: Sequence[Step]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(modules)
        self.input_names = tuple(ref.layer for ref in config.inputs)
        self.output_names = tuple(ref.layer for ref in config.outputs)
        self._inputs, self._outputs, self._steps = config.inputs, config.outputs, tuple(steps)
        self._last_use = _last_uses(self._steps, config.outputs)

    def forward(self, *inputs: Any) -> Tensor | list[Tensor]:
        values: dict[TensorRef, Tensor] = dict(zip(self._inputs, self._in_order(inputs), strict=True))
        for number, step in enumerate(self._steps):
            result = self.layers[step.module](*[values[ref] for ref in step.inputs])
            for tensor, part in enumerate(result if isinstance(result, tuple | list) else (result,)):
                values[TensorRef(step.call.layer, step.call.call, tensor)] = part
            for ref in self._last_use.get(number, ()):
                del values[ref]
        outputs = [values[ref] for ref in self._outputs]
        return outputs[0] if len(outputs) == 1 else outputs

    def _in_order(self, inputs: tuple[Any, ...]) -> Sequence[Tensor]:
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            inputs = tuple(inputs[0].get(name) for name in self.input_names)
        elif len(inputs) == 1 and isinstance(inputs[0], list | tuple):
            inputs = tuple(inputs[0])
        if len(inputs) != len(self._inputs) or any(part is None for part in inputs):
            raise ModelError(
                f"the model takes {len(self._inputs)} input(s): {', '.join(self.input_names)}",
                f"{len(inputs)} were given",
                "Fix: give them in this order, or as a dict by these names",
            )
        return inputs


def load_keras(weights: str | Path, architecture: str | Path | None = None, backend: str | None = None) -> KerasGraph:
    """Read a Keras model as a torch module in eval mode; no code of the file is run.

    Args:
        weights: HDF5 file of ``model.save()`` or ``model.save_weights()``.
        architecture: JSON of ``model.to_json()``; needed where the HDF5 file holds weights only.
        backend: ``theano`` for files that do not name it: kernels of its convolutions are mirrored.

    Raises:
        ModelError: damaged, of another kind, or with layers that are not supported (named).
    """
    weights = Path(weights)
    text, version, written_by = _description(weights)
    if architecture is not None:
        text = Path(architecture).read_text(encoding="utf-8")
    if text is None:
        raise ModelError(f"{weights}: holds weights but no architecture", "", "Fix: give the JSON of model.to_json()")
    config = parse_config(text, version, str(architecture or weights))
    graph = build_graph(config, read_arrays(weights), str(weights))
    if (written_by or backend) == "theano":
        _mirror_kernels(graph)
    return graph.eval()


def _description(path: Path) -> tuple[str | None, str | None, str | None]:
    """Architecture, Keras version and backend that an HDF5 file names."""
    import h5py

    try:
        with h5py.File(path, "r") as handle:
            groups = [handle, *([handle["model_weights"]] if "model_weights" in handle else [])]
            return tuple(_attribute(groups, key) for key in ("model_config", "keras_version", "backend"))
    except OSError as error:
        raise ModelError(f"{path}: is no HDF5 file ({error})", "", "Fix: fetch the file again") from None


def _attribute(groups: Sequence[Any], key: str) -> str | None:
    for group in groups:
        if key in group.attrs:
            value = group.attrs[key]
            return value.decode() if isinstance(value, bytes) else str(value)
    return None


def build_graph(config: GraphConfig, stored: Mapping[str, dict[str, np.ndarray]], where: str = "") -> KerasGraph:
    """Build every layer of an architecture with its arrays and join them.

    Args:
        stored: layer name -> its arrays, in Keras's order or, for an inner model, by role.
    """
    modules: dict[str, nn.Module] = {}
    first: dict[str, nn.Module] = {}
    steps = []
    for layer, number, call in _in_call_order(config, where):
        key = _module_key(f"{layer.name}_call{number}" if number else layer.name, modules)
        if layer.name not in first:
            modules[key] = first[layer.name] = _module(layer, stored.get(layer.name, {}), where)
        else:
            # A module of its own for each call, with the same parameters: attributions hook modules.
            owner = first[layer.name]
            modules[key] = copy.deepcopy(owner, {id(part): part for part in (*owner.parameters(), *owner.buffers())})
        steps.append(Step(key, TensorRef(layer.name, number), call.inputs))
    return KerasGraph(config, modules, steps)


def _module_key(name: str, taken: Mapping[str, nn.Module]) -> str:
    """The layer's name as torch takes it: no dots, and none of torch's own names, such as `double`."""
    key = name.replace(".", "_") or "_"
    while key in taken or hasattr(nn.ModuleDict(), key):
        key += "_"
    return key


def _module(layer: LayerConfig, stored: dict[str, np.ndarray], where: str) -> nn.Module:
    if layer.graph is not None:
        return build_graph(layer.graph, arrays_of(layer, stored, where), where)
    return build_layer(layer, arrays_of(layer, stored, where))


def _in_call_order(config: GraphConfig, where: str) -> list[tuple[LayerConfig, int, Call]]:
    """Calls in an order in which every input is there before it is used."""
    inputs = {ref.layer for ref in config.inputs}
    waiting = [
        (layer, number, call)
        for layer in config.layers
        if layer.name not in inputs
        for number, call in enumerate(layer.calls)
    ]
    done, order = {(name, 0) for name in inputs}, []
    while waiting:
        ready = [item for item in waiting if all((ref.layer, ref.call) in done for ref in item[2].inputs)]
        if not ready:
            raise ModelError(
                f"{where}: the graph cannot be ordered: an input of layer {waiting[0][0].name!r} never comes",
                f"{len(waiting)} call(s) left",
                "Fix: the architecture is damaged; save the model again",
            )
        for layer, number, call in ready:
            _check_arguments(layer, call)
            done.add((layer.name, number))
        order += ready
        waiting = [item for item in waiting if (item[0].name, item[1]) not in done]
    return order


def _check_arguments(layer: LayerConfig, call: Call) -> None:
    surplus = [key for key, value in call.arguments.items() if key not in IGNORED_ARGUMENTS and value is not None]
    if surplus and layer.kind != "TFOpLambda":
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) is called with {', '.join(surplus)}, which is not supported",
            "",
            "Fix: save the model without it",
        )


def _last_uses(steps: Sequence[Step], outputs: Sequence[TensorRef]) -> dict[int, tuple[TensorRef, ...]]:
    """Step number -> the tensors that nobody needs after it."""
    last = {ref: number for number, step in enumerate(steps) for ref in step.inputs}
    ends: dict[int, tuple[TensorRef, ...]] = {}
    for ref, number in last.items():
        if ref not in outputs:
            ends[number] = (*ends.get(number, ()), ref)
    return ends


def _mirror_kernels(graph: nn.Module) -> None:
    """Theano convolves where TensorFlow and torch correlate."""
    kernels = {id(m.weight): m.weight for m in graph.modules() if isinstance(m, nn.Conv1d | nn.Conv2d)}
    for kernel in kernels.values():
        kernel.data = kernel.data.flip(tuple(range(2, kernel.ndim))).contiguous()


# ---------------------------------------------------------------- which kinds of layers there are, and what builds each


Builder = Callable[[LayerConfig, LayerArrays], nn.Module]


class FoldTime(nn.Module):
    """TimeDistributed: the inner module sees every position as an item of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def time_distributed(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """TimeDistributed; a Dense works on the last axis anyway."""
    inner = build_layer(layer.wrapped, arrays)
    return inner if layer.wrapped.kind in ("Dense", "Activation") else FoldTime(inner)


def bidirectional(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """Bidirectional LSTM, GRU or SimpleRNN."""
    sides = [
        build_layer(layer.wrapped, {role.split("/")[1]: a for role, a in arrays.items() if role.startswith(side)})
        for side in ("forward", "backward")
    ]
    return recurrent.BothWays(*sides, layer.options.get("merge_mode", "concat"))


def _each(names: str, builder: Builder) -> dict[str, Builder]:
    return dict.fromkeys(names.split(), builder)


BUILDERS: dict[str, Builder] = {
    **_each("Dense", layers.dense),
    **_each("Conv1D Conv2D ConvDNA ConvSequence", layers.conv),
    **_each("SeparableConv1D", layers.separable_conv),
    **_each("BatchNormalization SyncBatchNormalization", layers.batch_norm),
    **_each("LayerNormalization", layers.layer_norm),
    **_each("PReLU", layers.prelu),
    **_each("Dropout SpatialDropout1D SpatialDropout2D", layers.dropout),
    **_each("InputLayer ActivityRegularization GaussianNoise GaussianDropout AlphaDropout", layers.identity),
    **_each("Activation ReLU LeakyReLU ELU ThresholdedReLU Softmax", lambda layer, arrays: activation_layer(layer)),
    **_each("MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D", shapes.pool),
    **_each("GlobalMaxPooling1D GlobalMaxPooling2D GlobalAveragePooling1D GlobalAveragePooling2D", shapes.global_pool),
    **_each("Flatten", shapes.flatten),
    **_each("Cropping1D", shapes.crop),
    **_each("ZeroPadding1D ZeroPadding2D", shapes.pad),
    **_each("UpSampling1D", shapes.upsample),
    **_each("RepeatVector", shapes.repeat),
    **_each("Reshape", shapes.reshape),
    **_each("Permute", shapes.permute),
    **_each("Add Subtract Multiply Average Maximum Minimum Concatenate", shapes.merge),
    **_each("TimeDistributed", time_distributed),
    **_each("Bidirectional", bidirectional),
    **_each("LSTM GRU SimpleRNN", recurrent.recurrent),
    **_each("Lambda", lambda layer, arrays: lambda_module(layer)),
    **_each("TFOpLambda", sequence_layers.tensorflow_operation),
    **_each("GlobalAveragePooling1D_Mask0", lambda layer, arrays: shapes.MaskedAverage()),
    **_each("SplineWeight1D", sequence_layers.spline_weight),
    **_each("MultiheadAttention", sequence_layers.relative_attention),
    **_each("StochasticShift", layers.identity),
    **_each("StochasticReverseComplement", lambda layer, arrays: sequence_layers.StochasticReverseComplement()),
    **_each("SwitchReverse", lambda layer, arrays: sequence_layers.SwitchReverse()),
}


def build_layer(layer: LayerConfig, arrays: LayerArrays) -> nn.Module:
    """The torch module of a layer.

    Raises:
        ModelError: the kind is not supported, or its options or arrays do not fit.
    """
    if layer.kind not in BUILDERS:
        raise ModelError(
            f"layer {layer.name!r} is of kind {layer.kind!r}, which is not supported",
            f"supported are {', '.join(sorted(BUILDERS))}",
            "Fix: rebuild the model with these layers; custom_objects of a model folder are not run",
        )
    try:
        return BUILDERS[layer.kind](layer, arrays)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) cannot be built: {type(error).__name__}: {error}",
            "",
            "Fix: its options in the architecture are damaged or of an unknown form",
        ) from error
