"""Whether a module is a function of one sequence: asked before any number is given of it.

A number that changes when it is asked for again (dropout that is always on, noise, a counter), or with the other
sequences of its batch (normalization by the batch), cannot be explained by any method. Passes are made of:

    (a, b)             a beside b
    (a, c)             a at the same place beside another: the same operations in the same order, so the same bits
    (c, a' ..., a, b)  edits of a together, as methods predict them
    (a')               two of its rows alone: other kernels, so nearly the same; of long windows b, and no edits

A layer that is left out once in a hundred times shows in none of these: where the pass has drawn random numbers, of the
process's generators or of the module's own, it is made again with others in their place; where it has changed a number
or a buffer that the module keeps, it is made again some times. Only where numbers differ is the computation recorded
operation by operation and compared, to tell rounding from a real difference and to name the first operation that
differs.

Where a method makes passes of many sequences anyway, and so few that these would take more than a part of them, a
stranger rides along instead (``Stranger``), and one row of the pass is predicted once more, alone.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import random
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from interpret.module import (
    check_one_hot,
    evaluating,
    fixed_arguments,
    gradient_of,
    gradients_on,
    rows_a_pass,
    scalar,
)
from zoo.errors import ModelError
from zoo.genome.encode import Sequences, random_windows
from zoo.words import counted

__all__ = ["Stranger", "check_function", "check_gradient"]

#: Of a value's scale: what another kernel's order of additions leaves after many layers.
ROUNDING = 1e-4
#: Bits of the last place that differ where nothing but rounding does.
ULPS = 64
OF_EFFECTS = 2e-4  # of the spread of a pass's numbers: where they are near one another, bits of the last place matter
REPEATS = 32  # where numbers are drawn that cannot be replaced
RECOUNTS = 8  # where a pass changes what the module keeps
COMPANY = (
    13  # sequences of the pass that is compared with one alone: more than a pair, odd, and few other axes are long
)
SAMPLED = 4096  # values of a tensor that are compared
#: Methods whose passes are made for no gradient. A module that keeps what it computes is asked as it will be used.
FORWARD_ONLY = frozenset({"ism", "ablation", "marginalize"})
OURS = tuple(str(Path(sys.modules[name].__file__).parent) for name in ("torch", "interpret"))


def check_function(
    module: torch.nn.Module,
    one_hot: Sequences,
    batch_size: int | None = None,
    method: str | None = None,
    company: tuple[torch.Tensor, int] | None = None,
) -> None:
    """Refuse a module that is no function of one sequence.

    Args:
        module: (N, 4, L) -> (N,).
        one_hot: (N, 4, L), of which the first sequence is asked about; without one, nothing is.
        batch_size: sequences a pass that the methods will take; with 1 none has company, and none is given.
        method: what asks. For one of ``FORWARD_ONLY`` passes leave out what a gradient would need: a sixth of the time
            of a recurrent net, whose steps are many and small.
        company: a pass (n, 4, L) and one of its rows, which are compared with that row alone in place of edits.

    Raises:
        ModelError: it gives another number each time, or depends on the other sequences of a batch, their number or
            its place among them; names the first operation that differs, its module and line.
        UsageError: it gives more than one number a sequence.
    """
    one_hot = check_one_hot(one_hot)
    if not len(one_hot):
        return
    with evaluating(module) as device, torch.inference_mode(False), torch.no_grad():
        a = torch.from_numpy(one_hot[:1].copy()).to(device)
        b, c, further = torch.from_numpy(random_windows(3, one_hot.shape[2], seed=1)).to(device).split(1)
        asked = _Asked(module, further, method in FORWARD_ONLY)
        if batch_size == 1:
            asked.try_other_draws(a)
            asked.compare_again(a, a)
            return
        both = torch.cat([a, b])
        asked.try_other_draws(both)
        asked.compare_again(both, torch.cat([a, c]))
        size = min(COMPANY, batch_size or COMPANY, rows_a_pass(a.shape[2], device))
        if company is not None:
            asked.compare_alone(*company)
        elif size < 3:  # long windows, of which a pass takes no more
            asked.compare_alone(both, 1, asked.paired)
        else:
            asked.compare_edits(_among_edits(a, b, c, size))


def _among_edits(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, size: int) -> torch.Tensor:
    """A pass of that size: ``c``, then ``a`` and sequences like it, as edits are, then ``b``."""
    shares = (1 / 16, 1 / 2, 1 / 4, 0, 1 / 8, 0, 1 / 4, 0, 0, 0, 1 / 8)[: size - 2]  # of the bases that are another's
    places = torch.arange(a.shape[2], device=a.device)
    edits = [torch.where((places * 7919 + 101 * i) % 1024 < 1024 * share, b, a) for i, share in enumerate(shares)]
    return torch.cat([c, *edits, b])


def _inner(rows: int) -> list[int]:
    """Places in a pass that are neither first nor last, and that every second or third row does not have."""
    return [i for i in range(1, rows - 1) if i % 6 in (1, 5)] or [min(1, rows - 1)]


class Stranger:
    """A random window that rides along second in a pass of other sequences, of which one is predicted once more, alone.

    Alone that row is the first and the last of its batch and has no stranger, in the pass it comes late and is neither.
    Its number shows noise, a batch that is normalized as one, rows that see others before or behind them, and what
    depends on their number or place. Where it differs, or the pass changes what may change a number (``_Memory``),
    ``check_function`` is to be asked, which tells rounding from a real difference and names it.

    Args:
        module: (N, 4, L) -> (N,). x: (N, 4, L) on the module's device, of which the length is taken.

    Attributes:
        window: (1, 4, L). seconds: of the pass in which the row was alone, once it was.
    """

    #: Passes of one sequence that take as long as ``check_function``.
    AS_LONG = 2 + 2 + COMPANY + 1 + 1

    def __init__(self, module: torch.nn.Module, x: torch.Tensor) -> None:
        self._module, self._memory = module, _Memory(module, x)
        self._before = self._memory.now()
        self.window = torch.from_numpy(random_windows(1, x.shape[2], seed=1)).to(x)
        self.seconds, self._alone = 0.0, torch.empty(0)
        self.company: tuple[torch.Tensor, int] | None = None

    def alone(self, seconds: Callable[[], float], company: torch.Tensor, found: torch.Tensor) -> None:
        """Predict a row of a pass (n, 4, L) alone, and time it: a late one, of a large effect on what it gave, (n,)."""
        places = [i for i in _inner(len(company)) if i > 1] or [1]  # where the stranger is
        effects = (found - found[0]).nan_to_num(0, 0, 0)
        # Of those that most have: a rare one the other way may be what all others are held to.
        effects = (effects * effects.sum().sign())[places]
        row = places[int(torch.nonzero(effects >= effects.max() / 2)[-1])]
        self.company, row = (company, row), company[row][None]
        begin = seconds()
        with torch.inference_mode():
            self._alone = scalar(self._module, row).double()
        self.seconds = seconds() - begin

    def differs(self, found: torch.Tensor) -> bool:
        """Whether a pass, (n,) float64, gave that row another number, by more than a little of its effects."""
        given = found[self.company[1]]
        return not _distance(given, self._alone[0]) <= _little(found) or self._before != self._memory.now()


class _Asked:
    """A module, and what it answered. ``further``: a window that makes three of two, as few other axes are long."""

    def __init__(self, module: torch.nn.Module, further: torch.Tensor, forward_only: bool) -> None:
        self.module, self.further, self.forward_only = module, further, forward_only
        self.paired = self.second = torch.empty(0)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(self.forward_only):
            return self.watched(x)

    def watched(self, x: torch.Tensor) -> torch.Tensor:
        """``predict`` where its operations are looked at."""
        return scalar(self.module, x, *fixed_arguments(self.module, x)).double().cpu()

    def recorded(self, x: torch.Tensor, row: int) -> list[_Operation]:
        with _Recorder(self.module, len(x), row) as recorder:
            self.watched(x)
        return recorder.operations

    def try_other_draws(self, x: torch.Tensor) -> None:
        """The first answer, and whether it depends on random numbers where any are drawn, or on what is kept."""
        memory = _Memory(self.module, x)
        before = memory.now()
        self.paired = self.predict(x)
        after = memory.now()
        repeats, drawn = 0, [name for name in before.drawn if before.drawn[name] != after.drawn[name]]
        if before.of_torch != after.of_torch:
            answers = []
            for value in (1e-7, 1.0):  # of which the first is finite under a logarithm
                with _Draws(self.module, value) as draws:
                    answers.append(self.watched(x))
            if draws.first is not None and not _same(*answers):
                raise _changes(draws.first, answers[0][0], answers[1][0])
            repeats = REPEATS if draws.whole else 0
        if drawn:
            self._redraw(x, memory, drawn)
            repeats = REPEATS if memory.cannot_be_set(drawn) else repeats
        answers = [self.predict(x) for _ in range(repeats)]
        for answer in answers[1:]:
            if not _same(answer, answers[0]):
                raise _changes(None, answers[0][0], answer[0], f": it draws from {drawn[0]}" if drawn else "")
        if not repeats and before.kept != after.kept:
            self._recount(x, after)

    def _redraw(self, x: torch.Tensor, memory: _Memory, drawn: list[str]) -> None:
        """Whether it gives the same where Python and numpy draw numbers near 0, and near 1."""
        answers = []
        for word in NEAR_0, NEAR_1:
            with memory.drawing(word):
                answers.append(self.predict(x))
        if not _same(*answers):
            raise _changes(None, answers[0][0], answers[1][0], f": it draws from {drawn[0]}")

    def _recount(self, x: torch.Tensor, before: _Memories) -> None:
        """Whether it gives the same after some passes that change what it keeps."""
        for _ in range(RECOUNTS):
            again = self.predict(x)
            if _distance(self.paired[0], again[0]) > self._rounding():
                first = self.recorded(x, 0)
                others = (self.recorded(x, 0) for _ in range(RECOUNTS))
                found = next(filter(None, (_first_difference(first, one, ROUNDING / 10) for one in others)), None)
                changed = _Memory(self.module, x).now().kept
                name = next((name for name in changed if changed[name] != before.kept.get(name)), "")
                raise _changes(found, self.paired[0], again[0], f": with {name}, which a pass changes")

    def compare_again(self, first: torch.Tensor, second: torch.Tensor) -> None:
        """The first sequence of both, in the same place."""
        other = self.predict(second)
        self.second = other[-1]
        if _same(self.paired[0], other[0]):
            return
        again = self.predict(first)[0]
        three, others = torch.cat([first, self.further]), torch.cat([second, self.further])
        before, repeats = self.recorded(three, 0), _same(self.paired[0], again)
        if not repeats:
            found = _first_difference(before, self.recorded(three, 0), ROUNDING / 10)
            if found or _distance(self.paired[0], again) > ROUNDING * _scale(self.paired):
                raise _changes(found, self.paired[0], again)
        limit = 0.0 if repeats else ROUNDING
        found = _first_difference(before, self.recorded(others, 0), limit)
        if found is None:  # a third may hide it: the largest of all three is then the largest of both pairs
            found = _first_difference(self.recorded(first, 0), self.recorded(second, 0), limit)
        apart = _distance(self.paired[0], other[0])
        if apart <= self._rounding() and found is not None and found.apart <= ULPS * torch.finfo(found.dtype).eps:
            return
        if found is not None and found.random:  # too weak to show in every number
            raise _changes(found, self.paired[0], other[0])
        if found or (repeats and apart > self._rounding()):
            raise ModelError(
                f"the model's number for a sequence depends on the others in its batch{_at(found)}",
                f"{float(self.paired[0]):.8g} and {float(other[0]):.8g} for the same sequence in other company",
                "Fix: normalize by running statistics or within each sequence, and let no row see another",
            )

    def compare_edits(self, company: torch.Tensor) -> None:
        """Of a pass of edits two rows that are also alone, and the first, which was second of a pair before."""
        given = self.predict(company)
        stale = _same(self.second, self.paired[1]) and _distance(given[0], self.second) > ROUNDING * _scale(given)
        if stale and _same(self.predict(company[[-1, 0]]), self.paired):  # what another pair was given
            raise ModelError(
                "the model's number for a sequence depends on what it was asked before",
                f"{float(given[0]):.8g} and {float(self.second):.8g} for the same sequence",
                "Fix: let forward compute it anew for each batch",
            )
        rows = _inner(len(company))
        for row in dict.fromkeys((min(rows, key=lambda i: given[i]), max(rows, key=lambda i: given[i]))):
            self.compare_alone(company, row, given)

    def compare_alone(self, company: torch.Tensor, row: int, given: torch.Tensor | None = None) -> None:
        """A row of a pass, which was ``given`` these numbers, and alone."""
        given = self.predict(company) if given is None else given
        alone = self.predict(company[row : row + 1])[0]
        scale, apart = _scale(given), _distance(given[row], alone)
        if apart <= _little(given):
            return
        before = torch.cat([self.further, company]) if len(company) == 2 else company
        first, second = self.recorded(before, row - len(company)), self.recorded(company[row : row + 1], 0)
        found, why = _first_difference(first, second, ROUNDING), ""
        if found is None and apart > ROUNDING * scale:
            again, why = self.predict(company)[row], _parting(first, second)
            if _distance(given[row], again) > ROUNDING * scale:
                raise _changes(None, given[row], again)
            if not why and len(before) > len(company) and _distance(self.predict(before)[row - 2], alone) < apart / 10:
                why = " "
        if found or why:
            raise ModelError(
                "the model's number for a sequence depends on how many are in its batch, or on its place"
                f"{_at(found) or why.rstrip()}",
                f"{float(alone):.8g} alone and {float(given[row]):.8g} with {counted(len(company) - 1, 'other')}",
                "Fix: normalize by running statistics or within each sequence, and let no row see another",
            )

    def _rounding(self) -> float:
        return ULPS * torch.finfo(torch.float32).eps * _scale(self.paired)


def _changes(found: _Operation | None, one: torch.Tensor, other: torch.Tensor, why: str = "") -> ModelError:
    return ModelError(
        f"the model gives another number each time it is asked{_at(found) or why}",
        f"{float(one):.8g} and {float(other):.8g} for the same sequence",
        "Fix: what is random or counts belongs to training: F.dropout(..., training=self.training)",
    )


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a.nan_to_num(0.125), b.nan_to_num(0.125))


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Infinite where one is not finite and the other is something else."""
    if a.isfinite() and b.isfinite():
        return float((a - b).abs())
    return 0.0 if _same(a, b) else float("inf")


