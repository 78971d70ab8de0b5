"""Read variants: VCF (plain, gzip, bgzip), BCF, a table, standard input, or the text of a variant.

Rows are read in blocks of lines, as often as they are asked for, and never held as a whole. They stay text: a writer
gives them back to the byte. Positions of a VCF count from 1, in a table's ``pos`` and in ``chr7:1000:A>G`` too;
``Record.pos`` counts from 0. Source of the format: https://samtools.github.io/hts-specs/VCFv4.5.pdf.
"""

from __future__ import annotations

import gzip
import io
import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zoo.errors import InputError, UsageError
from zoo.genome.fasta_kind import is_bgzf
from zoo.genome.region_rows import LineNumbers, Problem, error_of
from zoo.genome.region_stream import first_bytes, is_gzip, is_regular, open_pipe, spooled, standard_input
from zoo.paths import given_path
from zoo.variants.alleles.allele import Record
from zoo.variants.reading.given import Variants, given_lines, is_variant_text, like_a_variant, no_variant
from zoo.variants.reading.header import FIXED, Header, table_header, vcf_header
from zoo.variants.reading.indexed import Place, bcf_header, bcf_lines, indexed_lines, name_in_commands, parse_regions
from zoo.variants.reading.kinds import kind_of_bytes, refuse_text
from zoo.variants.reading.rows import UNWRITABLE, Row, record_of, split_lines
from zoo.words import counted

__all__ = ["VariantFile", "is_variant_text", "open_variants"]

BLOCK_BYTES = 1 << 18
HEAD_LINES = 200
#: The empty block at the end of a bgzip file.
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

PIPE_A_VCF = "pipe a VCF in, e.g. `bcftools view x.bcf | zoo variants MODEL - -g genome.fa -o OUT`"


def open_variants(source: Variants, regions: str | Path | Sequence[str] | None = None) -> VariantFile:
    """Open variants for reading, more than once.

    Args:
        source: a path; ``-`` for standard input; ``chr7:1000:A>G`` (several: separated by commas, or a list); a frame
            with the columns chrom, pos, ref and alt, or a list of such tuples. Positions count from 1, as in a VCF.
        regions: only rows whose REF (or POS to END) overlaps these, through the index of the file: ``chr``, ``chr:a``,
            ``chr:a-b`` (1-based, both ends included, as in bcftools; several: separated by commas, or a list), or the
            path of a BED (0-based half-open).

    Raises:
        InputError: the file is missing, damaged, or no file of variants; it has no index where regions are given.
        UsageError: regions of what has no index, or that cannot be read.
    """
    return VariantFile(source, regions)


