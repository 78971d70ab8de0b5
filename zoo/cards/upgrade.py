"""Versions of a card's front matter: pure steps, each from one version to the next.

``schema_version`` of a card says by which version it was written; absent, it is the first. A card of an older version
is upgraded in memory whenever it is read, so that no card has to change for the program to change; ``zoo upgrade``
writes the newest version into the file (`zoo.entries.upgrade`). Keys that may be absent, such as ``withdrawn``, came
without a version of their own: a new version is for a change that makes older cards mean something else, or nothing.

A step takes the front matter of one version as plain data and returns that of the next. It changes nothing that it is
given, reads no file, and leaves alone what it does not know: it comes before the check of the fields.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

__all__ = ["KEY", "UPGRADERS", "fault_of", "newest", "upgraded", "version_of"]

KEY = "schema_version"
#: The step at position i makes a card of version i + 2 from one of version i + 1. Steps are added and never changed.
UPGRADERS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = ()


def newest() -> int:
    """The version that this program writes."""
    return 1 + len(UPGRADERS)


def version_of(front: dict[str, Any]) -> Any:
    """What the front matter says of its version; 1 where it says nothing."""
    return front.get(KEY, 1)


def fault_of(front: dict[str, Any]) -> tuple[str, str] | None:
    """What is wrong with the version of a front matter, and the fix; None where it can be upgraded."""
    version = version_of(front)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        return f"`{KEY}`: {version!r} is no version", f"write `{KEY}: {newest()}`"
    if version > newest():
        return (
            f"`{KEY}`: the card is of version {version}, and this seqzoo reads cards up to version {newest()}",
            "install a newer seqzoo: `git pull`, then `python3 scripts/bootstrap.py env`",
        )
    return None


def upgraded(front: dict[str, Any]) -> dict[str, Any]:
    """The front matter in the newest version; what was given is not changed.

    Args:
        front: plain data of which ``fault_of`` finds nothing.
    """
    made = copy.deepcopy(front)
    for step in UPGRADERS[version_of(front) - 1 :]:
        made = step(made)
    return ({} if KEY in made else {KEY: newest()}) | made | {KEY: newest()}
