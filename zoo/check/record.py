"""``zoo check --record``: the checksums of an entry's own files into its card, as they are now.

``zoo test --record`` makes the expected predictions of its example again, too, where the weights are new.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from zoo.cards.card import README, front_matter_of
from zoo.cards.yaml_edit import edited
from zoo.check.draft import read_draft
from zoo.check.valid.recorded import own_files
from zoo.entries.example import EXAMPLE, file_record, write_expected
from zoo.entries.kept import read_bins
from zoo.errors import ModelError
from zoo.models.entry import open_entry
from zoo.results.whole import replacing

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Recorded", "record_expected", "record_files"]


@dataclass(frozen=True)
class Recorded:
    """What ``record_expected`` wrote.

    Attributes:
        path: of the expected predictions.
        difference: the largest between them and those that were there, in the outputs' units; None where none were, or
            they were of other outputs, windows or bins.
        files: paths whose record in the card changed.
    """

    path: Path
    difference: float | None
    files: tuple[str, ...]


def record_expected(model: str | Path, *, trust: bool = False) -> Recorded:
    """Make ``example/expected.h5`` again of the same regions, with the weights and code of now; record all checksums.

    As much of each prediction is kept as before.

    Args:
        model: folder or name of an entry with genome and regions in ``example/``.
        trust: its Python may run, as in ``zoo test``.

    Raises:
        ModelError: no card, a group, or an example that cannot be predicted. TrustError: its Python may not run.
            The card is as it was then.
    """
    folder = open_entry(model, trust=trust).folder
    path = folder / EXAMPLE[2]
    before = _predictions(path)
    card = (folder / README).read_bytes() if (folder / README).is_file() else b""
    files = record_files(folder)  # weights of other bytes than recorded are not loaded
    limit = max((values.size for values, bins in before.values() if bins), default=None)
    try:
        write_expected(model, keep=limit, trust=trust)
    except BaseException:
        with replacing(folder / README) as partial:
            partial.write_bytes(card)
        raise
    difference = _difference(before, _predictions(path))
    return Recorded(path, difference, tuple(sorted({*files, *record_files(folder)})))


def _predictions(path: Path) -> dict[str, tuple[np.ndarray, tuple[int, ...]]]:
    """Values of each dataset of predictions, and the bins that it keeps, none where it keeps all."""
    import h5py

    found: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {}

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and name.split("/")[0] == "preds":
            bins = read_bins(item)
            found[name] = item[()], () if bins is None else tuple(map(int, bins[0]))

    if path.is_file():
        with contextlib.suppress(OSError), h5py.File(path) as file:  # a damaged one is made anew
            file.visititems(add)
    return found


def _difference(before: dict[str, Any], now: dict[str, Any]) -> float | None:
    alike = before.keys() == now.keys() and all(
        before[name][1] == now[name][1] and before[name][0].shape == now[name][0].shape for name in now
    )
    if not before or not alike:
        return None
    return max(float(abs(before[name][0] - now[name][0]).max(initial=0)) for name in now)


def record_files(folder: Path) -> list[str]:
    """Correct sha256 and bytes of ``files``, add what should be there, leave out what is gone.

    A file that is published elsewhere (``mirrors``, ``made_from``) keeps its record: the bytes there count. Comments
    elsewhere in the card, and its prose, stay as they are.

    Returns:
        Paths of the files whose record changed.

    Raises:
        ModelError: no card, one that does not parse, or a group, whose card is a template.
    """
    if (folder / "model-template.yaml").is_file():
        raise ModelError(f"{folder}: is a group", "its card is a template", "Fix: write the checksums into models.tsv")
    path = folder / README
    if not path.is_file():
        raise ModelError(f"{folder}: has no card", "", f"Fix: write {README}, as `zoo new` drafts it")
    front, rest = front_matter_of(path)
    try:
        data = yaml.safe_load(front)
    except yaml.YAMLError as error:
        fix = f"Fix: `zoo check {folder.name}` names the line"
        raise ModelError(f"{path}: YAML does not parse", str(error).splitlines()[0], fix) from None
    if not isinstance(data, dict) or not _records(data.get("files")):
        raise ModelError(f"{path}: `files` is no list of path, sha256 and bytes", "", "Fix: write `files: []`")
    old = data.get("files") or []
    kept = [now for one in old if (now := _now(folder, one)) is not None]
    known = {one["path"] for one in kept}
    kept += [file_record(folder, name) for name in own_files(read_draft(folder)) if name not in known]
    if kept != old:
        text, _ = edited(front, data | {"files": kept})
        with replacing(path) as partial:
            partial.write_text(f"---\n{text}---\n{rest}", encoding="utf-8")
    before, after = ({one["path"]: one for one in records} for records in (old, kept))
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _records(files: object) -> bool:
    return files is None or (
        isinstance(files, list) and all(isinstance(one, dict) and isinstance(one.get("path"), str) for one in files)
    )


def _now(folder: Path, one: dict[str, object]) -> dict[str, object] | None:
    """The record of a file as it lies there; None where it is gone."""
    name = str(one["path"])
    if "mirrors" in one or "made_from" in one:
        return one
    inside = (folder / name).resolve().is_relative_to(folder.resolve())
    if not inside:  # a rule of the check speaks of it
        return one
    return one | file_record(folder, name) if (folder / name).is_file() else None
