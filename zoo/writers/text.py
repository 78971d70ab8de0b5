"""A result that is lines of text, plain or blocked gzip: its columns, and numbers as text."""

from __future__ import annotations

import base64
import contextlib
import struct
import zlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from zoo.outputs import OutputSpec, PredictionBatch
from zoo.results.whole import open_at, remove, rename_all
from zoo.writers.base import Writer, WriterContext

__all__ = [
    "REGION",
    "ROW",
    "BgzfFile",
    "PlainFile",
    "TextWriter",
    "flat_values",
    "format_rows",
    "row_fields",
    "safe_text",
    "track_names",
    "value_names",
]


def row_fields(batch: PredictionBatch, *positions: np.ndarray) -> list[str]:
    """The columns before the values of each row, tab-separated, with a tab at the end.

    Args:
        positions: start and end, then further numbers that stand behind the strand.
    """
    start, end, *further = (map(str, position.tolist()) for position in positions)
    columns = [safe_text(batch.chrom), start, end, safe_text(batch.name), safe_text(batch.score), batch.strand.tolist()]
    return [*map("\t".join, zip(*columns, *further, [""] * len(batch), strict=True))]


class PlainFile:
    """A text file that can be cut back to a checkpoint."""

    def __init__(self, path: Path, resume: dict | None = None) -> None:
        self._file = open_at(path, None if resume is None else resume["bytes"])

    def write(self, text: bytes) -> None:
        """Append."""
        self._file.write(text)

    def state(self) -> dict:
        """Flush; return what ``resume`` takes."""
        self._file.flush()
        return {"bytes": self._file.tell()}

    def finish(self) -> None:
        """Flush and close; an error of the disk shows here."""
        self._file.close()

    def abandon(self) -> None:
        """Close without raising."""
        with contextlib.suppress(OSError):
            self._file.close()


class BgzfFile(PlainFile):
    """Blocked gzip (BGZF, SAM specification 4.1): any gzip reads it, ``tabix`` can index it.

    Blocks hold a fixed number of characters, so the file does not depend on where checkpoints
    fell; what is not yet a whole block (under 64 KiB) travels in the checkpoint. No time and no
    name is stored: the same predictions give the same bytes.
    """

    BLOCK = 0xFF00  # characters a block, as htslib
    END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

    def __init__(self, path: Path, resume: dict | None = None) -> None:
        super().__init__(path, resume)
        self._tail = bytearray(zlib.decompress(base64.b64decode(resume["tail"])) if resume else b"")

    def write(self, text: bytes) -> None:
        self._tail += text
        whole = len(self._tail) - len(self._tail) % self.BLOCK
        for first in range(0, whole, self.BLOCK):
            self._file.write(self._compressed(bytes(self._tail[first : first + self.BLOCK])))
        del self._tail[:whole]

    def state(self) -> dict:
        tail = base64.b64encode(zlib.compress(bytes(self._tail))).decode("ascii")
        return super().state() | {"tail": tail}

    def finish(self) -> None:
        if self._tail:
            self._file.write(self._compressed(bytes(self._tail)))
        self._file.write(self.END)
        super().finish()

    @staticmethod
    def _compressed(text: bytes) -> bytes:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        data = packer.compress(text) + packer.flush()
        header = struct.pack("<4BI2BH2B2H", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(data) + 25)
        return header + data + struct.pack("<2I", zlib.crc32(text), len(text))


class TextWriter(Writer):
    """Base of the formats with a line a row; a subclass gives the header and the lines."""

    def __init__(self, context: WriterContext, compressed: bool = False) -> None:
        super().__init__(context)
        self._kind = BgzfFile if compressed else PlainFile
        self._file: PlainFile | None = None

    @abstractmethod
    def header(self) -> bytes:
        """The first line(s), each ended by a newline."""

    @abstractmethod
    def lines(self, batch: PredictionBatch) -> Iterable[bytes]:
        """One line a row of the batch, without the newline."""

    def text(self, batch: PredictionBatch) -> bytes:
        """The lines of a batch as they stand in the file."""
        return b"".join(line + b"\n" for line in self.lines(batch))

    def _start(self, resume: dict | None) -> None:
        if resume is None:
            remove(self.partial)
        self._file = self._kind(self.partial, resume)
        if resume is None:
            self._file.write(self.header())

    def write(self, batch: PredictionBatch) -> None:
        self._file.write(self.text(batch))

    def checkpoint(self) -> dict:
        return self._file.state()

    def finish(self) -> list[Path]:
        self._file.finish()
        return rename_all([(self.partial, self.context.out)])

    def suspend(self) -> None:
        if self._file is not None:
            self._file.abandon()

    def discard(self) -> None:
        self.suspend()
        remove(self.partial)


