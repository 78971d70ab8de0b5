"""How much motifs explain: shares against a plain loop, held-out variance of models whose answer is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest

from interpret.contribs.central import Contributions, Regions
from interpret.motifs import explained as module
from interpret.motifs.explained import Explained, how_much
from interpret.motifs.held_out import FOLDS, NotHeldOut, held_out_prediction, interval, share_explained, split_regions
from interpret.motifs.hits import Hits
from interpret.motifs.motifs_file import read_motifs
from interpret.motifs.pattern import Pattern, Seqlets
from zoo.outputs import OutputSpec

MOTIFS = ("GATTACAT", "CCGTAACG")


def regions_at(chrom, start, width=60) -> Regions:
    chrom, start = np.array(chrom, dtype=object), np.array(start)
    end, name = start + width, np.array([f"r{i}" for i in range(len(start))], dtype=object)
    return Regions(chrom, start, end, name, start, end, np.zeros(len(start), bool))


def contributions_of(one_hot, hypothetical, prediction, *, offset=0, length=None, size=None, regions=None, run=None):
    n, _, width = one_hot.shape
    regions = regions or regions_at([f"chr{i % 7}" for i in range(n)], np.arange(n) * 1000)
    size = np.abs((hypothetical * one_hot).sum(axis=(1, 2))) if size is None else size
    return Contributions(
        Path("c.h5"),
        one_hot,
        hypothetical.astype(np.float32),
        offset,
        length or width,
        prediction,
        size,
        np.asarray(prediction, np.float32),
        np.zeros(n),
        None,
        regions,
        run or {},
    )


def code_of(text):
    return np.array(["ACGT".index(base) for base in text])


def pattern_of(text, n=40, name="pos_patterns.pattern_0"):
    """A pattern of exactly these bases, with n seqlets."""
    hot = np.eye(4)[code_of(text)]
    where = np.arange(n)
    letters = np.repeat(code_of(text).astype(np.uint8)[None], n, axis=0)
    seqlets = Seqlets(where, where * 0, where * 0 + len(text), where > n, np.ones(n), np.ones(n), letters)
    return Pattern(name, hot, hot, hot, (0, len(text)), seqlets)


def sequences_with(counts, length=60, seed=0):
    """(n, 4, length) uint8 random bases with so many copies of each motif, (n, motifs), on either strand."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, 4, (len(counts), length))
    for row, wanted in zip(code, counts, strict=True):
        for motif in map(code_of, MOTIFS):  # none by chance
            for oriented in (motif, 3 - motif[::-1]):
                for at in range(length - len(motif) + 1):
                    if (row[at : at + len(motif)] == oriented).all():
                        row[at + 3] = (row[at + 3] + 1) % 4
        slots = iter(rng.permutation(length // 10))
        for motif, copies in zip(map(code_of, MOTIFS), wanted, strict=True):
            for _ in range(copies):
                at = 10 * next(slots) + 1
                row[at : at + len(motif)] = motif if rng.integers(2) else 3 - motif[::-1]
    return np.eye(4, dtype=np.uint8)[code].transpose(0, 2, 1)


# ---------------- where the contribution lies


def random_hits(rng, n, first, width, patterns) -> Hits:
    """Intervals that do not overlap, in sequences' own positions."""
    rows = []
    for sequence in range(n):
        at = first
        while (at := at + int(rng.integers(0, 12))) < first + width - 7:
            end = at + int(rng.integers(1, 8))
            rows.append((int(rng.integers(patterns)), sequence, at, end))
            at = end
    pattern, sequence, start, end = (np.array(column) for column in zip(*rows, strict=True))
    zeros = np.zeros(len(rows), np.float32)
    return Hits(pattern, sequence, start, end, zeros > 1, zeros, zeros, zeros)


@pytest.mark.parametrize("block", [1 << 22, 50])
@pytest.mark.parametrize("seed", range(3))
def test_shares_are_those_of_a_plain_loop(seed, block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    rng = np.random.default_rng(seed)
    n, width, offset, k = 9, 40, 13, 3
    one_hot = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, width))].transpose(0, 2, 1)
    one_hot[rng.random((n, width)).nonzero()[0][:0]] = 0
    one_hot[2, :, 5:9] = 0  # unknown bases
    hypothetical = rng.normal(0, 1, (n, 4, width))
    hits = random_hits(rng, n, offset, width, k)
    contributions = contributions_of(one_hot, hypothetical, rng.normal(0, 1, n), offset=offset, length=70)
    found = how_much(contributions, [pattern_of("ACGTACGT", name=f"pos_patterns.pattern_{i}") for i in range(k)], hits)

    total, inside, covered = {1: 0.0, -1: 0.0}, {1: [0.0] * k, -1: [0.0] * k}, [0] * k
    for i in range(n):
        for j in range(width):
            value = float(np.float32((hypothetical[i, :, j].astype(np.float32) * one_hot[i, :, j]).sum()))
            sign = 1 if value > 0 else -1
            total[sign] += value
            for p, sequence, start, end in zip(hits.pattern, hits.sequence, hits.start, hits.end, strict=True):
                if sequence == i and start <= j + offset < end:
                    covered[p] += 1
                    inside[sign][p] += value
    assert found.covered == pytest.approx(sum(covered) / (n * width)) and found.covered > 0.2
    np.testing.assert_allclose(found.covered_by_pattern, np.array(covered) / (n * width))
    for sign, held in ((1, found.positive), (-1, found.negative)):
        assert held.contribution == pytest.approx(total[sign], rel=1e-5)
        np.testing.assert_allclose(held.by_pattern, np.array(inside[sign]) / total[sign], rtol=1e-5)
        assert held.share == pytest.approx(sum(inside[sign]) / total[sign], rel=1e-5)


