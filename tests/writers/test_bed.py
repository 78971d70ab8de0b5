"""A BED: the bases that a row is about, and one value of the bins there; against plain Python and pyBigWig."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pyBigWig
import pytest
from writer_batches import PROFILE, SCALAR, make_batch, make_batches, make_context, with_values, write_all

from zoo.outputs import OutputSpec, PredictionBatch

ONE = OutputSpec("p", "profile", ("x",), n_bins=4, bin_size=10, offset=5)


def row_of(region, window, values, output=ONE, strand="+", reverse=False):
    one = make_batch(1, 1, [output])
    fields = {"start": region[0], "end": region[1], "window_start": window[0], "window_end": window[1]}
    arrays = {name: np.array([value], np.int64) for name, value in fields.items()}
    chrom, turned = np.array(["chr1"], dtype=object), np.array([reverse])
    batch = dataclasses.replace(one, chrom=chrom, strand=np.array([strand]), reverse=turned, **arrays)
    return with_values(batch, **{output.name: [values]})


def bed(path, batches, outputs, **context) -> list[list[str]]:
    write_all(make_context(path, outputs, **context), batches)
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_the_columns(tmp_path):
    header, *rows = bed(tmp_path / "o.bed", [make_batch(2, 5)], (SCALAR, PROFILE))
    assert header == [
        "#chrom", "start", "end", "name", "score", "strand",
        "counts/plus", "counts/minus", "profile/plus", "profile/minus",
    ]  # fmt: skip
    assert {len(row) for row in rows} == {10} and [row[3] for row in rows] == [f"peak{i}" for i in range(5)]


# A window at 100: bins 105-115, 115-125, 125-135 and 135-145 hold 1, 2, 4 and 8.
@pytest.mark.parametrize(
    ("region", "expected", "mean", "total", "largest"),
    [
        ((115, 135), (115, 135), 3, 6, 4),
        ((110, 120), (110, 120), 1.5, 1.5, 2),
        ((112, 126), (112, 126), (3 * 1 + 10 * 2 + 1 * 4) / 14, (3 * 1 + 10 * 2 + 1 * 4) / 10, 4),
        ((118, 119), (118, 119), 2, 0.2, 2),
        ((90, 120), (105, 120), (10 * 1 + 5 * 2) / 15, 2, 2),  # only what is predicted of it
        ((140, 300), (140, 145), 8, 4, 8),
        ((90, 300), (105, 145), 3.75, 15, 8),
        ((145, 150), (145, 150), math.nan, math.nan, math.nan),
        ((10, 105), (10, 105), math.nan, math.nan, math.nan),
    ],
)
def test_values_by_hand(tmp_path, region, expected, mean, total, largest):
    batch = row_of(region, (100, 150), [[1, 2, 4, 8]])
    for how, value in (("mean", mean), ("sum", total), ("max", largest)):
        (_, row) = bed(tmp_path / f"{how}.bed", [batch], [ONE], aggregate=how)
        assert (int(row[1]), int(row[2])) == expected
        assert float(row[6]) == pytest.approx(value, rel=1e-6, nan_ok=True), how


def test_a_reversed_window_is_turned_and_its_tracks_are_swapped(tmp_path):
    output = OutputSpec("p", "profile", ("plus", "minus"), n_bins=4, bin_size=10, offset=5)
    batch = row_of((115, 117), (100, 150), [[1, 2, 4, 8], [10, 20, 40, 80]], output, "-", True)
    (_, row) = bed(tmp_path / "o.bed", [batch], [output], stranded_swap={"p": np.array([1, 0])})
    assert row[5:] == ["-", "40", "4"], "from the window's end: 145-135 holds the first bin"


def test_tiles_carry_their_own_part_of_the_region(tmp_path):
    tiles = [row_of((105, 170), (start, start + 50), [[start, start, start, start]]) for start in (100, 140)]
    _, *rows = bed(tmp_path / "o.bed", tiles, [ONE], tiled=True)
    assert [(row[1], row[2], row[6]) for row in rows] == [("105", "145", "100"), ("145", "170", "140")]
    scalar = OutputSpec("s", "scalar", ("x",))
    tiles = [row_of((110, 170), (start, start + 40), [start], scalar) for start in (110, 150)]
    _, *rows = bed(tmp_path / "s.bed", tiles, [scalar], tiled=True)
    assert [(row[1], row[2], row[6]) for row in rows] == [("110", "150", "110"), ("150", "170", "150")]


def test_outputs_share_the_bases_that_all_of_them_predict(tmp_path):
    short = OutputSpec("q", "profile", ("y",), n_bins=2, bin_size=5, offset=20)
    batch = row_of((100, 150), (100, 150), [[1, 2, 4, 8]])
    batch = dataclasses.replace(batch, values=batch.values | {"q": np.array([[[3, 5]]], np.float32)})
    (_, row) = bed(tmp_path / "o.bed", [batch], [ONE, short])
    assert row[1:3] == ["120", "130"] and row[6:] == ["3", "4"]


def test_a_bin_outside_has_no_say_even_where_it_is_nan(tmp_path):
    batch = row_of((115, 125), (100, 150), [[np.nan, 2, np.inf, 8]])
    for how in ("mean", "sum", "max"):
        assert bed(tmp_path / f"{how}.bed", [batch], [ONE], aggregate=how)[1][6] == "2"
    inside = row_of((110, 120), (100, 150), [[np.nan, 2, 4, 8]])
    for how in ("mean", "sum", "max"):
        assert bed(tmp_path / f"{how}.bed", [inside], [ONE], aggregate=how)[1][6] == "nan"


def test_the_mean_is_taken_in_double_precision(tmp_path):
    """2**24 + 1 is no float32: a sum in single precision would stand still at 2**24."""
    (_, row) = bed(tmp_path / "o.bed", [row_of((105, 145), (100, 150), [[2.0**24, 1, 1, 2]])], [ONE])
    assert float(row[6]) == 2.0**22 + 1


def shares(batch: PredictionBatch, row: int, output: OutputSpec, start: int, end: int) -> list[float]:
    """Share of each bin, in the model's order, that lies in the bases; base by base."""
    found = []
    for i in range(output.n_bins):
        if batch.reverse[row]:
            low = int(batch.window_end[row]) - output.offset - (i + 1) * output.bin_size
        else:
            low = int(batch.window_start[row]) + output.offset + i * output.bin_size
        found.append(sum(start <= base < end for base in range(low, low + output.bin_size)) / output.bin_size)
    return found


