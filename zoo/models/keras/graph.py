"""The layers built and joined: a Keras model as one ``torch.nn.Module``, run in the order of its graph."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import ModelError
from zoo.models.keras.backends import as_theano, backend_of, json_backend
from zoo.models.keras.calls import Call, TensorRef, check_call, check_tensors, tensors_in
from zoo.models.keras.config import GraphConfig, LayerConfig, parse_config
from zoo.models.keras.files import read_file
from zoo.models.keras.masks import masks_after
from zoo.models.keras.operations import operation
from zoo.models.keras.registry import KINDS, build_layer, check_kinds
from zoo.models.keras.shapes import FoldTime
from zoo.models.keras.weights import arrays_of, check_layers, inner_graph
from zoo.words import counted

__all__ = ["KerasGraph", "build_graph", "load_keras"]


@dataclass(frozen=True)
class Step:
    """One call of one layer; ``module`` is its key in ``KerasGraph.layers``, ``names`` those of its last inputs."""

    module: str
    call: TensorRef
    inputs: tuple[TensorRef, ...]
    names: tuple[str, ...] = ()


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
        self.masked_outputs, self.outermost = False, False
        self._inputs, self._outputs, self._steps = config.inputs, config.outputs, tuple(steps)
        self._last_use = _last_uses(self._steps, config.outputs)

    def forward(self, *inputs: Any) -> Tensor | list[Tensor]:
        given = self._in_order(inputs)
        values: dict[TensorRef, Tensor] = dict(zip(self._inputs, given, strict=True))
        for number, step in enumerate(self._steps):
            parts = [values[ref] for ref in step.inputs]
            n = len(parts) - len(step.names)
            result = self.layers[step.module](*parts[:n], **dict(zip(step.names, parts[n:], strict=True)))
            for tensor, part in enumerate(result if isinstance(result, tuple | list) else (result,)):
                values[TensorRef(step.call.layer, step.call.call, tensor)] = part
            for ref in self._last_use.get(number, ()):
                del values[ref]
        outputs = [values[ref] for ref in self._outputs]
        if self.outermost and not torch.compiler.is_compiling():  # a captured graph is of any number of windows
            _check_batch(len(given[0]), outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _in_order(self, inputs: tuple[Any, ...]) -> Sequence[Tensor]:
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            inputs = tuple(inputs[0].get(name) for name in self.input_names)
        elif len(inputs) == 1 and isinstance(inputs[0], list | tuple):
            inputs = tuple(inputs[0])
        if len(inputs) != len(self._inputs) or any(part is None for part in inputs):
            raise ModelError(
                f"the model takes {counted(len(self._inputs), 'input')}: {', '.join(self.input_names)}",
                f"{len(inputs)} were given",
                "Fix: give them in this order, or as a dict by these names",
            )
        return inputs


def load_keras(weights: str | Path, architecture: str | Path | None = None, backend: str | None = None) -> KerasGraph:
    """Read a Keras model as a torch module in eval mode; no code of the file is run.

    Args:
        weights: HDF5 file or ``.keras`` archive of ``model.save()``, or HDF5 of ``model.save_weights()``.
        architecture: JSON of ``model.to_json()``; needed where the file holds weights only.
        backend: that of the training, ``theano`` or ``tensorflow``, for files that do not tell it.

    Raises:
        ModelError: damaged, of another kind, with layers that are not supported (named), or of a backend that neither
            the file nor ``backend`` tells.
    """
    weights = Path(weights)
    file = read_file(weights)
    text = file.architecture if architecture is None else Path(architecture).read_text(encoding="utf-8")
    if text is None:
        raise ModelError(f"{weights}: holds weights but no architecture", "", "Fix: give the JSON of model.to_json()")
    config = parse_config(text, file.version, str(architecture or weights))
    check_kinds(config, str(weights))
    stored = file.arrays(config)
    check_layers(config, stored, str(weights))
    graph = build_graph(config, stored, str(weights))
    written = file.backend, json_backend(text)
    if backend_of(graph, config, stored, written, file.version, backend, str(weights)) == "theano":
        as_theano(graph)
    graph.outermost = True
    return graph.eval()


def _check_batch(count: int, outputs: Sequence[Tensor]) -> None:
    """A graph that folds positions into the batch and does not unfold them would give numbers to other windows."""
    if odd := [tuple(part.shape) for part in outputs if part.ndim == 0 or len(part) != count]:
        raise ModelError(
            f"the model gives an output of shape {odd[0]} for {counted(count, 'window')}",
            "its first axis should be the windows",
            "Fix: reshape its output so that the batch is the first axis, and save the model again",
        )


def build_graph(config: GraphConfig, stored: Mapping[str, dict[str, np.ndarray]], where: str = "") -> KerasGraph:
    """Build every layer of an architecture with its arrays and join them.

    Args:
        stored: layer name -> its arrays, in Keras's order or, for an inner model, by role.
    """
    modules: dict[str, nn.Module] = {}
    first: dict[str, nn.Module] = {}
    masks: dict[TensorRef, TensorRef] = {}
    steps = []
    for layer, number, call in _in_call_order(config, where):
        key = _module_key(f"{layer.name}_call{number}" if number else layer.name, modules)
        call = _listed(layer, call)
        if layer.operation is not None:
            modules[key] = operation(layer, call)
        elif layer.name not in first:
            check_call(layer, call)
            modules[key] = first[layer.name] = _module(layer, stored.get(layer.name, {}), where)
        else:
            check_call(layer, call)
            # A module of its own for each call, with the same parameters: attributions hook modules.
            owner = first[layer.name]
            modules[key] = copy.deepcopy(owner, {id(part): part for part in (*owner.parameters(), *owner.buffers())})
        names = () if layer.operation else check_tensors(layer, call, modules[key])
        output = TensorRef(layer.name, number)
        used, made = masks_after(layer, _mask_rule(layer), call, masks, output)
        masks |= made
        steps.append(Step(key, output, (*call.inputs, *used.values()), (*names, *used)))
    graph = KerasGraph(config, modules, steps)
    graph.masked_outputs = any(ref in masks for ref in config.outputs)
    return graph


def _mask_rule(layer: LayerConfig) -> str:
    if layer.graph is not None:
        return "refused"
    return "ends" if layer.operation is not None else KINDS[layer.kind].mask


def _module_key(name: str, taken: Mapping[str, nn.Module]) -> str:
    """The layer's name as torch takes it: no dots, and none of torch's own names, such as `double`."""
    key = name.replace(".", "_") or "_"
    while key in taken or hasattr(nn.ModuleDict(), key):
        key += "_"
    return key


def _module(layer: LayerConfig, stored: dict[str, np.ndarray], where: str) -> nn.Module:
    if (graph := inner_graph(layer)) is not None:
        inner = build_graph(graph, arrays_of(layer, stored, where), where)
        if inner.masked_outputs:
            raise ModelError(
                f"layer {layer.name!r} is a model that gives a mask (of a Masking layer or of an Embedding with "
                "mask_zero): not supported",
                "",
                "Fix: save the model without the inner model, its layers among the others",
            )
        return inner if layer.graph is not None else _at_every_position(layer, inner)
    return build_layer(layer, arrays_of(layer, stored, where))


def _listed(layer: LayerConfig, call: Call) -> Call:
    """The call of an inner model with its inputs by name, as one with a list of them in the model's order."""
    if layer.graph is None or len(call.given) != 1 or not isinstance(given := call.given[0], dict):
        return call
    names = [ref.layer for ref in layer.graph.inputs]
    if set(names) != set(given) or not all(isinstance(part, TensorRef) for part in given.values()):
        return call  # check_call refuses it
    parts = [given[name] for name in names]
    return Call((*parts, *tensors_in(call.arguments)), call.arguments, (parts,))


def _at_every_position(layer: LayerConfig, inner: KerasGraph) -> nn.Module:
    if layer.kind != "TimeDistributed" or len(inner.input_names) != 1 or len(inner.output_names) != 1:
        raise ModelError(
            f"layer {layer.name!r} ({layer.kind}) around a model of several inputs or outputs is not supported",
            f"{counted(len(inner.input_names), 'input')}, {counted(len(inner.output_names), 'output')}",
            "Fix: save the model with a layer for each output",
        )
    return FoldTime(inner)


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
                f"{counted(len(waiting), 'call')} left",
                "Fix: the architecture is damaged; save the model again",
            )
        done |= {(layer.name, number) for layer, number, _ in ready}
        order += ready
        waiting = [item for item in waiting if (item[0].name, item[1]) not in done]
    return order


def _last_uses(steps: Sequence[Step], outputs: Sequence[TensorRef]) -> dict[int, tuple[TensorRef, ...]]:
    """Step number -> the tensors that nobody needs after it."""
    last = {ref: number for number, step in enumerate(steps) for ref in step.inputs}
    ends: dict[int, tuple[TensorRef, ...]] = {}
    for ref, number in last.items():
        if ref not in outputs:
            ends[number] = (*ends.get(number, ()), ref)
    return ends
