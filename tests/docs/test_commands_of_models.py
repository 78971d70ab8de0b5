"""The pages with models of other kinds, of the Hub and of Kipoi's repository: see ``test_commands.py``."""

from __future__ import annotations

import shutil

import pytest
from reader import environment, hub_stand_in, kipoi_stand_in, write_models
from typed import pages_with_commands, type_page


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the three."""
    made = tmp_path_factory.mktemp("models")
    write_models(made)
    return made


@pytest.fixture(scope="module")
def kipoi(tmp_path_factory):
    return kipoi_stand_in(tmp_path_factory.mktemp("kipoi"))


@pytest.fixture(scope="module")
def hub(models):
    with hub_stand_in(models) as address:
        yield address


#: models.md fetches and runs the networks of SpliceAI, which takes two minutes; cards.md has models too.
PAGES = [
    pytest.param(page, marks=[pytest.mark.long] if page.name == "models.md" else [], id=page.name)
    for page in pages_with_commands(of_models=True)
]


@pytest.mark.slow
@pytest.mark.pypi
@pytest.mark.parametrize("page", PAGES)
def test_commands_run_as_typed(page, folder, programs, models, kipoi, hub, tmp_path, package_index):
    shutil.copytree(models, folder, dirs_exist_ok=True)
    type_page(page, folder, environment(tmp_path / "home", programs, kipoi, hub))
