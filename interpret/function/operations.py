"""A forward pass, operation by operation: which is the first that differs between two, and at whose line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["Draws", "Operation", "Recorder", "Watcher", "first_difference", "parting", "same"]

SAMPLED = 4096  # values of a tensor that are compared
OURS = tuple(str(Path(sys.modules[name].__file__).parent) for name in ("torch", "interpret"))


@dataclass
class Operation:
    """One operation of a forward pass, as it was for one row.

    Attributes:
        name: of the operation. place: module and source line, for messages.
        given, made: samples of the values of its tensors before it and of its results; None where the row is not known.
        random: whether it draws random numbers.
        apart: filled by ``first_difference``: the difference of its results, of their scale.
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


class Watcher:
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


class Recorder(Watcher, TorchDispatchMode):
    """Records every operation within, of a batch of ``rows`` what one row has of it."""

    def __init__(self, module: torch.nn.Module, rows: int, row: int) -> None:
        super().__init__(module)
        self.rows, self.row = rows, row
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = self._samples((args, kwargs))
        found = func(*args, **(kwargs or {}))
        made = self._samples(found)
        if made and not func.__name__.startswith(("empty", "new_empty")):  # whatever lay in memory before
            random = torch.Tag.nondeterministic_seeded in func.tags
            self.operations.append(Operation(str(func), self._inside.place(), given, made, random))
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


class Draws(Watcher, TorchDispatchMode):
    """Puts one value in the place of all random numbers within.

    ``first``: where the first of them are drawn. ``whole``: some are whole numbers, which are left as they are.
    """

    def __init__(self, module: torch.nn.Module, value: float) -> None:
        super().__init__(module)
        self.value, self.first, self.whole = value, None, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.first = self.first or Operation(str(func), self._inside.place(), [], [], True)
            for value in tree_leaves(found):
                if isinstance(value, torch.Tensor) and value.dtype.is_floating_point:
                    value.fill_(self.value)
                elif isinstance(value, torch.Tensor):
                    self.whole = True
        return found


def parting(first: list[Operation], second: list[Operation]) -> str:
    """Where two runs take other ways, for a message; empty where they do not."""
    for one, other in zip(first, second, strict=False):
        if one.name != other.name:
            return f": its operations are others from {one.name}{one.place} on"
    return "" if len(first) == len(second) else ": its operations are others"


def first_difference(first: list[Operation], second: list[Operation], limit: float) -> Operation | None:
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


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two answers are equal to the bit, numbers that are none included."""
    return torch.equal(a.nan_to_num(0.125), b.nan_to_num(0.125))
