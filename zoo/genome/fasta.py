"""Read windows of a FASTA by the thousand: plain (memory-mapped) or bgzip.

Plain files are gathered without a Python step per window: the bytes of all windows of a
batch are copied at once and the line ends squeezed out. bgzip files are read through
pysam in spans that merge neighbouring windows. Both index with a ``.fai`` (samtools faidx
format), which is made when missing, in the user's cache when the folder is read-only.
"""

from __future__ import annotations

import hashlib
import itertools
import mmap
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError, SystemStateError
from zoo.files import cache_folder
from zoo.paths import given_path

__all__ = ["Contig", "Genome", "open_genome"]

N_BYTE = ord("N")
# Drop the mapped pages now and then, so that resident memory does not follow the genome's size.
RELEASE_BYTES = 256 << 20
# bgzip windows closer than this are fetched in one go: a BGZF block inflates to 64 kB anyway.
SPAN_GAP = 64 << 10
SPAN_MAX = 16 << 20
# More than this between the bases of two contigs is not headers.
HEADER_MAX = 1 << 20


@dataclass(frozen=True)
class Contig:
    """One line of a ``.fai``."""

    name: str
    length: int
    offset: int
    line_bases: int
    line_width: int


class Genome:
    """An open FASTA. ``sizes`` maps contig name -> length in bp, in file order."""

    def __init__(self, path: Path, contigs: list[Contig]) -> None:
        self.path = path
        self.contigs = contigs
        self.sizes: dict[str, int] = {c.name: c.length for c in contigs}
        self._number = {c.name: i for i, c in enumerate(contigs)}
        self._lengths = np.array([c.length for c in contigs], dtype=np.int64)

    def numbers(self, names: np.ndarray, aliases: Mapping[str, str] | None = None) -> np.ndarray:
        """Contig numbers, int64, of (n,) contig names; ``aliases`` maps names to those of the FASTA.

        Raises:
            KeyError: a name is not in the FASTA.
        """
        lookup = self._number
        if aliases:
            lookup = {alias: self._number[name] for alias, name in aliases.items()} | self._number
        return np.fromiter((lookup[name] for name in names), dtype=np.int64, count=len(names))

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        """(n,) int64 lengths in bp of contigs given by number."""
        return self._lengths[numbers]

    def gather(self, numbers: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """Bases of windows ``[start, start + length)``.

        Args:
            numbers: (n,) contig numbers.
            starts: (n,) int64 0-based starts; may be negative or run past the end.
            length: bp.

        Returns:
            (n, length) uint8 of ASCII letters, case as in the file; ``N`` outside the contig.
        """
        ends_inside = starts + length <= self._lengths[numbers]
        inside = (starts >= 0) & ends_inside
        if inside.all():
            return self._gather_inside(numbers, starts, length)
        out = np.full((len(starts), length), N_BYTE, dtype=np.uint8)
        if inside.any():
            out[inside] = self._gather_inside(numbers[inside], starts[inside], length)
        for i in np.flatnonzero(~inside):  # few: only windows at the ends of contigs
            self._gather_clipped(out[i], int(numbers[i]), int(starts[i]))
        return out

    def _gather_clipped(self, row: np.ndarray, number: int, start: int) -> None:
        low, high = max(start, 0), min(start + len(row), int(self._lengths[number]))
        if low < high:
            one = np.array([number]), np.array([low], dtype=np.int64)
            row[low - start : high - start] = self._gather_inside(*one, high - low)[0]

    def _gather_inside(self, numbers: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        raise NotImplementedError

    def close(self) -> None:
        """Release the file."""


class PlainGenome(Genome):
    """An uncompressed FASTA, memory-mapped."""

    def __init__(self, path: Path, contigs: list[Contig]) -> None:
        super().__init__(path, contigs)
        with path.open("rb") as handle:
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes = np.frombuffer(self._map, dtype=np.uint8)
        self._offset = np.array([c.offset for c in contigs], dtype=np.int64)
        self._bases = np.array([max(c.line_bases, 1) for c in contigs], dtype=np.int64)
        self._width = np.array([max(c.line_width, 1) for c in contigs], dtype=np.int64)
        self._touched = 0

    def _gather_inside(self, numbers: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        bases, width = self._bases[numbers], self._width[numbers]
        first = self._offset[numbers] + starts // bases * width + starts % bases
        # The widest span of file bytes that a window of this length can need.
        ends_per_line = int((width - bases).max(initial=0))
        shortest = int(bases.min()) if len(bases) else 1
        span = length + ends_per_line * (length // shortest + 1)
        if ends_per_line == 0:
            return self._spans(first, length)
        raw = self._spans(first, span)
        return _squeeze_lines(raw, length)

    def _spans(self, first: np.ndarray, span: int) -> np.ndarray:
        """(n, span) uint8 of file bytes; bytes past the end of the file read as line ends."""
        self._release(len(first) * span)
        if len(first) and int(first.max()) + span > len(self._bytes):
            return self._spans_at_file_end(first, span)
        windows = np.lib.stride_tricks.as_strided(
            self._bytes, (max(len(self._bytes) - span + 1, 0), span), (1, 1), writeable=False
        )
        return windows[first]

    def _spans_at_file_end(self, first: np.ndarray, span: int) -> np.ndarray:
        raw = np.full((len(first), span), ord("\n"), dtype=np.uint8)
        for i, at in enumerate(first.tolist()):
            piece = self._bytes[at : at + span]
            raw[i, : len(piece)] = piece
        return raw

    def _release(self, upcoming: int) -> None:
        self._touched += upcoming
        if self._touched > RELEASE_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0

    def close(self) -> None:
        del self._bytes
        self._map.close()


def _squeeze_lines(raw: np.ndarray, length: int) -> np.ndarray:
    """Remove line ends from (n, span) file bytes and keep the first ``length`` bases of each row."""
    keep = raw > 32  # letters; line ends are 10 and 13
    kept = np.count_nonzero(keep, axis=1)
    flat = raw[keep]
    row_at = np.concatenate(([0], np.cumsum(kept)[:-1])) if len(kept) else kept
    windows = np.lib.stride_tricks.as_strided(flat, (max(len(flat) - length + 1, 0), length), (1, 1), writeable=False)
    return windows[row_at]


class BgzipGenome(Genome):
    """A bgzip FASTA, read through pysam."""

    def __init__(self, path: Path, contigs: list[Contig], fai: Path, gzi: Path) -> None:
        import pysam

        super().__init__(path, contigs)
        self._file = pysam.FastaFile(str(path), filepath_index=str(fai), filepath_index_compressed=str(gzi))

    def _gather_inside(self, numbers: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        out = np.empty((len(starts), length), dtype=np.uint8)
        order = np.lexsort((starts, numbers))
        for rows in _spans(numbers[order], starts[order], length):
            members = order[rows]
            low = int(starts[members[0]])
            high = int(starts[members[-1]]) + length
            text = self._fetch(self.contigs[int(numbers[members[0]])].name, low, high)
            span = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
            windows = np.lib.stride_tricks.sliding_window_view(span, length)
            out[members] = windows[starts[members] - low]
        return out

    def _fetch(self, name: str, low: int, high: int) -> str:
        try:
            text = self._file.fetch(name, low, high)
        except (ValueError, OSError):
            text = ""
        if len(text) != high - low:
            raise InputError(
                f"{self.path}: {name}:{low}-{high} cannot be read, though the index has it",
                "the file is truncated or damaged, or its index is of another file",
                f"Fix: remove {self.path.name}.fai and .gzi and try again; `gzip -t` tells whether the file is whole",
            )
        return text

    def close(self) -> None:
        self._file.close()


def _spans(numbers: np.ndarray, starts: np.ndarray, length: int) -> list[slice]:
    """Cut sorted windows into runs that are worth one fetch each."""
    if not len(starts):
        return []
    far = (np.diff(numbers) != 0) | (np.diff(starts) > length + SPAN_GAP)
    # A run longer than SPAN_MAX bp is cut too, so that memory stays bounded.
    far |= (starts[1:] // SPAN_MAX) != (starts[:-1] // SPAN_MAX)
    cuts = [0, *(np.flatnonzero(far) + 1).tolist(), len(starts)]
    return [slice(a, b) for a, b in itertools.pairwise(cuts)]


def open_genome(path: str | Path) -> Genome:
    """Open a FASTA for random access.

    Args:
        path: plain or bgzip FASTA; ``.fai`` (and ``.gzi``) are used when they fit the file, else made.

    Raises:
        InputError: missing file, gzip that is not bgzip, or not a FASTA.
    """
    path = given_path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(
            f"{path}: is a pipe or device, which allows no random access",
            "no window can be read",
            "Fix: save the genome as a file, plain or bgzip",
        )
    kind = _sniff(path)
    if kind == "bgzip":
        fai, gzi = _ensure_index(path, compressed=True)
        return BgzipGenome(path, _read_fai(fai), fai, gzi)
    fai, _ = _ensure_index(path, compressed=False)
    return PlainGenome(path, _read_fai(fai))


def _sniff(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            head = handle.read(18)
    except FileNotFoundError:
        raise InputError(f"{path}: no such genome file", "", "Fix: give the path of a FASTA with -g") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, not a FASTA", "", "Fix: give a FASTA file with -g") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "", "Fix: check the file's permissions") from None
    if head[:2] == b"\x1f\x8b":
        # BGZF is gzip with an extra field "BC" (SAM specification, section 4.1).
        if len(head) == 18 and head[3] & 4 and head[12:14] == b"BC":
            return "bgzip"
        raise InputError(
            f"{path}: is compressed with gzip, which allows no random access",
            "no window can be read",
            f"Fix: gunzip -c {path} | bgzip > {path.with_suffix('')}.bgz.gz   (or gunzip it)",
        )
    if not head:
        raise InputError(
            f"{path}: is not a FASTA (it is empty)", "no window can be read", "Fix: fetch the genome again"
        )
    if not head.lstrip().startswith(b">"):
        raise InputError(
            f"{path}: is not a FASTA (its first character is not '>')",
            "no window can be read",
            "Fix: give a genome FASTA with -g; 2bit and GenBank files are not read",
        )
    return "plain"


def _ensure_index(path: Path, compressed: bool) -> tuple[Path, Path]:
    """Paths of a ``.fai`` and ``.gzi`` that fit the FASTA."""
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


def _index_fits(path: Path, fai: Path, gzi: Path, compressed: bool) -> bool:
    """Whether the index belongs to this file; dates are not trusted, as clones and copies change them."""
    if not fai.is_file() or (compressed and not gzi.is_file()):
        return False
    try:
        contigs = _read_fai(fai)
    except (ValueError, TypeError, InputError):
        return False
    if compressed:
        newer = min(fai.stat().st_mtime, gzi.stat().st_mtime) >= path.stat().st_mtime
        return bool(contigs) and newer
    return bool(contigs) and _headers_match(path, contigs)


def _headers_match(path: Path, contigs: list[Contig]) -> bool:
    """Whether the contigs' own headers stand before their first bases, and no other bases in between or after."""
    size, end = path.stat().st_size, 0
    with path.open("rb") as handle:
        for contig in contigs:
            if not end < contig.offset <= end + HEADER_MAX:
                return False
            handle.seek(end)
            gap = handle.read(contig.offset - end)
            *others, header = gap.rstrip(b"\r\n").split(b"\n")
            if not gap.endswith(b"\n") or not header.startswith(b">") or _bases_in(others):
                return False
            if header[1:].split(None, 1)[:1] != [contig.name.encode()]:
                return False
            lines = -(-contig.length // max(contig.line_bases, 1))
            end = contig.offset + contig.length + (lines - 1) * (contig.line_width - contig.line_bases)
        handle.seek(end)
        return end <= size < end + HEADER_MAX and not _bases_in(handle.read().split(b"\n"))


def _bases_in(lines: list[bytes]) -> bool:
    """Whether a line is neither blank nor a header (of a sequence without bases, which an index leaves out)."""
    return any(line.strip() and not line.startswith(b">") for line in lines)


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
        _explain_index(path, messages.read_text(errors="replace"), failed)
        os.replace(new_fai, fai)
        if compressed:
            os.replace(new_gzi, gzi)
    return fai, gzi


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


def _explain_index(path: Path, messages: str, failed: bool) -> None:
    """Raise InputError when htslib could not index the file, or left out a sequence whose name repeats."""
    twice = re.findall(r'Ignoring duplicate sequence "(.*)" at byte', messages)
    if twice:
        raise InputError(
            f"{path}: two sequences are named {twice[0]!r}",
            f"{len(twice)} sequence(s) repeat a name",
            "Fix: give each sequence its own name, or remove the copies",
        )
    if failed:
        detail = "; ".join(re.sub(r"^\[\S+\] *", "", line) for line in messages.splitlines()) or "no sequence found"
        raise InputError(
            f"{path}: cannot be indexed: {detail[:200]}",
            "no window can be read",
            "Fix: lines of one sequence must have equal length; `samtools faidx` gives the same message",
        )


def _read_fai(fai: Path) -> list[Contig]:
    contigs = []
    for line in fai.read_text().splitlines():
        name, *numbers = line.split("\t")
        contigs.append(Contig(name, *(int(value) for value in numbers[:4])))
    if not contigs:
        raise InputError(f"{fai}: the genome index is empty", "", "Fix: remove it; it will be made again")
    return contigs
