"""Numbers of a pattern against small ones computed by hand, and how numbers are written."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace

import numpy as np
import pytest

from interpret.motifs.grades import Name
from interpret.motifs.pattern import Effect
from interpret.report.numbers import effect_of, enriched, like_another, number, order_of, q_text, row_of, within
from interpret.report.page import render

NAMELESS = Name(None, "none")


def test_enrichment_is_written_as_a_ratio_to_chance(asked):
    """60 against 24.5 is 2.449; 7 against 14 one half; nothing is expected of the last, which has no ratio."""
    counted = replace(
        asked.enrichment,
        occurrences=np.array([60, 7, 3]),
        expected=np.array([24.5, 14, 0]),
        q=np.array([1e-5, 1, 0.5]),
    )
    text = render(replace(asked, enrichment=counted))
    assert re.findall(r'data-label="Enrichment">([\d.]+)×<br>', text) == [
        "0.5",
        "2.4",
    ]  # REB1, of which no effect was measured, comes first
    said = re.findall(r"Its bases occur (.*?) times in the sequences and (.*?) times in shuffles", text)
    assert sorted(said) == [("3", "0"), ("60", "24.5"), ("7", "14")]
    assert re.findall(r"data-label=\"Enrichment\">[\d.]+×<br><small>q (.*?)</small>", text) == [
        "1",
        "1.0×10<sup>−5</sup>",
    ]


def test_enrichment_is_that_of_the_table_beside_the_file(asked):
    """Read again as a reader of the TSV would, and whatever the known motifs are called."""
    lines = [line.split("\t") for line in asked.path.with_name("motifs.motifs.tsv").read_text().splitlines()]
    quoted = {
        key: [replace(item, motif=replace(item.motif, name='"quoted')) for item in items]
        for key, items in asked.matches.items()
    }
    at = [lines[0].index(name) for name in ("occurrences", "expected_occurrences", "enrichment_q")]
    for item, line in zip(enriched(replace(asked, matches=quoted)), lines[1:], strict=True):
        assert (item.occurrences, item.expected, item.q) == pytest.approx([float(line[i]) for i in at], rel=0.01)


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (0.0123, "0.0123"),
        (-2.5, "−2.5"),
        (2e-5, "2.0×10<sup>−5</sup>"),
        (float("nan"), "–"),
        (-3e-4, "−3.0×10<sup>−4</sup>"),
        (-12345.6, "−12,346"),
        (999.4, "999"),
        (999.7, "1,000"),
        (-999.5, "−1,000"),
    ],
)
def test_numbers_as_text(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    "value, text",
    [(0.0, "0"), (0.05, "0.05"), (0.0123, "0.012"), (1.0, "1"), (1e-3, "0.001"), (9.99e-13, "1.0×10<sup>−12</sup>")],
)
def test_q_as_text(value, text):
    assert q_text(value) == text


def test_no_number_is_written_as_a_programmer_would():
    """Neither an e nor a hyphen, over thirty orders of magnitude and both signs."""
    for value in np.concatenate([np.logspace(-20, 10, 301), -np.logspace(-20, 10, 301)]):
        assert not re.search(r"[e-]", re.sub("<.?sup>", "", number(float(value))))


def test_a_pattern_without_an_effect_has_none(asked):
    assert effect_of(asked, asked.patterns[1]) is None
    assert effect_of(replace(asked, effects=None), asked.patterns[0]) is None


def test_the_interval_is_students(asked):
    """1, 2, 3, 4: mean 2.5, standard deviation 1.2910, t of three degrees of freedom 3.1824: 2.5 ± 2.0543."""
    name = asked.patterns[0].name
    one = replace(asked, effects={name: Effect("ACGT", np.array([1, 2, 3, 4], np.float32))})
    effect = effect_of(one, asked.patterns[0])
    assert (effect.mean, effect.low, effect.high) == pytest.approx((2.5, 0.4457, 4.5543), abs=1e-4)


def test_not_counted_occurrences_are_none(asked):
    assert enriched(replace(asked, enrichment=None)) == [None] * 3
    assert all(item.occurrences > 0 for item in enriched(asked))


def test_a_single_seqlet_has_no_spread(asked):
    pattern = asked.patterns[0]
    one = replace(pattern.seqlets, **{key: value[:1] for key, value in vars(pattern.seqlets).items() if np.ndim(value)})
    row = row_of(replace(asked, patterns=(replace(pattern, seqlets=one),)), 0, NAMELESS)
    assert row.seqlets == row.regions == 1 and row.spread == 0.0


def with_core(pattern, columns):
    """The pattern with other frequencies, all of them core."""
    matrix = np.array(columns, float)
    return replace(pattern, probability=matrix, contribution=matrix, core=(0, len(matrix)))


A, C, G, T = np.eye(4)


def test_gc_and_bits_of_a_known_core(asked):
    """C, G, A, T each certain: GC one half, four columns of nearly two bits each."""
    row = row_of(replace(asked, patterns=(with_core(asked.patterns[0], [C, G, A, T]),)), 0, NAMELESS)
    assert row.gc == 0.5 and row.bits == pytest.approx(4 * 1.966, abs=0.01)


def test_a_pattern_like_an_earlier_one_is_found_turned_and_shifted(asked):
    first = with_core(asked.patterns[0], [A, C, C, G, T, A, G, G])
    turned = replace(first, contribution=first.contribution[::-1, ::-1], name="pos_patterns.pattern_1")
    shifted = replace(with_core(first, [*first.contribution[1:], T]), name="pos_patterns.pattern_2")
    other = replace(with_core(first, [T, T, G, A, C, A, T, C]), name="pos_patterns.pattern_3")
    negative = replace(first, name="neg_patterns.pattern_0")
    patterns = (first, turned, shifted, other, negative)
    # seven of the eight columns agree: 7/8 is below 0.9
    assert [like_another(patterns, i) for i in range(5)] == [None, first, None, None, None]


def test_subpatterns_name_motifs_of_their_own(asked, monkeypatch):
    """One that is what the pattern is, one small, one that earns nothing, two that are another motif."""
    pattern, (match,) = asked.patterns[0], asked.matches[asked.patterns[0].name][:1]
    other = replace(match, motif=replace(match.motif, name="OTHER"))
    small = replace(
        pattern.seqlets, **{key: value[:19] for key, value in vars(pattern.seqlets).items() if np.ndim(value)}
    )
    children = [replace(pattern, name=f"pos_patterns.pattern_0.subpattern_{i}", subpatterns=()) for i in range(5)]
    children[1] = replace(children[1], seqlets=small)
    earned = [Name(match, "strong"), Name(other, "strong"), Name(other, "weak"), Name(other, "strong")]
    graded = dict(zip([child.name for child in children], [*earned, Name(other, "strong")], strict=True))
    numbers = importlib.import_module("interpret.report.numbers")
    monkeypatch.setattr(numbers, "grade_pattern", lambda motifs, part: graded[part.name])
    motifs = replace(asked, patterns=(replace(pattern, subpatterns=tuple(children)),))
    assert within(motifs, 0, Name(match, "strong")) == ["OTHER"]
    assert within(motifs, 0, Name(match, "weak")) == [match.motif.name, "OTHER"]
    assert within(motifs, 0, Name(other, "strong")) == [match.motif.name]


def test_the_order_is_by_strength_times_frequency(asked):
    """Effects 2, unmeasured (then its mean contribution, here 3), -1.5; in 30, 10 and 50% of regions: .6, .3, .75."""
    rows = [row_of(asked, i, NAMELESS) for i in range(3)]
    rows[1] = replace(rows[1], contribution=3.0)
    rows = [replace(row, frequency=share) for row, share in zip(rows, (0.3, 0.1, 0.5), strict=True)]
    assert [row.drive for row in rows] == pytest.approx([0.6, 0.3, 0.75]) and order_of(rows) == [2, 0, 1]


def test_frequency_is_of_hits_or_else_of_seqlets(asked):
    row = row_of(asked, 0, NAMELESS)
    hits = asked.hits.sequence[asked.hits.pattern == 0]
    assert row.frequency == len(set(hits.tolist())) / 360 and row.with_hits == len(set(hits.tolist()))
    row = row_of(replace(asked, hits=None), 0, NAMELESS)
    assert row.frequency == len(set(asked.patterns[0].seqlets.sequence.tolist())) / 360 and row.with_hits is None


def test_only_a_graded_match_turns_a_pattern(asked):
    match = replace(asked.matches[asked.patterns[0].name][0], reverse=True)
    for grade, turned in (("strong", True), ("weak", True), ("none", False)):
        row = row_of(asked, 0, Name(match, grade))
        assert row.turned is turned and (row.shown is match) is turned
    assert not row_of(asked, 0, Name(replace(match, reverse=False), "strong")).turned


def test_poly_a_is_shown_as_a(asked):
    """Whichever strand TF-MoDISco took; a repeat that reads alike on both stays."""
    for columns, composition, turned in (
        ([T] * 8, "low complexity: poly-A", True),
        ([A] * 8, "low complexity: poly-A", False),
        ([G] * 8, "low complexity: poly-C", True),
        ([T, A] * 4, "low complexity: TA repeat", False),
        ([C, G] * 4, "composition only: CG-rich", False),
    ):
        one = replace(asked, patterns=(with_core(asked.patterns[0], columns),))
        assert row_of(one, 0, Name(None, "none", (), composition)).turned is turned