def _scale(values: torch.Tensor) -> float:
    return float(values.nan_to_num(0, 0, 0).abs().max())


def _little(numbers: torch.Tensor) -> float:
    """What rounding leaves: bits of the last place of a pass's numbers, or less where these are near one another."""
    finite = numbers.nan_to_num(0, 0, 0)
    bits = ULPS * torch.finfo(torch.float32).eps * _scale(finite)
    return min(bits, OF_EFFECTS * float(finite.std(correction=0)))


def _at(found: _Operation | None) -> str:
    return "" if found is None else f": first at {found.name}{found.place}"


# ---------------------------------------------------------------- what a pass may change


#: Words of the Mersenne Twister that it gives as numbers near 0, and near 1 (0x400 and 0xfffffbff, tempered).
NEAR_0, NEAR_1 = 0x2004408, 0x10DDDFBB
WORDS = 624


@dataclass
class _Memories:
    """``of_torch``: states of torch's generators. ``drawn``: of the others, by name. ``kept``: numbers and buffers."""

    of_torch: list[bytes]
    drawn: dict[str, bytes]
    kept: dict[str, Any]


class _Memory:
    """What a pass of a module may change: random numbers to come, and what the module keeps.

    Generators are the process's, and those that the module holds or that its functions name.
    """

    def __init__(self, module: torch.nn.Module, x: torch.Tensor) -> None:
        self._device = x.device
        self._parts = dict(module.named_modules())
        own = _own_generators(module)
        self._of_torch = [g for g in own if isinstance(g, torch.Generator)]
        self._others: dict[str, Any] = {"Python's random": random, "numpy.random": np.random}
        for g in own:
            if not isinstance(g, torch.Generator):
                name = f"a {type(g).__module__.split('.')[0]}.{type(g).__name__} of its own"
                self._others[f"{name}{' ' * sum(key.startswith(name) for key in self._others)}"] = g

    def now(self) -> _Memories:
        cuda = self._device.type == "cuda"
        own = torch.cuda.get_rng_state(self._device) if cuda else torch.get_rng_state()
        of_torch = [state.numpy().tobytes() for state in (own, *(g.get_state() for g in self._of_torch))]
        kept: dict[str, Any] = {}
        for name, part in self._parts.items():
            for key, value in _attributes(part).items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    kept[f"{name}.{key}".strip(".")] = value
            for key, buffer in part.named_buffers(recurse=False):
                if not buffer.is_inference():  # which count no versions
                    kept[f"{name}.{key}".strip(".")] = (id(buffer), buffer._version)
        return _Memories(of_torch, {name: _state(g) for name, g in self._others.items()}, kept)

    def cannot_be_set(self, names: list[str]) -> bool:
        """Whether one of these generators is no Mersenne Twister."""
        return any(isinstance(self._others[name], np.random.Generator) for name in names)

    @contextlib.contextmanager
    def drawing(self, word: int) -> Iterator[None]:
        """Generators of Python and numpy begin with numbers near 0, or near 1."""
        twisters = [g for g in self._others.values() if not isinstance(g, np.random.Generator)]
        before = [g.getstate() if hasattr(g, "getstate") else g.get_state() for g in twisters]
        try:
            for g in twisters:
                if hasattr(g, "getstate"):
                    g.setstate((3, (word,) * WORDS + (0,), None))
                else:
                    g.set_state(("MT19937", np.full(WORDS, word, np.uint32), 0, 0, 0.0))
            yield
        finally:
            for g, state in zip(twisters, before, strict=True):
                (g.setstate if hasattr(g, "getstate") else g.set_state)(state)


