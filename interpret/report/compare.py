"""Several files of motifs on one page: which patterns are the same motif, and what each run says of it.

Runs may differ in everything: model, output, method, regions, window. What differs stands at the top; numbers of
different outputs stand beside each other in their own units, and none is computed from two of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from interpret.motifs.explained import ExplainedSign
from interpret.motifs.grades import RULE, grade_patterns
from interpret.motifs.motifs_file import MotifsFile, read_motifs
from interpret.motifs.pattern import ALIKE, Alignment, Pattern, alignment
from interpret.report.card import ModelCard, find_card
from interpret.report.drawing import GLYPHS, PATHS, logo
from interpret.report.head import LookedFor, Made, look_for, made_of, model_name, unit_of
from interpret.report.numbers import Row, core_contribution, order_of, row_of
from interpret.report.page import check_page_out, templates
from interpret.report.record import without_paths
from interpret.report.sentence import listed, percent, sentence
from interpret.report.table import oriented
from interpret.report.words import called
from zoo.errors import UsageError
from zoo.results.whole import replacing, sole_writer
from zoo.words import counted

__all__ = ["Cell", "Entry", "Fact", "MotifRow", "Run", "compare_text", "labels_of", "motif_rows", "write_comparison"]

ALIKE_AND_NAMED = 0.8  # of patterns that earn the same name: cores of repeats end in different places
NEAREST = 0.7  # below it, the nearest pattern of a run says nothing


@dataclass(frozen=True)
class Run:
    """One file of motifs.

    Attributes:
        label: what the page calls it; no other run has it.
        rows: numbers of its patterns, in the file's order. made: how it was made. units: of its effects.
        sentence: what drives its model.
    """

    label: str
    motifs: MotifsFile
    rows: list[Row]
    made: Made
    units: str
    sentence: str


@dataclass(frozen=True)
class Entry:
    """One pattern of a run in a row of the table.

    Attributes:
        picture: contributions of the core, in the row's orientation and alignment.
        share: of the contribution of its sign that its instances hold, in words; empty where it is not known.
        similarity: with the pattern that the row began with.
    """

    pattern: Pattern
    numbers: Row
    picture: Markup
    share: str
    similarity: float


@dataclass(frozen=True)
class Cell:
    """What a run has of a motif. nearest: where it has none, its nearest pattern and the similarity, or None.

    A nearest pattern may be alike enough, and nearer still to the motif in whose row it stands.
    """

    run: Run
    entries: list[Entry]
    nearest: tuple[Pattern, float] | None


@dataclass(frozen=True)
class MotifRow:
    """One motif. names: what its patterns earned, resemble or include; known: whether earned. cells: one a run."""

    names: list[str]
    known: bool
    cells: list[Cell]

    @property
    def runs(self) -> int:
        """In how many runs it is."""
        return sum(bool(cell.entries) for cell in self.cells)


@dataclass(frozen=True)
class Fact:
    """One line of the table of runs; texts: one a run."""

    title: str
    texts: list[str]

    @property
    def same(self) -> bool:
        return len(set(self.texts)) == 1


def write_comparison(sources: Sequence[str | Path | MotifsFile], out: str | Path, words: Sequence[str] = ()) -> Path:
    """Write the page of several files of motifs; returns its path.

    Args:
        sources: files of ``zoo motifs``, or what ``read_motifs`` returned. words: known motifs, or bases, looked for.

    Raises:
        InputError: not a file of motifs. UsageError: fewer than two, or the place to write is wrong.
    """
    out = check_page_out(out, [source.path if isinstance(source, MotifsFile) else source for source in sources])
    with sole_writer(out), replacing(out) as partial:
        partial.write_text(compare_text(sources, words), encoding="utf-8")
    return out


def compare_text(sources: Sequence[str | Path | MotifsFile], words: Sequence[str] = ()) -> str:
    """The page as text."""
    if len(sources) < 2:
        raise UsageError(f"{len(sources)} file of motifs: nothing to compare it with", "", "Fix: zoo report A.h5 B.h5")
    files = [source if isinstance(source, MotifsFile) else read_motifs(source) for source in sources]
    labels = labels_of([motifs.path for motifs in files])
    runs = _in_the_same_words([_run(label, motifs) for label, motifs in zip(labels, files, strict=True)])
    rows = motif_rows(runs)
    facts = _facts(runs)
    return (
        templates()
        .get_template("compare.html")
        .render(
            runs=runs,
            lead=_lead(rows, runs),
            rows=rows,
            differing=[fact for fact in facts if not fact.same],
            same=[fact for fact in facts if fact.same],
            explained=_how_much(runs),
            looked_for=[Fact(word, _looked(runs, word)) for word in words],
            comparable=_comparable(runs),
            alike=ALIKE,
            alike_and_named=ALIKE_AND_NAMED,
            rule=RULE,
            glyphs=GLYPHS,
            shapes=PATHS,
        )
    )


def _run(label: str, motifs: MotifsFile) -> Run:
    record = motifs.run["contributions"]
    card: ModelCard | None = find_card(record)
    rows = [row_of(motifs, index, name) for index, name in enumerate(grade_patterns(motifs))]
    said = sentence(motifs, rows, called(record, card))
    return Run(label, motifs, rows, made_of(motifs, card), unit_of(motifs, card), said)


def _in_the_same_words(runs: Sequence[Run]) -> list[Run]:
    """Runs that explain the same number, said alike: a file without a predicted track does not know how many bins."""
    said: dict[str, Run] = {}
    for run in runs:
        said[_question(run)] = max(said.get(_question(run), run), run, key=lambda one: len(one.units))
    return [
        replace(run, units=one.units, made=replace(run.made, output=one.made.output))
        for run in runs
        for one in [said[_question(run)]]
    ]


def labels_of(paths: Sequence[Path]) -> list[str]:
    """What runs are called: the files' names, with as many folders before them as tell them apart, else numbered."""
    found = [path.stem.removesuffix(".motifs") for path in paths]
    folders = [list(path.absolute().parts[1:-1]) for path in paths]
    for _ in range(max(map(len, folders), default=0)):
        if not (twice := _repeated(found)):
            break
        # Only those that differ in some folder are made longer: the same file twice would get its whole path.
        for name in twice:
            members = [i for i, text in enumerate(found) if text == name]
            if len({tuple(folders[i]) for i in members}) > 1:
                for i in members:
                    found[i] = f"{folders[i].pop()}/{found[i]}" if folders[i] else found[i]
    count: Counter[str] = Counter()
    twice = _repeated(found)
    for i, name in enumerate(found):
        if name in twice:
            count[name] += 1
            found[i] = f"{name} ({count[name]})"
    return found


