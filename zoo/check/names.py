"""What entries may not share: names, Python files, weights; and what a version may not change."""

from __future__ import annotations

import hashlib
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from zoo.cards.yaml_lines import component_file
from zoo.check.draft import Draft
from zoo.check.findings import Finding
from zoo.files import sha256_of
from zoo.store.versions import FOLDER as VERSIONS
from zoo.words import counted

__all__ = ["check_names", "check_older", "check_version"]

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's: all other entries are read at each check


def check_names(draft: Draft, folders: list[Path]) -> Iterator[Finding]:
    """Compare an entry with all others.

    Args:
        folders: those of all entries; the draft's own may be among them.
    """
    others = [one for one in folders if one.resolve() != draft.folder.resolve()]
    here = {path.name: path for path in draft.folder.glob("*.py")}
    for other in others:
        for path in other.glob("*.py"):
            if path.name in here:
                what = f"{path.name} is also the name of a file of {other.name}: Kipoi imports by the bare name"
                yield draft.finding("unique", what, "name it after the entry", here[path.name])
        if other.name.lower() == draft.name.lower():
            what = f"another entry is called {other.name}"
            yield draft.finding("unique", what, "choose another name", draft.at("name"))
    if draft.card is None:
        return
    for other in others:
        if _named(other) == draft.card.name:
            what = f"the name {draft.card.name!r} is that of {other.name} too"
            yield draft.finding("unique", what, "choose another name", draft.at("name"))
    mine = _weights(draft.folder)
    for other in others:
        for digest, name in _weights(other).items():
            if digest in mine:
                what = f"its weights {mine[digest]} are those of {other.name} ({name}): a duplicate"
                fix = f"improve {other.name}, or say in the card what is different"
                yield draft.finding("duplicate", what, fix, draft.at("files"), severity="error")


def _front(folder: Path) -> dict[str, Any]:
    """The front matter of another entry as plain data; empty where it cannot be read, which is told of that one."""
    path = folder / "README.md"
    return _parsed(path, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=4096)
def _parsed(path: Path, changed: int) -> dict[str, Any]:
    parts = path.read_text(encoding="utf-8", errors="replace").split("---\n", 2)
    try:
        front = yaml.load(parts[1], LOADER) if len(parts) == 3 else None
    except yaml.YAMLError:  # a template, or broken
        return {}
    return front if isinstance(front, dict) else {}


def _named(folder: Path) -> str | None:
    return _front(folder).get("name")


def _weights(folder: Path) -> dict[str, str]:
    """Checksum of what the model is made of -> its name: the file of ``args.weights``, here or elsewhere."""
    model = component_file(folder, "model")
    try:
        data = yaml.load(model.read_text(encoding="utf-8", errors="replace"), LOADER) if model else {}
    except yaml.YAMLError:
        return {}
    args = data.get("args") if isinstance(data, dict) else None
    name = args.get("weights", args.get("checkpoint")) if isinstance(args, dict) else None
    if not isinstance(name, str):
        return {}
    if (folder / name).is_file():
        return {sha256_of(folder / name): name}
    found = defaultdict(str)
    for one in _front(folder).get("files") or []:
        if isinstance(one, dict) and one.get("path") == name:
            for key in ("sha256", "md5", "tensors_sha256"):
                if isinstance(one.get(key), str):
                    found[one[key]] = name
    return dict(found)


def check_version(draft: Draft, base: str, root: Path) -> Iterator[Finding]:
    """A version that was published stands for the same bytes for ever.

    Args:
        base: the commit to compare with.
        root: top of the repository.
    """
    if draft.card is None:
        return
    place = draft.folder.resolve().relative_to(root.resolve())
    old = _front_of(root, f"{base}:{place}")
    if str(old.get("version")) != draft.card.version:
        return
    was = {
        one["path"]: one.get("sha256") or one.get("tensors_sha256") for one in old.get("files") or [] if "path" in one
    }
    now = {one.path: one.sha256 or one.tensors_sha256 for one in draft.card.files}
    runs = [name for name in was if name in now and was[name] != now[name] and not name.startswith("example/")]
    if runs:
        what = f"version {draft.card.version} was published with other bytes of {', '.join(runs)}"
        fix = "raise `version`: who wrote down NAME@VERSION must get the same model again"
        yield draft.finding("version", what, fix, draft.at("version"))


def check_older(draft: Draft, base: str, root: Path) -> Iterator[Finding]:
    """Older versions are what was published under that number; nothing else looks at them, and users run them.

    Their cards may change: one may be deprecated or withdrawn later.

    Args:
        base: the commit to compare with.
        root: top of the repository.
    """
    place = draft.folder.resolve().relative_to(root.resolve())
    for older in sorted((draft.folder / VERSIONS).glob("*")):
        published = _blobs(root, f"{base}:{place}/{VERSIONS}/{older.name}")
        if not published and str(_front_of(root, f"{base}:{place}").get("version")) == older.name:
            published = _blobs(root, f"{base}:{place}")
        files = [one for one in sorted(older.rglob("*")) if not one.is_dir() or one.is_symlink()]
        here = {str(one.relative_to(older)): one for one in files if "__pycache__" not in one.parts}
        wrong = [
            name
            for name, one in here.items()
            if name != "README.md" and (one.is_symlink() or _blob(one) != published.get(name))
        ]
        if wrong:
            shown = ", ".join(wrong[:3]) + (", ..." if len(wrong) > 3 else "")
            files = counted(len(wrong), "file")
            what = f"{VERSIONS}/{older.name} has {files} that version {older.name} was not published with"
            fix = f"move that version there as it was: {shown}"
            yield draft.finding("version", what, fix, older / wrong[0])


def _front_of(root: Path, tree: str) -> dict[str, Any]:
    """Front matter of the card in a tree of git."""
    parts = (_git(root, "show", f"{tree}/README.md") or "").split("---\n", 2)
    try:
        front = yaml.safe_load(parts[1]) if len(parts) == 3 else None
    except yaml.YAMLError:
        return {}
    return front if isinstance(front, dict) else {}


def _blobs(root: Path, tree: str) -> dict[str, str]:
    """Path below a tree of git -> checksum; empty where there is no such tree."""
    listed = (_git(root, "ls-tree", "-r", "-z", tree) or "").split("\0")
    return {name: facts.split()[2] for facts, _, name in (one.partition("\t") for one in listed if one)}


def _blob(path: Path) -> str:
    """Checksum of a file as git counts it."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _git(root: Path, *words: str) -> str | None:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None