class VariantFile:
    """Variants that can be read more than once. See ``open_variants``.

    Attributes:
        label: how the file is named in messages.
        path: of the file; of a copy where a pipe, or text, was given.
        kind: ``"vcf"``, ``"bcf"`` or ``"tsv"``; text of variants is a VCF.
        header: lines above the rows, columns, samples, declared contigs.
        is_argument: whether the variants were given as they are, not in a file.
        crlf: whether lines end as those of Windows; the ends are left out of what is read.
        notes: what was assumed of the file.
    """

    def __init__(self, source: Variants, regions: str | Path | Sequence[str] | None = None) -> None:
        self._spool = None
        self.is_argument = False
        self._regions: list[Place] | None = None
        self.notes: list[str] = []
        self._open(source)
        try:
            self.crlf = False
            self.kind, self.header, self._first_line = self._head()
            if regions is not None:
                self._regions = self._parse(regions)
        except BaseException:
            self.close()
            raise

    def _open(self, source: Variants) -> None:
        if not isinstance(source, str | Path) or is_variant_text(source):
            lines = given_lines(source)
            self.label, self.is_argument = "<argument>" if lines[0].startswith("##") else "<table>", True
            text = "\n".join([*lines, ""])
            self._spool = spooled(io.BytesIO(text.encode(errors="surrogatepass")), "variants", ".vcf")
        elif str(source) == "-":
            self.label = "<stdin>"
            self._spool = spooled(standard_input("variants", PIPE_A_VCF), "variants", ".vcf")
        else:
            self.label, self.path = str(source), given_path(source)
            if like_a_variant(str(source)) and not self.path.exists():
                raise no_variant(str(source))
            if not is_regular(self.path, "variants", "a VCF"):
                with open_pipe(self.path, "variants") as pipe:
                    self._spool = spooled(pipe, "variants", ".vcf")
        if self._spool is not None:
            self.path = Path(self._spool.name)

    def close(self) -> None:
        """Remove the copy of a pipe."""
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> VariantFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def has_regions(self) -> bool:
        """Whether only rows of some regions are read."""
        return self._regions is not None

    @property
    def regions(self) -> list[Place] | None:
        """Those that are read, merged, in the order of the file; None where all is."""
        return self._regions

    def where(self, line: int) -> str:
        """How a row is named in messages: ``file:line``."""
        if self.is_argument:
            return f"{self.label}, variant {line - self._first_line + 1}"
        by_number = self.kind == "bcf" or self.has_regions
        return f"{self.label}, record {line}" if by_number else f"{self.label}:{line}"

    # ------------------------------------------------------------ the header

    def _head(self) -> tuple[str, Header, int]:
        """Kind, header, and number of the line of the first row."""
        try:
            begin = first_bytes(self.path)
            kind = kind_of_bytes(begin, self.label)
            self.crlf = b"\r\n" in begin
            self._check_end(begin)
            if kind == "bcf":
                lines = bcf_header(self.path, self.label)
                return kind, vcf_header(lines, self.label), 1
            return self._text_head(kind)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._damaged(error) from None

    def _check_end(self, begin: bytes) -> None:
        """A bgzip file that was cut between two blocks is gzip without a fault: its last block is missing."""
        if not is_gzip(self.path):
            return
        with self.path.open("rb") as handle:
            if not is_bgzf(handle.read(18)):
                return
            handle.seek(-min(len(BGZF_END), handle.seek(0, 2)), 2)
            if handle.read() != BGZF_END:
                raise InputError(
                    f"{self.label}: the bgzip file is truncated: the block that ends one is missing",
                    "nothing was scored",
                    "Fix: fetch the file again, or write it again by bgzip",
                )

    def _text_head(self, kind: str) -> tuple[str, Header, int]:
        lines: list[str] = []
        with self._text() as text:
            for line in text:
                line = line.rstrip("\r\n")
                lines.append(line)
                if UNWRITABLE.search(line):
                    raise self._not_utf8(len(lines))
                if kind == "vcf" and line.startswith("#CHROM"):
                    return kind, vcf_header(lines, self.label), len(lines) + 1
                if kind == "vcf" and not line.startswith("#"):
                    break
                if kind == "tsv" and line.strip():
                    found = None if tuple(line.split("\t"))[: len(FIXED)] == FIXED else table_header(line)
                    if found is not None:
                        return kind, Header(tuple(lines), found.names, found.layout), len(lines) + 1
                    if not line.startswith("#") or line.startswith("#CHROM\t"):  # comments may stand above
                        break
            if kind == "vcf":
                raise self._no_columns(lines)
            lines += [line.rstrip("\r\n") for line in itertools.islice(text, HEAD_LINES)]
        raise refuse_text(lines, self.label, is_gzip(self.path))

    def _not_utf8(self, line: int) -> InputError:
        return InputError(
            f"{self.label}:{line}: a line of the header is not UTF-8, or holds a NUL byte",
            "VCF is written in UTF-8",
            "Fix: convert the file: iconv -f LATIN1 -t UTF-8 x > new",
        )

    def _no_columns(self, lines: list[str]) -> InputError:
        names = "\\t".join(FIXED)
        if "\r" in lines[0]:
            return InputError(
                f"{self.label}: its lines end with CR alone, as on an old Macintosh",
                "",
                "Fix: tr '\\r' '\\n' < x.vcf > new.vcf",
            )
        return InputError(
            f"{self.label}:{len(lines)}: no line #CHROM POS ID REF ALT ... stands above the rows of the VCF",
            f"{counted(len(lines) - 1, 'line')} of its header {'was' if len(lines) == 2 else 'were'} read",
            f"Fix: put it back in front of line {len(lines)}: sed '{len(lines)}i {names}' x.vcf > new.vcf",
        )

    # ------------------------------------------------------------ rows

    def records(self, start: int = 0, limit: int | None = None) -> Iterator[Record]:
        """The rows in file order, of a file that ``check_variants`` has passed.

        Args:
            start: begin at the row of this number, from 0. limit: stop before the row of this number.

        Raises:
            InputError: a row has not as many columns as the header.
        """
        layout, seen, problems = self.header.layout, 0, {}
        for rows, lines in self.blocks(problems, limit):
            if problems:
                raise error_of(problems, seen + len(rows) + 1, self.where, "variant")
            for i in range(max(start - seen, 0), len(rows)):
                yield record_of(rows[i], layout, seen + i, lines[i])
            seen += len(rows)

    def blocks(self, problems: dict[str, Problem], limit: int | None = None) -> Iterator[tuple[list[Row], LineNumbers]]:
        """Rows of as many columns as the header has, with their lines; what else is no row goes to ``problems``.

        Args:
            limit: look at this many lines only, blank ones not counted.
        """
        left = limit
        for lines, first in self._line_blocks():
            if left is not None:
                lines, left = _first_of(lines, left)
                if not lines:
                    return
            rows, left_out = split_lines(lines, self.header.layout, problems, first)
            yield rows, LineNumbers(first, left_out)

    def _line_blocks(self) -> Iterator[tuple[list[str], int]]:
        if self._regions is not None:
            yield from _numbered(indexed_lines(self.path, self.kind, self._regions, self.label, self.header))
        elif self.kind == "bcf":
            yield from _numbered(bcf_lines(self.path, self.label))
        else:
            yield from self._text_blocks()

    def _text_blocks(self) -> Iterator[tuple[list[str], int]]:
        try:
            with self._text() as text:
                number = self._first_line
                for _ in range(number - 1):
                    text.readline()
                while lines := text.readlines(BLOCK_BYTES):
                    yield lines, number
                    number += len(lines)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._damaged(error) from None

    def _text(self) -> io.TextIOWrapper:
        """The file as text, whose lines end as they end; bytes that are no UTF-8 become lone surrogates (PEP 383)."""
        raw = gzip.open(self.path) if is_gzip(self.path) else self.path.open("rb")  # noqa: SIM115 - it closes both
        return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="\n")

    def _parse(self, regions: str | Path | Sequence[str]) -> list[tuple[str, int, int]]:
        if self._spool is not None:
            raise UsageError(
                f"{self.label}: regions are found through the index of a file, and this is none",
                "",
                "Fix: give the file itself, or leave out --regions",
            )
        found, notes = parse_regions(regions, self.path, self.kind, self.header, self.label)
        self.notes += notes
        return found

    def _damaged(self, error: object) -> InputError:
        return InputError(
            f"{self.label}: the gzip stream is truncated or damaged ({error})",
            "nothing was scored",
            f"Fix: fetch or compress the file again; `gzip -t {name_in_commands(self.label)}` tells if it is whole",
        )


def _first_of(lines: list[str], limit: int) -> tuple[list[str], int]:
    """Lines until ``limit`` of them are not blank, and how many are still wanted."""
    for position, line in enumerate(lines):
        if limit == 0:
            return lines[:position], 0
        limit -= bool(line.strip())
    return lines, limit


def _numbered(lines: Iterable[str], size: int = 4096) -> Iterator[tuple[list[str], int]]:
    """Blocks of lines with the number of their first, from 1."""
    lines, number = iter(lines), 1
    while block := list(itertools.islice(lines, size)):
        yield block, number
        number += len(block)
