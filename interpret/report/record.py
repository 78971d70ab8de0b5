"""What a run record and a card say, as rows of a table: no JSON, no YAML, and no path of the maker's machine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

__all__ = ["argument", "commands_of", "file_name", "option_rows", "provenance", "rows_of", "without_paths"]

#: An absolute path within a sentence: of two parts at least, so that `1 / 2` and `A/C/G/T` stay as they are; the
#: slashes of an address follow a colon.
PATH = re.compile(r"(?<![\w.:/~-])(?:~|[A-Za-z]:)?[/\\]+(?:[\w.+@ ()%-]*[\w.+@()%-][/\\]+)+([\w.+@()%-]*)")
#: What the page says elsewhere, each in its place.
ELSEWHERE = ("command", "notes", "versions", "model", "genome", "regions", "contributions", "references", "contribs")
ELSEWHERE += ("database", "database_motifs", "seed", "method", "output", "tracks", "bins", "reduction", "explained")
ELSEWHERE += ("assembly",)


def file_name(path: Any) -> str:
    """The last part of a path of any system; a name without a slash is itself."""
    text = str(path)
    windows = bool(re.match(r"[A-Za-z]:[\\/]|\\\\", text))
    return (PureWindowsPath(text) if windows else PurePosixPath(text)).name or text


def without_paths(text: Any) -> str:
    """A sentence in which files are called by their names alone."""
    return PATH.sub(lambda found: found[1] or "a folder", str(text))


def argument(word: Any) -> str:
    """A word of a command: a path that only its maker can follow becomes its last part, also behind ``--option=``."""
    start, value = re.fullmatch(r"(--?[\w-]+=|\w+=)?(.*)", str(word), re.S).groups("")  # type: ignore[union-attr]
    absolute = re.match(r"[/~]|[A-Za-z]:[\\/]|\\\\", value)
    if absolute or ".." in re.split(r"[/\\]", value):  # where the maker stood is not where the reader stands
        value = file_name(value)
    return f"{start}{value}"


def commands_of(run: Mapping[str, Any], now: Sequence[str] = ()) -> list[str]:
    """The commands that make the same again: of contributions and motifs, and ``now`` if that is zoo's."""
    commands = [run["contributions"].get("command"), run.get("command")]
    if now and _is_zoo(now[0]):
        commands.append(list(now))
    lines = [shlex.join([_program(c[0]), *map(argument, c[1:])]) for c in commands if isinstance(c, list) and c]
    return list(dict.fromkeys(lines))


def _is_zoo(program: str) -> bool:
    return file_name(program) == "zoo" or str(program).replace("\\", "/").endswith("zoo/__main__.py")


def _program(program: str) -> str:
    return "zoo" if _is_zoo(program) else file_name(program)


def provenance(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Title and text of seed, versions and hashes."""
    made = run["contributions"]
    rows = [("Seed", str(made.get("seed")))]
    versions = {**(made.get("versions") or {}), **(run.get("versions") or {})}
    rows += [(f"Version of {name}", str(version)) for name, version in versions.items()]
    model = made.get("model")
    hashes = dict(model.get("sha256") or {}) if isinstance(model, dict) else {}
    regions = made.get("regions")
    if isinstance(regions, dict) and regions.get("sha256"):
        hashes[file_name(regions.get("path"))] = regions["sha256"]
    return rows + [(f"SHA-256 of {file_name(name)}", str(digest)) for name, digest in hashes.items()]


def option_rows(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All else of the record, contributions first."""
    made = {key: value for key, value in run["contributions"].items() if key not in ELSEWHERE}
    if isinstance(counts := made.get("counts"), Mapping):  # of what was not there, there were none
        made["counts"] = {key: value for key, value in counts.items() if value}
    motifs = {key: value for key, value in run.items() if key not in ELSEWHERE}
    return [*rows_of(made), *rows_of(motifs)]


def rows_of(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A nested mapping, one row a value: ``("training, splits, test", "chrI, chrVIII")``; what is empty is left out."""
    return [(", ".join(keys), without_paths(text)) for keys, text in _flat(facts, ()) if text not in ("", "None")]


def _flat(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, (*keys, str(key).replace("_", " ")))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for number, item in enumerate(value, 1):
            yield from _flat(item, (*keys, str(number)))
    elif isinstance(value, list | tuple):
        yield keys, _joined(value)
    elif isinstance(value, bool):
        yield keys, "yes" if value else "no"
    else:
        yield keys, str(value)


def _joined(items: Iterable[Any]) -> str:
    return ", ".join(map(str, items))
