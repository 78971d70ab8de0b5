"""Genes of annotation files: exons, splice sites, where they lie; and files that are not what they seem."""

from __future__ import annotations

import gzip
import random
import re
import time

import pytest

from zoo.errors import InputError
from zoo.genome.fasta import open_genome
from zoo.variants.scores.genes import Gene, Genes

GTF = """\
#!genome-build toy
chr1\tH\tgene\t101\t500\t.\t+\t.\tgene_id "E1"; gene_name "AB1";
chr1\tH\texon\t101\t200\t.\t+\t.\tgene_id "E1"; transcript_id "T1"; gene_name "AB1";
chr1\tH\tCDS\t131\t200\t.\t+\t.\tgene_id "E1"; transcript_id "T1"; gene_name "AB1";
chr1\tH\texon\t301\t500\t.\t+\t.\tgene_id "E1"; transcript_id "T1"; gene_name "AB1";
chr1\tH\texon\t401\t500\t.\t+\t.\tgene_id "E1"; transcript_id "T2"; gene_name "AB1";
chr1\tH\texon\t151\t250\t.\t+\t.\tgene_id "E1"; transcript_id "T2"; gene_name "AB1";
chr1\tH\texon\t801\t900\t.\t-\t.\tgene_id "E2"; transcript_id "T3";
chr1\tH\texon\t450\t600\t.\t-\t.\tgene_id "E2"; transcript_id "T3";
chrUn\tH\texon\t450\t600\t.\t-\t.\tgene_id "E3"; transcript_id "T4";
"""
AB1 = Gene("AB1", "E1", 0, 100, 500, "+", ((100, 250), (300, 500)), (300, 400), (199, 249))
E2 = Gene("E2", "E2", 0, 449, 900, "-", ((449, 600), (800, 900)), (599,), (800,))
BED12 = "chr1\t100\t500\tAB1\t0\t+\t100\t100\t0\t2\t100,200,\t0,200,\n"
HEADER = "#NAME\tCHROM\tSTRAND\tTX_START\tTX_END\tEXON_START\tEXON_END\tsplit\n"
SPLICEAI = HEADER + "AB1\tchr1\t-\t100\t500\t100,300,\t200,500,\tx\n"


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "toy.fa"
    path.write_text(">chr1\n" + "ACGT" * 500 + "\n>chr2\n" + "ACGT" * 100 + "\n")
    return open_genome(path)


