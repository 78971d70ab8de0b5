"""The published files of the data folder, in the cache of the test run: bundled entries load from there by name."""

from __future__ import annotations

import pytest

from zoo.entries.cache_add import cache_add


@pytest.fixture(scope="session")
def published(shared_data, tmp_path_factory):
    """The cache, which `_own_cache` gives to every test too, with the files of entries that the data folder has."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(folder))
        cache_add(shared_data)
    return folder
