"""Sequences and the path to the toys of attributions."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve()
# The repository first: `tests/` is on the path, where the folder `interpret` would be taken for the package.
for folder in (HERE.parents[1], HERE.parents[3]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@pytest.fixture
def sequences():
    """(n, length, seed=0) -> (n, 4, length) float32 one-hot of random sequences."""

    def make(n, length, seed=0):
        letters = np.random.default_rng(seed).integers(0, 4, (n, length))
        return np.ascontiguousarray(np.eye(4, dtype=np.float32)[letters].transpose(0, 2, 1))

    return make
