"""Rows of the specification of VCF, as they stand there: read, and resolved where the genome is made to fit."""

from __future__ import annotations

from variants.variant_cases import COLUMNS, genome_at

from zoo.variants.alleles.allele import Edit
from zoo.variants.alleles.resolve import alleles_of
from zoo.variants.reading.genotype import genotype
from zoo.variants.reading.reading import open_variants

# Section 1.1 of VCF 4.3.
EXAMPLE = """\
##fileformat=VCFv4.3
##fileDate=20090805
##source=myImputationProgramV3.1
##reference=file:///seq/references/1000GenomesPilot-NCBI36.fasta
##contig=<ID=20,length=62435964,assembly=B36,md5=f126cdf8a6e0c7f379d618ff66beb2da,species="Homo sapiens",taxonomy=x>
##phasing=partial
##INFO=<ID=NS,Number=1,Type=Integer,Description="Number of Samples With Data">
##INFO=<ID=AA,Number=1,Type=String,Description="Ancestral Allele">
##FILTER=<ID=q10,Description="Quality below 10">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT NA00001 NA00002 NA00003
20 14370 rs6054257 G A 29 PASS NS=3;DP=14;AF=0.5;DB;H2 GT:GQ:DP:HQ 0|0:48:1:51,51 1|0:48:8:51,51 1/1:43:5:.,.
20 17330 . T A 3 q10 NS=3;DP=11;AF=0.017 GT:GQ:DP:HQ 0|0:49:3:58,50 0|1:3:5:65,3 0/0:41:3
20 1110696 rs6040355 A G,T 67 PASS NS=2;DP=10;AF=0.333,0.667;AA=T;DB GT:GQ:DP:HQ 1|2:21:6:23,27 2|1:2:0:18,2 2/2:35:4
20 1230237 . T . 47 PASS NS=3;DP=13;AA=T GT:GQ:DP:HQ 0|0:54:7:56,60 0|0:48:4:51,51 0/0:61:2
20 1234567 microsat1 GTC G,GTCT 50 PASS NS=3;DP=9;AA=G GT:GQ:DP 0/1:35:4 0/2:17:2 1/1:40:3
"""


def test_the_first_example(tmp_path):
    path = tmp_path / "x.vcf"
    header, rows = EXAMPLE.split("#CHROM")
    path.write_text(header + ("#CHROM" + rows).replace(" ", "\t"))
    with open_variants(path) as file:
        assert file.header.samples == ("NA00001", "NA00002", "NA00003")
        assert file.header.contigs == {"20": 62435964}
        records = list(file.records())
    assert [one.id for one in records] == ["rs6054257", ".", "rs6040355", ".", "microsat1"]
    assert [one.alts for one in records] == [("A",), ("A",), ("G", "T"), (), ("G", "GTCT")]
    calls = [[genotype(one, sample) for sample in range(3)] for one in records]
    assert [[call.alleles for call in row] for row in calls] == [
        [(0, 0), (1, 0), (1, 1)],
        [(0, 0), (0, 1), (0, 0)],
        [(1, 2), (2, 1), (2, 2)],
        [(0, 0), (0, 0), (0, 0)],
        [(0, 1), (0, 2), (1, 1)],
    ]
    assert [call.phased for call in calls[0]] == [True, True, False]


def one_contig(tmp_path, length, pieces):
    """A contig of C, with pieces at places that count from 1."""
    text = list("C" * length)
    for pos, piece in pieces.items():
        text[pos - 1 : pos - 1 + len(piece)] = piece
    return genome_at(tmp_path / "g.fa", {"20": "".join(text)})


def test_alleles_of_section_5(tmp_path):
    """SNP, insertion, deletion and mixtures of the reference a t C g a, of which C is base 3."""
    rows = [("2", "TC", "TG"), ("2", "TC", "T"), ("2", "TC", "TCA"), ("2", "TCG", "TG,T,TCAG")]
    path = tmp_path / "x.vcf"
    text = "".join(f"20\t{pos}\t.\t{ref}\t{alt}\t.\tPASS\tDP=100\n" for pos, ref, alt in rows)
    path.write_text(f"##fileformat=VCFv4.3\n{COLUMNS}\n{text}")
    genome = genome_at(tmp_path / "g.fa", {"20": "atCga"})
    with open_variants(path) as file:
        edits = [[one.edit for one in alleles_of(record, genome)] for record in file.records()]
    assert edits == [
        [Edit(2, "C", "G")],
        [Edit(1, "TC", "T")],
        [Edit(2, "C", "CA")],
        [Edit(1, "TC", "T"), Edit(1, "TCG", "T"), Edit(2, "C", "CA")],
    ]


def test_symbolic_alleles_of_section_1_1(tmp_path):
    rows = """\
2827694 rs2376870 CGTGGATGCGGGGAC C . PASS SVTYPE=DEL;END=2827708;HOMLEN=1;HOMSEQ=G;SVLEN=-14
2827762 . T <DEL> . PASS IMPRECISE;SVTYPE=DEL;END=2827783;SVLEN=-21;CIPOS=-5,6;CIEND=-3,3
2829628 . C <INS:ME:L1> . PASS IMPRECISE;SVTYPE=INS;END=2829628;SVLEN=6027;CIPOS=-16,22
2829766 . G <DUP> . PASS IMPRECISE;SVTYPE=DUP;END=2829776;SVLEN=10;CIPOS=-500,500
2829788 . T <DUP:TANDEM> . PASS IMPRECISE;SVTYPE=DUP;END=2829792;SVLEN=4
2829800 . G G]17:198982] 6 PASS SVTYPE=BND
2829801 . A ]13:123456]T 6 PASS SVTYPE=BND
2829802 . C <CNV:TR> . PASS SVLEN=5
2829803 . C <INV> . PASS SVTYPE=INV;SVLEN=3
""".replace("2827", "27").replace("2829", "29")
    path = tmp_path / "x.vcf"
    text = "".join("20\t" + "\t".join(row.split(" ")) + "\n" for row in rows.splitlines())
    path.write_text(f"##fileformat=VCFv4.4\n{COLUMNS}\n{text}")
    pieces = {
        27694: "CGTGGATGCGGGGAC",
        27762: "TACACACACACACACACACACA",
        29766: "GATTACAGATT",
        29788: "TGCGC",
        29800: "GA",
    }
    genome = one_contig(tmp_path, 30000, pieces | {29803: "CTTG"})
    with open_variants(path) as file:
        alleles = [alleles_of(record, genome)[0] for record in file.records()]
    assert [one.status for one in alleles] == ["", "", "no_sequence", "", "", "breakend", "breakend", "no_sequence", ""]
    assert [one.edit for one in alleles if one.edit] == [
        Edit(27693, "CGTGGATGCGGGGAC", "C"),
        Edit(27761, "TACACACACACACACACACACA", "T"),
        Edit(29765, "G", "GATTACAGATT"),
        Edit(29787, "T", "TGCGC"),
        Edit(29803, "TTG", "CAA"),
    ]
