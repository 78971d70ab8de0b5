"""Windows: centred as kipoiseq does it, tiles that cover a region, edges counted."""

from __future__ import annotations

import dataclasses
import random
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError, UsageError
from zoo.genome.intervals import Intervals
from zoo.genome.windows import WindowCounts, WindowPlan, center_starts, tile_counts


def regions_of(*pairs, chrom="chr1", first=0):
    n = len(pairs)
    dots = np.array(["."] * n, dtype=object)
    return Intervals(
        chrom=np.array([chrom] * n, dtype=object),
        start=np.array([a for a, _ in pairs], dtype=np.int64),
        end=np.array([b for _, b in pairs], dtype=np.int64),
        name=dots,
        score=dots,
        strand=np.array(["."] * n, dtype="<U1"),
        first=first,
    )


def laid(plan, regions, at_most=1000):
    """Region row -> window starts."""
    found = {row: [] for row in range(len(regions))}
    for windows in plan.lay(regions, at_most):
        for row, start in zip(windows.row.tolist(), windows.start.tolist(), strict=True):
            found[row].append(start)
    return found


pairs = st.tuples(st.integers(0, 5000), st.integers(1, 600)).map(lambda p: (p[0], p[0] + p[1]))


def test_centred_windows_equal_kipoiseq_on_thousands_of_intervals():
    resize = pytest.importorskip("kipoiseq.transforms.functional").resize_interval
    rng = random.Random(0)
    for _ in range(5000):
        start = rng.randint(0, 250_000_000)
        end, width = start + rng.randint(1, 4000), rng.randint(1, 3000)
        theirs = resize(SimpleNamespace(start=start, end=end), width)
        ours = int(center_starts(np.array([start]), np.array([end]), width)[0])
        assert (ours, ours + width) == (theirs.start, theirs.end)


def test_centred_windows_equal_grelu():
    """By gReLU's own rule, which is kipoiseq's but for even windows on odd regions."""
    import pandas as pd

    resize = pytest.importorskip("grelu.sequence.utils").resize
    rng = random.Random(1)
    starts = np.array([rng.randint(5000, 250_000_000) for _ in range(2000)])
    ends = starts + np.array([rng.randint(1, 2000) for _ in range(2000)])
    for width in (1, 2, 201, 1000, 2114):
        frame = pd.DataFrame({"chrom": "chr1", "start": starts, "end": ends})
        theirs = resize(frame, seq_len=width, input_type="intervals")["start"].to_numpy()
        later = (width % 2 == 0) & ((ends - starts) % 2 == 1)
        assert np.array_equal(center_starts(starts, ends, width, "grelu"), theirs), f"width {width}"
        assert np.array_equal(center_starts(starts, ends, width) + later, theirs), f"width {width}"


@pytest.mark.parametrize(
    ("start", "end", "length", "expected"),
    [(10, 20, 10, 10), (10, 20, 4, 13), (10, 21, 4, 13), (10, 20, 5, 13), (10, 11, 1, 10), (0, 2, 10, -4)],
)
def test_centre_by_hand(start, end, length, expected):
    assert center_starts(np.array([start]), np.array([end]), length).tolist() == [expected]


@st.composite
def tilings(draw):
    """(window length, offset and length of the output, stride up to that length)."""
    offset, out, after = draw(st.integers(0, 50)), draw(st.integers(1, 100)), draw(st.integers(0, 50))
    return offset + out + after, offset, out, draw(st.integers(1, out))


@given(st.lists(pairs, min_size=1, max_size=5), tilings())
def test_tiles_cover_every_base_and_none_is_superfluous(spans, tiling):
    length, offset, out, stride = tiling
    plan = WindowPlan(length, "tile", offset, out, stride)
    found = laid(plan, regions_of(*spans))
    for (start, end), starts in zip(spans, found.values(), strict=True):
        covered = [set(range(s + offset, s + offset + out)) for s in starts]
        region = set(range(start, end))
        assert region <= set().union(*covered)
        assert not region <= set().union(*covered[:-1])
        assert np.all(np.diff(starts) == stride)


