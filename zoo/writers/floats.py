"""float32 arrays to text, vectorised: the shortest of 6 to 9 digits that reads back the same.

Nine significant digits always identify a float32 (IEEE 754-2008, 5.12.2); fewer are used
where they do too (save at an exact tie), so that 0.1 prints as ``0.1``. Python's ``%.9g``
takes twice the time and prints ``0.100000001``.
"""

from __future__ import annotations

import numpy as np

__all__ = ["format_rows"]

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
