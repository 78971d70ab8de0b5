"""The command that measures entries: its parts on cases known by hand, and the whole of it on a toy entry."""

from __future__ import annotations

import gzip
import sys
import types

import numpy as np
import pytest
import yaml
from toys import make_toy_entry

import zoo
from scripts import evaluate_entries
from scripts.entry_figures.bound_sequences import Bound, apart, read_bound
from scripts.entry_figures.composition import best_match, cpg, gc, log_odds, scores_of
from scripts.entry_figures.coverage import BINS, by_bin, near_bins
from scripts.entry_figures.ctcf_peaks import between
from scripts.entry_figures.figure import Figure, mean_correlation, measured, of_rows
from scripts.entry_figures.splice_motifs import candidates
from scripts.entry_figures.splice_sites import matrix_scores, site_matrix, stretches, top_k
from scripts.shared_entries.hg38_windows import Gene, one_hot
from zoo.store import registry


def test_what_a_sequence_tells_without_a_model():
    sequences = np.stack([one_hot("ACGTCGNN"), one_hot("GGGGCCCC")])
    assert gc(sequences).tolist() == [0.5, 1.0]
    assert cpg(sequences).tolist() == [0.25, 0.0]  # CG twice in 8 bp; GC is no CpG


def test_a_matrix_of_letters():
    matrix = log_odds(np.stack([one_hot("AC"), one_hot("AC"), one_hot("AG")]))
    # A three times of three, half a count more for each letter: 4 * 3.5 / 5
    assert matrix[0, 0] == pytest.approx(np.log(4 * 3.5 / 5)) and matrix[3, 1] == pytest.approx(np.log(4 * 0.5 / 5))
    scores = scores_of(one_hot("AACT"), matrix)
    assert scores.shape == (3,) and scores.argmax() == 1
    assert scores[1] == pytest.approx(matrix[0, 0] + matrix[1, 1])
    # GT is AC on the other strand.
    assert best_match(np.stack([one_hot("TTGT")]), matrix)[0] == pytest.approx(matrix[0, 0] + matrix[1, 1])


def test_of_as_many_best_places_as_sites_the_share_that_are_sites():
    label = np.array([1, 0, 1, 0, np.nan])
    assert top_k(np.array([0.9, 0.8, 0.7, 0.1, 1.0]), label) == 0.5
    assert top_k(np.array([0.9, 0.1, 0.7, 0.1, 1.0]), label) == 1
    assert np.isnan(top_k(np.zeros(5), np.zeros(5)))


def gene(strand, **changes):
    facts = {"name": "G", "window": "chr1:0-20000", "length": 20_000, "strand": strand, "start": 7000, "end": 13_500}
    return Gene(**facts | {"first": (8000, 12_900), "last": (7100, 8090)} | changes)


def window(**sites):
    letters = list("T" * 20_000)
    for at, text in sites.items():
        start = int(at.removeprefix("at"))
        letters[start : start + len(text)] = text
    return "".join(letters)


def test_a_gene_is_laid_out_once_and_in_its_direction():
    # An acceptor is the first base of an exon but the first, a donor the last of one but the last.
    for strand, (acceptors, donors) in {
        "+": ([8000, 12_900], [7100, 8090]),
        "-": ([7100, 8090], [8000, 12_900]),
    }.items():
        found = [[], []]
        counted = np.zeros(20_000, int)
        for one in stretches(gene(strand), window()):
            at = np.arange(one.start, one.start + 5000)
            at = at if strand == "+" else at[::-1]
            counted[at[one.counts]] += 1
            for kind in (0, 1):
                found[kind] += at[one.sites[kind] & one.counts].tolist()
            assert len(one.sequence) == 5100
        assert np.flatnonzero(counted).tolist() == list(range(7000, 13_500)) and counted.max() == 1
        # On "-" acceptors are read from the other side: the highest base of the lower exon's neighbour.
        assert sorted(found[0]) == (acceptors if strand == "+" else sorted(gene(strand).last))
        assert sorted(found[1]) == (donors if strand == "+" else sorted(gene(strand).first))


def test_nothing_is_asked_near_the_ends_of_a_window():
    rows = list(stretches(gene("+", start=-500, end=30_000), window()))
    assert [one.start for one in rows] == [5000, 10_000] and all(one.counts.all() for one in rows)
    assert list(stretches(gene("+", start=0, end=4000), window())) == []


@pytest.mark.parametrize("strand", "+-")
def test_a_site_scores_where_it_lies(strand):
    """Donors with GT behind them, at both strands: the matrix of a gene finds its own sites."""
    if strand == "+":
        text, sites = window(at7101="GTAACC", at8091="GTAACC", at9000="CAC"), {"last": (7100, 8090), "first": ()}
    else:  # the donor is the lowest base of an exon, and AC (GT on "-") stands before it
        text, sites = window(at7994="GGTTAC", at12894="GGTTAC"), {"first": (8000, 12_900), "last": ()}
    rows = list(stretches(gene(strand, **sites), text))
    assert sum(int((one.sites[1] & one.counts).sum()) for one in rows) == 2
    scores = matrix_scores("donor", site_matrix("donor", rows), rows)
    for one, row in zip(rows, scores, strict=True):
        places = np.flatnonzero(one.sites[1] & one.counts)
        assert set(candidates("donor", one)) == set(places)
        if len(places):
            assert set(places) == set(np.flatnonzero(row == row.max()))