@given(st.lists(pairs, min_size=1, max_size=5), tilings(), st.integers(1, 7))
def test_windows_come_in_order_and_in_the_number_that_was_counted(spans, tiling, at_most):
    length, offset, out, stride = tiling
    regions = regions_of(*spans)
    for plan in (WindowPlan(length, "tile", offset, out, stride), WindowPlan(length)):
        parts = list(plan.lay(regions, at_most))
        assert max(len(part) for part in parts) <= at_most
        assert sum(len(part) for part in parts) == plan.count(regions)
        rows = np.concatenate([part.row for part in parts])
        assert np.all(np.diff(rows) >= 0)
        assert set(rows.tolist()) == set(range(len(spans)))
        whole = laid(plan, regions)
        split = [s for part in parts for s in part.start.tolist()]
        assert split == [s for starts in whole.values() for s in starts]


@given(pairs, st.integers(0, 40), st.integers(1, 60))
def test_a_region_as_short_as_the_output_is_tiled_as_it_is_centred(pair, crop, out):
    start, end = pair
    if end - start > out:
        end = start + out
    length = out + 2 * crop
    assert laid(WindowPlan(length, "tile", crop, out), regions_of((start, end))) == laid(
        WindowPlan(length), regions_of((start, end))
    )


def test_tiles_by_hand():
    plan = WindowPlan(40, "tile", 8, 24)
    assert laid(plan, regions_of((100, 148), (100, 149), (200, 210))) == {
        0: [92, 116],
        1: [92, 116, 140],
        2: [185],
    }
    assert tile_counts(np.array([0, 0, 0]), np.array([24, 25, 48]), 24, 24).tolist() == [1, 2, 2]


def test_default_stride_of_a_model_without_profile_is_its_window():
    assert laid(WindowPlan(10, "tile"), regions_of((0, 25))) == {0: [0, 10, 20]}


@pytest.mark.parametrize(("mode", "stride"), [("tile", 0), ("tile", -3), ("center", 5)])
def test_a_stride_that_makes_no_sense_is_refused(mode, stride):
    with pytest.raises(UsageError):
        WindowPlan(10, mode, stride=stride)


# Windows of 10 bp on a chromosome of 100: the first leaves it on the left, the last on the right.
EDGES = ((0, 4), (5, 15), (90, 100), (97, 100))


def applied(edges):
    plan, regions, counts = WindowPlan(10, edges=edges), regions_of(*EDGES, first=7), WindowCounts()
    (windows,) = plan.lay(regions, 100)
    kept = plan.apply_edges(windows, np.full(len(windows), 100), regions, counts)
    return kept.row.tolist(), kept.start.tolist(), counts


def test_padded_windows_are_counted_and_kept():
    assert applied("pad") == ([0, 1, 2, 3], [-3, 5, 90, 93], WindowCounts(windows=4, padded=2))


def test_skipped_windows_are_counted_named_and_left_out():
    assert applied("skip") == ([1, 2], [5, 90], WindowCounts(windows=2, skipped=2, first_skipped=["chr1:0-4"]))


def test_error_names_region_and_count():
    with pytest.raises(InputError) as caught:
        applied("error")
    assert "region 8 (chr1:0-4)" in caught.value.what
    assert caught.value.extent.startswith("2 of 4 windows")


@pytest.mark.parametrize("edges", ["pad", "skip", "error"])
def test_windows_inside_are_untouched_by_any_policy(edges):
    plan, regions, counts = WindowPlan(10, edges=edges), regions_of((5, 15), (90, 100)), WindowCounts()
    (windows,) = plan.lay(regions, 100)
    kept = plan.apply_edges(windows, np.full(2, 100), regions, counts)
    assert kept.start.tolist() == [5, 90]
    assert counts == WindowCounts(windows=2)


