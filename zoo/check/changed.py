"""Which entries a branch changes, and what else: git's answer, read without running anything of it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.check.findings import Finding
from zoo.errors import UsageError
from zoo.words import counted

__all__ = ["CARDS", "Changes", "changes_since", "check_scope"]

CARDS = "model_cards"


@dataclass(frozen=True)
class Changes:
    """What differs from a base.

    Attributes:
        root: top of the repository. base: the commit where the branch left.
        entries: folders of entries that are there and changed, by name.
        new: those of them that the base does not have.
        removed: entries that are gone. renamed: those of them that are there by another name: old name -> new one.
        outside: paths that belong to no entry.
    """

    root: Path
    base: str
    entries: tuple[Path, ...]
    new: frozenset[str]
    removed: tuple[str, ...]
    outside: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)


def changes_since(base: str, folder: Path | None = None) -> Changes:
    """Compare the working tree, uncommitted and new files included, with where it left ``base``.

    Raises:
        UsageError: no git repository, or no such commit.
    """
    folder = folder or Path()
    root = Path(_git(folder, base, "rev-parse", "--show-toplevel").strip())
    if base.startswith("-"):
        raise UsageError(f"--changed {base}: is no commit", "", "Fix: `zoo check --changed origin/main`")
    start = _git(root, base, "merge-base", base, "HEAD").strip()
    listed = _git(root, base, "diff", "--name-only", "--no-renames", "-z", start)
    listed += _git(root, base, "ls-files", "--others", "--exclude-standard", "-z")
    paths = sorted({path for path in listed.split("\0") if path})
    names = {path.split("/")[1] for path in paths if path.startswith(f"{CARDS}/") and path.count("/") > 1}
    before = set(_git(root, base, "ls-tree", "--name-only", f"{start}:{CARDS}", may_fail=True).split("\n"))
    there = sorted(name for name in names if (root / CARDS / name).is_dir())
    new, removed = sorted(set(there) - before), sorted(names - set(there))
    return Changes(
        root,
        start,
        tuple(root / CARDS / name for name in there),
        frozenset(new),
        tuple(removed),
        tuple(path for path in paths if not (path.startswith(f"{CARDS}/") and path.count("/") > 1)),
        _renamed(root, start, removed, new) if removed and new else {},
    )


def _renamed(root: Path, start: str, removed: Sequence[str], new: Sequence[str]) -> dict[str, str]:
    """Entries most of whose files are there, byte by byte, in a new folder, whether git was told (`git mv`) or not."""
    blobs = {name: set(_blobs_here(root, start, root / CARDS / name)) for name in new}
    found = {}
    for old in removed:
        listed = _git(root, start, "ls-tree", "-r", "-z", f"{start}:{CARDS}/{old}").split("\0")
        ours = {line.split()[2] for line in listed if line}
        name = max(new, key=lambda one: len(ours & blobs[one]))
        if 2 * len(ours & blobs[name]) > len(ours):
            found[old] = name
    return found


def _blobs_here(root: Path, start: str, folder: Path) -> list[str]:
    """git's names of the contents of a folder's files."""
    files = sorted(str(path) for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return _git(root, start, "hash-object", "--", *files).split() if files else []


def check_scope(changes: Changes) -> list[Finding]:
    """A pull request with a new model touches only its folder; code comes in one of its own. What is gone is told.

    Moving an entry is no new model: it touches the old folder and the new one.
    """
    found = [_gone(name, changes.renamed.get(name)) for name in changes.removed]
    new = sorted(changes.new - set(changes.renamed.values()))
    others = sorted({one.name for one in changes.entries} - set(new))
    if new and len(new) + len(others) + len(changes.removed) > 1:
        beside = [f"{name} is new too" for name in new[1:]] + [f"{name} is changed" for name in others]
        beside += [f"{name} is removed" for name in changes.removed if name not in changes.renamed]
        if beside:
            what = f"beside the new {new[0]}: {', '.join(beside[:5])}{', ...' if len(beside) > 5 else ''}"
            fix = "one entry a pull request: send each as a pull request of its own"
            found.append(Finding(", ".join(new), "valid", "scope", "error", what, fix))
    if not changes.entries or not changes.outside:
        return found
    shown = ", ".join(changes.outside[:5]) + (", ..." if len(changes.outside) > 5 else "")
    severity = "error" if changes.new else "warning"
    names = ", ".join(sorted(changes.new) or (one.name for one in changes.entries))
    outside = counted(len(changes.outside), "file outside of its folder is", "files outside of its folder are")
    what = f"beside {names}, {outside} changed: {shown}"
    fix = "send other changes as a pull request of their own"
    return [*found, Finding(names, "valid", "scope", severity, what, fix)]


def _gone(name: str, now: str | None) -> Finding:
    if now is None:
        what = f"{name} is removed: results made with it cannot be made again"
        return Finding(
            name, "valid", "gone", "warning", what, "keep it, with `withdrawn: why` in its card; a reviewer decides"
        )
    what = f"{name} is now called {now}: commands and records that have the old name no longer find it"
    fix = f"keep {name} as it is, with `deprecated: {{by: {now}, reason: why}}` in its card; a reviewer decides"
    return Finding(name, "valid", "gone", "warning", what, fix)


def _git(folder: Path, base: str, *words: str, may_fail: bool = False) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UsageError("--changed asks git, which is not installed", "", "Fix: name the entries instead") from None
    if done.returncode and not may_fail:
        said = (done.stderr.strip().splitlines() or ["git failed"])[-1]
        fix = "Fix: `git fetch origin main`, then `zoo check --changed origin/main`"
        raise UsageError(f"--changed {base}: {said}", "", fix)
    return done.stdout if done.returncode == 0 else ""
