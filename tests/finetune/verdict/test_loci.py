"""Bins of the loci of a BED."""

from __future__ import annotations

import numpy as np
import pytest

from finetune.verdict.loci import bins_of_loci
from zoo.errors import InputError


def test_bins_that_a_region_overlaps(tmp_path):
    path = tmp_path / "loci.bed"
    path.write_text("chr1\t105\t110\nchr2\t0\t1\nchr1\t119\t131\nchr1\t90\t100\n")
    chrom, start = np.array(["chr1", "chr2", "chr3"], object), np.array([100, 0, 0])
    found = bins_of_loci(path, chrom, start, 4, 10)
    # 100-110, 119-131 touches 110-120, 120-130 and 130-140; 90-100 ends where the window begins.
    assert found.tolist() == [[True] * 4, [True, False, False, False], [False] * 4]


def test_loci_on_other_chromosomes_are_an_error(tmp_path):
    path = tmp_path / "loci.bed"
    path.write_text("chr9\t1\t2\n")
    with pytest.raises(InputError, match="none of its regions"):
        bins_of_loci(path, np.array(["chr1"], object), np.array([0]), 4, 10)