# ---------------------------------------------------------------- columns of the tables (TSV, BED, Parquet)


REGION = ("chrom", "start", "end", "name", "score", "strand")
WINDOW = ("window_start", "window_end")
#: Columns before the values in TSV and Parquet: the region as in the regions file, and what the model saw for it, which
#: may pass the chromosome's ends.
ROW = REGION + WINDOW


def track_names(context: WriterContext) -> dict[str, tuple[str, ...]]:
    """Output name -> one unique column name a track.

    With several outputs each name is ``<output>/<track>``. With one output it is the track's
    name, unless that repeats or is the name of a region column; what still repeats gets a number.
    """
    taken = Counter(ROW)
    taken.update(track for output in context.outputs for track in output.tracks)
    used: set[str] = set(ROW)
    return {o.name: tuple(_unique(o, taken, used, len(context.outputs) > 1)) for o in context.outputs}


def _unique(output: OutputSpec, taken: Counter[str], used: set[str], several: bool) -> Iterator[str]:
    for track in output.tracks:
        base = f"{output.name}/{track}" if several or taken[track] > 1 else track
        base = name = base.translate(BREAKS)
        number = 2
        while name in used:
            name, number = f"{base}.{number}", number + 1
        used.add(name)
        yield name


def value_names(context: WriterContext) -> list[str]:
    """One name a value: the track, or ``<track>/<bin>`` for each bin of a profile in numeric order."""
    names = track_names(context)
    return [
        f"{track}/{i}" if output.kind == "profile" else track
        for output in context.outputs
        for track in names[output.name]
        for i in range(output.n_bins if output.kind == "profile" else 1)
    ]


def flat_values(batch: PredictionBatch, outputs: tuple[OutputSpec, ...]) -> np.ndarray:
    """(n, values) float32 in the order of `value_names`."""
    n = len(batch)
    blocks = [batch.values[output.name].reshape(n, -1) for output in outputs]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


BREAKS = str.maketrans("\t\n\r", "   ")


def safe_text(fields: np.ndarray) -> list[str]:
    """Fields without the characters that would break a line of text apart (they become spaces)."""
    joined = "".join(fields)
    if any(c in joined for c in "\t\n\r"):
        return [field.translate(BREAKS) for field in fields]
    return fields.tolist()


# ---------------- float32 to text: the shortest of 6 to 9 digits that reads back the same


WIDTH = 17  # sign, at most 15 characters of number, separator
BLOCK = 1 << 15  # values formatted at once: the temporaries stay in the processor's cache
NUL, POINT, ZERO, MINUS, E = 0, ord("."), ord("0"), ord("-"), ord("e")
LARGEST_SPACED = np.float32(3e38)  # np.spacing overflows at the largest float32; its gap is the same here
POWERS = np.array([float(f"1e{k}") for k in range(-40, 60)])  # POWERS[k + 40] is 10**k


def _three_digits() -> np.ndarray:
    """(2000, 3) characters: 000..999 as written, then again with the zeros at the end as NUL."""
    digits = np.frombuffer("".join(f"{i:03d}" for i in range(1000)).encode(), np.uint8).reshape(1000, 3)
    stripped = np.frombuffer(
        "".join(f"{i:03d}".rstrip("0").ljust(3, "\0") for i in range(1000)).encode(), np.uint8
    ).reshape(1000, 3)
    return np.concatenate([digits, stripped])


THREE_DIGITS = _three_digits()


