"""Older versions of an entry: ``NAME/versions/1.0.0/`` holds its folder as it was. Standard library only.

``NAME`` is the newest version, which lies in the entry's own folder, and ``NAME@1.0.0`` an older one. Of a group
the folder below ``versions`` is the whole group as it was: its model ``GROUP/MODEL@1.0.0`` lies in
``GROUP/versions/1.0.0``. All of it is in the entry's folder, so that a pull request which adds a version touches no
other; to Kipoi the older version is a model of its own, ``NAME/versions/1.0.0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["FOLDER", "as_version", "in_order", "placed", "set_apart"]

FOLDER = "versions"
PLACE = re.compile(rf"(?P<entry>.+?)/{FOLDER}/(?P<version>\d+\.\d+\.\d+)(?P<member>/.+)?")


def placed(path: str) -> tuple[str, str | None]:
    """The name that a path below the folder of entries stands for, and the version; None where it is the newest."""
    match = PLACE.fullmatch(path)
    return (match["entry"] + (match["member"] or ""), match["version"]) if match else (path, None)


def in_order(version: str) -> tuple[int, ...]:
    """A version as numbers, for comparing: 1.10.0 is newer than 1.9.0."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def as_version(name: str) -> tuple[str, str]:
    """``name@version`` taken apart; an empty version where none is given."""
    bare, _, version = name.partition("@")
    return bare, version


def set_apart(
    records: Iterable[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, str]]]:
    """Entries in their newest version, the older versions, and what is wrong with the places of these.

    Args:
        records: of entries, with ``path`` below the folder of entries, ``name`` and ``version``.
    """
    newest, older = [], []
    for record in records:
        (newest if placed(record["path"])[1] is None else older).append(record)
    names = {record["path"]: record for record in newest}
    right, broken = [], []
    for record in older:
        if problem := _problem(record, names):
            broken.append({"name": record["path"], "problem": problem})
        else:
            right.append(record)
    right.sort(key=lambda record: in_order(record["version"]), reverse=True)
    return newest, right, broken


def _problem(record: dict[str, Any], newest: dict[str, dict[str, Any]]) -> str | None:
    """Why an older version cannot be where it lies."""
    place, version = placed(record["path"])
    if record["version"] != version:
        what = f"{record['path']}: its card says version {record['version']}"
        return f"{what}\nFix: name the folder {FOLDER}/{record['version']}, or correct the card"
    now = newest.get(place)
    if now is None:
        if record.get("group"):
            return None  # a model that the group no longer has
        return f"{record['path']}: an older version of an entry that is not there\nFix: put the newest into {place}"
    if record["name"] != now["name"]:
        what = f"{record['path']}: its card calls it {record['name']!r}, and the newest version is {now['name']!r}"
        return f"{what}\nFix: a version keeps the name"
    if in_order(version) >= in_order(now["version"]):
        what = f"{record['path']}: the entry itself is of version {now['version']}, which is not newer"
        return f"{what}\nFix: the newest version lies in {place}, older ones below {place}/{FOLDER}"
    return None
