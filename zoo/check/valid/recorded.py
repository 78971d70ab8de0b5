"""Bytes: files are those that the card records, small, inside the folder, and data where they should be data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo.check.draft import Draft
from zoo.check.findings import Finding, from_error
from zoo.errors import FetchError, ZooError
from zoo.files import sha256_of

__all__ = ["LARGEST_FILE", "check_recorded", "own_files"]

LARGEST_FILE = 2_000_000  # bytes; what is larger is published elsewhere and fetched
PICKLES = (".pkl", ".pickle", ".joblib", ".dill")
TENSORS = (".pth", ".pt", ".bin", ".safetensors", ".ckpt")
EXAMPLE = ("regions.bed", "genome.fa", "expected.h5")


def check_recorded(draft: Draft) -> Iterator[Finding]:
    """Checksums and sizes of ``files``; what should be recorded is; links, large files, pickles."""
    yield from _checksums(draft)
    yield from _unrecorded(draft)
    for path in draft.files:
        if path.is_symlink():
            if not path.resolve().is_relative_to(draft.folder.resolve()):
                what = f"is a link that leads out of the folder, to {path.readlink()}"
                yield draft.finding("confined", what, "put the file itself there", path)
            continue
        if path.stat().st_size > LARGEST_FILE:
            what = f"has {path.stat().st_size:,} bytes; files of an entry have {LARGEST_FILE:,} at most"
            fix = "publish it elsewhere, and name it in `files` of the card with mirrors"
            yield draft.finding("size", what, fix, path)
        yield from _pickled(draft, path)


def _checksums(draft: Draft) -> Iterator[Finding]:
    for i, one in enumerate(draft.card.files if draft.card else ()):
        path, at = draft.folder / one.path, draft.at("files", i)
        if Path(one.path).is_absolute() or ".." in Path(one.path).parts:
            yield draft.finding("confined", f"`{one.path}` leaves the folder", "name a file of the folder", at)
        elif not path.is_file():
            if not one.mirrors and not one.made_from:
                yield draft.finding("checksum", f"`{one.path}` is not there, and has no mirrors", "add it", at)
        elif one.sha256 and (found := sha256_of(path)) != one.sha256:
            what = f"`{one.path}` is not the recorded file: sha256 {found[:16]}... instead of {one.sha256[:16]}..."
            fix = "restore it, or correct sha256 and bytes in models.tsv"
            if not draft.members:
                fix = f"restore it; if the new one is meant, `zoo check {draft.typed} --record` writes its checksum"
            yield draft.finding("checksum", what, fix, at, code=FetchError.exit_code)
        elif one.bytes is not None and one.bytes != path.stat().st_size:
            what = f"`{one.path}` has {path.stat().st_size:,} bytes instead of {one.bytes:,}"
            yield draft.finding("checksum", what, f"record `bytes: {path.stat().st_size}`", at, code=5)


def _unrecorded(draft: Draft) -> Iterator[Finding]:
    """Own weights must be recorded; so must Python and the example, where the entry is not somebody else's."""
    if draft.card is None:
        return
    known = {one.path for one in draft.card.files}
    for name in own_files(draft):
        if name not in known:
            fix = f"`zoo check {draft.typed} --record` writes it"
            yield draft.finding("checksum", f"`{name}` has no checksum on the card", fix, draft.at("files"))
    elsewhere = draft.weights and "/" not in draft.weights and not draft.has_own_weights and not draft.members
    if elsewhere and draft.weights not in known:
        what = f"the weights `{draft.weights}` are neither in the folder nor in `files` of the card"
        yield draft.finding("checksum", what, "add the file, or name its mirrors in `files`", draft.at("files"))


def own_files(draft: Draft) -> list[str]:
    """Files that the card must record: weights that lie in the folder, and with them its Python and its example."""
    if not draft.has_own_weights or draft.weights is None:
        return []
    python = [path.name for path in draft.files if path.suffix == ".py" and path.parent == draft.folder]
    example = [f"example/{name}" for name in EXAMPLE if (draft.folder / "example" / name).is_file()]
    return [draft.weights, *python, *example]


def _pickled(draft: Draft, path: Path) -> Iterator[Finding]:
    fix = f"`zoo convert {path.name} -o weights.safetensors` takes its tensors out without running it"
    if path.suffix in PICKLES:
        yield draft.finding("pickle", "is a pickle, which can run code when it is opened", fix, path)
    elif path.suffix in TENSORS:
        from zoo.models.pytorch import load_tensors

        try:
            load_tensors(path, allow_numpy=path.suffix == ".ckpt")
        except ZooError as error:
            found = from_error(draft.name, "valid", "pickle" if "refused" in error.what else "weights", error)
            yield draft.finding(found.rule, found.what, found.fix or fix, path)
