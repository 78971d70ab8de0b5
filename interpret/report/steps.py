"""The steps of ``zoo report MODEL REGIONS``: what lies beside the page, and what of it an earlier run has finished."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.results import check_folder, replacing

__all__ = ["Steps", "check_first"]


def check_first(
    model: str,
    regions: str,
    genome: str | None,
    out: str,
    database: str,
    modisco: tuple[str, ...],
    genes: str | None,
    figures: str | None = None,
) -> Path:
    """What can be refused within a second is refused before contributions take minutes; returns the page to write.

    Raises:
        ZooError: the place to write, the database, an option of TF-MoDISco or the file of genes is wrong.
    """
    from interpret.motifs.databases import JASPAR_TAXA, open_database
    from interpret.motifs.discover import parse_options
    from interpret.report.genes import read_genes
    from interpret.report.page import check_page_out
    from zoo.run.job import inputs_of

    page = check_page_out(out, [*inputs_of(model, regions, genome, {}), genes, database], made_beside)
    if figures is not None:
        check_folder(figures, option="--figures")
    if regions == "-" and os.isatty(0):
        raise UsageError("REGIONS is -, and nothing is piped in", "", "Fix: zoo report MODEL peaks.bed -o report.html")
    parse_options(modisco)
    if genes is not None:
        read_genes(genes)
    if database not in ("jaspar", *(f"jaspar:{taxon}" for taxon in JASPAR_TAXA)):  # those take seconds to open
        open_database(database)
    return page


def made_beside(out: Path) -> list[Path]:
    """What ``zoo report MODEL REGIONS`` writes beside the page: contributions, motifs and their text files."""
    from interpret.motifs.find import texts_beside

    contribs, motifs = _steps_of(out)
    return [contribs, motifs, *texts_beside(motifs).values()]


def _steps_of(out: Path) -> tuple[Path, Path]:
    """The files of contributions and of motifs."""
    return out.with_name(f"{out.stem}.contribs.h5"), out.with_name(f"{out.stem}.motifs.h5")


class Steps:
    """The files of one report and the record of how they were made, ``OUT.run.json``.

    Args:
        out: the page. model, regions, genome: as given. resume: whether finished steps are kept.
    """

    def __init__(self, out: str, model: str, regions: str, genome: str | None, resume: bool) -> None:
        self.contribs, self.motifs = _steps_of(Path(out))
        self.record = Path(out + ".run.json")
        self.resume = resume
        self._inputs = {
            "model": _state(model),
            "regions": _state(regions),
            "genome": _state(genome),
            "seqzoo": metadata.version("seqzoo"),
        }
        self._done = self._read()
        self._redone = False

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self.record.read_text(encoding="utf-8"))["steps"] if self.resume else {}
        except (OSError, ValueError, KeyError):
            return {}

    @contextmanager
    def step(self, name: str, path: Path, options: dict[str, Any], tell: Callable[[str], None]) -> Iterator[bool]:
        """Whether the step has to run: not when the record says that ``path`` was made of the same, in the same way.

        The record is written after the step, so that an interrupted one is run again.
        """
        asked = json.loads(json.dumps({"inputs": self._inputs, "options": options}, default=str))
        done = self._done.get(name, {})
        if not self._redone and done.get("asked") == asked and done.get("result") == _state(str(path)):
            tell(f"{path} is kept: an earlier run made it of the same input with the same options")
            yield False
            return
        self._redone = True  # and so must be all that follows
        yield True
        self._done[name] = {"asked": asked, "result": _state(str(path))}
        with replacing(self.record) as partial:
            partial.write_text(json.dumps({"steps": self._done}, indent=1) + "\n", encoding="utf-8")


def _state(name: str | None) -> Any:
    """A name; of a file or folder also its size and time, by which a change is seen without reading it."""
    if name is None or not os.path.exists(name):
        return name
    files = [item for item in Path(name).rglob("*") if item.is_file()] if os.path.isdir(name) else [Path(name)]
    stats = [item.stat() for item in files]
    return [os.path.abspath(name), sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)]
