"""Regions files as people have them: every mistake is told in three lines, with its line and its fix."""

from __future__ import annotations

import gzip
import os

import pytest

GOOD = "chrA\t5\t20\n"

MALFORMED = {
    "start after end": ("chrA\t50\t10", "start 50 is not below end 10"),
    "empty": ("chrA\t50\t50", "start 50 is not below end 50"),
    "negative": ("chrA\t-5\t10", "negative coordinate (-5, 10)"),
    "word": ("chrA\tabc\t10", "whole numbers, not 'abc' and '10'"),
    "float": ("chrA\t1.0\t10", "whole numbers"),
    "scientific": ("chrA\t1e1\t1e2", "whole numbers"),
    "thousands": ("chrA\t1,000\t2,000", "no 1e6, 1,000 or 10.0"),
    "hexadecimal": ("chrA\t0x10\t0x20", "whole numbers"),
    "other digits": ("chrA\t\u0661\u0660\t\u0665\u0660", "whole numbers"),
    "too large": ("chrA\t1\t99999999999999999999", "whole numbers"),
    "blank column": ("chrA\t\t50", "whole numbers"),
    "one column": ("chrA", "1 column where a BED has at least 3: 'chrA'"),
    "two columns": ("chrA\t10", "2 columns"),
    "browser position": ("chrA:1,001-1,050", "chrA<tab>1000<tab>1050"),
    "commas": ("chrA,10,50", "not commas"),
    "past the end": ("chrA\t10\t5000", "end 5000 is past the end of chrA (400 bp in the FASTA)"),
    "unknown chromosome": ("chrZ\t10\t50", "chromosome 'chrZ' is not in"),
    "no chromosome": ("\t10\t50", "chromosome '' is not in"),
    "other style": ("A\t10\t50", "--translate-chroms"),
}