def test_chance_is_reached_by_instances_strewn_at_random():
    """Contributions that know nothing of the instances: the share is the share of positions."""
    rng = np.random.default_rng(1)
    n, width = 300, 200
    one_hot = np.eye(4, dtype=np.uint8)[rng.integers(0, 4, (n, width))].transpose(0, 2, 1)
    hits = random_hits(rng, n, 0, width, 1)
    found = how_much(
        contributions_of(one_hot, rng.normal(0, 1, (n, 4, width)), np.zeros(n)), [pattern_of("ACGT")], hits
    )
    assert found.positive.share == pytest.approx(found.covered, abs=0.01)
    assert found.negative.share == pytest.approx(found.covered, abs=0.01)


def test_without_hits_no_share_is_made_up():
    one_hot = sequences_with([(1, 0)] * 6)
    found = how_much(contributions_of(one_hot, np.ones((6, 4, 60)), np.arange(6)), [pattern_of(MOTIFS[0])], None)
    assert found.covered is None and found.positive.share is None and found.positive.by_pattern is None
    assert found.positive.contribution == 6 * 60 and found.negative.contribution == 0
    assert any("--no-hits" in text for text in found.left_out)


def test_a_sign_without_contribution_has_no_share():
    one_hot = sequences_with([(1, 0)] * 6)
    hits = random_hits(np.random.default_rng(0), 6, 0, 60, 1)
    found = how_much(contributions_of(one_hot, np.ones((6, 4, 60)), np.arange(6)), [pattern_of(MOTIFS[0])], hits)
    assert found.negative.share is None and found.positive.share == pytest.approx(found.covered)


# ---------------- planted motifs, through the whole way


