"""Yeast promoters are open: predicted cuts upstream of a TSS exceed those in the gene body, read back from a bigWig."""

import gzip
import subprocess

import numpy as np
import pyBigWig
import pytest

pytestmark = pytest.mark.shared


def test_cuts_upstream_of_tss_exceed_gene_bodies(shared_data, zoo_program, tmp_path):
    genome, bed, out = tmp_path / "sacCer3.fa", tmp_path / "chrI.bed", tmp_path / "chrI.bw"
    with gzip.open(shared_data / "d09_yeast" / "sacCer3.fa.gz") as packed:
        genome.write_bytes(packed.read())
    with gzip.open(shared_data / "d09_yeast" / "genes.bed.gz", "rt") as lines:
        genes = [line.split("\t") for line in lines if line.startswith("chrI\t")]
    bed.write_text("chrI\t0\t230218\n")
    command = [zoo_program, "predict", "yeast-atac", bed, "-g", genome, "--window", "tile", "-o", out, "-q"]
    subprocess.run(command, check=True)
    upstream, body = [], []
    with pyBigWig.open(str(out)) as track:
        assert track.chroms()["chrI"] == 230218
        for _, start, end, _, _, strand in genes:
            start, end = int(start), int(end)
            tss, sign = (start, -1) if strand.strip() == "+" else (end, 1)
            before = sorted((tss, tss + 200 * sign))
            if end - start < 1000 or before[0] < 0 or before[1] > 230218:
                continue
            middle = (start + end) // 2
            upstream.append(track.stats("chrI", *before, exact=True)[0])
            body.append(track.stats("chrI", middle - 100, middle + 100, exact=True)[0])
    upstream, body = np.array(upstream), np.array(body)
    assert len(upstream) > 40
    assert (upstream > body).mean() > 0.75
    assert np.median(upstream) > 1.3 * np.median(body)
