"""What a layer of a Keras architecture is called with: tensors of other layers, and whatever else stands among them.

Keras 1 and 2 write ``[["conv", 0, 0, {"axis": 1}], ...]``: the first argument of the call, with the others by name in
the dict. Keras 3 writes ``{"args": [...], "kwargs": {...}}`` with tensors, arrays and slices as dicts.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from torch import nn

from zoo.errors import ModelError
from zoo.words import counted

__all__ = [
    "Call",
    "TensorRef",
    "check_call",
    "check_tensors",
    "read_calls",
    "read_reference",
    "replaced",
    "shown",
    "snake_case",
    "tensors_in",
]

CONSTANT = "_CONSTANT_VALUE"  # Keras 2's mark of a first argument that is no tensor
STRUCTURED = ("TFOpLambda", "SlicingOpLambda")  # a list of one tensor is a list to them, not the tensor
OFF = {"training", "use_causal_mask", "return_attention_scores"}  # arguments whose False changes nothing
# Layers that do something else in training; inner models and wrappers may hold such.
DIFFER_IN_TRAINING = {
    *("BatchNormalization", "SyncBatchNormalization", "Dropout", "SpatialDropout1D", "SpatialDropout2D"),
    *("GaussianNoise", "GaussianDropout", "AlphaDropout", "LSTM", "GRU", "SimpleRNN", "MultiHeadAttention"),
    *("MultiheadAttention", "Attention", "StochasticShift", "StochasticReverseComplement", "SwitchReverse", "Lambda"),
    *("Bidirectional", "TimeDistributed", "Sequential", "Model", "UnitNormalization", "GroupNormalization"),
}
# Arguments of a call that a layer's builder reads from ``layer.calls``.
READ_BY_BUILDER = {
    "MultiHeadAttention": frozenset({"use_causal_mask", "return_attention_scores"}),
    "Attention": frozenset({"use_causal_mask", "return_attention_scores"}),
    "AdditiveAttention": frozenset({"use_causal_mask", "return_attention_scores"}),
}


class Named(Protocol):
    """What is asked here of a ``LayerConfig``: its name and its class."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...


@dataclass(frozen=True)
class TensorRef:
    """One tensor of the graph: output ``tensor`` of call ``call`` of ``layer``."""

    layer: str
    call: int = 0
    tensor: int = 0


@dataclass(frozen=True)
class Call:
    """One use of a layer.

    Attributes:
        inputs: its tensors: those of ``args``, then those of ``arguments``.
        arguments: what is given by name; a tensor is its ``TensorRef``.
        args: what is given in order: tensors, lists of them, numbers, arrays, slices. None: the inputs, and no more.
    """

    inputs: tuple[TensorRef, ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] | None = None

    @property
    def given(self) -> tuple[Any, ...]:
        """``args``; several inputs without ``args`` are one list, as layers that join tensors take them."""
        if self.args is not None:
            return self.args
        return self.inputs if len(self.inputs) < 2 else (list(self.inputs),)

    def moved(self, change: Callable[[TensorRef], TensorRef]) -> Call:
        """The call with other tensors."""
        args = None if self.args is None else tuple(replaced(list(self.args), change))
        return Call(tuple(change(ref) for ref in self.inputs), replaced(self.arguments, change), args)


def tensors_in(value: Any) -> Iterator[TensorRef]:
    """The tensors of a nested value, in order."""
    if isinstance(value, TensorRef):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(part)


