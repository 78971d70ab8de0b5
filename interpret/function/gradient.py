"""Whether a module has a gradient, and at which operation it ends where it has none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves

from interpret.function.operations import Watcher, same
from interpret.module import check_one_hot, evaluating, fixed_arguments, gradient_of, gradients_on, scalar
from zoo.errors import ModelError
from zoo.genome.encode import random_windows

__all__ = ["check_gradient"]


def check_gradient(module: torch.nn.Module, one_hot: np.ndarray) -> None:
    """Refuse a module whose output depends on the sequence, but has no gradient.

    Raises:
        ModelError: names the operation that ends the gradient: a choice of places such as ``argmax``, ``no_grad``, or
            one of which torch has no derivative.
    """
    with evaluating(module) as device, gradients_on():
        x = torch.from_numpy(check_one_hot(one_hot)[:1].copy()).to(device).requires_grad_(True)
        fixed = fixed_arguments(module, x)
        with _Ends(module) as ends:
            y = scalar(module, x, *fixed)
        try:
            if y.requires_grad and gradient_of(y, x) is not None:
                return
        except ModelError as error:
            where = _breaks(module, x, *fixed)
            what = error.what.replace(" failed:", f" failed at {where}:", 1) if where else error.what
            raise ModelError(what, error.extent, error.fix) from error
        if ends.found is None and ends.chosen is None:
            with torch.no_grad():
                others = torch.from_numpy(random_windows(8, x.shape[2], seed=1)).to(device)
                found = scalar(module, others, *(one.expand(len(others), *one.shape[1:]) for one in fixed))
            if same(found, y.detach().expand(len(others))):
                return  # a constant
        where = ends.found or ends.chosen or (_breaks(module, x, *fixed) if y.requires_grad else None)
    raise ModelError(
        f"the model's output has no gradient{f': it ends at {where}' if where else ''}",
        "sequence enters it by steps, as tokens do, or its author has switched gradients off",
        "Fix: --method ism, which needs none",
    )


def _breaks(module: torch.nn.Module, x: torch.Tensor, *fixed: torch.Tensor) -> str | None:
    """The first operation whose results have no gradient of ``x`` that torch can compute, though what it was given has.

    Of some, as the norm of order 0, torch says that they have one.
    """
    with _Ends(module, keeps=True) as ends:
        scalar(module, x, *fixed)
    reached = {id(x)}
    for where, given, made in ends.kept:
        if any(id(t) in reached for t in given):
            try:
                slopes = [torch.autograd.grad(t.sum(), x, allow_unused=True, retain_graph=True)[0] for t in made]
            except RuntimeError:
                return where
            if made and all(slope is None for slope in slopes):
                return where
            reached |= {id(t) for t in made}
    return None


class _Ends(Watcher, TorchFunctionMode):
    """Finds the first operation whose arguments have a gradient and whose result has none.

    ``chosen``: one whose results have a gradient but for places among them, which are all that may be read.
    ``kept``: of all with ``keeps``: where, and the tensors with a gradient that it was given and made.
    """

    WITHOUT_VALUES = ("zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_full")

    def __init__(self, module: torch.nn.Module, keeps: bool = False) -> None:
        super().__init__(module)
        self.found: str | None = None
        self.chosen: str | None = None
        self.kept: list[tuple[str, list[torch.Tensor], list[torch.Tensor]]] | None = [] if keeps else None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if self.kept is not None:
            given, made = ([t for t in _tensors(values) if t.requires_grad] for values in ((args, kwargs), found))
            self.kept.append((self._where(func), given, made))
        elif self.found is None and func.__name__ not in self.WITHOUT_VALUES:
            given, made = list(_tensors((args, kwargs))), list(_tensors(found))
            without = [not t.requires_grad for t in made]
            if any(without) and any(t.requires_grad for t in given):
                if all(without):
                    self.found = self._where(func)
                else:
                    self.chosen = self.chosen or self._where(func)
        return found

    def _where(self, func: Any) -> str:
        return f"{resolve_name(func) or getattr(func, '__name__', str(func))}{self._inside.place()}"


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    with contextlib.suppress(TypeError):
        yield from (value for value in tree_leaves(values) if isinstance(value, torch.Tensor))
