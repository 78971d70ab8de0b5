"""Plain training of a model with a cell's own track, for the scripts beside this one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import torch
from torch import nn

__all__ = ["train"]


def train(
    model: nn.Module,
    batches: Callable[[int], Iterable[tuple]],
    loss: Callable[[nn.Module, tuple], torch.Tensor],
    validation: Callable[[], float],
    epochs: int,
    lr: float,
    steps: int,
    decay: float = 0.0,
) -> list[float]:
    """AdamW with a cosine rate; the weights of the best epoch are kept, which may be those before the first.

    Args:
        batches: of an epoch. loss: of the model on a batch. validation: the number that is to be low, after an epoch.
        steps: batches of an epoch.

    Returns:
        The validation numbers: before training, then one an epoch. Of equal ones the last epoch is kept.
    """
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * steps + 1, pct_start=0.1)
    model.eval()
    with torch.no_grad():
        history = [validation()]
    best = copy.deepcopy(model.state_dict())
    for epoch in range(epochs):
        model.train()
        for batch in batches(epoch):
            optimizer.zero_grad()
            value = loss(model, batch)
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            history.append(validation())
        if history[-1] == min(history):
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return history
