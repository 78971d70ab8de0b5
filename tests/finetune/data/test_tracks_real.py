"""Real tracks: yeast fragments against the bundled model's counts, hg38 bigWigs against pyBigWig and their source."""

from __future__ import annotations

import numpy as np
import pyBigWig
import pytest

from finetune.config import TargetConfig
from finetune.data.tracks import open_track, source_of
from scripts.yeast_atac.data import FRAGMENTS_FILE, count_cuts, cut_positions, read_fragments
from zoo.errors import InputError
from zoo.genome.assembly import load_assembly

pytestmark = pytest.mark.shared


def test_yeast_cuts_are_those_that_the_model_was_trained_on(shared_data):
    path = shared_data / "d09_yeast" / FRAGMENTS_FILE
    sizes = {c.ucsc: c.length for c in load_assembly("sacCer3").chromosomes}
    fragments = read_fragments(path)
    for length, keep in (("1-129", (1, 129)), ("140-220", (140, 220))):
        source = source_of(TargetConfig(name="yeast", files=(str(path),), read="cuts", length=length, reduce="sum"))
        with open_track(source, sizes) as track:
            for chrom in ("chrI", "chrXII"):
                size = fragments[chrom][:, 1] - fragments[chrom][:, 0]
                kept = fragments[chrom][(size >= keep[0]) & (size <= keep[1])]
                cuts = count_cuts(cut_positions(kept), sizes[chrom])
                n = sizes[chrom] // 32
                found = track.read(np.array([chrom], object), np.array([0]), n, 32)[0]
                np.testing.assert_array_equal(found, cuts[: n * 32].reshape(n, 32).sum(1))
            with pytest.raises(InputError, match="nothing on chrV"):
                track.read(np.array(["chrV"], object), np.array([0]), 10, 32)


def test_hg38_bigwigs_equal_pybigwig_and_the_published_bins(shared_data):
    folder = shared_data / "d01_hg38_windows"
    rows = [line.split() for line in (folder / "hg38_windows_dev.bed").read_text().splitlines()]
    chrom, start = np.array([row[0] for row in rows], object), np.array([int(row[4]) for row in rows])
    published = np.load(folder / "tracks_dev.npz")["targets"].astype(np.float32)
    path = folder / "bigwig_dev" / "ENCFF136DBS.bw"
    with pyBigWig.open(str(path)) as file:
        sizes = file.chroms()
        theirs = np.stack(
            [file.values(c, int(s), int(s) + 65536, numpy=True) for c, s in zip(chrom, start, strict=True)]
        )
    for how in ("mean", "sum"):
        with open_track(source_of(TargetConfig(name="dnase", files=(str(path),), reduce=how)), sizes) as track:
            found = track.read(chrom, start, 2048, 32)
        expected = theirs.reshape(len(start), 2048, 32).astype(np.float64)
        np.testing.assert_allclose(found, expected.mean(-1) if how == "mean" else expected.sum(-1), rtol=1e-5)
        # One of the 74 published tracks, up to how a bin was scaled, is this file.
        scales = [np.corrcoef(found.ravel(), published[..., i].ravel())[0, 1] for i in range(published.shape[-1])]
        assert np.nanmax(scales) > 0.999
