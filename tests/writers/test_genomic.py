"""bigWig and bedGraph: places, strands, clipping, overlaps; against plain Python and known values."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
from genome_oracle import covering_values, merged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from writer_batches import CHROM_SIZES, PROFILE, SCALAR, make_batch, make_batches, make_context, write_all

from zoo.errors import InputError
from zoo.outputs import OutputSpec, PredictionBatch
from zoo.writers import open_writer

ONE = OutputSpec("profile", "profile", ("cuts",), n_bins=3, bin_size=10, offset=5)


def one_row(start: int, end: int, values: np.ndarray, output: OutputSpec, chrom="chr1", strand="+", region=0):
    """A batch of one window that starts and ends where its region does."""
    return PredictionBatch(
        region=np.array([region]),
        chrom=np.array([chrom], dtype=object),
        start=np.array([start]),
        end=np.array([end]),
        name=np.array(["r"], dtype=object),
        score=np.array(["."], dtype=object),
        strand=np.array([strand]),
        window_start=np.array([start]),
        window_end=np.array([end]),
        reverse=np.array([strand == "-"]),
        values={output.name: np.asarray(values, np.float32)[None]},
    )


def intervals(path: Path, chrom: str = "chr1") -> list[tuple[int, int, float]]:
    with pyBigWig.open(str(path)) as file:
        return list(file.intervals(chrom) or ())


def bases_of(path: Path) -> dict[tuple[str, int], np.float32]:
    """(chromosome, base) -> value; fails when a base is there twice."""
    lines: list[tuple[str, int, int, float]] = []
    if ".bw" in path.suffixes:
        with pyBigWig.open(str(path)) as file:
            lines = [(c, *found) for c in file.chroms() for found in file.intervals(c) or ()]
    else:
        packed = path.read_bytes()
        text = gzip.decompress(packed) if path.suffix == ".gz" else packed
        for line in text.decode().splitlines():
            chrom, start, end, value = line.split("\t")
            lines.append((chrom, int(start), int(end), float(value)))
    found = {}
    for chrom, start, end, value in lines:
        for base in range(start, end):
            assert (chrom, base) not in found
            found[chrom, base] = np.float32(value)
    return found


def test_bins_lie_at_offset_from_the_window(tmp_path):
    context = make_context(tmp_path / "o.bw", [ONE])
    assert write_all(context, [one_row(100, 140, [[1, 2, 3]], ONE)]) == [tmp_path / "o.bw"]
    assert intervals(tmp_path / "o.bw") == [(105, 115, 1), (115, 125, 2), (125, 135, 3)]


def test_bins_of_a_reverse_window_count_from_its_end(tmp_path):
    context = make_context(tmp_path / "o.bw", [ONE])
    write_all(context, [one_row(100, 141, [[1, 2, 3]], ONE, strand="-")])
    assert intervals(tmp_path / "o.bw") == [(106, 116, 3), (116, 126, 2), (126, 136, 1)]


def test_stranded_tracks_are_swapped_in_reverse_windows_only(tmp_path):
    output = OutputSpec("p", "profile", ("plus", "minus", "both"), n_bins=1, bin_size=40)
    swap = {"p": np.array([1, 0, 2])}
    context = make_context(tmp_path / "o.bw", [output], stranded_swap=swap)
    rows = [
        one_row(0, 40, [[1], [2], [3]], output),
        one_row(100, 140, [[1], [2], [3]], output, strand="-"),
    ]
    paths = write_all(context, rows)
    assert [p.name for p in paths] == ["o.plus.bw", "o.minus.bw", "o.both.bw"]
    assert [intervals(p) for p in paths] == [
        [(0, 40, 1), (100, 140, 2)],
        [(0, 40, 2), (100, 140, 1)],
        [(0, 40, 3), (100, 140, 3)],
    ]


def test_bins_are_clipped_to_the_chromosome(tmp_path):
    context = make_context(tmp_path / "o.bw", [ONE])
    rows = [one_row(-12, 28, [[1, 2, 3]], ONE), one_row(4970, 5010, [[4, 5, 6]], ONE)]
    write_all(context, rows)
    assert intervals(tmp_path / "o.bw") == [
        (0, 3, 1),
        (3, 13, 2),
        (13, 23, 3),
        (4975, 4985, 4),
        (4985, 4995, 5),
        (4995, 5000, 6),
    ]


def test_a_scalar_covers_its_region(tmp_path):
    output = OutputSpec("s", "scalar", ("x",))
    write_all(make_context(tmp_path / "o.bedgraph", [output]), [one_row(7, 11, [0.1], output)])
    assert (tmp_path / "o.bedgraph").read_text() == "chr1\t7\t11\t0.1\n"


def test_mean_and_max_of_two_windows(tmp_path):
    output = OutputSpec("s", "scalar", ("x",))
    rows = [one_row(15, 30, [4], output), one_row(10, 20, [1], output)]
    for overlap, middle in (("mean", 2.5), ("max", 4)):
        out = tmp_path / f"{overlap}.bw"
        write_all(make_context(out, [output], overlap=overlap), rows)
        assert intervals(out) == [(10, 15, 1), (15, 20, middle), (20, 30, 4)]


def test_overlap_error_names_the_first_place_the_count_and_the_fix(tmp_path):
    output = OutputSpec("s", "scalar", ("x",))
    places = [(400, 500), (450, 470), (460, 600), (1500, 1520), (1000, 1510)]
    rows = [one_row(a, b, [1], output, region=i) for i, (a, b) in enumerate(places)]
    writer = open_writer(make_context(tmp_path / "o.bw", [output], overlap="error"))
    writer.open()
    for row in rows:
        writer.write(row)
    with pytest.raises(InputError) as caught:
        writer.finish()
    assert caught.value.what == "predictions overlap at chr1:450-470 (region 2), and overlap is 'error'"
    assert caught.value.extent == "3 windows overlap an earlier one"
    assert "--overlap mean" in caught.value.fix
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_overlap_error_accepts_windows_that_touch(tmp_path):
    output = OutputSpec("s", "scalar", ("x",))
    rows = [one_row(20, 30, [2], output), one_row(10, 20, [1], output)]
    write_all(make_context(tmp_path / "o.bw", [output], overlap="error"), rows)
    assert intervals(tmp_path / "o.bw") == [(10, 20, 1), (20, 30, 2)]


def test_windows_apart_keep_their_values_to_the_bit(tmp_path):
    output = OutputSpec("s", "scalar", ("x",))
    values = [-0.0, 1e-45, 3.4e38, 1 / 3]
    rows = [one_row(10 * i, 10 * i + 10, [v], output) for i, v in enumerate(values)]
    write_all(make_context(tmp_path / "o.bw", [output]), rows)
    found = np.array([v for _, _, v in intervals(tmp_path / "o.bw")], np.float32)
    assert found.tobytes() == np.array(values, np.float32).tobytes()


def test_nan_is_not_written_and_does_not_spoil_a_mean(tmp_path):
    output = OutputSpec("s", "scalar", ("x", "y"))
    rows = [one_row(10, 20, [np.nan, 1], output), one_row(15, 30, [4, 2], output)]
    x, y = write_all(make_context(tmp_path / "o.bw", [output]), rows)
    assert bases_of(x) == {("chr1", b): 4 for b in range(15, 30)}
    assert intervals(y) == [(10, 15, 1), (15, 20, 1.5), (20, 30, 2)]


def test_all_nan_gives_a_readable_empty_file(tmp_path):
    output = OutputSpec("s", "scalar", ("x",))
    write_all(make_context(tmp_path / "o.bw", [output]), [one_row(10, 20, [np.nan], output)])
    with pyBigWig.open(str(tmp_path / "o.bw")) as file:
        assert file.chroms() == CHROM_SIZES


def test_unknown_chromosome(tmp_path):
    output = OutputSpec("s", "scalar", ("x",))
    writer = open_writer(make_context(tmp_path / "o.bw", [output]))
    writer.open()
    with pytest.raises(InputError, match="chrUn"):
        writer.write(one_row(1, 2, [1], output, chrom="chrUn"))
    writer.discard()


def test_names_of_the_files(tmp_path):
    several = [
        OutputSpec("a", "scalar", ("K562/DNase (cuts)", "k562 DNase cuts ")),
        OutputSpec("b", "profile", ("x",), n_bins=2, bin_size=4),
    ]
    batch = make_batch(1, outputs=several)
    names = [p.name for p in write_all(make_context(tmp_path / "o.v1.bedgraph.gz", several), [batch])]
    assert names == [
        "o.v1.a.K562_DNase_cuts_.bedgraph.gz",
        "o.v1.a.k562_DNase_cuts_.2.bedgraph.gz",
        "o.v1.b.x.bedgraph.gz",
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 12),
    overlap=st.sampled_from(["mean", "max"]),
    suffix=st.sampled_from([".bw", ".bedgraph", ".bg.gz"]),
    tiled=st.booleans(),
    swapped=st.booleans(),
    nan=st.booleans(),
)
def test_every_base_is_what_plain_python_says(
    tmp_path_factory, monkeypatch, seed, count, overlap, suffix, tiled, swapped, nan
):
    """Blocks and chunks are made tiny, so that windows cross their borders."""
    monkeypatch.setattr("zoo.writers.window_spool.BLOCK", 256)
    monkeypatch.setattr("zoo.writers.window_spool.STRETCH_BINS", 40)
    monkeypatch.setattr("zoo.writers.window_spool.CHUNK", 5)
    monkeypatch.setattr("zoo.writers.genomic.CHUNK", 30)
    out = tmp_path_factory.mktemp("genomic") / f"o{suffix}"
    swap = {"profile": np.array([1, 0])} if swapped else {}
    context = make_context(out, overlap=overlap, tiled=tiled, stranded_swap=swap)
    batches = make_batches(seed, count)
    if nan:
        for batch in batches:
            batch.values["profile"][:, 0, ::3] = np.nan
    paths = write_all(context, batches)
    wanted = [
        merged(covering_values(batches, output, track, context), overlap)
        for output in (SCALAR, PROFILE)
        for track in range(2)
    ]
    for path, expected in zip(paths, wanted, strict=True):
        found = bases_of(path)
        assert found.keys() == expected.keys()
        places = list(found)
        left = np.array([found[p] for p in places])
        right = np.array([expected[p] for p in places])
        # The mean of values that cancel is rounded at the size of the values, in float64.
        np.testing.assert_allclose(left, right, rtol=2e-7, atol=1e-9)
        assert not list(out.parent.glob("*.partial"))


def test_memory_does_not_grow_with_the_regions(tmp_path, monkeypatch):
    """Up to the size of a stretch it does: that is made small here, as a chunk of windows is."""
    monkeypatch.setattr("zoo.writers.window_spool.STRETCH_BINS", 1 << 12)
    monkeypatch.setattr("zoo.writers.window_spool.CHUNK", 1 << 9)
    monkeypatch.setattr("zoo.writers.genomic.CHUNK", 1 << 12)
    output = OutputSpec("p", "profile", ("x",), n_bins=8, bin_size=16)
    sizes = {"chr1": 40_000_000}

    def peak(count: int) -> int:
        writer = open_writer(make_context(tmp_path / f"{count}.bedgraph", [output], chrom_sizes=sizes))
        tracemalloc.start()
        writer.open()
        for i in range(count):
            writer.write(make_batch(i, 500, [output], sizes))
        writer.finish()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)
    assert peak(40) < 1.3 * peak(10)