def replaced(value: Any, change: Callable[[TensorRef], Any]) -> Any:
    """The value with each of its tensors changed."""
    if isinstance(value, TensorRef):
        return change(value)
    if isinstance(value, dict):
        return {key: replaced(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [replaced(part, change) for part in value]
    return value


# ---------------------------------------------------------------- reading


def read_calls(nodes: list[Any], kind: str) -> Iterator[Call]:
    """The calls of a layer from its ``inbound_nodes``, of any Keras."""
    for node in nodes:
        if isinstance(node, dict) and "args" in node:
            args = tuple(_value(part) for part in node["args"])
            arguments = {key: _value(part) for key, part in (node.get("kwargs") or {}).items()}
        else:
            args, arguments = _old_node(node, kind)
        yield Call((*tensors_in(args), *tensors_in(arguments)), arguments, args)


def _old_node(node: Any, kind: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    arguments: dict[str, Any] = {}

    def first_argument(entry: Any) -> Any:
        if _is_entry(entry):
            if len(entry) > 3 and entry[3]:
                arguments.update({key: _value(part) for key, part in entry[3].items()})
            return _value(entry[2]) if entry[0] == CONSTANT else read_reference(entry)
        if isinstance(entry, dict):
            return {key: first_argument(part) for key, part in entry.items()}
        if isinstance(entry, list):
            return [first_argument(part) for part in entry]
        raise TypeError(f"{entry!r:.40} is no tensor")

    first = first_argument(node)
    if isinstance(first, list) and len(first) < 2 and kind not in STRUCTURED:
        return tuple(first), arguments
    return (first,), arguments


def _is_entry(value: Any) -> bool:
    """``["conv", 0, 0]`` or ``["conv", 0, 0, {...}]``."""
    if not isinstance(value, list) or len(value) not in (3, 4) or not isinstance(value[0], str):
        return False
    return value[0] == CONSTANT or all(isinstance(part, int) and not isinstance(part, bool) for part in value[1:3])


def _value(value: Any) -> Any:
    """An argument as it stands in the file -> a tensor's place, a number, an array, a slice, or a list of such."""
    if isinstance(value, dict):
        kind, config = value.get("class_name"), value.get("config")
        if kind == "__keras_tensor__":
            return read_reference(config["keras_history"])
        if kind in ("__tensor__", "__numpy__"):
            return np.asarray(config["value"], np.dtype(config["dtype"]))
        if kind == "__slice__" or set(value) == {"start", "stop", "step"}:
            limits = config if kind else value
            return slice(*(_value(limits[key]) for key in ("start", "stop", "step")))
        if kind == "__ellipsis__":
            return Ellipsis
        return {key: _value(part) for key, part in value.items()}
    if _is_entry(value):
        return _value(value[2]) if value[0] == CONSTANT else read_reference(value)
    if isinstance(value, list):
        return [_value(part) for part in value]
    return value


def read_reference(value: Any) -> TensorRef:
    """The place of a tensor from ``["conv", 0, 0]``."""
    name, call, tensor = value[:3]
    if not isinstance(name, str):
        raise TypeError(f"{name!r:.40} is no name of a layer")
    return TensorRef(name, int(call), int(tensor))


# ---------------------------------------------------------------- what is applied or refused; nothing is left aside


def check_call(layer: Named, call: Call) -> None:
    """Refuse what a call of a layer carries besides tensors, unless it changes nothing or the layer's builder reads it.

    Raises:
        ModelError: with the layer's name, its class, and what it is called with.
    """
    tensors = (*tensors_in(list(call.given)), *tensors_in(call.arguments))
    if len(tensors) != len(call.inputs):
        raise _refused(layer, f"{len(tensors)} of its {len(call.inputs)} tensors")
    for part in call.given:
        if isinstance(part, dict):
            raise _refused(layer, f"inputs by the names {', '.join(part)}")
        flat = part if isinstance(part, list) else [part]
        odd = [value for value in flat if not isinstance(value, TensorRef)]
        if odd and part is not None:
            raise _refused(layer, ", ".join(shown(value) for value in odd))
    for key, value in call.arguments.items():
        if not (_says_nothing(layer, key, value) or isinstance(value, TensorRef) or _is_read(layer, key)):
            raise _refused(layer, key, f"{key}={shown(value)}; ")


def _says_nothing(layer: Named, key: str, value: Any) -> bool:
    if (
        value is None
        or (isinstance(value, list) and all(part is None for part in value))
        or (key in OFF and value is False)
    ):
        return True
    return key == "training" and value is True and layer.kind not in DIFFER_IN_TRAINING


def _is_read(layer: Named, key: str) -> bool:
    return key in READ_BY_BUILDER.get(layer.kind, ())


def check_tensors(layer: Named, call: Call, module: nn.Module) -> tuple[str, ...]:
    """Which of the call's tensors are given by name; the module must take all tensors of the call.

    Raises:
        ModelError: more or fewer tensors than the layer takes, or tensors by a name that it does not know.
    """
    names = tuple(key for key, value in call.arguments.items() if isinstance(value, TensorRef))
    parameters = inspect.signature(module.forward).parameters
    if unknown := [name for name in names if name not in parameters]:
        raise _refused(layer, ", ".join(f"a tensor as {name}" for name in unknown))
    extra = [part for part in call.given[1:] if part is not None]
    if extra and any(part.kind is part.VAR_POSITIONAL for part in parameters.values()):
        raise _refused(layer, f"{len(extra) + 1} arguments in place of a list")
    n = len(call.inputs) - len(names)
    try:
        inspect.signature(module.forward).bind(*range(n), **dict.fromkeys(names))
    except TypeError:
        raise _refused(layer, counted(len(call.inputs), "tensor")) from None
    return names


def snake_case(name: str) -> str:
    """``TrueDivide`` -> ``true_divide``, the way Keras makes names of classes."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def shown(value: Any) -> str:
    """A value of a call in an error, cut to a reasonable length."""
    if isinstance(value, TensorRef):
        return f"the output of {value.layer!r}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refused(layer: Named, what: str, detail: str = "") -> ModelError:
    return ModelError(
        f"layer {layer.name!r} ({layer.kind}) is called with {what}, which is not supported",
        f"{detail}left aside, it would give other numbers than Keras",
        "Fix: build the model without it and save it again",
    )
