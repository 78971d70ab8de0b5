"""Pictures: letters of logos, bars of charts, pixels of seqlets, each against numbers known by hand."""

from __future__ import annotations

import base64
import re
import struct
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np
import pytest

from interpret.report.drawing import (
    GLYPHS,
    PALETTE,
    PATHS,
    histogram,
    letters_png,
    logo,
    probability_heights,
    sparkline,
)

HOSTILE = "\"><script>alert('1')</script>&"


def test_logo_of_a_certain_base_is_one_letter_of_two_bits():
    heights = probability_heights(np.array([[0, 1.0, 0, 0], [0.25] * 4]))
    # the pseudocount of 0.001 takes a little: 2 - H(1.001/1.004, 3 x 0.001/1.004)
    p = np.array([1.001, 0.001, 0.001, 0.001]) / 1.004
    assert heights[0] == pytest.approx([0, 2 + (p * np.log2(p)).sum(), 0, 0])
    assert heights[1] == pytest.approx([0, 0, 0, 0])
    assert re.findall(r"href=#g(.)", logo(heights, "x", top=2.0)) == ["C"]


def test_letters_that_lower_hang_upside_down():
    text = logo(np.array([[3.0, 0, 0, -1.0]]), "x")
    # 40 units for 4 of height: A from the axis at 30 up to 0, T turned from 40 to the axis.
    assert '<use href=#gA transform="matrix(9.4 0 0 30.0 0.3 0.0)"/>' in text
    assert '<use href=#gT transform="matrix(9.4 0 0 -10.0 0.3 40.0)"/>' in text


def test_letters_below_a_sixtieth_of_the_tallest_column_are_left_out():
    assert re.findall("#g(.)", logo(np.array([[1.0, 0, 0.014, 0.016]]), "x")) == ["T", "A"]


def test_letters_are_stacked_from_the_smallest_to_the_tallest():
    """Heights 1 and 3 of 4: 10 and 30 of 40 units; the small one touches the axis."""
    text = logo(np.array([[1.0, 0, 3.0, 0]]), "x")
    assert re.findall(r"#g(.) transform=\"matrix\(9.4 0 0 ([\d.]+) 0.3 ([\d.]+)\)", text) == [
        ("A", "10.0", "30.0"),
        ("G", "30.0", "0.0"),
    ]


def test_aligned_logos_have_empty_columns_in_front_and_one_width():
    text = logo(np.array([[1.0, 0, 0, 0]]), "x", lead=2, columns=5)
    assert 'viewBox="0 0 50 40"' in text and 'style="--c:5"' in text and " 20.3 " in text


def test_a_logo_of_nothing_is_empty_rather_than_an_error():
    assert "<use" not in logo(np.zeros((3, 4)), "x")


@pytest.mark.parametrize(
    "picture",
    [
        logo(np.array([[0, -1.0, 2.0, 0]]), HOSTILE).replace("href=#gC", "").replace("href=#gG", ""),
        sparkline(np.array([1, 0, 2]), HOSTILE),
        histogram(np.array([1, 0]), [HOSTILE], HOSTILE),
        GLYPHS,
    ],
)
def test_pictures_are_well_formed_whatever_their_words_are(picture):
    """An XML parser reads the words back, and finds no element that they wrote."""
    root = ElementTree.fromstring(picture)
    assert root.get("aria-label", HOSTILE) == HOSTILE
    assert "script" not in {element.tag for element in root.iter()}
    assert [element.text for element in root.iter("text")] in ([], [HOSTILE])


def test_bars_of_a_sparkline():
    """Of 1, 0, 4 the tallest is 24 high; each begins 3 further; the tick is in the middle of 9."""
    text = sparkline(np.array([1, 0, 4]), "x")
    assert re.findall(r"M(\d+) 24v-([\d.]+)h", text) == [("0", "6.0"), ("6", "24.0")]
    assert "M4.5 24.5V28" in text and "M0 24.5V28" in sparkline(np.array([1]), "x", 0.0)


def test_bars_of_a_histogram():
    text = histogram(np.array([0, 2, 1]), ["1e-6", "1e-5"], "x")
    assert re.findall(r'<rect x="(\d+)" y="([\d.]+)" width="26" height="([\d.]+)"', text) == [
        ("32", "0.0", "34.0"),
        ("62", "17.0", "17.0"),
    ]
    assert re.findall(r'<text x="(\d+)" y="46">(.*?)</text>', text) == [("30", "1e-6"), ("60", "1e-5")]


def test_charts_of_no_counts_are_empty():
    assert "<rect" not in histogram(np.zeros(2, int), ["a"], "x") and " 24v" not in sparkline(np.zeros(2, int), "x")


def test_the_picture_of_letters_holds_one_pixel_a_base():
    """Decoded by hand: chunks with their checksums, rows behind a filter byte of 0."""
    letters = np.array([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]])
    uri = letters_png(letters)
    raw = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert raw[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(raw):
        (size,) = struct.unpack(">I", raw[at : at + 4])
        kind, data = raw[at + 4 : at + 8], raw[at + 8 : at + 8 + size]
        assert struct.unpack(">I", raw[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + data)
        chunks[kind], at = data, at + 12 + size
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (5, 2, 8, 3, 0, 0, 0)
    assert len(chunks[b"PLTE"]) == 15 and tuple(chunks[b"PLTE"][:3]) == PALETTE[0]
    assert zlib.decompress(chunks[b"IDAT"]) == bytes([0, 0, 1, 2, 3, 4, 0, 4, 3, 2, 1, 0])


def test_glyphs_are_the_shapes_that_the_script_draws_with():
    assert dict(re.findall(r'<g id="g(.)"><path class="n\1" d="([^"]+)"', GLYPHS)) == PATHS
