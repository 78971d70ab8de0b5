"""Too few regions for TF-MoDISco: what is said before the work, against what TF-MoDISco then finds."""

from __future__ import annotations

import numpy as np
import pytest

from interpret.motifs.discover import modisco_options, too_few

HARD = "it will find no motif"
SOFT = "it may find no motif"


def seqlets_of(scores, **options):
    """How many seqlets modisco-lite itself takes from (N, W) contributions."""
    from modiscolite.extract_seqlets import extract_seqlets

    chosen = modisco_options() | options
    size, flank = chosen["sliding_window_size"], chosen["flank_size"]
    names = ("target_seqlet_fdr", "min_passing_windows_frac", "max_passing_windows_frac")
    found, _ = extract_seqlets(
        np.asarray(scores, np.float32),
        size,
        flank,
        int(0.5 * size) + flank,
        *(chosen[name] for name in names),
        chosen["weak_threshold_for_counting_sign"],
    )
    return len(found)


@pytest.mark.parametrize(("regions", "window"), [(1, 100), (3, 60), (10, 200), (5, 500), (40, 31)])
def test_no_file_of_contributions_has_more_seqlets_than_is_said(regions, window):
    """Of contributions that stand out everywhere; the sentence's number is a limit that they come near to."""
    note = too_few(regions, window, {"min_metacluster_size": 10**6})
    most = int(note.split("cannot hold more than ")[1].split(":")[0].replace(",", ""))
    rng = np.random.default_rng(0)
    counts = [
        seqlets_of(rng.laplace(0, 1, (regions, window)), max_passing_windows_frac=1.0, min_passing_windows_frac=0.99)
        for _ in range(5)
    ]
    assert 0 < max(counts) <= most <= 2.5 * max(counts)


@pytest.mark.parametrize("window", [100, 200, 500])
def test_sparse_contributions_give_about_what_is_said(window):
    """One peak of 15 bp in a region of noise a thousandth as high, as of a model that knows one motif."""
    rng = np.random.default_rng(1)
    regions = 40
    scores = rng.normal(0, 1e-3, (regions, window))
    for row, at in zip(scores, rng.integers(25, window - 40, regions), strict=True):
        row[at : at + 15] += 1
    note = too_few(regions, window, {"min_metacluster_size": 150})
    said = int(note.split("as few as ")[1].split(":")[0])
    assert said / 2 < seqlets_of(scores) < 4 * max(said, regions)


@pytest.mark.parametrize(
    ("regions", "window", "kind"),
    [
        (1, 1280, HARD),  # at most 79
        (3, 500, HARD),  # at most 87
        (10, 100, HARD),  # at most 50
        (30, 500, SOFT),
        (97, 500, None),
        (84, 500, None),
        (83, 500, SOFT),
        (278, 500, None),
        (100, 160, SOFT),
        (360, 160, None),
        (20, 2114, None),
        (5000, 500, None),
    ],
)
def test_what_is_said(regions, window, kind):
    note = too_few(regions, window, {})
    assert note is None if kind is None else kind in note
    if note:
        assert f"{regions} region" in note and f"of {window:,} bp" in note
        enough = int(note.split("; ")[1].split(" regions")[0].replace(",", ""))
        assert too_few(enough, window, {}) is None and too_few(enough - 1, window, {}) is not None


def test_options_of_modisco_count():
    assert too_few(30, 500, {"min_metacluster_size": 20}) is None
    assert "more than 20 seqlets" in too_few(10, 500, {"min_metacluster_size": 20})
    assert too_few(30, 500, {"min_passing_windows_frac": 0.2}) is None


def test_one_region_is_one():
    assert "and 1 region of 500 bp cannot" in too_few(1, 500, {})


@pytest.mark.parametrize("window", [1, 10, 29, 30])
def test_windows_that_hold_no_seqlet_are_refused_elsewhere(window):
    assert too_few(5, window, {}) is None or window == 30
