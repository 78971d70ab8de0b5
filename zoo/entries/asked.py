"""What a draft is told of a model: facts that are given or asked for, its place, its window and its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.entries.draft import MARK, draft_text
from zoo.entries.example import Example, cut_example, random_example
from zoo.entries.own_module import TriedOutput
from zoo.errors import UsageError
from zoo.genome.assembly import chrom_style, guess_assembly, load_assembly
from zoo.genome.fasta import open_genome
from zoo.words import counted

__all__ = ["AXES", "Ask", "Facts", "Place", "answer_of", "listed", "outputs_of", "targets_of", "window_of"]

#: Asks a question of a person: ``(question, choices)`` -> the answer, empty where there is none.
Ask = Callable[[str, Sequence[str]], str]

AXES = ("4xL", "Lx4")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the user says of the model; what is None is asked, or marked in the card.

    Attributes:
        length: bp of the window. axes: ``4xL`` or ``Lx4``, the order of the input's axes.
        output: name of the output, where the module gives none. tracks: in channel order. units: of the output.
        bin_size, offset: bp, of a profile.
        summary: one sentence. authors: names. licence: SPDX identifier of the weights' licence.
        assembly: that the model was trained on.
        train, validation, test: chromosomes.
    """

    length: int | None = None
    axes: str | None = None
    output: str | None = None
    tracks: tuple[str, ...] = ()
    units: str | None = None
    bin_size: int | None = None
    offset: int | None = None
    summary: str | None = None
    authors: tuple[str, ...] = ()
    licence: str | None = None
    assembly: str | None = None
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


def answer_of(ask: Ask, report: Callable[[str], None] | None, question: str, read: Callable[[str], Any]) -> Any:
    """What ``read`` makes of an answer; one that it refuses is asked again."""
    while True:
        text = ask(question, ())
        try:
            return read(text)
        except UsageError as error:
            if report is not None:
                report("; ".join(part for part in (error.what, error.extent, error.fix) if part))


@dataclass(frozen=True)
class Place:
    """Where the entry will lie, what its example is cut from, and who is told or asked."""

    name: str
    target: Path
    genome: str | Path | None
    regions: str | Path | None
    report: Callable[[str], None]
    ask: Ask | None

    def card_text(self, front: dict[str, Any], prose: str, _: Path) -> str:
        return draft_text(front, prose, self.target)

    def example(self, length: int) -> Example:
        """Windows of the genome at the regions; random sequence without them."""
        if (self.genome is None) != (self.regions is None):
            fix = "Fix: give -g FASTA and --regions BED, or neither"
            raise UsageError("an example needs both a genome and regions", "", fix)
        if self.genome is None:
            self.report("the example is random sequence: -g FASTA --regions BED cut it from a genome")
            return random_example(length)
        return cut_example(Path(self.genome), Path(self.regions), length)

    def assembly(self, given: str | None) -> dict[str, str]:
        """``genome`` of the card: as given, or as the lengths of the FASTA's chromosomes say; empty where neither."""
        if self.genome is None:
            return {"assembly": given, "chrom_style": "ucsc"} if given else {}
        sizes = open_genome(self.genome).sizes
        found, style = guess_assembly(sizes), chrom_style(sizes)
        meant = load_assembly(given) if given else None
        if found and meant is not None and meant.name != found:
            raise UsageError(
                f"--assembly {given}: the chromosomes of {self.genome} have the lengths of {found}",
                "",
                f"Fix: --assembly {found}, or another FASTA",
            )
        style = style if style != "unknown" else "ucsc"
        return {"assembly": given or found, "chrom_style": style} if given or found else {}

    def number(self, question: str, flag: str, least: int = 1) -> int:
        """Ask for a number of bp."""
        return answer_of(self.ask, self.report, question, lambda text: _number(text, flag, least))

    def of_genome(self, splits: dict[str, list[str]]) -> dict[str, list[str]]:
        """The splits, once it is seen that the FASTA has their chromosomes."""
        sizes = {} if self.genome is None else open_genome(self.genome).sizes
        unknown = [chrom for chroms in splits.values() for chrom in chroms if sizes and chrom not in sizes]
        if unknown:
            raise UsageError(
                f"--train-chroms, --validation-chroms and --test-chroms name {', '.join(unknown[:4])}",
                f"{self.genome} has {', '.join(list(sizes)[:4])}, ...",
                "Fix: names as in the FASTA",
            )
        return splits


# ---------------------------------------------------------------- the window and the outputs


def window_of(facts: Facts, place: Place) -> tuple[int, str]:
    """Length and axes of the input, which no module tells by itself."""
    length, axes = facts.length, facts.axes
    if place.ask is not None:
        length = length or place.number("Length of the input in bp?", "--length")
        axes = axes or place.ask("Axes of the input: (4, length) or (length, 4)?", AXES)
    lacking = [flag for flag, value in (("--length BP", length), ("--axes 4xL|Lx4", axes)) if not value]
    if lacking:
        raise UsageError(
            "the input of a module is not known by itself",
            f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing; "
            "4xL means windows of (4, length), Lx4 of (length, 4)",
            f"Fix: add {' '.join(lacking)}",
        )
    if axes not in AXES:
        raise UsageError(f"--axes {axes}: is not known", "", f"Fix: one of {', '.join(AXES)}")
    return _number(length, "--length"), axes