def _repeated(names: Sequence[str]) -> set[str]:
    return {name for name, n in Counter(names).items() if n > 1}


# ---------------- which patterns are the same motif


@dataclass(frozen=True)
class _Member:
    """A pattern of a run, and how it lies on the pattern that its motif began with."""

    run: int
    index: int
    placed: Alignment


def motif_rows(runs: Sequence[Run]) -> list[MotifRow]:
    """Motifs in the order in which they drive: the strongest of each run first.

    A pattern joins the motif whose first pattern it is most like: by the cosine of their contributions, of which the
    sign is left out, since what raises one output may lower another. It has to be ``ALIKE``, as patterns of one file
    have to be to be called alike, or ``ALIKE_AND_NAMED`` where both earn the same name.
    """
    ranked = sorted(
        (rank, number, index) for number, run in enumerate(runs) for rank, index in enumerate(order_of(run.rows))
    )
    motifs: list[list[_Member]] = []
    for _, number, index in ranked:
        best = max(
            (
                (placed.similarity, -k, placed)
                for k, members in enumerate(motifs)
                if _same(runs, members[0], number, index, placed := _placed(runs, members[0], number, index))
            ),
            default=None,
            key=lambda item: item[:2],
        )
        if best is None:
            motifs.append([_Member(number, index, Alignment(1.0, False, 0))])
        else:
            motifs[-best[1]].append(_Member(number, index, best[2]))
    return [_row(runs, members) for members in motifs]


def _shape(run: Run, index: int):
    """Contributions of the core, those of a pattern that lowers turned up."""
    pattern = run.motifs.patterns[index]
    return core_contribution(pattern) * (1 if pattern.positive else -1)


def _placed(runs: Sequence[Run], first: _Member, number: int, index: int) -> Alignment:
    return alignment(_shape(runs[first.run], first.index), _shape(runs[number], index))


def _same(runs: Sequence[Run], first: _Member, number: int, index: int, placed: Alignment) -> bool:
    if placed.similarity >= ALIKE:
        return True
    names = {_earned(runs[first.run].rows[first.index]), _earned(runs[number].rows[index])}
    return placed.similarity >= ALIKE_AND_NAMED and len(names) == 1 and None not in names


def _earned(row: Row) -> str | None:
    return row.name.match.motif.name.upper() if row.name.known and row.name.match else None


