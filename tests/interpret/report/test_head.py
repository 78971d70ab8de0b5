"""What the head says of a run: each sentence for each kind of record, the card's metrics, what was looked for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from interpret.motifs.explained import Explained, ExplainedSign, ExplainedVariance
from interpret.report.card import find_card, metrics_of
from interpret.report.head import completeness_of, lacks_of, look_for, made_of, meters_of, missed, model_name
from interpret.report.page import render

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def head(asked):
    """How a run with other entries in its record was made; None takes an entry out. No view says how many bins."""

    def make(**changes):
        made = {**asked.run["contributions"], **changes}
        made = {key: value for key, value in made.items() if value is not None}
        views = replace(asked.views, track=None)
        return made_of(replace(asked, run={**asked.run, "contributions": made}, views=views), None, [])

    return make


def test_the_head_says_what_was_run(page):
    assert "<h1>Motifs of toy</h1>" in page and ">toy 1.0<" in page and ">saliency<" in page
    assert "score; logits, summed over 8 bins; logits explained" in page and ">toy.fa<" in page
    assert "360 sequences of 160 bp; motifs sought in the central 160 bp" in page
    assert "JASPAR2026 CORE fungi, 193 motifs" in page
    # errors were written as linspace(1e-7, 1e-4, 360) in float32, which rounds 1e-4 down
    assert "relative error of a sequence: median 5.0×10<sup>−5</sup>, largest 1.0×10<sup>−4</sup>" in page
    assert "below 1e-6, 1e-5, 1e-4, 1e-3, 1e-2 and above: 4, 32, 324, 0, 0, 0" in page


def test_pair_errors_are_shown_where_the_file_has_them(asked):
    text = render(replace(asked, pair_error=np.array([2e-5, 4e-5, np.nan])))
    assert "relative error of a pair with a reference: median 3.0×10<sup>−5</sup>, largest 4.0×10<sup>−5</sup>" in text
    assert "below 1e-6, 1e-5, 1e-4, 1e-3, 1e-2 and above: 0, 0, 2, 0, 0, 0" in text


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, "score; logits, summed over bins; logits explained (what enters the last activation)"),
        (
            {"output": None, "reduction": None},
            "not recorded; logits; logits explained (what enters the last activation)",
        ),
        ({"explained": "predictions"}, "score; summed over bins; predictions explained"),
        ({"explained": None}, "score; summed over bins; unknown whether logits or predictions explained"),
        (
            {"tracks": ["a", "b"], "bins": [2, 5], "reduction": "max", "explained": "predictions"},
            "score; tracks a, b; bins 2 to 4; the largest bin; predictions explained",
        ),
        ({"tracks": "all", "reduction": "median", "explained": "x"}, "score; median; x explained"),
    ],
)
def test_the_output_explained(head, changes, expected):
    assert head(**changes).output == expected


@pytest.mark.parametrize(
    "references, expected",
    [
        (None, "none: the method has none"),
        ("none", "none: the method has none"),
        ("20", "20, seed 7"),
        ({"kind": "dinucleotide", "n": 1}, "1 dinucleotide shuffle of each sequence, seed 7"),
        ({"kind": "dinucleotide", "n": 20}, "20 dinucleotide shuffles of each sequence, seed 7"),
        ({"kind": "uniform", "n": 1}, "0.25 at every base"),
        ({"kind": "zeros", "n": 1}, "zeros"),
        ({"kind": "mine.npz", "n": 3}, "mine.npz (3 a sequence)"),
    ],
)
def test_the_references(head, references, expected):
    assert head(references=references, seed=7).references == expected


@pytest.mark.parametrize(
    "genome, assembly, expected",
    [
        (None, None, "not recorded"),
        ("hg38", None, "hg38"),
        ({"path": "/a/b.fa", "total_bp": 12345}, "hg38", "b.fa, assembly hg38, 12,345 bp"),
        ({}, None, "not recorded"),
    ],
)
def test_the_genome(head, genome, assembly, expected):
    assert head(genome=genome, assembly=assembly).genome == expected


def test_method_regions_and_notes(head):
    made = head(method="ism", options={"rc_average": True}, regions={"path": "/x/a.bed"}, notes="one")
    assert made.method == "ism, both strands averaged" and made.notes == ["one"]
    assert made.regions == "360 sequences of 160 bp of a.bed; motifs sought in the central 160 bp"
    bare = head(method=None, options="none", notes=["a", 2])
    assert bare.method == "not recorded" and bare.notes == ["a", "2"]


@pytest.mark.parametrize(
    "run, name",
    [
        ({"model": {"name": "/a/my-model"}}, "my-model"),
        ({"model": "toy"}, "toy"),
        ({"model": {"name": "Group/sub"}}, "sub"),
        ({}, "a model"),
        ({"model": {}}, "a model"),
    ],
)
def test_the_models_name(run, name):
    assert model_name(run) == name


def test_the_version_of_either_kind_of_record(head):
    assert head().version == "1.0"
    assert head(model="toy", model_version="2").version == "2" and head(model="toy").version is None


def test_completeness_leaves_out_what_is_not_known(asked):
    some = replace(asked, completeness_error=np.array([np.nan, 1e-3, np.inf, 3e-3]))
    known, of = completeness_of(some)
    assert known.tolist() == [1e-3, 3e-3] and of == "a sequence"
    none = replace(asked, completeness_error=np.array([np.nan]))
    assert made_of(none, None).completeness is None
    text = render(none)
    assert "this method has no completeness to check" in text and "less that of its references" not in text
    assert "over the whole window, is the explained value less that of its references" in render(some)


def test_metrics_are_those_of_the_card(asked):
    """The page's table against the front matter of yeast-atac, read as plain YAML."""
    card = find_card({"model": {"name": "yeast-atac", "version": "1.0.0", "sha256": {}}})
    front = yaml.safe_load((ROOT / "model_cards" / "yeast-atac" / "README.md").read_text().split("---")[1])
    text = render(asked, card).split('id="metrics"')[1].split("</table>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr><td>.*?</tr>", text)]
    names = {item["metric"].replace("_", " "): item["metric"] for item in front["evaluation"]}
    assert [row[0] for row in rows] == list(names)
    for name, value, interval, n, split, baselines in rows:
        items = [item for item in front["evaluation"] if item["metric"] == names[name]]
        assert value == f"{items[0]['value']:.3g}" and n == f"{items[0]['n']:,}" and split == items[0]["split"]
        assert interval == "{:.3g} to {:.3g}".format(*items[0]["ci"])
        assert baselines.split("<br>") == [f"{i['baseline']['value']:.3g} {i['baseline']['name']}" for i in items]
    assert front["summary"] == card.summary and ("input, length", "1280") in card.facts