def _number(value: Any, flag: str, least: int = 1) -> int:
    text = str(value).replace(",", "").replace("_", "").strip()
    if not text.isdecimal() or int(text) < least:
        raise UsageError(f"{flag} {value or '(nothing)'}: is no number of bp", "", f"Fix: e.g. {flag} 1000")
    return int(text)


def outputs_of(tried: list[TriedOutput], facts: Facts, length: int, place: Place) -> list[dict[str, Any]]:
    """``outputs`` of the card."""
    several = len(tried) > 1
    if several and (facts.tracks or facts.output or facts.units):
        names = ", ".join(one.name for one in tried)
        raise UsageError(
            f"--output, --tracks and --units are of one output, and the model has {len(tried)}",
            names,
            "Fix: leave them out, and write them into the card",
        )
    outputs = []
    for one in tried:
        profile = len(one.shape) == 2
        made: dict[str, Any] = {
            "name": facts.output or one.name or "prediction",
            "kind": "profile" if profile else "scalar",
        }
        made["tracks"] = _tracks(one, made["name"], facts.tracks, place)
        if profile:
            made |= _bins(one, facts, length, place, made["name"])
        units = facts.units or (place.ask(f"Units of {made['name']}? (empty: later)", ()) if place.ask else "")
        made["units"] = units or f"{MARK}: what a value of {made['name']} counts or measures"
        outputs.append(made)
    return outputs


def _tracks(one: TriedOutput, name: str, given: tuple[str, ...], place: Place) -> list[str]:
    n = one.shape[0]
    if given:
        return _named(one, name, given)
    if place.ask is not None:
        question = f"Names of the {counted(n, 'track')} of {name}, with commas? (empty: later)"
        return answer_of(place.ask, place.report, question, lambda text: _named(one, name, listed(text)))
    return _named(one, name, ())


def listed(text: str) -> tuple[str, ...]:
    """Names that are joined by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _named(one: TriedOutput, name: str, given: tuple[str, ...]) -> list[str]:
    """The names, once it is seen that they fit; marks where there are none."""
    n = one.shape[0]
    if not given:
        return [f"{MARK}_name_of_track_{i}" for i in range(n)]
    if len(given) != n:
        turned = len(one.shape) == 2 and one.shape[1] == len(given)
        raise UsageError(
            f"--tracks names {len(given):,}, and the model gives {n:,} of {name}",
            f"its shape after the windows is {one.shape}",
            "Fix: let forward return (windows, tracks, bins), not (windows, bins, tracks)"
            if turned
            else "Fix: one name a track, in channel order",
        )
    if len(set(given)) != n:
        raise UsageError(f"--tracks names a track twice: {', '.join(given)}", "", "Fix: names are unique")
    return list(given)


def _bins(one: TriedOutput, facts: Facts, length: int, place: Place, name: str) -> dict[str, int]:
    """Size and place of the bins of a profile, which no shape tells."""
    size, offset, n = facts.bin_size, facts.offset, one.shape[1]
    if place.ask is not None and (size is None or offset is None):
        return _asked_bins(size, offset, n, length, place, name)
    lacking = [flag for flag, value in (("--bin-size BP", size), ("--offset BP", offset)) if value is None]
    if lacking:
        raise UsageError(
            f"{name} is a profile of {n:,} bins in a window of {length:,} bp: where they lie is not known by itself",
            f"{' and '.join(lacking)} missing; the offset is from the window's start to the start of the first bin",
            f"Fix: add {' '.join(lacking)}",
        )
    return _fitting(size, offset, n, length, name)


def _asked_bins(size: int | None, offset: int | None, n: int, length: int, place: Place, name: str) -> dict[str, int]:
    """Asks for what is missing, until the bins lie in the window."""
    _fitting(size or 1, offset or 0, n, length, name)  # else no answer would do
    while True:
        one = size or place.number(f"{name} has {n:,} bins: of how many bp each?", "--bin-size")
        start = offset
        if start is None:
            start = place.number("Where does the first begin, in bp from the window's start?", "--offset", 0)
        try:
            return _fitting(one, start, n, length, name)
        except UsageError as error:
            place.report("; ".join((error.what, error.extent)))


def _fitting(size: int, offset: int, n: int, length: int, name: str) -> dict[str, int]:
    if offset + n * size > length:
        raise UsageError(
            f"{name}: {n:,} bins of {size:,} bp from base {offset:,} end past the window of {length:,} bp",
            f"{offset:,} + {n:,} x {size:,} = {offset + n * size:,}",
            "Fix: correct --bin-size or --offset; a profile is (windows, tracks, bins)",
        )
    return {"bin_size": size, "offset": offset}


def targets_of(outputs: list[dict[str, Any]], tried: list[TriedOutput]) -> Any:
    """``schema.targets`` of model.yaml."""
    made = [
        {"name": out["name"], "shape": str(one.shape), "doc": "one row a track, see the card"}
        for out, one in zip(outputs, tried, strict=True)
    ]
    return made[0] if len(made) == 1 else {one["name"]: one for one in made}