def _row(runs: Sequence[Run], members: Sequence[_Member]) -> MotifRow:
    first = members[0]
    base = runs[first.run]
    turned, width = base.rows[first.index].turned, len(_shape(base, first.index))
    # Columns of the first pattern, of which the others' may begin before it: all are moved to the right together.
    begins = [_begin(runs, member, turned, width) for member in members]
    ends = [begin + len(_shape(runs[m.run], m.index)) for begin, m in zip(begins, members, strict=True)]
    columns = max(ends) - min(begins)
    entries: list[list[Entry]] = [[] for _ in runs]
    for member, begin in zip(members, begins, strict=True):
        run = runs[member.run]
        entries[member.run].append(_entry(run, member, turned, begin - min(begins), columns))
    rows = [runs[member.run].rows[member.index] for member in members]
    earned = list(dict.fromkeys(row.name.match.motif.name for row in rows if row.name.known and row.name.match))
    others = list(dict.fromkeys(text for row in rows if (text := _grey(row))))
    cells = [
        Cell(run, found, None if found else _nearest(runs, first, number))
        for number, (run, found) in enumerate(zip(runs, entries, strict=True))
    ]
    return MotifRow(earned or others, bool(earned), cells)


def _grey(row: Row) -> str | None:
    """What there is to say of a pattern that earned no name."""
    return row.name.label or (f"includes {listed(row.holds)}" if row.holds else row.name.composition)


def _begin(runs: Sequence[Run], member: _Member, turned: bool, width: int) -> int:
    """Where a pattern begins in the columns of the first one, as that is shown."""
    shift, own = member.placed.shift, len(_shape(runs[member.run], member.index))
    return width - shift - own if turned else shift


def _entry(run: Run, member: _Member, turned: bool, lead: int, columns: int) -> Entry:
    pattern, row = run.motifs.patterns[member.index], run.rows[member.index]
    heights = oriented(core_contribution(pattern), member.placed.turned ^ turned)
    picture = logo(heights, f"{run.label} {pattern.short_name}, contribution", lead=lead, columns=columns)
    return Entry(pattern, row, picture, _share(run, member.index), member.placed.similarity)


def _share(run: Run, index: int) -> str:
    side = _side(run, run.motifs.patterns[index].positive)
    if side is None or side.by_pattern is None:
        return ""
    sign = "positive" if run.motifs.patterns[index].positive else "negative"
    return f"{percent(float(side.by_pattern[index]))} of {sign} contribution"


def _side(run: Run, positive: bool) -> ExplainedSign | None:
    held = run.motifs.explained
    return held and (held.positive if positive else held.negative)


def _nearest(runs: Sequence[Run], first: _Member, number: int) -> tuple[Pattern, float] | None:
    found = [
        (_placed(runs, first, number, index).similarity, -index) for index in range(len(runs[number].motifs.patterns))
    ]
    similarity, index = max(found, default=(0.0, 0))
    return (runs[number].motifs.patterns[-index], similarity) if similarity >= NEAREST else None


# ---------------- what is said of the runs


def _lead(rows: Sequence[MotifRow], runs: Sequence[Run]) -> str:
    """Which motifs all runs have, some, and one alone: by the names that are earned, and how many more there are."""
    if not rows:
        return f"None of the {len(runs)} runs has a pattern."
    everywhere = "both runs" if len(runs) == 2 else f"all {len(runs)} runs"
    kinds = {everywhere: [], "some of them": [], "one alone": []}
    for row in rows:
        kinds[everywhere if row.runs == len(runs) else "one alone" if row.runs == 1 else "some of them"].append(row)
    return "; ".join(_of_a_kind(where, of) for where, of in kinds.items() if of or where == everywhere) + "."


def _of_a_kind(where: str, rows: Sequence[MotifRow]) -> str:
    known = [row for row in rows if row.known]
    named = list(dict.fromkeys(" or ".join(row.names[:2]) for row in known))
    if named and len(rows) > len(known):
        named.append(f"{len(rows) - len(known)} without an earned name")
    count = counted(len(rows), "motif") if rows else "No motif"
    return f"{count} in {where}" + (f": {listed(named)}" if named else "")