def test_the_card_of_another_version_or_of_other_weights_is_not_shown():
    assert find_card({"model": {"name": "yeast-atac", "version": "0.9.0"}}) is None
    assert find_card({"model": {"name": "yeast-atac", "version": "1.0.0", "sha256": {"weights.pth": "0" * 64}}}) is None
    assert find_card({"model": {"name": "no-such-model", "version": "1.0.0"}}) is None
    assert find_card({"model": "toy"}) is None


def test_a_metric_with_two_baselines_is_one_row():
    card = find_card({"model": {"name": "yeast-atac", "version": "1.0.0"}})
    one = card.evaluation[0]
    other = one.model_copy(update={"baseline": one.baseline.model_copy(update={"name": "other", "value": 0.5})})
    none = one.model_copy(update={"metric": "alone", "baseline": None})
    found = metrics_of(replace(card, evaluation=(one, other, none)))
    assert [item.baselines for item in found] == [((one.baseline.name, one.baseline.value), ("other", 0.5)), ()]


def test_what_was_looked_for_is_said(asked):
    """ABF1 and REB1 are planted and match; poly-A and a motif of vertebrates are not there."""
    words = ["abf1", "REB1", "CTCF", "AAAAAAAA", "TCACTTTATACG", "mine=TATAAAG"]
    found = {item.word: item for item in look_for(asked, words)}
    assert found["abf1"].pattern is asked.patterns[0] and found["REB1"].pattern is asked.patterns[1]
    assert found["CTCF"].pattern is None and found["AAAAAAAA"].pattern is None
    # planted as CGTATAAAGTGA: the other strand of it
    assert found["TCACTTTATACG"].pattern is asked.patterns[0] and found["TCACTTTATACG"].q is None
    assert found["mine"].pattern is asked.patterns[0]
    # the pattern itself comes before its subpatterns
    own = next(match for match in asked.matches["pos_patterns.pattern_0"] if match.motif.name == "ABF1")
    assert found["abf1"].q == own.q <= 0.05 and not found["abf1"].inside and not found["abf1"].weak
    text = render(asked, look_for=["ABF1", "SUT1"])
    link = r'<a href="#pos_patterns-pattern_0">\+1</a>'
    assert re.search(rf"Looked for and found: ABF1 \({link}, q [\d.]+\)", text)
    weak = {key: [replace(match, q=0.05, overlap=4) for match in found] for key, found in asked.matches.items()}
    text_of_weak = render(replace(asked, matches=weak), look_for=["ABF1"])
    assert re.search(rf"Looked for and found: ABF1 \({link}, q 0.05, not earned\)", text_of_weak)
    assert "Looked for and not found: SUT1." in text and "Looked for" not in render(asked).split("<script")[0]


