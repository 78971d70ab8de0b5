"""Fragments and reads of a BAM, through pysam.

What counts: mapped, primary, not supplementary, not a duplicate (flag 0x400), passing quality control (0x200); any
mapping quality, as the file has it: filter before (``samtools view -q 30``). Of pairs, only proper ones whose mates
face each other; the fragment runs from the forward mate's first base for the template's length, and counts once. Of
single reads, ``cuts`` is the one Tn5 site at the 5' end, and ``coverage`` the aligned span; they have no centre and no
fragment length. The strand of a pair is that of its read 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.fragments import Fragments
from finetune.data.naming import check_lengths
from zoo.errors import InputError

__all__ = ["ONE_CUT", "read_alignments"]

#: Stands as the end of what is a single read's one cut, at ``start``.
ONE_CUT = -1
CHUNK = 1 << 17
NOT_COUNTED = 0x4 | 0x100 | 0x200 | 0x400 | 0x800
SKIP = 3  # N of a CIGAR
#: Every whole BGZF file ends with this empty block (SAM specification, section 4.1.2).
END_OF_FILE = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def read_alignments(
    path: Path, track: str, read: str, sizes: Mapping[str, int], strand: str | None, length: tuple[int, int] | None
) -> Iterator[Fragments]:
    """Yield fragments, or single reads, in file order; their ``line`` is 0.

    Raises:
        InputError: truncated, no alignments of use, of another assembly, spliced, pairs and single reads mixed, or
            single reads where fragments are needed.
    """
    import pysam

    _refuse_truncated(path, track)
    try:
        with pysam.AlignmentFile(str(path), "rb", check_sq=False) as file:
            check_lengths(dict(zip(file.references, file.lengths, strict=True)), sizes, track, path)
            found = yield from _fragments(file, path, track, read, strand, length)
    except (OSError, ValueError) as error:
        raise InputError(
            f"track {track}: {path} cannot be read: {error}",
            "the BAM is truncated or damaged",
            f"Fix: fetch it again; `samtools quickcheck -v {path}` tells when it is whole",
        ) from None
    if not found:
        raise InputError(
            f"track {track}: {path} has no read that counts" + (f" on strand {strand}" if strand else ""),
            "counted are primary, proper pairs or single reads that are no duplicates",
            f"Fix: `samtools flagstat {path}` tells what the file holds",
        )


def _refuse_truncated(path: Path, track: str) -> None:
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - len(END_OF_FILE)))
        whole = handle.read() == END_OF_FILE
    if not whole:
        raise InputError(
            f"track {track}: {path} is truncated: it has no end-of-file block",
            "reads are missing",
            f"Fix: fetch it again; `samtools quickcheck -v {path}` tells when it is whole",
        )


def _fragments(
    file: Any, path: Path, track: str, read: str, strand: str | None, length: tuple[int, int] | None
) -> Iterator[Fragments]:
    """Yields parts of one chromosome each; returns how many fragments there were."""
    chrom, pairs, total, paired = -1, [], 0, None
    for record in file:
        if record.flag & NOT_COUNTED:
            continue
        if paired is None:
            paired = record.is_paired
            if not paired:
                _refuse_single(path, track, read, length)
        if record.is_paired != paired:
            raise InputError(
                f"track {track}: {path} mixes pairs and single reads, which do not count alike",
                f"the first read that differs is {record.query_name}",
                f"Fix: samtools view -b -f 1 -o pairs.bam {path} (or -F 1 for the single ones)",
            )
        one = _of_pair(record, strand) if paired else _of_single(record, read, strand)
        if one is None:
            continue
        _refuse_spliced(record, path, track)
        if record.reference_id != chrom or len(pairs) == CHUNK:
            if pairs:
                yield _part(file.get_reference_name(chrom), pairs)
            chrom, pairs = record.reference_id, []
        pairs.append(one)
        total += 1
    if pairs:
        yield _part(file.get_reference_name(chrom), pairs)
    return total


def _part(chrom: str, pairs: list[tuple[int, int]]) -> Fragments:
    both = np.array(pairs, dtype=np.int64)
    return Fragments(chrom, both[:, 0], both[:, 1], 0)


def _of_pair(record: Any, strand: str | None) -> tuple[int, int] | None:
    """The fragment, told at its forward mate; None elsewhere."""
    facing = not record.is_reverse and record.mate_is_reverse and record.template_length > 0
    if not record.is_proper_pair or not facing or record.reference_id != record.next_reference_id:
        return None
    if strand is not None and (record.is_read1) != (strand == "+"):
        return None
    return record.reference_start, record.reference_start + record.template_length


def _of_single(record: Any, read: str, strand: str | None) -> tuple[int, int] | None:
    if strand is not None and record.is_reverse != (strand == "-"):
        return None
    start, end = record.reference_start, record.reference_end
    if read == "coverage":
        return start, end
    return (end - 5 if record.is_reverse else start + 4), ONE_CUT


def _refuse_single(path: Path, track: str, read: str, length: tuple[int, int] | None) -> None:
    if read != "centres" and length is None:
        return
    what = "centres" if read == "centres" else "length"
    raise InputError(
        f"track {track}: {path} holds single reads, whose fragments' {what} cannot be known",
        "one end was sequenced",
        "Fix: " + ("`read: cuts` or `coverage`" if read == "centres" else "remove `length`"),
    )


def _refuse_spliced(record: Any, path: Path, track: str) -> None:
    if record.cigartuples and any(operation == SKIP for operation, _ in record.cigartuples):
        raise InputError(
            f"track {track}: {path} holds spliced reads: a fragment would cover introns",
            f"the first is {record.query_name}",
            "Fix: make a bigWig of it (STAR --outWigType, or deepTools bamCoverage) and give that",
        )
