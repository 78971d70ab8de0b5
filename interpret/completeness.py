"""Complete or refused: contributions that do not add up to the difference they explain are an error.

The file keeps each sequence's error. A run is refused when that of any sequence exceeds 1%, or the median 0.1%;
between the two, a note says how many.
"""

from __future__ import annotations

import numpy as np

from zoo.errors import MismatchError

__all__ = ["MEDIAN_LIMIT", "SINGLE_LIMIT", "check_complete", "completeness_note"]

MEDIAN_LIMIT = 1e-3
SINGLE_LIMIT = 1e-2


def check_complete(pair_error: np.ndarray, method: str, limit: float = MEDIAN_LIMIT, fix: str = "") -> None:
    """Refuse contributions that are not complete.

    Args:
        pair_error: (N,), see ``multipliers.Explanation``.

    Raises:
        MismatchError: the median is above ``limit``, or a sequence above ``SINGLE_LIMIT``.
    """
    if not len(pair_error):
        return
    error = np.where(np.isfinite(pair_error), pair_error, np.inf)
    median, wrong = float(np.median(error)), int((error > SINGLE_LIMIT).sum())
    if median > limit or wrong:
        raise MismatchError(
            f"the contributions of {method} are not complete: they miss the difference to the references "
            f"by {median:.2%} (median; at most {error.max():.1%})",
            f"{wrong:,} of {len(error):,} sequences by more than {SINGLE_LIMIT:.0%}; the median may be {limit:.1%}",
            fix or "Fix: --method ism, or --allow-incomplete to keep them all the same",
        )


def completeness_note(pair_error: np.ndarray) -> str | None:
    """A sentence on completeness, for the notes of a run; None without references."""
    known = pair_error[np.isfinite(pair_error)]
    if not len(known):
        return None
    over = int((known > MEDIAN_LIMIT).sum())
    tail = f"; {over:,} of {len(known):,} sequences above {MEDIAN_LIMIT:.1%}" if over else ""
    return f"completeness error: median {np.median(known):.1e}, largest {known.max():.1e}{tail}"
