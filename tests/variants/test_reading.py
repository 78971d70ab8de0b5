"""Variants are read as they are written, and what is no file of variants is refused with what mends it."""

from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
import sys
import threading

import numpy as np
import pysam.bcftools
import pytest
from variants.variant_cases import COLUMNS, genome_at, records_of, vcf_text, write_vcf

from zoo.errors import InputError, UsageError
from zoo.variants.alleles.reference import check_variants
from zoo.variants.reading.genotype import genotype
from zoo.variants.reading.reading import open_variants

CONTIGS = ["##contig=<ID=chr1,length=20>", "##contig=<ID=chr2,length=12>"]
ROWS = [
    ("chr1", 2, "C", "T,CA"),
    ("chr1", 5, "A", "<DEL>", "END=8;X=é"),
    ("chr1", 9, "AA", "."),
    ("chr2", 1, "a", "*,g", "ENDING=3"),
]


@pytest.fixture
def genome(tmp_path):
    return genome_at(tmp_path / "g.fa", {"chr1": "ACGTACGTAACCGGTTNNNN", "chr2": "acgtaaaaacgt"})


def bgzipped(path, index=None, **options):
    pysam.tabix_compress(str(path), f"{path}.gz", force=True)
    if index:
        pysam.tabix_index(f"{path}.gz", preset=options.pop("preset", "vcf"), csi=index == "csi", force=True, **options)
    return path.with_name(path.name + ".gz")


def as_bcf(path, index=False):
    out = path.with_suffix(".bcf")
    with pysam.VariantFile(str(path)) as source, pysam.VariantFile(str(out), "wb", header=source.header) as target:
        for row in source:
            target.write(row)
    if index:
        pysam.tabix_index(str(out), preset="bcf", force=True)
    return out


def error_of(path, genome, **options):
    regions = options.pop("regions", None)
    with pytest.raises((InputError, UsageError)) as caught, open_variants(path, regions) as file:
        check_variants(file, genome, **options)
    assert caught.value.fix.startswith("Fix: ")
    assert "\n" not in caught.value.what + caught.value.extent + caught.value.fix
    return caught.value


# ---------------------------------------------------------------- what is read


def test_a_vcf_by_hand(tmp_path):
    path = write_vcf(tmp_path / "x.vcf", ROWS, CONTIGS)
    first, second, third, fourth = records_of(path)
    assert (first.number, first.line, first.chrom, first.pos, first.id) == (0, 5, "chr1", 1, ".")
    assert (first.ref, first.alts, first.end) == ("C", ("T", "CA"), None)
    assert first.columns == ("chr1", "2", ".", "C", "T,CA", ".", ".", ".")
    assert (second.alts, second.end, second.columns[7]) == (("<DEL>",), 8, "END=8;X=é")
    assert (third.alts, third.ref) == ((), "AA")
    assert (fourth.line, fourth.number, fourth.alts, fourth.end) == (8, 3, ("*", "g"), None)


def test_every_kind_gives_the_same_records(tmp_path, monkeypatch):
    rows = [(*row[:4], (row[4:] or (".",))[0].replace("é", "e")) for row in ROWS]
    header = [
        *CONTIGS,
        '##INFO=<ID=END,Number=1,Type=Integer,Description="end">',
        '##INFO=<ID=X,Number=1,Type=String,Description="x">',
        '##INFO=<ID=ENDING,Number=1,Type=Integer,Description="y">',
    ]
    path = write_vcf(tmp_path / "x.vcf", rows, header)
    wanted = records_of(path)
    plain_gzip = tmp_path / "plain.vcf.gz"
    plain_gzip.write_bytes(gzip.compress(path.read_bytes()))
    assert records_of(plain_gzip) == wanted
    assert records_of(bgzipped(path)) == wanted
    from_bcf = records_of(as_bcf(path))
    assert [one.columns for one in from_bcf] == [one.columns for one in wanted]
    assert [(one.number, one.line, one.end) for one in from_bcf] == [
        (i, i + 1, one.end) for i, one in enumerate(wanted)
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(plain_gzip.read_bytes())))
    assert records_of("-") == wanted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(as_bcf(path).read_bytes())))
    assert records_of("-") == from_bcf


