"""Read regions: BED3 to BED12, narrowPeak, plain or gzip, from a file or standard input.

The file is read twice in blocks of lines: once by ``scan``, which checks every row before
a model is loaded, and once by ``chunks``, which yields columns. Neither holds the file in
memory. Source of the format: https://samtools.github.io/hts-specs/BEDv1.pdf (0-based
half-open; ``#``, ``track`` and ``browser`` lines and blank lines are not features).
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from zoo.errors import InputError
from zoo.genome.lookalikes import Head, refuse_bytes, refuse_text
from zoo.genome.region_rows import (
    Intervals,
    LineNumbers,
    Problem,
    RegionSummary,
    columns_of,
    error_of,
    scan_rows,
    split_rows,
)
from zoo.genome.region_stream import (
    first_bytes,
    is_gzip,
    is_regular,
    is_text,
    open_pipe,
    open_text,
    spooled,
    standard_input,
)
from zoo.genome.region_table import HEADER_PREFIXES, Regions, bed_lines, is_table
from zoo.genome.to_bed import Source
from zoo.paths import given_path

__all__ = ["Intervals", "RegionFile", "RegionSummary"]

BLOCK_BYTES = 1 << 18
# The columns of so many regions (some 10 MB) are kept from the scan, so that a small file is parsed once.
KEPT_REGIONS = 20_000


class RegionFile:
    """A regions file that can be read more than once.

    Standard input (``-``), pipes (``<(bedtools ...)``) and tables are copied to a temporary file, which ``close``
    removes.

    Args:
        path: a path, ``-``, or a table (``zoo.genome.region_table``).

    Raises:
        InputError: the file is missing, a folder, unreadable or a damaged gzip; or a table with a wrong value.
        UsageError: a table without the columns of regions.
    """

    def __init__(self, path: Regions) -> None:
        self._spool = None
        self._scanned: list[Intervals] | None = None
        self._scanned_limit: int | None = None
        self._summits = False
        self._table = is_table(path)
        if self._table:
            lines = bed_lines(path)
            self.label = f"<table of {len(lines):,} regions>"
            self._spool = spooled(io.BytesIO("".join(lines).encode()))
            self.path = Path(self._spool.name)
            return
        self.path = given_path(path)
        self.label = "<stdin>" if str(path) == "-" else str(path)
        if str(path) == "-":
            self._spool = spooled(standard_input())
        elif not is_regular(self.path):
            with open_pipe(self.path) as pipe:
                self._spool = spooled(pipe)
        if self._spool is not None:
            self.path = Path(self._spool.name)

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> RegionFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def chunks(self, limit: int | None = None, start: int = 0) -> Iterator[Intervals]:
        """Yield the regions in file order, about 256 kB of text at a time.

        Args:
            limit: stop before the region of this number.
            start: begin at the region of this number, from 0.
        """
        for block in self._blocks(limit):
            if block.first >= start:
                yield block
            elif block.first + len(block) > start:
                yield block.behind(start - block.first)

    def _blocks(self, limit: int | None) -> Iterator[Intervals]:
        if self._scanned is not None and self._scanned_limit == limit:
            yield from self._scanned
            return
        seen = 0
        for rows, _ in self._row_blocks():
            if limit is not None:
                rows = rows[: limit - seen]
            if rows:
                yield columns_of(rows, seen, self._summits)
            seen += len(rows)
            if limit is not None and seen >= limit:
                return

    def scan(
        self, chrom_sizes: Mapping[str, int] | None = None, limit: int | None = None, summits: bool = False
    ) -> RegionSummary:
        """Check that the file is a BED, check every row, and summarise it.

        Args:
            chrom_sizes: chromosome name as in this file -> length in bp; ends are checked on these.
                Names that are absent are left to ``zoo.genome.checks``, which sees ``chrom_counts``.
            limit: check only this many regions.
            summits: read column 10 of a narrowPeak too, here and in ``chunks``; every row must have it.

        Raises:
            InputError: the file is no BED (``lookalikes``); a row is malformed or outside its chromosome, with
                ``file:line`` of the first such row, how many there are, and the fix; or the file holds no region.
        """
        head = self.check_head()
        summary = RegionSummary(has_summits=head.summits, notes=list(head.notes))
        self._summits = summits
        problems: dict[str, Problem] = {}
        kept: list[Intervals] = []
        self._scanned = None
        for rows, numbers in self._row_blocks(summary):
            if limit is not None:
                rows = rows[: limit - summary.regions]
            block = scan_rows(rows, numbers, chrom_sizes, summary, problems, summits)
            if summary.regions > KEPT_REGIONS:
                kept.clear()
            elif block is not None:
                kept.append(block)
            if limit is not None and summary.regions >= limit:
                break
        if problems:
            self._refuse_binary(problems)
            raise error_of(problems, summary.regions, lambda line: f"{self.label}:{line}")
        self._check_headers(summary.headers, head)
        if summary.regions == 0:
            raise InputError(
                f"{self.label}: no regions",
                f"{summary.skipped_lines} header, track, comment or blank lines were skipped",
                "Fix: give a BED with at least three tab-separated columns: chrom, start, end",
            )
        if summary.regions <= KEPT_REGIONS:
            self._scanned, self._scanned_limit = kept, limit
        return summary

    def check_head(self, *, ambiguous: bool = True) -> Head:
        """Check by the file's first lines that it is a BED.

        Args:
            ambiguous: refuse a table too that may count from 0.

        Raises:
            InputError: see ``lookalikes``.
        """
        try:
            named = None if self._spool is not None else str(self.path)
            begin = first_bytes(self.path)
            source = Source(self.label, named, is_gzip(self.path), self._table, b"\r\n" in begin)
            refuse_bytes(begin, source)
            with open_text(self.path) as text:
                return refuse_text(text, source, ambiguous=ambiguous)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._damaged(error) from None
        except OSError as error:
            raise InputError(f"{self.label}: {error.strerror or error}", "", "Fix: check the path") from None

    def _check_headers(self, headers: Mapping[str, int], head: Head) -> None:
        """A row of names that was not judged as the table's header must not be skipped."""
        judged = head.header.line if head.header else None
        for text, line in headers.items():
            if line != judged:
                raise InputError(
                    f"{self.label}:{line}: names columns, not a region: {text[:60]!r}",
                    "a BED has no such line; tables of several kinds seem to be joined" if judged else "",
                    "Fix: if the columns are chrom, start (counted from 0) and end, remove the line",
                )

    def _refuse_binary(self, problems: Mapping[str, Problem]) -> None:
        """Say so when rows are malformed because this is no text: nobody wants to hear of its columns."""
        if problems.keys() & {"columns", "integer"} and not is_text(first_bytes(self.path)):
            raise InputError(
                f"{self.label}: is not a text file (or its encoding is not UTF-8)",
                "",
                "Fix: give a BED: lines of chrom, start, end, separated by tabs",
            )

    def _row_blocks(self, summary: RegionSummary | None = None) -> Iterator[tuple[list[list[str]], LineNumbers]]:
        """Yield (split rows, their line numbers) a block of lines at a time."""
        line_number = 1
        for lines in self._line_blocks():
            rows, header_at = split_rows(lines)
            if summary is not None:
                summary.skipped_lines += len(header_at)
                for at in header_at:
                    if (text := lines[at].strip()) and not lines[at].startswith(HEADER_PREFIXES):
                        summary.headers.setdefault(text, line_number + at)
            yield rows, LineNumbers(line_number, header_at)
            line_number += len(lines)

    def _line_blocks(self) -> Iterator[list[str]]:
        try:
            with open_text(self.path) as handle:
                while lines := handle.readlines(BLOCK_BYTES):
                    yield lines
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._damaged(error) from None
        except OSError as error:
            raise InputError(f"{self.label}: {error.strerror or error}", "", "Fix: check the path") from None

    def _damaged(self, error: Exception) -> InputError:
        return InputError(
            f"{self.label}: the gzip stream is truncated or damaged ({error})",
            "nothing was predicted",
            f"Fix: fetch or compress the file again; `gzip -t {self.label}` tells when it is whole",
        )