def _state(generator: Any) -> bytes:
    if isinstance(generator, np.random.Generator):
        return pickle.dumps(generator.bit_generator.state)
    return pickle.dumps(generator.getstate() if hasattr(generator, "getstate") else generator.get_state())


#: What is looked through for generators: how deep, how many values of a container, and whose code is not.
DEEP, MANY = 4, 256
NO_AUTHORS = frozenset({"torch", "numpy", "pydantic", "zoo", "interpret", *sys.stdlib_module_names})
GENERATORS = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)


def _own_generators(module: torch.nn.Module) -> list[Any]:
    """Generators that a module's parts hold, or that their author's functions hold or name."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [(part, 0) for part in module.modules()]
    while waiting:
        value, depth = waiting.pop()
        if id(value) in seen or depth > DEEP:
            continue
        seen.add(id(value))
        if not isinstance(value, GENERATORS):
            waiting += [(held, depth + 1) for held in _held(value)]
        elif not isinstance(value, random.SystemRandom):  # which has no state
            found[id(value)] = value
    return [g for g in found.values() if g is not random._inst and g is not np.random.mtrand._rand]


def _held(value: Any) -> list[Any]:
    """What an object holds; of a function what it encloses and names; nothing of code that is not an author's."""
    if isinstance(value, dict):
        return list(value.values())[:MANY]
    if isinstance(value, list | tuple | set):
        return list(value)[:MANY]
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, types.FunctionType):
        return [] if _is_foreign(value) else _named(value)
    if isinstance(value, type):
        return [] if _is_foreign(value) else list(vars(value).values())
    own = () if _is_foreign(type(value)) and not isinstance(value, torch.nn.Module) else _attributes(value).values()
    return [*own, *(kind for kind in type(value).__mro__ if not _is_foreign(kind))]