def test_planted_motifs_hold_what_was_planted(planted, found):
    """Their bases hold 95% of the contribution by construction; the rest is noise on 160 bp."""
    held = found.explained
    with h5py.File(planted.path) as file:
        projected, start = file["projected"][:].astype(float), file["windows/start"][:]
        chrom, reverse = file["regions/chrom"].asstr()[:], file["windows/reverse"][:]
    inside = np.zeros(projected.shape, bool)
    number = {(c, s): i for i, (c, s) in enumerate(zip(chrom, start, strict=True))}
    for place in planted.instances:
        offset = max(s for c, s in number if c == place.chrom and s <= place.start)
        i, a, b = number[place.chrom, offset], place.start - offset, place.end - offset
        inside[i, slice(160 - b, 160 - a) if reverse[i] else slice(a, b)] = True
    up, down = np.maximum(projected, 0), np.minimum(projected, 0)
    assert held.positive.contribution == pytest.approx(up.sum(), rel=1e-4)
    assert held.positive.share == pytest.approx(up[inside].sum() / up.sum(), abs=0.03)
    assert held.negative.share == pytest.approx(down[inside].sum() / down.sum(), abs=0.05)
    assert held.covered == pytest.approx(inside.mean(), abs=0.02) and held.covered < 0.15
    # ABF1 raises and MCM1 lowers: a pattern's instances hold contribution of its own sign.
    raises = np.array([pattern.positive for pattern in found.patterns])
    assert held.positive.by_pattern[~raises].sum() < 0.01 and held.negative.by_pattern[raises].sum() < 0.01


def test_planted_motifs_explain_a_prediction_that_is_their_sum(found):
    """The prediction is the sum of 25 to 40% noisier planted effects, which counts do not see."""
    variance = found.explained.variance
    assert variance.regions == 360 and variance.folds == FOLDS and not variance.by_chromosome
    assert 0.95 < variance.low < variance.instances < variance.high < 1
    assert variance.composition < 0.4 and variance.both == pytest.approx(variance.instances, abs=0.02)


def test_the_file_keeps_it(found):
    again = read_motifs(found.path).explained
    assert again.as_json() == found.explained.as_json() and isinstance(again.positive.by_pattern, np.ndarray)
    assert again.positive.seqlets == sum(len(p.seqlets) for p in found.patterns if p.name.startswith("pos"))
    assert again.positive.seqlets <= again.positive.seqlets_found


def test_an_older_file_has_none(found, tmp_path):
    older = tmp_path / "older.h5"
    older.write_bytes(found.path.read_bytes())
    with h5py.File(older, "a") as file:
        del file["explained"]
    assert read_motifs(older).explained is None


# ---------------- the prediction's variance


def variance_of(one_hot, prediction, patterns=None, **more):
    hypothetical = np.ones(one_hot.shape)
    patterns = patterns or [pattern_of(MOTIFS[0]), pattern_of(MOTIFS[1], name="neg_patterns.pattern_0")]
    return how_much(contributions_of(one_hot, hypothetical, prediction, **more), patterns, None)


@pytest.fixture(scope="module")
def counted():
    """400 sequences with 0 to 2 copies of each motif."""
    counts = np.random.default_rng(3).integers(0, 3, (400, 2))
    return counts, sequences_with(counts)


def test_a_model_that_is_linear_in_counts_is_explained(counted):
    counts, one_hot = counted
    found = variance_of(one_hot, 5 + counts @ [1.0, -2.0]).variance
    assert found.instances > 0.999 and found.low > 0.99 and found.both > 0.999
    assert found.composition < 0.6 and found.by_chromosome and found.folds == FOLDS


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_noise_that_nothing_predicts_is_not_explained(counted, ratio):
    """A signal of variance 1 with noise of variance r: 1 / (1 + r) can be explained."""
    counts, one_hot = counted
    signal = counts @ [1.0, -2.0]
    signal = (signal - signal.mean()) / signal.std()
    noise = np.random.default_rng(4).normal(0, np.sqrt(ratio), len(signal))
    found = variance_of(one_hot, signal + noise).variance
    assert found.low < 1 / (1 + ratio) < found.high and found.high - found.low < 0.3


