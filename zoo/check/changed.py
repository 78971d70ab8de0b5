"""Which entries a branch changes, and what else: git's answer, read without running anything of it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
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
        removed: entries that are gone.
        outside: paths that belong to no entry.
    """

    root: Path
    base: str
    entries: tuple[Path, ...]
    new: frozenset[str]
    removed: tuple[str, ...]
    outside: tuple[str, ...]


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
    return Changes(
        root,
        start,
        tuple(root / CARDS / name for name in there),
        frozenset(set(there) - before),
        tuple(sorted(names - set(there))),
        tuple(path for path in paths if not (path.startswith(f"{CARDS}/") and path.count("/") > 1)),
    )


def check_scope(changes: Changes) -> list[Finding]:
    """A pull request with a new model touches only its folder; code comes in one of its own. What is gone is told."""
    gone = [
        Finding(
            name, "valid", "gone", "warning", f"{name} is removed: results made with it cannot be made again",
            "keep it, with `withdrawn: why` in its card; a reviewer decides",
        )
        for name in changes.removed
    ]  # fmt: skip
    if not changes.entries or not changes.outside:
        return gone
    shown = ", ".join(changes.outside[:5]) + (", ..." if len(changes.outside) > 5 else "")
    severity = "error" if changes.new else "warning"
    names = ", ".join(sorted(changes.new) or (one.name for one in changes.entries))
    outside = counted(len(changes.outside), "file outside of its folder is", "files outside of its folder are")
    what = f"beside {names}, {outside} changed: {shown}"
    fix = "send other changes as a pull request of their own"
    return [*gone, Finding(names, "valid", "scope", severity, what, fix)]


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
