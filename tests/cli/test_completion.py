"""The TAB key: what click is asked, what bash shows, and what is put into a user's files."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import click
import pytest
from click.shell_completion import BashComplete
from toys import make_toy_entry

from zoo.cli import COMMANDS, cli
from zoo.cli.complete import DATABASES, METHODS, RESULTS, add_completers
from zoo.cli.completion import BEGIN, END, install_completion, script_of
from zoo.store.sources import add_source


def completed(line: str) -> list[str]:
    """What click offers behind a line; a file of the user's is ``<file>``."""
    words = line.split(" ")
    found = BashComplete(cli, {}, "zoo", "_ZOO_COMPLETE").get_completions(words[1:-1], words[-1])
    return [one.value if one.type == "plain" else f"<{one.type}>" for one in found]


CASES = {
    "commands": ("zoo ", [*COMMANDS, "help"]),
    "a command": ("zoo pre", ["predict"]),
    "help of one": ("zoo help pre", ["predict"]),
    "a command of a group": ("zoo cache ver", ["verify"]),
    "models": ("zoo predict yeast", ["yeast-atac", "yeast-nucleosomes"]),
    "models of info": ("zoo info mmsplice-d", ["mmsplice-donor"]),
    "a second model": ("zoo pull yeast-atac xpresso-m", ["xpresso-mouse"]),
    "a group": ("zoo predict deepb", ["deepbind/"]),
    "a version": ("zoo predict yeast-atac@", ["yeast-atac@1.0.0"]),
    "no such model": ("zoo predict zzzz", ["<file>"]),
    "tracks": ("zoo predict pangolin r.bed --tracks brain_u", ["brain_usage"]),
    "an option": ("zoo predict m r.bed --trans", ["--translate-chroms"]),
    "a choice": ("zoo predict m r.bed --edges s", ["skip"]),
    "a choice behind =": ("zoo predict m r.bed --edges=s", ["skip"]),
    "an assembly": ("zoo predict m r.bed -g sac", ["sacCer3"]),
    "a result": ("zoo predict m peaks.bed -o ", [f"peaks{suffix}" for suffix in RESULTS["predict"]]),
    "its name": ("zoo predict m peaks.bed -o out.b", ["out.bed", "out.bedgraph", "out.bw"]),
    "a page": ("zoo report m.h5 -o page.h", ["page.html"]),
    "a format": ("zoo predict m r --format bed", ["bed", "bedgraph"]),
    "a device": ("zoo predict m r --device c", ["cpu", "cuda"]),
    "a source": ("zoo list --source g", ["grelu"]),
    "a shell": ("zoo completion z", ["zsh"]),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("line", "expected"), CASES.values(), ids=CASES)
def test_what_is_offered(folder, line, expected):
    if line.endswith("brain_u"):
        names = [name for name in _tracks_of("pangolin") if name.startswith("brain_u")]
        assert completed(line) == names != []
    else:
        assert completed(line) == expected


def test_only_genomes_that_are_here_are_shown_and_removed(folder, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(folder / "cache"))
    monkeypatch.setenv("ZOO_GENOMES", str(folder))
    (folder / "dm6.fa").touch()
    assert completed("zoo genome path ") == completed("zoo genome remove ") == ["dm6"]
    assert "hg38" in completed("zoo genome add ")


def _tracks_of(model: str) -> list[str]:
    from zoo.store.registry import info

    return [name for out in info(model)["outputs"] for name in out["tracks"]]


def test_tracks_joined_by_commas_and_of_several_outputs(folder):
    tracks = _tracks_of("pangolin")
    assert completed("zoo predict pangolin r.bed --tracks ") == tracks
    assert completed(f"zoo attribute pangolin r.bed --tracks {tracks[0]},{tracks[1]}") == [f"{tracks[0]},{tracks[1]}"]
    assert "counts/" in completed("zoo predict bpnet-k562-ctcf r.bed --tracks ")
    assert completed("zoo attribute bpnet-k562-ctcf r.bed --output c") == ["counts"]


def test_files_of_their_kind(folder):
    for name in ("genome.fa", "genome.fa.fai", "peaks.bed", "run.yaml", "notes.txt", "my.fasta.gz"):
        (folder / name).touch()
    (folder / "deeper").mkdir()
    (folder / "deeper/more.bed").touch()
    assert completed("zoo predict m ") == ["deeper/", "peaks.bed"]
    assert completed("zoo predict m deeper/") == ["deeper/more.bed"]
    assert completed("zoo predict m r.bed -g g") == ["genome.fa"]
    assert completed("zoo predict m r.bed -g my") == ["my.fasta.gz"]
    assert completed("zoo finetune r") == ["run.yaml"]
    assert completed("zoo finetune n") == ["<file>"], "what the shell knows"


def test_models_of_a_source(folder, monkeypatch):
    monkeypatch.setenv("ZOO_CONFIG", str(folder / "config"))
    make_toy_entry(folder / "models/one")
    add_source("lab", str(folder / "models"))
    assert completed("zoo predict la") == ["lab/"]
    assert completed("zoo predict lab/") == ["lab/one"]
    assert completed("zoo list --source la") == completed("zoo source update la") == ["lab"]


def test_a_parameter_that_knows_its_values_keeps_them():
    @click.command("x")
    @click.argument("model", shell_complete=lambda context, parameter, typed: ["own"])
    def command(model):
        """A command."""

    add_completers(command)
    offered = command.params[0].shell_complete(click.Context(command), "")
    assert [one.value for one in offered] == ["own"]


