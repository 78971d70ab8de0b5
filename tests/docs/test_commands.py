"""Every command of README, CONTRIBUTING and docs runs as typed, in the order of its page, in a reader's folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from blocks import ROOT, TAGS, blocks, pages
from reader import environment
from typed import LONG, has_commands, matches, pages_with_commands, run_page, type_page

ALL = [block for page in pages() for block in blocks(page)]


def test_every_block_says_what_it_is():
    untold = [block.where for block in ALL if block.tag not in TAGS]
    assert not untold, f"tag them sh, console, python, yaml or text: {untold}"


def test_the_pages_are_the_ones_that_the_readme_links():
    """No page is an island: each is linked from the README or from a page that it links."""
    linked, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        for target in re.findall(r"\]\(([^)#\s]+\.md)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            if path.suffix == ".md" and path.exists() and path not in linked:
                linked.add(path)
                todo.append(path)
    assert set(pages()) - {ROOT / "README.md"} <= linked


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(target)
    assert not dead


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


#: Typed in a file of their own, by another process of the tests.
LONGEST = ("explain.md", "README.md")


#: finetune.md prepares data for each of its ways to train, each in a process that imports for seconds.
PAGES = [
    pytest.param(page, marks=[pytest.mark.long] if page.name == "finetune.md" else [], id=page.name)
    for page in pages_with_commands(of_models=False)
    if page.name not in LONGEST
]


@pytest.mark.slow
@pytest.mark.pypi
@pytest.mark.parametrize("page", PAGES)
def test_commands_run_as_typed(page, folder, programs, tmp_path, package_index):
    type_page(page, folder, environment(tmp_path / "home", programs))


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in pages() if has_commands(page, LONG)], ids=lambda page: page.name)
def test_commands_that_train_run_as_typed(page, folder, programs, tmp_path):
    assert run_page(page, folder, environment(tmp_path / "home", programs), lambda command: matches(command, LONG)) > 0