@pytest.mark.parametrize(("row", "told"), MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_row(shell, row, told):
    bed = shell.write("x.bed", GOOD + row + "\n" + GOOD)
    message = shell.refused(bed, 3)
    assert told in message and "x.bed:2: " in message
    assert "1 of 3 regions" in message


def test_a_long_row_is_told_shortly(shell):
    message = shell.refused(shell.write("x.bed", "chrA\t" + "z" * 5000 + "\t5\n"), 3)
    assert len(message) < 400


@pytest.mark.parametrize("content", ["", "\n\n", "#chrom\tstart\tend\ntrack name=x\nbrowser position chrA:1-2\n"])
def test_no_regions(shell, content):
    message = shell.refused(shell.write("x.bed", content), 3)
    assert "no regions" in message and f"{content.count(chr(10))} header" in message


def test_header_lines_are_skipped_and_counted(shell):
    bed = shell.write("x.bed", "browser position chrA:1-2\ntrack name=x\n#c\nchrA\t10\t26\n\nchrB\t3\t19\n")
    assert "4 header, track, comment or blank lines of x.bed were skipped" in shell.predict(bed).notes()
    assert len((shell.folder / "out.tsv").read_text().splitlines()) == 3


NOT_A_BED = {
    "FASTA": (b">chrA\nACGT\nAC GT\n", "is a FASTA"),
    "VCF": (b"##fileformat=VCFv4.2\n#CHROM\tPOS\nchrA\t10\trs1\tA\tC\n", "is a VCF"),
    "GFF": (b"##gff-version 3\nchrA\tx\tgene\t1\t5\t.\t+\t.\n", "is a GFF"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "not a text file"),
    "BAM": (gzip.compress(b"BAM\1" + bytes(200)), "is a BAM file"),
    "UTF-16": (GOOD.encode("utf-16"), "not UTF-8"),
}


@pytest.mark.parametrize(("content", "told"), NOT_A_BED.values(), ids=list(NOT_A_BED))
def test_a_file_that_is_no_bed(shell, content, told):
    message = shell.refused(shell.write("x.bed", content), 3)
    assert told in message and message.replace("\n", "").isprintable()


def test_a_missing_file_and_a_folder(shell):
    assert "nope.bed: no such file" in shell.refused("nope.bed", 3)
    assert "is a folder" in shell.refused(shell.folder, 3)


@pytest.mark.parametrize("cut", [2, 3, 30])
def test_a_truncated_gzip(shell, cut):
    whole = gzip.compress((GOOD * 2000 + "".join(f"chrA\t{i}\t{i + 9}\n" for i in range(300))).encode())
    data = whole[: len(whole) // 2] if cut == 2 else whole[:-cut]
    message = shell.refused(shell.write("x.bed.gz", data), 3)
    assert "truncated or damaged" in message and "gzip -t x.bed.gz" in message


def test_names_with_spaces_quotes_and_unicode_stay(shell):
    names = ["name with space", '"q\'uote"', "ünï🧬", "same", "same"]
    bed = shell.write("x.bed", "".join(f"chrA\t5\t20\t{name}\t0\t+\r\n" for name in names) + "chrB\t7\t9\n")
    shell.predict(bed).notes()
    rows = [line.split("\t") for line in (shell.folder / "out.tsv").read_text().splitlines()[1:]]
    assert [row[3] for row in rows] == [*names, "."]
    assert rows[3] == rows[4] and rows[5][:3] == ["chrB", "7", "9"]


def test_odd_file_names(shell):
    (shell.folder / "spa ce ü").mkdir()
    bed = shell.write('spa ce ü/b "x".bed', GOOD)
    shell.predict(bed, out="spa ce ü/ö .tsv").notes()
    assert (shell.folder / "spa ce ü" / "ö .tsv").read_text().count("\n") == 2


def test_translated_chromosomes_keep_the_names_of_the_bed(shell):
    bed = shell.write("x.bed", "A\t10\t26\nchrB\t5\t21\n")
    shell.predict(bed, "--translate-chroms").notes()
    rows = (shell.folder / "out.tsv").read_text().splitlines()[1:]
    assert [row.split("\t")[0] for row in rows] == ["A", "chrB"]
    genome = shell.write("plain.fa", shell.toys["gc"].genome.read_text().replace(">chr", ">"))
    ucsc = shell.write("y.bed", "chrA\t10\t26\n")
    assert "--translate-chroms" in shell.refused(ucsc, 3, genome=genome, out="y.tsv")
    shell.predict(ucsc, "--translate-chroms", genome=genome, out="y.tsv").notes()
    assert (shell.folder / "y.tsv").read_text().splitlines()[1] == rows[0].replace("A", "chrA", 1)


def test_pipes_are_regions_too(shell):
    toy = shell.toys["gc"]
    shell.predict(toy.regions).notes()
    expected = (shell.folder / "out.tsv").read_text()
    tail = f"-g '{toy.genome}' --trust -q"
    read = shell.bash(f"cat '{toy.regions}' | zoo predict '{toy.folder}' - {tail}")
    opened = shell.bash(f"zoo predict '{toy.folder}' <(gzip -c '{toy.regions}') {tail}", start=True)
    for answer in (read, opened):
        assert (answer.code, answer.out, answer.err) == (0, expected, "")


def test_standard_input_that_holds_nothing(shell):
    toy = shell.toys["gc"]
    arguments = ["predict", toy.folder, "-", "-g", toy.genome, "--trust"]
    assert "<stdin>: no regions" in shell.process(*arguments, stdin=b"").error(3)
    bad = shell.process(*arguments, stdin=b"chrA\t9\t5\n").error(3)
    assert "<stdin>:1: start 9" in bad


def test_a_terminal_is_no_source_of_regions(shell, monkeypatch):
    controller, terminal = os.openpty()
    with os.fdopen(terminal, "r") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert "from the terminal" in shell.refused("-", 3)
    os.close(controller)
    monkeypatch.setattr("sys.stdin", None)
    assert "which is closed" in shell.refused("-", 3)
