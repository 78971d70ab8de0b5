"""One number a sequence out of a model's named outputs: which output, tracks and bins, and how they are added up."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from torch import fx

from interpret.capture import capture
from interpret.function.check import check_function
from interpret.module import PROTOCOL, declared, evaluating, in_full_float32, own_dtypes, refuse_few_bits
from interpret.references import References
from zoo.errors import InputError, ModelError, UsageError, ZooError
from zoo.genome.encode import Sequences, as_one_hot
from zoo.models.array_model import ArrayModel
from zoo.models.foreign_python import blame, call_module
from zoo.models.loaded import LoadedModel, as_list
from zoo.outputs import OutputSpec, choose_tracks, first_of, track_patterns
from zoo.words import counted, counted_of

__all__ = [
    "REDUCTIONS",
    "Explained",
    "Target",
    "TargetModule",
    "choose_target",
    "explained_module",
    "of_a_model",
    "without_last_activation",
]

REDUCTIONS = ("sum", "max", "profile")


@dataclass(frozen=True)
class Target:
    """What is explained.

    Attributes:
        output: the model's output.
        channels: positions of the chosen tracks; their numbers are added.
        bins: half-open range of bins, or None for all.
        reduction: ``sum`` or ``max`` over bins, or ``profile``: bins less their mean, weighted by the softmax of
            the observed sequence's profile (BPNet, Avsec et al. 2021, doi:10.1038/s41588-021-00782-6).
    """

    output: OutputSpec
    channels: tuple[int, ...]
    bins: tuple[int, int] | None = None
    reduction: str = "sum"

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the chosen tracks."""
        return tuple(self.output.tracks[i] for i in self.channels)

    def mirrored(self, partner: Sequence[int] | None) -> Target:
        """The same number of the other strand: bins from the other end, tracks of the other strand."""
        bins = None if self.bins is None else (self.output.n_bins - self.bins[1], self.output.n_bins - self.bins[0])
        channels = self.channels if partner is None else tuple(int(partner[i]) for i in self.channels)
        return dataclasses.replace(self, bins=bins, channels=channels)


def choose_target(
    outputs: Sequence[OutputSpec],
    output: str | None = None,
    tracks: Sequence[str] = (),
    bins: str | tuple[int, int] | None = None,
    reduction: str = "sum",
) -> Target:
    """Resolve ``--output``, ``--tracks``, ``--bins`` and ``--reduce``.

    Args:
        tracks: names, globs or numbers, as ``zoo predict`` takes them.
        bins: ``a:b`` or ``(a, b)``, half-open, from 0.

    Raises:
        UsageError: nothing or too little was chosen of a model with several outputs or tracks; lists the choices.
    """
    if reduction not in REDUCTIONS:
        raise UsageError(f"--reduce {reduction}: not known", "", f"Fix: one of {', '.join(REDUCTIONS)}")
    chosen = [spec for spec in outputs if output in (None, spec.name)]
    if not chosen:
        raise UsageError(f"--output {output}: no such output", _choices(outputs), f"Fix: --output {outputs[0].name}")
    choice = choose_tracks(chosen, tracks)
    if len(choice.outputs) > 1:
        raise UsageError(
            "the model has several outputs; attributions explain one",
            _choices(choice.outputs),
            f"Fix: --output {choice.outputs[0].name}",
        )
    spec = next(s for s in outputs if s.name == choice.outputs[0].name)
    channels = choice.channels[spec.name]
    if channels is None and len(spec.tracks) > 1:
        raise UsageError(
            f"the output {spec.name!r} has {counted(len(spec.tracks), 'track')}; attributions explain one number",
            _choices([spec]),
            f"Fix: --tracks {spec.tracks[0]!r}, or --tracks '*' for the sum of all",
        )
    numbers = tuple(range(len(spec.tracks))) if channels is None else tuple(int(i) for i in channels)
    if reduction == "profile" and spec.kind != "profile":
        raise UsageError(f"--reduce profile: the output {spec.name!r} has no bins", "", "Fix: --reduce sum")
    return Target(spec, numbers, _parse_bins(bins, spec), reduction)


