"""Partners and spacing on hits placed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from interpret.motifs.hits import Hits, partners


def hits_of(rows):
    """Hits of (pattern, sequence, start, reverse), each 10 bp."""
    rows = sorted(rows, key=lambda row: row[1])
    pattern, sequence, start, reverse = (np.array(column) for column in zip(*rows, strict=True))
    zeros = np.zeros(len(rows), np.float32)
    return Hits(pattern, sequence, start, start + 10, reverse.astype(bool), zeros, zeros, zeros)


def test_a_partner_33_bp_downstream_on_either_strand():
    rows = []
    for i in range(20):  # pattern 1 lies 33 bp downstream of pattern 0, in 20 of 100 sequences
        turned = i % 2
        rows += [(0, i, 100, turned), (1, i, 67 if turned else 133, 0)]
    rows += [(2, i, 50, 0) for i in range(0, 100, 5)]  # in every fifth sequence, whatever else is there
    (partner,), (back,), none = partners(hits_of(rows), 3, 100)
    assert (partner.pattern, partner.both, partner.expected) == (1, 20, pytest.approx(4.0))
    # The chance that 20 of 100 are the very same 20, times three pairs tested.
    assert partner.q == pytest.approx(3 / 535983370403809682970, rel=1e-6)
    assert partner.spacing.tolist() == [0] * 15 + [20] + [0] * 8  # 30 to 40 bp
    # Seen from the other, which is not turned: 33 bp upstream of ten, and downstream of as many.
    assert (back.pattern, back.both, back.q, none) == (0, 20, partner.q, [])
    assert back.spacing.tolist() == [0] * 8 + [10] + [0] * 6 + [10] + [0] * 8


def test_overlapping_hits_are_no_partners():
    rows = [(pattern, i, 100 + 3 * pattern, 0) for i in range(20) for pattern in (0, 1)]
    assert partners(hits_of(rows), 2, 100) == [[], []]


def test_a_partner_is_one_of_either():
    """Also where the one has weak partners only, and the other none besides: q once was each pattern's own."""
    draw = np.random.default_rng(3)
    rows = [(k, i, 40 * k, 0) for i in range(200) for k in range(6) if draw.random() < 0.3 + 0.4 * (i < 40)]
    found = partners(hits_of(rows), 6, 200)
    seen = {(i, partner.pattern, partner.q) for i, own in enumerate(found) for partner in own}
    assert seen and seen == {(j, i, q) for i, j, q in seen}
