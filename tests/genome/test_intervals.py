"""Reading regions, against a parser of a few lines of plain Python and against rows written by hand."""

from __future__ import annotations

import gzip
import io
import random
import sys

import pysam
import pytest

from zoo.errors import InputError
from zoo.genome import intervals
from zoo.genome.intervals import RegionFile


def rows_of(path, limit=None):
    """Every region as (chrom, start, end, name, score, strand)."""
    with RegionFile(path) as regions:
        return [
            row
            for chunk in regions.chunks(limit)
            for row in zip(
                chunk.chrom.tolist(),
                chunk.start.tolist(),
                chunk.end.tolist(),
                chunk.name.tolist(),
                chunk.score.tolist(),
                chunk.strand.tolist(),
                strict=True,
            )
        ]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def scan_error(path, sizes=None):
    with pytest.raises(InputError) as caught, RegionFile(path) as regions:
        regions.scan(sizes)
    return caught.value


FULL = ["chr1", "10", "20", "peak 1", "7", "-", "10", "20", "0,0,0", "1", "10", "0"]
EXPECTED = ["chr1", 10, 20, "peak 1", "7", "-"]
MISSING = [None, None, None, ".", ".", "."]


@pytest.mark.parametrize("columns", range(3, 13))
def test_bed3_to_bed12(tmp_path, columns):
    path = write(tmp_path / "x.bed", "\t".join(FULL[:columns]) + "\n")
    assert rows_of(path) == [tuple(EXPECTED[:columns] + MISSING[columns:])]


def test_narrow_peak(tmp_path):
    path = write(tmp_path / "x.narrowPeak", "chr1\t9356548\t9356648\t.\t0\t.\t182\t5.0945\t-1\t50\n")
    assert rows_of(path) == [("chr1", 9356548, 9356648, ".", "0", ".")]


def test_rows_may_have_differing_numbers_of_columns(tmp_path):
    path = write(tmp_path / "x.bed", "chr1\t1\t2\nchr1\t3\t4\tb\nchr1\t5\t6\tc\t9\t-\n")
    assert rows_of(path) == [
        ("chr1", 1, 2, ".", ".", "."),
        ("chr1", 3, 4, "b", ".", "."),
        ("chr1", 5, 6, "c", "9", "-"),
    ]


def test_strand_other_than_plus_and_minus_is_none(tmp_path):
    path = write(tmp_path / "x.bed", "chr1\t1\t2\ta\t0\t+\nchr1\t1\t2\tb\t0\t*\nchr1\t1\t2\tc\t0\t-\n")
    assert [row[5] for row in rows_of(path)] == ["+", ".", "-"]


@pytest.mark.parametrize(
    "content",
    [
        "chr1\t10\t20\nchr2\t30\t40\n",
        "chr1\t10\t20\nchr2\t30\t40",
        "chr1\t10\t20\r\nchr2\t30\t40\r\n",
        "chr1 10 20\nchr2  30   40\n",
        "\ufeffchr1\t10\t20\nchr2\t30\t40\n",
        "\ufeff# comment\nchr1\t10\t20\nchr2\t30\t40\n",
        "# comment\n#chrom\tstart\tend\nchr1\t10\t20\nchr2\t30\t40\n",
        'track name=x description="a b"\nbrowser position chr1:1-2\nchr1\t10\t20\n\n   \nchr2\t30\t40\n\n',
        "chrom\tstart\tend\nchr1\t10\t20\nchr2\t30\t40\n",
        "Chromosome\tchromStart\tchromEnd\nchr1\t10\t20\nchr2\t30\t40\n",
    ],
    ids=[
        "plain",
        "no final newline",
        "CRLF",
        "spaces",
        "BOM",
        "BOM and comment",
        "comments",
        "track and blank",
        "column header",
        "UCSC column header",
    ],
)
def test_variants_of_text(tmp_path, content):
    path = write(tmp_path / "x.bed", content)
    assert [row[:3] for row in rows_of(path)] == [("chr1", 10, 20), ("chr2", 30, 40)]


def test_skipped_lines_are_counted(tmp_path):
    path = write(tmp_path / "x.bed", "#c\ntrack x\nbrowser y\n\nchrom\tstart\tend\nchr1\t10\t20\n#c\n")
    with RegionFile(path) as regions:
        summary = regions.scan()
    assert (summary.regions, summary.skipped_lines) == (1, 6)


@pytest.mark.parametrize("name", ["x.bed.gz", "without_suffix"])
def test_gzip_is_known_by_its_bytes(tmp_path, name):
    path = write(tmp_path / name, gzip.compress(b"chr1\t10\t20\n"))
    assert rows_of(path) == [("chr1", 10, 20, ".", ".", ".")]


def test_bgzip_of_several_blocks(tmp_path):
    text = "".join(f"chr1\t{i}\t{i + 5}\tname_{i}\n" for i in range(20_000))
    with pysam.BGZFile(str(tmp_path / "x.bed.gz"), "wb") as handle:
        handle.write(text.encode())
    assert (tmp_path / "x.bed.gz").read_bytes().count(b"\x1f\x8b\x08\x04") > 2
    assert [row[1] for row in rows_of(tmp_path / "x.bed.gz")] == list(range(20_000))


def test_standard_input_can_be_read_twice(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"chr1\t10\t20\nchr2\t30\t40\n")))
    with RegionFile("-") as regions:
        assert regions.scan().regions == 2
        assert [chunk.chrom.tolist() for chunk in regions.chunks()] == [["chr1", "chr2"]]
        spool = regions.path
    assert not spool.exists()


def test_errors_of_standard_input_name_it(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"#c\nchr1\t20\t10\n")))
    assert scan_error("-").what.startswith("<stdin>:2: ")


