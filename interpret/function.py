"""Whether a module is a function of one sequence: asked before any number is given of it.

A number that changes when it is asked for again (dropout that is always on, noise, a counter), or with the other
sequences of its batch (normalization by the batch), cannot be explained by any method. Five windows are predicted:

    (a, b)   a beside b
    (a, c)   a at the same place beside another: the same operations in the same order, so the same bits
    (b)      b alone: other kernels, so nearly the same

A layer that is left out once in a hundred times shows in none of these: where the pass has drawn random numbers, it is
made again with others in their place. Only where numbers differ is the computation recorded operation by operation and
compared, to tell rounding from a real difference and to name the first operation that differs.

Where a method makes passes of many sequences anyway, and so few that these five windows would take more than a part of
them, a stranger rides along instead (``Stranger``): in a pass, and once alone.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from interpret.module import check_one_hot, evaluating, fixed_arguments, gradient_of, gradients_on, scalar
from zoo.errors import ModelError
from zoo.genome.encode import Sequences, random_windows

__all__ = ["Stranger", "check_function", "check_gradient"]

#: Of a value's scale: what another kernel's order of additions leaves after many layers.
ROUNDING = 1e-4
#: Bits of the last place that differ where nothing but rounding does.
ULPS = 64
REPEATS = 32  # where numbers are drawn that cannot be replaced
SAMPLED = 4096  # values of a tensor that are compared
#: Methods whose passes are made for no gradient. A module that keeps what it computes is asked as it will be used.
FORWARD_ONLY = frozenset({"ism", "ablation", "marginalize"})
OURS = tuple(str(Path(sys.modules[name].__file__).parent) for name in ("torch", "interpret"))


def check_function(
    module: torch.nn.Module, one_hot: Sequences, batch_size: int | None = None, method: str | None = None
) -> None:
    """Refuse a module that is no function of one sequence.

    Args:
        module: (N, 4, L) -> (N,).
        one_hot: (N, 4, L), of which the first sequence is asked about; without one, nothing is.
        batch_size: sequences a pass that the methods will take; with 1 none has company, and none is given.
        method: what asks. For one of ``FORWARD_ONLY`` passes leave out what a gradient would need: a sixth of the time
            of a recurrent net, whose steps are many and small.

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
        b, c, further = torch.from_numpy(random_windows(3, one_hot.shape[2])).to(device).split(1)
        asked = _Asked(module, further, method in FORWARD_ONLY)
        if batch_size == 1:
            asked.try_other_draws(a)
            asked.compare_again(a, a)
            return
        both = torch.cat([a, b])
        asked.try_other_draws(both)
        asked.compare_again(both, torch.cat([a, c]))
        asked.compare_alone(both, b)


class Stranger:
    """A random window that is predicted second in a pass of other sequences, and once alone.

    Alone it is the first and the last of its batch, here neither. Its bits show noise, a batch that is normalized as
    one, and rows that see others before or behind them. Where they differ at all, or random numbers are drawn,
    ``check_function`` is to be asked, which tells rounding from a real difference and names it.

    Args:
        module: (N, 4, L) -> (N,). x: (N, 4, L) on the module's device, of which the length is taken.

    Attributes:
        window: (1, 4, L). seconds: of the pass in which it was alone, once it was.
    """

    #: Passes of one sequence that take as long as ``check_function``: of two, of two and of one.
    AS_LONG = 5

    def __init__(self, module: torch.nn.Module, x: torch.Tensor) -> None:
        self._module, self._before = module, _generators(x)
        self.window = torch.from_numpy(random_windows(1, x.shape[2])).to(x)
        self.seconds, self._alone = 0.0, torch.empty(0)

    def alone(self, seconds: Callable[[], float]) -> None:
        """Predict it alone, and time it."""
        begin = seconds()
        with torch.inference_mode():
            self._alone = scalar(self._module, self.window).double()
        self.seconds = seconds() - begin

    def differs(self, second: torch.Tensor) -> bool:
        """Whether what it was given second of a pass, (1,) float64, is not what it was given alone, to the bit."""
        return not torch.equal(second, self._alone) or self._before != _generators(self.window)