def test_a_pipe_is_read_twice(tmp_path, genome):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(vcf_text(ROWS, CONTIGS),), kwargs={"encoding": "utf-8"})
    writer.start()
    with open_variants(pipe) as file:
        assert check_variants(file, genome).records == 4
        assert [one.pos for one in file.records()] == [1, 4, 8, 0]
        spool = file.path
        assert spool.exists()
    writer.join()
    assert not spool.exists()


def test_rows_come_back_to_the_byte(tmp_path):
    rng = random.Random(3)
    samples = [f"s{i}" for i in range(7)]
    rows = []
    for pos in range(1, 3000):
        info = rng.choice([".", "AC=1;END=9", "A=é ü;B", "X=1:2|3"])
        calls = [rng.choice(["0|1:3", "./.", "1", ".:."]) for _ in samples]
        rows.append(("chr1", pos, "A", rng.choice(["C", "C,G", "<DEL>"]), info, "GT:DP", *calls))
    path = write_vcf(tmp_path / "x.vcf", rows, CONTIGS, samples)
    with open_variants(path) as file:
        text = "\n".join([*file.header.lines, *("\t".join(one.columns) for one in file.records())]) + "\n"
        assert text == path.read_text()
        assert file.header.samples == tuple(samples)
        assert {len(one.columns) for one in file.records()} == {9}


def test_a_part_of_the_rows(tmp_path):
    path = write_vcf(tmp_path / "x.vcf", [("chr1", i, "A", "C") for i in range(1, 10)])
    with open_variants(path) as file:
        whole = list(file.records())
        assert list(file.records(start=4)) == whole[4:]
        assert list(file.records(start=2, limit=5)) == whole[2:5]
        assert list(file.records(limit=3)) == whole[:3]
        assert list(file.records(start=20)) == []


def test_header_of_a_vcf(tmp_path):
    header = [
        "##reference=file:///data/GRCh38.p13/genome.fa",
        '##contig=<ID=chr1,length=248956422,assembly="GRCh38",md5=x>',
        "##contig=<ID=chrUn_1>",
        '##contig=<ID=HLA-A*01:01,length=3503,Description="a, b">',
    ]
    with open_variants(write_vcf(tmp_path / "x.vcf", ROWS, header)) as file:
        assert file.header.contigs == {"chr1": 248956422, "chrUn_1": None, "HLA-A*01:01": 3503}
        assert file.header.assemblies == ("hg38",)
        assert (file.kind, file.header.samples) == ("vcf", ())
        assert file.header.lines[0] == "##fileformat=VCFv4.2"
        assert file.header.lines[-1] == COLUMNS


def test_tables(tmp_path, genome):
    path = tmp_path / "x.tsv"
    path.write_text("score\tALT\tPos\trsID\treference_allele\tCHR\n0.5\tT,G\t2\trs7\tc\tchr1\n\tC\t12\t.\tT\tchr2\n")
    first, second = records_of(path)
    assert (first.chrom, first.pos, first.id, first.ref, first.alts) == ("chr1", 1, "rs7", "c", ("T", "G"))
    assert first.columns == ("0.5", "T,G", "2", "rs7", "c", "chr1")
    assert (second.chrom, second.pos, second.line) == ("chr2", 11, 3)
    with open_variants(path) as file:
        assert check_variants(file, genome).alleles == 3
        assert file.kind == "tsv"
        assert file.header.names == ("score", "ALT", "Pos", "rsID", "reference_allele", "CHR")
        assert file.header.lines == ("score\tALT\tPos\trsID\treference_allele\tCHR",)
    path.write_text("#chrom\tpos\tref\talt\nchr1\t2\tC\tT\n")
    assert records_of(path)[0].pos == 1
    path.write_text("## made by x\n# of y\n\n#CHROM\tPOS\tID\tREF\tALT\nchr1\t2\trs5\tC\tT\n")
    (third,) = records_of(path)
    assert (third.pos, third.id, third.line) == (1, "rs5", 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr7:1000:A>G", [("chr7", 999, "A", ("G",))]),
        ("7:1,000:AT>A", [("7", 999, "AT", ("A",))]),
        ("chr7:1000:A>G,chrX:5:C>CT", [("chr7", 999, "A", ("G",)), ("chrX", 4, "C", ("CT",))]),
        ("chr7:1000:A>G,T,chrX:5:C>T", [("chr7", 999, "A", ("G", "T")), ("chrX", 4, "C", ("T",))]),
        (["chr7:1000:A>G", "chrX:5:c>t"], [("chr7", 999, "A", ("G",)), ("chrX", 4, "c", ("t",))]),
        ("HLA-A*01:01:12:A>G", [("HLA-A*01:01", 11, "A", ("G",))]),
        ("chr7:1000:A>*", [("chr7", 999, "A", ("*",))]),
        ("chr7:1000:A><NON_REF>", [("chr7", 999, "A", ("<NON_REF>",))]),
    ],
)
def test_variants_as_text(text, expected):
    found = records_of(text)
    assert [(one.chrom, one.pos, one.ref, one.alts) for one in found] == expected
    with open_variants(text) as file:
        assert (file.kind, file.header.lines[0]) == ("vcf", "##fileformat=VCFv4.2")


