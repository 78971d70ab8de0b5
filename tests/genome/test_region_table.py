"""Regions as frames and tuples mean what the same rows in a BED mean; what cannot stand in a BED is refused by row."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError, UsageError
from zoo.genome.intervals import RegionFile
from zoo.genome.region_table import bed_lines

ROWS = [("chr1", 0, 5, "a", "7", "+"), ("chr2", 10, 40, "b c", "0.5", "-"), ("chr1", 3, 9, ".", ".", ".")]
NAMES = ["chrom", "start", "end", "name", "score", "strand"]
LINES = ["chr1\t0\t5\ta\t7\t+\n", "chr2\t10\t40\tb c\t0.5\t-\n", "chr1\t3\t9\t.\t.\t.\n"]


@pytest.mark.parametrize("make", [list, iter, tuple, lambda rows: [list(row) for row in rows]])
def test_tuples_are_lines(make):
    assert bed_lines(make(ROWS)) == LINES


@pytest.mark.parametrize(
    "frame",
    [pd.DataFrame(ROWS, columns=NAMES), pl.DataFrame(ROWS, schema=NAMES, orient="row")],
    ids=["pandas", "polars"],
)
def test_frames_are_lines_whatever_the_order_of_columns(frame):
    assert bed_lines(frame) == LINES
    assert bed_lines(frame[["strand", "end", "name", "start", "score", "chrom"]]) == LINES


def test_three_columns_are_enough_and_others_are_left_out():
    frame = pd.DataFrame({"pvalue": [0.1], "end": [9], "chrom": ["chr1"], "start": [2]}, index=["peak"])
    assert bed_lines(frame) == ["chr1\t2\t9\t.\t.\t.\n"]
    assert bed_lines([("chr1", 2, 9)]) == ["chr1\t2\t9\t.\t.\t.\n"]


@pytest.mark.parametrize("kind", ["int32", "uint64", "Int64"])
def test_integers_of_every_kind_stay_exact(kind):
    frame = pd.DataFrame({"chrom": pd.Categorical(["chr1"]), "start": [2**31 - 9], "end": [2**31 - 2]})
    frame = frame.astype({"start": kind, "end": kind})
    assert bed_lines(frame) == ["chr1\t2147483639\t2147483646\t.\t.\t.\n"]


def test_numpy_integers_in_tuples():
    assert bed_lines([("chr1", np.int64(3), np.uint8(9))]) == ["chr1\t3\t9\t.\t.\t.\n"]


def test_missing_names_scores_and_strands_are_dots():
    frame = pd.DataFrame(
        {
            "chrom": ["c", "c"],
            "start": [1, 1],
            "end": [2, 2],
            "name": [None, "n"],
            "score": [np.nan, 3.5],
            "strand": [pd.NA, "-"],
        }
    )
    assert bed_lines(frame) == ["c\t1\t2\t.\t.\t.\n", "c\t1\t2\tn\t3.5\t-\n"]
    polars = pl.DataFrame({"chrom": ["c"], "start": [1], "end": [2], "name": [None], "strand": [None]})
    assert bed_lines(polars) == ["c\t1\t2\t.\t.\t.\n"]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (("chr1", 1.0, 5), "row 2 of the regions: start 1.0 is no integer"),
        (("chr1", 1, float("nan")), "row 2 of the regions: end nan is missing"),
        (("chr1", None, 5), "row 2 of the regions: start None is missing"),
        (("chr1", True, 5), "row 2 of the regions: start True is no integer"),
        (("chr1", "1", 5), "row 2 of the regions: start '1' is no integer"),
        ((1, 1, 5), "row 2 of the regions: chrom 1 is no name of a chromosome"),
        ((" chr1", 1, 5), "row 2 of the regions: chrom ' chr1' is no name of a chromosome"),
        (("#chr1", 1, 5), "row 2 of the regions: chrom '#chr1' would be a comment in a BED"),
        (("track 1", 1, 5), "row 2 of the regions: chrom 'track 1' would be a comment in a BED"),
        (("browser hide", 1, 5), "row 2 of the regions: chrom 'browser hide' would be a comment in a BED"),
        (
            ("chr1", 1, 5, "a", 0, np.array(["+", "-"])),
            "row 2 of the regions: strand array(['+', '-'], dtype='<U1') is no strand",
        ),
        (("track", 1, 5), "row 2 of the regions: chrom 'track' would be a comment in a BED"),
        (("chr1", 1, 5, "a\tb"), "row 2 of the regions: name 'a\\tb' holds a tab or a line break"),
        (("chr1", 1, 5, "a", 0, "plus"), "row 2 of the regions: strand 'plus' is no strand"),
        (("chr1", 1, 5, "a", 0, "-2.3"), "row 2 of the regions: strand '-2.3' is no strand"),
        (("chr1", 1, 5, "a", 0, 1), "row 2 of the regions: strand 1 is no strand"),
    ],
)
def test_a_value_that_cannot_stand_in_a_bed_is_refused_with_its_row(row, what):
    with pytest.raises(InputError) as caught:
        bed_lines([("chr1", 0, 5), row])
    assert caught.value.what == what and caught.value.fix.startswith("Fix: ")


@pytest.mark.parametrize(
    ("given_", "what", "fix"),
    [
        (5, "int where regions are expected", "a list of tuples"),
        (["chr1:1-5"], "row 1 of the regions is str, no tuple", '[("chr1", 100, 200)]'),
        (("chr1", 1, 5), "row 1 of the regions is str, no tuple", '[("chr1", 100, 200)]'),
        ([("chr1", 1)], "row 1 of the regions has 2 values", "three to six values"),
        ([("c", 1, 2, "n", 0, "+", 7)], "row 1 of the regions has 7 values", "three to six values"),
        (
            pd.DataFrame({"Chromosome": ["c"], "Start": [1], "End": [2]}),
            "no column 'chrom', 'start', 'end'",
            "rename 'Chromosome' to 'chrom', 'Start' to 'start', 'End' to 'end'",
        ),
        (pd.DataFrame({"a": [1]}), "no column 'chrom', 'start', 'end'", "name the columns chrom, start, end"),
        (pl.DataFrame({"chrom": ["c"], "start": [1]}), "no column 'end'", "name the columns"),
        (
            pd.DataFrame([["c", 1, 2, 3]], columns=["chrom", "start", "end", "start"]),
            "two columns 'start'",
            "keep one",
        ),
    ],
)
def test_what_is_no_table_of_regions(given_, what, fix):
    with pytest.raises(UsageError) as caught:
        bed_lines(given_)
    assert what in caught.value.what and fix in caught.value.fix


names = st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n", exclude_categories=("C", "Z")), max_size=8)
rows = st.lists(
    st.tuples(
        st.sampled_from(["chr1", "chrX", "NC_000001.11"]),
        st.integers(0, 10**9),
        st.integers(1, 5_000),
        names,
        st.integers(0, 1000),
        st.sampled_from("+-."),
    ),
    min_size=1,
    max_size=20,
)


@given(rows)
def test_a_table_reads_as_the_same_rows_of_a_bed(tmp_path_factory, drawn):
    table = [(chrom, start, start + length, *rest) for chrom, start, length, *rest in drawn]
    path = tmp_path_factory.mktemp("bed") / "x.bed"
    path.write_text("".join("\t".join(map(str, (*row[:3], row[3] or ".", *row[4:]))) + "\n" for row in table))
    frame = pd.DataFrame(table, columns=NAMES)
    with RegionFile(path) as file, RegionFile(table) as tuples, RegionFile(frame) as framed:
        expected = [file.scan(), *file.chunks()]
        for other in (tuples, framed):
            found = [other.scan(), *other.chunks()]
            assert found[0] == expected[0]
            for name in ("chrom", "start", "end", "name", "score", "strand"):
                np.testing.assert_array_equal(getattr(found[1], name), getattr(expected[1], name))
            assert other.path.read_bytes() == tuples.path.read_bytes()


def test_rows_that_no_bed_may_hold_are_told_by_row():
    """end <= start is found where a file's is, with the number of the row in place of the line's."""
    with RegionFile([("chr1", 5, 9), ("chr1", 9, 9)]) as regions, pytest.raises(InputError) as caught:
        regions.scan()
    assert caught.value.what.startswith("<table of 2 regions>:2: ")


def test_an_empty_table_has_no_regions():
    with (
        RegionFile(pd.DataFrame({"chrom": [], "start": [], "end": []})) as regions,
        pytest.raises(InputError) as caught,
    ):
        regions.scan()
    assert caught.value.what == "<table of 0 regions>: no regions"


def test_the_copy_of_a_table_goes_when_it_is_closed():
    with RegionFile(ROWS) as regions:
        path = regions.path
        assert path.exists() and regions.label == "<table of 3 regions>"
    assert not path.exists()


STRANDED = [("chr1", 0, 5, "-"), ("chr2", 10, 40, "+")]
STRANDED_LINES = ["chr1\t0\t5\t.\t.\t-\n", "chr2\t10\t40\t.\t.\t+\n"]


@pytest.mark.parametrize("names", [["Chromosome", "Start", "End", "Strand"], ["chrom", "start", "end", "Strand"]])
@pytest.mark.parametrize("make", [pd.DataFrame, lambda rows, columns: pl.DataFrame(rows, schema=columns, orient="row")])
def test_the_renaming_that_is_proposed_keeps_the_strand(names, make):
    """Else the frame would be read without it, in silence."""
    with pytest.raises(UsageError) as caught:
        bed_lines(make(STRANDED, columns=names))
    renames = dict(re.findall(r"'(\w+)' to '(\w+)'", caught.value.fix))
    assert renames["Strand"] == "strand"
    assert bed_lines(make(STRANDED, columns=[renames.get(name, name) for name in names])) == STRANDED_LINES


@pytest.mark.parametrize("name", ["seqnames", "seqname", "seqid"])
def test_columns_of_tables_that_count_from_1_are_not_just_renamed(name):
    with pytest.raises(UsageError) as caught:
        bed_lines(pd.DataFrame([("chr1", 1, 5)], columns=[name, "start", "end"]))
    assert "count start from 0" in caught.value.fix and "rename" not in caught.value.fix


@pytest.mark.parametrize("strand", ["+", "-"])
def test_a_strand_in_the_place_of_the_name_is_refused(strand):
    with pytest.raises(UsageError, match="row 2 of the regions has its strand in the place of the name") as caught:
        bed_lines([("chr1", 1, 5, "a"), ("chr1", 1, 5, strand)])
    assert bed_lines([("chr1", 1, 5, ".", ".", strand)]) == [f"chr1\t1\t5\t.\t.\t{strand}\n"]
    assert repr(strand) in caught.value.fix


def test_rows_of_numpy_are_rows():
    array = np.array([("chr1", 0, 5), ("chr2", 10, 40)], dtype=object)
    expected = ["chr1\t0\t5\t.\t.\t.\n", "chr2\t10\t40\t.\t.\t.\n"]
    assert bed_lines(array) == bed_lines(list(array)) == expected


def test_records_of_numpy_are_read_by_the_names_of_their_fields():
    frame = pd.DataFrame(STRANDED, columns=["chrom", "start", "end", "strand"])
    assert bed_lines(frame[["strand", "end", "start", "chrom"]].to_records(index=False)) == STRANDED_LINES
    with pytest.raises(UsageError, match="no column 'chrom'"):
        bed_lines(frame.drop(columns="chrom").to_records(index=False))


def test_a_missing_position_is_what_is_said_of_a_column_that_it_made_floats():
    frame = pd.DataFrame({"chrom": ["c", "c", "c"], "start": [1, None, 3], "end": [2, 5, 4]})
    with pytest.raises(InputError) as caught:
        bed_lines(frame)
    assert caught.value.what == "row 2 of the regions: start nan is missing"
    assert caught.value.extent == "3 of 3 rows cannot stand in a BED"
    whole = frame.dropna()  # what is proposed
    with pytest.raises(InputError, match="no integer") as caught:
        bed_lines(whole)
    assert "frame.astype({'start': int, 'end': int})" in caught.value.fix
    assert bed_lines(whole.astype({"start": int, "end": int})) == ["c\t1\t2\t.\t.\t.\n", "c\t3\t4\t.\t.\t.\n"]


def test_wrong_rows_are_counted():
    with pytest.raises(InputError) as caught:
        bed_lines([("c", 1, 2), ("c", 1.5, 2), ("c", 1, 2, "n", 0, "?"), ("c", 1, 2)])
    assert caught.value.what == "row 2 of the regions: start 1.5 is no integer"
    assert caught.value.extent == "2 of 4 rows cannot stand in a BED"


def test_no_row_of_a_table_is_taken_for_a_header():
    """A name may begin as a header does, as long as a BED reads it as a region."""
    with RegionFile([("trackless", 1, 5), ("browser_2", 1, 5), ("chr1", 1, 5, "track 1")]) as regions:
        summary = regions.scan()
    assert (summary.regions, summary.skipped_lines) == (3, 0)
