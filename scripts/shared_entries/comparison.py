"""How an entry's predictions compare with those of the program that it came from."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = [
    "BORZOI_BINS",
    "BPNET_STRETCH",
    "Comparison",
    "compare",
    "compare_examples",
    "oracle",
    "predicted",
]

ORACLES = Path(__file__).resolve().parents[2] / "tests" / "shared" / "oracles"
BPNET_STRETCH = slice(4000, 6114)  # of the oracle sequence: 2,114 known bases
BORZOI_BINS = slice(0, None, 32)  # of 2,048: enough to compare, small enough to keep


@dataclass(frozen=True)
class Comparison:
    """What `scripts/verify_entries.py` tells of an entry, and what its card says under ``verification``.

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


def compare_examples(
    name: str,
    examples: Mapping[str, tuple[str, str]],
    family: str,
    framework: str,
    against: str,
    bins: slice | None = None,
) -> Comparison:
    """Compare an entry's predictions for several examples with the original program's, kept under its name.

    Args:
        name: of the entry; its weights come from the cache.
        examples: name of the kept predictions -> text of the FASTA and of the BED.
        bins: which bins of a profile were kept.
    """
    kept = oracle(name)
    ours = {key: predicted(name, *example) for key, example in examples.items()}
    if bins is not None:
        ours = {key: values[:, :, bins] for key, values in ours.items()}
    expected = {key: kept[key] for key in examples}
    values = sum(array.size for array in expected.values())
    return compare(family, framework, f"{against}, {values:,} values", ours, expected)


def predicted(name: str, fasta: str, bed: str) -> np.ndarray:
    """(N, tracks[, bins]) predictions of an entry of one output for the regions of a BED, given as text."""
    import zoo

    with tempfile.TemporaryDirectory() as folder:
        genome, regions = Path(folder) / "genome.fa", Path(folder) / "regions.bed"
        genome.write_text(fasta)
        regions.write_text(bed)
        # Windows of hg38 are no assembly, and what is said of them is of no use here.
        batch = zoo.load_model(name).predict_regions(
            regions, genome, any_genome=True, device="cpu", report=lambda note: None
        )
    (values,) = batch.values.values()
    return values


def oracle(name: str) -> dict[str, np.ndarray]:
    """Predictions of the original program, made by ``make_oracles.py`` or ``make_keras_oracles.py``."""
    with np.load(ORACLES / f"{name}.npz") as arrays:
        return dict(arrays)