def test_of_many_regions_evenly_chosen_ones_are_fitted(counted, monkeypatch):
    """The second half of the regions has a prediction of its own, which a fit on the first rows would not see."""
    counts, one_hot = counted
    monkeypatch.setattr(module, "MOST", 200)
    found = variance_of(one_hot, 5 + counts @ [1.0, -2.0]).variance
    assert found.regions == 200 and found.instances > 0.999
    half = np.where(np.arange(400) < 200, counts @ [1.0, -2.0], -(counts @ [1.0, -2.0]))
    assert variance_of(one_hot, half).variance.instances < 0.1


def test_chance_explains_nothing(counted):
    _, one_hot = counted
    for seed in range(5):
        found = variance_of(one_hot, np.random.default_rng(seed).normal(0, 1, 400)).variance
        assert max(found.instances, found.composition, found.both) < 0.03 and found.low < 0


def test_a_model_of_gc_content_is_explained_by_composition_alone():
    """Regions of 20 to 80% GC; the pattern is of C and G only, so that its count follows GC without adding to it."""
    rng = np.random.default_rng(5)
    gc = rng.uniform(0.2, 0.8, 300)
    code = np.where(
        rng.random((300, 400)) < gc[:, None], rng.integers(1, 3, (300, 400)), 3 * rng.integers(0, 2, (300, 400))
    )
    one_hot = np.eye(4, dtype=np.uint8)[code].transpose(0, 2, 1)
    found = variance_of(one_hot, one_hot[:, 1:3].mean(axis=(1, 2)), [pattern_of("CGCGC")]).variance
    assert found.instances > 0.3  # which says nothing of a motif
    assert found.composition > 0.99 and found.both - found.composition < 0.005


def test_counts_are_of_bases_and_not_of_contributions(counted):
    """Hits that follow the prediction would explain it; the numbers do not look at them."""
    _, one_hot = counted
    prediction = np.random.default_rng(6).normal(0, 1, 400)
    high = np.flatnonzero(prediction > 0)
    ones = np.ones(len(high))
    hits = Hits(high * 0, high, high * 0 + 2, high * 0 + 8, high < 0, ones, ones, ones)
    contributions = contributions_of(one_hot, np.ones(one_hot.shape), prediction)
    assert how_much(contributions, [pattern_of(MOTIFS[0])], hits).variance.instances < 0.03


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 49}, "50 regions that do not overlap are needed, and there are 49"),
        ({"n": 1}, "and there are 1"),
        ({"start": np.zeros(400, int)}, "and there are 7"),
        ({"prediction": np.full(400, 2.5)}, "the prediction is the same in all regions"),
        ({"prediction": np.zeros(400)}, "the prediction is the same in all regions"),
        ({"prediction": np.r_[np.nan, np.arange(399)]}, "not finite in 1 region"),
        ({"patterns": []}, "there are no patterns"),
        (
            {"start": np.r_[np.arange(210) * 59, 10**6 + np.arange(190) * 100], "chrom": "chr1"},
            "210 of 400 windows overlap each other in one stretch",
        ),
    ],
)
def test_no_number_where_it_could_not_be_held_out(counted, change, words):
    counts, one_hot = counted
    n = change.get("n", 400)
    chrom = [change.get("chrom") or f"chr{i % 7}" for i in range(n)]
    regions = regions_at(chrom, change.get("start", np.arange(400) * 1000)[:n])
    prediction = change.get("prediction", counts[:, 0])[:n]
    contributions = contributions_of(one_hot[:n], np.ones((n, 4, 60)), prediction, regions=regions)
    found = how_much(contributions, change.get("patterns", [pattern_of(MOTIFS[0])]), None)
    assert found.variance is None and words in found.no_variance


# ---------------- folds, the fit and its interval


@pytest.mark.parametrize("seed", range(4))
def test_windows_that_overlap_are_on_one_side(seed):
    rng = np.random.default_rng(seed)
    regions = regions_at(rng.choice(["chr1", "chr2"], 500), rng.integers(0, 60_000, 500), width=60)
    folds = split_regions(regions)
    assert not folds.by_chromosome and set(folds.of) == set(range(folds.n)) and folds.n == FOLDS
    assert np.bincount(folds.of).min() > 50
    for i in range(500):
        for j in range(i):
            near = abs(int(regions.window_start[i] - regions.window_start[j])) < 60
            if regions.chrom[i] == regions.chrom[j] and near:
                assert folds.of[i] == folds.of[j] and folds.unit[i] == folds.unit[j]


