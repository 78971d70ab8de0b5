"""VCF: the records of the input as they are, to the byte, with fields added to INFO and lines to the header."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError
from zoo.results.whole import refuse_full, remove, rename_all
from zoo.variants.ranks.ranks import KIND
from zoo.variants.scores.splicing import counted_from_pos
from zoo.variants.writers.table import SCORED, ScoredRecord, VariantContext, rows_of, values_of
from zoo.words import counted
from zoo.writers.text import TextWriter, format_rows

if TYPE_CHECKING:
    from zoo.variants.alleles.allele import Allele, Record
    from zoo.variants.run.scorer import Row
    from zoo.variants.scores.scores import Column

__all__ = ["MOST_FIELDS", "VcfWriter", "check_fields", "info_fields"]

#: Fields of INFO that a record may get; more are for a table.
MOST_FIELDS = 100
COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
INFO = COLUMNS.index("INFO")
#: What INFO text must not hold (VCF 4.3, 1.2), and how it is written there.
ESCAPED = {"%": "%25", ",": "%2C", ";": "%3B", "=": "%3D", "|": "%7C", " ": "%20", ":": "%3A", "\t": "%09"}
#: What further columns of text say.
TEXTS = {KIND: "Kind of the change and its bp, among whose background variants alone it is ranked"}
TABIX_MOST = 1 << 29  # bp of a contig that a .tbi can index


def info_fields(context: VariantContext) -> dict[str, str]:
    """Name of each field that is added -> its line of the header.

    One field a score, a value an ALT. Where rows have genes, an ALT has as many as it lies in: then one field holds
    all of them, an item a gene, its parts joined by ``|``, as SpliceAI writes them.
    """
    name = context.prefix
    by = f"by {context.about.get('model', name)}"
    if context.genes or context.splicing:
        parts = "|".join(["ALLELE", "SYMBOL", *(column.name for column in context.columns)])
        places = "; DP in bp from POS" if context.splicing else ""
        text = f"Scores {by}, an item an ALT and gene{places}. Format: {parts}"
        fields = {name: _line(name, ".", "String", text)}
    else:
        fields = {
            field: _line(field, "A", "Integer" if column.integer else "Float", _described(column, by))
            for field, column in zip(_fields(context), context.columns, strict=True)
        }
    unknown = "Bases of the window of REF that are not A, C, G or T; only where there are any"
    why = f"Why an ALT has no score, only where one has none: {SCORED} (it has one), {', '.join(context.statuses)}"
    for text in context.texts:
        fields[f"{name}_{text}"] = _line(f"{name}_{text}", "A", "String", f"{TEXTS[text]}, {by}")
    fields[f"{name}_status"] = _line(f"{name}_status", "A", "String", why)
    fields[f"{name}_unknown"] = _line(f"{name}_unknown", "A", "Integer", unknown)
    window = "Window of REF that was read, START|END on the genome, 0-based half-open"
    changed = "Trimmed alleles, POS|REF|ALT; only where they are not those of the record"
    fields[f"{name}_window"] = _line(f"{name}_window", "A", "String", window)
    fields[f"{name}_changed"] = _line(f"{name}_changed", "A", "String", changed)
    return fields


def _fields(context: VariantContext) -> list[str]:
    return [f"{context.prefix}_{column.name}" for column in context.columns]


def _described(column: Column, by: str) -> str:
    units = f" ({column.units})" if column.units and column.units != "unknown" else ""
    return f"{column.description}{units}, {by}"


def _line(name: str, number: str, kind: str, text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'##INFO=<ID={name},Number={number},Type={kind},Description="{text}">'


def check_fields(context: VariantContext, in_rows: Collection[str] = ()) -> None:
    """Whether the scores can stand in INFO, beside what is there already.

    Args:
        in_rows: names of fields that rows have, whether the header declares them or not.

    Raises:
        UsageError: too many of them, a name that INFO has already, or one that is none.
    """
    if not context.splicing and not context.genes and len(context.columns) > MOST_FIELDS:
        raise UsageError(
            f"{context.out}: {counted(len(context.columns), 'score')} of a variant would be as many fields of INFO",
            f"at most {MOST_FIELDS} are written to a VCF",
            "Fix: choose tracks with --tracks, or write -o scores.tsv.gz, .parquet or .h5",
        )
    if not re.fullmatch(r"[A-Za-z_][0-9A-Za-z_.]*", context.prefix):
        raise UsageError(
            f"--prefix {context.prefix}: is no name of a field of INFO",
            "",
            "Fix: letters, digits, _ and ., with no digit first: --prefix my_model",
        )
    there = {found[1] for line in context.header if (found := re.match(r"##INFO=<ID=([^,>]+)", line))}
    if clash := [field for field in info_fields(context) if field in there or field in in_rows]:
        raise UsageError(
            f"{context.out}: the input has the INFO field {clash[0]} already",
            f"{counted(len(clash), 'field')} would be there twice",
            f"Fix: --prefix {context.prefix}_2, or remove it: bcftools annotate -x INFO/{clash[0]}",
        )


class VcfWriter(TextWriter):
    """Records come back in order; of each line only INFO is changed. Blocked gzip gets an index where it is sorted.

    Attributes:
        notes: what the user should know of the file, once it is finished.
    """

    context: VariantContext

    def __init__(self, context: VariantContext, compressed: bool = False) -> None:
        super().__init__(context, compressed)
        self.compressed = compressed
        self.notes: list[str] = []
        self._names = _fields(context)
        self._order = Order()
        if compressed:
            self.finals = [context.out, self._index(".tbi"), self._index(".csi")]

    def _index(self, suffix: str) -> Path:
        return self.context.out.with_name(self.context.out.name + suffix)

    def _start(self, resume: dict | None) -> None:
        super()._start(resume)
        self._order = Order(**resume["order"]) if resume is not None else Order()

    def checkpoint(self) -> dict:
        return super().checkpoint() | {"order": self._order.state()}

    def header(self) -> bytes:
        """The input's header with lines for what is added, before the line of columns; a new one where it has none."""
        lines = list(self.context.header) or ["##fileformat=VCFv4.2", "\t".join(COLUMNS)]
        about = "; ".join(f"{name} {value}" for name, value in self.context.about.items())
        # Names are declared that the input's header leaves out, since indices and BCF need them.
        named = {found[1] for line in lines if (found := re.match(r"##contig=<ID=([^,>]+)", line))}
        contigs = [
            f"##contig=<ID={name},length={size}>"
            for name, size in (self.context.chrom_sizes or {}).items()
            if name not in named
        ]
        added = [*contigs, *info_fields(self.context).values(), f"##zoo_variants={about}"]
        return ("\n".join([*lines[:-1], *added, lines[-1]]) + "\n").encode("utf-8", "surrogateescape")

    def lines(self, batch: Sequence[ScoredRecord]) -> Iterable[bytes]:
        texts = self._texts(batch)
        for scored in batch:
            record = scored.record
            self._order.add(record.chrom, record.pos)
            rows = [(row, next(texts)) for row in scored.rows]
            columns = list(record.columns) if self.context.header else _columns_of(record)
            added = self._added(record, rows)
            if added:
                before = columns[INFO]
                columns[INFO] = ";".join(added if before in (".", "") else [before, *added])
            yield "\t".join(columns).encode("utf-8", "surrogateescape")

    def _texts(self, batch: Sequence[ScoredRecord]) -> Iterable[list[str]]:
        """The scores of each row of the batch, as text; ``.`` where one is missing."""
        rows, columns = rows_of(batch), self.context.columns
        if not rows or not columns:
            return iter([[] for _ in rows])
        values = counted_from_pos(values_of(rows, len(columns)), columns, [row.allele for row in rows])
        split = (text.decode().split("\t") for text in format_rows(values))
        if not np.isnan(values).any():
            return split
        return (["." if text == "nan" else text for text in texts] for texts in split)

    def _added(self, record: Record, rows: Sequence[tuple[Row, list[str]]]) -> list[str]:
        """Fields with their values; none where there is no ALT."""
        if not record.alts:
            return []
        if self.context.genes or self.context.splicing:
            added = self._items(rows)
            first: dict[int, Row] = {}
            for row, _ in rows:
                if row.allele.index not in first or row.status == "":
                    first[row.allele.index] = row
            alone = [first[index] for index in sorted(first)]
        else:
            added = [
                f"{name}={','.join(texts)}" for name, *texts in zip(self._names, *(t for _, t in rows), strict=True)
            ]
            alone = [row for row, _ in rows]
        for place, text in enumerate(self.context.texts):
            if any(row.texts[place] != "." for row in alone):
                added.append(f"{self.context.prefix}_{text}={','.join(row.texts[place] for row in alone)}")
        if any(row.status for row in alone):
            added.append(f"{self.context.prefix}_status={','.join(row.status or SCORED for row in alone)}")
        if any(row.unknown for row in alone):
            numbers = ("." if row.start is None else str(row.unknown) for row in alone)
            added.append(f"{self.context.prefix}_unknown={','.join(numbers)}")
        return added + self._places(alone)

    def _places(self, rows: Sequence[Row]) -> list[str]:
        """Where the window of each ALT lies, and what is changed in it where the record says it in more letters."""
        added = []
        if any(row.start is not None for row in rows):
            length = self.context.length
            texts = ("." if row.start is None else f"{row.start}|{row.start + length}" for row in rows)
            added.append(f"{self.context.prefix}_window={','.join(texts)}")
        changed = [_changed(row.allele) for row in rows]
        if any(changed):
            added.append(f"{self.context.prefix}_changed={','.join(text or '.' for text in changed)}")
        return added

    def _items(self, rows: Sequence[tuple[Row, list[str]]]) -> list[str]:
        items = [
            "|".join([_escaped(row.allele.alt), _escaped(row.gene.name) if row.gene else ".", *texts])
            for row, texts in rows
            if row.values is not None
        ]
        return [f"{self.context.prefix}={','.join(items)}"] if items else []

    def finish(self) -> list[Path]:
        self._file.finish()
        indices = [index for index in self.finals if index != self.context.out]
        made = self._indexed() if self.compressed else None
        for index in indices:
            if made is None or index != made[1]:
                remove(index)  # that of an earlier file of this name would lead into the wrong places
        pairs = [(self.partial, self.context.out), *([made] if made else [])]
        return rename_all(pairs)

    def discard(self) -> None:
        super().discard()
        for suffix in (".tbi", ".csi"):
            remove(self.partial.with_name(self.partial.name + suffix))

    def _indexed(self) -> tuple[Path, Path] | None:
        """Index the finished file: where the index lies now, and its final name."""
        import pysam

        if not self._order.is_sorted:
            self.notes.append(
                f"{self.context.out.name} has no index: its records are not sorted by place (bcftools sort, then tabix)"
            )
            return None
        long = any(size > TABIX_MOST for size in (self.context.chrom_sizes or {}).values())
        suffix = ".csi" if long else ".tbi"
        index = self.partial.with_name(self.partial.name + suffix)
        try:
            pysam.tabix_index(str(self.partial), preset="vcf", force=True, index=str(index), csi=long)
        except OSError:
            refuse_full(index)
            raise
        return index, self._index(suffix)


