"""``report``: a page of motifs, of a file of them, of several beside each other, or of a model and regions.

With a model it runs ``attribute`` and ``find_motifs`` first. Their results lie beside the page; the record of how they
were made, ``OUT.run.json``, tells a later run which of them it can keep.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interpret.contribs.central import UNSIGNED, no_such_window, one_sign
from interpret.contribs.file import is_contribs
from interpret.motifs.motifs_file import MotifsFile, is_motifs, read_motifs
from interpret.report.ending import ending
from interpret.report.figures import require_packages, save_figures
from interpret.report.genes import read_genes
from interpret.report.page import check_page_out, report_text, write_report
from interpret.report.regions import with_regions
from zoo.errors import UsageError
from zoo.paths import refuse_empty
from zoo.results.check_out import check_folder
from zoo.results.whole import replacing, sole_writer
from zoo.run.job import inputs_of
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.genome.region_table import Regions
    from zoo.models.loaded import LoadedModel
    from zoo.progress import Progress

__all__ = ["ReportResult", "report", "words_of"]

#: Options of ``find_motifs`` that a report passes on; ``region`` also serves a page of finished motifs.
OF_MOTIFS = ("database", "central", "max_seqlets", "seqlet_fdr", "modisco", "hits", "effects")
#: Options of ``attribute`` that a report does not take, and why.
NOT_TAKEN = {
    "stride": "a report lays one window on each region",
    "format": "motifs are found in a contribs.h5",
    "overlap": "motifs are found in a contribs.h5",
    "motif": "a report is made of contributions of bases",
}


@dataclass(frozen=True)
class ReportResult:
    """What was written.

    Attributes:
        path: the page; None for standard output and for a dry run.
        figures: files of logos.
        motifs: what the page shows; None for several files and for a dry run.
    """

    path: Path | None = None
    figures: tuple[Path, ...] = ()
    motifs: MotifsFile | None = field(default=None, repr=False, compare=False)


def report(
    source: str | Path | MotifsFile | LoadedModel | Sequence[str | Path | MotifsFile],
    regions: Regions | None = None,
    genome: str | Path | None = None,
    out: str | Path = "report.html",
    *,
    genes: str | Path | None = None,
    look_for: str | Sequence[str] = (),
    region: str | Sequence[str] = (),
    contribs: str | Path | None = None,
    figures: str | Path | None = None,
    figure_format: str = "pdf",
    report: Callable[[str], None] | None = None,
    progress: Callable[[int, int], Progress] | None = None,
    lines: Callable[[str], None] | None = None,
    **options: Any,
) -> ReportResult:
    """Write a page of the motifs that drive a model.

    Args:
        source: a file of ``zoo motifs``, or what ``read_motifs`` returned; a list of several, which are put side by
            side; or, with ``regions``, a model as in ``zoo.predict``.
        regions, genome: as in ``zoo.predict``; without ``regions`` the source is a file of motifs.
        out: the page, one HTML file; ``-`` is standard output.
        genes: BED6, BED12, GTF or GFF3, drawn along the regions.
        look_for: names of known motifs, or bases, of which the page says whether they were found.
        region: region or regions that the page must draw, by name or ``chrom:start-end``; the view opens on the first.
        contribs: what the file of motifs was made from, read for ``region``; default as recorded.
        figures: a folder for the logos of each pattern. figure_format: ``pdf``, ``svg`` or ``png``.
        report: called with each note for the user. progress: ``(total, done) -> Progress`` of the contributions.
        lines: takes a line each second while TF-MoDISco runs.
        **options: with ``regions``, those of ``attribute`` and of ``find_motifs``; ``resume`` keeps what an earlier
            run with the same arguments has finished.

    Raises:
        ZooError: nothing bears the final name.
    """
    say = report or (lambda note: None)
    if options.get("window", "center") not in ("center", "summit"):
        raise no_such_window(options["window"])
    words = words_of(look_for)
    if isinstance(source, list | tuple) and len(source) == 1:
        source = source[0]
    if isinstance(source, list | tuple):
        idle = {"regions": regions, "genome": genome, "genes": genes, "region": _listed(region), "contribs": contribs}
        given = [*(name for name, value in (idle | {"figures": figures}).items() if value), *options]
        return _compare(source, out, words, [_flag(name) for name in given], say)
    if figures is not None:
        require_packages()
        check_folder(figures, option="--figures")
    _check_kind(source, regions)
    if regions is None:
        motifs = _finished(source, _listed(region), contribs, options | ({"genome": genome} if genome else {}))
        return _write(motifs, out, genes, words, (figures, figure_format), say, bool(region))
    if contribs is not None:
        raise UsageError(
            "--contribs: a report of MODEL REGIONS makes its own", "", "Fix: leave out --contribs, or MODEL REGIONS"
        )
    steps = Steps(source, regions, genome, out, options, say, genes)
    steps.check_first(genes)
    if steps.dry_run:
        return _plan(steps)
    with sole_writer(steps.out):
        _run(steps, _listed(region), progress, lines)
        say("step 3 of 3: the page")
        return _write(steps.motifs, steps.out, genes, words, (figures, figure_format), say, bool(region))


def _check_kind(source: Any, regions: Any) -> None:
    """Refuse motifs or contributions with regions, and a model without them.

    Raises:
        UsageError: the source is of the other kind, or nothing.
    """
    refuse_empty(source, UsageError)
    if regions is not None and (isinstance(source, MotifsFile) or is_motifs(source)):
        path = source.path if isinstance(source, MotifsFile) else source
        raise UsageError(
            f"{path}: is a file of finished motifs, and regions were given too",
            "regions are for a model; a file of motifs has its own",
            "Fix: zoo report motifs.h5 -o report.html, with --region NAME for more of its regions",
        )
    if regions is not None and is_contribs(source):
        raise UsageError(
            f"{source}: is a file of contributions, in the place of a model",
            "its regions are in it, and its motifs are to be found first",
            f"Fix: zoo motifs {shlex.quote(str(source))} -o motifs.h5, then zoo report motifs.h5 -o report.html",
        )
    if regions is None and isinstance(source, str | Path) and not Path(source).suffix and not Path(source).is_file():
        raise UsageError(
            f"{source}: no file of motifs; is it a model?",
            "of a model, the regions to explain are needed too",
            "Fix: zoo report MODEL peaks.bed -g genome.fa -o report.html, or zoo report motifs.h5 -o report.html",
        )


def words_of(look_for: str | Sequence[str]) -> list[str]:
    """Known motifs and bases to look for, which may be joined by commas."""
    return [word.strip() for item in _listed(look_for) for word in item.split(",") if word.strip()]


def _listed(items: str | Sequence[str]) -> tuple[str, ...]:
    return (items,) if isinstance(items, str) else tuple(items)


def _compare(
    sources: Sequence[str | Path | MotifsFile],
    out: str | Path,
    words: Sequence[str],
    given: Sequence[str],
    say: Callable[[str], None],
) -> ReportResult:
    """Several files of motifs side by side."""
    from interpret.report.compare import compare_text, write_comparison

    if given:
        raise UsageError(
            f"{', '.join(given)}: has no effect on {counted(len(sources), 'file')} of motifs",
            "they are put side by side as they are",
            f"Fix: leave out {' '.join(given)}, or give one file of motifs",
        )
    if str(out) == "-":
        sys.stdout.write(compare_text(sources, words))
        return ReportResult()
    path = write_comparison(sources, out, words)
    say(f"{len(sources)} runs side by side, {_size(path)} -> {path}")
    return ReportResult(path)


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def _finished(
    source: Any, region: tuple[str, ...], contribs: str | Path | None, options: Mapping[str, Any]
) -> MotifsFile | str | Path:
    """A file of motifs, with more regions to draw."""
    if given := [_flag(name) for name in options]:
        raise UsageError(
            f"{', '.join(given)}: for MODEL REGIONS; {source} is one file of finished motifs",
            "it is shown as it is",
            f"Fix: leave out {' '.join(given)}, or zoo report MODEL REGIONS -o report.html",
        )
    if region:
        return with_regions(source if isinstance(source, MotifsFile) else read_motifs(source), region, contribs)
    if contribs is not None:
        raise UsageError("--contribs: is read for --region, and none is given", "", "Fix: --region NAME, say")
    return source


def _flag(name: str) -> str:
    flags = {"settings": "--set", "genome": "-g", "hits": "--hits", "effects": "--effects"}
    return flags.get(name, f"--{name.replace('_', '-')}")


def _write(
    motifs: MotifsFile | str | Path,
    out: str | Path,
    genes: str | Path | None,
    words: Sequence[str],
    figures: tuple[str | Path | None, str],
    say: Callable[[str], None],
    named: bool,
) -> ReportResult:
    folder, format = figures
    if str(out) == "-":
        path, motifs = None, _opened(motifs)
        sys.stdout.write(report_text(motifs, genes, words, named))
    else:
        out = check_page_out(out, [motifs.path if isinstance(motifs, MotifsFile) else motifs, genes])
        with sole_writer(out):
            motifs = _opened(motifs)
            path = write_report(motifs, out, genes, words, named)
        for line in ending(motifs, words):
            say(line)
        say(f"{_size(path)} -> {path}")
    if folder is None:
        return ReportResult(path, motifs=motifs)
    saved = save_figures(motifs, folder, format)
    say(f"{counted(len(saved), 'figure')} -> {folder}")
    return ReportResult(path, tuple(saved), motifs)


def _opened(motifs: MotifsFile | str | Path) -> MotifsFile:
    return motifs if isinstance(motifs, MotifsFile) else read_motifs(motifs)


# ---------------------------------------------------------------- contributions, motifs and the page, all at once


def _plan(steps: Steps) -> ReportResult:
    """A dry run: everything that the contributions need is checked."""
    from interpret.attribute.attribute import attribute

    planned = attribute(*steps.asked, steps.contribs, report=steps.say, planned=steps.warn_few, **steps.attributing)
    steps.say(f"dry run: {counted(planned.windows, 'window')} to explain; nothing was written")
    return ReportResult()


def _run(
    steps: Steps,
    region: tuple[str, ...],
    progress: Callable[[int, int], Progress] | None,
    lines: Callable[[str], None] | None,
) -> None:
    """Run what has to be run of the two earlier steps."""
    from interpret.attribute.attribute import attribute
    from interpret.motifs.find import find_motifs

    attributing = {**steps.attributing, "report": steps.say, "progress": progress, "resume": steps.resume}
    title = "step 1 of 3: what each base contributes"

    def begin(windows: int, length: int) -> None:  # a mistake in the arguments is told before any step begins
        steps.say(title)
        steps.warn_few(windows, length)

    with steps.step("attribute", steps.contribs, steps.reading_record()) as needed:
        if needed:
            steps.say(attribute(*steps.asked, steps.contribs, planned=begin, **attributing).summary())
        else:
            steps.say_kept(title, steps.contribs)
    title = "step 2 of 3: motifs in the contributions"
    with steps.step("motifs", steps.motifs, steps.finding | {"region": list(region)}) as needed:
        if not needed:
            steps.say_kept(title, steps.motifs)
        else:
            steps.say(title)
            find_motifs(
                steps.contribs,
                steps.motifs,
                **steps.finding,
                region=region,
                model=steps.model,
                report=steps.say_once,
                progress=lines,
            )


def made_beside(page: Path) -> list[Path]:
    """What ``report`` of a model writes beside the page: contributions, motifs and their text files."""
    from interpret.motifs.find import texts_beside

    contribs, motifs = _steps_of(page)
    return [contribs, motifs, *texts_beside(motifs).values()]


def _steps_of(page: Path) -> tuple[Path, Path]:
    """The files of contributions and of motifs."""
    return page.with_name(f"{page.stem}.contribs.h5"), page.with_name(f"{page.stem}.motifs.h5")


class Steps:
    """The files of one report, the options of its steps, and the record of how they were made, ``OUT.run.json``.

    Args:
        model, regions, genome, out, genes: as given. options: of both steps. say: takes notes.

    Raises:
        UsageError: an option that a report does not take, or the page cannot be written there.

    Attributes:
        out: the page. asked: model, regions and genome.
        model: its name or path; None for a loaded one, whose name is recorded.
        contribs, motifs: their files. attributing, finding: the options of ``attribute`` and of ``find_motifs``.
    """

    def __init__(
        self,
        model: str | Path | LoadedModel,
        regions: Regions,
        genome: str | Path | None,
        out: str | Path,
        options: Mapping[str, Any],
        say: Callable[[str], None],
        genes: str | Path | None = None,
    ) -> None:
        from interpret.attribute.options import MARGINALIZE

        self.asked, self.say = (model, regions, genome), say
        self.model = str(model) if isinstance(model, str | Path) else None
        options = dict(options)
        self.resume, self.dry_run = options.pop("resume", False), options.get("dry_run", False)
        self.finding = {name: options.pop(name) for name in OF_MOTIFS if name in options}
        self.attributing = options
        for name in NOT_TAKEN:
            if name in options:
                raise UsageError(
                    f"{_flag(name)}: is no option of a report, {NOT_TAKEN[name]}", "", f"Fix: leave out {_flag(name)}"
                )
        if options.get("method") == MARGINALIZE:
            raise UsageError(
                f"--method {MARGINALIZE}: {NOT_TAKEN['motif']}",
                "it gives an effect of each window instead",
                f"Fix: zoo attribute MODEL REGIONS --method {MARGINALIZE} --motif TGACTCA -o effects.tsv",
            )
        if options.get("method") in UNSIGNED:
            error = one_sign(f"--method {options['method']}", options["method"])
            raise UsageError(error.what, error.extent, "Fix: --method inputxgradient, as quick and with signs")
        self.finding |= {name: options[name] for name in ("trust", "seed") if name in options}
        if str(out) == "-":
            raise UsageError(
                "-o -: the contributions and motifs need a place beside the page", "", "Fix: -o report.html"
            )
        given = [*inputs_of(model, regions, genome, {}), genes, self.finding.get("database")]
        self.out = check_page_out(out, given, made_beside)
        self.contribs, self.motifs = _steps_of(self.out)
        self.record = self.out.with_name(f"{self.out.name}.run.json")
        self._inputs = {
            "model": _state(model),
            "regions": _state(regions),
            "genome": _state(genome),
            "seqzoo": metadata.version("seqzoo"),
        }
        self._done = self._read()
        self._redone = False
        self._told: set[str] = set()

    def check_first(self, genes: str | Path | None) -> None:
        """What can be refused within a second is refused before contributions take minutes.

        Raises:
            ZooError: the database, an option of TF-MoDISco or the file of genes is wrong.
        """
        from interpret.attribute.options import split_options
        from interpret.motifs.databases import JASPAR_TAXA, open_database
        from interpret.motifs.discover import parse_options

        if self.asked[1] == "-" and os.isatty(0):
            raise UsageError(
                "REGIONS is -, and nothing is piped in", "", "Fix: zoo report MODEL peaks.bed -o report.html"
            )
        split_options(self.attributing)
        modisco = self.finding.get("modisco", ())
        if not isinstance(modisco, Mapping):
            parse_options([modisco] if isinstance(modisco, str) else modisco)
        if genes is not None:
            read_genes(genes)
        database = self.finding.get("database", "jaspar")
        if database not in ("jaspar", *(f"jaspar:{taxon}" for taxon in JASPAR_TAXA)):  # those take seconds to open
            open_database(database)

    def say_kept(self, title: str, path: Path) -> None:
        """Say the title of a step that need not run, and why."""
        self.say(title)
        self.say(f"{path} is kept: an earlier run made it of the same input with the same options")

    def warn_few(self, windows: int, length: int) -> None:
        """Say before the contributions are computed that no motif may be found in so few windows."""
        from interpret.motifs.discover import too_few
        from interpret.motifs.find import given_options

        options = {name: self.finding[name] for name in ("max_seqlets", "seqlet_fdr") if name in self.finding}
        given = given_options(self.finding.get("modisco", ()), **options)
        if note := too_few(windows, min(self.finding.get("central") or length, length), given):
            self._told.add(note)
            self.say(note)

    def say_once(self, note: str) -> None:
        """Say what was not said before the contributions were computed."""
        if note not in self._told:
            self.say(note)

    def reading_record(self) -> dict[str, Any]:
        """The options of the contributions, defaults included: typing a default changes nothing."""
        from interpret.attribute.options import split_options

        explaining, reading = split_options(self.attributing)
        return dataclasses.asdict(explaining) | dataclasses.asdict(reading)

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self.record.read_text(encoding="utf-8"))["steps"] if self.resume else {}
        except (OSError, ValueError, KeyError):
            return {}

    @contextmanager
    def step(self, name: str, path: Path, options: Mapping[str, Any]) -> Iterator[bool]:
        """Whether the step has to run: not when the record says that ``path`` was made of the same, in the same way.

        The record is written after the step, so that an interrupted one is run again.
        """
        asked = json.loads(json.dumps({"inputs": self._inputs, "options": dict(options)}, default=str))
        done = self._done.get(name, {})
        if not self._redone and done.get("asked") == asked and done.get("result") == _state(str(path)):
            yield False
            return
        self._redone = True  # and so must be all that follows
        yield True
        self._done[name] = {"asked": asked, "result": _state(str(path))}
        with replacing(self.record) as partial:
            partial.write_text(json.dumps({"steps": self._done}, indent=1) + "\n", encoding="utf-8")


def _state(given: Any) -> Any:
    """A name; of a file or folder also its size and time, by which a change is seen without reading it."""
    if given is not None and not isinstance(given, str | Path):
        return time.time_ns()  # a loaded model or a table has no state that could be compared: it is never the same
    name = None if given is None else str(given)
    if name is None or not os.path.exists(name):
        return name
    files = [item for item in Path(name).rglob("*") if item.is_file()] if os.path.isdir(name) else [Path(name)]
    stats = [item.stat() for item in files]
    return [os.path.abspath(name), sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)]
