"""Which sequences a FASTA holds: names, lengths and md5 of their letters, and whether they are those of an assembly.

The md5 is that of SAM headers (``M5``): of the letters in upper case, without blanks and line ends, so that soft
masking and the width of lines make no difference. ``zoo/data/sequence_md5.json`` holds those that are known, with their
sources.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import InputError
from zoo.genome.assembly import Assembly, Chromosome, chrom_style, compare_lengths, guess_assembly
from zoo.words import counted, counted_of

__all__ = ["Checked", "Letters", "check_letters", "count_letters", "known_md5"]

_TABLE = Path(__file__).resolve().parents[1] / "data" / "sequence_md5.json"
BLANKS = bytes(range(33))


@dataclass(frozen=True)
class Letters:
    """One sequence: its length in bp and the md5 of its letters."""

    length: int
    md5: str


@functools.cache
def _known() -> dict[str, list[dict[str, dict[str, str]]]]:
    return json.loads(_TABLE.read_text(encoding="utf-8"))["assemblies"]


def known_md5(assembly: str) -> dict[str, frozenset[str]]:
    """UCSC name of a chromosome -> md5 of the letters with which it is published; empty where none is known."""
    found: dict[str, set[str]] = {}
    for variant in _known().get(assembly, []):
        for name, md5 in variant["md5"].items():
            found.setdefault(name, set()).add(md5)
    return {name: frozenset(several) for name, several in found.items()}


# ---------------------------------------------------------------- reading


class _Counter:
    """Sequences of a FASTA that is read in blocks of any size."""

    def __init__(self, found: dict[str, Letters]) -> None:
        self.found = found
        self.twice: str | None = None
        self._name: str | None = None
        self._digest = hashlib.md5(usedforsecurity=False)
        self._length = 0
        self._header: bytes | None = None  # what was read of a header whose line has not ended
        self._line_start = True

    def add(self, data: bytes) -> None:
        """The next bytes of the file."""
        at = 0
        while at < len(data):
            if self._header is not None:
                at = self._end_of_header(data, at)
                continue
            start = at if self._line_start and data[at : at + 1] == b">" else data.find(b"\n>", at) + 1 or -1
            self._letters(data[at : start if start >= 0 else len(data)])
            self._line_start = start < 0 and data.endswith(b"\n")
            at = len(data) if start < 0 else start + 1
            if start >= 0:
                self._header = b""

    def _end_of_header(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        self._header = (self._header or b"") + data[at : end if end >= 0 else len(data)]
        if end < 0:
            return len(data)
        self.finish()
        self._name = (self._header.split(None, 1) or [b""])[0].decode("utf-8", "replace")
        self._header, self._line_start = None, True
        return end + 1

    def _letters(self, lines: bytes) -> None:
        letters = lines.translate(None, BLANKS).upper()
        self._length += len(letters)
        self._digest.update(letters)

    def finish(self) -> None:
        """End the sequence that is being read."""
        if self._name is not None:
            if self._name in self.found:
                self.twice = self.twice or self._name
            self.found[self._name] = Letters(self._length, self._digest.hexdigest())
        self._name, self._length, self._digest = None, 0, hashlib.md5(usedforsecurity=False)


def count_letters(blocks: Iterable[bytes], into: dict[str, Letters]) -> Iterator[bytes]:
    """Pass the blocks of a FASTA on, and put its sequences into ``into`` by name as they end.

    Raises:
        InputError: at the end, if a name stands twice.
    """
    counter = _Counter(into)
    for block in blocks:
        counter.add(block)
        yield block
    counter.finish()
    if counter.twice is not None:
        raise InputError(
            f"the sequence {counter.twice!r} stands twice in the FASTA",
            "one name must mean one sequence",
            "Fix: give a FASTA whose names are unique",
        )


# ---------------------------------------------------------------- is it the assembly


@dataclass(frozen=True)
class Checked:
    """What was compared of a FASTA with an assembly.

    Attributes:
        chromosomes: how many of the assembly's are there, by name and length.
        of: how many the assembly has.
        missing: UCSC names of those that are not there.
        letters: of how many the md5 of the letters was compared, and is known.
        other_letters: contigs of the right length with letters of which no md5 is known, though others of them are.
        style: how the file names chromosomes (``ucsc``, ``plain``, ...).
    """

    chromosomes: int
    of: int
    missing: tuple[str, ...]
    letters: int
    other_letters: tuple[str, ...]
    style: str

    def sentence(self) -> str:
        """What was checked, for the user."""
        said = f"names and lengths of {self.chromosomes} of {counted(self.of, 'chromosome')} are right"
        if self.letters == self.chromosomes:
            return f"{said}, and so is the md5 of their letters"
        if self.letters:
            return f"{said}, and so is the md5 of the letters of {self.letters}"
        if self.other_letters:
            return said
        return f"{said}; no md5 of their letters is known here, so the letters themselves were not checked"


def check_letters(assembly: Assembly, found: Mapping[str, Letters], what: str) -> Checked:
    """Compare the sequences of a FASTA with an assembly.

    Args:
        what: the file or address, for errors.

    Raises:
        InputError: a chromosome has another length, or none is there; the assembly that it looks like is named.
    """
    sizes = {name: one.length for name, one in found.items()}
    check = compare_lengths(assembly, sizes)
    guess = guess_assembly(sizes)
    looks = f"; it looks like {guess}" if guess and guess != assembly.name else ""
    add_it = f"`zoo genome add {guess} --from {what}`" if looks else f"give the FASTA of {assembly.name}"
    if check.differing:
        contig, expected, length = check.differing[0]
        compared = len(check.differing) + len(check.matching)
        raise InputError(
            f"{what} is not {assembly.name}: {contig} has {length:,} bp, in {assembly.name} {expected:,}{looks}",
            counted_of(len(check.differing), compared, "known chromosome", "differ"),
            f"Fix: {add_it}",
        )
    if not check.matching:
        some = ", ".join(list(found)[:4]) + (", ..." if len(found) > 4 else "")
        raise InputError(
            f"{what} is not {assembly.name}: no sequence in it is a chromosome of it{looks}",
            f"{counted(len(found), 'sequence')}: {some}" if found else "no sequence",
            f"Fix: {add_it}",
        )
    known = known_md5(assembly.name)
    there = {
        contig: next(one for one in assembly.candidates(contig) if one.length == sizes[contig])
        for contig in check.matching
    }
    same = [contig for contig, one in there.items() if found[contig].md5 in known.get(one.ucsc, ())]
    other = [contig for contig, one in there.items() if one.ucsc in known and contig not in same]
    # hg19 has two mitochondria under one nickname: either will do, and both count as one.
    wanted = {_place(one): one.ucsc for one in reversed(assembly.chromosomes)}
    missing = [name for place, name in wanted.items() if place not in {_place(one) for one in there.values()}]
    return Checked(
        len(wanted) - len(missing), len(wanted), tuple(reversed(missing)), len(same), tuple(other), chrom_style(found)
    )


def _place(chromosome: Chromosome) -> str:
    return "mitochondrion" if chromosome.is_mito else chromosome.ucsc
