"""bigWig files, read by libraries that did not write them: values, index, zoom levels, many contigs."""

from __future__ import annotations

import sys

import numpy as np
import pyBigWig
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from writer_batches import make_batch, make_context

from zoo.outputs import OutputSpec
from zoo.writers import open_writer
from zoo.writers.bigwig import _BigWigFile


def write(path, sizes: dict[str, int], intervals: list[tuple[str, int, int, float]], call: int = 1000):
    """Intervals in order, some a call."""
    chroms = sorted(sizes)
    file = _BigWigFile(path, [(chrom, sizes[chrom]) for chrom in chroms])
    for first in range(0, len(intervals), call):
        names, starts, ends, values = zip(*intervals[first : first + call], strict=True)
        codes = np.array([chroms.index(name) for name in names])
        file.add(codes, np.array(starts), np.array(ends), np.array(values, np.float32))
    file.finish()
    return path


def read(path) -> list[tuple[str, int, int, np.float32]]:
    with pyBigWig.open(str(path)) as file:
        return [(c, a, b, np.float32(v)) for c in file.chroms() for a, b, v in file.intervals(c) or ()]


@st.composite
def tracks(draw):
    """Chromosomes and intervals: runs of one span and step, of one span, and of any."""
    sizes = {f"chr{draw(st.integers(0, 10**9))}": 400 for _ in range(draw(st.integers(1, 12)))}
    intervals = []
    for chrom in sorted(sizes):
        at = draw(st.integers(0, 50))
        gap, span = draw(st.sampled_from([0, 3, None])), draw(st.sampled_from([1, 7, None]))
        for _ in range(draw(st.integers(0, 12))):
            end = at + (draw(st.integers(1, 9)) if span is None else span)
            intervals.append((chrom, at, end, draw(st.floats(width=32, allow_nan=False, allow_infinity=False))))
            at = end + (draw(st.integers(0, 9)) if gap is None else gap)
    return sizes, intervals


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tracks(), st.integers(1, 5), st.sampled_from([2, 3, 256]), st.integers(1, 9))
def test_every_interval_comes_back_to_the_bit(tmp_path_factory, monkeypatch, track, section, node, call):
    """Sections, nodes and blocks are made tiny, so that trees have several levels."""
    monkeypatch.setattr("zoo.writers.bigwig.SECTION", section)
    monkeypatch.setattr("zoo.writers.bigwig.PENDING", 7)
    monkeypatch.setattr("zoo.writers.bigwig.ZOOM_BLOCK", section)
    monkeypatch.setattr("zoo.writers.bigwig_trees.NODE", node)
    monkeypatch.setattr("zoo.writers.bigwig_zoom.FIRST", 2)
    sizes, intervals = track
    path = write(tmp_path_factory.mktemp("bw") / "o.bw", sizes, intervals, call)
    found = read(path)
    assert [(c, a, b) for c, a, b, _ in found] == [(c, a, b) for c, a, b, _ in intervals]
    assert np.array([v for *_, v in found]).tobytes() == np.array([v for *_, v in intervals], np.float32).tobytes()
    with pyBigWig.open(str(path)) as file:
        assert file.chroms() == sizes
    assert [one.name for one in path.parent.iterdir()] == ["o.bw"]


def dense(path, n=40_960, width=10, seed=3):
    values = np.random.default_rng(seed).gamma(1, 2, n).astype(np.float32)
    places = [("chr1", i * width, i * width + width, v) for i, v in enumerate(values.tolist())]
    return write(path, {"chr1": n * width, "chr2": 100}, places), values


def test_the_summary_and_the_zoom_levels(tmp_path):
    path, values = dense(tmp_path / "o.bw")
    with pyBigWig.open(str(path)) as file:
        header = file.header()
        assert (header["nBasesCovered"], header["nLevels"] >= 4) == (409_600, True)
        assert header["sumData"] == int(values.sum(dtype=np.float64) * 10)
        # Four bins of 102,400 bp: of each level of 100, 400, ... bp some stretches fill them.
        quarters = values.reshape(4, -1)
        for kind, wanted in (("mean", quarters.mean(1)), ("max", quarters.max(1)), ("min", quarters.min(1))):
            assert file.stats("chr1", 0, 409_600, nBins=4, type=kind) == pytest.approx(wanted.tolist(), rel=1e-5), kind
        assert file.stats("chr1", type="std")[0] == pytest.approx(values.std(), rel=1e-5)
        assert file.stats("chr1", type="coverage") == [1]
        assert file.stats("chr2") == [None]


def test_figwig_reads_the_same(tmp_path):
    figwig = pytest.importorskip("figwig")
    path, values = dense(tmp_path / "o.bw", n=6_000)
    reader = figwig.BigWigReader(str(path))
    assert reader.chrom_sizes == {"chr1": 60_000, "chr2": 100}
    found = reader.read(np.array(["chr1", "chr1"]), np.array([0, 31_007]), 20_000)
    bases = np.repeat(values, 10)
    np.testing.assert_array_equal(found, [bases[:20_000], bases[31_007:51_007]])


@pytest.mark.parametrize(
    "intervals",
    [
        [("a", 5, 10, 1), ("a", 9, 12, 1)],
        [("b", 5, 10, 1), ("a", 5, 10, 1)],
        [("a", 5, 5, 1)],
        [("a", -1, 5, 1)],
        [("a", 95, 101, 1)],
    ],
)
def test_what_no_bigwig_may_hold_is_a_bug_that_shows(tmp_path, intervals):
    with pytest.raises(ValueError, match="of a bigWig"):
        write(tmp_path / "o.bw", {"a": 100, "b": 100}, intervals)


# Genomes of many contigs

OUTPUT = OutputSpec("p", "profile", ("x",), n_bins=4, bin_size=8, offset=4)


def written(path, n: int) -> None:
    """A window on each of n contigs."""
    sizes = {f"contig_{i:06d}": 300 for i in range(n)}
    writer = open_writer(make_context(path, [OUTPUT], chrom_sizes=sizes))
    writer.open()
    batch = make_batch(1, n, [OUTPUT], sizes, window=40)
    batch.chrom[:] = np.random.default_rng(5).permutation(list(sizes))
    writer.write(batch)
    writer.finish()


def steps(path, n: int) -> int:
    """Calls, of Python and C functions alike, that writing takes."""
    count = 0

    def tick(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(tick)
    try:
        written(path, n)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("suffix", [".bw", ".bedgraph"])
def test_work_grows_as_the_contigs_do(tmp_path, suffix):
    one, four = (steps(tmp_path / f"{n}{suffix}", n) for n in (1_000, 4_000))
    assert four < 4.4 * one
    assert four < 40 * 4_000, "a contig takes some calls, not a merge of its own"


def test_twenty_thousand_contigs(tmp_path):
    written(tmp_path / "o.bw", 20_000)
    with pyBigWig.open(str(tmp_path / "o.bw")) as file:
        assert len(file.chroms()) == 20_000
        assert file.header()["nBasesCovered"] > 20_000 * 8
        assert all(file.intervals(f"contig_{i:06d}") for i in (0, 255, 256, 9_999, 19_999))
