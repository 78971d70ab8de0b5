"""How an entry's predictions compare with those of the program that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

__all__ = ["BORZOI_BINS", "BPNET_STRETCH", "Comparison", "compare", "compare_example", "oracle"]

ORACLES = Path(__file__).resolve().parents[2] / "tests" / "shared" / "oracles"
BPNET_STRETCH = slice(4000, 6114)  # of the oracle sequence: 2,114 known bases
BORZOI_BINS = slice(0, None, 32)  # of 2,048: enough to compare, small enough to keep


@dataclass(frozen=True)
class Comparison:
    """A row of the table of models.

    Attributes:
        family: name of the model in the field.
        framework: what it was published for.
        against: whose predictions ours were compared with, and how many.
        difference: largest absolute difference.
        scale: largest absolute value of the expected predictions.
    """

    family: str
    framework: str
    against: str
    difference: float
    scale: float


def compare(
    family: str, framework: str, against: str, ours: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> Comparison:
    """Compare outputs by name; of several, the one with the largest difference in proportion to its scale counts.

    Raises:
        ValueError: names or shapes differ, or a value is not finite.
    """
    if set(ours) != set(expected):
        raise ValueError(f"{family}: outputs {sorted(ours)} here, {sorted(expected)} expected")
    found = []
    for name, array in expected.items():
        if ours[name].shape != array.shape or not np.isfinite(ours[name]).all():
            raise ValueError(f"{family}: {name} has shape {ours[name].shape}, expected {array.shape}, or is not finite")
        found.append((float(np.abs(ours[name] - array).max()), float(np.abs(array).max())))
    difference, scale = max(found, key=lambda pair: pair[0] / pair[1])
    return Comparison(family, framework, against, difference, scale)


def compare_example(
    folder: Path,
    family: str,
    framework: str,
    against: str,
    expected: np.ndarray | None = None,
    bins: slice | None = None,
) -> Comparison:
    """Compare the predictions for the entry's example, made when it was built, with the original program's.

    Args:
        expected: the original predictions; by default those kept under the name of ``folder``.
        bins: which bins of a profile were kept.
    """
    with h5py.File(folder / "example" / "expected.h5") as example:
        ours = example["preds"][:]
    if expected is None:
        expected = oracle(folder.name)["preds"]
    if bins is not None:
        ours = ours[:, :, bins]
    values = " x ".join(f"{size:,}" for size in expected.shape)
    return compare(family, framework, f"{against}, {values} values", {"preds": ours}, {"preds": expected})


def oracle(name: str) -> dict[str, np.ndarray]:
    """Predictions of the original program, made by ``make_oracles.py`` or ``make_keras_oracles.py``."""
    with np.load(ORACLES / f"{name}.npz") as arrays:
        return dict(arrays)