def _choices(outputs: Sequence[OutputSpec]) -> str:
    return f"choices: {'; '.join(f'{spec.name} ({first_of(spec.tracks)})' for spec in outputs)}"


def _parse_bins(bins: str | tuple[int, int] | None, spec: OutputSpec) -> tuple[int, int] | None:
    if bins is None:
        return None
    text = ":".join(map(str, bins)) if isinstance(bins, tuple | list) else str(bins)
    found = re.fullmatch(r"(\d*):(\d*)", text)
    if found and spec.kind == "profile":
        low, high = int(found[1] or 0), int(found[2] or spec.n_bins)
        if low < high <= spec.n_bins:
            return low, high
    if spec.kind != "profile":
        raise UsageError(f"--bins {text}: the output {spec.name!r} has no bins", "", "Fix: leave out --bins")
    middle = spec.n_bins // 2
    raise UsageError(
        f"--bins {text}: no range of the {spec.n_bins} bins of {spec.name!r}",
        "",
        f"Fix: --bins {max(0, middle - 1)}:{middle + 1}, say",
    )


class TargetModule(torch.nn.Module):
    """A loaded model and a target as a module (N, 4, L) -> (N,).

    Attributes:
        explained: ``"logits"`` or ``"predictions"``.
    """

    zoo_explain: ClassVar = {"fixed": "weights"}

    def __init__(self, model: LoadedModel, target: Target, logits: torch.nn.Module | None, alone: bool = False) -> None:
        """``logits`` gives what the model's module does, or with ``alone`` the target's output and no other."""
        super().__init__()
        self.model, self.target = model, target
        self.module, self.inner = model.module, logits
        self.explained = "predictions" if logits is None else "logits"
        outputs = (target.output,) if alone else model.outputs
        self._naming = LoadedModel(model.name, model.module, model.loader, outputs)
        self._called = logits.called if isinstance(logits, _Logits) else None

    def values(self, x: torch.Tensor) -> torch.Tensor:
        """The chosen tracks and bins, (N, tracks, bins)."""
        arranged = _arranged(self.model, x)
        module = self.module if self.inner is None else self.inner
        named = self._named(module, arranged) if self._called is None else self._named_by_author(module, arranged)
        found = named[self.target.output.name]
        found = found.unsqueeze(2) if found.ndim == 2 else found
        if self.target.channels != tuple(range(found.shape[1])):
            found = found[:, list(self.target.channels)]
        return found if self.target.bins is None else found[:, :, slice(*self.target.bins)]

    def _named(self, module: torch.nn.Module, arranged: torch.Tensor) -> dict[str, torch.Tensor]:
        return self._naming.named(call_module(module, arranged, self.model.name))

    def _named_by_author(self, module: torch.nn.Module, arranged: torch.Tensor) -> dict[str, torch.Tensor]:
        """What a declared method gives; its faults are its own, not the card's, and ``zoo test`` does not call it."""
        fix = f"{PROTOCOL} names a method (x) that returns what forward(x) does, before its last activation"
        what = f"{self.model.name}: {self._called}, which {PROTOCOL} names,"
        with blame(what, f"on an input of shape {tuple(arranged.shape)}", fix):
            found = module(arranged)
        try:
            return self._naming.named(found)
        except ZooError as error:
            own = error.what.removeprefix(f"{self.model.name}: ")
            raise ModelError(f"{what} gives something else than forward: {own}", error.extent, f"Fix: {fix}") from error

    def weights(self, x: torch.Tensor) -> torch.Tensor | None:
        """Softmax of the profile of each observed sequence; None where bins are not weighted."""
        return self.values(x).softmax(2) if self.target.reduction == "profile" else None

    def forward(self, x: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        found = self.values(x)
        if self.target.reduction == "max":
            found = found.amax(2)
        elif self.target.reduction == "profile":
            weights = found.softmax(2) if weights is None else weights
            found = ((found - found.mean(2, keepdim=True)) * weights).sum(2)
        return found.flatten(1).sum(1)


def _arranged(model: LoadedModel, x: torch.Tensor) -> torch.Tensor:
    """(N, 4, L) as the model's module takes it."""
    arranged = model.loader.arrange(x)
    return arranged if model.loader.dtype == "float32" else arranged.to(getattr(torch, model.loader.dtype))


class _Logits(torch.nn.Module):
    """A module whose author declares a method that gives logits (``interpret.module``)."""

    def __init__(self, module: torch.nn.Module, method: Callable[..., Any]) -> None:
        super().__init__()
        self.module, self.method = module, method
        self.called = getattr(method, "__name__", type(method).__name__)

    def forward(self, x: torch.Tensor) -> Any:
        return self.method(x)


def explained_module(model: LoadedModel, target: Target, explain: str = "logits") -> tuple[TargetModule, list[str]]:
    """The module to explain, and notes for the user.

    Logits are explained where there are any: what the method gives that the module's ``zoo_explain`` declares, else
    what enters the output's last activation. Predictions are, with a note, where none is found.
    """
    if explain == "predictions":
        return TargetModule(model, target, None), []
    if model.loader.dtype not in ("float32", "float64"):
        raise ModelError(
            f"{model.name}: takes {model.loader.dtype}, which has no gradient",
            "",
            "Fix: --method ism --explain predictions",
        )
    if declared(model.module, "fixed") is not None:
        raise ModelError(
            f"{model.name}: {PROTOCOL} declares a second argument of forward",
            "a model of an entry is called with sequence alone",
            f'Fix: take "fixed" out of {PROTOCOL}',
        )
    if (method := declared(model.module, "logits")) is not None:
        return TargetModule(model, target, _Logits(model.module, method)), []
    found = without_last_activation(model, target.output)
    if found is not None:
        inner, activation = found
        note = f"the values before the model's last {activation} are explained"
        return TargetModule(model, target, inner, alone=True), [note]
    note = "no last activation was found: predictions are explained as they are"
    if inspect.ismethod(getattr(model.module, "logits", None)):  # looked at, not called
        note += f'; if its method `logits` gives what is meant, declare it: {PROTOCOL} = {{"logits": "logits"}}'
    return TargetModule(model, target, None), [note]


# ---------------------------------------------------------------- a method, asked of a loaded model

Explained: TypeAlias = "LoadedModel | torch.nn.Module"
#: The keywords that ``of_a_model`` adds to a method.
CHOOSING = {"output": None, "tracks": (), "bins": None, "reduce": "sum", "explain": "logits"}


def of_a_model(method: Callable[..., np.ndarray], *, asks_itself: bool = False) -> Callable[..., np.ndarray]:
    """Let a method of a module and one-hot sequences take a loaded model, and letters.

    What is explained is asked first whether it is a function of one sequence, unless the method ``asks_itself``.

    It gets the keywords ``output, tracks, bins, reduce, explain`` of ``zoo attribute``: which number of the model is
    explained. References that are not given are shuffles in the model's own encoding of unknown bases.

    Raises (the method that is returned):
        UsageError: no module or loaded model; nothing, or too little, was chosen of a model's outputs; a choice for a
            bare module, which gives one number already; sequences of another length.
        InputError: letters that are no bases; unknown bases for a bare module, which does not say what they are.
        ModelError: the model is no function of one sequence (``interpret.function``), or fails on sequences; a bare
            module of half precision; what is found is not finite.
    """
    given = inspect.signature(method)
    names = list(given.parameters)
    choosing = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default) for name, default in CHOOSING.items()
    ]

    @functools.wraps(method)
    def asked(*args: Any, **options: Any) -> np.ndarray:
        choice = {name: options.pop(name, default) for name, default in CHOOSING.items()}
        bound = given.bind(*args, **options)
        model, sequences = bound.arguments[names[0]], bound.arguments[names[1]]
        if isinstance(model, LoadedModel):
            bound.arguments[names[0]] = _module_of(model, choice)
            n_value = model.loader.n_value
            bound.arguments[names[1]] = as_one_hot(sequences, model.length, n_value, model.name)
            if "references" in names and bound.arguments.get("references") is None:
                bound.arguments["references"] = References(n_value=n_value)
        else:
            _check_module(model, choice, method.__name__)
            if isinstance(model, torch.jit.ScriptModule):  # takes no hooks
                bound.arguments[names[0]] = _Scripted(model)
            bound.arguments[names[1]] = _of_known_bases(sequences)
        with in_full_float32():
            if not asks_itself:
                check_function(bound.arguments[names[0]], bound.arguments[names[1]], method=method.__name__)
            found = method(*bound.args, **bound.kwargs)
        return _finite(found, method.__name__)

    asked.__signature__ = given.replace(parameters=[*given.parameters.values(), *choosing])
    return asked