@pytest.mark.parametrize(
    "text",
    ["chr7-1000-A-G", "chr7:1000:A:G", "chr7:1000A>G", "chr7:g.1000A>G", "chr7:1000:>G", "chr7:x:A>G", "rs7903146"],
)
def test_other_notations_are_not_guessed(text):
    with pytest.raises(UsageError, match="neither a file, nor a variant"):
        open_variants(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("chr7-1000-A-G", "'chr7:1000:A>G'"),
        ("7:1000:A:G", "'7:1000:A>G'"),
        ("chr7:g.1000A>G", "'chr7:1000:A>G'"),
        ("chr7:1,000:AC/G", "'chr7:1,000:AC>G'"),
        ("chr7:1000:A", "without quotes"),  # chr7:1000:A>G as a shell hands it on, with standard output in the file G
        ("chr7:1000A", "without quotes"),
        ("chr7:1000:", "in quotes"),
    ],
)
def test_another_notation_is_told_how_it_is_written_here(text, says):
    with pytest.raises(UsageError) as refused:
        open_variants(text)
    assert says in refused.value.extent + refused.value.fix


def test_a_file_of_that_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_vcf(tmp_path / "chr7:1000:A>G", ROWS)
    assert len(records_of("chr7:1000:A>G")) == 4


def test_frames_and_tuples(tmp_path, genome):
    import pandas as pd
    import polars as pl

    columns = {"score": [0.5, None], "Chrom": ["chr1", "chr2"], "pos": [2, 12], "ref": ["C", "T"], "alt": ["T,G", "C"]}
    rows = [("chr1", 2, "C", "T,G"), ("chr2", 12, "T", "C")]
    for source in (pd.DataFrame(columns), pl.DataFrame(columns), rows, iter(rows)):
        with open_variants(source) as file:
            assert check_variants(file, genome).alleles == 3
            found = [(one.chrom, one.pos + 1, one.ref, ",".join(one.alts)) for one in file.records()]
            assert found == rows
            assert file.kind == "tsv"
    assert "<table>, variant 2: REF of chr2:12 G>C" in error_of([rows[0], ("chr2", 12, "G", "C")], genome).what
    assert "'2.0'" in error_of(pd.DataFrame(columns | {"pos": [2.0, 12.0]}), genome).what
    assert "ALT is empty" in error_of(pd.DataFrame(columns | {"alt": ["T", None]}), genome).what
    for missing in (None, float("nan"), np.float32("nan"), pd.NA, pd.NaT):
        assert "ALT is empty" in error_of([("chr1", 2, "C", "T"), ("chr1", 2, "C", missing)], genome).what
        assert "REF is empty" in error_of(pd.DataFrame(columns | {"ref": ["C", missing]}, dtype=object), genome).what
    assert "tab" in error_of([("chr1", 2, "C\t", "T")], genome).what
    assert "no header that names chrom, pos, ref and alt" in error_of(pd.DataFrame({"x": [1]}), genome).what
    with pytest.raises(UsageError, match="int where variants are expected"):
        open_variants(5)
    with pytest.raises(UsageError, match="neither a file, nor a variant"):
        open_variants([("chr1", 2, "C")])


def test_only_so_many_rows_are_looked_at(tmp_path, genome):
    path = tmp_path / "x.vcf"
    path.write_text(GOOD + ROW + "\n" + ROW + "chr1\t2\n" + ROW * 3)
    for limit in (1, 2, 3):
        with open_variants(path) as file:
            assert check_variants(file, genome, limit=limit).records == limit
            assert len(list(file.records(limit=limit))) == limit
    assert ":9: 2 columns" in error_of(path, genome, limit=4).what


