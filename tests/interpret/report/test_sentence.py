"""The one sentence: right English for no, one, two and many names, of either direction, earned or not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interpret.motifs.databases import KnownMotif, Match
from interpret.motifs.explained import Explained, ExplainedSign
from interpret.motifs.grades import Name
from interpret.report.numbers import row_of
from interpret.report.sentence import listed, percent, plain_name, sentence


def match(name):
    return Match(KnownMotif("id", name, np.full((4, 4), 0.25)), 1e-9, 1e-6, 0, 4, False)


def strong(name):
    return Name(match(name), "strong")


WEAK = Name(match("PPR1"), "weak", ("3.6 bits",))
NONE = Name(None, "none", ("no known motif was compared",))
POLY = Name(match("AZF1"), "none", (), "low complexity: poly-A")
FAINT = Name(match("ZNF1"), "none", (), "composition only: no base stands out")
REPEAT = Name(match("TBP"), "none", (), "low complexity: TA repeat")
RICH = Name(match("PPR1"), "none", (), "composition only: CG-rich")


@pytest.fixture
def say(asked):
    """The sentence of patterns given as (+ or -, name), the strongest first."""

    def made(*given, shares=None, called="binding"):
        patterns, rows = [], []
        for i, (sign, name) in enumerate(given):
            group = "pos" if sign == "+" else "neg"
            patterns.append(replace(asked.patterns[0], name=f"{group}_patterns.pattern_{i}"))
            row = row_of(replace(asked, effects=None), 0, name)
            rows.append(replace(row, contribution=100.0 - i, frequency=0.5))
        held = None
        if shares is not None:
            sides = [
                ExplainedSign(
                    1.0,
                    0.5,
                    np.array([s if (g[0] == "+") == up else 0.0 for s, g in zip(shares, given, strict=True)]),
                    1,
                    1,
                )
                for up in (True, False)
            ]
            held = Explained(*sides, 0.1, None, None, "", ())
        return sentence(replace(asked, patterns=tuple(patterns), explained=held), rows, called)

    return made


@pytest.mark.parametrize(
    "given, shares, expected",
    [
        ([("+", strong("CTCF"))], [0.36],
         "CTCF raises binding; its instances hold 36% of positive contribution."),
        ([("+", strong("ABF1")), ("+", strong("REB1"))], None, "ABF1 and REB1 raise binding."),
        (
            [("+", strong("ABF1")), ("+", strong("REB1")), ("+", replace(WEAK, match=match("TATA")))],
            [0.2, 0.1, 0.06],
            "ABF1, REB1 and a motif like TATA raise binding; their instances hold 36% of positive contribution.",
        ),
        ([("-", strong("MCM1"))], [0.12],
         "MCM1 lowers binding; its instances hold 12% of negative contribution."),
        (
            [("+", strong("ABF1")), ("-", strong("MCM1"))],
            [0.3, 0.002],
            "ABF1 raises binding, and MCM1 lowers it; their instances hold 30% of positive contribution and "
            "less than 1% of negative contribution.",
        ),
        ([("+", WEAK)], None, "A motif like PPR1 raises binding; it earns no known motif's name."),
        (
            [("+", WEAK), ("+", NONE), ("+", NONE)],
            None,
            "A motif like PPR1 and two unnamed motifs raise binding; none earns the name of a known motif.",
        ),
        (
            [("+", NONE), ("+", NONE)],
            None,
            "Two unnamed motifs raise binding; none earns the name of a known motif.",
        ),
        (
            [("+", strong("ABF1")), ("+", POLY), ("+", RICH)],
            None,
            "ABF1, poly-A and CG-rich sequence raise binding.",
        ),
        ([("+", POLY)], None, "Poly-A raises binding; it earns no known motif's name."),
        ([("+", strong("ABF1")), ("+", strong("ABF1"))], [0.2, 0.1],
         "ABF1 raises binding; its instances hold 30% of positive contribution."),
        ([], None,
         "TF-MoDISco found no pattern in 360 regions, so nothing here names what drives binding."),
    ],
)  # fmt: skip
def test_the_sentence(say, given, shares, expected):
    assert say(*given, shares=shares) == expected


def test_what_ranks_low_is_said_only_if_it_earned_a_name(say):
    """Earned names come first, beside the three strongest whatever they are called; five in all."""
    others = [("+", strong(name)) for name in "ABCDEF"]
    assert say(("+", WEAK), *others).startswith("A, B, C, D and a motif like PPR1 raise")
    assert say(("+", NONE), others[0], ("+", POLY), others[1]).startswith("A, B, an unnamed motif and poly-A raise")
    assert say(*others[:3], ("+", NONE), ("+", WEAK), others[3]).startswith("A, B, C and D raise")


def test_a_name_that_begins_small_stays_as_it_is(say):
    assert say(("+", strong("nub")), called="the predicted score") == "nub raises the predicted score."


@pytest.mark.parametrize(
    "share, text",
    [(0, "0%"), (0.001, "less than 1%"), (0.006, "1%"), (0.364, "36%"), (0.999, "more than 99%"), (1, "100%"),
     (-0.07, "\N{MINUS SIGN}7%")],
)  # fmt: skip
def test_percent(share, text):
    assert percent(share) == text


def test_lists_of_words():
    assert [listed(list("abc"[:n])) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


def test_names_of_subpatterns_are_said_as_such(asked):
    rows = [row_of(replace(asked, effects=None), 0, WEAK), row_of(replace(asked, effects=None), 1, strong("ABF1"))]
    rows = [replace(rows[0], holds=("REB1",), contribution=1.0), replace(rows[1], contribution=2.0)]
    rows = [replace(row, frequency=0.5) for row in rows]
    patterns = tuple(asked.patterns[:2])
    said = sentence(replace(asked, patterns=patterns, explained=None), rows, "binding")
    assert said == "ABF1 and a motif that includes REB1 raise binding."


def test_what_includes_a_name_stands_last(asked):
    """Else "a motif that includes REB1 and an unnamed motif" says that REB1's motif includes both."""
    bare = replace(asked, effects=None, explained=None)
    rows = [row_of(bare, 0, NONE), row_of(bare, 1, NONE), row_of(bare, 1, strong("ABF1")), row_of(bare, 1, NONE)]
    rows = [
        replace(row, contribution=1.0, frequency=0.5, holds=holds)
        for row, holds in zip(rows, [("REB1",), (), (), ("RSC3", "STB3")], strict=True)
    ]
    patterns = (asked.patterns[0], *[asked.patterns[1]] * 3)
    assert sentence(replace(bare, patterns=patterns), rows, "binding") == (
        "ABF1, an unnamed motif, a motif that includes REB1 and a motif that includes RSC3 and STB3 raise binding."
    )


def test_names_by_themselves(say):
    said = [plain_name(name) for name in (strong("ABF1"), WEAK, NONE, POLY, RICH, REPEAT, FAINT)]
    assert said == [
        "ABF1",
        "a motif like PPR1",
        "an unnamed motif",
        "poly-A",
        "CG-rich sequence",
        "TA repeat",
        "a faint motif",
    ]
    assert say(("+", FAINT), ("+", FAINT)).startswith("Two faint motifs raise binding")
