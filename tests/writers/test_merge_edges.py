"""Where windows meet: three and more of them, equal ones, infinities, many tracks, odd names of chromosomes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyBigWig
import pytest
from hypothesis import given
from hypothesis import strategies as st
from writer_batches import SCALAR, make_batches, make_context, write_all

from zoo.errors import InputError
from zoo.outputs import OutputSpec, PredictionBatch
from zoo.writers import open_writer
from zoo.writers.genomic import final_names

ONE = OutputSpec("s", "scalar", ("x",))


def rows(*places, output=ONE, chrom="chr1", window=None):
    """One batch: (start, end, values of all tracks) a row; the model's window is the region unless it is given."""
    n = len(places)
    dots = np.array(["."] * n, dtype=object)
    start, end = np.array([p[0] for p in places]), np.array([p[1] for p in places])
    return PredictionBatch(
        region=np.arange(n),
        chrom=np.array([chrom] * n, dtype=object),
        start=start,
        end=end,
        name=dots,
        score=dots,
        strand=np.array(["+"] * n),
        window_start=start if window is None else np.array([w[0] for w in window]),
        window_end=end if window is None else np.array([w[1] for w in window]),
        reverse=np.zeros(n, bool),
        values={output.name: np.array([np.atleast_1d(p[2]) for p in places], np.float32)},
    )


def lines(path):
    return [tuple(line.split("\t")) for line in path.read_text().splitlines()]


def graph(tmp_path, *batches, output=ONE, **more):
    (path,) = write_all(make_context(tmp_path / "o.bedgraph", [output], **more), batches)
    return [(int(start), int(end), float(value)) for _, start, end, value in lines(path)]


THREE = [(0, 30, 1), (10, 40, 2), (20, 50, 6)]


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ("mean", [(0, 10, 1), (10, 20, 1.5), (20, 30, 3), (30, 40, 4), (40, 50, 6)]),
        ("max", [(0, 10, 1), (10, 20, 2), (20, 30, 6), (30, 40, 6), (40, 50, 6)]),
    ],
)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_three_windows_in_any_order(tmp_path, overlap, expected, order):
    assert graph(tmp_path, rows(*(THREE[i] for i in order)), overlap=overlap) == expected


def test_a_mean_is_over_all_windows_at_once_and_not_of_means(tmp_path):
    """((1 + 2) / 2 + 6) / 2 would be 3.75."""
    assert graph(tmp_path, rows((5, 6, 1), (5, 6, 2), (5, 6, 6))) == [(5, 6, 3)]


def test_a_window_inside_another_cuts_it_in_three(tmp_path):
    assert graph(tmp_path, rows((0, 100, 4), (40, 60, 8))) == [(0, 40, 4), (40, 60, 6), (60, 100, 4)]


def test_one_window_a_thousand_times_is_itself(tmp_path):
    third = np.float32(1 / 3)
    assert graph(tmp_path, rows(*[(10, 20, third)] * 1000)) == [(10, 20, pytest.approx(third, rel=1e-7))]


@pytest.mark.parametrize(
    ("values", "mean", "largest"),
    [
        ((np.inf, 1), "1", "1"),  # what is not finite is left out, and counted in the run
        ((-np.inf, 1), "1", "1"),
        ((-np.inf, -np.inf), None, None),
        ((np.inf, -np.inf), None, None),
        ((np.nan, 2), "2", "2"),
        ((np.nan, np.nan), None, None),
        ((-0.0, -0.0), "-0", "-0"),
    ],
)
@pytest.mark.filterwarnings("error")  # nor is numpy's own complaint written among a user's progress
def test_values_that_are_no_usual_numbers(tmp_path, values, mean, largest):
    batch = rows(*[(3, 5, value) for value in values])
    for overlap, expected in (("mean", mean), ("max", largest)):
        (path,) = write_all(make_context(tmp_path / f"{overlap}.bedgraph", [ONE], overlap=overlap), [batch])
        assert [line[3] for line in lines(path)] == ([] if expected is None else [expected])


def test_numbers_that_cancel_do_not_overflow(tmp_path):
    """The sum of two of the largest float32 is no float32; their mean is."""
    largest = float(np.finfo(np.float32).max)
    assert graph(tmp_path, rows((0, 1, largest), (0, 1, largest))) == [(0, 1, pytest.approx(largest, rel=1e-7))]