# ---------------------------------------------------------------- regions


REGION_ROWS = [
    ("chr1", 2, "C", "T"),
    ("chr1", 5, "ACGTAA", "A"),  # to 10
    ("chr1", 12, "C", "T"),
    ("chr1", 15, "T", "<DEL>", "END=18"),
    ("chr2", 3, "g", "T"),
]


@pytest.fixture(params=["tbi", "csi", "bcf"])
def indexed(request, tmp_path):
    header = [*CONTIGS, '##INFO=<ID=END,Number=1,Type=Integer,Description="end">']
    path = write_vcf(tmp_path / "x.vcf", REGION_ROWS, header)
    return as_bcf(path, index=True) if request.param == "bcf" else bgzipped(path, request.param)


@pytest.mark.parametrize(
    ("regions", "positions"),
    [
        ("chr1", [2, 5, 12, 15]),
        ("chr1:2", [2]),
        ("chr1:1-2", [2]),
        ("chr1:3-4", []),
        ("chr1:10-10", [5]),
        ("chr1:11-11", []),
        ("chr1:18-20", [15]),
        ("chr1:19-20", []),
        ("chr1:10-", [5, 12, 15]),
        ("chr1:6-7,chr1:9-9", [5]),  # one row in two regions comes once
        ("chr2:1-12,chr1:1-3", [2, 3]),  # in the order of the file
        (["chr1:12-12", "chr2"], [12, 3]),
        ("chr1:1-3,chr1:2-12", [2, 5, 12]),
        ("chr2:1-1,000", [3]),
    ],
)
def test_regions_by_hand(indexed, regions, positions):
    assert [one.pos + 1 for one in records_of(indexed, regions=regions)] == positions


def test_regions_of_a_bed(indexed, tmp_path):
    bed = tmp_path / "x.bed"
    bed.write_text("chr2\t2\t3\nchr1\t9\t10\nchr1\t0\t1\n")
    assert [one.pos + 1 for one in records_of(indexed, regions=bed)] == [5, 3]
    bed.write_text("chr1\t1\t2\n")
    assert [one.pos + 1 for one in records_of(indexed, regions=str(bed))] == [2]


def test_regions_are_those_of_bcftools(tmp_path):
    rng = random.Random(8)
    rows = sorted(("chr1", rng.randint(1, 5000), "A" * rng.choice([1, 1, 1, 4, 30]), "C") for _ in range(1500))
    path = bgzipped(write_vcf(tmp_path / "x.vcf", rows, ["##contig=<ID=chr1,length=6000>"]), "tbi")
    for _ in range(20):
        starts = sorted(rng.sample(range(1, 5000), 3))
        text = ",".join(f"chr1:{start}-{start + rng.randint(0, 300)}" for start in starts)
        theirs = pysam.bcftools.view("-H", "-r", text, str(path)).splitlines()
        ours = ["\t".join(one.columns) for one in records_of(path, regions=text)]
        assert sorted(ours) == sorted(theirs)
        assert ours


