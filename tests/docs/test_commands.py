"""Every command of README, CONTRIBUTING and docs runs as typed, in the order of its page, in a reader's folder."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from blocks import ROOT, TAGS, Block, blocks, pages
from reader import (
    YEAST,
    environment,
    hub_stand_in,
    kipoi_stand_in,
    write_genome,
    write_models,
    write_tables,
    write_tracks,
)

#: Commands that no test can type, and why.
NOT_HERE = {
    r"python3 scripts/bootstrap\.py": "installs the environment of this test; tests/test_bootstrap.py has it",
    r"source .*bin/activate": "the test's shell has the environment already",
    r"conda ": "conda is not part of the environment",
    r"git (clone|push|remote)|gh ": "there is nowhere to push to",
    r"npx ": "node is not part of the environment",
}
#: Commands that run for minutes: typed where ``-m long`` asks for them.
LONG = {
    r"zoo finetune (?!.*--prepare-only)": "trains",
    r"zoo evaluate run": "judges what was trained",
    r"zoo tune": "trains many times",
}
#: Scripts that measure for minutes or need data of the reader's own: their options are tried by ``--help``.
MEASURES = re.compile(
    r"^(python3? (?:-m )?(?:scripts[./](?:bench|finetune|yeast_atac|evaluate_entries|verify_entries|build_)\S*))(.*)"
)
HUMAN = re.compile(r"-g hg\d+\.fa")

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


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    """The folder; tests copy what is small and share the genomes."""
    folder = tmp_path_factory.mktemp("reader")
    genome = write_genome(folder / "sacCer3.fa", "sacCer3", YEAST)
    for assembly in ("hg38", "hg19"):
        write_genome(folder / f"{assembly}.fa", assembly, ("chrM",))
    write_tables(folder)
    write_tracks(folder, genome)
    write_models(folder)
    return folder


@pytest.fixture(scope="session")
def kipoi(tmp_path_factory):
    return kipoi_stand_in(tmp_path_factory.mktemp("kipoi"))


@pytest.fixture(scope="session")
def hub(reader):
    with hub_stand_in(reader) as address:
        yield address


def matches(command: str, table: dict[str, str]) -> bool:
    return any(re.match(pattern, command) for pattern in table)


def typed(block: Block, command: str) -> str:
    """The command in the reader's folder; human genomes go with human regions, scripts that measure say their help."""
    if block.tag == "python":
        return command
    if measured := MEASURES.match(command):
        return f"cd {ROOT} && {measured[1]} --help >/dev/null && : {options_known(measured)}"
    if HUMAN.search(command):
        command = command.replace("peaks.bed", "human_peaks.bed")
    return re.sub(r"\bpython3? -m (?=scripts|pytest|zoo)", f"{sys.executable} -m ", command)


def options_known(measured: re.Match) -> str:
    """Options after a script's name must be the script's; returned to be typed behind ``:``, which ignores them."""
    done = subprocess.run(
        [sys.executable, *measured[1].split()[1:], "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{measured[1]} --help: {done.stderr}"
    for option in re.findall(r"(?<!\S)(--[a-z-]+)", measured[2].partition("#")[0]):
        assert option in done.stdout, f"{measured[1]} has no option {option}"
    return ""


def run_page(page: Path, folder: Path, env: dict[str, str], wanted) -> int:
    """Type the commands of a page one after the other; the number that ran."""
    ran = 0
    for block in blocks(page):
        if block.tag == "yaml":
            if block.text.startswith("base:"):
                (folder / "run.yaml").write_text(block.text)
            continue
        if block.tag not in ("sh", "console", "python"):
            continue
        for command in block.commands():
            if matches(command, NOT_HERE) or not wanted(command):
                continue
            words = ["bash", "-euo", "pipefail", "-c", typed(block, command)]
            if block.tag == "python":
                words = [sys.executable, "-c", command]
            done = subprocess.run(
                words, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            # 141: `| head` has read enough
            told = f"{block.where}: {command}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
            assert done.returncode in (0, 141), told
            ran += 1
    return ran


def has_commands(page: Path, table: dict[str, str] | None = None) -> bool:
    typed_ones = [block for block in blocks(page) if block.tag in ("sh", "console", "python")]
    commands = [command for block in typed_ones for command in block.commands()]
    return any(not matches(command, NOT_HERE) and (table is None or matches(command, table)) for command in commands)


@pytest.fixture
def folder(reader, tmp_path):
    """A reader's folder of the test's own."""
    made = tmp_path / "seqzoo"
    shutil.copytree(reader, made, copy_function=link)
    (made / "model_cards").symlink_to(ROOT / "model_cards")
    (made / "docs").symlink_to(ROOT / "docs")
    (made / "scripts").symlink_to(ROOT / "scripts")
    return made


def link(source: str, target: str) -> None:
    """Genomes are linked, tables copied: nobody writes into a genome."""
    if source.endswith(".fa"):
        Path(target).symlink_to(source)
    else:
        shutil.copy2(source, target)


@pytest.mark.pypi
@pytest.mark.parametrize("page", [page for page in pages() if has_commands(page)], ids=lambda page: page.name)
def test_commands_run_as_typed(page, folder, kipoi, hub, tmp_path, package_index):
    (tmp_path / "home").mkdir()
    env = environment(tmp_path / "home", kipoi, hub)
    assert run_page(page, folder, env, lambda command: not matches(command, LONG)) > 0


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in pages() if has_commands(page, LONG)], ids=lambda page: page.name)
def test_commands_that_train_run_as_typed(page, folder, tmp_path):
    (tmp_path / "home").mkdir()
    assert run_page(page, folder, environment(tmp_path / "home"), lambda command: matches(command, LONG)) > 0
