"""Losses of logits ``(n, tracks, bins)`` against targets with holes: where a target is NaN nothing is learnt.

Every loss is a sum over what was measured and a count of it, so that an epoch's figure is the sum of its sums over
the sum of its counts, whatever the batches were. Terms that do not depend on the prediction are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from finetune.config import LossName
from zoo.errors import InputError, UsageError

__all__ = ["COUNT_LOSSES", "Loss", "check_targets", "loss_of"]

#: Losses whose targets are counts or coverage: predicted on a log scale, never negative.
COUNT_LOSSES = ("poisson", "poisson_multinomial", "multinomial_counts")
#: Transforms after which a track is no coverage any more.
_BENDING = ("arcsinh", "log1p", "sqrt")
#: A logit with no share of a softmax, finite so that no gradient becomes NaN.
_NOTHING = -1e30


@dataclass(frozen=True)
class Loss:
    """One loss. Called, it gives the mean over what was measured, as a scalar with a gradient.

    Attributes:
        name: one of ``LossName``.
        total_weight: of the count term beside a multinomial one.
        class_weights: (tracks,) of ``ce``, or None.
        positive_weight: of targets 1 under ``bce``, one number or (tracks,), or None.
    """

    name: str
    total_weight: float = 1.0
    class_weights: tuple[float, ...] | None = None
    positive_weight: float | tuple[float, ...] | None = None

    def __call__(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The mean: 0, with gradient 0, where nothing was measured.

        Args:
            logits: (n, tracks, bins). target: the same, NaN where nothing was measured.
            weight: (n, tracks) factors, or None. The mean is over elements, not over weights: a track of weight 2
                counts twice as much as it did alone.
        """
        total, count = self.sums(logits, target, weight)
        return total / count.clamp(min=1)

    def sums(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The sum, and how many elements were measured; arguments as in a call.

        Elements are bins of a track, whole tracks for ``multinomial_counts``, and bins for ``ce``. Half precision is
        computed in float32.
        """
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        measured = ~torch.isnan(target)
        if self.name == "ce":
            measured = measured.all(dim=1, keepdim=True).expand_as(target)
        target = torch.where(measured, target, 0).to(logits.dtype)
        # Chosen, not multiplied: a factor of 0 turns an infinite logit at a hole into NaN.
        logits = torch.where(measured, logits, 0)
        scale = torch.ones_like(target[..., 0]) if weight is None else weight.to(logits.dtype)
        return _TERMS[self.name](self, logits, target, measured, scale)


def _poisson(loss: Loss, logits: Tensor, target: Tensor, measured: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """``exp(x) - y x``: the Poisson's negative log likelihood without ``log y!``."""
    return _elements(torch.exp(logits) - target * logits, measured, scale)


def _mse(loss: Loss, logits: Tensor, target: Tensor, measured: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    return _elements((logits - target).square(), measured, scale)


def _weighted_mse(loss: Loss, logits: Tensor, target: Tensor, measured: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """A squared error counts ``1 + |y|`` times: more where the track is high.

    DeepImpute (Arisdakessian et al. 2019, doi:10.1186/s13059-019-1837-6) weighs by ``y`` alone, which forgets zeros.
    """
    return _elements((1 + target.abs()) * (logits - target).square(), measured, scale)


def _bce(loss: Loss, logits: Tensor, target: Tensor, measured: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    positive = None
    if loss.positive_weight is not None:
        positive = torch.as_tensor(loss.positive_weight, dtype=logits.dtype, device=logits.device).reshape(-1, 1)
    each = F.binary_cross_entropy_with_logits(logits, target, pos_weight=positive, reduction="none")
    return _elements(each, measured, scale)


def _ce(loss: Loss, logits: Tensor, target: Tensor, measured: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Tracks are classes, targets their probabilities; one term a bin."""
    each = -target * F.log_softmax(logits, dim=1)
    if loss.class_weights is not None:
        each = each * torch.as_tensor(loss.class_weights, dtype=logits.dtype, device=logits.device)[:, None]
    total, _ = _elements(each, measured, scale)
    return total, measured[:, 0].sum()


def _poisson_multinomial(
    loss: Loss, logits: Tensor, target: Tensor, measured: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """A Poisson of a window's sum and a multinomial of its shape, both per bin.

    Borzoi's (Linder et al. 2025, doi:10.1038/s41588-024-02053-6) and gReLU's ``PoissonMultinomialLoss``.
    """
    log_total, shape = _shape(logits, target, measured)
    counts = torch.exp(log_total) - target.sum(-1) * log_total
    return ((shape + loss.total_weight * counts) * scale).sum(), measured.sum()


def _multinomial_counts(
    loss: Loss, logits: Tensor, target: Tensor, measured: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """A multinomial of the profile and the squared error of ``log(1 + counts)``; one term a track and window.

    BPNet's (Avsec et al. 2021, doi:10.1038/s41588-021-00782-6), the counts being the sum of ``exp`` of the logits.
    """
    log_total, shape = _shape(logits, target, measured)
    counts = (F.softplus(log_total) - torch.log1p(target.sum(-1))).square()
    some = measured.any(-1)
    each = torch.where(some, shape + loss.total_weight * counts, 0)
    return (each * scale).sum(), some.sum()


def _shape(logits: Tensor, target: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
    """Log of the predicted sum, and the multinomial's negative log likelihood, (n, tracks) each, of measured bins."""
    among = logits.masked_fill(~measured, _NOTHING)
    log_total = torch.logsumexp(among, dim=-1)
    share = torch.where(measured, logits - log_total[..., None], 0)
    return log_total, -(target * share).sum(-1)


def _elements(each: Tensor, measured: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    return (torch.where(measured, each, 0).sum(-1) * scale).sum(), measured.sum()


_TERMS = {
    "poisson": _poisson,
    "poisson_multinomial": _poisson_multinomial,
    "multinomial_counts": _multinomial_counts,
    "mse": _mse,
    "weighted_mse": _weighted_mse,
    "bce": _bce,
    "ce": _ce,
}


def loss_of(
    name: str,
    total_weight: float = 1.0,
    class_weights: Sequence[float] | None = None,
    positive_weight: float | Sequence[float] | None = None,
) -> Loss:
    """The loss of a name; see ``Loss`` for the arguments.

    Raises:
        UsageError: no such loss; weights for a loss that has none.
    """
    if name not in _TERMS:
        raise UsageError(f"{name!r} is no loss", "", f"Fix: train.loss: one of {', '.join(get_args(LossName))}")
    if class_weights is not None and name != "ce":
        raise UsageError(
            f"sampling.class_weights is set, and the loss {name} has no classes",
            "",
            "Fix: train.loss: ce, or sampling.class_weights: none",
        )
    if positive_weight is not None and name != "bce":
        raise UsageError(
            f"sampling.positive_weight is set, and the loss {name} has no positives",
            "",
            "Fix: train.loss: bce, or sampling.positive_weight: none",
        )
    classes = None if class_weights is None else tuple(float(weight) for weight in class_weights)
    positive: float | tuple[float, ...] | None = None
    if positive_weight is not None:
        single = np.ndim(positive_weight) == 0
        positive = float(positive_weight) if single else tuple(float(weight) for weight in positive_weight)
    return Loss(name, total_weight, classes, positive)


def check_targets(loss: str, target: np.ndarray, track: str, transform: Sequence[str] = ()) -> None:
    """Refuse targets that the loss is not made for.

    Coverage need not be whole numbers: the Poisson's loss is right for any mean. It must be on the scale of counts.

    Args:
        loss: one of ``LossName``. target: of one track, any shape, NaN where nothing was measured.
        track: its name. transform: what was done to it, names as in ``targets.transform``.

    Raises:
        InputError: negative or transformed targets under a loss of counts; none between 0 and 1 under ``bce`` and
            ``ce``; infinite ones under any.
    """
    measured = target[~np.isnan(target)]
    infinite = int(np.isinf(measured).sum())
    if infinite:
        raise InputError(
            f"track {track}: infinite targets", _of(infinite, measured), "Fix: transform: clip:LOW:HIGH of that target"
        )
    if loss in COUNT_LOSSES:
        _check_counts(loss, measured, track, transform)
    elif loss in ("bce", "ce"):
        outside = int(((measured < 0) | (measured > 1)).sum())
        if outside:
            raise InputError(
                f"track {track}: targets that are no labels under the loss {loss}: from {measured.min():g} to "
                f"{measured.max():g}, not from 0 to 1",
                _of(outside, measured),
                "Fix: read: labels of that target, or train.loss: mse",
            )


def _check_counts(loss: str, measured: np.ndarray, track: str, transform: Sequence[str]) -> None:
    bent = [name for name in transform if name.split(":")[0] in _BENDING]
    if bent:
        raise InputError(
            f"track {track}: the loss {loss} is of counts, and the target is transformed by {', '.join(bent)}",
            f"{measured.size} values",
            "Fix: transform: none of that target, or train.loss: mse",
        )
    negative = int((measured < 0).sum())
    if negative:
        raise InputError(
            f"track {track}: negative targets, down to {measured.min():g}, under the loss {loss} of counts",
            _of(negative, measured),
            "Fix: train.loss: mse, or transform: clip:0:inf of that target where they mean nothing",
        )


def _of(count: int, measured: np.ndarray) -> str:
    return f"{count} of {measured.size} values"
