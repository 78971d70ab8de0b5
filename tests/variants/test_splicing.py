"""Gain and loss of splice sites: SpliceAI's own arithmetic done again, and cases known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.outputs import OutputSpec
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.scores.genes import Gene
from zoo.variants.scores.scores import Scores
from zoo.variants.scores.splicing import Splicing, counted_from_pos
from zoo.variants.windows.align import Bins, align_bases
from zoo.variants.windows.aligned import Aligned
from zoo.variants.windows.changes import Changes

BINS, MIDDLE = 401, 200
SITES = OutputSpec("splicing", "profile", ("neither", "acceptor", "donor"), BINS, units="probability")
START = 1000  # of the variant; the first bin is at START - MIDDLE


def allele(ref="A", alt="G", pos=START, start=START, written=None):
    record = Record(0, 1, "chr1", pos, ".", written or ref, (alt,), None, ())
    return Allele(record, 0, 0, Edit(start, ref, alt))


def put_together(one, ref, alt):
    """(3, bins) predictions of the windows of both alleles -> aligned, as `zoo.variants.windows.windows` does."""
    profile = align_bases(Bins(START - MIDDLE, 1, BINS), Changes([one.edit]), alt, 0, True)
    name = SITES.name
    return Aligned({name: ref}, {name: profile.values}, {name: profile.shared}, {name: START - MIDDLE})


def deltas_of_spliceai(y_ref, y_alt, ref_len, alt_len, cov):
    """Lines of Illumina/SpliceAI 1.3.1, spliceai/utils.py, from the predictions of both alleles on: DS and DP."""
    if ref_len > 1 and alt_len == 1:
        gone = np.zeros((ref_len - alt_len, 3))
        y_alt = np.concatenate([y_alt[: cov // 2 + alt_len], gone, y_alt[cov // 2 + alt_len :]])
    elif ref_len == 1 and alt_len > 1:
        folded = y_alt[cov // 2 : cov // 2 + alt_len].max(axis=0)[None]
        y_alt = np.concatenate([y_alt[: cov // 2], folded, y_alt[cov // 2 + alt_len :]])
    up, down = y_alt - y_ref, y_ref - y_alt
    each = [up[:, 1], down[:, 1], up[:, 2], down[:, 2]]
    return [one.max() for one in each] + [int(one.argmax()) - cov // 2 for one in each]


# SpliceAI takes no deletion that ends beyond the distance.
@pytest.mark.parametrize(
    ("change", "distance"),
    [
        (("A", "G"), 1),
        (("A", "G"), 50),
        (("A", "ACC"), 1),
        (("A", "ACC"), 50),
        (("AC", "A"), 1),
        (("ACC", "A"), 50),
        (("A", "A" + "C" * 40), 50),
        (("A" * 40, "A"), 50),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_spliceais_own_arithmetic(seed, change, distance):
    rng = np.random.default_rng(seed)
    ref, alt = rng.dirichlet([2, 0.3, 0.3], size=(2, BINS)).transpose(0, 2, 1).astype(np.float32)
    one, cov = allele(*change), 2 * distance + 1
    longer = len(change[1]) - len(change[0])
    low, high = MIDDLE - distance, MIDDLE + distance + 1
    expected = deltas_of_spliceai(ref[:, low:high].T, alt[:, low : high + longer].T, *map(len, change), cov)
    found = Splicing([SITES], distance).of(put_together(one, ref, alt), one, None)
    assert found[:8] == pytest.approx(expected, abs=1e-7)
    at = [int(place) + MIDDLE for place in found[4:8]]
    tracks = (1, 1, 2, 2)
    assert found[8:12].tolist() == [ref[track, place] for track, place in zip(tracks, at, strict=True)]
    assert found[:4] == pytest.approx((found[12:] - found[8:12]) * [1, -1, 1, -1])


def flat(value=0.01):
    return np.full((3, BINS), value, np.float32)


def test_a_site_that_moves():
    one, ref, alt = allele(), flat(), flat()
    ref[1, MIDDLE + 1] = 0.97
    alt[1, MIDDLE + 3] = 0.40
    found = dict(zip(_names(), Splicing([SITES]).of(put_together(one, ref, alt), one, None), strict=True))
    assert found["DS_AL"] == pytest.approx(0.96) and found["DP_AL"] == 1
    assert found["DS_AG"] == pytest.approx(0.39) and found["DP_AG"] == 3
    assert found["REF_AL"] == pytest.approx(0.97) and found["ALT_AL"] == pytest.approx(0.01)
    assert found["REF_AG"] == pytest.approx(0.01) and found["ALT_AG"] == pytest.approx(0.40)
    assert found["DS_DG"] == found["DS_DL"] == 0


def _names():
    return [column.name for column in Splicing([SITES]).columns()]


def test_where_nothing_changes_the_site_is_the_variants_own_place():
    one = allele()
    found = Splicing([SITES]).of(put_together(one, flat(), flat()), one, None)
    assert found[:8].tolist() == [0] * 8


def test_of_sites_that_change_alike_the_nearest_is_told_then_the_left():
    one, ref, alt = allele(), flat(0), flat(0)
    alt[1, [MIDDLE - 30, MIDDLE + 7]] = 0.5
    alt[2, [MIDDLE - 9, MIDDLE + 9]] = 0.5
    found = Splicing([SITES]).of(put_together(one, ref, alt), one, None)
    assert (found[4], found[6]) == (7, -9)


def test_the_distance_ends_where_it_says():
    one, ref, alt = allele(), flat(0), flat(0)
    alt[1, MIDDLE + 51] = 0.9
    alt[2, MIDDLE - 50] = 0.9
    at_50 = Splicing([SITES], 50).of(put_together(one, ref, alt), one, None)
    assert at_50[[0, 2, 6]].tolist() == pytest.approx([0, 0.9, -50])
    assert Splicing([SITES], 51).of(put_together(one, ref, alt), one, None)[[0, 4]] == pytest.approx([0.9, 51])
    assert Splicing([SITES], 0).of(put_together(one, ref, alt), one, None)[:8].tolist() == [0] * 8


def test_a_distance_beyond_the_profile_is_refused():
    one, ref, alt = allele(), flat(0), flat(0)
    alt[1, -1] = 0.9
    found = Splicing([SITES], 200).of(put_together(one, ref, alt), one, None)
    assert found[[0, 4]] == pytest.approx([0.9, 200])
    with pytest.raises(UsageError, match="401 bases around") as refused:
        Splicing([SITES], 201)
    assert "--distance 200 or less" in refused.value.fix
    with pytest.raises(UsageError, match="below 0"):
        Splicing([SITES], -1)


def test_what_has_no_prediction_is_missing():
    one = allele()
    both = put_together(one, flat(), flat())
    nothing = Aligned(both.ref, both.alt, {"splicing": np.zeros(BINS, bool)}, both.first)
    assert np.isnan(Splicing([SITES]).of(nothing, one, None)).all()


# ---------------- masks: exons 900-980, 1004-1050, 1100-1200; on + acceptors 1004, 1100, donors 979, 1049


EXONS = ((900, 980), (1004, 1050), (1100, 1200))
PLUS, MINUS = (Gene("G", "G", 0, 900, 1200, strand, EXONS) for strand in "+-")
ACCEPTOR, CRYPTIC = MIDDLE + 4, MIDDLE + 11


def _masked(gene, ref, alt):
    one = allele()
    return Splicing([SITES], 50, mask=True).of(put_together(one, ref, alt), one, gene)


def test_a_mask_takes_gains_at_annotated_and_losses_at_other_sites():
    strong, weak = flat(0), flat(0)
    strong[1, ACCEPTOR] = 0.8  # an acceptor of + at 1004
    weak[1, ACCEPTOR] = 0.1
    assert _masked(PLUS, weak, strong)[0] == 0  # gained where one is known
    assert _masked(PLUS, strong, weak)[[1, 5]] == pytest.approx([0.7, 4])  # lost there
    assert _masked(MINUS, weak, strong)[[0, 4]] == pytest.approx([0.7, 4])  # on - it is a donor
    assert _masked(MINUS, strong, weak)[1] == 0
    assert _masked(None, strong, weak)[1] == 0 and _masked(None, weak, strong)[0] == pytest.approx(0.7)


def test_a_masked_site_does_not_hide_the_others():
    ref, alt = flat(0), flat(0)
    alt[1, ACCEPTOR], alt[1, CRYPTIC] = 0.9, 0.3
    assert _masked(PLUS, ref, alt)[[0, 4]] == pytest.approx([0.3, 11])
    assert _masked(PLUS, alt, ref)[[1, 5]] == pytest.approx([0.9, 4])


def test_an_acceptor_at_a_donor_is_no_annotated_site():
    ref, alt = flat(0), flat(0)
    alt[1, MIDDLE + 49] = 0.6  # 1049 is a donor
    assert _masked(PLUS, ref, alt)[[0, 4]] == pytest.approx([0.6, 49])


def test_the_ends_of_a_transcript_are_no_sites():
    first = Gene("G", "G", 0, 1004, 1200, "+", ((1004, 1050), (1100, 1200)))
    ref, alt = flat(0), flat(0)
    alt[1, ACCEPTOR] = 0.9
    assert _masked(first, ref, alt)[0] == pytest.approx(0.9)


# ---------------- in a VCF


def test_the_columns_are_in_the_order_of_spliceai():
    assert "|".join(_names()[:8]) == "DS_AG|DS_AL|DS_DG|DS_DL|DP_AG|DP_AL|DP_DG|DP_DL"


def test_positions_in_a_vcf_are_counted_from_pos():
    scores = Scores(["max"], [SITES], splicing=Splicing([SITES]))
    values = np.arange(2 * len(scores.columns), dtype=np.float32).reshape(2, -1)
    record = Record(0, 1, "chr1", 998, ".", "GCC", ("GCT", "<DEL>"), None, ())
    alleles = [Allele(record, 0, 0, Edit(1000, "C", "T")), Allele(record, 1, 0, None, "no_end")]
    moved = counted_from_pos(values, scores.columns, alleles) - values
    names = [column.name for column in scores.columns]
    assert {name for name, by in zip(names, moved[0], strict=True) if by} == {
        f"DP_{event}{place}" for event in ("AG", "AL", "DG", "DL") for place in ("", "_leftmost", "_rightmost")
    }
    assert set(moved[0]) == {0, 2} and not moved[1].any()


# ---------------- which outputs have sites


@pytest.mark.parametrize(
    ("output", "what"),
    [
        (OutputSpec("s", "profile", ("heart_spliced", "heart_usage"), 100), "no profile has both"),
        (OutputSpec("s", "scalar", ("acceptor", "donor")), "no profile has both"),
        (OutputSpec("s", "profile", ("acceptor",), 100), "no profile has both"),
        (OutputSpec("s", "profile", ("acceptor", "donor"), 10, bin_size=32), "32 bp wide"),
        (OutputSpec("s", "profile", ("acceptor", "donor"), 10, placed=False), "not known"),
    ],
)
def test_outputs_without_sites_are_refused(output, what):
    with pytest.raises(UsageError, match=what) as refused:
        Splicing([output])
    assert refused.value.fix


def test_the_order_of_the_tracks_is_that_of_their_names():
    turned = OutputSpec("splicing", "profile", ("Donor", "Acceptor"), BINS, units="probability")
    one, ref, alt = allele(), flat(0)[:2], flat(0)[:2]
    ref[0, MIDDLE - 1] = 0.9
    both = put_together(one, ref, alt)
    assert Splicing([turned]).of(both, one, None)[[1, 3, 7]] == pytest.approx([0, 0.9, -1])


def test_columns_stand_behind_the_scores():
    one, ref, alt = allele(), flat(0), flat(0)
    ref[2, MIDDLE - 1] = 0.9
    scores = Scores(["max"], [SITES], splicing=Splicing([SITES]), placed=False)
    values = scores.of(put_together(one, ref, alt), one, PLUS)
    assert [column.name for column in scores.columns][:4] == ["max_neither", "max_acceptor", "max_donor", "DS_AG"]
    assert values[scores.sites][[3, 7]] == pytest.approx([0.9, -1])
    assert [column.integer for column in scores.columns[3:11]] == [False] * 4 + [True] * 4
    alone = Scores([], [SITES], splicing=Splicing([SITES]), placed=False)
    assert [column.name for column in alone.columns] == _names() and alone.sites == slice(0, 16)
