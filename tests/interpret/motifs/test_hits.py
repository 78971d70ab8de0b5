"""Competition of hits against a plain loop, and enrichment on sequences counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from interpret.motifs.enrichment import find_enrichment
from interpret.motifs.hits import find_hits, winners
from interpret.motifs.pattern import Pattern, Seqlets


def one_by_one(sequence, start, end, score):
    """Take the best, drop what overlaps it, and so on."""
    kept = []
    for i in sorted(range(len(start)), key=lambda i: (-score[i], i)):
        if all(sequence[i] != sequence[j] or end[i] <= start[j] or start[i] >= end[j] for j in kept):
            kept.append(i)
    return sorted(kept)


@pytest.mark.parametrize("seed", range(3))
def test_winners_are_those_of_taking_the_best_one_by_one(seed):
    rng = np.random.default_rng(seed)
    n = 300
    sequence, start = rng.integers(0, 5, n), rng.integers(0, 80, n)
    end, score = start + rng.integers(1, 15, n), rng.integers(0, 40, n) / 8  # many ties
    assert winners(sequence, start, end, score, 100).tolist() == one_by_one(sequence, start, end, score)


def test_no_candidates():
    empty = np.empty(0, np.int64)
    assert len(winners(empty, empty, empty, empty, 10)) == 0


def pattern_of(text, where, name="pos_patterns.pattern_0", noise=0.0, seed=0):
    """A pattern of the bases of a text, with seqlets at (sequence, start, reverse)."""
    hot = np.eye(4)[["ACGT".index(base) for base in text]]
    sequence, start, reverse = (np.array(column) for column in zip(*where, strict=True))
    weights = hot * (1 + np.random.default_rng(seed).normal(0, noise, (len(text), 1)))
    ones = np.full(len(where), float(len(text)), np.float32)
    letters = np.repeat(hot.argmax(1)[None].astype(np.uint8), len(where), axis=0)
    seqlets = Seqlets(sequence, start, start + len(text), reverse.astype(bool), ones, ones, letters)
    return Pattern(name, hot, weights, weights, (0, len(text)), seqlets)


@pytest.fixture
def scene():
    """40 random sequences of 60 bp; GATTACAT at 20 in the even ones, its reverse complement in the odd ones."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 4, (40, 60))
    motif = np.array(["ACGT".index(base) for base in "GATTACAT"])
    code[::2, 20:28], code[1::2, 20:28] = motif, 3 - motif[::-1]
    one_hot = np.eye(4, dtype=np.uint8)[code].transpose(0, 2, 1)
    hypothetical = rng.normal(0, 0.01, (40, 4, 60)).astype(np.float32)
    hypothetical[:, :, 20:28] = 1
    return one_hot, hypothetical, [(i, 20, i % 2) for i in range(40)]


def test_hits_of_near_duplicates_are_counted_once(scene):
    one_hot, hypothetical, where = scene
    patterns = [
        pattern_of("GATTACAT", where),
        pattern_of("GATTACAT", where, "pos_patterns.pattern_1", 0.05, 1),
        pattern_of("ATTACA", [(i, 21, r) for i, _, r in where], "pos_patterns.pattern_2"),
    ]
    hits = find_hits(one_hot, hypothetical, patterns)
    assert hits.sequence.tolist() == list(range(40))
    assert set(hits.start.tolist()) == {20} and set(hits.end.tolist()) == {28}
    assert hits.reverse.tolist() == [bool(i % 2) for i in range(40)]


def test_positions_count_from_the_start_of_the_sequence(scene):
    one_hot, hypothetical, where = scene
    moved = [(i, start + 100, r) for i, start, r in where]
    hits = find_hits(one_hot, hypothetical, [pattern_of("GATTACAT", moved)], offset=100)
    assert set(hits.start.tolist()) == {120} and len(hits) == 40


def test_no_two_hits_share_a_base(found):
    hits = found.hits
    same = hits.sequence[1:] == hits.sequence[:-1]
    assert same.sum() > 100
    assert (hits.start[1:] >= hits.end[:-1])[same].all()


def test_enrichment_counts_what_is_there(scene):
    from scipy.stats import hypergeom

    one_hot, _, where = scene
    found = find_enrichment(one_hot, [pattern_of("GATTACAT", where)], seed=1)
    texts = ["".join("ACGT"[i] for i in sequence.argmax(0)) for sequence in one_hot]
    assert found.occurrences.tolist() == [sum(t.count("GATTACAT") + t.count("ATGTAATC") for t in texts)] == [40]
    assert found.with_one.tolist() == [40] and found.sequences == 40
    a, b = 40, int(found.shuffled_with_one[0])
    assert b < 5
    assert found.p[0] == pytest.approx(hypergeom.sf(a - 1, 80, a + b, 40))


def test_a_window_shorter_than_the_core_has_no_hit(scene):
    one_hot, hypothetical, _ = scene
    pattern = pattern_of("GATTACAT", [(0, 0, 0)])
    assert len(find_hits(one_hot[:, :, :5], hypothetical[:, :, :5], [pattern])) == 0
    assert find_enrichment(one_hot[:, :, :5], [pattern]).occurrences.tolist() == [0]


def test_the_tail_is_that_of_the_hypergeometric_distribution():
    """Against scipy's, also where both sets are nearly all of the sequences, or empty."""
    from scipy.stats import hypergeom

    from interpret.motifs.hits import _at_least

    rng = np.random.default_rng(0)
    for _ in range(200):
        n = int(rng.integers(1, 6000))
        ours, theirs = (int(rng.integers(0, n + 1)) for _ in range(2))
        both = int(rng.integers(0, min(ours, theirs) + 1))
        assert _at_least(both, n, ours, theirs) == pytest.approx(
            hypergeom.sf(both - 1, n, ours, theirs), rel=1e-8, abs=1e-250
        )
    assert _at_least(0, 5, 0, 3) == 1 and _at_least(3, 3, 3, 3) == 1 and _at_least(1, 4, 2, 0) == 0
