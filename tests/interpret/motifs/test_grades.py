"""What a pattern may be called: each condition of the rule by a pattern that lacks it, and limits measured again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interpret.motifs.databases import KnownMotif, Match, open_database
from interpret.motifs.exports import hits_bed, meme, motifs_tsv, seqlets_bed
from interpret.motifs.grades import RULE, composition_of, grade_pattern, grade_patterns
from interpret.motifs.pattern import Effect, Pattern, information

LETTERS = "ACGT"


def matrix(bases, certain=0.94):
    """Columns of (W, 4) with so much of each base, N without any."""
    rest = (1 - certain) / 3
    return np.array(
        [[certain if b == base else rest for b in LETTERS] if base != "N" else [0.25] * 4 for base in bases]
    )


def pattern_of(core, name="pos_patterns.pattern_0", sign=1):
    core = np.asarray(core, float)
    return Pattern(name, core, sign * (core - 0.25), core, (0, len(core)), None)


def names(motifs):
    return {name.match.motif.name: name for name in grade_patterns(motifs) if name.match}


@pytest.fixture
def abf1(found):
    """The planted file with ABF1 as its only pattern; effects that raise, clear enrichment."""
    index = next(i for i, p in enumerate(found.patterns) if found.matches[p.name][0].motif.name == "ABF1")
    pattern = found.patterns[index]
    enrichment = replace(
        found.enrichment, **{k: v[index : index + 1] for k, v in vars(found.enrichment).items() if np.ndim(v)}
    )
    effects = {pattern.name: Effect("ACGT", np.array([1.0, 1.1, 0.9, 1.2], np.float32))}
    return replace(found, patterns=(pattern,), enrichment=enrichment, effects=effects)


def graded(motifs, **changes):
    """The only pattern's name where its best match has these changes."""
    (pattern,) = motifs.patterns
    best, *others = motifs.matches[pattern.name]
    best = replace(best, **{"q": 1e-3} | changes)
    return grade_pattern(replace(motifs, matches={pattern.name: [best, *others]}), pattern)


def test_planted_factors_earn_their_names(found):
    known = names(found)
    assert known["ABF1"].grade == "strong" and known["ABF1"].label == "ABF1" and known["ABF1"].reasons == ()
    assert known["ABF1"].not_asked == ("the effect was not measured",)


@pytest.mark.parametrize(
    ("changes", "grade", "words"),
    [
        ({}, "strong", None),
        ({"q": 0.04}, "strong", None),
        ({"q": 0.06}, "none", "shuffled columns fit as well"),
        ({"overlap": 4}, "weak", "4 columns lie on each other"),
        ({"offset": 10}, "weak", "of the pattern's bits"),
        ({"offset": 12}, "none", "what matches is composition only"),
        ({"offset": -60}, "none", "no column"),
    ],
)
def test_each_condition_of_a_match(abf1, changes, grade, words):
    name = graded(abf1, **changes)
    assert name.grade == grade and name.known == (grade == "strong")
    assert (words is None and name.reasons == ()) or any(words in reason for reason in name.reasons)
    label = {"strong": "ABF1", "weak": "resembles ABF1", "none": None}[grade]
    assert name.label == label and (name.short_label is None) == (grade != "strong")


def test_bases_as_frequent_in_shuffles_and_an_effect_that_is_none(abf1):
    (pattern,) = abf1.patterns
    usual = replace(abf1, enrichment=replace(abf1.enrichment, q=np.array([0.85])))
    assert graded(usual, q=0.005).grade == "weak"
    assert "in shuffled sequences, q 0.85" in graded(usual, q=0.005).reasons[0]
    assert graded(usual, q=1e-5).grade == "strong", "so near a match is not asked"
    for values in ([0.1, -0.1, 0.2, -0.2], [-1.0, -1.1, -0.9, -1.2]):
        idle = replace(abf1, effects={pattern.name: Effect("ACGT", np.array(values, np.float32))})
        assert graded(idle).grade == "weak" and "does not raise the prediction" in graded(idle).reasons[0]
    once = replace(abf1, effects={pattern.name: Effect("ACGT", np.array([-1.0], np.float32))})
    assert graded(once).grade == "strong", "one background has no error"


def test_what_was_not_measured_is_said(abf1):
    (pattern,) = abf1.patterns
    name = graded(replace(abf1, enrichment=None, effects=None))
    assert name.grade == "strong" and name.not_asked == ("enrichment was not measured", "the effect was not measured")
    assert grade_pattern(replace(abf1, matches={pattern.name: []}), pattern).reasons == ("no known motif was compared",)


def test_columns_that_lower_give_no_name_to_a_pattern_that_raises(abf1):
    (pattern,) = abf1.patterns
    other = replace(abf1, patterns=(replace(pattern, contribution=-pattern.contribution),))
    assert graded(other).grade == "weak"
    assert "the columns of the known motif lower the prediction" in graded(other).reasons