def test_folds_of_whole_chromosomes_are_alike_in_size():
    sizes = {"chrI": 20, "chrII": 70, "chrIV": 150, "chrX": 60, "chrV": 50, "chrVI": 50, "chrVII": 100}
    chrom = [name for name, n in sizes.items() for _ in range(n)]
    folds = split_regions(regions_at(chrom, np.arange(500) * 100))
    assert folds.by_chromosome and sorted(np.bincount(folds.of)) == [70, 80, 100, 100, 150]
    for name in sizes:
        assert len(set(folds.of[np.array(chrom) == name])) == 1


def test_a_long_window_beside_short_ones():
    """The first window reaches over all that follow it: they are one stretch though their own ends are near."""
    start, end = np.r_[0, np.arange(10) * 100, 50_000 + np.arange(60) * 100], None
    regions = regions_at(["chr1"] * len(start), start, width=60)
    end = regions.window_end.copy()
    end[0] = 1000
    folds = split_regions(dataclasses.replace(regions, window_end=end))
    assert len(set(folds.unit[:11])) == 1 and folds.unit[11] != folds.unit[0]


def test_the_same_place_on_two_chromosomes_is_no_overlap():
    regions = regions_at([f"chr{i}" for i in range(60)], np.zeros(60, int))
    assert split_regions(regions).by_chromosome
    with pytest.raises(NotHeldOut):
        split_regions(regions_at(["chr1"] * 60, np.zeros(60, int)))


def test_the_fit_is_that_of_scikit_learn():
    """RidgeCV with the same penalties, chosen by leave-one-out, which agrees where no region has much weight."""
    from sklearn.linear_model import Ridge, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (300, 6)) * [1, 10, 0.1, 5, 1, 1] + 3
    values = features @ [1, 0.1, 5, 0, 0, 0] + rng.normal(0, 2, 300)
    folds = split_regions(regions_at([f"chr{i % 5}" for i in range(300)], np.arange(300) * 100))
    ours = held_out_prediction(features, values, folds)
    theirs = np.empty(300)
    for fold in range(folds.n):
        held = folds.of == fold
        n = int((~held).sum())
        chosen = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-6, 3, 19) * n)).fit(
            features[~held], values[~held]
        )
        fit = make_pipeline(StandardScaler(), Ridge(chosen[-1].alpha_)).fit(features[~held], values[~held])
        theirs[held] = fit.predict(features[held])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.05)
    assert abs(share_explained(values, ours) - share_explained(values, theirs)) < 0.002


def test_more_numbers_than_regions_do_no_harm():
    rng = np.random.default_rng(2)
    features, values = rng.normal(0, 1, (60, 200)), rng.normal(0, 1, 60)
    folds = split_regions(regions_at([f"chr{i}" for i in range(60)], np.arange(60)))
    assert -0.5 < share_explained(values, held_out_prediction(features, values, folds)) < 0.1


def test_a_number_that_is_new_in_a_held_out_fold_is_not_used():
    """A pattern that occurs in one chromosome alone: nothing says what it does, and the others are not spoiled."""
    chrom = np.array([f"chr{i % 5}" for i in range(100)])
    known = np.arange(100) % 2.0
    features = np.stack([known, 7.0 * (chrom == "chr3")], axis=1)
    folds = split_regions(regions_at(chrom, np.arange(100) * 100))
    predicted = held_out_prediction(features, 3 * known, folds)
    np.testing.assert_allclose(predicted[chrom == "chr3"], 3 * known[chrom == "chr3"], atol=1e-3)


