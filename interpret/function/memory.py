"""What a pass of a module may change, so that the next gives other numbers: random numbers to come, what it keeps.

Generators are the process's, and those that the module's parts hold or that their author's functions hold or name.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import random
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

__all__ = ["NEAR_0", "NEAR_1", "Memories", "Memory"]

#: Words of the Mersenne Twister that it gives as numbers near 0, and near 1 (0x400 and 0xfffffbff, tempered).
NEAR_0, NEAR_1 = 0x2004408, 0x10DDDFBB
WORDS = 624


@dataclass
class Memories:
    """``of_torch``: states of torch's generators. ``drawn``: of the others, by name. ``kept``: numbers and buffers."""

    of_torch: list[bytes]
    drawn: dict[str, bytes]
    kept: dict[str, Any]


class Memory:
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

    def now(self) -> Memories:
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
        return Memories(of_torch, {name: _state(g) for name, g in self._others.items()}, kept)

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
HOLD_NOTHING = frozenset({int, float, bool, str, bytes, type(None), torch.Tensor, torch.nn.Parameter})
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
            waiting += [(held, depth + 1) for held in _held(value) if type(held) not in HOLD_NOTHING]
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