class _Scripted(torch.nn.Module):
    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.script = script

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.script(x)


def _module_of(model: LoadedModel, choice: dict[str, Any]) -> TargetModule:
    tracks = track_patterns(choice["tracks"])
    target = choose_target(model.outputs, choice["output"], tracks, choice["bins"], choice["reduce"])
    if choice["explain"] not in ("logits", "predictions"):
        raise UsageError(f"explain {choice['explain']!r}: not known", "", "Fix: 'logits' or 'predictions'")
    return explained_module(model, target, choice["explain"])[0]


def _check_module(model: Any, choice: dict[str, Any], method: str) -> None:
    if isinstance(model, torch.nn.Module):
        if chosen := [name for name, default in CHOOSING.items() if choice[name] != default]:
            raise UsageError(
                f"{chosen[0]}={choice[chosen[0]]!r}: is a choice among the outputs of a loaded model",
                "a bare module is explained as it is: (N, 4, L) -> (N,)",
                "Fix: give what zoo.load_model returns, or let the module return the number that is meant",
            )
        if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
            raise ModelError("the module has no weights: they are on torch's device `meta`", "", "Fix: load them")
        refuse_few_bits(own_dtypes(model), "explain copy.deepcopy(module).float()")
        return
    if isinstance(model, str | Path):
        raise UsageError(
            f"{str(model)!r} is a name, no model", "", f"Fix: {method}(zoo.load_model({str(model)!r}), sequences)"
        )
    if isinstance(model, ArrayModel):
        raise UsageError(
            f"{model.name} takes the arrays of its own dataloader",
            "attributions explain functions of one-hot sequence",
            "Fix: explain another model, or its torch module wrapped as (N, 4, L) -> (N,)",
        )
    if callable(model):
        raise UsageError(
            f"{getattr(model, '__name__', type(model).__name__)} is a function, no torch.nn.Module",
            "its parameters, mode and operations cannot be seen",
            "Fix: call it in the forward of a module: class Wrapped(torch.nn.Module): def forward(self, x): ...",
        )
    raise UsageError(
        f"{type(model).__name__} where a model is expected", "", "Fix: give what zoo.load_model returns, or a module"
    )