def test_sequences_that_both_proteins_may_bind_are_left_out(tmp_path):
    def bound(*places):
        chrom, start = zip(*places, strict=True)
        return Bound(np.array(chrom), np.array(start), np.zeros((len(places), 4, 100)))

    ours = bound(("chr1", 100), ("chr1", 300), ("chr2", 100), ("chr1", 501))
    theirs = bound(("chr1", 199), ("chr2", 200), ("chr1", 400))
    # 100-200 overlaps 199-299; 300-400 only touches 400-500; 501-601 begins one base behind it.
    assert apart(ours, theirs).tolist() == [False, True, True, True]
    with gzip.open(tmp_path / "a.fa.gz", "wt") as handle:
        handle.write(">chr1:5-9\nacgt\n>chr1:5-9\nACGT\n>chr2:7-11\nACNT\n")
    read = read_bound(tmp_path / "a.fa.gz")
    assert (read.chrom.tolist(), read.start.tolist()) == (["chr1"], [5])
    assert (read.sequences[0] == np.eye(4)).all()


def test_stretches_between_peaks():
    assert between(0, 4000, []) == [500, 1500, 2500, 3500]
    # 500 bp on both sides of a stretch are free too: a peak of 1600-1700 takes the three around it.
    assert between(0, 6000, [(1700, 1800)]) == [500, 3500, 4500, 5500]


def test_bins_of_a_window_of_borzoi():
    sequences = np.zeros((1, 4, 131_072), np.float32)
    sequences[:, 0] = 1
    sequences[0, :, 32_768 + 32 : 32_768 + 64] = one_hot("CG" * 16)  # bin 1
    shares = by_bin(sequences)
    assert shares.shape == (1, BINS) and shares[0, :3].tolist() == [0, 1, 0] and shares.sum() == 1
    near = near_bins(sequences)
    assert near.shape == (1, BINS) and near[0, 1] == 16 / 512 and near[0, 20] == 0


# ---------------------------------------------------------------- figures


BLOCKS = np.repeat(np.arange(12), 4)


def test_a_figure_of_classes_beside_its_best_baseline():
    label = np.tile([1.0, 1.0, 0.0, 0.0], 12)[:, None]
    score = np.tile([4.0, 2.0, 3.0, 1.0], 12)[:, None]  # three of four pairs in order
    (figure,) = measured(
        {"auroc": "AUROC"}, score, label, BLOCKS, {"worst": -score, "none": np.zeros_like(score)}, "here", "out"
    )
    assert figure.value == 0.75 and figure.n == 48 and figure.baseline == ("none", 0.5)
    assert figure.ci == (0.75, 0.75)  # all blocks are alike, so that every resample is the same
    assert figure.record("command") == {
        "metric": "AUROC", "value": 0.75, "ci": [0.75, 0.75], "n": 48, "split": "here", "output": "out",
        "baseline": {"name": "none", "value": 0.5}, "command": "command",
    }  # fmt: skip


