"""One run of the whole way on planted motifs, shared by the tests of motifs and of reports."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    """The planted file, before motifs were looked for."""
    from planted import plant

    return plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
def found(planted):
    """What ``find_motifs`` made of it."""
    from interpret.motifs.find import find_motifs

    return find_motifs(planted.path, planted.path.with_name("motifs.h5"), database="jaspar:fungi")