def test_a_table_with_an_index(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("pos\tchrom\tref\talt\n" + "".join(f"{i}\tchr1\tA\tC\n" for i in range(1, 50)))
    made = bgzipped(path, "tbi", preset=None, seq_col=1, start_col=0, end_col=0, line_skip=1)
    assert [one.pos for one in records_of(made, regions="chr1:7-9")] == [6, 7, 8]
    assert [one.pos for one in records_of(made, regions="chr1:30-31,chr1:7-9")] == [6, 7, 8, 29, 30]


def test_the_command_that_sorts_a_table(tmp_path, genome):
    """Its last steps are bgzip and tabix; what goes into them is sorted, below the header."""
    path = tmp_path / "a table.tsv"
    path.write_text(
        "# x\npos\tnote\tchrom\tref\talt\n9\t\tchr1\tA\tC\n5\ta b\tchr2\ta\tC\n12\t\tchr1\tC\tT\n2\t\tchr1\tC\tT\n"
    )
    fix = error_of(path, genome, regions="chr1:1-5").fix
    assert "tabix -f -s 3 -b 1 -e 1 -S 2 'a table.sorted.tsv.gz'" in fix
    command = fix.removeprefix("Fix: ").split(" | bgzip")[0]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["# x", "pos", "2", "9", "12", "5"]


def test_regions_that_cannot_be_had(tmp_path, genome, monkeypatch):
    path = write_vcf(tmp_path / "x.vcf", [ROWS[1], ROWS[0]], CONTIGS)
    plain = error_of(path, genome, regions="chr1:1-5")
    assert "needs an index" in plain.what
    assert "bcftools sort -Oz -o x.sorted.vcf.gz" in plain.fix
    unindexed = error_of(bgzipped(path), genome, regions="chr1:1-5")
    assert "has no index" in unindexed.what
    assert f"tabix -f -p vcf {path}.gz" in unindexed.fix
    assert "bcftools sort" in unindexed.fix
    good = bgzipped(write_vcf(tmp_path / "y.vcf", ROWS, CONTIGS), "tbi")
    assert "no chromosome '1'" in error_of(good, genome, regions="1:1-5").what
    for text in ("chr1:5-2", "chr1:0-3", "chr1 1 5", ""):
        with pytest.raises(UsageError, match="neither regions nor a BED"):
            open_variants(good, text)
    assert "no such file" in error_of(good, genome, regions="peaks.bed").what
    assert "no variants in the regions" in error_of(good, genome, regions="chr1:20-20").what
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(good.read_bytes())))
    assert isinstance(error_of("-", genome, regions="chr1"), UsageError)
    with pytest.raises(UsageError):
        open_variants("chr1:2:C>T", "chr1")


def test_an_old_index_is_told(tmp_path, genome):
    path = bgzipped(write_vcf(tmp_path / "x.vcf", ROWS, CONTIGS), "tbi")
    os.utime(path, (2e9, 2e9))
    with open_variants(path, "chr1") as file:
        assert "x.vcf.gz.tbi is older" in check_variants(file, genome).notes[0]


# ---------------------------------------------------------------- genotypes


def test_genotypes():
    from dataclasses import replace

    from variants.variant_cases import record

    base = record("chr1", 5, "A", "C,G")
    calls = ["0|1:7", "2/1", ".|.", "1:.", "0", "./1:3", "/0|1", "|1|0", "0|1|2:9", "x", ""]
    row = replace(base, columns=(*base.columns, "GT:PS\t" + "\t".join(calls)))
    found = [genotype(row, i) for i in range(len(calls))]
    assert [one and (one.alleles, one.phased, one.phase_set) for one in found] == [
        ((0, 1), True, "7"),
        ((2, 1), False, None),
        ((None, None), True, None),
        ((1,), True, None),
        ((0,), True, None),
        ((None, 1), False, "3"),
        ((0, 1), False, None),
        ((1, 0), True, None),
        ((0, 1, 2), True, "9"),
        None,
        None,
    ]
    assert genotype(base, 0) is None
    assert genotype(replace(base, columns=(*base.columns, "DP\t3")), 0) is None


# ---------------------------------------------------------------- bad input

GOOD = vcf_text(ROWS[:1], CONTIGS)
ROW = "chr1\t2\t.\tC\tT\t.\t.\t.\n"