def test_an_interval_holds_its_value_where_most_scores_are_the_same():
    """A model whose scores saturate: ties between classes count half, in each resample too."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 4000).astype(float)[:, None]
    score = np.where(rng.random((4000, 1)) < 0.6, 0.5, rng.random((4000, 1)) + 0.2 * label)
    block = np.repeat(np.arange(100), 40)
    for name in ("auroc", "auprc"):
        (figure,) = measured({name: name}, score, label, block, {"constant": np.zeros_like(score)}, "", "")
        assert figure.ci[0] < figure.value < figure.ci[1]


def test_what_is_not_measured_counts_nowhere():
    label = np.tile([1.0, 0.0, np.nan, np.nan], (12, 1))
    score = np.tile([2.0, 1.0, 9.0, 9.0], (12, 1))
    (figure,) = measured({"auprc": "AP"}, score, label, np.arange(12), {"zero": 0 * score}, "", "")
    assert (figure.value, figure.n, figure.ci) == (1.0, 24, (1.0, 1.0)) and figure.baseline == ("zero", 0.5)
    with pytest.raises(ValueError, match="AP: not defined"):
        measured({"auprc": "AP"}, score, np.where(label > 0, 1, np.nan), np.arange(12), {"zero": 0 * score}, "", "")


def test_correlations_are_averaged_over_tracks():
    x = np.arange(120.0).reshape(12, 10)
    figure = mean_correlation("r", np.stack([x, x, x]), np.stack([x, 2 * x, -x]), np.arange(12), {"x": -x}, "", "")
    assert figure.value == pytest.approx(1 / 3) and figure.baseline == ("x", pytest.approx(-1 / 3))
    assert figure.ci == pytest.approx((1 / 3, 1 / 3)) and figure.n == 120


def test_a_metric_of_rows():
    label = np.tile([1.0, 0.0, 1.0, 0.0], (12, 1))
    score = np.tile([4.0, 3.0, 2.0, 1.0], (12, 1))

    def of(values, rows):
        return top_k(values[rows].ravel(), label[rows].ravel())

    figure = of_rows("top-k", of, score, {"truth": label, "none": -label}, np.arange(12), 24, "", "")
    assert (figure.value, figure.ci, figure.baseline) == (0.5, (0.5, 0.5), ("truth", 1.0))


# ---------------------------------------------------------------- the command


SEQUENCES = ["GGGGGGGGGGGGGGGG", "GGGGGGGGAAAAAAAA", "GGGGGGGGGGGGAAAA", "AAAAAAAAAAAAAAAA"]  # GC 1, 1/2, 3/4, 0


def toy_figures(name, data):
    """Windows of known GC: of the four pairs of a positive and a negative, three are in order."""
    if name != "own-toy":
        return []
    predicted = zoo.load_model(name).predict(np.stack([one_hot(one) for one in SEQUENCES * 12]), device="cpu")
    label = np.tile([1.0, 1.0, 0.0, 0.0], 12)[:, None]
    return measured({"auroc": "AUROC"}, predicted, label, BLOCKS, {"none": 0 * label}, "test", "gc")


@pytest.fixture
def card(tmp_path, monkeypatch):
    """A bundled toy that is measured; gives what writes its figures onto its card."""
    folder = tmp_path / "cards"
    toy = make_toy_entry(folder / "own-toy")
    make_toy_entry(folder / "own-toy-other")  # of the same family: nothing is measured of it
    monkeypatch.setattr(registry, "INDEX", tmp_path / "index.json")
    monkeypatch.setattr(registry, "entries_folder", lambda: folder)
    monkeypatch.setattr("zoo.models.entry.entries_folder", lambda: folder)
    monkeypatch.setitem(evaluate_entries.MEASURED, "own-toy", "toy")
    module = types.ModuleType("scripts.entry_figures.toy")
    module.figures = toy_figures
    monkeypatch.setitem(sys.modules, "scripts.entry_figures.toy", module)
    (tmp_path / "data").mkdir()

    def write(figures):
        path = toy.folder / "README.md"
        front, prose = path.read_text().removeprefix("---\n").split("---\n", 1)
        path.write_text(f"---\n{yaml.safe_dump(yaml.safe_load(front) | {'evaluation': figures})}---\n{prose}")

    return write


def evaluated(tmp_path, capsys, *arguments):
    code = evaluate_entries.main([*arguments, "--data", str(tmp_path / "data")])
    return code, capsys.readouterr().out


def test_the_command_prints_what_a_card_takes_and_checks_it(card, tmp_path, capsys):
    code, said = evaluated(tmp_path, capsys, "own-toy")
    assert code == 0 and said == "own-toy: AUROC 0.750 (0.750 to 0.750), none 0.500; n 48; test\n"
    assert evaluated(tmp_path, capsys, "own-toy", "--check") == (1, "own-toy: not on the card: AUROC | test | gc\n")
    code, printed = evaluated(tmp_path, capsys, "--yaml")  # all that are measured
    figures = yaml.safe_load(printed)
    assert code == 0 and figures[0]["value"] == 0.75
    assert figures[0]["command"] == "python -m scripts.evaluate_entries own-toy"
    authors = {"metric": "AUROC", "value": 0.99, "split": "test", "output": "gc", "reported_by": "the authors"}
    card([authors, *figures])
    assert evaluated(tmp_path, capsys, "--check") == (0, "own-toy: as on the card\n")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("value", 0.8, "AUROC: value is 0.75, on the card 0.8"),
        ("ci", [0.5, 0.75], "AUROC: low is 0.75, on the card 0.5"),
        ("n", 47, "AUROC: n is 48, on the card 47"),
        ("baseline", {"name": "none", "value": 0.4}, "AUROC: baseline is 0.5, on the card 0.4"),
        ("baseline", {"name": "other", "value": 0.5}, "AUROC: the best baseline is none"),
        ("split", "train", "on the card, and not measured: AUROC | train | gc"),
    ],
)
def test_a_figure_of_a_card_that_does_not_come_out_is_told(card, tmp_path, capsys, key, value, told):
    (figure,) = yaml.safe_load(evaluated(tmp_path, capsys, "own-toy", "--yaml")[1])
    card([figure | {key: value}])
    code, said = evaluated(tmp_path, capsys, "own-toy", "--check")
    assert code == 1 and told in said


def test_what_is_not_measured_or_not_there_is_refused(card, tmp_path, capsys):
    for arguments, told in (
        (["nowhere", "--data", str(tmp_path)], "nothing is measured of 'nowhere'"),
        (["own-toy", "--data", str(tmp_path / "absent")], "no data folder"),
    ):
        with pytest.raises(SystemExit) as caught:
            evaluate_entries.main(arguments)
        assert caught.value.code == 2 and told in capsys.readouterr().err


def test_a_figure_without_an_interval():
    record = Figure("r", 0.12345, None, 9, "s", "o", ("b", 0.0)).record("c")
    assert "ci" not in record and record["value"] == 0.123