def test_suffixes_methods_and_databases_are_those_that_exist():
    from interpret.attribute.options import METHODS as known_methods
    from interpret.motifs.databases import HOCOMOCO, JASPAR_TAXA
    from zoo.writers import FORMATS

    assert {*RESULTS["predict"]} <= {*FORMATS}
    assert {*METHODS} == {*known_methods, "marginalize"}
    assert {*DATABASES} <= {*HOCOMOCO, "jaspar", *(f"jaspar:{taxon}" for taxon in JASPAR_TAXA)}


# ---------------------------------------------------------------- bash itself


@pytest.fixture
def bash(tmp_path):
    """Answers of bash's own completion, with `zoo` on the PATH."""
    command = tmp_path / "bin/zoo"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c 'from zoo.cli import main; main()' \"$@\"\n")
    command.chmod(0o755)
    script = tmp_path / "completion.bash"
    script.write_text(script_of("bash"))
    (tmp_path / "work").mkdir()

    def ask(setting: str, lines: bool = False) -> list[str]:
        program = f'source {script}; {setting}; _zoo_completion zoo; printf "%s\\n" "${{COMPREPLY[@]}}"'
        env = os.environ | {"PATH": f"{command.parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", program], capture_output=True, text=True, env=env, cwd=tmp_path / "work", check=True
        )
        assert done.stderr == ""
        return done.stdout.splitlines() if lines else done.stdout.split()

    return ask


def test_bash_completes_a_line(bash):
    def typed(line: str) -> list[str]:
        return bash(f"COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}")

    long = "zoo predict mini-borzoi r.bed --tracks CAGE:o"
    assert typed("zoo predict yeast") == ["yeast-atac", "yeast-nucleosomes"]
    assert typed("zoo predict yeast-atac@1") == ["1.0.0"], "bash replaces what stands behind the @"
    assert typed("zoo predict m r.bed --edges=s") == ["skip"]
    assert typed("zoo report m.h5 -o r.html --database jaspar:f") == ["fungi"]
    assert typed("zoo pre") == ["predict"] and len(typed("zoo ")) == len(COMMANDS) + 1
    assert typed("zoo predict zzzzz") == []
    assert bash(f"COMP_LINE={shlex.quote(long)} COMP_POINT={len(long)}", lines=True)[0] == (
        r"oral\ squamous\ cell\ carcinoma\ cell\ line:Ca9-22\ \(CNhs10752+\)"
    ), "one word, whatever is in a name"


def test_bash_completes_words(bash):
    assert bash("COMP_WORDS=(zoo predict yeast-a) COMP_CWORD=2") == ["yeast-atac"]
    assert bash("COMP_WORDS=(zoo cache '') COMP_CWORD=2") == ["add", "ls", "path", "prune", "verify"]


def test_a_tab_imports_no_heavy_package(tmp_path):
    program = (
        "import contextlib, sys\nfrom zoo.cli import run\nwith contextlib.suppress(SystemExit):\n    run([])\n"
        "print([name for name in ('torch', 'numpy', 'pandas', 'pydantic', 'h5py', 'rich') if name in sys.modules])"
    )
    env = os.environ | {"_ZOO_COMPLETE": "bash_complete", "COMP_WORDS": "zoo predict yeast-atac r.bed --tracks "}
    for word, offered in (("5", "atac_cuts"), ("2", "yeast-atac")):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=env | {"COMP_CWORD": word}, check=True
        )
        assert offered in done.stdout and done.stdout.splitlines()[-1] == "[]", done


# ---------------------------------------------------------------- installed


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("shell", "place"), [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/completions/zoo.fish")]
)
def test_installing_twice_changes_a_file_once(home, shell, place):
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    own = "" if shell == "fish" else "export MINE=1"  # without a newline at its end
    path.write_text(own)
    path.chmod(0o600)
    assert install_completion(shell) == (path, True)
    first = path.read_text()
    assert first.startswith(own) and script_of(shell) in first and path.stat().st_mode & 0o777 == 0o600
    assert install_completion(shell) == (path, False) and path.read_text() == first
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_an_older_block_is_replaced_and_the_rest_stays(home):
    path = home / ".bashrc"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    install_completion("bash")
    assert path.read_text() == f"before\n{BEGIN}\n{script_of('bash')}{END}\nafter\n"


def test_a_dotfile_that_is_a_link_stays_one(home):
    (home / "dotfiles").mkdir()
    (home / "dotfiles/bashrc").write_text("mine\n")
    (home / ".bashrc").symlink_to("dotfiles/bashrc")
    assert install_completion("bash") == (home / "dotfiles/bashrc", True)
    assert (home / ".bashrc").is_symlink() and (home / "dotfiles/bashrc").read_text().startswith("mine\n")


def test_the_command_says_what_it_changed(shell, home):
    assert shell.zoo("completion", "bash").out == script_of("bash") and not (home / ".bashrc").exists()
    said = shell.zoo("completion", "bash", "--install")
    assert said.out == "" and f"{home / '.bashrc'} was changed" in said.notes()
    assert "has it already" in shell.zoo("completion", "bash", "--install").notes()
    subprocess.run(["bash", "-n", str(home / ".bashrc")], check=True)


def test_the_usual_shell(shell, home, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert shell.zoo("completion").out == script_of("fish")
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert "$SHELL is tcsh" in shell.zoo("completion").error(2)
    assert "did you mean bash?" in shell.zoo("completion", "bahs").error(2)


def test_scripts_of_other_shells_ask_the_command():
    assert "_ZOO_COMPLETE=zsh_complete zoo" in script_of("zsh")
    assert "_ZOO_COMPLETE=fish_complete" in script_of("fish")
    assert json.dumps(script_of("bash"))  # text
