"""``mmsplice-acceptor|donor``: annotated sites against every other AG, or GT, of the same genes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scripts.entry_figures.figure import Figure, measured
from scripts.entry_figures.splice_sites import FLANK, MATRIX, Stretch, all_stretches, matrix_scores, site_matrix
from scripts.shared_entries.hg38_windows import one_hot
from scripts.shared_entries.mmsplice import MODULES

__all__ = ["candidates", "figures"]

LETTERS = {"acceptor": ("AG", -2), "donor": ("GT", 1)}  # and bp from the site to the first of them


def candidates(kind: str, one: Stretch) -> np.ndarray:
    """Places in a stretch that may be a site by its two letters; every annotated site of the kind is kept besides."""
    letters, shift = LETTERS[kind]
    places = np.arange(len(one.counts))
    may = np.array([one.sequence[FLANK + at + shift : FLANK + at + shift + 2] == letters for at in places])
    site = one.sites[list(LETTERS).index(kind)]
    return np.flatnonzero((may | site) & one.counts)


def figures(name: str, data: Path) -> list[Figure]:
    """AUROC of a module of MMSplice; none of those that score an exon or an intron, for which there is nothing here."""
    import zoo

    kind = name.removeprefix("mmsplice-")
    if kind not in LETTERS:
        return []
    module, rows = MODULES[kind], all_stretches(data, test=True)
    places = [candidates(kind, one) for one in rows]
    before = -module.offset if kind == "acceptor" else -module.offset - 1  # a donor is the exon's last base
    sequences = np.stack(
        [
            one_hot(letters)
            for one, chosen in zip(rows, places, strict=True)
            for letters in windows_at(one, chosen, before, module.length)
        ]
    )
    label = np.concatenate(
        [one.sites[list(LETTERS).index(kind)][chosen] for one, chosen in zip(rows, places, strict=True)]
    )
    scores = matrix_scores(kind, site_matrix(kind, all_stretches(data, test=False)), rows)
    baseline = np.concatenate([row[chosen] for row, chosen in zip(scores, places, strict=True)])
    letters = LETTERS[kind][0]
    split = (
        f"{int(label.sum())} {kind}s against {int((~label).sum()):,} other {letters} of the same genes, on chromosomes "
        "1, 3, 5, 7 and 9 of hg38; whether these were trained on is not known"
    )
    return measured(
        {"auroc": f"AUROC, {kind}s against other {letters}"},
        zoo.load_model(name).predict(sequences, device="cpu").reshape(-1, 1),
        label.astype(float)[:, None],
        np.repeat([one.gene for one in rows], [len(chosen) for chosen in places]),
        {MATRIX: baseline[:, None]},
        split,
        "score",
    )


def windows_at(one: Stretch, places: np.ndarray, before: int, length: int) -> list[str]:
    """``length`` bp in reading direction, from ``before`` bp before each place on."""
    return [one.sequence[FLANK + at - before : FLANK + at - before + length] for at in places]