def load(text, genome, tmp_path, name="genes.gtf", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Genes.load(path, genome, **options)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_gtf(genome, tmp_path, packed):
    text = gzip.compress(GTF.encode()) if packed else GTF
    genes = load(text, genome, tmp_path, "genes.gtf.gz" if packed else "genes.gtf")
    assert list(genes) == [AB1, E2] and len(genes) == 2
    assert len(genes.notes) == 1 and "1 transcript" in genes.notes[0] and "chrUn" in genes.notes[0]


def test_windows_line_ends_change_nothing(genome, tmp_path):
    assert list(load(GTF.replace("\n", "\r\n"), genome, tmp_path)) == [AB1, E2]


def test_a_bed12_and_the_table_of_spliceai(genome, tmp_path):
    exons = ((100, 200), (300, 500))
    assert list(load(BED12, genome, tmp_path)) == [Gene("AB1", "AB1", 0, 100, 500, "+", exons, (300,), (199,))]
    assert list(load(SPLICEAI, genome, tmp_path)) == [Gene("AB1", "AB1", 0, 100, 500, "-", exons, (199,), (300,))]


def test_rows_of_one_name_that_overlap_are_one_gene(genome, tmp_path):
    other = BED12.replace("\t100\t500", "\t150\t550")
    apart = BED12.replace("\t100\t500", "\t500\t900")
    genes = list(load(BED12 + other, genome, tmp_path))
    assert [(gene.start, gene.end, gene.exons) for gene in genes] == [(100, 550, ((100, 250), (300, 550)))]
    assert genes[0].donors == (199, 249) and genes[0].acceptors == (300, 350)
    assert [(gene.start, gene.end) for gene in load(BED12 + apart, genome, tmp_path)] == [(100, 500), (500, 900)]
    assert len(load(BED12 + other.replace("+", "-"), genome, tmp_path)) == 2


def test_exons_that_touch_have_no_sites_between_them(genome, tmp_path):
    text = "chr1\t100\t300\tAB1\t0\t+\t100\t100\t0\t2\t100,100,\t0,100,\n"
    gene = next(iter(load(text, genome, tmp_path)))
    assert gene.exons == ((100, 300),) and gene.acceptors == gene.donors == ()


def test_sites_are_those_of_the_exons_where_none_are_given():
    exons = ((10, 20), (30, 40), (50, 60))
    plus, minus = (Gene("g", "g", 0, 10, 60, strand, exons) for strand in "+-")
    assert (plus.acceptors, plus.donors) == ((30, 50), (19, 39))
    assert (minus.acceptors, minus.donors) == ((19, 39), (30, 50))


def test_at_the_ends_of_genes(genome, tmp_path):
    genes = load(GTF, genome, tmp_path)

    def names(*where):
        return [gene.name for gene in genes.at(*where)]

    assert names(0, 99, 100) == [] and names(0, 100, 101) == ["AB1"] and names(0, 99, 101) == ["AB1"]
    assert names(0, 260, 261) == ["AB1"]  # an intron
    assert names(0, 449, 450) == ["AB1", "E2"] and names(0, 499, 500) == ["AB1", "E2"]
    assert names(0, 500, 501) == ["E2"] and names(0, 899, 900) == ["E2"] and names(0, 900, 901) == []
    assert names(1, 100, 101) == names(-1, 100, 101) == []


def test_at_is_what_a_look_at_every_gene_gives():
    draw = random.Random(7)
    genes = []
    for number in range(400):
        start = draw.randrange(20_000)
        end = start + draw.choice([1, 30, 400, 9_000])
        genes.append(Gene(f"g{number}", f"g{number}", draw.randrange(3), start, end, "+", ((start, end),)))
    held = Genes(genes)
    for _ in range(2_000):
        contig, start = draw.randrange(4), draw.randrange(30_000)
        end = start + draw.choice([1, 2, 60])
        slow = {gene.id for gene in genes if gene.contig == contig and gene.start < end and gene.end > start}
        found = [gene.id for gene in held.at(contig, start, end)]
        assert len(found) == len(slow) and set(found) == slow


def test_200_000_look_ups_take_no_time():
    genes = Genes(
        Gene(f"g{i}", f"g{i}", 0, i * 1_500, i * 1_500 + 40_000, "+", ((i * 1_500, i * 1_500 + 40_000),))
        for i in range(20_000)
    )
    began = time.process_time()
    found = sum(len(genes.at(0, at, at + 1)) for at in range(0, 30_000_000, 150))
    assert found > 5_000_000 and time.process_time() - began < 20


def test_other_names_of_chromosomes(genome, tmp_path):
    renamed = GTF.replace("chr1\t", "1\t").replace("chrUn", "Un")
    with pytest.raises(InputError, match="another style") as refused:
        load(renamed, genome, tmp_path)
    assert "'chr1'" in refused.value.what and "--translate-chroms" in refused.value.fix
    assert refused.value.extent == "1 of 2 names are of another: 1"
    assert re.search(r"genes\.gtf:3:", refused.value.what)
    assert list(load(renamed, genome, tmp_path, translate=True)) == [AB1, E2]


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        (GTF.replace("\texon\t", "\tCDS\t"), "has no exon", "whole GTF"),
        (GTF.replace("chr1\t", "scaffold_7\t"), "'scaffold_7' is not in", "which has chr1, chr2"),
        (GTF.replace("\t-\t", "\t.\t"), r":8: .*strand \(column 7\) is '\.'", "its strand"),
        (GTF.replace("\tgene_id", " gene_id"), ":2: has 8 columns", "--genes with a GTF"),
        (GTF.replace("\t", " "), ":2: has 1 column; its columns are separated by blanks", "--genes with a GTF"),
        (GTF.replace("\t900\t", "\t9000\t"), r"E2 ends at 9,000, past the end of chr1 \(2,000 bp\)", "assembly"),
        (GTF.replace("\t101\t200\t", "\t0\t200\t"), r":3: from 0 to 200 .*counts from 1", ""),
        (GTF.replace("\t301\t500\t", "\t500\t301\t"), ":5: from 500 to 301", ""),
        (GTF.replace("\t301\t", "\tx301\t"), ":5: start and end are 'x301' and '500'", ""),
        (GTF.replace('gene_id "E2"', 'gene "E2"'), ":8: this exon has no gene_id", ""),
        ("##gff-version 3\nchr1\tH\texon\t1\t9\t.\t+\t.\tParent=T\n", ":1: is of a GFF3", "gffread"),
        ("chr1\tH\texon\t1\t9\t.\t+\t.\tID=e;Parent=T\n", ":1: is of a GFF3", "gffread"),
        ("chr1\t100\t500\tAB1\t0\t+\n", ":1: has 6 columns; exons are in columns 10 to 12", "BED12"),
        (BED12.replace("0,200,\n", "0,150,\n"), ":1: its blocks", ""),
        (BED12.replace("\t2\t100", "\t3\t100"), ":1: its blocks", ""),
        (BED12.replace("100,200,\t", "100,\t"), ":1: columns 10 to 12 are not the blocks", ""),
        (BED12.replace("\t+\t", "\t.\t"), r":1: .*strand \(column 6\)", "its strand"),
        (SPLICEAI.replace("200,500,", "200,"), ":2: has 2 EXON_START and 1 EXON_END", ""),
        ("##fileformat=VCFv4.2\n#CHROM\tPOS\n", ":1: is a VCF", ""),
        ("", "holds no gene", ""),
        ("# nothing\n\n", "holds no gene", ""),
        (b"\x00\x01" * 90, "not a text file", ""),
        (gzip.compress(GTF.encode() * 90)[:-30], "truncated or damaged", "fetch"),
    ],
)
def test_files_that_are_refused(genome, tmp_path, text, what, fix):
    with pytest.raises(InputError, match=what) as refused:
        load(text, genome, tmp_path)
    assert fix in refused.value.fix and str(refused.value).count("\n") < 3


def test_no_such_file_and_a_folder(genome, tmp_path):
    (tmp_path / "genes.gtf").write_text(GTF)
    with pytest.raises(InputError, match="no such file") as refused:
        Genes.load(tmp_path / "gene.gtf", genome)
    assert "genes.gtf" in refused.value.extent
    with pytest.raises(InputError, match="cannot be read"):
        Genes.load(tmp_path, genome)


def test_a_file_that_may_not_be_read_is_not_to_be_fetched_again(genome, tmp_path, monkeypatch):
    def refuses(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("zoo.variants.scores.gene_file.first_bytes", refuses)
    monkeypatch.setattr("zoo.variants.scores.gene_file.os.access", lambda path, mode: False)
    with pytest.raises(InputError, match="Permission denied") as refused:
        load(GTF, genome, tmp_path)
    assert refused.value.fix == "Fix: check the file's permissions"
