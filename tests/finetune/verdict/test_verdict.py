"""The verdict: who gains, who does not, and what the record says."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from finetune.config import VerdictConfig
from finetune.verdict import baselines as b
from finetune.verdict import metrics
from finetune.verdict.measures import View, positives
from finetune.verdict.score import swap_gain
from finetune.verdict.verdict import Judged, judge
from zoo.cards.schema import Evaluation
from zoo.errors import ModelError

K, N, M, BINS = 6, 60, 48, 16


def field(seed=0):
    """Cells with a common part; values on training windows and on judged ones; the last cell is the judged one."""
    random = np.random.default_rng(seed)
    return [random.gamma(1, 2, (1, w, BINS)) * random.gamma(4, 0.25, (K + 1, w, BINS)).astype(float) for w in (N, M)]


def judged(predicted=None, seed=0, side="both"):
    """The last cell; ``predicted`` of (observed, random, baselines)."""
    train, test = field(seed)
    made = b.baselines(b.Known([f"c{i}" for i in range(K)], train[:K], test[:K], own=train[K]))
    random = np.random.default_rng(seed + 100)
    observed = test[K]
    return Judged(
        side, "mono", observed, observed if predicted is None else predicted(observed, random, made), made,
        np.array(["chr1"] * (M // 2) + ["chr8"] * (M // 2), object), np.arange(M) * 5_000, 32, cell=f"c{K}",
        average=test[:K].mean(0), variance=test[:K].var(0),
    )  # fmt: skip


def change(track, **changes):
    return dataclasses.replace(track, **changes)


def skill_in(verdict, side="both"):
    return verdict.sides[side]["skill"]


@pytest.mark.parametrize("seed", range(2))
def test_no_baseline_fed_as_the_model_scores_above_0(seed):
    for name in judged(seed=seed).baselines:
        verdict = judge([judged(lambda y, r, made, name=name: made[name], seed=seed)])
        assert skill_in(verdict)["value"] <= 0, name
        assert not verdict.gained, name
        assert "nothing was gained over" in verdict.sentence


def test_a_constant_and_a_noisy_average_gain_nothing_though_the_old_measures_say_so():
    """The measures that misled: skill over the average, and the correlation of differences from the average."""
    random = np.random.default_rng(0)
    observed = random.normal(2, 0.3, (M, BINS))
    average = observed.mean() + random.normal(0, 1, (M, BINS))
    constant = np.full((M, BINS), observed.mean()) + random.normal(0, 1e-4, (M, BINS))
    made = {"training average": average, "constant": np.full((M, BINS), 2.0), "affine average": average * 0 + 2}
    assert b.skill(constant, observed, average) > 0.45
    assert metrics.pearson(constant - average, observed - average) > 0.7
    for predicted in (constant, average, average + random.normal(0, 0.1, average.shape)):
        track = change(judged(), observed=observed, predicted=predicted, average=average, baselines=made)
        verdict = judge([track])
        assert not verdict.gained
        assert skill_in(verdict)["baseline"] in ("constant", "affine average")
        assert skill_in(verdict)["ci"][0] <= 0


def test_the_truth_with_noise_gains():
    verdict = judge([judged(lambda y, r, made: y + r.normal(0, 0.2, y.shape))])
    low, high = skill_in(verdict)["ci"]
    assert verdict.gained
    assert 0 < low < skill_in(verdict)["value"] < high < 1
    assert verdict.sentence.startswith("On held-out cells and chromosomes at once: gained 0.")
    assert skill_in(verdict)["baseline"] in verdict.sentence
    partial = verdict.sides["both"]["tracks"][0]["resolutions"]["32"]["metrics"]["partial"]
    assert partial["ci"][0] > 0.5


def test_the_truth_itself_is_1():
    verdict = judge([judged()])
    assert skill_in(verdict)["value"] == 1
    found = verdict.sides["both"]["tracks"][0]["resolutions"]["32"]["metrics"]
    for name in ("pearson", "pearson_log1p", "spearman", "profile", "counts", "r2", "auroc", "auprc", "partial"):
        assert found[name]["value"] == pytest.approx(1, abs=1e-6), name


def test_skill_is_that_of_the_hardest_baseline():
    track = judged(lambda y, r, made: y + r.normal(0, 0.5, y.shape))
    verdict = judge([track])
    hardest = min(b.skill(track.predicted, track.observed, values) for values in track.baselines.values())
    assert skill_in(verdict)["value"] == pytest.approx(hardest, abs=1e-5)
    assert skill_in(verdict)["value"] == min(item["value"] for item in skill_in(verdict)["over"].values())


def test_metrics_of_the_record_are_those_of_the_functions():
    track = judged(lambda y, r, made: y + r.normal(0, 1, y.shape))
    holes = np.random.default_rng(3).random((M, BINS)) < 0.1
    track = change(track, observed=np.where(holes, np.nan, track.observed))
    found = judge([track]).sides["both"]["tracks"][0]["resolutions"]["32"]["metrics"]
    x, y = track.predicted, track.observed
    label = np.where(np.isnan(y), np.nan, positives(y))
    expected = {
        "pearson": metrics.pearson(x, y),
        "spearman": metrics.spearman(x, y),
        "profile": metrics.profile_correlation(x, y)[0],
        "counts": metrics.count_correlation(x, y),
        "poisson_deviance": metrics.poisson_deviance(x, y),
        "r2": metrics.r2(x, y),
        "auroc": metrics.auroc(x, label),
        "auprc": metrics.auprc(x, label)[0],
        "partial": metrics.partial_correlation(x, y, track.average),
        "pearson_variable": metrics.pearson(x, np.where(metrics.most_variable(track.variance), y, np.nan)),
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, abs=1e-5), name
        low, high = found[name]["ci"]
        assert low - 0.02 < value < high + 0.02, name
    assert found["auprc"]["prevalence"] == pytest.approx(np.nanmean(label), abs=1e-5)
    assert found["auprc"]["n"] == int((~holes).sum())


def test_intervals_of_classes_lie_about_the_exact_value():
    """They come from a histogram of scores, which must not move them."""
    track = judged(lambda y, r, made: y + r.normal(0, 1.5, y.shape))
    found = judge([track]).sides["both"]["tracks"][0]["resolutions"]["32"]["metrics"]
    for name in ("auroc", "auprc"):
        low, high = found[name]["ci"]
        assert abs((low + high) / 2 - found[name]["value"]) < 0.25 * (high - low) + 0.01


def test_fewer_than_ten_blocks_say_nothing():
    verdict = judge([judged()], VerdictConfig(block=1_000_000))
    assert skill_in(verdict)["ci"] is None
    assert not verdict.gained
    assert "2 blocks are too few for an interval (at least 10)" in verdict.sentence


def test_over_wrong_cells_input_the_gain_must_go():
    _, test = field()
    own = judged(lambda y, r, made: y + r.normal(0, 0.2, y.shape))
    wrong = change(own, swapped={f"c{i}": test[i] for i in range(K)})
    verdict = judge([wrong])
    assert verdict.gained
    assert verdict.sides["both"]["swaps"]["gone"]
    assert verdict.sides["both"]["swaps"]["value"] < 0
    assert "with other cells' input −" in verdict.sentence
    # A prediction that does not care whose input it is given is no gain of the cell's own.
    stays = judge([change(own, swapped={f"c{i}": own.predicted for i in range(K)})])
    assert not stays.gained
    assert "nothing was gained that is the cell's own" in stays.sentence


def test_swaps_leave_the_own_cell_out():
    observed = np.ones((20, 4))
    view = View(observed, np.arange(20), 20, observed > 2)
    asked = []

    def predict(cell):
        asked.append(cell)
        return {"me": observed, "near": observed * 2, "far": observed * 4}[cell]

    found = swap_gain(predict, ["near", "me", "far"], "me", view, observed * 3)
    # Errors 1 and 9 against 4 of the baseline: 1 - 5 / 4 on average, 1 with the own.
    assert (found.own, found.value) == (1, pytest.approx(-0.25))
    assert found.each == {"near": pytest.approx(0.75), "far": pytest.approx(-1.25)}
    assert found.gone
    assert asked == ["near", "far", "me"]
    with pytest.raises(ValueError, match="no cell but me"):
        swap_gain(predict, ["me"], "me", view, observed)


def test_sides_are_ordered_and_all_must_gain():
    good = judged(lambda y, r, made: y + r.normal(0, 0.2, y.shape))
    bad = judged(lambda y, r, made: made[b.AVERAGE], side="held-out chromosomes")
    verdict = judge(iter([good, bad]))
    assert list(verdict.sides) == ["held-out chromosomes", "both"]
    assert [side["gained"] for side in verdict.sides.values()] == [False, True]
    assert not verdict.gained


def test_a_strong_track_does_not_drown_the_rest():
    good = judged(lambda y, r, made: y + r.normal(0, 0.2, y.shape))
    loud = judged(lambda y, r, made: made[b.CONSTANT] - 1, seed=1)
    loud = change(
        loud, name="loud", observed=loud.observed * 1000, predicted=loud.predicted * 1000,
        baselines={name: values * 1000 for name, values in loud.baselines.items()},
    )  # fmt: skip
    verdict = judge([good, loud])
    skills = [track["resolutions"]["32"]["skill"]["value"] for track in verdict.sides["both"]["tracks"]]
    assert min(skills) < skill_in(verdict)["value"] < max(skills)
    assert abs(skill_in(verdict)["value"] - np.mean(skills)) < 0.3
    assert verdict.sides["both"]["tracks_above_0"] == 1
    assert "intervals above 0 in 1 of 2 tracks" in verdict.sentence


def test_coarser_bins_stand_beside():
    track = judged(lambda y, r, made: y + r.normal(0, 1, y.shape))
    found = judge([track], VerdictConfig(coarse=128)).sides["both"]["tracks"][0]["resolutions"]
    assert list(found) == ["32", "128"]
    wide = [metrics.coarser(values, 4) for values in (track.predicted, track.observed)]
    assert found["128"]["metrics"]["pearson"]["value"] == pytest.approx(metrics.pearson(*wide), abs=1e-5)
    assert found["128"]["bins"] == M * BINS // 4
    with pytest.raises(ValueError, match=r"verdict\.coarse: 100 bp"):
        judge([track], VerdictConfig(coarse=100))


def test_loci_are_those_of_the_run_else_those_that_are_no_peak_on_average(tmp_path):
    track = judged(lambda y, r, made: y + r.normal(0, 1, y.shape))
    loci = tmp_path / "loci.bed"
    # The first 24 windows, which lie on chr1 up to 115,512.
    loci.write_text("chr1\t0\t200000\n")
    inside = np.repeat(np.arange(M) < M // 2, BINS).reshape(M, BINS)
    positive = positives(track.observed)
    for config, bins in ((VerdictConfig(loci=str(loci)), inside), (VerdictConfig(), ~positives(track.average))):
        found = judge([track], config).sides["both"]["tracks"][0]["resolutions"]["32"]["metrics"]["ap_specific"]
        value, prevalence = metrics.auprc(track.predicted[bins], positive[bins])
        assert found["value"] == pytest.approx(value, abs=1e-5)
        assert (found["prevalence"], found["n"]) == (pytest.approx(prevalence, abs=1e-5), int(bins.sum()))


def test_a_logarithm_has_no_log1p_nor_poisson():
    found = judge([change(judged(), raw=False)]).sides["both"]["tracks"][0]["resolutions"]["32"]["metrics"]
    assert not {"pearson_log1p", "poisson_deviance", "counts"} & set(found)


def test_calibration_chromosomes_and_depth():
    track = judged(lambda y, r, made: 2 * y)
    found = judge([change(track, depth=track.observed.sum(1))]).sides["both"]["tracks"][0]
    assert found["calibration"]["slope"] == pytest.approx(0.5)
    assert set(found["chromosomes"]) == {"chr1", "chr8"}
    assert found["chromosomes"]["chr1"]["pearson"] == pytest.approx(1)
    # Twice the truth misses most where there is most.
    assert found["residual_by_depth"]["spearman"] == pytest.approx(-1)


def test_the_record_is_json_and_what_is_not_defined_is_null():
    verdict = judge([judged()], facts={"seed": np.int64(3), "path": dict(a=np.float32(0.5))})
    text = json.dumps(verdict.as_dict(), allow_nan=False)
    found = json.loads(text)["sides"]["both"]["tracks"][0]["resolutions"]["32"]["metrics"]
    assert found["pearson"]["baselines"]["constant"] is None
    assert json.loads(text)["facts"] == {"seed": 3, "path": {"a": 0.5}}


def test_evaluation_lines_are_a_cards():
    track = judged(lambda y, r, made: y + r.normal(0, 0.5, y.shape))
    lines = judge([track, change(track, name="second")], VerdictConfig(coarse=128)).evaluation_lines("zoo evaluate RUN")
    read = [Evaluation.model_validate(line) for line in lines]
    assert {item.metric for item in read} >= {"skill_32bp", "pearson_32bp", "partial_32bp", "skill_128bp", "skill"}
    assert {item.output for item in read} == {"mono", "second", "all tracks"}
    first = next(item for item in read if item.metric == "pearson_32bp")
    assert first.baseline is not None
    assert first.value > first.baseline.value
    assert first.ci[0] < first.value < first.ci[1]
    assert first.n == M * BINS
    assert {item.command for item in read} == {"zoo evaluate RUN"}


def test_many_tracks_give_a_card_the_side_alone():
    tracks = (change(judged(), name=f"t{i}") for i in range(11))
    assert [line["metric"] for line in judge(tracks).evaluation_lines("x")] == ["skill"]


def test_a_prediction_without_a_number_is_an_error_that_names_the_place():
    track = judged()
    wrong = track.predicted.copy()
    wrong[1, 2] = np.nan
    with pytest.raises(ModelError, match="track mono: the model's prediction is no number at chr1:5064") as error:
        judge([change(track, predicted=wrong)])
    assert error.value.extent == f"1 of {M * BINS} measured bins"
    # Where nothing was measured, nothing is asked of a prediction.
    holes = track.observed.copy()
    holes[1, 2] = np.nan
    assert judge([change(track, predicted=wrong, observed=holes)]).gained


def test_no_track_is_an_error():
    with pytest.raises(ModelError, match="no track was judged"):
        judge([])


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="observed"):
        judge([change(judged(), predicted=np.zeros((M, BINS + 1)))])


def test_the_same_seed_gives_the_same_record():
    made = [judge([judged(lambda y, r, made: y + r.normal(0, 1, y.shape))], seed=s).as_dict() for s in (1, 1, 2)]
    assert made[0] == made[1]
    assert made[0]["sides"] != made[2]["sides"]
