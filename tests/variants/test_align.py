"""Profiles of ALT in the bins of the reference: against labelled bases, SpliceAI's own steps, and by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest

from zoo.errors import InputError
from zoo.variants.alleles.allele import Edit
from zoo.variants.windows.align import Bins, Profile, align_bases, align_bins, common_bins, moved_to, turned
from zoo.variants.windows.changes import Changes


def labelled(edits, size):
    """The other string, base by base: a position of the reference, or (position, i) of an inserted base."""
    by_start = {edit.start: edit for edit in edits}
    labels, at = [], 0
    while at < size:
        edit = by_start.get(at)
        if edit is None:
            labels.append(at)
            at += 1
            continue
        pairs = min(len(edit.ref), len(edit.alt))
        labels += [at + i for i in range(pairs)]
        labels += [(at + len(edit.ref) - 1, i) for i in range(len(edit.alt) - pairs)]
        at += len(edit.ref)
    return labels


def some_edits(rng, size, n):
    """Edits that lie apart; alleles of a base or more, whose first bases differ but in insertions and deletions."""
    edits, at = [], rng.randrange(3, 20)
    for _ in range(n):
        r, a = rng.randint(1, 9), rng.randint(1, 9)
        edits.append(Edit(at, "A" + "C" * (r - 1), ("A" if 1 in (r, a) and r != a else "G") + "G" * (a - 1)))
        at += r + rng.randint(1, 12)
    return [edit for edit in edits if edit.end < size - 3]


@pytest.mark.parametrize("seed", range(60))
def test_single_bases_go_where_labels_say(seed):
    rng = random.Random(seed)
    size = 120
    edits = some_edits(rng, size, rng.randint(1, 4))
    changes = Changes(rng.sample(edits, len(edits)))
    labels = labelled(edits, size)
    assert changes.delta == len(labels) - size
    first, n, phase = rng.randint(0, 10), 90, rng.choice(changes.phases)
    level = {label: rng.random() for label in [*range(size + 20), *labels]}
    track = [level[label] for label in labels] + [0.5] * 60
    low = first + phase
    values = np.array([[track[i] if i >= 0 else 0.25 for i in range(low, low + n)]], dtype=np.float32)
    inside = {labels[i] for i in range(max(low, 0), min(low + n, len(labels)))}
    for zero in (True, False):
        found = align_bases(Bins(first, 1, n), changes, values, phase, zero)
        for j, at in enumerate(range(first, first + n)):
            if at in inside:
                folded = [label for label in inside if isinstance(label, tuple) and label[0] == at]
                assert found.values[0, j] == np.float32(max(level[label] for label in [at, *folded]))
                assert found.shared[j]
            elif at in labels or not zero:
                assert not found.shared[j]
            else:
                assert found.values[0, j] == 0
                assert found.shared[j]


def spliceai(y_alt, middle, ref_len, alt_len):
    """How SpliceAI 1.3.1 puts (n, 3) of ALT beside those of the reference (utils.get_delta_scores)."""
    if ref_len > 1 and alt_len == 1:
        gap = np.zeros((ref_len - alt_len, 3), np.float32)
        return np.concatenate([y_alt[: middle + alt_len], gap, y_alt[middle + alt_len :]])
    if ref_len == 1 and alt_len > 1:
        folded = y_alt[middle : middle + alt_len].max(axis=0)[None]
        return np.concatenate([y_alt[:middle], folded, y_alt[middle + alt_len :]])
    return y_alt


@pytest.mark.parametrize(("ref_len", "alt_len"), [(1, 1), (2, 1), (30, 1), (1, 2), (1, 30)])
def test_single_bases_of_probabilities_go_where_spliceai_puts_them(ref_len, alt_len):
    covered, middle = 101, 50
    y = np.random.default_rng(ref_len + alt_len).random((200, 3), dtype=np.float32)  # of ALT, from the first bin on
    wanted = spliceai(y[: covered - ref_len + alt_len], middle, ref_len, alt_len)
    edit = Edit(1_000, "A" + "C" * (ref_len - 1), ("A" if ref_len != alt_len else "G") + "G" * (alt_len - 1))
    found = align_bases(Bins(1_000 - middle, 1, covered), Changes([edit]), y[:covered].T, 0, zero=True)
    n = int(found.shared.sum())
    assert n == min(covered, covered + ref_len - alt_len)
    assert np.array_equal(found.values[:, :n].T, wanted[:n])


BINS = Bins(1_000, 4, 6)  # 1000, 1004, 1008, 1012, 1016, 1020
LEFT = np.array([[10, 11, 12, 13, 14, 15]], dtype=np.float32)
RIGHT = LEFT + 100


def in_bins(edit, zero=False, left=LEFT, right=RIGHT):
    changes = Changes([edit])
    found = align_bins(BINS, changes, {0: left, changes.delta: right}, zero)
    return [value if ok else None for value, ok in zip(found.values[0].tolist(), found.shared, strict=True)]


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        # Deleted within a bin: the mean of both windows there.
        (Edit(1_008, "ACG", "A"), [10, 11, 62, 113, 114, 115]),
        # The last base of a bin and the first of the next: each from its side.
        (Edit(1_010, "ACG", "A"), [10, 11, 12, 113, 114, 115]),
        # A bin and a bit: gone, and no value.
        (Edit(1_007, "ACGTAC", "A"), [10, 11, None, 113, 114, 115]),
        # A deletion that ends with its bin, and one that begins with it.
        (Edit(1_008, "ACGT", "A"), [10, 11, 12, 113, 114, 115]),
        (Edit(1_007, "ACGT", "A"), [10, 11, 112, 113, 114, 115]),
        # One base inside a bin, where both windows have it; behind its last base, where only the right one has.
        (Edit(1_008, "A", "AC"), [10, 11, 62, 113, 114, 115]),
        (Edit(1_010, "A", "AC"), [10, 11, 62, 113, 114, 115]),
        (Edit(1_011, "A", "AC"), [10, 11, 112, 113, 114, 115]),
        # Two bases behind the first of a bin: the left window's bin has both, the right one's has one.
        (Edit(1_008, "A", "ACC"), [10, 11, 12, 113, 114, 115]),
        # Nine bases behind 1009: left bins 1008 to 1016, of which 1012 and 1016 are inserted for more than half.
        (Edit(1_009, "A", "ACCCCCCCCC"), [10, 11, 112, 113, 114, 115]),
        # A mixture pairs its first bases: TA for CGGT is no change of phase before the third.
        (Edit(1_006, "CGGT", "TA"), [10, 11, 112, 113, 114, 115]),
        (Edit(1_009, "CGGT", "TA"), [10, 11, 12, 113, 114, 115]),
    ],
)
def test_wide_bins_by_hand(edit, wanted):
    assert in_bins(edit) == wanted


def test_what_comes_before_the_first_base_of_a_chromosome():
    """There an indel is written with the base behind it (VCF): inserted bases fold into that, a deletion leaves it."""
    bins, values = Bins(-2, 1, 5), np.array([[1, 2, 30, 40, 50]], dtype=np.float32)  # of ALT: -2, -1, 0, 1, 2
    inserted = align_bases(bins, Changes([Edit(0, "A", "GGA")]), values, 0, zero=False)
    assert inserted.values.tolist() == [[1, 2, 50, 0, 0]]
    assert inserted.shared.tolist() == [True, True, True, False, False]
    deleted = align_bases(bins, Changes([Edit(0, "TA", "A")]), values, 0, zero=False)
    assert deleted.values.tolist() == [[1, 2, 0, 30, 40]]
    assert deleted.shared.tolist() == [True, True, False, True, True]


def test_a_bin_that_is_gone_is_zero_of_a_probability():
    assert in_bins(Edit(1_007, "ACGTAC", "A"), zero=True) == [10, 11, 0, 113, 114, 115]


def test_bins_that_are_inserted_fold_by_their_maximum():
    left = np.array([[10, 11, 12, 99, 14, 15]], dtype=np.float32)  # bin 1012 of the left window is all inserted
    right = np.array([[10, 11, 12, 13, 14, 15]], dtype=np.float32)
    assert in_bins(Edit(1_009, "A", "ACCCCCCCCC"), left=left, right=right) == [10, 11, 99, 13, 14, 15]
    # The same in a bin that has a base beside the insertion, hence is no more than half inserted: not folded.
    left = np.array([[10, 11, 12, 13, 99, 15]], dtype=np.float32)
    assert in_bins(Edit(1_011, "A", "ACCCCC"), left=left, right=right)[2] == 13  # inserted: 1012 to 1017 of ALT


@pytest.mark.parametrize("seed", range(30))
def test_bins_of_one_base_follow_the_rule_of_single_bases(seed):
    rng = random.Random(seed)
    edits = some_edits(rng, 100, 1)
    changes = Changes(edits)
    track = np.random.default_rng(seed).random((2, 160), dtype=np.float32)  # along ALT, from -20 on
    bins = Bins(10, 1, 60)
    values = {phase: track[:, 30 + phase : 90 + phase] for phase in changes.phases}
    for zero in (True, False):
        wide = align_bins(bins, changes, values, zero)
        for phase in changes.phases:
            single = align_bases(bins, changes, values[phase], phase, zero)
            assert np.array_equal(wide.values[:, single.shared], single.values[:, single.shared])
            assert not (single.shared & ~wide.shared).any()


def test_several_changes_have_a_phase_each():
    """A deletion of 2 bp and an insertion of 5 bp: between them bins come from the window that is in phase there."""
    changes = Changes([Edit(1_017, "A", "ACCCCC"), Edit(1_005, "ACG", "A")])
    assert changes.phases == (0, -2, 3)
    values = {phase: LEFT + i * 100 for i, phase in enumerate(changes.phases)}
    found = align_bins(BINS, changes, values, zero=False)
    # What is left of 1004 is on the left; 1008 and 1012 are the middle window's. The insertion fills 1016 to 1020 of
    # ALT: of 1016 the maximum of both windows' bins there (114, 214) and of those inserted for three bases (115, 213).
    assert found.values[0].tolist() == [10, 11, 112, 113, 214, 215]


@pytest.mark.parametrize("seed", range(20))
def test_the_other_string_is_the_edits_from_right_to_left(seed):
    rng = random.Random(seed)
    text = "".join(rng.choices("ACGT", k=100))
    edits = some_edits(rng, 100, 4)
    wanted = text
    for edit in sorted(edits, key=lambda edit: -edit.start):
        wanted = wanted[: edit.start] + edit.alt + wanted[edit.end :]
        text = text[: edit.start] + edit.ref + text[edit.end :]
    assert Changes(edits).apply(text.encode(), 0).decode() == wanted
    assert Changes(edits).apply(text[3:].encode(), 3).decode() == wanted[3:]


def test_an_insertion_behind_a_substituted_base_is_no_overlap():
    apart = Changes([Edit(5, "A", "G"), Edit(5, "A", "ATT")])
    assert apart.apply(b"CCCCCACC", 0) == b"CCCCCGTTCC"
    assert apart.delta == 2


def test_changes_that_touch_are_one():
    """Two deletions that together take a bin away; an insertion behind a deletion, whose base before it is gone."""
    taken = Changes([Edit(1_003, "ACG", "A"), Edit(1_005, "GTT", "G")])
    found = align_bins(BINS, taken, {0: LEFT, -4: RIGHT}, zero=False)
    assert found.shared.tolist() == [True, False, True, True, True, True]
    replaced = Changes([Edit(3, "ACG", "A"), Edit(5, "G", "GTTT")])
    assert replaced.apply(b"CCCACGCC", 0) == b"CCCATTTCC"
    values = np.arange(8, dtype=np.float32)[None]
    assert align_bases(Bins(0, 1, 8), replaced, values, 0, zero=False).values.tolist() == [[0, 1, 2, 3, 4, 6, 7, 0]]


def test_changes_of_one_base_are_refused():
    for one, other in [
        (Edit(5, "A", "G"), Edit(5, "A", "C")),
        (Edit(5, "ACG", "A"), Edit(7, "G", "T")),
        (Edit(5, "A", "AG"), Edit(5, "A", "AC")),
        (Edit(5, "ACG", "A"), Edit(6, "C", "CTT")),
        (Edit(5, "A", "G"), Edit(5, "A", "G")),
    ]:
        for edits in ([one, other], [other, one]):
            with pytest.raises(InputError) as caught:
                Changes(edits)
            assert "two changes of the same bases" in caught.value.what


@pytest.mark.parametrize("shift", [-64, -33, -32, -8, -1, 0, 1, 8, 31, 32, 40])
def test_moved_windows_are_brought_back_by_overlap(shift):
    """A track that is constant over each of its bins, against the mean over the bases of each wanted bin."""
    bins = Bins(500 + shift, 32, 12)
    values = np.random.default_rng(0).integers(0, 99, (2, 12)).astype(np.float32)
    shared = np.arange(12) != 4
    wanted = common_bins(Bins(500, 32, 12), (0, shift))
    assert wanted.n == 12 - -(-abs(shift) // 32)
    assert wanted.first == 500 + (-(-max(shift, 0) // 32)) * 32
    found = moved_to(wanted, bins, Profile(values, shared))
    bases, known = np.repeat(values, 32, axis=1), np.repeat(shared, 32)
    for j in range(wanted.n):
        at = wanted.first + j * 32 - bins.first
        assert found.values[:, j] == pytest.approx(bases[:, at : at + 32].mean(axis=1), rel=1e-6)
        assert found.shared[j] == known[at : at + 32].all()


def test_windows_that_are_moved_too_far_have_nothing_in_common():
    assert common_bins(Bins(0, 4, 5), (-12, 8)).n == 0
    assert common_bins(Bins(0, 4, 5), (-8, 8)) == Bins(8, 4, 1)


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize("seed", range(20))
def test_of_two_tracks_that_exclude_each_other_one_stays_what_the_other_leaves(seed, size):
    rng = random.Random(seed)
    changes = Changes(some_edits(rng, 120, rng.randint(1, 3)))
    bins = Bins(rng.randint(0, 3), size, 96 // size)
    drawn = np.random.default_rng(seed).integers(0, 65, (len(changes.phases), bins.n)) / 64  # exact in float32
    values = {p: np.stack([1 - one, one]).astype(np.float32) for p, one in zip(changes.phases, drawn, strict=True)}

    def align(given):
        if size > 1:
            return align_bins(bins, changes, given, zero=True)
        return align_bases(bins, changes, given[0], 0, zero=True)

    found = turned(align, bins, changes, values, np.array([True, False]))
    site = align({phase: one[1:] for phase, one in values.items()})
    assert found.shared.tolist() == site.shared.tolist()
    assert (found.values[1] == site.values[0]).all()
    assert (found.values[0] == 1 - found.values[1])[found.shared].all()