class _Asked:
    """A module, and what it answered. ``further``: a window that makes three of two, as few other axes are long."""

    def __init__(self, module: torch.nn.Module, further: torch.Tensor, forward_only: bool) -> None:
        self.module, self.further, self.forward_only = module, further, forward_only
        self.paired = torch.empty(0)

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
        """The first answer, and whether it depends on random numbers where any are drawn."""
        before = _generators(x)
        self.paired = self.predict(x)
        drawn = [one != other for one, other in zip(before, _generators(x), strict=True)]
        answers = []
        if drawn[0]:
            for value in (1e-7, 1.0):  # of which the first is finite under a logarithm
                with _Draws(self.module, value) as draws:
                    answers.append(self.watched(x))
            if draws.first is not None and not _same(*answers):
                raise _changes(draws.first, answers[0][0], answers[1][0])
        if any(drawn[1:]):  # of Python or numpy, which are not torch's to replace
            answers = [self.predict(x) for _ in range(REPEATS)]
        for answer in answers[1:]:
            if not _same(answer, answers[0]):
                raise _changes(None, answers[0][0], answer[0])

    def compare_again(self, first: torch.Tensor, second: torch.Tensor) -> None:
        """The first sequence of both, in the same place."""
        other = self.predict(second)
        if _same(self.paired[0], other[0]):
            return
        again = self.predict(first)[0]
        first, second = torch.cat([first, self.further]), torch.cat([second, self.further])
        before, repeats = self.recorded(first, 0), _same(self.paired[0], again)
        if not repeats:
            found = _first_difference(before, self.recorded(first, 0), ROUNDING / 10)
            if found or _distance(self.paired[0], again) > ROUNDING * _scale(self.paired):
                raise _changes(found, self.paired[0], again)
        found = _first_difference(before, self.recorded(second, 0), 0.0 if repeats else ROUNDING)
        apart = _distance(self.paired[0], other[0])
        if apart <= self._rounding() and found is not None and found.apart <= ULPS * torch.finfo(found.dtype).eps:
            return
        if found is not None and found.random:  # too weak to show in every number
            raise _changes(found, self.paired[0], other[0])
        if found or (repeats and apart > self._rounding()):
            raise ModelError(
                f"the model's number for a sequence depends on the others in its batch{_at(found)}",
                f"{float(self.paired[0]):.6g} and {float(other[0]):.6g} for the same sequence in other company",
                "Fix: normalize by running statistics or within each sequence, and let no row see another",
            )

    def compare_alone(self, both: torch.Tensor, last: torch.Tensor) -> None:
        """The last sequence, alone and behind another."""
        alone = self.predict(last)
        if _distance(self.paired[-1], alone[0]) <= self._rounding():
            return
        company = torch.cat([self.further, both])
        found = _first_difference(self.recorded(company, len(company) - 1), self.recorded(last, 0), ROUNDING)
        if found:
            raise ModelError(
                f"the model's number for a sequence depends on how many are in its batch, or on its place{_at(found)}",
                f"{float(alone[0]):.6g} alone and {float(self.paired[-1]):.6g} behind another",
                "Fix: normalize by running statistics or within each sequence, and let no row see another",
            )

    def _rounding(self) -> float:
        return ULPS * torch.finfo(torch.float32).eps * _scale(self.paired)


def _generators(x: torch.Tensor) -> list[object]:
    """What the process's generators will give: torch's, Python's and numpy's."""
    own = torch.cuda.get_rng_state(x.device) if x.is_cuda else torch.get_rng_state()
    _, state, place, *_ = np.random.get_state()
    return [own.numpy().tobytes(), random.getstate(), (state.tobytes(), place)]


def _changes(found: _Operation | None, one: torch.Tensor, other: torch.Tensor) -> ModelError:
    return ModelError(
        f"the model gives another number each time it is asked{_at(found)}",
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


def _at(found: _Operation | None) -> str:
    return "" if found is None else f": first at {found.name}{found.place}"


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
    """Puts one value in the place of all random numbers within. ``first``: where the first of them are drawn."""

    def __init__(self, module: torch.nn.Module, value: float) -> None:
        super().__init__(module)
        self.value, self.first = value, None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.first = self.first or _Operation(str(func), self._inside.place(), [], [], True)
            for value in tree_leaves(found):
                if isinstance(value, torch.Tensor) and value.dtype.is_floating_point:
                    value.fill_(self.value)
        return found


def _first_difference(first: list[_Operation], second: list[_Operation], limit: float) -> _Operation | None:
    """The first operation of two runs that differs by more than ``limit`` of its scale, though it was given the same.

    Where the runs take other ways, what was recorded up to there is compared, and the parting itself is no difference.
    """
    seen = False
    for one, other in zip(first, second, strict=False):
        if one.name != other.name:
            return None
        # What is drawn may stand where some garbage was.
        scale = max([_size(value) for value in (*(() if one.random else one.given), *one.made)], default=0.0)
        given, made = _largest(one.given, other.given), _largest(one.made, other.made)
        if made > limit * scale and (one.random or given <= limit / 10 * scale or not seen):
            one.apart = made / scale if scale else 0.0
            return one
        seen = seen or max(given, made) > limit / 10 * scale
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
        if ends.found is None or (y.requires_grad and gradient_of(y, x) is not None):
            return
    raise ModelError(
        f"the model's output has no gradient: {ends.found}",
        "sequence enters it by steps, as tokens do, or its author has switched gradients off",
        "Fix: --method ism, which needs none",
    )


class _Ends(_Watcher, TorchFunctionMode):
    """Finds the first operation whose arguments have a gradient and whose result has none."""

    WITHOUT_VALUES = ("zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_full")

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__(module)
        self.found: str | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if self.found is None and func.__name__ not in self.WITHOUT_VALUES:
            given, made = list(_tensors((args, kwargs))), list(_tensors(found))
            if made and any(t.requires_grad for t in given) and not any(t.requires_grad for t in made):
                name = resolve_name(func) or getattr(func, "__name__", str(func))
                self.found = f"it ends at {name}{self._inside.place()}"
        return found


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    with contextlib.suppress(TypeError):
        yield from (value for value in tree_leaves(values) if isinstance(value, torch.Tensor))