def test_bins_that_do_not_line_up(tmp_path):
    """Bins of 4 bp, the second window 2 bp on: every bin is cut in two."""
    output = OutputSpec("p", "profile", ("x",), n_bins=2, bin_size=4)
    batch = rows((0, 8, [0, 4]), (2, 10, [8, 2]), output=output)
    values = {"p": batch.values["p"].reshape(2, 1, 2)}
    batch = PredictionBatch(**(batch.__dict__ | {"values": values}))
    assert graph(tmp_path, batch, output=output) == [(0, 2, 0), (2, 4, 4), (4, 6, 6), (6, 8, 3), (8, 10, 2)]


def test_a_tiled_scalar_covers_the_part_of_its_region_that_its_window_saw(tmp_path):
    """A region of 100 bp under windows of 40: the last one passes the region's end."""
    windows = [(0, 40), (40, 80), (80, 120)]
    batch = rows(*[(10, 100, value) for value in (1, 2, 3)], window=windows)
    assert graph(tmp_path, batch, tiled=True) == [(10, 40, 1), (40, 80, 2), (80, 100, 3)]


def test_a_window_beyond_the_chromosome_writes_nothing(tmp_path):
    output = OutputSpec("p", "profile", ("x",), n_bins=2, bin_size=10)
    batch = rows((4990, 5020, 1), (5000, 5040, 2), (-40, -10, 3), (4000, 4010, 4))
    values = np.repeat(batch.values["s"][:, :, None], 2, axis=2)
    batch = PredictionBatch(**(batch.__dict__ | {"values": {"p": values}}))
    assert graph(tmp_path, batch, output=output) == [(4000, 4010, 4), (4010, 4020, 4), (4990, 5000, 1)]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.integers(-8, 8)), min_size=1, max_size=12),
    st.sampled_from(["mean", "max"]),
)
def test_random_scalars_equal_a_plain_sum_over_bases(tmp_path_factory, places, overlap):
    cover: dict[int, list[int]] = {}
    for start, length, value in places:
        for base in range(start, start + length):
            cover.setdefault(base, []).append(value)
    one = max if overlap == "max" else lambda values: sum(values) / len(values)
    expected = {base: np.float32(one(values)) for base, values in cover.items()}
    folder = tmp_path_factory.mktemp("scalars")
    found = graph(folder, rows(*[(s, s + n, v) for s, n, v in places]), overlap=overlap)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    assert {base: np.float32(v) for s, e, v in found for base in range(s, e)} == expected


def test_more_tracks_than_files_are_open_at_once(tmp_path):
    """40 tracks, 16 at a time: each file has its own numbers and its name is in its place."""
    output = OutputSpec("s", "scalar", tuple(f"t{i}" for i in range(40)))
    batch = rows((0, 10, np.arange(40)), (5, 15, np.arange(40) + 100), output=output)
    paths = write_all(make_context(tmp_path / "o.bedgraph", [output]), [batch])
    assert [path.name for path in paths] == [f"o.t{i}.bedgraph" for i in range(40)]
    for i, path in enumerate(paths):
        assert [float(line[3]) for line in lines(path)] == [i, i + 50, i + 100]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)


@pytest.mark.parametrize("suffix", [".bw", ".bedgraph"])
def test_names_of_chromosomes_with_odd_characters(tmp_path, suffix):
    """A name with % must not be taken for a format, nor one with HLA's colons for a place."""
    sizes = {"HLA-A*01:01:01:01": 60, "100%d": 70, "chrUn_KI270742v1": 80}
    batches = [rows((i, i + 3, i + 1), chrom=chrom) for i, chrom in enumerate(sizes)]
    (path,) = write_all(make_context(tmp_path / f"o{suffix}", [ONE], chrom_sizes=sizes), batches)
    if suffix == ".bw":
        with pyBigWig.open(str(path)) as file:
            assert file.chroms() == sizes
            found = {chrom: file.intervals(chrom) for chrom in sizes}
    else:
        found = {chrom: ((int(a), int(b), float(v)),) for chrom, a, b, v in lines(path)}
    assert found == {chrom: ((i, i + 3, i + 1),) for i, chrom in enumerate(sizes)}


def test_chromosomes_come_in_the_order_of_their_names_as_ucsc_sorts(tmp_path):
    sizes = dict.fromkeys(("chr2", "chr10", "chrX", "chr1"), 100)
    batches = [rows((5, 9, 1), chrom=chrom) for chrom in sizes]
    (path,) = write_all(make_context(tmp_path / "o.bedgraph", [ONE], chrom_sizes=sizes), batches)
    assert [line[0] for line in lines(path)] == ["chr1", "chr10", "chr2", "chrX"]


