"""References as an array beside the sequences, and explanations of batches put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from interpret.multipliers import Explanation
from interpret.references import References
from zoo.errors import InputError, UsageError

__all__ = ["joined", "reference_array"]


def reference_array(references: np.ndarray | References | None, one_hot: np.ndarray) -> np.ndarray:
    """(N, n, 4, L) float32.

    Raises:
        UsageError: another shape. InputError: NaN or infinity.
    """
    if references is None:
        references = References()
    if isinstance(references, References):
        return references.of(one_hot)
    array = np.asarray(references, dtype=np.float32)
    if array.ndim != 4 or array.shape[0] != len(one_hot) or array.shape[1] < 1 or array.shape[2:] != one_hot.shape[1:]:
        raise UsageError(
            f"the references have shape {array.shape}",
            f"the sequences have shape {one_hot.shape}",
            "Fix: (N, n, 4, L), n for each sequence",
        )
    if not np.isfinite(array).all():
        raise InputError("the references hold NaN or infinity", "", "Fix: correct the references")
    return array


def joined(parts: Sequence[Explanation], shape: tuple[int, ...]) -> Explanation:
    """One explanation of consecutive batches; ``shape`` is that of the sequences, for when there are none."""
    if not parts:
        nothing = np.empty(0, np.float32)
        return Explanation(np.empty(shape, np.float32), nothing, nothing, nothing, nothing)
    return Explanation(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in dataclasses.fields(Explanation))
    )
