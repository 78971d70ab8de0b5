"""``mini-borzoi`` on the windows of hg38 that come with it (``d01_hg38_windows``), 32-bp bins of 74 tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scripts.entry_figures.composition import CPG, GC, cpg, gc
from scripts.entry_figures.figure import Figure, mean_correlation
from scripts.shared_entries.hg38_windows import one_hot, read_windows

__all__ = ["figures"]

ASSAYS = {"CAGE": "CAGE:", "DNase-seq": "DNASE:", "RNA-seq": "RNA"}
BIN, OFFSET, BINS = 32, 32_768, 2048
CPG_REACH = 512  # bp around a bin, in which CpG islands show
SPLITS = {
    "train": "windows of hg38 that baskerville's tests mark as training; whether this file was trained on them is not "
    "known",
    "valid": "windows of hg38 that baskerville's tests mark as validation; whether this file was trained on them is "
    "not known",
}


def figures(name: str, data: Path) -> list[Figure]:
    """Correlation over bins, mean over the tracks of an assay, of the windows marked as training and validation."""
    import zoo

    folder = data / "d01_hg38_windows"
    rows = [line.split("\t") for line in (folder / "hg38_windows_dev.bed").read_text().splitlines()]
    side = np.array([row[3] for row in rows])
    windows = read_windows(data)
    sequences = np.stack([one_hot(windows[f"{row[0]}:{row[1]}-{row[2]}"]) for row in rows])
    with np.load(folder / "tracks_dev.npz") as arrays:
        observed = arrays["targets"].astype(np.float32).transpose(2, 0, 1)
    model = zoo.load_model(name)
    predicted = np.concatenate([model.predict(one[None], device="cpu") for one in sequences]).transpose(1, 0, 2)
    baselines = {GC: by_bin(sequences), CPG: near_bins(sequences)}
    tracks, found = model.outputs[0].tracks, []
    for split, words in SPLITS.items():
        kept = side == split
        for assay, start in ASSAYS.items():
            chosen = [i for i, track in enumerate(tracks) if track.startswith(start)]
            called = f"Pearson correlation over bins of 32 bp, mean over {len(chosen)} {assay} tracks"
            found.append(
                mean_correlation(
                    called,
                    predicted[np.ix_(chosen, kept)],
                    observed[np.ix_(chosen, kept)],
                    np.flatnonzero(kept),
                    {key: values[kept] for key, values in baselines.items()},
                    words,
                    "coverage",
                )
            )
    return found


def by_bin(sequences: np.ndarray) -> np.ndarray:
    """(n, bins) GC content of the bins of (n, 4, length) windows."""
    middle = sequences[:, :, OFFSET : OFFSET + BIN * BINS]
    return gc(middle.reshape(*middle.shape[:2], BINS, BIN).transpose(0, 2, 1, 3))


def near_bins(sequences: np.ndarray) -> np.ndarray:
    """(n, bins) CpG content of the 512 bp around each bin's middle."""
    starts = OFFSET + BIN * np.arange(BINS) + BIN // 2 - CPG_REACH // 2
    return np.stack([cpg(sequences[:, :, start : start + CPG_REACH]) for start in starts], axis=1)
