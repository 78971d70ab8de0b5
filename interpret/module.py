"""The module that is explained: one number a sequence, in eval mode while it is looked at.

Every method of this package takes a ``torch.nn.Module`` whose ``forward(x)`` turns (N, 4, L) into (N,) or (N, 1).

Nothing of a module is called for its name. What its author declares is, by one attribute of the class, which needs
nothing of this package, so that the class loads where it is not installed:

    zoo_explain = {"logits": "before_exp"}     # of an entry's module: the method to explain in place of forward
    zoo_explain = {"fixed": "weights"}         # of a module that is given to a method of ``interpret``

``logits`` names a method ``(x)`` that returns what ``forward(x)`` does, before its last activation. ``fixed`` names a
method ``(x)``: what it returns for the observed sequences is the second argument of ``forward`` and stays the same
while bases or references change (BPNet's profile weights).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from zoo.errors import InputError, ModelError, UsageError
from zoo.models.foreign_python import blame
from zoo.models.loaded import device_of, full_float32
from zoo.words import counted, counted_of

__all__ = [
    "PROTOCOL",
    "batches",
    "check_one_hot",
    "declared",
    "evaluating",
    "fixed_arguments",
    "gradient_of",
    "gradients_on",
    "in_full_float32",
    "in_gradient",
    "own_dtypes",
    "refuse_few_bits",
    "rows_a_pass",
    "scalar",
]

#: The attribute by which the author of a module says what is called in an explanation, and its keys.
PROTOCOL = "zoo_explain"
DECLARED = ("logits", "fixed")

#: Bases in one pass: what stays in a CPU's caches (a Basset-like net takes 1.3 times as long with twice as many),
#: and what fills a GPU.
BASES_A_PASS = {"cpu": 20 * 1024}
BASES_ON_A_GPU = 1 << 20


def declared(module: torch.nn.Module, key: str) -> Callable[..., torch.Tensor] | None:
    """The method that the module's ``zoo_explain`` names for a key of ``DECLARED``; None without.

    Raises:
        ModelError: ``zoo_explain`` is no such mapping, or names what is no method.
    """
    named = getattr(module, PROTOCOL, None)
    if named is None:
        return None
    if not isinstance(named, Mapping) or set(named) - set(DECLARED):
        raise ModelError(
            f"{PROTOCOL} of {type(module).__name__} is {named!r}",
            f"it maps {' and '.join(map(repr, DECLARED))} to names of methods",
            f'Fix: {PROTOCOL} = {{"logits": "name_of_a_method"}}',
        )
    if key not in named:
        return None
    method = getattr(module, named[key], None) if isinstance(named[key], str) else None
    if not callable(method):
        raise ModelError(
            f"{PROTOCOL} of {type(module).__name__}: {key!r} is {named[key]!r}, no method of it",
            "",
            f"Fix: name a method, or leave {key!r} out",
        )
    return method


@contextlib.contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[torch.device]:
    """Eval mode for the block; every submodule's own mode is put back. Yields the module's device.

    The module gets sequences of its own, which it may change, in float64 if that is what it computes in. It runs as
    it is written, without ``torch.compile``, and without hooks that change what goes backwards through it. What it has
    kept of passes in inference mode (positions of a length) is such that a gradient can pass it, before and after.
    """
    _out_of_inference(module)
    before = [(part, part.training) for part in module.modules() if hasattr(part, "training")]  # frozen scripts: none
    plain = [part for part, _ in before if not isinstance(part, torch.jit.ScriptModule)]
    hooks = [(part, part._backward_hooks, part._backward_pre_hooks) for part in plain]
    dtype = torch.float64 if own_dtypes(module) == {torch.float64} else torch.float32
    with contextlib.suppress(NotImplementedError):  # what torch.export made has one mode only
        _to_eval(module)
    for part, *_ in hooks:
        vars(part).update(_backward_hooks={}, _backward_pre_hooks={})
    own_input = module.register_forward_pre_hook(lambda _, args: _own_input(args, dtype), prepend=True)
    try:
        with _not_compiled():
            yield device_of(module)
    finally:
        own_input.remove()
        _out_of_inference(module)
        for part, backward, backward_pre in hooks:
            vars(part).update(_backward_hooks=backward, _backward_pre_hooks=backward_pre)
        for part, training in before:
            part.training = training


def _to_eval(module: torch.nn.Module) -> None:
    try:
        module.eval()
    except NotImplementedError:
        raise
    except Exception:
        with blame("eval() of the module", fix="correct the module: methods explain it in eval mode"):
            raise


def _out_of_inference(module: torch.nn.Module) -> None:
    """Tensors kept of a pass in inference mode, which no gradient may pass, become others of the same values.

    One that is kept in several places, as the weights of recurrent layers are, is one afterwards, too.
    """
    made: dict[int, torch.Tensor] = {}
    with torch.inference_mode(False):
        for part in module.modules():
            own = vars(part)
            for kept in (own, *(value for value in own.values() if isinstance(value, dict | list))):
                for key, value in list(kept.items() if isinstance(kept, dict) else enumerate(kept)):
                    if (usable := _usable(value, made)) is not value:
                        kept[key] = usable


def _usable(value: Any, made: dict[int, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        if not value.is_inference():
            return value
        if id(value) not in made:
            copy = value.clone()
            is_parameter = isinstance(value, torch.nn.Parameter)
            made[id(value)] = torch.nn.Parameter(copy, value.requires_grad) if is_parameter else copy
        return made[id(value)]
    if type(value) is tuple and any(isinstance(one, torch.Tensor) and one.is_inference() for one in value):
        return tuple(_usable(one, made) for one in value)
    return value


def _own_input(args: tuple[torch.Tensor, ...], dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    x, *fixed = args
    return (x.clone() if x.dtype == dtype else x.to(dtype), *fixed)


def own_dtypes(module: torch.nn.Module) -> set[torch.dtype]:
    """Floating types of the module's parameters and buffers."""
    tensors = [*module.parameters(), *module.buffers()]
    return {tensor.dtype for tensor in tensors if tensor.dtype.is_floating_point}


