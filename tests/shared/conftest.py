"""Entries run by name here, from a cache that is seeded once with the published files of the data folder."""

from __future__ import annotations

import os

import pytest

from zoo.entries.cache_add import cache_add
from zoo.files import hold_lock


@pytest.fixture(scope="session")
def published(shared_data, tmp_path_factory):
    """A cache folder with every file of an entry that lies in the data folder, known by checksum; no network.

    The processes of a test run share one. Until the session ends, ``ZOO_CACHE`` is this folder where no test says
    otherwise, so that fixtures of a module load models from it too.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "seeded-cache"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(folder))
        patch.setenv("ZOO_OFFLINE", "1")
        with hold_lock(folder / "seeding.lock", lambda holder: None):
            if not (folder / "seeded").exists():
                cache_add(sorted(shared_data.glob("m*")))
                (folder / "seeded").touch()
        yield folder


@pytest.fixture(autouse=True)
def _own_cache(published, monkeypatch):
    """In the place of the fixture of all tests."""
    monkeypatch.setenv("ZOO_CACHE", str(published))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
