"""Every float32 reads back from its text, and the text is short."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.writers.text import format_rows

TINY = np.float32(1e-45)


def texts(values) -> list[str]:
    array = np.asarray(values, np.float32)
    return [row.decode() for row in format_rows(array.reshape(-1, 1))]


def assert_round_trip(values: np.ndarray) -> None:
    read = np.array([np.float32(text) for text in texts(values)], np.float32)
    same = (read.view(np.uint32) == values.view(np.uint32)) | (np.isnan(read) & np.isnan(values))
    assert same.all(), list(zip(values[~same], read[~same], strict=True))[:5]


def test_known_texts():
    known = [
        (0.1, "0.1"), (1 / 3, "0.33333334"), (100, "100"), (0, "0"), (-0.0, "-0"), (0.5, "0.5"),
        (16777216, "16777216"), (123456.7, "123456.7"), (1e-30, "1e-30"), (1e30, "1e+30"),
        (-2.5e-5, "-0.000025"), (np.inf, "inf"), (-np.inf, "-inf"), (np.nan, "nan"),
        (1e9, "1e+09"), (999999999, "1e+09"),
    ]  # fmt: skip
    assert texts([value for value, _ in known]) == [text for _, text in known]


def test_powers_and_their_neighbours():
    powers = np.array([float(f"1e{k}") for k in range(-45, 39)] + [2.0**k for k in range(-149, 128)])
    powers = powers.astype(np.float32)
    below, above = np.nextafter(powers, np.float32(0)), np.nextafter(powers, np.float32(np.inf))
    largest = np.finfo(np.float32).max
    assert_round_trip(np.concatenate([powers, below, above, -powers, [largest, -largest, TINY, -TINY]]))


def test_random_bit_patterns():
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32)
    assert_round_trip(bits.view(np.float32))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_round_trip_of_floats_that_hypothesis_finds_awkward(values):
    assert_round_trip(np.array(values, np.float32))


@given(st.integers(0, 999_999), st.integers(-12, 2))
def test_six_digits_come_out_as_they_were_typed(number, exponent):
    typed = float(f"{number}e{exponent}")
    assert float(texts([typed])[0]) == typed


def test_rows_and_columns():
    values = np.arange(6, dtype=np.float32).reshape(2, 3) / 2
    assert format_rows(values) == [b"0\t0.5\t1", b"1.5\t2\t2.5"]
    assert format_rows(np.empty((0, 3), np.float32)) == []


def test_rows_longer_than_a_block():
    values = np.ones((3, 40_000), np.float32)
    assert [row.count(b"\t") for row in format_rows(values)] == [39_999] * 3


def test_a_table_takes_less_time_than_numbers_written_one_by_one():
    """A third of it, by measurement; more than all of it would mean that there is no reason for this module."""
    values = np.exp(np.random.default_rng(0).normal(size=(4_000, 32))).astype(np.float32)

    def one_by_one(rows):
        return ["\t".join(map(repr, row)).encode() for row in rows.tolist()]

    took = {format_rows: [], one_by_one: []}
    for _ in range(5):
        for write, seconds in took.items():
            start = time.process_time()
            write(values)
            seconds.append(time.process_time() - start)
    assert min(took[format_rows]) < min(took[one_by_one])


def digits_of(text: str) -> int:
    """Significant digits of a number's text."""
    return len(text.lstrip("-").split("e")[0].replace(".", "").strip("0")) or 1


def test_no_more_digits_than_needed():
    """Numpy's own shortest text of a float32 is the measure, save where that lies halfway to the next number."""
    bits = np.random.default_rng(3).integers(0, 2**32, 3_000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    for value, text in zip(values, texts(values), strict=True):
        shortest = np.format_float_scientific(value, unique=True)
        gap = Fraction(float(np.spacing(abs(value))))
        halfway = abs(Fraction(shortest) - Fraction(float(value))) >= gap * Fraction("0.4999")
        assert halfway or digits_of(text) <= max(6, digits_of(shortest)), (text, value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_text_is_never_longer_than_nine_digits_and_reads_as_a_number_everywhere(value):
    (text,) = texts([value])
    assert digits_of(text) <= 9 and len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-7, abs=1e-45)
    assert text.startswith("-") == bool(np.signbit(np.float32(value)))
    assert not text.endswith(".") and ".e" not in text and "E" not in text and "+0." not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e8, "100000000"), (123456789, "123456790"), (99999.99, "99999.99"), (1e-5, "0.00001"), (-7, "-7"),
        (9.999e-6, "9.999e-06"), (3.4028235e38, "3.4028235e+38"), (1.1754944e-38, "1.17549435e-38"), (0.3, "0.3"),
        (1e-45, "1.4013e-45"), (2**-24, "5.9604645e-08"), (65504, "65504"), (1.5e9, "1.5e+09"), (0.1 + 0.2, "0.3"),
    ],
)  # fmt: skip
def test_texts_by_hand(value, text):
    assert texts([value]) == [text]


def test_order_is_kept_between_neighbours():
    """Two different float32 never have one text."""
    start = np.float32(0.1)
    values = [start]
    for _ in range(500):
        values.append(np.nextafter(values[-1], np.float32(1)))
    written = texts(values)
    assert len(set(written)) == len(values)
    assert [np.float32(text) for text in written] == values


@given(st.integers(1, 5), st.integers(0, 7))
def test_a_table_is_its_columns(columns, rows):
    values = np.random.default_rng(columns * 10 + rows).normal(size=(rows, columns)).astype(np.float32)
    whole = format_rows(values)
    assert len(whole) == rows
    by_column = [format_rows(np.ascontiguousarray(values[:, [i]])) for i in range(columns)]
    assert whole == [b"\t".join(parts) for parts in zip(*by_column, strict=True)]


def test_arrays_of_other_memory_layouts():
    values = np.arange(12, dtype=np.float32).reshape(3, 4) / 8
    assert format_rows(values.T) == format_rows(values.T.copy())
    assert format_rows(values[:, ::2]) == format_rows(values[:, ::2].copy())
