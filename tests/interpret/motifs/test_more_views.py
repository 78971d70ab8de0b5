"""Regions drawn although the file of motifs does not hold them."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from interpret.report.regions import with_regions
from zoo.errors import InputError, UsageError


@pytest.fixture(scope="module")
def absent(found):
    """A region that is not among the file's views."""
    return next(i for i in range(len(found.regions)) if i not in found.views.sequence)


def test_named_regions_come_first_with_what_the_contributions_hold(found, planted, absent):
    held = int(found.views.sequence[3])
    track = np.arange(2 * len(found.views.sequence), dtype=np.float32).reshape(-1, 2)
    tracked = replace(found, views=replace(found.views, track=track, track_bin=80))
    views = with_regions(tracked, [f"region{absent}", f"region{held}"]).views
    assert views.sequence.tolist() == [absent, held, *(i for i in found.views.sequence.tolist() if i != held)]
    with h5py.File(planted.path) as file:
        np.testing.assert_array_equal(views.projected, file["projected"][:][views.sequence])
        np.testing.assert_array_equal(views.letters, file["one_hot"][:][views.sequence].argmax(1))
    assert np.isnan(views.track[0]).all() and views.track[1].tolist() == [6, 7] and views.track[2].tolist() == [0, 1]


def test_regions_that_are_held_need_no_contributions(found, tmp_path):
    held = int(found.views.sequence[2])
    assert with_regions(found, [f"region{held}"], tmp_path / "gone.h5").views.sequence[0] == held


def test_mistakes(found, planted, absent, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        with_regions(found, [f"region{absent}"], tmp_path / "gone.h5")
    with pytest.raises(UsageError, match="no region of that name"):
        with_regions(found, ["nowhere"])
    other = tmp_path / "other.h5"
    other.write_bytes(planted.path.read_bytes())
    with h5py.File(other, "r+") as file:
        file["prediction"][0] += 1
    with pytest.raises(InputError, match="of another model or output"):
        with_regions(found, [f"region{absent}"], other)
    with h5py.File(other, "r+") as file:
        del file["regions/strand"]
    with pytest.raises(InputError, match="its regions are incomplete"):
        with_regions(found, [f"region{absent}"], other)
