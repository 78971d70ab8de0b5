"""The ``.fai`` (samtools faidx format) and ``.gzi`` of a FASTA: found, checked against the file, or made.

An index belongs to a file by content, never by date: copies, clones and ``rsync -a`` bring dates of their own. Each
contig's header must stand right before its first base, with no other bases in between or after the last, and its lines
must end where the index has them. The same rule holds for plain and bgzip files, over a reader of the bytes at an
uncompressed offset.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError, SystemStateError
from zoo.files import cache_folder
from zoo.genome.bgzf import BgzfBlocks, UnfitIndex
from zoo.genome.fasta_faults import explain_faults

__all__ = ["Contig", "ensure_index", "read_fai", "stands_where"]

# More than this between the bases of two contigs is not headers.
HEADER_MAX = 1 << 20
# More than this at the end of a line is no line end.
LINE_END_MAX = 1 << 10
# Contigs, and blocks, of a bgzip file that are looked at when it is opened: to inflate a block takes 0.2 ms. The
# others are looked at before the first of their bases is read (``BgzipGenome``).
LOOKS = 256
# What no name of a contig may hold; a tab ends it, as other blanks do.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

#: Bytes ``[low, high)`` of the uncompressed file; fewer where it ends.
ReadAt = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Contig:
    """One line of a ``.fai``."""

    name: str
    length: int
    offset: int
    line_bases: int
    line_width: int

    def place(self, base: int) -> int:
        """Uncompressed offset of a base."""
        bases = max(self.line_bases, 1)
        return self.offset + base // bases * self.line_width + base % bases

    @property
    def end(self) -> int:
        """Uncompressed offset behind the last base."""
        return self.place(self.length - 1) + 1 if self.length else self.offset


def ensure_index(path: Path, compressed: bool) -> tuple[Path, Path]:
    """Paths of a ``.fai`` and ``.gzi`` that fit the FASTA.

    Raises:
        InputError: it cannot be indexed. SystemStateError: the index can be written nowhere.
    """
    beside = path.with_name(path.name + ".fai"), path.with_name(path.name + ".gzi")
    if _index_fits(path, *beside, compressed):
        return beside
    cached = _cached_index_paths(path)
    if _index_fits(path, *cached, compressed):
        return cached
    try:
        if not any(p.exists() for p in beside) and os.access(path.parent, os.W_OK):
            return _make_index(path, *beside, compressed)
        cached[0].parent.mkdir(parents=True, exist_ok=True)
        return _make_index(path, *cached, compressed)
    except OSError as error:
        raise SystemStateError(
            f"{path}: its index (.fai) can be written neither beside it nor in the cache: {error.strerror}",
            f"tried {error.filename or cached[0].parent}",
            "Fix: ZOO_CACHE=/a/folder/with/room, or `samtools faidx` where the FASTA lies",
        ) from None


def _cached_index_paths(path: Path) -> tuple[Path, Path]:
    stat = path.stat()
    key = hashlib.sha256(f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()).hexdigest()[:24]
    folder = cache_folder() / "fai"
    return folder / f"{key}.fai", folder / f"{key}.gzi"


def read_fai(fai: Path) -> list[Contig]:
    """The contigs of a ``.fai``, in order.

    Raises:
        InputError: there is none. ValueError: it is damaged, or a name repeats or is not UTF-8 text without control
            characters.
    """
    text = fai.read_bytes().decode("utf-8")
    if _CONTROL.search(text):
        raise ValueError("control characters")
    contigs = []
    for line in filter(None, text.split("\n")):
        name, *numbers = line.split("\t")
        length, offset, line_bases, line_width = (int(value) for value in numbers[:4])
        contigs.append(Contig(name, length, offset, line_bases, line_width))
    if not contigs:
        raise InputError(f"{fai}: the genome index is empty", "", "Fix: remove it; it will be made again")
    if len({contig.name for contig in contigs}) < len(contigs):
        raise ValueError("a name twice")
    return contigs


# ---------------- does it fit


def _index_fits(path: Path, fai: Path, gzi: Path, compressed: bool) -> bool:
    """Whether the index belongs to this file."""
    if not fai.is_file() or (compressed and not gzi.is_file()):
        return False
    try:
        contigs = read_fai(fai)
        return _bgzip_fits(path, gzi, contigs) if compressed else _plain_fits(path, contigs)
    except (ValueError, InputError, UnfitIndex):
        return False


def _plain_fits(path: Path, contigs: Sequence[Contig]) -> bool:
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _all_fit(lambda low, high: content[low:high], len(content), contigs, range(len(contigs)))


def _bgzip_fits(path: Path, gzi: Path, contigs: Sequence[Contig]) -> bool:
    blocks = BgzfBlocks(path, gzi)
    try:
        blocks.check_some(LOOKS)
        some = np.unique(np.linspace(0, len(contigs) - 1, min(LOOKS, len(contigs))).astype(int))
        return _all_fit(blocks.read, blocks.size, contigs, some.tolist())
    finally:
        blocks.close()


def _all_fit(read: ReadAt, size: int, contigs: Sequence[Contig], numbers: Sequence[int]) -> bool:
    """Whether these contigs stand where the index has them, and no bases behind the last of all."""
    if not all(stands_where(read, contigs, number) for number in numbers):
        return False
    end = contigs[-1].end
    return end <= size < end + HEADER_MAX and not _bases_in(read(end, size).split(b"\n"))


def stands_where(read: ReadAt, contigs: Sequence[Contig], number: int) -> bool:
    """Whether a contig's own header stands before its first base, no other bases in between, and its lines end rightly.

    Args:
        read: bytes at an uncompressed offset.
        contigs: all of the index.
        number: which of them.
    """
    contig, end = contigs[number], contigs[number - 1].end if number else 0
    if not end < contig.offset <= end + HEADER_MAX:
        return False
    gap = read(end, contig.offset)
    if number and contigs[number - 1].length and not gap[:1].isspace():
        return False
    *others, header = gap.rstrip(b"\r\n").split(b"\n")
    if not gap.endswith(b"\n") or not header.startswith(b">") or _bases_in(others):
        return False
    return header[1:].split(None, 1)[:1] == [contig.name.encode()] and _lines_end(read, contig)


def _lines_end(read: ReadAt, contig: Contig) -> bool:
    """Whether the first line ends where its length says, and the last base is one."""
    if not contig.length:
        return True
    last = contig.end - 1
    if read(last, last + 1) <= b" ":
        return False
    if contig.length <= contig.line_bases:
        return True
    blank = contig.line_width - contig.line_bases
    if not (contig.line_bases and 0 < blank <= LINE_END_MAX):
        return False
    around = read(contig.offset + contig.line_bases - 1, contig.offset + contig.line_width + 1)
    between = around[1:-1]
    return (
        len(around) == blank + 2 and around[:1] > b" " < around[-1:] and not between.strip() and between[-1:] == b"\n"
    )


def _bases_in(lines: list[bytes]) -> bool:
    """Whether a line is neither blank nor a header (of a sequence without bases, which an index leaves out)."""
    return any(line.strip() and not line.startswith(b">") for line in lines)


# ---------------- make it


def _make_index(path: Path, fai: Path, gzi: Path, compressed: bool) -> tuple[Path, Path]:
    """Index under temporary names, then rename, so that a second process never sees half an index."""
    import pysam  # 50 ms that a genome with an index does not need

    with tempfile.TemporaryDirectory(dir=fai.parent, prefix=".zoo-fai-") as folder:
        new_fai, new_gzi = Path(folder) / "fai", Path(folder) / "gzi"
        arguments = ["--fai-idx", str(new_fai)]
        if compressed:
            arguments += ["--gzi-idx", str(new_gzi)]
        with _stderr_in(Path(folder) / "messages") as messages:
            try:
                pysam.faidx(*arguments, str(path))
                failed = False
            except pysam.SamtoolsError:
                failed = True
        said = messages.read_text(errors="replace")
        fits = not failed and _index_fits(path, new_fai, new_gzi, compressed)
        if not fits or said or _ends_oddly(new_fai):
            explain_faults(path)
        if not fits:
            raise _not_indexed(path, said)
        os.replace(new_fai, fai)
        if compressed:
            os.replace(new_gzi, gzi)
    return fai, gzi


def _ends_oddly(fai: Path) -> bool:
    """Whether lines end with more than LF: then lines of other ends among them may go unseen by their length."""
    return any(contig.line_width > contig.line_bases + 1 for contig in read_fai(fai))


@contextmanager
def _stderr_in(path: Path) -> Iterator[Path]:
    """Send what C code writes to standard error to a file: htslib says there what is wrong with a FASTA."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with path.open("wb") as handle:
            os.dup2(handle.fileno(), 2)
        yield path
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _not_indexed(path: Path, messages: str) -> InputError:
    """The error where no line is known to be wrong; htslib may say more."""
    said = "; ".join(re.sub(r"^\[\S+\] *", "", line) for line in messages.splitlines())
    return InputError(
        f"{path}: cannot be indexed: {(said or 'its index does not fit its lines')[:200]}",
        "no window can be read",
        "Fix: lines of one sequence must have equal length; `samtools faidx` gives the same message",
    )
