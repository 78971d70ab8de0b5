"""What is not trained stays as it is: weights, the buffers of batch norm, and dropout, which is off.

``requires_grad`` alone does not do it. In training mode batch norm moves its running mean and variance with every
batch (gReLU's ``tune_on_dataset`` lets it) and dropout changes what a frozen trunk gives (enformer-pytorch leaves it
on). Here every frozen module is in eval mode whenever it runs, whoever called ``train()`` last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from zoo.errors import UsageError

__all__ = [
    "blocks_of",
    "freeze",
    "freeze_all_but_last",
    "frozen_hash",
    "is_frozen",
    "layer_groups",
    "set_training",
    "unfreeze",
    "weights_hash",
]


def freeze(module: nn.Module) -> None:
    """Freeze a module and all below it: no gradients, and eval mode whenever it runs."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    for part in module.modules():
        part.training = False
        if not is_frozen(part):
            part.register_forward_pre_hook(_keep_in_eval)


def unfreeze(module: nn.Module) -> None:
    """Undo ``freeze`` for a module and all below it; integers stay without gradient."""
    for parameter in module.parameters():
        parameter.requires_grad_(parameter.dtype.is_floating_point)
    for part in module.modules():
        for key in [key for key, hook in part._forward_pre_hooks.items() if hook is _keep_in_eval]:
            del part._forward_pre_hooks[key]


def _keep_in_eval(module: nn.Module, given: tuple[Any, ...]) -> None:
    """Lightning and others call ``train()`` on the whole model; a frozen module does not follow."""
    module.training = False


def is_frozen(module: nn.Module) -> bool:
    """Whether ``freeze`` holds for this module itself; the mark is the hook, which copies take along."""
    return any(hook is _keep_in_eval for hook in module._forward_pre_hooks.values())


def set_training(model: nn.Module) -> None:
    """``model.train()`` for all but what is frozen; call it at each epoch."""
    model.train()
    for part in model.modules():
        if is_frozen(part):
            part.training = False


def freeze_all_but_last(trunk: nn.Module, n: int, example: torch.Tensor | None = None) -> list[str]:
    """Freeze a trunk but its last ``n`` blocks.

    Args:
        n: how many, at least 1. example: as in ``blocks_of``.

    Returns:
        Names of the blocks that train.

    Raises:
        UsageError: it has fewer blocks.
    """
    blocks = blocks_of(trunk, example)
    if not 1 <= n <= len(blocks):
        raise UsageError(
            f"`mode: last-{n}`: the trunk has {len(blocks)} blocks",
            f"the last are {', '.join(name for name, _ in blocks[-3:])}",
            f"Fix: last-1 to last-{len(blocks)}, or `mode: full`",
        )
    freeze(trunk)
    for _, block in blocks[-n:]:
        unfreeze(block)
    return [name for name, _ in blocks[-n:]]


def blocks_of(trunk: nn.Module, example: torch.Tensor | None = None) -> list[tuple[str, nn.Module]]:
    """Blocks of a trunk in the order in which they run, the first one first.

    The trunk is opened into its children (of its only child, where it has one). A ModuleList or ModuleDict is opened
    further, and so is a module around just one of them. What is left are the blocks: layers, or groups of layers that
    their author made one. Children without weights are no blocks. Enformer has 19: seven of convolutions, eleven
    transformers, one pointwise convolution.

    Args:
        example: (n, 4, L); the trunk is run on it once, and blocks come in that order instead of that of their names.
    """
    blocks = list(_opened("", trunk, root=True))
    if example is None:
        return blocks
    order: list[int] = []
    handles = [
        block.register_forward_pre_hook(lambda _, __, number=number: order.append(number))
        for number, (_, block) in enumerate(blocks)
    ]
    try:
        with torch.inference_mode():
            trunk(example)
    finally:
        for handle in handles:
            handle.remove()
    ran = list(dict.fromkeys(order))
    return [blocks[number] for number in ran]


def _opened(name: str, module: nn.Module, root: bool = False) -> Iterator[tuple[str, nn.Module]]:
    children = _with_tensors(module)
    own = next(module.parameters(recurse=False), None) is not None
    if own or not children or not (root or _holds_a_list(module)):
        if own or children:
            yield name, module
        return
    alone = root and len(children) == 1
    for key, child in children:
        yield from _opened(f"{name}.{key}" if name else key, child, root=alone)


def _with_tensors(module: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(key, child) for key, child in module.named_children() if next(child.parameters(), None) is not None]


def _holds_a_list(module: nn.Module) -> bool:
    """A list of modules, or a module around one and nothing else."""
    if isinstance(module, nn.ModuleList | nn.ModuleDict):
        return True
    children = _with_tensors(module)
    return len(children) == 1 and _holds_a_list(children[0][1])


def frozen_hash(module: nn.Module) -> str:
    """sha256 over name and bytes of every frozen weight, and of every buffer of a frozen module."""
    return _hash_of(_frozen_tensors(module))


def weights_hash(module: nn.Module) -> str:
    """sha256 over name and bytes of every weight and buffer: same hash, same model."""
    return _hash_of(module.state_dict().items())


def _hash_of(tensors: Iterable[tuple[str, torch.Tensor]]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors, key=lambda item: item[0]):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _frozen_tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for prefix, part in module.named_modules():
        dot = f"{prefix}." if prefix else ""
        for name, parameter in part.named_parameters(recurse=False):
            if not parameter.requires_grad:
                yield dot + name, parameter
        if is_frozen(part):
            for name, buffer in part.named_buffers(recurse=False):
                yield dot + name, buffer


def layer_groups(model: nn.Module, lr: float, decay: float = 1.0) -> list[dict[str, Any]]:
    """Groups of an optimizer with layer-wise rates (Howard & Ruder 2018, arXiv:1801.06146).

    Heads and adapter get ``lr``, the block before them ``lr * decay``, the one before that ``lr * decay**2``.

    Args:
        model: with a ``trunk``, or a trunk itself.
        decay: rate of a block over that of the next; 1 is one rate for all.

    Returns:
        Dicts with ``params``, ``lr`` and ``name``; only what trains, each parameter once.
    """
    trunk = getattr(model, "trunk", None)
    trunk = trunk if isinstance(trunk, nn.Module) else model
    blocks = blocks_of(trunk)
    seen: set[int] = set()
    groups: list[dict[str, Any]] = []

    def add(name: str, module: nn.Module, rate: float) -> None:
        new = [p for p in module.parameters() if p.requires_grad and id(p) not in seen]
        seen.update(map(id, new))
        if new:
            groups.append({"params": new, "lr": rate, "name": name})

    for back, (name, block) in enumerate(reversed(blocks), start=1):
        add(name, block, lr * decay**back)
    add("first", trunk, lr * decay ** len(blocks))  # weights of the trunk outside of all blocks
    add("heads", model, lr)
    return groups
