"""Are the variants of this genome: REF, names, places and the header, all rows, before a model is loaded."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from pathlib import Path

import pysam
import pytest
from toys import make_toy_entry
from variants.variant_cases import genome_at, write_vcf

import zoo
from zoo.errors import InputError
from zoo.genome.assembly import load_assembly
from zoo.genome.fasta import Contig, Genome, open_genome
from zoo.variants.alleles.allele import Edit
from zoo.variants.alleles.reference import check_variants, reference_notes
from zoo.variants.alleles.resolve import alleles_of
from zoo.variants.reading.reading import open_variants

SEQUENCES = {"chr1": "ACGTACGTAACCGGTTNNRN", "chr2": "acgtaaaaacgt"}


@pytest.fixture
def genome(tmp_path):
    return genome_at(tmp_path / "g.fa", SEQUENCES)


def checked(path, genome, **options):
    with open_variants(path) as file:
        return check_variants(file, genome, **options)


def refused(path, genome, **options):
    with pytest.raises(InputError) as caught:
        checked(path, genome, **options)
    return caught.value


def test_a_summary_by_hand(tmp_path, genome):
    rows = [("chr1", 2, "c", "T,G"), ("chr2", 3, "G", "."), ("chr2", 3, "gtA", "A,*,<DEL>"), ("chr1", 4, "T", "A")]
    summary = checked(write_vcf(tmp_path / "x.vcf", rows), genome)
    assert (summary.records, summary.alleles, summary.mismatches, summary.sorted) == (4, 7, 0, False)
    assert summary.chrom_counts == {"chr1": 2, "chr2": 2}
    assert summary.first_line == {"chr1": 3, "chr2": 4}
    assert summary.undeclared == ["chr1", "chr2"]
    assert (summary.aliases, reference_notes(summary, "stop")) == ({}, [])


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([("chr1", 1), ("chr1", 1), ("chr1", 5), ("chr2", 1)], True),
        ([("chr2", 1), ("chr1", 1), ("chr1", 5)], True),
        ([("chr1", 5), ("chr1", 1)], False),
        ([("chr1", 1), ("chr2", 1), ("chr1", 5)], False),
        ([("chr1", 1)] * 9000 + [("chr1", 5)] * 9000 + [("chr2", 1)] * 9000, True),
        ([("chr1", 1)] * 9000 + [("chr1", 5)] * 9000 + [("chr1", 1)], False),
        ([("chr1", 1)] * 20000 + [("chr2", 1)] * 20000 + [("chr1", 5)], False),
    ],
)
def test_whether_rows_are_sorted(tmp_path, genome, places, expected):
    rows = [(chrom, pos, "A", "C") for chrom, pos in places]
    assert checked(write_vcf(tmp_path / "x.vcf", rows), genome).sorted is expected


def test_mismatches_stop_and_say_how_many(tmp_path, genome):
    rows = [
        ("chr1", 2, "C", "T"),
        ("chr1", 3, "A", "G"),  # swapped
        ("chr1", 5, "AGG", "A"),  # swapped: the genome has A without GG
        ("chr2", 1, "T", "C,A"),  # swapped, in the second ALT
        ("chr2", 2, "T", "<DEL>"),
        ("chr2", 3, "NT", "A"),
        ("chr2", 3, "g", "A"),
    ]
    path = write_vcf(tmp_path / "x.vcf", rows)
    error = refused(path, genome)
    assert error.what == f"{path}:4: REF of chr1:3 A>G is not the genome's, which has G"
    assert error.extent == (
        f"4 of 7 variants have such a REF (also {path}:5: chr1:5 AGG>A, genome ACG; "
        f"{path}:6: chr2:1 T>C,A, genome A); in 3 of 4 ALT is what the genome has (swapped)"
    )
    assert "--ref-mismatch skip" in error.fix
    assert "--ref-mismatch as-given" in error.fix
    assert error.exit_code == 3
    summary = checked(path, genome, mismatch="skip")
    assert (summary.mismatches, summary.swapped) == (4, 3)
    assert reference_notes(summary, "skip") == [
        "REF is not the genome's in 4 of 7 variants (ALT is, in 3 of them): they have no score"
    ]
    assert "REF as given was written over the genome" in reference_notes(summary, "as-given")[0]
    assert summary.uneven == 1
    (told,) = reference_notes(summary, "as-given")[1:]
    assert told.startswith("1 of these inserts or deletes: REF takes the place of as many bases of the genome")
    assert checked(path, genome, limit=1).records == 1
    assert "1 of 2 variants have such a REF" in refused(path, genome, limit=2).extent


def test_what_the_check_calls_a_mismatch_is_what_alleles_have(tmp_path):
    """The check of blocks and the resolution of single rows are two implementations of one rule."""
    rng = random.Random(4)
    sequences = {
        "a": "".join(rng.choices("ACGTacgtNnRyKMSWBDHVUu", weights=[20] * 8 + [2] * 14, k=5000)),
        "b": "".join(rng.choices("ACGT", k=40)),
    }
    genome = genome_at(tmp_path / "x.fa", sequences)
    rows = []
    for _ in range(8000):
        name = rng.choice("aaab")
        size = min(rng.choice([1, 1, 1, 2, 3, 5, 16, 17, 40, 1500]), len(sequences[name]))
        pos = rng.choice([0, len(sequences[name]) - size, rng.randrange(len(sequences[name]) - size + 1)])
        ref = sequences[name][pos : pos + size].replace("U", "T").replace("u", "t")
        if rng.random() < 0.4:
            at = rng.randrange(size)
            ref = ref[:at] + rng.choice("ACGTNR") + ref[at + 1 :]
        if rng.random() < 0.3:
            ref = ref.upper().translate(str.maketrans("RYSWKMBDHV", "ACCAGACAAA"))
        rows.append((name, pos + 1, ref, "<DEL>" if size > 1 else "<INV>", f"END={pos + 1}"))
    path = write_vcf(tmp_path / "x.vcf", rows)
    summary = checked(path, genome, mismatch="skip")
    with open_variants(path) as file:
        found = Counter(alleles_of(record, genome, mismatch="skip")[0].status for record in file.records())
    assert summary.mismatches == found["ref_mismatch"]
    assert 1000 < summary.mismatches < 7000
    by_hand = 0
    first = {"R": "A", "Y": "C", "S": "C", "W": "A", "K": "G", "M": "A", "B": "C", "D": "A", "H": "A", "V": "A"}
    for name, pos, ref, *_ in rows:
        there = sequences[name].upper().replace("U", "T")[pos - 1 : pos - 1 + len(ref)]
        by_hand += any(r in "ACGT" and r != g and first.get(g) != r for r, g in zip(ref.upper(), there, strict=True))
    assert summary.mismatches == by_hand


def test_no_row_of_bgzip_differs(tmp_path):
    rng = random.Random(6)
    sequences = {f"c{i}": "".join(rng.choices("ACGTacgt", k=200_000)) for i in range(2)}
    genome_at(tmp_path / "x.fa", sequences)
    pysam.tabix_compress(str(tmp_path / "x.fa"), str(tmp_path / "x.fa.gz"))
    rows = []
    for _ in range(6000):
        name, pos, size = rng.choice(list(sequences)), rng.randrange(199_900), rng.choice([1, 1, 2, 7, 90])
        rows.append((name, pos + 1, sequences[name][pos : pos + size], "<DEL>"))
    path = write_vcf(tmp_path / "x.vcf", rows)
    assert checked(path, open_genome(tmp_path / "x.fa.gz")).mismatches == 0
    rows[5000] = (*rows[5000][:2], "".join({"A": "C"}.get(one, "A") for one in rows[5000][2].upper()), "<DEL>")
    assert (
        "1 of 6,000 variants have such a REF"
        in refused(write_vcf(path, rows), open_genome(tmp_path / "x.fa.gz")).extent
    )


def test_another_assembly_shows_by_many_mismatches(tmp_path):
    rng = random.Random(1)
    text = "".join(rng.choices("ACGT", k=500))
    genome = genome_at(tmp_path / "x.fa", {"chr1": text})
    rows = [("chr1", i + 7, text[i], "N") for i in range(0, 400, 5)]
    error = refused(write_vcf(tmp_path / "x.vcf", rows), genome)
    assert error.extent.endswith("so many differ where the FASTA is of another assembly")
    rows = [("chr1", i, text[i], "N") for i in range(5, 400, 5)]
    error = refused(write_vcf(tmp_path / "x.vcf", rows), genome)
    differing = sum(text[i] != text[i - 1] for i in range(5, 400, 5))
    assert f"in {differing} REF is what stands one base further right: positions seem to count from 0" in error.extent
    assert error.fix.startswith("Fix: add 1 to each position")


# ---------------------------------------------------------------- names


def test_names_of_another_style(tmp_path, genome):
    path = write_vcf(tmp_path / "x.vcf", [("chr1", 2, "C", "T"), ("1", 2, "C", "T"), ("2", 2, "c", "T")])
    error = refused(path, genome)
    assert error.what.startswith(f"{path}:4: chromosome '1' is not in")
    assert "writes 'chr1': the names are of another style" in error.what and "knows all" not in error.extent
    assert error.extent == "2 of 3 variants are on chromosomes that the FASTA lacks (2 names: 1, 2)"
    assert "--translate-chroms" in error.fix
    mixed = write_vcf(tmp_path / "mixed.vcf", [("scaffold7", 2, "C", "T"), ("1", 2, "C", "T")])
    error = refused(mixed, genome)
    assert error.what.startswith(f"{mixed}:3: chromosome 'scaffold7' is not in")
    assert "which writes 'chr1' for '1': the names are of another style" in error.what
    assert error.extent.endswith("--translate-chroms knows all of them but 1 name: scaffold7")
    summary = checked(path, genome, translate=True)
    assert summary.aliases == {"1": "chr1", "2": "chr2"}
    with open_variants(path) as file:
        alleles = [alleles_of(record, genome, summary.aliases)[0] for record in file.records()]
    assert [(one.contig, one.edit) for one in alleles] == [
        (0, Edit(1, "C", "T")),
        (0, Edit(1, "C", "T")),
        (1, Edit(1, "C", "T")),
    ]


def test_unknown_chromosomes(tmp_path, genome):
    path = write_vcf(tmp_path / "x.vcf", [("chr1", 2, "C", "T"), ("chr9", 2, "C", "T")])
    error = refused(path, genome, translate=True)
    assert error.what == f"{path}:4: chromosome 'chr9' is not in {genome.path}"
    assert "the FASTA that the variants were called on" in error.fix


def test_imprecise_places_are_told(tmp_path, genome):
    rows = [
        ("chr1", 2, "C", "<DEL>", "END=4;IMPRECISE"),
        ("chr1", 2, "C", "T", "IMPRECISE"),
        ("chr1", 2, "C", "<INV>", "X=IMPRECISE"),
    ]
    summary = checked(write_vcf(tmp_path / "x.vcf", rows), genome)
    assert summary.imprecise == 1
    assert summary.notes[0].startswith("1 variant is IMPRECISE")


def test_a_telomere_is_no_base(tmp_path, genome):
    rows = [("chr1", 0, "N", "]chr2:1]N"), ("chr1", 21, "N", "N[chr2:1["), ("chr2", 2, "c", "T")]
    assert checked(write_vcf(tmp_path / "x.vcf", rows), genome).records == 3
    with open_variants(tmp_path / "x.vcf") as file:
        statuses = [alleles_of(record, genome)[0].status for record in file.records()]
    assert statuses == ["breakend", "breakend", ""]
    rows[1] = ("chr1", 22, "N", "N[chr2:1[")
    assert "chr1:22 is past the end" in refused(write_vcf(tmp_path / "x.vcf", rows), genome).what


# ---------------------------------------------------------------- the header


def genome_of(assembly):
    contigs = [Contig(one.ucsc, one.length, 0, 60, 61) for one in load_assembly(assembly).chromosomes]
    return Genome(Path(f"{assembly}.fa"), contigs)


def contig_lines(assembly, style="ucsc"):
    chromosomes = load_assembly(assembly).chromosomes
    return [f"##contig=<ID={name},length={one.length}>" for one in chromosomes if (name := getattr(one, style))]


@pytest.mark.parametrize(
    ("header", "theirs"),
    [
        (contig_lines("hg19"), "hg19"),
        (contig_lines("hg19", "plain"), "hg19"),
        (contig_lines("mm10"), "mm10"),
        (["##reference=GRCh37"], "hg19"),
        (["##reference=file:///seq/references/GRCh37.p13/genome.fa"], "hg19"),
        (["##contig=<ID=chr1,assembly=GRCh37>"], "hg19"),
        (["##assembly=hg19"], "hg19"),
        (["##reference=file:///seq/references/1000GenomesPilot-NCBI36.fasta"], "NCBI36"),
        (["##reference=/data/hg18/hg18.fa"], "hg18"),
    ],
)
def test_a_header_of_another_assembly_is_named(tmp_path, header, theirs):
    path = write_vcf(tmp_path / "x.vcf", [("chr1", 1000, "A", "C")], header)
    error = refused(path, genome_of("hg38"))
    assert error.what == f"{path}: its header is of {theirs}, and hg38.fa is hg38"
    assert f"give the FASTA of {theirs}, or --any-genome" in error.fix


@pytest.mark.parametrize(
    "header",
    [
        contig_lines("hg38"),
        ["##reference=GRCh38"],
        ["##reference=hg38.fa"],
        ["##reference=file:///x/genome.fa"],
        ["##reference=GRCh37", *contig_lines("hg38")],  # lengths say more than a name
        ["##reference=GRCh37", "##liftover_reference=x", "##assembly=GRCh38"],
        [],
    ],
)
def test_a_header_that_may_be_of_this_assembly(tmp_path, header):
    path = write_vcf(tmp_path / "x.vcf", [("chr9", 1000, "N", "C")], header)
    with pytest.raises(NotImplementedError):
        checked(path, genome_of("hg38"))  # every check of the header passed: REF is read, of which this genome has none


def test_lengths_of_chromosomes_that_are_used(tmp_path, genome):
    header = ["##contig=<ID=chr1,length=20>", "##contig=<ID=chr2,length=13>"]
    rows = [("chr1", 2, "C", "T")]
    assert checked(write_vcf(tmp_path / "x.vcf", rows, header), genome).records == 1
    path = write_vcf(tmp_path / "x.vcf", [*rows, ("chr2", 2, "c", "T")], header)
    error = refused(path, genome)
    assert error.what == f"{path}: chromosome 'chr2' has 13 bp in the header, and 12 bp in {genome.path}"
    assert error.extent == "1 of 2 chromosomes differ"
    assert "--any-genome" in error.fix
    assert checked(path, genome, any_genome=True).records == 2
    path = write_vcf(tmp_path / "x.vcf", [("2", 2, "c", "T")], ["##contig=<ID=2,length=13>"])
    assert "'2' has 13 bp in the header, and 12 bp" in refused(path, genome, translate=True).what


def test_what_the_header_declares(tmp_path, genome):
    rows = [("chr1", 2, "C", "T")]
    summary = checked(write_vcf(tmp_path / "x.vcf", rows, ["##contig=<ID=chr1>"]), genome)
    assert (summary.undeclared, summary.notes) == ([], [])
    none = checked(write_vcf(tmp_path / "x.vcf", rows), genome)
    assert none.undeclared == ["chr1"]
    assert "declares no ##contig" in none.notes[0]
    path = write_vcf(tmp_path / "x.vcf", rows, ["##contig=<ID=chr2>", "##contig=<ID=chr3>"])
    error = refused(path, genome)
    assert error.what == f"{path}:5: chromosome 'chr1' is not declared in the header"
    assert error.extent == "which declares 2 chromosomes: chr2, chr3"
    assert f"bcftools reheader --fai {genome.path}.fai {path}" in error.fix
    with open_variants("chr1:2:C>T") as file:
        assert check_variants(file, genome).notes == []


# ---------------------------------------------------------------- real data


@pytest.fixture(scope="module")
def windows(shared_data, tmp_path_factory):
    """The 55 windows of hg38 as a genome, and the SNPs of both cells that lie in them, as rows of a VCF."""
    folder = tmp_path_factory.mktemp("asb")
    path = folder / "windows.fa"
    path.write_bytes(gzip.decompress((shared_data / "d01_hg38_windows/hg38_windows_dev.fa.gz").read_bytes()))
    places = []
    for line in (shared_data / "d01_hg38_windows/hg38_windows_dev.bed").read_text().splitlines():
        chrom, start, end = line.split("\t")[:3]
        places.append((chrom, int(start), int(end)))
    snps = []
    for table in sorted((shared_data / "d06_asb_atac_dnase").glob("*.gz")):
        names, *lines = gzip.decompress(table.read_bytes()).decode().splitlines()
        at = {name: i for i, name in enumerate(names.lstrip("#").split("\t"))}
        for line in lines:
            row = line.split("\t")
            chrom, pos = row[at["chr"]], int(row[at["start"]])
            for where, start, end in places:
                if chrom == where and start <= pos < end:
                    snps.append((f"{where}:{start}-{end}", pos - start + 1, row[at["ref"]], row[at["alt"]]))
    return open_genome(path), snps, folder


@pytest.mark.shared
def test_allele_specific_snps_of_which_twelve_are_swapped(windows):
    genome, snps, folder = windows
    path = write_vcf(folder / "asb.vcf", snps)
    assert len(genome.sizes) == 55
    assert len(snps) == 65
    error = refused(path, genome)
    assert "12 of 65 variants have such a REF" in error.extent
    assert "in 12 of 12 ALT is what the genome has (swapped)" in error.extent
    summary = checked(path, genome, mismatch="as-given")
    assert (summary.mismatches, summary.swapped) == (12, 12)
    with open_variants(path) as file:
        alleles = [alleles_of(record, genome, mismatch="as-given")[0] for record in file.records()]
    # ALT minus REF as the file has them: the edit is never turned round.
    assert [(one.edit.ref, one.edit.alt) for one in alleles] == [(ref, alt) for _, _, ref, alt in snps]
    assert sum(one.written is not None for one in alleles) == 12
    with open_variants(path) as file:
        skipped = [alleles_of(record, genome, mismatch="skip")[0].status for record in file.records()]
    assert Counter(skipped) == {"": 53, "ref_mismatch": 12}


@pytest.mark.shared
def test_scores_of_swapped_snps_keep_the_sign_of_alt_minus_ref(windows, tmp_path):
    """A model that counts G: ALT minus REF is known from the letters of the file, whichever the genome has."""
    genome, snps, folder = windows
    path = write_vcf(folder / "signs.vcf", snps)
    toy = make_toy_entry(tmp_path / "toy", "profile")
    with pytest.raises(InputError, match="is not the genome's"):
        zoo.score_variants(toy.folder, path, genome.path, trust=True)
    found = zoo.score_variants(toy.folder, path, genome.path, trust=True, ref_mismatch="as-given", score=("diff",))
    table = found.to_pandas()
    assert list(table["diff_G"]) == [float((alt == "G") - (ref == "G")) for _, _, ref, alt in snps]
    assert set(table["status"]) == {"ok"}
    skipped = zoo.score_variants(toy.folder, path, genome.path, trust=True, ref_mismatch="skip", score=("diff",))
    statuses = list(skipped.to_pandas()["status"])
    assert Counter(statuses) == {"ok": 53, "ref_mismatch": 12}