def _named(function: types.FunctionType) -> list[Any]:
    enclosed = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # not filled yet
            enclosed.append(cell.cell_contents)
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [*enclosed, *defaults, *(function.__globals__.get(name) for name in function.__code__.co_names)]


def _attributes(value: Any) -> dict[str, Any]:
    """Of an object, whatever its class makes of attributes that are asked for."""
    try:
        return dict(object.__getattribute__(value, "__dict__"))
    except AttributeError:
        return {}


def _is_foreign(value: Any) -> bool:
    """Whether a class or function is none of an author's."""
    return str(getattr(value, "__module__", None)).partition(".")[0] in NO_AUTHORS


# ---------------------------------------------------------------- a computation, operation by operation


@dataclass
class _Operation:
    """One operation of a forward pass, as it was for one row.

    Attributes:
        name: of the operation. place: module and source line, for messages.
        given, made: samples of the values of its tensors before it and of its results; None where the row is not known.
        random: whether it draws random numbers.
        apart: filled by ``_first_difference``: the difference of its results, of their scale.
    """

    name: str
    place: str
    given: list[torch.Tensor | None]
    made: list[torch.Tensor | None]
    random: bool
    apart: float = 0.0

    @property
    def dtype(self) -> torch.dtype:
        return next((value.dtype for value in self.made if value is not None), torch.float32)