#: Methods that take no gradient.
PREDICTING = frozenset({"ism", "ablation", "marginalize"})


def _finite(found: np.ndarray, method: str) -> np.ndarray:
    """What a method found, if it is numbers."""
    if np.isfinite(found).all():
        return found
    wrong = int((~np.isfinite(found.reshape(len(found), -1))).any(1).sum())
    extent = counted_of(wrong, len(found), "sequence")
    if method in PREDICTING:
        why, fix = "predictions of them, or of what they are changed into, are not finite", "correct the model"
    else:
        why = "a root or logarithm of 0 has no gradient"
        fix = "look at the model's predictions of them; where these are finite, --method ism needs no gradient"
    raise ModelError(f"{method} finds values that are not finite", f"{extent}; {why}", f"Fix: {fix}")


def _of_known_bases(sequences: Sequences) -> np.ndarray | torch.Tensor:
    """One-hot as it is; letters of known bases, since a bare module does not say what an unknown one is."""
    found = as_one_hot(sequences, n_value=float("nan"), taker="the method")
    if found is sequences or isinstance(found, torch.Tensor):
        return found
    unknown = np.isnan(found).any(1)
    if len(unknown) and unknown.any() and _are_letters(sequences):
        row, column = (int(first) for first in np.argwhere(unknown)[0])
        raise InputError(
            f"sequences[{row}][{column}] is an unknown base, and a bare module does not say how it takes these",
            f"{counted(int(unknown.sum()), 'unknown base')} in "
            f"{counted_of(int(unknown.any(1).sum()), len(unknown), 'sequence')}",
            "Fix: give one-hot arrays, or what zoo.load_model returns",
        )
    return found


