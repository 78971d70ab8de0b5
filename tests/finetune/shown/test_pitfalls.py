"""The five pitfalls: small models whose answers are known by hand, pages that load nothing, numbers on real data."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from finetune.data.train_only import TrainOnly
from finetune.verdict.verdict import Judged
from scripts.finetune.pitfalls import confounding, dependence, distributions, imbalance, leakage
from scripts.finetune.pitfalls.__main__ import PITFALLS, main
from scripts.finetune.pitfalls.figure import Line, bars, histogram, lines
from scripts.finetune.pitfalls.guard import Guard, judged_sentence, refusal
from scripts.finetune.pitfalls.page import Measure, Picture, Pitfall, page, table, write
from scripts.finetune.pitfalls.small import blocks, nearest, neighbours, ridge, windows_of, words
from scripts.yeast_atac.data import encode

PITFALL = Pitfall(
    "slug", "A <title>", "What & why.", "data", "the naive way", "the honest way",
    (Measure("model", "Pearson", 0.914, -0.126), Measure("another", "AUROC", 0.5, math.nan)),
    (Picture(bars(["a", "b"], {"one": [1.0, 2.0], "two": [0.5, -1.0]}, "r"), "A caption"),),
    (Guard("zoo finetune run.yaml", "error: a < b", "`This` stops.", "short"),
     Guard("check()", "refused", "Too.", "two")),
)  # fmt: skip


def column(word: str) -> int:
    return int("".join(str("ACGT".index(letter)) for letter in word), 4)


def test_words_of_both_strands_are_counted():
    counts = words(np.stack([encode("ACGTT"), encode("AANCC")]), 2)
    # ACGTT: AC CG GT TT, and reversed AACGT: AA AC CG GT. AANCC: AA CC, and reversed GGNTT: GG TT.
    expected = np.zeros((2, 16))
    for word, n in {"AC": 2, "CG": 2, "GT": 2, "TT": 1, "AA": 1}.items():
        expected[0, column(word)] = n
    for word in ("AA", "CC", "GG", "TT"):
        expected[1, column(word)] = 1
    np.testing.assert_array_equal(counts, expected)


def test_words_do_not_depend_on_the_strand():
    codes = np.random.default_rng(3).integers(0, 4, (5, 40)).astype(np.uint8)
    np.testing.assert_array_equal(words(codes, 3), words(3 - codes[:, ::-1], 3))


def test_ridge_without_penalty_is_least_squares():
    x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]])
    y = 2 * x[:, 0] - 3 * x[:, 1] + 5
    np.testing.assert_allclose(ridge(x, y, 0.0)(np.array([[10.0, 10.0]])), [-5.0], atol=1e-4)


def test_ridge_with_a_great_penalty_is_the_mean():
    x, y = np.arange(6.0)[:, None], np.array([1.0, 2, 3, 4, 5, 9])
    np.testing.assert_allclose(ridge(x, y, 1e12)(x), 4.0, atol=1e-6)


def test_nearest_gives_back_what_it_has_seen():
    counts = np.eye(4)[[0, 1, 2, 3]] * 9
    assert nearest(counts, np.array([1.0, 2, 3, 4]))(counts[[2, 0]]).tolist() == [3.0, 1.0]


def test_blocks_keep_their_distance():
    train, test = blocks(12, size=4, every=3, margin=1)
    assert np.flatnonzero(train).tolist() == [1, 2, 5, 6]
    assert np.flatnonzero(test).tolist() == [9, 10]


def test_no_feature_of_a_test_bin_reaches_a_training_bin():
    train, test = blocks(90, size=30, every=3, margin=8)
    reach = neighbours(np.arange(90.0))
    assert not set(reach[train].ravel()) & set(np.flatnonzero(test))
    assert not set(reach[test].ravel()) & set(np.flatnonzero(train))


def test_windows_drop_what_is_left():
    assert windows_of(np.arange(14).reshape(2, 7), 3).tolist() == [[[0, 1, 2], [3, 4, 5]], [[7, 8, 9], [10, 11, 12]]]


def test_a_guard_quotes_the_error_as_the_command_prints_it():
    held = TrainOnly(np.zeros((2, 3, 1)), np.array([0, 1]), [0])
    said = refusal("held.read(1)", "It stops.", "short", held.read, 1).said.splitlines()
    assert said[0].startswith("error: cell 1 is not of the training side")
    assert said[1] == "  training cells are 0"
    assert said[2].startswith("  Fix: ") and "Fix: Fix" not in said[2]


def test_a_guard_that_lets_pass_is_no_guard():
    with pytest.raises(RuntimeError, match="was to refuse"):
        refusal("nothing()", "", "", lambda: None)


def test_a_gain_is_not_written_as_none():
    truth = np.random.default_rng(0).normal(size=(40, 5))
    start = np.arange(40) * 100_000
    judged = Judged(
        "both", "t", truth, truth, {"constant": truth * 0}, np.full(40, "chr1", object), start, 1, raw=False
    )
    with pytest.raises(RuntimeError, match="no gain"):
        judged_sentence("judge()", "", "", [judged])


def test_a_page_loads_nothing_and_escapes():
    text = page(PITFALL, [PITFALL])
    assert "A &lt;title&gt;" in text and "<title>A &lt;" in text and "What &amp; why." in text
    assert not re.search(r"<script|<link|<img|src=|url\(|@import", text)
    assert "error: a &lt; b" in text and "<code>This</code> stops." in text
    assert re.search(r"\$ zoo finetune run\.yaml", text) and "&gt;&gt;&gt; check()" in text


def test_a_page_holds_both_numbers_and_a_dash_for_none():
    text = page(PITFALL)
    assert "<b>0.91</b>" in text and "<b>−0.13</b>" in text and '<td class="num">–</td>' in text


def test_the_table_is_markdown_of_the_headlines():
    rows = table([PITFALL]).splitlines()
    assert rows[2] == "| A <title> | model, Pearson | 0.91 | −0.13 | short; two |"
    assert len({row.count("|") for row in rows}) == 1


def test_pages_are_written_by_name(tmp_path):
    assert [path.name for path in write([PITFALL], tmp_path / "new")] == ["slug.html"]
    assert (tmp_path / "new" / "slug.html").read_text(encoding="utf-8") == page(PITFALL, [PITFALL])


def test_bars_are_as_high_as_their_values():
    drawn = bars(["a"], {"one": [1.0], "two": [0.5]}, "r")
    first, second = (float(h) for h in re.findall(r'height="([\d.]+)" fill="var\(--\w+\)"/><text[^>]*>(?=[01])', drawn))
    assert first == pytest.approx(2 * second, rel=0.01)


def test_lines_go_through_their_points():
    drawn = lines([Line("one", np.array([0.0, 1.0]), np.array([0.0, 1.0]))], "x", "y", (0, 1))
    assert 'points="56.0,236.0 628.0,30.0"' in drawn  # the corners of the axes


def test_a_histogram_is_of_shares():
    drawn = histogram({"one": np.array([0.0, 0.0, 0.0, 1.0])}, "x", n_bins=2)
    top = [float(y) for y in re.search(r'points="([^"]*)"', drawn)[1].replace(",", " ").split()[1::2]]
    assert (236 - top[0]) / (236 - top[1]) == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize("arguments", [["nonsense", "--data", ".", "-o", "x"], ["--data", "nowhere", "-o", "x"]])
def test_a_wrong_name_or_folder_is_said(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert "unknown pitfall 'nonsense'" in (said := capsys.readouterr().err) or "no data folder nowhere" in said


def of(name: str, data) -> Pitfall:
    shown = PITFALLS[name](data)
    assert shown.slug == name and shown.guards and all(guard.said.strip() for guard in shown.guards)
    assert all(picture.svg.startswith("<svg") and picture.caption for picture in shown.pictures)
    assert "nan" not in page(shown).lower().replace("finance", "")
    return shown


@pytest.mark.shared
def test_distributions_the_scale_of_one_cell_is_not_that_of_the_next(shared_data):
    shown = of("distributions", shared_data)
    assert shown.measures[0].naive > 0.6 and shown.measures[0].honest < 0
    assert shown.measures[2].naive > shown.measures[2].honest + 0.05  # over all choices, not the one that is shown
    assert shown.measures[-1].honest > 0.6  # Pearson sees nothing of it
    assert "held-out cells and chromosomes at once: nothing was gained" in shown.guards[0].said


@pytest.mark.long
@pytest.mark.shared
@pytest.mark.slow
def test_dependence_looking_up_wins_only_where_windows_overlap(shared_data):
    look_up, fitted = of("dependence", shared_data).measures
    assert look_up.naive > 0.85 and look_up.honest < 0.5
    assert look_up.naive > fitted.naive and look_up.honest < fitted.honest


@pytest.mark.shared
def test_confounding_gc_alone_tells_bound_from_unbound(shared_data):
    shown = of("confounding", shared_data)
    gc, model, constant, differences = shown.measures
    assert gc.naive > 0.75 and gc.honest == pytest.approx(0.5, abs=0.02)
    assert model.naive - model.honest > 0.15
    assert constant.naive > 0.4 and constant.honest == 0.0
    assert differences.naive > 0.7 and math.isnan(differences.honest)


@pytest.mark.shared
def test_leakage_promises_what_a_new_cell_does_not_keep(shared_data):
    promised, kept, promised_median, kept_median, *alone = of("leakage", shared_data).measures
    assert promised.naive > 0.4 and kept.naive < -0.5
    assert promised.honest == pytest.approx(kept.honest, abs=0.1)
    assert promised_median.naive > 0.4 and promised_median.honest < 0.1
    assert kept_median.naive < kept_median.honest  # whichever cell is new, on the median
    assert all(one.naive > one.honest + 0.15 for one in alone)


@pytest.mark.shared
@pytest.mark.slow
def test_imbalance_a_balanced_test_set_hides_false_calls(shared_data):
    shown = of("imbalance", shared_data)
    model, ignorant, auroc, never = shown.measures
    assert model.naive > 0.85 and model.honest < 0.55
    assert ignorant.honest == pytest.approx(0.02, abs=0.01)
    assert auroc.naive == pytest.approx(auroc.honest, abs=0.03) and never.naive > 0.97
    assert f"auprc: {model.honest:.3f}" in shown.guards[1].said


def test_each_pitfall_has_its_module():
    assert [module.__name__.rpartition(".")[2] for module in
            (distributions, dependence, confounding, leakage, imbalance)] == list(PITFALLS)  # fmt: skip