@pytest.mark.parametrize("how", ["mean", "sum", "max"])
@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_random_rows_equal_plain_python(tmp_path, monkeypatch, how, chunk):
    monkeypatch.setattr("zoo.writers.bed.CHUNK", chunk)
    batches = make_batches(11, 6, outputs=[PROFILE])
    _, *rows = bed(tmp_path / "o.bed", batches, [PROFILE], aggregate=how)
    places = [(batch, row) for batch in batches for row in range(len(batch))]
    for (batch, at), row in zip(places, rows, strict=True):
        share = shares(batch, at, PROFILE, int(row[1]), int(row[2]))
        for track in range(2):
            bins = batch.values["profile"][at, track].astype(float).tolist()
            parts = [value * part for value, part in zip(bins, share, strict=True)]
            wanted = {
                "mean": math.fsum(parts) / math.fsum(share),
                "sum": math.fsum(parts),
                "max": max(value for value, part in zip(bins, share, strict=True) if part),
            }[how]
            # The terms may cancel: they are added in float64.
            size = max(abs(part) for part in parts)
            assert float(row[6 + track]) == pytest.approx(wanted, rel=2e-7, abs=1e-14 * size)


def test_the_mean_is_what_pybigwig_makes_of_the_bigwig_of_the_same_rows(tmp_path):
    """Exact statistics of the file; windows that overlap would be merged there, so that each is a file of its own."""
    batch = make_batch(17, 40, [PROFILE])
    _, *rows = bed(tmp_path / "o.bed", [batch], [PROFILE])
    names = [field.name for field in dataclasses.fields(batch) if field.name != "values"]
    for i, row in enumerate(rows):
        one = PredictionBatch(
            **{name: getattr(batch, name)[i : i + 1] for name in names},
            values={"profile": batch.values["profile"][i : i + 1]},
        )
        for track, path in enumerate(write_all(make_context(tmp_path / f"{i}.bw", [PROFILE]), [one])):
            with pyBigWig.open(str(path)) as file:
                (mean,) = file.stats(row[0], int(row[1]), int(row[2]), exact=True)
            assert float(row[6 + track]) == pytest.approx(mean, rel=1e-5, abs=1e-6)