def test_the_interval_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, 120)
    predicted = 0.7 * values + rng.normal(0, 0.5, 120)
    unit = np.arange(120) // 3
    shares = []
    for _ in range(2000):
        rows = np.concatenate([np.flatnonzero(unit == u) for u in rng.integers(0, 40, 40)])
        shares.append(share_explained(values[rows], predicted[rows]))
    np.testing.assert_allclose(interval(values, predicted, unit), np.percentile(shares, [2.5, 97.5]), atol=0.04)


# ---------------- what is left out


def sentences(said="", options=None, **more):
    one_hot = sequences_with([(1, 0)] * 6)
    one_hot[1, :, :5] = one_hot[4, :, 7] = 0
    contributions = contributions_of(one_hot, np.ones((6, 4, 60)), np.arange(6), **more)
    hits = random_hits(np.random.default_rng(0), 6, more.get("offset", 0), 60, 1)
    patterns = [pattern_of(MOTIFS[0], n=30), pattern_of(MOTIFS[1], n=25, name="pos_patterns.pattern_1")]
    return how_much(contributions, patterns, hits, said, options).left_out


def test_what_is_left_out_is_said():
    said = "Using 80 positive seqlets\n"
    texts = sentences(said, offset=20, length=100, size=np.full(6, 118.0))
    assert texts == (
        # 6 x 60 less 6 unknown, of 6 x 118
        "Only the central 60 of 100 bp were looked at: the others hold 50% of the contribution, whatever its sign.",
        "2 of 6 regions have unknown bases, 6 in the window looked at: what the model makes of them belongs to no base "
        "and is not counted.",
        "25 of 80 positive seqlets are in no pattern: they are like too few others, or in a cluster of fewer than 20.",
        "No pattern lowers the prediction: TF-MoDISco clusters more than 100 negative seqlets, and there were no more.",
        "No instance of +2 was found: where one could be, another pattern explains more.",
    )


def test_a_cap_and_other_limits_are_named():
    said = "Using 60 positive seqlets\nExtracted 7 negative seqlets\n"
    options = {"max_seqlets_per_metacluster": 60, "min_metacluster_size": 5, "final_min_cluster_size": 33}
    texts = sentences(said, options)
    assert "TF-MoDISco looked at the first 60 positive seqlets of the file only" in " ".join(texts)
    assert any("7 of 7 negative seqlets are in no pattern" in text and "fewer than 33" in text for text in texts)


@pytest.mark.parametrize(
    ("run", "known", "texts"),
    [
        ({}, True, []),
        ({"output": "counts", "tracks": ["c"]}, False, []),
        ({"output": "counts", "tracks": ["c"]}, True, ["Other outputs of the model were not explained: profile."]),
        (
            {"output": "profile", "tracks": ["a"], "bins": [2, 6]},
            True,
            [
                "Of the output profile, 1 of 3 tracks and bins 2 to 5 of 8 were explained.",
                "Other outputs of the model were not explained: counts.",
            ],
        ),
        ({"output": "profile", "bins": [2, 6]}, False, ["Of the output profile, bins 2 to 5 were explained."]),
        (
            {"output": "profile", "tracks": ["a", "b", "d"], "bins": [0, 8]},
            True,
            ["Other outputs of the model were not explained: counts."],
        ),
    ],
)
def test_tracks_bins_and_outputs_that_were_not_asked_for(run, known, texts):
    outputs = (OutputSpec("profile", "profile", ("a", "b", "d"), 8, 16), OutputSpec("counts", "scalar", ("c",)))
    contributions = contributions_of(sequences_with([(1, 0)] * 6), np.ones((6, 4, 60)), np.arange(6), run=run)
    found = how_much(contributions, [pattern_of(MOTIFS[0])], None, outputs=outputs if known else ())
    assert [text for text in found.left_out if "output" in text] == texts


def test_text_and_back():
    found = variance_of(sequences_with([(1, 0), (0, 1)] * 40), np.tile([1.0, 2.0], 40))
    again = Explained.from_json(found.as_json())
    assert again.variance == found.variance and again.left_out == found.left_out and again.negative.share is None
