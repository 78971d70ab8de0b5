"""Puts the helpers of these tests on the path: `writer_batches` and `genome_oracle`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _forget_killed_writers():
    from writer_batches import KILLED

    yield
    for writer in KILLED:
        writer.suspend()
    KILLED.clear()
