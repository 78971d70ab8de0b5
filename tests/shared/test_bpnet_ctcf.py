"""BPNet K562 CTCF, run by name through the command line, must rank CTCF peaks."""

import gzip
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from scripts.shared_entries.bpnet_ctcf import random_example
from zoo.cli import run

pytestmark = pytest.mark.shared
ENTRY = "bpnet-k562-ctcf"
WINDOW = 2114


@pytest.fixture(scope="module")
def genome(shared_data, tmp_path_factory):
    """The windows of hg38 as a plain FASTA; contigs are named chrom:start-end."""
    path = tmp_path_factory.mktemp("genome") / "windows.fa"
    with gzip.open(shared_data / "d01_hg38_windows" / "hg38_windows_dev.fa.gz") as packed:
        path.write_bytes(packed.read())
    return path


@pytest.fixture(scope="module")
def windows(shared_data):
    lines = (shared_data / "d01_hg38_windows" / "hg38_windows_dev.bed").read_text().splitlines()
    return [(chrom, int(start), int(end)) for chrom, start, end, *_ in (line.split("\t") for line in lines)]


def test_the_example_is_that_of_the_script():
    fasta, bed = random_example(ENTRY)
    example = Path(__file__).resolve().parents[2] / "model_cards" / ENTRY / "example"
    assert (example / "genome.fa").read_text() == fasta and (example / "regions.bed").read_text() == bed


def peaks_in(shared_data, windows):
    """CTCF peak summits that leave room for a whole model window, as (window number, position in it)."""
    found = []
    with gzip.open(shared_data / "m02_bpnet_ctcf_k562" / "ENCSR000AKO.narrowPeak.gz", "rt") as peaks:
        for line in peaks:
            fields = line.split("\t")
            summit = int(fields[1]) + int(fields[9])
            for number, (chrom, start, end) in enumerate(windows):
                if fields[0] == chrom and start + WINDOW <= summit < end - WINDOW:
                    found.append((number, summit - start))
    return found


def shuffled(peaks, windows, per_peak=5, apart=1000):
    """Random positions in the same windows, away from every peak."""
    rng = np.random.default_rng(0)
    found = []
    for number, _ in peaks:
        near = [position for other, position in peaks if other == number]
        size = windows[number][2] - windows[number][1]
        taken = 0
        while taken < per_peak:
            position = int(rng.integers(WINDOW, size - WINDOW))
            if min(abs(position - peak) for peak in near) > apart:
                found.append((number, position))
                taken += 1
    return found


def area_under_roc(positive, negative):
    """Probability that a positive outranks a negative (Mann-Whitney), ties half."""
    greater = (positive[:, None] > negative[None, :]).mean()
    return greater + (positive[:, None] == negative[None, :]).mean() / 2


@pytest.mark.long
def test_peaks_rank_over_shuffled_regions(genome, windows, shared_data, zoo_program, tmp_path):
    peaks = peaks_in(shared_data, windows)
    others = shuffled(peaks, windows)
    assert len(peaks) > 50 and len(others) == 5 * len(peaks)
    bed, out = tmp_path / "regions.bed", tmp_path / "out.h5"
    with bed.open("w") as handle:
        for kind, places in (("peak", peaks), ("shuffled", others)):
            for number, position in places:
                chrom, start, end = windows[number]
                handle.write(f"{chrom}:{start}-{end}\t{position - 50}\t{position + 50}\t{kind}\n")
    command = [zoo_program, "predict", ENTRY, bed, "-g", genome, "-o", out, "--tracks", "ctcf_log_counts", "-q"]
    subprocess.run(command, check=True)
    with h5py.File(out) as handle:
        counts = handle["preds"][:, 0]
        kind = handle["metadata/ranges/id"][:].astype(str)
    assert area_under_roc(counts[kind == "peak"], counts[kind == "shuffled"]) > 0.95


def test_rc_average_of_stranded_profile_swaps_strands(genome, windows, tmp_path):
    """On the other strand the plus profile is the minus one read backwards: both files must mirror."""
    chrom, start, end = windows[0]
    forward, backward = tmp_path / "forward.bed", tmp_path / "backward.bed"
    forward.write_text(f"{chrom}:{start}-{end}\t60000\t60100\tx\t0\t+\n")
    backward.write_text(f"{chrom}:{start}-{end}\t60000\t60100\tx\t0\t-\n")
    values = []
    for bed in (forward, backward):
        out = bed.with_suffix(".h5")
        words = ["predict", ENTRY, bed, "-g", genome, "-o", out, "--rc-average", "--strand", "use", "-q"]
        assert run([*map(str, words)]) == 0
        with h5py.File(out) as handle:
            values.append((handle["preds/profile"][0], handle["preds/counts"][0]))
    (profile, counts), (mirrored, mirrored_counts) = values
    np.testing.assert_allclose(profile, mirrored[::-1, ::-1], atol=1e-4)
    np.testing.assert_allclose(counts, mirrored_counts, atol=1e-5)