def test_paralogues_that_fit_as_well_are_named(abf1):
    (pattern,) = abf1.patterns
    best = replace(abf1.matches[pattern.name][0], p=1e-10, q=1e-8)

    def like(name, p, q=1e-6):
        return replace(best, motif=KnownMotif("M", name, best.motif.probability), p=p, q=q)

    others = [like("JUN", 1e-9), like("abf1", 1e-9), like("JUNB", 1e-8), like("JUN", 1e-9), like("FAR", 1e-7)]
    name = grade_pattern(replace(abf1, matches={pattern.name: [best, *others]}), pattern)
    assert name.as_close == ("JUN", "JUNB"), "1e-8 is 1e-10 to the power of 0.8; a name stands once"
    assert name.long_label == "ABF1 (and 2 more as close)" and name.short_label == "ABF1+2"
    one = grade_pattern(replace(abf1, matches={pattern.name: [best, others[0]]}), pattern)
    assert one.long_label == "ABF1 (and JUN as close)"


@pytest.mark.parametrize(
    ("core", "words"),
    [
        (matrix("AAAAAAAA"), "low complexity: poly-A"),
        (matrix("TTTTTTT", 0.85), "low complexity: poly-A"),
        (matrix("GGGGGGG"), "low complexity: poly-C"),
        (matrix("TATATATATA"), "low complexity: TA repeat"),
        (matrix("CACACACACAC", 0.9), "low complexity: CA repeat"),
        (np.full((8, 4), 0.25), "composition only: no base stands out"),
        (np.tile([0.1, 0.4, 0.4, 0.1], (20, 1)), "composition only: CG-rich"),
        (np.tile([0.35, 0.15, 0.15, 0.35], (20, 1)), "composition only: AT-rich"),
        (np.tile([0.65, 0.1, 0.15, 0.1], (6, 1)), "composition only: A-rich"),
        (matrix("NNCANN"), "composition only: no base stands out"),
        (matrix("TTACCCG"), None),
        (matrix("CGTNNNNNNNGA"), None),
        (matrix("TGACTCA"), None),
        (matrix("GGGGCGGGGC"), None),
        (matrix("TATAAATA"), None),
        (matrix("CACGTG"), None),
    ],
)
def test_low_complexity_and_composition(core, words):
    assert composition_of(pattern_of(core)) == words


def trimmed(known):
    bits = information(known)
    clear = np.flatnonzero(bits >= 0.2 * bits.max())
    return known[clear[0] : clear[-1] + 1]


@pytest.mark.parametrize(
    "choice", [pytest.param("jaspar", marks=pytest.mark.long), "jaspar:vertebrates", "jaspar:fungi", "hocomoco-v12"]
)
def test_few_known_motifs_are_taken_for_composition(choice):
    """The measurement behind the two limits: at most one known motif in 100 of either kind, repeats aside one in 50."""
    found = [composition_of(pattern_of(trimmed(motif.probability))) or "" for motif in open_database(choice).motifs]
    assert np.mean([text.startswith("composition") for text in found]) <= 0.01
    assert np.mean([text.startswith("low") for text in found]) <= 0.01


def test_noise_is_composition_only():
    rng = np.random.default_rng(0)
    for composition in ([0.25] * 4, [0.1, 0.4, 0.4, 0.1], [0.55, 0.15, 0.15, 0.15]):
        for width in (6, 10, 20):
            columns = [rng.dirichlet(np.array(composition) * 20, size=width) for _ in range(50)]
            found = [composition_of(pattern_of(core)) for core in columns]
            assert sum(text is None for text in found) <= 10, (composition, width)


def test_a_repeat_has_no_name(abf1):
    (pattern,) = abf1.patterns
    core = matrix("AAAAAAAAAA")
    repeat = replace(pattern, probability=core, contribution=core, core=(0, 10))
    match = Match(KnownMotif("M", "AZF1", core), 1e-12, 1e-10, 0, 10, False)
    name = grade_pattern(replace(abf1, patterns=(repeat,), matches={pattern.name: [match]}), repeat)
    assert (name.grade, name.label) == ("none", None) and name.composition == "low complexity: poly-A"
    assert name.reasons == ("what matches is low complexity: poly-A",)


def test_a_weak_name_labels_nothing_in_the_files(abf1):
    (pattern,) = abf1.patterns
    best, *others = abf1.matches[pattern.name]
    idle = {pattern.name: Effect("ACGT", np.array([0.1, -0.1], np.float32))}
    for weak, label in ((False, None), (True, pattern.name)):
        motifs = replace(abf1, hits=None, matches={pattern.name: [replace(best, q=1e-3), *others]})
        motifs = replace(motifs, effects=idle) if weak else motifs
        label = label or grade_patterns(motifs)[0].short_label
        rows = [line.split("\t") for line in seqlets_bed(motifs)][1:]
        assert {row[3] for row in rows} == {label} and {row[-1] for row in rows} == {f"{pattern.name}\n"}
        second = next(line for line in meme(motifs) if "MOTIF" in line).split()[2]
        assert second == (pattern.consensus if weak else label)
        header, row = (line.rstrip("\n").split("\t") for line in motifs_tsv(motifs))
        cells = dict(zip(header, row, strict=True))
        assert cells["grade"] == ("weak" if weak else "strong") and cells["best_match"] == "ABF1"
        assert (cells["reasons"] == ".") != weak
    assert list(hits_bed(motifs)) == [
        "#chrom\tstart\tend\tname\tscore\tstrand\tcontribution\tsimilarity\tmatch\tregion\tpattern\n"
    ]


def test_the_rule_says_its_limits():
    for word in ("6 bits", "0.05", "2 standard errors", "85%", "5 bits"):
        assert word in RULE
