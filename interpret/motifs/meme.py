"""Motifs of a file in MEME's minimal format, plain or gzip: one reader for ``--database`` and ``--motif``.

What the format leaves open is read as MEME's own programs read it: ``w=``, ``alength=`` and ``nsites=`` may be missing
(rows are counted then), lines may be indented, a motif may have a log-odds matrix beside its probabilities. Columns are
in the order that ``ALPHABET=`` gives them. A motif without a matrix of probabilities is left out, and named.
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
        names = f": {', '.join(reading.left_out[:5])}" if reading.left_out else ""
        raise InputError(
            f"{path}: no motif", f"{counted(len(reading.left_out), 'line')} of MOTIF without a {MATRIX}{names}", MINIMAL
        )
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
        order: columns of A C G T in the file. block: core letters of a custom alphabet while it is being listed.
    """

    path: Path
    motifs: list[KnownMotif] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    header: list[str] | None = None
    rows: list[list[float]] | None = None
    width: int | None = None
    open: bool = False
    order: tuple[int, ...] = (0, 1, 2, 3)
    block: str | None = None

    def take(self, number: int, line: str, words: list[str]) -> None:
        """Read a line that is not empty."""
        if self.block is not None:
            self._take_letter(number, line, words)
        elif words[0] == "MOTIF":
            self._begin_motif(number, words)
        elif words[0].startswith("ALPHABET"):
            self._take_alphabet(number, line)
        elif line.lower().startswith(MATRIX):
            self._begin_matrix(number, line)
        elif self.open:
            self._take_row(number, words)

    def finish_motif(self) -> None:
        if self.header is None:
            return
        if self.rows is None:
            self.left_out.append(self.header[0])
        elif len(self.rows) < (self.width or 1):
            self._refuse(
                None,
                f"the matrix of motif {' '.join(self.header)} ends early",
                f"{len(self.rows)} of {self.width} rows" if self.width else "0 rows",
                "Fix: give the whole file",
            )
        else:
            matrix = np.array(self.rows)[:, self.order]
            name = self.header[1] if len(self.header) > 1 else self.header[0].split(".")[0]
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
        letters = self._number(number, line, "alength", "how many letters it has")
        if letters not in (None, 4):
            what = "protein" if letters == 20 else f"{letters} letters"
            self._refuse(number, f"the matrix is of {what}, not of DNA", "one motif", GIVE_DNA)
        self.width = self._number(number, line, "w", "its width")
        self.rows, self.open = [], True

    def _number(self, number: int, line: str, key: str, what: str) -> int | None:
        """The number after ``key=``; None where the line has no such key."""
        found = re.search(rf"\b{key}=\s*(\S*)", line)
        if found is None:
            return None
        if not found[1].isdecimal() or int(found[1]) == 0:
            fix = f"Fix: {key}= NUMBER" + (", or leave it out" if key == "w" else "")
            self._refuse(number, f"the matrix does not say {what} ({key}=)", "one motif", fix)
        return int(found[1])

    def _take_row(self, number: int, words: list[str]) -> None:
        full = self.width is not None and len(self.rows) == self.width
        if not _is_number(words[0]) and (full or (self.width is None and self.rows)):
            self.open = False  # what follows a matrix: URL, the next section
            return
        if full:
            self._refuse(
                number,
                f"the matrix of motif {' '.join(self.header)} has more rows than it says",
                f"w= {self.width}",
                "Fix: w= the number of rows, or leave it out",
            )
        row = [float(word) for word in words] if all(map(_is_number, words)) else []
        if len(row) != 4 or not abs(sum(row) - 1) < 0.05 or min(row) < 0:
            self._refuse(
                number, "not four probabilities that sum to 1", "one row of a matrix", "Fix: DNA motifs, rows A C G T"
            )
        self.rows.append(row)

    def _take_alphabet(self, number: int, line: str) -> None:
        text = line[len("ALPHABET") :].strip()
        if text.startswith("="):
            self._set_order(number, text[1:].strip())
        elif '"' in text or not text:
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


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