class Order:
    """Whether records came sorted: chromosomes in one piece each, positions ascending."""

    def __init__(self, is_sorted: bool = True, seen: Iterable[str] = (), last: Sequence[object] = ("", -1)) -> None:
        self.is_sorted, self._seen = is_sorted, set(seen)
        self._chrom, self._pos = last

    def add(self, chrom: str, pos: int) -> None:
        """The next record."""
        if chrom != self._chrom:
            self.is_sorted &= chrom not in self._seen
            self._seen.add(chrom)
        elif pos < self._pos:
            self.is_sorted = False
        self._chrom, self._pos = chrom, pos

    def state(self) -> Mapping[str, object]:
        """What makes one that goes on."""
        return {"is_sorted": self.is_sorted, "seen": sorted(self._seen), "last": [self._chrom, self._pos]}


def _columns_of(record: Record) -> list[str]:
    """A row of a table as the columns of a VCF."""
    return [record.chrom, str(record.pos + 1), record.id, record.ref, ",".join(record.alts) or ".", ".", ".", "."]


def _changed(allele: Allele) -> str:
    """The trimmed alleles; "" where there are none, or where the record has them."""
    edit, record = allele.edit, allele.record
    if edit is None or (edit.start == record.pos and (edit.ref, edit.alt) == (record.ref.upper(), allele.alt.upper())):
        return ""
    return f"{edit.start + 1}|{edit.ref}|{edit.alt}"


def _escaped(text: str) -> str:
    return "".join(ESCAPED.get(letter, letter) for letter in text)