# ---------------- how much is explained, and what a file lacks


def explained(**changes):
    """Numbers known by hand: 36% and 12% in instances that cover 9%, 60 of 80 and 20 of 20 seqlets, 41% against 22%."""
    positive = ExplainedSign(10.0, 0.36, np.array([0.2, 0.16, 0.0]), 60, 80)
    negative = ExplainedSign(-4.0, 0.12, np.array([0.0, 0.0, 0.12]), 20, 20)
    variance = ExplainedVariance(0.41, 0.3, 0.52, 0.22, 0.5, 360, 5, True)
    made = Explained(positive, negative, 0.09, np.array([0.05, 0.03, 0.01]), variance, "", ("Something was left out.",))
    return replace(made, **changes)


def test_how_much_is_explained_stands_beside_what_chance_reaches():
    first, second, seqlets, variance = meters_of(explained())
    assert (first.share, first.text, first.beside) == (0.36, "36%", 0.09) and "cover 9% of the bases" in first.than
    assert (second.text, second.beside, second.than) == ("12%", 0.09, "")  # said once
    assert seqlets.text == "80%" and seqlets.what == "of seqlets are in a pattern: 80 of 100"
    assert (variance.text, variance.beside) == ("41%", 0.22)
    assert variance.than == (
        "95% interval 30% to 52%; base composition alone 22%, both 50%; the patterns themselves were found in all "
        "regions, the held-out ones too"
    )


def test_what_is_not_known_has_no_meter():
    """No hits: no share; seqlets that were not counted; a prediction that does not vary."""
    bare = ExplainedSign(1.0, None, None, 3, None)
    made = explained(positive=bare, negative=bare, covered=None, covered_by_pattern=None, variance=None)
    assert meters_of(made) == [] and meters_of(None) == []


