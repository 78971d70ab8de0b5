"""What a track is read from: files, reading and options, checked before a byte of data is read."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from finetune.config import TargetConfig
from zoo.errors import UsageError
from zoo.paths import near_file
from zoo.words import counted

__all__ = ["TrackSource", "kind_of", "source_of"]

GZIP_MAGIC = b"\x1f\x8b"
#: First bytes of a file, and what it is. bigWig and bigBed as little- and big-endian machines write them.
MAGIC = (
    (b"\x26\xfc\x8f\x88", "bigwig"),
    (b"\x88\x8f\xfc\x26", "bigwig"),
    (b"\xeb\xf2\x89\x87", "bigbed"),
    (b"\x87\x89\xf2\xeb", "bigbed"),
    (b"CRAM", "cram"),
    (b"BAM\1", "bam"),
)
READS = ("coverage", "centres", "cuts")


@dataclass(frozen=True)
class TrackSource:
    """One track's files and how they are read.

    Attributes:
        name: of the track. files: one, or replicates.
        read: ``signal`` (bigWig), ``coverage``, ``centres`` or ``cuts`` (fragments, BAM), ``labels`` (BED, narrowPeak)
            or ``table``.
        length: shortest and longest fragment in bp, both included; None takes all.
        column: of a table.
        reduce: ``sum``, ``mean`` or ``max`` of a bin's bases; see ``finetune.data.reading.bins``.
        missing: ``mask``, or ``zero`` where what a file does not name is 0.
        strand: reads of this strand alone, of BAM and of fragments with a strand; else only a name.
        reads: draw so many fragments or reads of all files together; None takes all.
        seed: of the draw.
    """

    name: str
    files: tuple[Path, ...]
    read: str
    length: tuple[int, int] | None = None
    column: str | None = None
    reduce: str = "mean"
    missing: str = "mask"
    strand: str | None = None
    reads: int | None = None
    seed: int = 0


def source_of(target: TargetConfig, seed: int = 0) -> TrackSource:
    """The source of a target of ``run.yaml``.

    Args:
        seed: of the draw of ``depth.reads``.

    Raises:
        UsageError: a file is missing; ``read`` is missing or does not go with the file; a key that the reading has no
            use for; replicates of what cannot be joined.
    """
    where = f"target {target.name}"
    files = tuple(Path(name) for name in target.files)
    if not files:
        raise UsageError(f"{where}: `files` is empty", "", "Fix: name at least one file")
    kinds = {path: kind_of(path, where) for path in files}
    read = _reading(target, kinds, where)
    _refuse_unused(target, read, where)
    _refuse_replicates(files, read, where)
    return TrackSource(
        name=target.name,
        files=files,
        read=read,
        length=_length(target.length, where),
        column=(target.column or target.name) if read == "table" else None,
        reduce=target.reduce,
        missing=target.missing,
        strand=target.strand,
        reads=target.depth.reads,
        seed=seed,
    )


def kind_of(path: Path, where: str) -> str:
    """``bigwig``, ``bam`` or ``text`` (plain or gzip), by content and not by name.

    Raises:
        UsageError: no such file, a folder, unreadable; bigBed or CRAM, which are not read.
    """
    try:
        with open(path, "rb", buffering=0) as handle:  # of four bytes a buffer is most of the time
            head = handle.read(4)
        if head[:2] == GZIP_MAGIC:
            with gzip.open(path, "rb") as handle:
                head = handle.read(4)
    except FileNotFoundError:
        raise UsageError(f"{where}: {path}: no such file", near_file(path), "Fix: correct `files`") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return "text"  # a damaged gzip: who reads it says where
    except OSError as error:
        raise UsageError(f"{where}: {path}: {error.strerror}", "", "Fix: give a file that can be read") from None
    kind = next((kind for magic, kind in MAGIC if head.startswith(magic)), "text")
    if kind == "bigbed":
        raise UsageError(f"{where}: {path} is a bigBed", "", f"Fix: bigBedToBed {path} peaks.bed, and `read: labels`")
    if kind == "cram":
        raise UsageError(f"{where}: {path} is a CRAM", "", f"Fix: samtools view -b -T genome.fa -o reads.bam {path}")
    return kind


def _reading(target: TargetConfig, kinds: dict[Path, str], where: str) -> str:
    found = sorted(set(kinds.values()))
    if len(found) > 1:
        raise UsageError(
            f"{where}: its files are of several kinds: {', '.join(found)}",
            counted(len(kinds), "file"),
            "Fix: replicates must be of one kind; make a target of each",
        )
    kind, first = found[0], next(iter(kinds))
    if kind == "bigwig":
        if target.read not in (None, "signal"):
            raise UsageError(
                f"{where}: {first} is a bigWig, which has no {target.read}", "", "Fix: remove `read`, or `read: signal`"
            )
        return "signal"
    if kind == "bam" and target.read not in READS:
        raise UsageError(
            f"{where}: `read` must say what is taken of {first}, a BAM{_given(target.read)}",
            "",
            "Fix: `read: cuts` (Tn5), `centres` (nucleosomes) or `coverage`",
        )
    if target.read is None:
        raise UsageError(
            f"{where}: `read` must say what {first} holds",
            "a text file may hold fragments, peaks or a table",
            "Fix: `read: cuts`, `centres` or `coverage` of fragments, `labels` of peaks, or `table`",
        )
    if target.read == "signal":
        raise UsageError(
            f"{where}: {first} is no bigWig, whose reading `signal` is",
            "",
            "Fix: bedGraphToBigWig makes one of a bedGraph; else `read: cuts`, `coverage`, `labels` or `table`",
        )
    return target.read


def _given(read: str | None) -> str:
    return f"; `{read}` is no reading of it" if read else ""


def _refuse_unused(target: TargetConfig, read: str, where: str) -> None:
    """A key that would change nothing is a misunderstanding, which a number would hide."""
    if target.length is not None and read not in READS:
        raise UsageError(f"{where}: `length` is of fragments; {read} has none", "", "Fix: remove `length`")
    if target.column is not None and read != "table":
        raise UsageError(f"{where}: `column` is of a table; {read} has none", "", "Fix: remove `column`")
    if target.depth.reads is not None and read not in READS:
        raise UsageError(
            f"{where}: `depth.reads` draws fragments or reads; {read} has none",
            "",
            "Fix: remove it, or `depth.background`",
        )
    if read == "labels" and target.reduce == "sum":
        raise UsageError(
            f"{where}: labels are 0 or 1, which are not summed",
            "",
            "Fix: `reduce: mean` (1 where peaks cover half of the bin) or `max` (1 where they cover one base)",
        )


def _refuse_replicates(files: tuple[Path, ...], read: str, where: str) -> None:
    if len(set(files)) < len(files):
        twice = next(path for path in files if files.count(path) > 1)
        raise UsageError(f"{where}: {twice} is named twice", "it would be counted twice", "Fix: name it once")
    if len(files) > 1 and read in ("labels", "table"):
        fix = "bedtools intersect or merge them into one" if read == "labels" else "join them to one table"
        raise UsageError(
            f"{where}: {read} of several files have no one meaning", counted(len(files), "file"), f"Fix: {fix}"
        )


def _length(text: str | None, where: str) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+)\s*-\s*(\d+)\s*", text)
    if match is None or int(match[1]) > int(match[2]):
        raise UsageError(
            f"{where}: `length` must be two whole numbers, the smaller first, not {text!r}", "", "Fix: length: 140-220"
        )
    return int(match[1]), int(match[2])
