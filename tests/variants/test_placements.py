"""Indels in repeats: every place is scored as if the file had it there, and a flag says where places disagree."""

from __future__ import annotations

import numpy as np
import pytest
from near_models import allele_of, near_model, predicted

from zoo.genome.fasta import open_genome
from zoo.outputs import OutputSpec, choose_tracks
from zoo.variants.scores.placements import places_of
from zoo.variants.scores.scores import Scores
from zoo.variants.windows.aligned import Aligned
from zoo.variants.windows.windows import PairPlan

LENGTH = 121
FLANK = "GATTACCAGT" * 20
# The repeat begins at 200: (CA)6 behind a T, before a G.
SEQUENCE = FLANK + "CACACACACACA" + "GTTGCA" * 40


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "repeat.fa"
    path.write_text(f">chr\n{SEQUENCE}\n")
    return open_genome(path)


@pytest.fixture(scope="module")
def model():
    return near_model(LENGTH)


def plan_of(model):
    return PairPlan(model, choose_tracks(model.outputs, ()))


def values(scores, model, genome, one):
    """The columns of an allele as a run makes them."""
    plan = plan_of(model)
    own = plan.pair(genome, one)
    places = places_of(plan, genome, one, None, own)
    if places is None:
        return scores.of(predicted(model, [own])[0], one)
    aligned, placed = predicted(model, [places])[0]
    return scores.of(aligned, one, None, placed)


def by_name(scores, found):
    return dict(zip([column.name for column in scores.columns], found.tolist(), strict=True))


@pytest.mark.parametrize(
    ("start", "ref", "alt", "left", "right"),
    [
        (205, "A", "ACA", (199, "T", "TCA"), (211, "A", "ACA")),
        (204, "C", "CAC", (199, "T", "TCA"), (211, "A", "ACA")),
        (205, "ACA", "A", (199, "TCA", "T"), (209, "ACA", "A")),
        (199, "TCACA", "T", (199, "TCACA", "T"), (207, "ACACA", "A")),
    ],
)
def test_the_outermost_places_are_scored_as_if_written_there(genome, model, start, ref, alt, left, right):
    scores = Scores(["max", "l2", "diff"], model.outputs)
    found = by_name(scores, values(scores, model, genome, allele_of(0, start, ref, alt)))
    alone = Scores(["max", "l2", "diff"], model.outputs, placed=False)
    for place, edit in (("leftmost", left), ("rightmost", right)):
        one = allele_of(0, *edit)
        expected = by_name(alone, alone.of(predicted(model, [plan_of(model).pair(genome, one)])[0], one))
        names = [name for name in found if name.endswith(place)]
        assert len(names) == 6 and [found[name] for name in names] == [
            expected[name.removesuffix(f"_{place}")] for name in names
        ]
    assert found["placements_differ"] == 1.0


def test_a_change_with_one_place_has_no_others(genome, model):
    scores = Scores(["max"], model.outputs)
    for one in (allele_of(0, 150, "G", "T"), allele_of(0, 150, "G", "GTTT"), allele_of(0, 150, "GAT", "CC")):
        assert places_of(plan_of(model), genome, one, None, plan_of(model).pair(genome, one)) is None
        found = by_name(scores, values(scores, model, genome, one))
        assert np.isnan([found[name] for name in found if "most" in name or name == "placements_differ"]).all()
        assert not np.isnan(found["max_profile_a"])


def test_scalars_and_wide_bins_do_not_ask_for_places():
    wide = near_model(LENGTH + 3 * 32 - LENGTH % 32 + 20, 32)
    assert Scores(["max"], wide.outputs).placed is False
    only = [spec for spec in wide.outputs if spec.kind == "scalar"]
    assert [one.name for one in Scores(["diff", "ref"], only).columns] == ["diff_a", "diff_b", "ref_a", "ref_b"]


def test_levels_do_not_depend_on_the_place():
    spec = OutputSpec("p", "profile", ("a",), 5, units="reads")
    names = [one.name for one in Scores(["ref", "alt", "active", "diff"], [spec]).columns]
    assert names == ["ref_a", "alt_a", "active_a", "diff_a", "diff_a_leftmost", "diff_a_rightmost", "placements_differ"]
    assert Scores(["ref"], [spec]).placed is False


@pytest.mark.parametrize(
    ("left", "right", "differ"),
    [(0.99, 0.004, 1), (0.5, 0.48, 0), (0.004, -0.004, 0), (100, 91, 0), (100, 89, 1), (0.02, 0.009, 1), (0, 0, 0)],
)
def test_when_places_disagree(left, right, differ):
    spec = OutputSpec("p", "profile", ("a",), 1, units="reads")

    def both(value):
        alt = np.array([[value]], np.float32)
        return Aligned({"p": alt * 0}, {"p": alt}, {"p": np.ones(1, bool)}, {"p": 0})

    one = allele_of(0, 0, "A", "AC")
    found = Scores(["diff"], [spec]).of(both(left), one, None, [(both(left), one), (both(right), one)])
    assert found.tolist() == pytest.approx([left, left, right, differ])


def test_where_a_place_has_no_window_only_the_written_one_is_scored(model, tmp_path):
    path = tmp_path / "edge.fa"
    path.write_text(">chr\n" + ("GATTACCAGT" * 6)[:58] + "CA" * 10 + "GTTGCA" * 40 + "\n")
    genome = open_genome(path)
    plan = PairPlan(model, choose_tracks(model.outputs, ()), edges="skip")
    one = allele_of(0, 71, "A", "ACA")  # its leftmost place is 55, nearer the start than half a window
    own = plan.pair(genome, one)
    assert not isinstance(own, str) and places_of(plan, genome, one, None, own) is None
    padded = PairPlan(model, choose_tracks(model.outputs, ()))
    assert places_of(padded, genome, one, None, padded.pair(genome, one)).leftmost[0].edit.start == 55