@pytest.mark.parametrize(
    ("row", "what", "fix"),
    [
        ("chr1 2 . C T . . .\n", "separated by blanks", "sed"),
        ("chr1\t2 .\tC\tT\t.\t.\t.\n", "7 columns where the header has 8", "tabs were lost"),
        ("chr1\t2\t.\tC\n", "4 columns where the header has 8", "fetch the file again"),
        (ROW[:-1] + "\tGT\n", "9 columns where the header has 8", "all columns of the header"),
        ("chr1\t0\t.\tC\tT\t.\t.\t.\n", "POS is 0 at chr1", "add 1"),
        ("chr1\t-3\t.\tC\tT\t.\t.\t.\n", "POS must be a whole number, not '-3'", "plain digits"),
        ("chr1\t1e1\t.\tC\tT\t.\t.\t.\n", "not '1e1'", "plain digits"),
        ("chr1\t\u0662\t.\tC\tT\t.\t.\t.\n", "POS must be a whole number", "plain digits"),
        ("chr1\t 2\t.\tC\tT\t.\t.\t.\n", "not ' 2'", "blanks"),
        ("chr1\t\t.\tC\tT\t.\t.\t.\n", "POS must be a whole number, not ''", "plain digits"),
        ("chr1\t21\t.\tC\tT\t.\t.\t.\n", "chr1:21 is past the end of chr1 (20 bp", "FASTA that the variants"),
        ("chr1\t20\t.\tNN\tT\t.\t.\t.\n", "chr1:20 with REF of 2 bases reaches past the end", "FASTA"),
        ("chr1\t2\t.\tC\t\t.\t.\t.\n", "ALT is empty at chr1:2", "the base before"),
        ("chr1\t2\t.\tC\tT,\t.\t.\t.\n", "ALT is empty at chr1:2", "the base before"),
        ("chr1\t2\t.\tC\t-\t.\t.\t.\n", "ALT is '-'", "the base before"),
        ("chr1\t2\t.\t\tT\t.\t.\t.\n", "REF is empty at chr1:2", "the base before"),
        ("chr1\t2\t.\t-\tT\t.\t.\t.\n", "REF is '-'", "the base before"),
        ("chr1\t2\t.\tC \tT\t.\t.\t.\n", "REF 'C '", "remove the blanks"),
        ("chr1\t2\t.\tC\tT T\t.\t.\t.\n", "ALT 'T T'", "remove the blanks"),
        ("chr1\t2\t.\tC\tC/T\t.\t.\t.\n", "ALT 'C/T'", "by commas"),
        ("chr1\t2\t.\tC\tU\t.\t.\t.\n", "ALT 'U'", "write T for U"),
        ("chr1\t2\t.\tC\t<DEL\t.\t.\t.\n", "ALT '<DEL'", "<SYMBOLIC>"),
        ("chr1\t2\t.\tC\t5\t.\t.\t.\n", "ALT '5'", "bases"),
        ("chr1 \t2\t.\tC\tT\t.\t.\t.\n", "name 'chr1 ' holds a blank", "FASTA"),
        ("\t2\t.\tC\tT\t.\t.\t.\n", "name is empty", "FASTA"),
        ("chr3\t2\t.\tC\tT\t.\t.\t.\n", "'chr3' is not declared in the header", "bcftools reheader"),
        (GOOD, "a line of a header", "bcftools concat"),
        ("chr1\t2\t.\tC\tT\t.\t.\ta\0b\n", "NUL", "tr -d"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, genome, row, what, fix):
    filler = ROW * 600  # behind the first bytes, by which the kind is told
    path = tmp_path / "x.vcf"
    path.write_text(GOOD + filler + row + ROW)
    error = error_of(path, genome)
    assert error.what.startswith(f"{path}:606: ")
    assert what in error.what
    assert fix in error.fix
    assert error.exit_code == 3


def test_wrong_rows_are_counted(tmp_path, genome):
    path = tmp_path / "x.vcf"
    path.write_text(GOOD + (ROW + ROW.replace("\t2\t", "\t99\t")) * 5 + "chr1\t2\n")
    error = error_of(path, genome)
    assert error.what.startswith(f"{path}:7: chr1:99 is past")
    assert error.extent == "5 of 12 variants have this problem; 1 has another"


def test_latin_1_is_no_utf_8(tmp_path, genome):
    path = tmp_path / "x.vcf"
    path.write_bytes((GOOD + ROW * 600).encode() + "chr1\t2\té\tC\tT\t.\t.\t.\n".encode("latin-1"))
    assert f"{path}:606: the row is not UTF-8" in error_of(path, genome).what
    path.write_bytes(("##fileformat=VCFv4.2\n" + "##a=b\n" * 900 + "##é\n" + COLUMNS + "\n" + ROW).encode("latin-1"))
    assert error_of(path, genome).what.startswith(f"{path}:902: ")


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("", "is empty", "give a VCF"),
        ("##fileformat=VCFv4.2\n" + COLUMNS + "\n", "no variants", "rows"),
        ("##fileformat=VCFv4.2\n##a=b\n" + ROW, ":3: no line #CHROM", "sed '3i #CHROM"),
        (ROW + ROW, ":1: rows of a VCF without the header", "printf"),
        (COLUMNS + "\n" + ROW, "##fileformat", "echo '##fileformat=VCFv4.2'"),
        ("##fileformat=VCFv4.2\n" + COLUMNS.replace("\t", " ") + "\n" + ROW, "separated by blanks", "sed"),
        (
            "##fileformat=VCFv4.2\n#CHROM\tPOS\tREF\tALT\n" + ROW,
            "column 3 of the header is 'REF', where a VCF has ID",
            "chrom, pos",
        ),
        ("##fileformat=VCFv4.2\n" + COLUMNS + "\ts1\n" + ROW, "is 's1', where a VCF has FORMAT", "FORMAT"),
        ("##fileformat=VCFv4.2\n" + COLUMNS + "\tFORMAT\ta\ta\n" + ROW, "sample 'a' stands twice", "reheader"),
        ("##fileformat=VCFv3.3\n" + COLUMNS + "\n" + ROW, "version 3", "vcf-convert"),
        ("chr1\t0\t5\nchr1\t3\t6\n", "is a BED of regions", "zoo predict"),
        ("# rsid\tchromosome\tposition\tgenotype\nrs1\t1\t82154\tAA\n", "23andMe", "tsv2vcf"),
        ("Hugo_Symbol\tChromosome\tStart_Position\tReference_Allele\nA\t1\t2\tC\n", "a MAF of mutations", "maf2vcf"),
        ("#chr\tstart\tend\tref\talt\nchr1\t1\t2\tC\tT\n", "names 'start', not pos", "$2+1"),
        ("chr\tstart\tend\tref\talt\nchr1\t2\t2\tC\tT\n", "names 'start', not pos", "{print $1,$2,$4,$5}"),
        ("chr\tstart\tref\talt\nchr1\t2\tC\tT\n", "names 'start', not pos", "(if from 1: "),
        ("chrom,pos,ref,alt\nchr1,2,C,T\n", "separated by commas", "tr ','"),
        ("chrom pos ref alt\nchr1 2 C T\n", "separated by blanks", "sed"),
        ("chrom\tpos\tref\talt\tALT\nchr1\t2\tC\tT\tT\n", "names 'alt' and 'ALT'", "another name"),
        ("chr1\t2\tC\tT\n", "without a header", "printf 'chrom\\tpos"),
        ("1\t5\t5\tA\tG\n1\t7\t7\tA\t-\n", "without a header", "printf 'chrom\\tstart"),
        ("rsid\tp\nrs1\t0.1\n", "no header that names chrom, pos, ref and alt", "give a VCF"),
        ("chrom\tpos\teffect_allele\tother_allele\nchr1\t2\tC\tT\n", "no header that names", "give a VCF"),
        (">chr1\nACGT\n", "is a FASTA", "-g"),
        ("##gff-version 3\nchr1\tx\tgene\t1\t5\t.\t+\t.\tID=1\n", "GFF", "give a VCF"),
        ("<!DOCTYPE html><html>", "HTML", "give a VCF"),
        (GOOD.replace("\n", "\r"), "CR alone", "tr '\\r' '\\n'"),
        ("##a=b\n" + COLUMNS + "\n" + ROW, "##fileformat", "echo '##fileformat=VCFv4.2'"),
    ],
)
def test_what_is_no_file_of_variants(tmp_path, genome, text, what, fix):
    path = tmp_path / "x.txt"
    path.write_text(text)
    error = error_of(path, genome)
    assert error.what.startswith(str(path))
    assert what in error.what
    assert fix in error.fix
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("begin", "what", "fix"),
    [
        (b"BAM\1", "a BAM file", "give a VCF"),
        (b"CRAM", "a CRAM file", "give a VCF"),
        (b"BCF\4", "BCF of version 1", "version 2"),
        (b"\x6c\x1b\x01", "PLINK", "plink2"),
        (b"PAR1", "a Parquet file", "give a VCF"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "give a VCF"),
        (b"PK\3\4", "an Excel file", "save the sheet"),
        (b"\xd0\xcf\x11\xe0", "Excel", "save the sheet"),
        (b"BZh", "bzip2", "unpack it"),
        (b"TBI\1", "an index", "the file that it belongs to"),
        (b"a\0b", "is no text", "give a VCF"),
        ("##fileformat".encode("utf-16"), "UTF-16", "iconv -f UTF-16"),
        (b"chrom\tpos\tref\talt\xe9\n", "is no text in UTF-8", "iconv -f LATIN1"),
    ],
)
def test_binary_files(tmp_path, genome, begin, what, fix):
    path = tmp_path / "x.vcf"
    path.write_bytes(begin if b"chrom" in begin else begin + bytes(50))
    error = error_of(path, genome)
    assert error.what.startswith(f"{path}: ")
    assert what in error.what
    assert fix in error.fix