def _are_letters(sequences: Any) -> bool:
    return not isinstance(sequences, np.ndarray) or sequences.dtype.kind in "OSTU"


# ---------------------------------------------------------------- logits: what enters a model's last activation


ACTIVATIONS = frozenset(
    {
        "exp",
        "sigmoid",
        "softmax",
        "_softmax",
        "softplus",
        "log_softmax",
        "_log_softmax",
        "relu",
        "tanh",
        "expm1",
    }
)
#: Operations that only rearrange: the activation may stand before them.
VIEWS = frozenset(
    {
        "view",
        "_unsafe_view",
        "reshape",
        "flatten",
        "unflatten",
        "permute",
        "transpose",
        "t",
        "squeeze",
        "unsqueeze",
        "select",
        "slice",
        "clone",
        "contiguous",
        "alias",
        "detach",
        "index_select",
    }
)


class _Part(torch.nn.Module):
    """One of a model's outputs as its module gives it, for a graph of that output alone."""

    def __init__(self, model: LoadedModel, output: OutputSpec) -> None:
        super().__init__()
        self.module, self.model, self.place = model.module, model, model.outputs.index(output)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        parts = as_list(self.module(x), self.model.outputs)
        if len(parts) != len(self.model.outputs):
            raise ValueError(counted(len(parts), "output"))  # what calls the module says it in full
        return (parts[self.place],)


def without_last_activation(model: LoadedModel, output: OutputSpec) -> tuple[torch.nn.Module, str] | None:
    """A module that gives one output without its last activation, and that activation's name.

    None where this output does not end with one, or where the computation cannot be captured.
    """
    with evaluating(model.module) as device:
        example = _arranged(model, torch.full((3, 4, model.length), 0.25, device=device))
        try:
            graph_module = capture(_Part(model, output), example).graph_module
        except ModelError:
            return None
    last = next(node for node in graph_module.graph.nodes if node.op == "output")
    removed = _remove(last.args[0][0])
    if removed is None:
        return None
    graph_module.graph.eliminate_dead_code()
    # Anew, since an exported module refuses eval(), which every method calls.
    return fx.GraphModule(graph_module, graph_module.graph).eval(), removed


def _remove(node: fx.Node) -> str | None:
    """Take the activation behind an output out of the graph; its name, or None when there is none."""
    while isinstance(node, fx.Node) and node.op == "call_function" and len(node.users) == 1:
        schema = getattr(node.target, "_schema", None)
        name = schema.name.rpartition("::")[2] if schema is not None else ""
        if name in ACTIVATIONS:
            node.replace_all_uses_with(node.args[0])
            return name.strip("_")
        if name not in VIEWS:
            return None
        node = node.args[0]
    return None
