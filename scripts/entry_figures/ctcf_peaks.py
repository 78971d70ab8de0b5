"""``bpnet-k562-ctcf``: peaks of its experiment (``m02_bpnet_ctcf_k562``) in windows of hg38 against what is between.

The reads themselves are not in the data folder, so that profiles cannot be judged.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.verdict.intervals import block_ids
from scripts.entry_figures.composition import GC, best_match, gc, known_matrix
from scripts.entry_figures.figure import Figure, measured
from scripts.shared_entries.hg38_windows import one_hot, read_windows

__all__ = ["Places", "between", "figures", "places_of", "read_peaks"]

LENGTH, OUTPUT = 2114, 1000
BLOCK = 10_000  # bp
TEST = ("chr1",)
SPLITS = {
    "test": "test, chr1",
    "train": "training and validation chromosomes, most of whose peaks were trained on",
}


@dataclass(frozen=True)
class Places:
    """Middles of windows on the genome: (n,) chromosome, position, peak's signal (NaN between peaks), and one-hot."""

    chrom: np.ndarray
    position: np.ndarray
    signal: np.ndarray
    sequences: np.ndarray


def read_peaks(data: Path) -> dict[str, list[tuple[int, int, int, float]]]:
    """Chromosome -> start, end, summit and signal of each peak."""
    found: dict[str, list[tuple[int, int, int, float]]] = {}
    with gzip.open(data / "m02_bpnet_ctcf_k562" / "ENCSR000AKO.narrowPeak.gz", "rt") as rows:
        for row in map(str.split, rows):
            start = int(row[1])
            found.setdefault(row[0], []).append((start, int(row[2]), start + int(row[9]), float(row[6])))
    return found


def between(first: int, last: int, peaks: list[tuple[int, int]]) -> list[int]:
    """Middles of stretches of 1,000 bp, laid end to end in a window, that are 500 bp or more from a peak."""
    middles = range(first + OUTPUT // 2, last - OUTPUT // 2 + 1, OUTPUT)
    return [middle for middle in middles if not any(start - OUTPUT < middle < end + OUTPUT for start, end in peaks)]


def places_of(data: Path) -> Places:
    """Summits of peaks, and stretches between peaks, that have a whole window of the model in a window of hg38."""
    peaks, found = read_peaks(data), []
    for name, sequence in read_windows(data).items():
        chrom, _, span = name.partition(":")
        origin, end = map(int, span.split("-"))
        inner = range(origin + LENGTH // 2, end - LENGTH // 2)
        own = peaks.get(chrom, [])
        chosen = {summit: signal for _, _, summit, signal in own if summit in inner}
        chosen |= {middle: np.nan for middle in between(inner.start, inner.stop, [one[:2] for one in own])}
        for middle, signal in chosen.items():
            letters = sequence[middle - origin - LENGTH // 2 : middle - origin + LENGTH // 2]
            if set(letters) <= set("ACGT"):
                found.append((chrom, middle, signal, one_hot(letters)))
    chroms, middles, signals, sequences = zip(*found, strict=True)
    return Places(np.array(chroms), np.array(middles), np.array(signals, float), np.stack(sequences))


def figures(name: str, data: Path) -> list[Figure]:
    """AUROC of peaks, and the rank correlation of predicted counts with the peaks' signal, by chromosomes."""
    import zoo

    places = places_of(data)
    predicted = zoo.load_model(name).predict(places.sequences, device="cpu")["counts"].reshape(-1, 1)
    middle = places.sequences[:, :, (LENGTH - OUTPUT) // 2 : (LENGTH + OUTPUT) // 2]
    identifier, matrix = known_matrix("MA0139")
    made = {GC: gc(middle)[:, None], f"JASPAR {identifier}": best_match(middle, matrix)[:, None]}
    block, _ = block_ids(places.chrom, places.position, BLOCK)
    peak, found = np.isfinite(places.signal), []
    for split, words in SPLITS.items():
        side = np.isin(places.chrom, TEST) == (split == "test")
        for kept, observed, metrics, where in (
            (
                side,
                peak.astype(float),
                {"auroc": "AUROC, peaks against stretches between them"},
                f"{words}: {(side & peak).sum()} peaks of K562 and {(side & ~peak).sum():,} stretches in windows "
                "of hg38",
            ),
            (
                side & peak,
                places.signal,
                {"spearman": "Spearman correlation of counts with the peaks' signal"},
                f"{words}: peaks of K562 in windows of hg38",
            ),
        ):
            baselines = {key: values[kept] for key, values in made.items()}
            found += measured(metrics, predicted[kept], observed[kept, None], block[kept], baselines, where, "counts")
    return found