def test_no_windows_at_all(tmp_path):
    for suffix in (".bedgraph", ".bg.gz", ".bw"):
        paths = write_all(make_context(tmp_path / f"none{suffix}", [SCALAR]), [])
        assert [path.name for path in paths] == [f"none.plus{suffix}", f"none.minus{suffix}"]
    assert (tmp_path / "none.plus.bedgraph").read_bytes() == b""


# Overlaps that are an error


def refused(tmp_path, *batches, output=ONE, **more):
    writer = open_writer(make_context(tmp_path / "o.bedgraph", [output], overlap="error", **more))
    writer.open()
    for batch in batches:
        writer.write(batch)
    with pytest.raises(InputError) as caught:
        writer.finish()
    writer.discard()
    return caught.value


def test_the_first_overlap_of_the_genome_is_named_and_not_of_the_file(tmp_path):
    error = refused(
        tmp_path,
        rows((3000, 3100, 1), (3050, 3200, 1), chrom="chr2"),
        rows((1_200, 1_300, 1), (1_250, 1_260, 1), (50, 60, 1)),
    )
    assert error.what.startswith("predictions overlap at chr1:1,250-1,260 (region 2)")
    assert error.extent == "2 windows overlap an earlier one"
    assert error.fix == "use --overlap mean or --overlap max" and error.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_the_same_place_on_two_chromosomes_is_no_overlap(tmp_path):
    batches = [rows((100, 200, 1), chrom="chr1"), rows((100, 200, 2), chrom="chr2")]
    (path,) = write_all(make_context(tmp_path / "o.bedgraph", [ONE], overlap="error"), batches)
    assert len(lines(path)) == 2


def test_windows_that_meet_only_outside_their_chromosome_do_not_overlap(tmp_path):
    """Both pass the end of chr1 (5,000 bp) after what is written."""
    output = OutputSpec("p", "profile", ("x",), n_bins=1, bin_size=40)
    batch = rows((4960, 5000, 1), (5000, 5040, 1), (5010, 5050, 1))
    batch = PredictionBatch(**(batch.__dict__ | {"values": {"p": batch.values["s"][:, :, None]}}))
    (path,) = write_all(make_context(tmp_path / "o.bedgraph", [output], overlap="error"), [batch])
    assert lines(path) == [("chr1", "4960", "5000", "1")]


def test_an_overlap_across_the_border_of_two_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.writers.window_spool.BLOCK", 256)
    error = refused(tmp_path, rows((200, 300, 1), (299, 400, 1), (900, 1000, 1)))
    assert error.what.startswith("predictions overlap at chr1:299-300 (region 2)")
    assert error.extent == "1 window overlaps an earlier one"


# Names of the files


labels = st.text(st.sampled_from("aAbB/ .:*é-_0"), min_size=1, max_size=6)


@given(st.lists(labels, min_size=2, max_size=12), st.sampled_from([".bw", ".bedgraph", ".bg.gz"]))
def test_every_track_has_a_file_of_its_own_whatever_its_name(tmp_path_factory, tracks, suffix):
    folder = tmp_path_factory.getbasetemp()
    names = final_names(make_context(folder / f"out.v2{suffix}", [OutputSpec("s", "scalar", tuple(tracks))]))
    assert len({path.name.lower() for path in names}) == len(tracks), "some file systems do not tell a from A"
    assert {path.parent for path in names} == {folder}
    assert all(path.name.startswith("out.v2.") and path.name.endswith(suffix) for path in names)
    assert all(path.name.isascii() and " " not in path.name for path in names)


def test_a_very_long_name_of_a_track_is_cut_to_what_a_file_may_have(tmp_path):
    tracks = ("x" * 300 + "1", "x" * 300 + "2")
    paths = write_all(
        make_context(tmp_path / "o.bedgraph", [OutputSpec("s", "scalar", tracks)]),
        make_batches(1, 1, outputs=[OutputSpec("s", "scalar", tracks)]),
    )
    assert [path.name for path in paths] == [f"o.{'x' * 120}.bedgraph", f"o.{'x' * 120}.2.bedgraph"]


def test_one_track_of_one_output_keeps_the_name_that_was_asked_for(tmp_path):
    assert final_names(make_context(tmp_path / "o.bw", [ONE])) == [tmp_path / "o.bw"]
    two = [ONE, OutputSpec("t", "scalar", ("x",))]
    assert [path.name for path in final_names(make_context(tmp_path / "o.bw", two))] == ["o.s.x.bw", "o.t.x.bw"]
