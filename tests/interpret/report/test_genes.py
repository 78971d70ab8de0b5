"""Genes of BED, GTF and GFF3: 0-based, with exons, named by what readers know."""

from __future__ import annotations

import gzip

import pytest

from interpret.report.genes import Gene, genes_within, read_genes
from zoo.errors import InputError

GTF = """#!genome-build X
chr1\tsrc\tgene\t101\t900\t.\t-\t.\tgene_id "G1"; gene_name "ABC1";
chr1\tsrc\ttranscript\t101\t900\t.\t-\t.\tgene_id "G1"; transcript_id "T1"; gene_name "ABC1";
chr1\tsrc\texon\t801\t900\t.\t-\t.\tgene_id "G1"; transcript_id "T1"; gene_name "ABC1";
chr1\tsrc\texon\t101\t200\t.\t-\t.\tgene_id "G1"; transcript_id "T1"; gene_name "ABC1";
chr2\tsrc\tgene\t1\t50\t.\t+\t.\tgene_id "G2";
"""
GFF = """##gff-version 3
chrI\tSGD\tgene\t11\t60\t.\t+\t.\tID=YAL1;Name=YAL1;gene=SEO1
chrI\tSGD\tmRNA\t11\t60\t.\t+\t.\tID=YAL1_mRNA;Parent=YAL1;Name=SEO1
chrI\tSGD\texon\t11\t30\t.\t+\t.\tParent=YAL1_mRNA
chrI\tSGD\texon\t41\t60\t.\t+\t.\tParent=YAL1_mRNA
##FASTA
>chrI
ACGT
"""


@pytest.mark.parametrize(
    "text, expected",
    [
        ("chr1\t5\t9\tYAL068C|PAU8\t0\t-\n", [Gene("chr1", 5, 9, "PAU8", "-")]),
        ("track name=x\nchr1\t5\t9\n", [Gene("chr1", 5, 9, ".", ".")]),
        (
            "chr1\t100\t400\tA\t0\t+\t100\t400\t0\t2\t50,20\t0,280\n",
            [Gene("chr1", 100, 400, "A", "+", ((100, 150), (380, 400)))],
        ),
        (GTF, [Gene("chr1", 100, 900, "ABC1", "-", ((100, 200), (800, 900))), Gene("chr2", 0, 50, "G2", "+")]),
        (GFF, [Gene("chrI", 10, 60, "SEO1", "+", ((10, 30), (40, 60)))]),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_formats(tmp_path, text, expected, pack):
    path = tmp_path / "genes"
    path.write_bytes(pack(text.encode()))
    assert read_genes(path) == expected


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"chr1\tfive\t9\n", "genes:1: is no line of BED"),
        (b"# none\n", "holds no gene"),
        (b"chr1\ts\tgene\tx\t9\t.\t+\t.\tID=1\n", "genes:1: is no line of GTF"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"\x1f\x8b broken", "cannot be read"),
    ],
)
def test_what_is_no_file_of_genes(tmp_path, raw, words):
    (tmp_path / "genes").write_bytes(raw)
    with pytest.raises(InputError) as caught:
        read_genes(tmp_path / "genes")
    assert words in caught.value.what and "Fix" in caught.value.fix


def test_genes_of_a_stretch_are_capped_and_counted():
    genes = [Gene("chr1", i * 10, i * 10 + 5, f"g{i}", "+") for i in range(9)]
    genes += [Gene("chr1", 20, 40, "g2", "+"), Gene("chr2", 0, 99, "other", "+")]
    found, total = genes_within(genes, "chr1", 5, 61, 3)
    # g0 ends where the stretch begins; of two g2 the longer is kept
    assert [gene.name for gene in found] == ["g1", "g2", "g3"] and total == 6
    assert found[1].end == 40