def test_names_of_skipped_regions_stop_after_ten_and_their_count_does_not():
    plan, counts = WindowPlan(10, edges="skip"), WindowCounts()
    for block in range(15):
        regions = regions_of((0, 2), (50, 52), chrom=f"chr{block}", first=2 * block)
        (windows,) = plan.lay(regions, 100)
        assert plan.apply_edges(windows, np.full(2, 100), regions, counts).start.tolist() == [46]
    assert (counts.windows, counts.skipped, counts.padded) == (15, 15, 0)
    assert counts.first_skipped == [f"chr{block}:0-2" for block in range(10)]


def test_the_error_counts_every_window_of_the_block_and_names_the_first_by_its_number_in_the_file():
    plan, regions = WindowPlan(2_000, edges="error"), regions_of((5000, 5010), (300, 310), (9_995, 9_999), first=1233)
    (windows,) = plan.lay(regions, 100)
    with pytest.raises(InputError) as caught:
        plan.apply_edges(windows, np.full(3, 10_000), regions, WindowCounts())
    assert caught.value.what == "the 2,000 bp window of region 1235 (chr1:300-310) leaves its chromosome"
    assert caught.value.extent == "2 of 3 windows looked at so far do"
    assert caught.value.fix == "Fix: --edges pad (N outside the chromosome) or --edges skip"
    assert caught.value.exit_code == 3


def test_a_chromosome_shorter_than_the_window_always_leaves():
    plan, regions = WindowPlan(10), regions_of((2, 5))
    (windows,) = plan.lay(regions, 100)
    counts = WindowCounts()
    assert len(plan.apply_edges(windows, np.array([9]), regions, counts)) == 1
    assert counts == WindowCounts(windows=1, padded=1)


