"""One world for all tests of runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """See ``finetune_world.py``."""
    from finetune_world import make_world

    return make_world(tmp_path_factory.mktemp("world"))
