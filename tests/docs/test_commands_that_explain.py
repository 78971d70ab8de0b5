"""The pages whose commands take longest: see ``test_commands.py``."""

from __future__ import annotations

import pytest
from blocks import ROOT
from reader import environment
from typed import pages_with_commands, type_page

PAGES = [ROOT / "README.md", ROOT / "docs" / "explain.md"]
#: explain.md takes two minutes; README.md makes a report too.
TYPED = [PAGES[0], pytest.param(PAGES[1], marks=pytest.mark.long)]


def test_they_are_pages_with_commands():
    assert set(PAGES) <= set(pages_with_commands(of_models=False))


@pytest.mark.slow
@pytest.mark.pypi
@pytest.mark.parametrize("page", TYPED, ids=["README.md", "explain.md"])
def test_commands_run_as_typed(page, folder, programs, tmp_path, package_index):
    type_page(page, folder, environment(tmp_path / "home", programs))