@given(st.lists(pairs, min_size=1, max_size=8), st.integers(1, 900), st.integers(10, 6000))
def test_policies_agree_on_which_windows_leave(spans, length, size):
    """Padded, skipped and refused are the same windows, by a plain rule."""
    regions = regions_of(*spans)
    leaving = [not (0 <= (start + end) // 2 - length // 2 <= size - length) for start, end in spans]
    found = {}
    for edges in ("pad", "skip"):
        counts = WindowCounts()
        plan = WindowPlan(length, edges=edges)
        (windows,) = plan.lay(regions, 100)
        kept = plan.apply_edges(windows, np.full(len(spans), size), regions, counts)
        found[edges] = (kept.row.tolist(), counts)
    assert found["pad"][0] == list(range(len(spans))) and found["pad"][1].padded == sum(leaving)
    assert found["skip"][0] == [i for i, out in enumerate(leaving) if not out]
    assert found["skip"][1].skipped == sum(leaving)
    assert found["skip"][1].windows + found["skip"][1].skipped == len(spans) == found["pad"][1].windows


@pytest.mark.parametrize("mode", ["center", "tile"])
def test_no_regions_give_no_windows(mode):
    plan = WindowPlan(10, mode)
    assert list(plan.lay(regions_of(), 5)) == []
    assert plan.count(regions_of()) == 0


@given(pairs, st.integers(1, 700))
def test_the_centre_of_a_window_is_within_half_a_base_of_the_regions_centre(pair, length):
    """Both rules: kipoiseq's is the middle or up to half a base before it, or after where both are odd ..."""
    start, end = np.array([pair[0]]), np.array([pair[1]])
    for rule in ("kipoiseq", "grelu"):
        first = int(center_starts(start, end, length, rule)[0])
        twice_off = (2 * first + length) - (pair[0] + pair[1])
        assert abs(twice_off) <= 1
        if (pair[1] - pair[0] - length) % 2 == 0:
            assert twice_off == 0, f"{rule}: a window that can be centred is"
    ours, theirs = (int(center_starts(start, end, length, rule)[0]) for rule in ("kipoiseq", "grelu"))
    assert theirs - ours == ((pair[1] - pair[0]) % 2 == 1 and length % 2 == 0)


def test_tiles_of_a_short_region_are_centred_by_the_rule_of_the_model():
    regions = regions_of((100, 103))
    assert laid(WindowPlan(10, "tile", 3, 4), regions) == {0: [99 - 3]}
    assert laid(WindowPlan(10, "tile", 3, 4, centring="grelu"), regions) == {0: [100 - 3]}


def test_a_stride_longer_than_the_output_leaves_gaps_that_are_counted():
    """Asked for by the user: tiles start every 50 bp and predict 10. A fifth tile would predict 1200 to 1210."""
    plan = WindowPlan(20, "tile", 5, 10, stride=50)
    regions = regions_of((1000, 1200), (1000, 1203), (1000, 1010), (1000, 1030))
    assert laid(plan, regions) == {
        0: [995, 1045, 1095, 1145],
        1: [995, 1045, 1095, 1145, 1195],
        2: [995],
        3: [995],
    }
    assert plan.count(regions) == 11
    assert plan.uncovered(regions).tolist() == [160, 160, 0, 20]


@given(
    st.lists(st.tuples(pairs, st.sampled_from("+-.")), min_size=1, max_size=5),
    st.tuples(st.integers(0, 40), st.integers(1, 60), st.integers(0, 40)),
    st.integers(1, 200),
    st.booleans(),
    st.sampled_from(["kipoiseq", "grelu"]),
)
def test_no_tile_misses_its_region_and_what_none_predicts_is_counted(rows, part, stride, use_strand, centring):
    """Plain Python, base by base: any stride, both strands of an output that does not lie in the middle."""
    before, span, after = part
    length = before + span + after
    regions = regions_of(*(pair for pair, _ in rows))
    regions.strand[:] = [strand for _, strand in rows]
    plan = WindowPlan(length, "tile", before, span, stride, centring=centring, use_strand=use_strand)
    uncovered = plan.uncovered(regions).tolist()
    for row, starts in laid(plan, regions).items():
        (start, end), strand = rows[row]
        first = after if use_strand and strand == "-" else before
        region = set(range(start, end))
        predicted = [set(range(s + first, s + first + span)) for s in starts]
        assert all(region & tile for tile in predicted)
        rest = region - set().union(*predicted)
        assert uncovered[row] == len(rest)
        if stride <= span:
            assert not rest
        assert not region & predicted[-1] <= set().union(*predicted[:-1]), "the last tile is not needed"


@given(pairs, st.sampled_from("+-"), st.integers(0, 40), st.integers(1, 60), st.integers(0, 40), st.booleans())
def test_what_a_centred_window_does_not_predict_of_its_region_is_counted(pair, strand, before, span, after, use_strand):
    regions = regions_of(pair)
    regions.strand[:] = strand
    plan = WindowPlan(before + span + after, out_offset=before, out_length=span, use_strand=use_strand)
    (start,) = laid(plan, regions)[0]
    first = start + (after if use_strand and strand == "-" else before)
    assert plan.uncovered(regions).tolist() == [len(set(range(*pair)) - set(range(first, first + span)))]


@pytest.mark.parametrize(
    ("mode", "stride", "what"), [("tile", 0, "--stride 0: must be"), ("center", 5, "is for tiled")]
)
def test_the_fix_for_a_stride_is_one_that_is_accepted(mode, stride, what):
    with pytest.raises(UsageError) as caught:
        WindowPlan(10, mode, stride=stride)
    assert what in caught.value.what and caught.value.exit_code == 2
    assert WindowPlan(10, "tile", stride=stride or 512).stride


def test_windows_on_summits_are_chrombpnets():
    """``start + summit - width // 2`` of chrombpnet's ``get_seq``; the middle, as without summits, where it is -1."""
    regions = regions_of((100, 200), (100, 201), (7, 30))
    regions = dataclasses.replace(regions, summit=np.array([0, -1, 22]))
    assert laid(WindowPlan(10, "summit"), regions) == {0: [95], 1: [145], 2: [24]}
    assert laid(WindowPlan(11, "summit"), regions, at_most=2) == {0: [95], 1: [145], 2: [24]}
    assert laid(WindowPlan(10, "summit", centring="grelu"), regions) == {0: [95], 1: [146], 2: [24]}
    assert WindowPlan(10, "summit").count(regions) == 3
    assert regions.behind(2).summit.tolist() == [22]