def _comparable(runs: Sequence[Run]) -> str:
    """Whether numbers of different runs answer the same question."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_question(run), []).append(run)
    if len(groups) == 1:
        return f"The runs explain the same number of the same model: {_among(runs)}"
    said = (
        f"The runs explain {len(groups)} different numbers, each in its own unit: effects and contributions of "
        "different columns are not comparable. What can be compared is which motifs there are, their order within a "
        "run, in how many regions they lie and what share of a run's contribution their instances hold."
    )
    for members in groups.values():
        if len(members) > 1:
            said += f" {listed([run.label for run in members])} explain the same number: among them {_among(members)}"
    return said


def _among(runs: Sequence[Run]) -> str:
    if len({(run.made.method, run.made.references) for run in runs}) > 1:
        return "effects can be compared, contributions cannot, since methods or references differ."
    return "effects and contributions can be compared; effects are measured in shuffles of each run's own regions."


def _question(run: Run) -> str:
    """What was explained: two runs with the same text explain the same number."""
    record = run.motifs.run["contributions"]
    model = record.get("model") if isinstance(record.get("model"), dict) else {"name": record.get("model")}
    facts: tuple[Any, ...] = (sorted((model.get("sha256") or {}).items()) or (model.get("name"), model.get("version")),)
    return str((*facts, *(record.get(key) for key in ("output", "tracks", "bins", "reduction", "explained"))))


def _facts(runs: Sequence[Run]) -> list[Fact]:
    """How the runs were made."""
    makers: dict[str, Callable[[Run], str]] = {
        "Model": lambda run: " ".join(filter(None, [model_name(run.motifs.run["contributions"]), run.made.version])),
        "Output explained": lambda run: run.made.output,
        "Unit of effects": lambda run: run.units or "not known",
        "Method": lambda run: run.made.method,
        "References": lambda run: run.made.references,
        "Genome": lambda run: run.made.genome,
        "Regions": lambda run: run.made.regions,
        "Known motifs": lambda run: (
            f"{run.motifs.run['database']}, {counted(run.motifs.run['database_motifs'], 'motif')}"
        ),
    }
    facts = [Fact(title, [make(run) for run in runs]) for title, make in makers.items()]
    if shared := _shared_regions(runs):
        facts.append(Fact("Windows that all runs have", shared))
    options = [run.motifs.run.get("modisco") or {} for run in runs]
    keys = sorted({key for given in options for key in given if any(o.get(key) != given[key] for o in options)})
    if keys:
        texts = [", ".join(f"{key} {given.get(key, 'not recorded')}" for key in keys) for given in options]
        facts.append(Fact("Options of TF-MoDISco", texts))
    return facts


def _shared_regions(runs: Sequence[Run]) -> list[str]:
    """Of each run how many windows lie in all of them; empty where all are the same."""
    places = [
        list(zip(m.regions.chrom, m.regions.window_start.tolist(), m.regions.window_end.tolist(), strict=True))
        for m in (run.motifs for run in runs)
    ]
    common = set.intersection(*map(set, places))
    counts = [sum(place in common for place in own) for own in places]
    if all(count == len(own) for count, own in zip(counts, places, strict=True)):
        return []
    return [f"{count:,} of {len(own):,}" for count, own in zip(counts, places, strict=True)]


def _how_much(runs: Sequence[Run]) -> list[Fact]:
    """How much the motifs of each run explain."""
    rows: dict[str, Callable[[Run], str]] = {
        "Patterns": lambda run: _counted(run),
        "Positive contribution in instances": lambda run: _held(run, True),
        "Negative contribution in instances": lambda run: _held(run, False),
        "Seqlets in patterns": _seqlets,
        "Variance of the prediction, in regions held out": _variance,
    }
    return [Fact(title, [make(run) for run in runs]) for title, make in rows.items()]


def _counted(run: Run) -> str:
    raising = sum(pattern.positive for pattern in run.motifs.patterns)
    named = sum(row.name.known for row in run.rows)
    return f"{raising} raise, {len(run.rows) - raising} lower; {named} with an earned name"


NOT_HELD = "not in this file"


def _held(run: Run, positive: bool) -> str:
    side, held = _side(run, positive), run.motifs.explained
    if side is None or held is None:
        return NOT_HELD
    if not run.rows:
        return "there is no pattern"
    if side.share is None:
        return "no contribution of this sign" if held.covered is not None else "hits were not looked for"
    return f"{percent(side.share)}, on {percent(held.covered or 0.0)} of the bases"


def _seqlets(run: Run) -> str:
    held = run.motifs.explained
    if held is None:
        return NOT_HELD
    sides = [side for side in (held.positive, held.negative) if side.seqlets_found]
    found = sum(side.seqlets_found or 0 for side in sides)
    return f"{sum(side.seqlets for side in sides):,} of {found:,}" if found else "none were found"


def _variance(run: Run) -> str:
    held = run.motifs.explained
    if held is None:
        return NOT_HELD
    if held.variance is None:
        return f"not measured: {without_paths(held.no_variance)}"
    v = held.variance
    return (
        f"{percent(v.instances)} by counts of instances (95% interval {percent(v.low)} to {percent(v.high)}); base "
        f"composition alone {percent(v.composition)}, both {percent(v.both)}"
    )


def _looked(runs: Sequence[Run], word: str) -> list[str]:
    return [_found(look_for(run.motifs, [word])[0]) for run in runs]


def _found(item: LookedFor) -> str:
    if item.pattern is None:
        return f"not found{': ' + item.lacking if item.lacking else ''}"
    where = f"in a subpattern of {item.pattern.short_name}" if item.inside else item.pattern.short_name
    return where + (", name not earned" if item.weak else "")
