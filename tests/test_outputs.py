"""Tracks chosen by name, glob, number, range and output."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.outputs import OutputSpec, choose_tracks, track_patterns

PROFILE = OutputSpec("profile", "profile", ("DNASE:K562", "DNASE:GM12878", "CHIP:CTCF", "3", "a/b"), 2, 4)
COUNTS = OutputSpec("counts", "scalar", ("plus", "minus"))
OUTPUTS = (PROFILE, COUNTS)


def chosen(*patterns):
    return {spec.name: list(spec.tracks) for spec in choose_tracks(OUTPUTS, patterns).outputs}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], {"profile": list(PROFILE.tracks), "counts": ["plus", "minus"]}),
        (["CHIP:CTCF"], {"profile": ["CHIP:CTCF"]}),
        (["DNASE:*"], {"profile": ["DNASE:K562", "DNASE:GM12878"]}),
        (["*dnase*"], {"profile": ["DNASE:K562", "DNASE:GM12878"]}),
        (["0"], {"profile": ["DNASE:K562"], "counts": ["plus"]}),
        (["1-2"], {"profile": ["DNASE:GM12878", "CHIP:CTCF"]}),
        (["3"], {"profile": ["3"]}),
        (["4"], {"profile": ["a/b"]}),
        (["a/b"], {"profile": ["a/b"]}),
        (["profile/a/b"], {"profile": ["a/b"]}),
        (["counts"], {"counts": ["plus", "minus"]}),
        (["counts/1"], {"counts": ["minus"]}),
        (["counts/*us"], {"counts": ["plus", "minus"]}),
        (["counts/0-1"], {"counts": ["plus", "minus"]}),
        (["minus", "plus", "minus"], {"counts": ["plus", "minus"]}),
        (["minus", "CHIP*"], {"profile": ["CHIP:CTCF"], "counts": ["minus"]}),
    ],
)
def test_patterns(patterns, expected):
    assert chosen(*patterns) == expected


@pytest.mark.parametrize("pattern", ["5", "3-9", "2-1", "counts/2", "other/plus", "K562", "", "-1"])
def test_a_pattern_that_fits_nothing_is_refused(pattern):
    with pytest.raises(UsageError) as caught:
        chosen("plus", pattern)
    assert f"--tracks {pattern}: no such track" in caught.value.what
    assert "profile: 5, counts: 2" in caught.value.extent


def test_near_names_are_given():
    with pytest.raises(UsageError) as caught:
        chosen("DNASE:K652")
    assert "DNASE:K562" in caught.value.extent


def test_values_keep_the_models_order():
    values = {
        "profile": np.arange(2 * 5 * 2, dtype=np.float32).reshape(2, 5, 2),
        "counts": np.arange(4, dtype=np.float32).reshape(2, 2),
    }
    got = choose_tracks(OUTPUTS, ["a/b", "DNASE:K562", "minus"]).apply(values)
    assert got["profile"].tolist() == [[[0, 1], [8, 9]], [[10, 11], [18, 19]]]
    assert got["counts"].tolist() == [[1], [3]]


def test_all_tracks_are_passed_through():
    values = {"profile": np.zeros((1, 5, 2)), "counts": np.zeros((1, 2))}
    got = choose_tracks(OUTPUTS, []).apply(values)
    assert list(got) == ["profile", "counts"]
    assert got["profile"] is values["profile"]


def test_the_chosen_outputs_keep_their_geometry():
    (spec,) = choose_tracks(OUTPUTS, ["CHIP:CTCF"]).outputs
    assert (spec.n_bins, spec.bin_size, spec.kind) == (2, 4, "profile")


@pytest.mark.parametrize(
    ("given", "patterns"),
    [(None, ()), ((), ()), (0, ("0",)), ("CTCF", ("CTCF",)), (["CTCF", 3], ("CTCF", "3")), (np.int64(2), ("2",))],
)
def test_what_python_gives_as_tracks(given, patterns):
    """None is all; the number 0 is the first track, not none."""
    assert track_patterns(given) == patterns


@pytest.mark.parametrize("given", [1.5, True, object()])
def test_what_is_no_track(given):
    with pytest.raises(UsageError, match="is no track"):
        track_patterns(given)