class _Inside:
    """Which module a forward pass is in, and at which line of its author's."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._names = {id(part): name for name, part in module.named_modules()}
        self._stack: list[str] = []
        self._handles: list[Any] = []

    def __enter__(self) -> _Inside:
        hooks = torch.nn.modules.module
        self._handles = [
            hooks.register_module_forward_pre_hook(self._enter),
            hooks.register_module_forward_hook(self._leave, always_call=True),
        ]
        return self

    def _enter(self, part: torch.nn.Module, given: Any) -> None:
        self._stack.append(self._names.get(id(part), ""))

    def _leave(self, part: torch.nn.Module, given: Any, made: Any) -> None:
        self._stack.pop()

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()

    def place(self) -> str:
        """Module and line, to follow the name of an operation."""
        where = next((name for name in reversed(self._stack) if name), "")
        module = f" in module {where}" if where else ""
        frame = sys._getframe(1)
        while frame is not None:
            file = frame.f_code.co_filename
            if not file.startswith(OURS) and not file.startswith("<"):
                return f"{module} ({file}:{frame.f_lineno})"
            frame = frame.f_back
        return module


class _Watcher:
    """A mode of torch that knows where in a module it is; stands before the mode among a class's bases."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self._inside = _Inside(module)

    def __enter__(self) -> Self:
        self._inside.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._inside.__exit__(*error)


