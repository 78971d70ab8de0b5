"""How the page was made: commands, seed, versions, hashes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from html import escape
from pathlib import PurePath
from typing import Any

__all__ = ["file_name", "made_by", "provenance"]


def file_name(path: Any) -> str:
    """The last part of a path; a name without a slash is itself."""
    return PurePath(str(path)).name or str(path)


def made_by(run: dict[str, Any], now: Sequence[str] = ()) -> str:
    """The commands that make the same again, as typed: of contributions and motifs, and ``now`` if that is zoo's."""
    commands = [run["contributions"].get("command"), run.get("command")]
    if now and file_name(now[0]) == "zoo":
        commands.append(list(now))
    lines = dict.fromkeys(_line(command) for command in commands if isinstance(command, list) and command)
    if not lines:
        return ""
    return "<p><small>Made by</small></p>" + "".join(f"<pre class=command>{escape(line)}</pre>" for line in lines)


def _line(command: list[Any]) -> str:
    return shlex.join([file_name(command[0]), *map(str, command[1:])])


def provenance(run: dict[str, Any]) -> str:
    """HTML of seed, versions and hashes, folded, and the whole record below them."""
    made = run["contributions"]
    rows = [("Seed", str(made.get("seed")))]
    versions = {**(made.get("versions") or {}), **(run.get("versions") or {})}
    rows += [(f"Version of {name}", str(version)) for name, version in versions.items()]
    model = made.get("model")
    hashes = dict(model.get("sha256") or {}) if isinstance(model, dict) else {}
    regions = made.get("regions")
    if isinstance(regions, dict) and regions.get("sha256"):
        hashes[file_name(regions.get("path"))] = regions["sha256"]
    rows += [(f"SHA-256 of {name}", str(digest)) for name, digest in hashes.items()]
    cells = "".join(f"<tr><td>{escape(title)}</td><td><code>{escape(text)}</code></td></tr>" for title, text in rows)
    return (
        "<details><summary>Seed, versions, hashes, all options</summary>"
        f'<div class="scroll"><table class="small"><tbody>{cells}</tbody></table></div>'
        f"<pre>{escape(json.dumps(run, indent=1))}</pre></details>"
    )