def _not_compiled() -> contextlib.AbstractContextManager:
    """A compiled module would be compiled anew for every size of batch; where nothing is, dynamo is not loaded."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else contextlib.nullcontext()


@contextlib.contextmanager
def gradients_on() -> Iterator[None]:
    """Gradients for the block, also inside ``torch.no_grad`` or ``torch.inference_mode``."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextlib.contextmanager
def in_full_float32() -> Iterator[None]:
    """float32 means float32 in the block, also where the process has lowered matrix products or runs autocast."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(full_float32())
        for kind in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def check_one_hot(one_hot: np.ndarray | torch.Tensor) -> np.ndarray:
    """(N, 4, L) float32.

    Raises:
        UsageError: another shape. InputError: NaN or infinity.
    """
    if isinstance(one_hot, torch.Tensor):
        one_hot = one_hot.detach().cpu().float().numpy()
    array = np.asarray(one_hot, dtype=np.float32)
    if array.ndim != 3 or array.shape[1] != 4:
        raise UsageError(
            f"one_hot has shape {array.shape}",
            "attributions take (N, 4, L)",
            "Fix: channels A, C, G, T on axis 1, sequence on axis 2",
        )
    if not np.isfinite(array).all():
        wrong = int((~np.isfinite(array)).any((1, 2)).sum())
        extent = counted_of(wrong, len(array), "sequence")
        raise InputError("one_hot holds NaN or infinity", extent, "Fix: correct the input")
    return array


def refuse_few_bits(dtypes: set[torch.dtype], fix: str) -> None:
    """Refuse a module that computes in one of these types.

    Raises:
        ModelError: one of them has half the bits of float32, or fewer.
    """
    if coarse := dtypes & {torch.float16, torch.bfloat16}:
        raise ModelError(
            f"the module computes in {', '.join(sorted(map(str, coarse)))}",
            "with so few bits contributions do not add up, and small ones are rounding",
            f"Fix: {fix}",
        )


def scalar(module: torch.nn.Module, x: torch.Tensor, *fixed: torch.Tensor) -> torch.Tensor:
    """``module(x)`` as (N,).

    Raises:
        UsageError: the module gives more than one number a sequence: task 0 is never taken in silence.
        ModelError: its numbers are of half precision; it fails.
    """
    with blame("the module", f"on an input of shape {tuple(x.shape)}", "correct the module: forward(x), x (N, 4, L)"):
        y = module(x, *fixed)
    kind = _kind(y)
    if kind or y.numel() != len(x):
        raise UsageError(
            f"the module returns {kind or tuple(y.shape)} for {counted(len(x), 'sequence')}",
            "attributions explain one number a sequence",
            "Fix: wrap the module so that it returns (N,): choose an output, a track and a sum over bins",
        )
    refuse_few_bits({y.dtype}, "let its forward compute and return float32")
    return y.reshape(len(x))


def _kind(y: Any) -> str:
    """What a module returned, if that is no tensor of plain numbers; else nothing."""
    if not isinstance(y, torch.Tensor):
        return type(y).__name__
    if y.is_nested:
        return "nested tensors"
    kinds = {"complex": y.is_complex(), "sparse": y.layout is not torch.strided, "quantized": y.is_quantized}
    return next((f"{kind} {tuple(y.shape)}" for kind in kinds if kinds[kind]), "")


def gradient_of(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor | None:
    """Gradient of the sum of ``y`` with respect to ``x``; None where ``y`` has none.

    Raises:
        ModelError: torch cannot compute it.
    """
    if not y.requires_grad:
        return None
    with in_gradient(x):
        return torch.autograd.grad(y.sum(), x, allow_unused=True)[0]


def in_gradient(x: torch.Tensor) -> contextlib.AbstractContextManager[None]:
    """What torch cannot compute of a gradient in the block is a ``ModelError``; ``x`` is what it is taken of."""
    return blame("the gradient of the module", f"on an input of shape {tuple(x.shape)}", "--method ism needs none")


def fixed_arguments(module: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What the method returns that the module's ``zoo_explain`` names as ``fixed``, in a tuple; else nothing."""
    method = declared(module, "fixed")
    if method is None:
        return ()
    what = f"{getattr(method, '__name__', 'the method')}, which {PROTOCOL} names as 'fixed',"
    with torch.no_grad(), blame(what, f"on an input of shape {tuple(x.shape)}", "correct it"):
        found = method(*_own_input((x,), torch.float64 if own_dtypes(module) == {torch.float64} else x.dtype))
    if found is None:
        return ()
    if not isinstance(found, torch.Tensor) or not found.ndim or len(found) != len(x):
        returned = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise ModelError(
            f"{what} returns {returned} for {counted(len(x), 'sequence')}",
            "it is the second argument of forward, a row for each sequence",
            "Fix: let it return a tensor (N, ...), or None",
        )
    return (found.detach(),)


def rows_a_pass(length: int, device: torch.device) -> int:
    """Sequences of ``length`` bp that one pass takes on a device."""
    return max(1, BASES_A_PASS.get(device.type, BASES_ON_A_GPU) // max(1, length))


def batches(one_hot: np.ndarray, size: int | None, device: torch.device) -> Iterator[tuple[slice, torch.Tensor]]:
    """Slices of the first axis and their tensors on the device; ``size`` None is ``rows_a_pass``."""
    size = size or rows_a_pass(one_hot.shape[2], device)
    for start in range(0, len(one_hot), size):
        part = slice(start, start + size)
        yield part, torch.from_numpy(np.ascontiguousarray(one_hot[part])).to(device)