class _Recorder(_Watcher, TorchDispatchMode):
    """Records every operation within, of a batch of ``rows`` what one row has of it."""

    def __init__(self, module: torch.nn.Module, rows: int, row: int) -> None:
        super().__init__(module)
        self.rows, self.row = rows, row
        self.operations: list[_Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = self._samples((args, kwargs))
        found = func(*args, **(kwargs or {}))
        made = self._samples(found)
        if made and not func.__name__.startswith(("empty", "new_empty")):  # whatever lay in memory before
            random = torch.Tag.nondeterministic_seeded in func.tags
            self.operations.append(_Operation(str(func), self._inside.place(), given, made, random))
        return found

    def _samples(self, values: Any) -> list[torch.Tensor | None]:
        return [self._sample(value) for value in tree_leaves(values) if isinstance(value, torch.Tensor)]

    def _sample(self, value: torch.Tensor) -> torch.Tensor | None:
        if not value.dtype.is_floating_point or value.layout is not torch.strided or value.is_meta:
            return None
        axis = next((axis for axis, size in enumerate(value.shape) if size and size % self.rows == 0), None)
        if self.rows > 1 and axis is None:
            return None
        if axis is not None and value.shape[0] == self.rows:
            flat = value[self.row].reshape(-1)
        elif axis is not None and self.rows > 1:
            return None
        else:
            flat = value.reshape(-1)
        if flat.numel() > SAMPLED:
            draw = torch.Generator().manual_seed(flat.numel())
            flat = flat[torch.randint(flat.numel(), (SAMPLED,), generator=draw).to(flat.device)]
        return flat.clone()


class _Draws(_Watcher, TorchDispatchMode):
    """Puts one value in the place of all random numbers within.

    ``first``: where the first of them are drawn. ``whole``: some are whole numbers, which are left as they are.
    """

    def __init__(self, module: torch.nn.Module, value: float) -> None:
        super().__init__(module)
        self.value, self.first, self.whole = value, None, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.first = self.first or _Operation(str(func), self._inside.place(), [], [], True)
            for value in tree_leaves(found):
                if isinstance(value, torch.Tensor) and value.dtype.is_floating_point:
                    value.fill_(self.value)
                elif isinstance(value, torch.Tensor):
                    self.whole = True
        return found


def _parting(first: list[_Operation], second: list[_Operation]) -> str:
    """Where two runs take other ways, for a message; empty where they do not."""
    for one, other in zip(first, second, strict=False):
        if one.name != other.name:
            return f": its operations are others from {one.name}{one.place} on"
    return "" if len(first) == len(second) else ": its operations are others"


def _first_difference(first: list[_Operation], second: list[_Operation], limit: float) -> _Operation | None:
    """The first operation of two runs that differs by more than ``limit`` of its scale, though it was given the same.

    Where the runs take other ways, what was recorded up to there is compared, and the parting itself is no difference.
    """
    seen, rounded = False, 0.0
    for one, other in zip(first, second, strict=False):
        if one.name != other.name:
            return None
        # What is drawn may stand where some garbage was.
        scale = max([_size(value) for value in (*(() if one.random else one.given), *one.made)], default=0.0)
        given, made = _largest(one.given, other.given), _largest(one.made, other.made)
        unexplained = not seen and given > 10 * rounded  # nor the rounding of what was large
        if made > limit * scale and (one.random or given <= limit / 10 * scale or unexplained):
            one.apart = made / scale if scale else 0.0
            return one
        seen, rounded = seen or max(given, made) > limit / 10 * scale, max(rounded, made)
    return None


def _size(value: torch.Tensor | None) -> float:
    return 0.0 if value is None or not value.numel() else float(value.nan_to_num(0, 0, 0).abs().max())


def _largest(first: list[torch.Tensor | None], second: list[torch.Tensor | None]) -> float:
    found = 0.0
    for one, other in zip(first, second, strict=False):
        if one is not None and other is not None and one.shape == other.shape and one.numel():
            found = max(found, float((one - other).nan_to_num(0, 0, 0).abs().max()))
    return found


# ---------------------------------------------------------------- whether there is a gradient


def check_gradient(module: torch.nn.Module, one_hot: np.ndarray) -> None:
    """Refuse a module whose output depends on the sequence, but has no gradient.

    Raises:
        ModelError: names the operation that ends the gradient: a choice of places such as ``argmax``, or ``no_grad``.
    """
    with evaluating(module) as device, gradients_on():
        x = torch.from_numpy(check_one_hot(one_hot)[:1].copy()).to(device).requires_grad_(True)
        fixed = fixed_arguments(module, x)
        with _Ends(module) as ends:
            y = scalar(module, x, *fixed)
        if y.requires_grad and gradient_of(y, x) is not None:
            return
        if ends.found is None and ends.chosen is None:
            with torch.no_grad():
                others = torch.from_numpy(random_windows(8, x.shape[2], seed=1)).to(device)
                found = scalar(module, others, *(one.expand(len(others), *one.shape[1:]) for one in fixed))
            if _same(found, y.detach().expand(len(others))):
                return  # a constant
    where = ends.found or ends.chosen
    raise ModelError(
        f"the model's output has no gradient{f': it ends at {where}' if where else ''}",
        "sequence enters it by steps, as tokens do, or its author has switched gradients off",
        "Fix: --method ism, which needs none",
    )


class _Ends(_Watcher, TorchFunctionMode):
    """Finds the first operation whose arguments have a gradient and whose result has none.

    ``chosen``: one whose results have a gradient but for places among them, which are all that may be read.
    """

    WITHOUT_VALUES = ("zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_full")

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__(module)
        self.found: str | None = None
        self.chosen: str | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if self.found is None and func.__name__ not in self.WITHOUT_VALUES:
            given, made = list(_tensors((args, kwargs))), list(_tensors(found))
            without = [not t.requires_grad for t in made]
            if any(without) and any(t.requires_grad for t in given):
                where = f"{resolve_name(func) or getattr(func, '__name__', str(func))}{self._inside.place()}"
                if all(without):
                    self.found = where
                else:
                    self.chosen = self.chosen or where
        return found


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    with contextlib.suppress(TypeError):
        yield from (value for value in tree_leaves(values) if isinstance(value, torch.Tensor))
