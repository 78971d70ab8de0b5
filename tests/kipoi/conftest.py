"""The path to `kipoi_toys`, and sources of the test's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(autouse=True)
def _own_config(tmp_path, monkeypatch):
    """Sources are added to a folder of the test, not to the user's configuration."""
    monkeypatch.setenv("ZOO_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