def test_files_that_were_cut(tmp_path, genome):
    rows = [("chr1", 2, "C", "T", f"A={random.Random(i).random()}") for i in range(20_000)]
    path = write_vcf(tmp_path / "x.vcf", rows, [*CONTIGS, '##INFO=<ID=A,Number=1,Type=Float,Description="a">'])
    whole = {
        "gz": gzip.compress(path.read_bytes()),
        "bgzip": bgzipped(path).read_bytes(),
        "bcf": as_bcf(path).read_bytes(),
    }
    cut = tmp_path / "cut.vcf.gz"
    for kind, content in whole.items():
        cut.write_bytes(content)
        with open_variants(cut) as file:
            assert check_variants(file, genome).records == 20_000
        for size in (100, len(content) // 2, len(content) - 28, len(content) - 5):
            cut.write_bytes(content[:size])
            error = error_of(cut, genome)
            assert "truncated" in error.what, (kind, size, error)
            assert "fetch" in error.fix


@pytest.mark.parametrize("form", ["gz", "bcf", "undeclared"])
def test_commands_that_are_advised_do_not_name_a_pipe_as_a_file(tmp_path, genome, monkeypatch, form):
    rows = [ROWS[0], ROWS[2], ("chr2", 1, "a", "*,g")]
    path = write_vcf(tmp_path / "x.vcf", rows, CONTIGS if form != "undeclared" else CONTIGS[:1])
    if form == "gz":
        content = gzip.compress(path.read_bytes())[:-30]
    else:
        content = gzip.decompress(as_bcf(path).read_bytes())[:-3] if form == "bcf" else path.read_bytes()
    given = tmp_path / "given one"
    given.write_bytes(content)
    command = {"gz": "gzip -t", "bcf": "bcftools view -H", "undeclared": f"--fai {genome.path}.fai"}[form]
    assert f"{command} '{given}'" in error_of(given, genome).fix
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    error = error_of("-", genome)
    assert error.what.startswith("<stdin>:") and f"{command} x" in error.fix and "<stdin>" not in error.fix


def test_a_bcf_without_bgzip_is_read_and_one_in_gzip_is_told(tmp_path, genome):
    path = write_vcf(tmp_path / "x.vcf", [ROWS[0], ROWS[2]], CONTIGS)
    plain = tmp_path / "plain.bcf"
    plain.write_bytes(gzip.decompress(as_bcf(path).read_bytes()))
    assert [one.columns for one in records_of(plain)] == [one.columns for one in records_of(path)]
    zipped = tmp_path / "x.bcf.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    error = error_of(zipped, genome)
    assert "a BCF that was compressed by gzip" in error.what
    assert error.fix == f"Fix: gzip -dc {zipped} | bcftools view -Ob -o new.bcf"


def test_missing_files_and_folders(tmp_path, genome):
    write_vcf(tmp_path / "variants.vcf", ROWS)
    assert "did you mean" in error_of(tmp_path / "varaints.vcf", genome).extent
    assert "is a folder" in error_of(tmp_path, genome).what
    assert "curl" in error_of("https://x.org/a.vcf.gz", genome).fix


def test_windows_lines_and_a_byte_order_mark(tmp_path, genome):
    text = vcf_text(ROWS, CONTIGS)
    path = tmp_path / "x.vcf"
    path.write_text(text)
    wanted = records_of(path)
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert records_of(path) == wanted
    with open_variants(path) as file:
        assert file.header.lines[0] == "##fileformat=VCFv4.2"
        assert "Windows" in check_variants(file, genome).notes[0]


def test_blank_lines_are_no_rows(tmp_path, genome):
    path = tmp_path / "x.vcf"
    path.write_text(GOOD + "\n" + ROW + "\n\n")
    with open_variants(path) as file:
        assert check_variants(file, genome).records == 2
        assert [one.line for one in file.records()] == [5, 7]
