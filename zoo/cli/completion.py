"""``zoo completion bash|zsh|fish [--install]``: names of commands, models, tracks and genomes at the TAB key."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import FishComplete, ZshComplete

from zoo.cli.shared import COMMAND, CONTEXT, note
from zoo.errors import UsageError

__all__ = ["command", "install_completion", "script_of"]

SHELLS = ("bash", "zsh", "fish")
BEGIN, END = "# >>> zoo completion >>>", "# <<< zoo completion <<<"

# click's own breaks a word at @ and :, as bash does, and sets IFS for the words that it joins.
BASH = r"""_zoo_completion() {
    local line word before kind value cword
    local -a words
    if [[ -n ${COMP_LINE-} ]]; then
        line=${COMP_LINE:0:COMP_POINT}
        read -ra words <<< "$line"
        cword=$((${#words[@]} - 1))
        [[ $line == *[[:space:]] ]] && cword=$((cword + 1))
    else
        words=("${COMP_WORDS[@]}")
        cword=$COMP_CWORD
        line=${words[*]}
    fi
    word=${words[cword]-}
    # bash replaces only what stands behind the last of these in a word.
    before=
    [[ -n ${COMP_LINE-} && $word == *[@:=]* ]] && before=${word%"${word##*[@:=]}"}
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            plain)
                [[ $value == */ || $value == *, ]] && compopt -o nospace 2>/dev/null
                value=${value#"$before"}
                [[ $value == *[[:space:]\(\)\;\&\|\<\>\'\"\$]* ]] && printf -v value %q "$value"
                COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_WORDS="${words[*]}" COMP_CWORD=$cword _ZOO_COMPLETE=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F _zoo_completion zoo 2>/dev/null || complete -F _zoo_completion zoo
"""


@click.command("completion", cls=COMMAND, context_settings=CONTEXT)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--install", is_flag=True, help="Let your shell read it at each start, and say which file was changed.")
def command(shell: str | None, install: bool) -> None:
    """Print the script by which a shell completes what is typed after `zoo`, or install it.

    SHELL is bash, zsh or fish; default that of $SHELL. Completed are commands, options, models (also source/name and
    name@version), tracks of the model that was typed, genomes, files and suffixes of results.

    \b
    zoo completion bash --install
    zoo completion fish
    """
    shell = shell or _usual_shell()
    if not install:
        click.echo(script_of(shell), nl=False)
        return
    path, changed = install_completion(shell)
    note(f"{path} was changed: shells that start from now on complete" if changed else f"{path} has it already")


def _usual_shell() -> str:
    name = os.path.basename(os.environ.get("SHELL", ""))
    if name not in SHELLS:
        raise UsageError("which shell?", f"$SHELL is {name or 'not set'}", f"Fix: zoo completion {SHELLS[0]}")
    return name


def script_of(shell: str) -> str:
    """The script of a shell: bash, zsh or fish."""
    if shell == "bash":
        return BASH
    made = {"zsh": ZshComplete, "fish": FishComplete}[shell](click.Command("zoo"), {}, "zoo", "_ZOO_COMPLETE")
    return made.source().rstrip("\n") + "\n"


def install_completion(shell: str) -> tuple[Path, bool]:
    """Put the script where the shell reads it at its start; a second time changes nothing.

    For bash and zsh a block of the user's .bashrc or .zshrc, between two lines that name it; fish has a file for it.

    Returns:
        The file, and whether it was changed.
    """
    home = Path.home()
    if shell == "fish":
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        return _write(config / "fish/completions/zoo.fish", script_of(shell))
    if shell == "zsh":
        begin = "autoload -Uz compinit\n(( $+functions[compdef] )) || compinit\n"
        return _put_block(Path(os.environ.get("ZDOTDIR") or home) / ".zshrc", begin + script_of(shell))
    return _put_block(home / ".bashrc", script_of(shell))


def _put_block(path: Path, script: str) -> tuple[Path, bool]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    block = f"{BEGIN}\n{script}{END}\n"
    begin, end = text.find(BEGIN), text.find(END)
    if 0 <= begin < end:
        whole = text[:begin] + block + text[end + len(END) :].removeprefix("\n")
    else:
        whole = f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{block}"
    return _write(path, whole)


def _write(path: Path, text: str) -> tuple[Path, bool]:
    """Write a file whole, through links, as dotfiles often are; not if it says that already."""
    path = path.resolve()
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return path, False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    if path.exists():
        partial.chmod(path.stat().st_mode)
    partial.replace(path)
    return path, True
