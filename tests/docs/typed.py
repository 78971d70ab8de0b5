"""Commands of a page typed one after the other in a reader's folder, and those that no test types."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from blocks import ROOT, Block, blocks, pages

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
#: What ``write_models`` makes, and what is fetched from Hugging Face.
MODELS = re.compile(r"model\.(ckpt|h5|torch)\b|hf://")


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


def pages_with_commands(*, of_models: bool) -> list[Path]:
    """Pages that type commands; those with models of the reader's own, whose making takes long, or the others."""
    return [page for page in pages() if has_commands(page) and asks_for_models(page) == of_models]


def asks_for_models(page: Path) -> bool:
    typed_ones = [block for block in blocks(page) if block.tag in ("sh", "console", "python")]
    return any(MODELS.search(command) for block in typed_ones for command in block.commands())


def type_page(page: Path, folder: Path, env: dict[str, str]) -> None:
    """All that takes no minutes; at least one command."""
    assert run_page(page, folder, env, lambda command: not matches(command, LONG)) > 0
