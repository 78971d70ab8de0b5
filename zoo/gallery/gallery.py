"""``zoo gallery``: collect the entries, make the pages, put the site where it was asked for, whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from zoo.errors import UsageError
from zoo.gallery.collect import Item, collect
from zoo.gallery.pages import pages, safe_name
from zoo.results.check_out import check_folder
from zoo.results.whole import replacing_folder, sole_writer
from zoo.words import counted

__all__ = ["MANIFEST", "Gallery", "gallery"]

#: Names every file of a site: by it a folder is known to be a gallery, and what in it is not of one.
MANIFEST = "gallery.json"
SCHEMA_VERSION = 1
REPORT_SUFFIXES = (".html", ".htm")


@dataclass(frozen=True)
class Gallery:
    """What was made.

    Attributes:
        folder: of the site. index: the page to open.
        models: how many models it shows. cards: entries and groups, each with a page.
        files: how many files it has. bytes: of all of them.
    """

    folder: Path
    models: int
    cards: int
    files: int
    bytes: int

    @property
    def index(self) -> Path:
        """The page to open."""
        return self.folder / "index.html"


def gallery(
    out: str | Path = "site",
    *,
    source: Iterable[str] = (),
    reports: str | Path | None = None,
    examples: bool = True,
    report: Callable[[str], None] | None = None,
) -> Gallery:
    """Write a static site of the entries: a list to search and filter, a page an entry, a comparison.

    It opens from disk or from any host, loads nothing from elsewhere, and can be read without script. The same entries
    give the same bytes.

    Args:
        out: folder to write. One that is a gallery is replaced when the new one is complete.
        source: further entries than the bundled ones: names of ``zoo source list``, ``grelu`` or ``all``.
        reports: folder with motif reports of `zoo report`: ``NAME.html`` for the entry or group NAME.
        examples: whether the predictions for the entries' examples are drawn.
        report: takes notes, as sentences.

    Raises:
        UsageError: ``out`` is a folder of other things, or no source or folder of that name.
        ModelError: a source's folder is gone.
    """
    names = [source] if isinstance(source, str) else list(source)
    out = _check_out(Path(out), reports)
    out.parent.mkdir(parents=True, exist_ok=True)
    with sole_writer(out):
        items, records = collect(names, report)
        found = _reports(reports, items, report)
        with replacing_folder(out) as made:
            made.mkdir()
            sizes = _write(made, items, found, examples)
            _check_out(out, reports)  # what somebody put there meanwhile is kept
    return Gallery(out, len(records), len(items), len(sizes), sum(sizes.values()))


def _check_out(out: Path, reports: str | Path | None) -> Path:
    """The folder to write, which is new, empty, or a gallery and nothing besides."""
    out = check_folder(out, inputs=[reports], replaced=True)
    if not out.is_dir():
        return out
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir() or path.is_symlink()}
    if not there:
        return out
    if MANIFEST not in there:
        what, extent = f"{out}: is a folder that is not a gallery", f"{counted(len(there), 'file')}, e.g. {min(there)}"
        raise UsageError(what, extent, "Fix: give a new or an empty folder with -o")
    others = sorted(there - _listed(out / MANIFEST) - {MANIFEST})
    if others:
        extent = f"{counted(len(others), 'file')}, e.g. {', '.join(others[:3])}"
        raise UsageError(
            f"{out}: is a gallery with files that no gallery wrote, and is replaced as a whole",
            extent,
            "Fix: move them elsewhere, or give another folder with -o",
        )
    return out


def _listed(path: Path) -> set[str]:
    try:
        return set(json.loads(path.read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _reports(
    folder: str | Path | None, items: Sequence[Item], report: Callable[[str], None] | None
) -> dict[str, tuple[Path, str]]:
    """Item -> its report, and where that lies in the site."""
    if folder is None:
        return {}
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"--reports {folder}: no such folder", "", "Fix: give the folder that holds NAME.html")
    found = {}
    for item in items:
        path = next((p for p in (folder / f"{item.name}{end}" for end in REPORT_SUFFIXES) if p.is_file()), None)
        if path is not None:
            parts = [safe_name(part) for part in item.name.split("/")]
            found[item.name] = (path, f"reports/{'/'.join(parts)}.html")
    others = {path for path in folder.rglob("*") if path.suffix in REPORT_SUFFIXES} - {
        path for path, _ in found.values()
    }
    if others and report is not None:
        n, first = len(others), min(others).relative_to(folder)
        report(f"{counted(n, 'report is', 'reports are')} of no entry that is shown, e.g. {first}")
    return found


def _write(
    made: Path, items: Sequence[Item], reports: Mapping[str, tuple[Path, str]], examples: bool
) -> dict[str, int]:
    """Write the site into an empty folder; returns bytes by path."""
    sizes = {}
    places = {name: place for name, (_, place) in reports.items()}
    for path, text in pages(items, metadata.version("seqzoo"), places, examples):
        sizes[path] = _put(made / path, text)
    for source, place in reports.values():
        (made / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, made / place)
        sizes[place] = (made / place).stat().st_size
    sizes[".nojekyll"] = _put(made / ".nojekyll", "")  # GitHub Pages serves the files as they are
    manifest = {"schema_version": SCHEMA_VERSION, "files": sorted([*sizes, MANIFEST])}
    sizes[MANIFEST] = _put(made / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return sizes


def _put(path: Path, text: str) -> int:
    data = text.encode("utf-8", "replace")  # half a letter that a YAML file spells out is none
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return len(data)