def test_limit_takes_the_first_regions_across_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(intervals, "BLOCK_BYTES", 40)
    path = write(tmp_path / "x.bed", "".join(f"chr1\t{i}\t{i + 1}\n" for i in range(50)))
    assert [row[1] for row in rows_of(path, limit=23)] == list(range(23))
    with RegionFile(path) as regions:
        assert regions.scan(limit=23).regions == 23


def random_file(rng):
    """Text of a messy BED, and what a plain-Python reading of it gives."""
    lines, expected = [], []
    for _ in range(rng.randint(1, 200)):
        if rng.random() < 0.2:
            lines.append(rng.choice(["# x\ty\tz", "track name=a", "", "  ", "browser hide all"]))
            continue
        start = rng.randint(0, 3_000_000_000)
        row = [rng.choice(["chr1", "2", "NC_000001.11"]), start, start + rng.randint(1, 5000)]
        row += [rng.choice(["p", "a name", "ü", ""]), str(rng.random()), rng.choice("+-.")][: rng.randint(0, 3)]
        lines.append("\t".join(map(str, row)))
        expected.append(tuple(row + MISSING[len(row) :]))
    end = rng.choice(["\n", "\r\n"])
    return end.join(lines) + rng.choice(["", end]), expected


@pytest.mark.parametrize("seed", range(30))
def test_random_files_equal_a_plain_reading(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    content, expected = random_file(rng)
    monkeypatch.setattr(intervals, "BLOCK_BYTES", rng.choice([30, 500, 1 << 20]))
    path = write(tmp_path / "x.bed", content)
    if not expected:
        scan_error(path)
        return
    assert rows_of(path) == expected
    with RegionFile(path) as regions:
        summary = regions.scan()
        firsts = [chunk.first for chunk in regions.chunks()]
        sizes = [len(chunk) for chunk in regions.chunks()]
    assert firsts == [sum(sizes[:i]) for i in range(len(sizes))]
    assert summary.regions == len(expected)
    assert summary.minus_strand == sum(row[5] == "-" for row in expected)
    assert summary.max_length == max(row[2] - row[1] for row in expected)
    assert summary.chrom_counts == {c: sum(r[0] == c for r in expected) for c in {r[0] for r in expected}}


GOOD = "chr1\t10\t20\n"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("chr1\t20\t20", "start 20 is not below end 20"),
        ("chr1\t30\t20", "start 30 is not below end 20"),
        ("chr1\t-5\t20", "negative coordinate (-5, 20)"),
        ("chr1\t1.5\t20", "'1.5'"),
        ("chr1\t1e3\t2000", "'1e3'"),
        ("chr1\t1,000\t2000", "'1,000'"),
        ("chr1\t\t20", "whole numbers"),
        ("chr1\t٣\t20", "whole numbers"),
        ("chr1\t1\t99999999999999999999", "whole numbers"),
        ("chr1\tten\t20", "'ten'"),
        ("chr1\t10", "2 columns"),
        ("chr1:10-20", "1 column"),
        ("chr1\t10\t101", "end 101 is past the end of chr1 (100 bp"),
    ],
)
def test_each_kind_of_bad_row_names_its_line_and_count(tmp_path, monkeypatch, bad, says):
    monkeypatch.setattr(intervals, "BLOCK_BYTES", 25)
    path = write(tmp_path / "x.bed", f"#c\n\n{GOOD}{GOOD}track x\n{bad}\n{GOOD}{bad}\n{GOOD}")
    error = scan_error(path, {"chr1": 100})
    assert error.what.startswith(f"{path}:6: ")
    assert says in error.what
    assert error.extent == "2 of 6 regions have this problem"
    assert error.fix.startswith("Fix: ")
    assert error.exit_code == 3


def test_the_first_of_several_problems_is_named_and_the_others_counted(tmp_path):
    path = write(tmp_path / "x.bed", f"{GOOD}chr1\t9\t9\nchr1\tx\t9\nchr1\t5\t4\nchr1\t1\n")
    error = scan_error(path, {"chr1": 100})
    assert error.what == f"{path}:2: start 9 is not below end 9"
    assert error.extent == "2 of 5 regions have this problem; 2 have others"


def test_regions_on_unknown_chromosomes_are_left_to_the_genome_check(tmp_path):
    path = write(tmp_path / "x.bed", "#c\nchrZ\t10\t2000\nchr1\t1\t2\nchrZ\t3\t4\n")
    with RegionFile(path) as regions:
        summary = regions.scan({"chr1": 100})
    assert summary.chrom_counts == {"chrZ": 2, "chr1": 1}
    assert summary.first_line == {"chrZ": 2, "chr1": 3}


@pytest.mark.parametrize("content", ["", "# only\ntrack comments\n\n", "\n"])
def test_a_file_without_regions(tmp_path, content):
    path = write(tmp_path / "x.bed", content)
    error = scan_error(path)
    assert error.what == f"{path}: no regions"
    assert error.extent.startswith(f"{content.count(chr(10))} header")


def test_truncated_gzip(tmp_path):
    whole = gzip.compress("".join(f"chr1\t{i}\t{i + 1}\n" for i in range(50_000)).encode())
    path = write(tmp_path / "x.bed.gz", whole[: len(whole) // 2])
    assert "truncated or damaged" in scan_error(path).what


def test_damaged_gzip(tmp_path):
    whole = bytearray(gzip.compress("".join(f"chr1\t{i}\t{i + 1}\n" for i in range(50_000)).encode()))
    whole[len(whole) // 2] ^= 0xFF
    assert "truncated or damaged" in scan_error(write(tmp_path / "x.bed.gz", bytes(whole))).what


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        RegionFile(tmp_path / "none.bed")
    with pytest.raises(InputError, match="is a folder"):
        RegionFile(tmp_path)
