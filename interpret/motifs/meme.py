"""Motifs of a file in MEME's minimal format, plain or gzip: one reader for ``--database`` and ``--motif``.

What the format leaves open is read as MEME's own programs read it: ``w=``, ``alength=`` and ``nsites=`` may be missing
(rows are counted then), lines may be indented, a motif may have a log-odds matrix beside its probabilities. Columns are
in the order that ``ALPHABET=`` gives them, each file of several in one by its own. A motif without a matrix of
probabilities is left out, and named. A line that looks like a row is one: where it cannot be read, or stands after the
end of the matrix, there is an error, not a shorter motif.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo.errors import InputError
from zoo.paths import refuse_pointers
from zoo.words import counted

__all__ = ["KnownMotif", "MemeFile", "read_meme", "read_meme_file"]

DNA = "ACGT"
IN_ORDER = (0, 1, 2, 3)
MINIMAL = "Fix: give a file in MEME's minimal format"
GIVE_DNA = "Fix: give motifs of DNA, ALPHABET= ACGT"
MATRIX = "letter-probability matrix"


@dataclass(frozen=True)
class KnownMotif:
    """A motif of a database: ``MA0265.3``, ``ABF1``, frequencies (W, 4) of A C G T."""

    id: str
    name: str
    probability: np.ndarray


@dataclass(frozen=True)
class MemeFile:
    """Motifs of a file.

    Attributes:
        motifs: in the file's order.
        left_out: ids of motifs that have no matrix of probabilities.
    """

    motifs: tuple[KnownMotif, ...]
    left_out: tuple[str, ...] = ()


def read_meme(path: Path) -> list[KnownMotif]:
    """Motifs of a file, see ``read_meme_file``."""
    return list(read_meme_file(path).motifs)


def read_meme_file(path: Path) -> MemeFile:
    """Motifs of a file, and those left out.

    Raises:
        InputError: no motif, another alphabet than DNA's, a row that is not four probabilities, or fewer or more rows
            than the matrix says.
    """
    refuse_pointers((path,), InputError)
    reading = _Reading(path)
    for number, line in enumerate(_text(path).splitlines(), 1):
        if words := line.split():
            reading.take(number, line.strip(), words)
    reading.finish_motif()
    if not reading.motifs:
        n, names = len(reading.left_out), ", ".join(reading.left_out[:5])
        lines = f"{counted(n, 'line')} of MOTIF without a {MATRIX}: {names}" if n else "no line begins with MOTIF"
        raise InputError(f"{path}: no motif", lines, MINIMAL)
    return MemeFile(tuple(reading.motifs), tuple(reading.left_out))


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip: {error}", "nothing was read", "Fix: give the whole file") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "nothing was read", MINIMAL) from error
    return raw.decode("utf-8-sig", errors="replace")


@dataclass
class _Reading:
    """How far a file has been read.

    Attributes:
        header: words after MOTIF of the motif at hand. rows: of its matrix; None before the matrix begins.
        width: of the matrix, None where it does not say. open: whether further lines may be rows.
        beside: whether a log-odds matrix has begun since.
        order: columns of A C G T in the file; ``own``: in the matrix at hand.
        block: core letters of a custom alphabet while it is being listed.
    """

    path: Path
    motifs: list[KnownMotif] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    header: list[str] | None = None
    rows: list[list[float]] | None = None
    width: int | None = None
    open: bool = False
    beside: bool = False
    order: tuple[int, ...] = IN_ORDER
    own: tuple[int, ...] = IN_ORDER
    block: str | None = None

    def take(self, number: int, line: str, words: list[str]) -> None:
        """Read a line that is not empty."""
        if self.block is not None:
            self._take_letter(number, line, words)
        elif words[0] in ("MOTIF", "motif"):  # "Motif 1 Description" is a title in MEME's own text
            self._begin_motif(number, words)
        elif words[:2] == ["MEME", "version"]:  # the next of several files in one
            self.finish_motif()
            self.order = IN_ORDER
        elif words[0].upper().startswith("ALPHABET"):
            self._take_alphabet(number, line)
        elif line.lower().startswith(MATRIX):
            self._begin_matrix(number, line)
        elif self.open:
            self._take_row(number, words)
        elif words[0].lower() == "log-odds":
            self.beside = True
        elif self.rows and not self.beside and _probabilities(words):
            self._refuse_more(number)

    def finish_motif(self) -> None:
        if self.header is None:
            return
        if self.rows is None:
            self.left_out.append(self.header[0])
        elif len(self.rows) < (self.width or 1):
            self._refuse_early(None)
        else:
            matrix = np.array(self.rows)[:, self.own]
            name = _name_in(self.header)
            self.motifs.append(KnownMotif(self.header[0], name, matrix / matrix.sum(axis=1, keepdims=True)))
        self.header, self.rows, self.open = None, None, False

    def _begin_motif(self, number: int, words: list[str]) -> None:
        self.finish_motif()
        if len(words) == 1:
            self._refuse(number, "MOTIF without a name", "one motif", "Fix: MOTIF NAME")
        self.header = words[1:]

    def _begin_matrix(self, number: int, line: str) -> None:
        if self.header is None or self.rows is not None:
            self._refuse(number, "a matrix without a line of MOTIF", "one matrix", "Fix: MOTIF NAME before each matrix")
        letters = self._number(number, line, "alength", "letters")
        if letters not in (None, 4):
            what = "protein" if letters == 20 else f"{letters} letters"
            self._refuse(number, f"the matrix is of {what}, not of DNA", "one motif", GIVE_DNA)
        self.width = self._number(number, line, "w", "rows")
        self.rows, self.own, self.open, self.beside = [], self.order, True, False

    def _number(self, number: int, line: str, key: str, what: str) -> int | None:
        """The number after ``key=``; None where the line has no such key."""
        found = re.search(rf"\b{key}\s*=\s*([^\s=,]*)(?![^\s,]*=)", line, re.IGNORECASE)
        if found is None:
            return None
        if not found[1].isdecimal() or int(found[1]) == 0:
            says = f"{key}= {found[1]} is no number of {what}" if found[1] else f"{key}= without the number of {what}"
            self._refuse(number, says, "one motif", f"Fix: {key}= the number of {what}, or leave it out")
        return int(found[1])

    def _take_row(self, number: int, words: list[str]) -> None:
        full = self.width is not None and len(self.rows) == self.width
        if not _looks_like_a_row(words) and self.rows:
            if not full and self.width is not None:
                self._refuse_early(number)
            self.open, self.beside = False, words[0].lower() == "log-odds"  # or URL, the next section
            return
        if full:
            self._refuse_more(number)
        row = _probabilities(words)
        if row is None:
            self._refuse(
                number, "not four probabilities that sum to 1", "one row of a matrix", "Fix: DNA motifs, rows A C G T"
            )
        self.rows.append(row)

    def _refuse_early(self, number: int | None) -> None:
        found = f"{len(self.rows)} of {counted(self.width, 'row')}" if self.width else "0 rows"
        fix = "Fix: give the whole file" + (", or w= the number of rows" if self.rows else "")
        self._refuse(number, f"the matrix of motif {' '.join(self.header)} ends early", found, fix)

    def _refuse_more(self, number: int) -> None:
        what = f"the matrix of motif {' '.join(self.header)}"
        if self.width is None:
            fix = "Fix: rows of a matrix stand together"
            self._refuse(number, f"{what} goes on after its end", f"{counted(len(self.rows), 'row')} before", fix)
        fix = "Fix: w= the number of rows, or leave it out"
        self._refuse(number, f"{what} has more rows than it says", f"w= {self.width}", fix)

    def _take_alphabet(self, number: int, line: str) -> None:
        text = line[len("ALPHABET") :].strip()
        if text.startswith("="):
            self._set_order(number, "".join(text[1:].split()))
        elif '"' in text or not text or text.upper().endswith("-LIKE"):
            self.block = ""
        else:
            self._set_order(number, text)

    def _take_letter(self, number: int, line: str, words: list[str]) -> None:
        """A line of a custom alphabet: core letters have no ``=``, but a pair of them has ``~`` between."""
        if words[0] == "END" and len(words) > 1 and words[1].upper() == "ALPHABET":
            # MEME's programs sort the letters of such an alphabet, so that the order of its lines says nothing.
            letters, self.block = "".join(sorted(set(self.block))), None
            self._set_order(number, letters)
        elif "=" not in (bare := re.sub(r'"[^"]*"', "", line)):
            self.block += words[0][0] + "".join(re.findall(r"~\s*(\S)", bare))

    def _set_order(self, number: int, letters: str) -> None:
        found = letters.upper()
        if sorted(found) != sorted(DNA):
            kind = "RNA" if sorted(found) == sorted("ACGU") else "protein" if len(found) >= 20 else "not DNA"
            self._refuse(number, f"the alphabet {letters} is {kind}", "the motifs that follow", GIVE_DNA)
        self.order = tuple(found.index(base) for base in DNA)

    def _refuse(self, number: int | None, what: str, extent: str, fix: str) -> None:
        raise InputError(f"{self.path}{f':{number}' if number else ''}: {what}", extent, fix)


def _name_in(words: list[str]) -> str:
    """What the words after MOTIF call it: the second, or the id without its version.

    MEME's text has ``1 width = 8 sites = 20`` or, for all of its motifs, ``1 MEME width = 8``.
    """
    second = words[1:2] if words[1:3] not in (["MEME", "width"], ["width", "="]) else []
    return second[0] if second else words[0].split(".")[0]


def _looks_like_a_row(words: list[str]) -> bool:
    """Numbers, or all numbers but one, as where a letter stands in one or before it."""
    numbers = sum(_is_number(word.strip(",").replace(",", ".")) for word in words)
    return numbers == len(words) or (3 <= len(words) <= 6 and numbers >= len(words) - 1)


def _probabilities(words: list[str]) -> list[float] | None:
    """Four probabilities that sum to 1, or None."""
    row = [float(word) for word in words] if all(map(_is_number, words)) else []
    return row if len(row) == 4 and abs(sum(row) - 1) < 0.05 and min(row) >= 0 else None


def _is_number(word: str) -> bool:
    try:
        float(word.replace("_", "x"))  # 0.1_0 is a number to Python alone
    except ValueError:
        return False
    return True