def test_without_a_pattern_nothing_is_measured_and_that_is_said_once(asked):
    """No share of no instances, no tick at 0%, and neither a reason twice."""
    none = np.array([])
    positive, negative = ExplainedSign(9.0, 0.0, none, 0, None), ExplainedSign(-9.0, 0.0, none, 0, None)
    made = explained(positive=positive, negative=negative, covered=0.0, covered_by_pattern=none, variance=None,
                     no_variance="there are no patterns")  # fmt: skip
    no_hits = replace(asked.hits, **{name: values[:0] for name, values in vars(asked.hits).items()})
    nothing = {"patterns": (), "hits": no_hits, "enrichment": None, "effects": None, "explained": made}
    bare = replace(asked, **nothing)
    assert meters_of(made) == [] and lacks_of(bare) == []
    text = render(bare).split("<script")[0]
    assert "Nothing: there is no pattern." in text and "which is what chance would hold" not in text
    assert "instances of the patterns" not in text and "Instances bear" not in text


def test_a_share_of_variance_below_nothing_is_drawn_as_nothing_and_said_as_it_is():
    worse = explained(variance=ExplainedVariance(-0.07, -0.2, 0.01, -0.5, -0.1, 360, 5, True))
    meter = meters_of(worse)[-1]
    assert (meter.share, meter.text, meter.beside) == (0.0, "\N{MINUS SIGN}7%", 0.0)
    assert "interval \N{MINUS SIGN}20% to 1%" in meter.than


def test_an_older_file_says_what_it_lacks(asked):
    old = replace(asked, explained=None, effects=None, hits=None, enrichment=None)
    text = render(old)
    assert len(lacks_of(old)) == 4 and lacks_of(replace(asked, explained=explained())) == []
    assert "Not in this file: how much the motifs explain; what each pattern does when it is inserted (effects)" in text
    says = re.findall(r'class="says"><span class="(\w+)">\w+</span>, (.)', text)
    assert sorted(says) == [("lowers", "\N{MINUS SIGN}"), ("raises", "+"), ("raises", "+")]
    assert 'data-label="Effect"' not in text and 'class="meter"' not in text


def test_the_first_screen_shows_them(asked):
    text = render(replace(asked, explained=explained())).split('<section id="patterns">')[0]
    assert "their instances hold 36% of positive contribution and 12% of negative contribution." in text
    assert text.count('class="meter"') == 4 and "<li>Something was left out.</li>" in text
    assert text.count('class="card"') == 3 and text.count("<h1>") == 1


def test_a_typo_is_told_from_a_motif_that_did_not_come_out(asked):
    """JASPAR's fungi have REB1 and SUT1, and neither REBB1 nor CTCF; of a MEME file no names are kept."""
    absent, typo, foreign, bases = look_for(asked, ["sut1", "REBB1", "CTCF", "ACGTACGTACGTAA"])
    assert not absent.lacking and not bases.lacking
    assert typo.lacking.startswith("JASPAR2026 CORE fungi has no motif of that name; near names: REB1")
    assert foreign.lacking.startswith("JASPAR2026 CORE fungi has no motif of that name")
    (unknown,) = look_for(replace(asked, run=asked.run | {"database": "own.meme"}), ["REBB1"])
    assert not unknown.lacking and unknown.pattern is None


def test_what_a_database_has_not_is_said_of_that_name_alone(asked):
    """Before, CTCF's reason stood behind the last of five names, as if it were theirs."""

    def said(*words):
        return missed(look_for(asked, list(words)))

    fungi = "not in JASPAR2026 CORE fungi"
    assert said("CBF1", "CTCF", "SUT1") == f"not found: CBF1, SUT1; {fungi}: CTCF"
    assert said("CTCF", "QQQQQ") == f"{fungi}: CTCF, QQQQQ"
    assert re.fullmatch(
        rf"not found: CBF1; {fungi}: REBB1 \(near names: REB1[^()]*\), CTCF", said("REBB1", "CBF1", "CTCF")
    )
    assert said("ABF1") == "not found: none" and said("CBF1") == "not found: CBF1"
    text = render(asked, look_for=["CBF1", "CTCF"])
    assert f"Looked for and found: none. Looked for and not found: CBF1; {fungi}: CTCF.</p>" in text