def format_rows(values: np.ndarray) -> list[bytes]:
    """Tab-separated text of each row.

    Args:
        values: (n, columns) float32, columns >= 1; nan and inf are allowed.

    Returns:
        n byte strings; ``np.float32(field)`` of each field is the value, bit for bit (NaN: a NaN).
    """
    n, columns = values.shape
    step = max(1, BLOCK // columns)
    rows: list[bytes] = []
    for first in range(0, n, step):
        block = values[first : first + step]
        text = np.empty((block.size, WIDTH), np.uint8)
        _format(np.ascontiguousarray(block, np.float32).ravel(), text)
        text[:, -1] = ord("\t")
        text[columns - 1 :: columns, -1] = ord("\n")
        rows += text.tobytes().translate(None, b"\0").split(b"\n")[:-1]
    return rows


def _format(values: np.ndarray, text: np.ndarray) -> None:
    """Write (n,) float32 into (n, WIDTH) characters; unused places are NUL."""
    special = ~np.isfinite(values)
    magnitude = np.where(special, np.float32(0), np.abs(values))
    number, exponent = _shortest_decimal(magnitude)
    digits = _digits(number)
    for e in np.flatnonzero(np.bincount(exponent + 46)) - 46:
        rows = np.flatnonzero(exponent == e)
        text[rows, 1:-1] = _place(digits[rows], int(e))
    text[:, 0] = np.where(np.signbit(values), MINUS, NUL)
    for row in np.flatnonzero(special):
        word = b"nan" if np.isnan(values[row]) else b"-inf" if values[row] < 0 else b"inf"
        text[row] = np.frombuffer(word.ljust(WIDTH, b"\0"), np.uint8)


def _shortest_decimal(magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(number, exponent) with number of nine digits, so that value = number * 10**(exponent - 8)."""
    exact = magnitude.astype(np.float64)
    with np.errstate(divide="ignore"):
        exponent = np.where(exact > 0, np.floor(np.log10(exact)), 0).astype(np.int64)
    scaled = exact * POWERS[48 - exponent]
    exponent += (scaled >= 1e9).astype(np.int64) - ((scaled < 1e8) & (exact > 0))
    scale = POWERS[48 - exponent]
    scaled = exact * scale

    # A decimal reads back as this float32 when it lies nearer than half the gap to the
    # neighbours; below a power of two (mantissa 0) that gap is half as wide. A hair less than
    # the half keeps clear of ties and of the rounding of `scaled`.
    power_of_two = (magnitude.view(np.uint32) & 0x7FFFFF) == 0
    gap = np.spacing(np.minimum(magnitude, LARGEST_SPACED)).astype(np.float64)
    near = gap * scale * np.where(power_of_two, 0.2499, 0.4999)
    number = np.rint(scaled)
    for unit in (10.0, 100.0, 1000.0):
        shorter = np.rint(scaled / unit) * unit
        number = np.where(np.abs(shorter - scaled) <= near, shorter, number)
    carried = number >= 1e9
    return np.where(carried, number / 10, number).astype(np.uint32), exponent + carried


def _digits(number: np.ndarray) -> np.ndarray:
    """(n, 9) characters of nine-digit numbers, the zeros at the end as NUL."""
    high, rest = np.divmod(number, np.uint32(1_000_000))
    middle, low = np.divmod(rest, np.uint32(1_000))
    digits = np.empty((len(number), 9), np.uint8)
    digits[:, 0:3] = THREE_DIGITS[high + 1000 * (rest == 0)]
    digits[:, 3:6] = THREE_DIGITS[middle + 1000 * (low == 0)]
    digits[:, 6:9] = THREE_DIGITS[low + 1000]
    return digits


def _place(digits: np.ndarray, exponent: int) -> np.ndarray:
    """(n, 15) characters: plain notation for exponents -5 to 8, else scientific."""
    text = np.zeros((len(digits), WIDTH - 2), np.uint8)
    if -5 <= exponent < 0:
        leading = 1 - exponent
        text[:, :leading] = ZERO
        text[:, 1] = POINT
        text[:, leading : leading + 9] = digits
        return text
    plain = 0 <= exponent <= 8
    whole = exponent + 1 if plain else 1
    text[:, :whole] = np.maximum(digits[:, :whole], ZERO)
    if whole < 9:
        text[:, whole] = np.where(digits[:, whole] == NUL, NUL, POINT)
        text[:, whole + 1 : 10] = digits[:, whole:]
    if not plain:
        suffix = f"e{exponent:+03d}".encode()
        text[:, 10 : 10 + len(suffix)] = np.frombuffer(suffix, np.uint8)
    return text
