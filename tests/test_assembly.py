"""Known assemblies and chromosome names, against lengths that every genomicist knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zoo.genome.assembly import (
    Assembly,
    alias_map,
    aliases,
    chrom_style,
    compare_lengths,
    guess_assembly,
    known_assemblies,
    load_assembly,
)

ROOT = Path(__file__).resolve().parents[1]


def assembly(name: str) -> Assembly:
    found = load_assembly(name)
    assert found is not None
    return found


def lengths(name: str, column: str) -> dict[str, int]:
    """The contigs of an assembly, named in one style."""
    chromosomes = assembly(name).chromosomes
    return {getattr(c, column): c.length for c in chromosomes if getattr(c, column)}


@pytest.mark.parametrize(
    ("name", "chrom", "length"),
    [
        ("hg38", "chr1", 248_956_422),
        ("hg38", "chrX", 156_040_895),
        ("hg38", "chrM", 16_569),
        ("hg19", "chr1", 249_250_621),
        ("mm10", "chr1", 195_471_971),
        ("mm39", "chr1", 195_154_279),
        ("hs1", "chr1", 248_387_328),
        ("sacCer3", "chrI", 230_218),
        ("sacCer3", "chrIV", 1_531_933),
        ("dm6", "chr2L", 23_513_712),
        ("ce11", "chrI", 15_072_434),
        ("danRer11", "chr1", 59_578_282),
    ],
)
def test_lengths(name, chrom, length):
    found = assembly(name).find(chrom)
    assert found is not None and found.length == length


def test_chromosome_counts():
    counts = {name: len(assembly(name).chromosomes) for name in known_assemblies()}
    assert counts["hg38"] == 25
    assert counts["mm10"] == 22
    assert counts["sacCer3"] == 17
    # hg19 has UCSC's old chrM and the revised chrMT.
    assert counts["hg19"] == 26


@pytest.mark.parametrize(
    ("synonym", "name"),
    [("GRCh38", "hg38"), ("grch38.p14", "hg38"), ("GRCh37", "hg19"), ("hs37d5", "hg19"), ("R64", "sacCer3")],
)
def test_synonyms(synonym, name):
    assert assembly(synonym).name == name


def test_unknown_assembly():
    assert load_assembly("hg99") is None


def test_aliases_of_accession_and_of_common_name():
    assert {name: c.ucsc for name, c in aliases("NC_000001.11").items()} == {"hg38": "chr1"}
    assert {name: c.ucsc for name, c in aliases("CM000663.1").items()} == {"hg19": "chr1"}
    assert {"hg38", "mm10", "danRer11"} <= set(aliases("chr1"))
    assert aliases("scaffold_12") == {}


@pytest.mark.parametrize(
    ("names", "style"),
    [
        (["chr1", "chr2", "chrX"], "ucsc"),
        (["1", "2", "MT"], "plain"),
        (["I", "II", "Mito"], "plain"),
        (["NC_000001.11", "NT_187361.1"], "refseq"),
        (["CM000663.2", "KI270706.1"], "genbank"),
        (["scaffold_1", "scaffold_2"], "unknown"),
        ([], "unknown"),
        (["chr1", "chr1_KI270706v1_random", "chrUn_KI270302v1"], "ucsc"),
    ],
)
def test_style(names, style):
    assert chrom_style(names) == style


def test_style_of_ensembl_is_that_of_its_chromosomes():
    scaffolds = [f"KI27{n:04d}.1" for n in range(169)]
    assert chrom_style([*lengths("hg38", "plain"), *scaffolds]) == "plain"


STYLES = [(name, column) for name in known_assemblies() for column in ("ucsc", "plain", "refseq", "genbank")]


def test_one_assembly_lacks_one_style():
    assert [style for style in STYLES if not lengths(*style)] == [("ce11", "genbank")]


@pytest.mark.parametrize("name, column", [style for style in STYLES if style != ("ce11", "genbank")])
def test_every_style_is_recognised_and_mapped(name, column):
    available = lengths(name, column)
    assert guess_assembly(available) == name
    wanted = {c.ucsc: getattr(c, column) for c in assembly(name).chromosomes if getattr(c, column)}
    assert alias_map(list(wanted), available) == wanted


def test_lengths_tell_hg19_from_hg38():
    assert guess_assembly({"1": 249_250_621}) == "hg19"
    assert guess_assembly({"1": 248_956_422}) == "hg38"
    assert guess_assembly({"1": 248_000_000}) is None
    assert guess_assembly({}) is None


def test_mitochondrion_alone_is_ambiguous():
    assert guess_assembly({"MT": 16_569}) is None


def test_a_file_that_mostly_contradicts_is_no_match():
    assert guess_assembly({"chr1": 248_956_422, "chr2": 5, "chr3": 5}) is None


def test_identical_name_wins():
    # Both are chromosome 1 of hg38 in this file; the regions' own name is taken.
    available = {"chr1": 248_956_422, "1": 248_956_422}
    assert alias_map(["chr1", "1"], available) == {"chr1": "chr1", "1": "1"}
    # ... and a third name for it is ambiguous.
    assert alias_map(["NC_000001.11"], available) == {}


def test_accession_of_another_assembly_is_refused():
    hg38 = lengths("hg38", "ucsc")
    assert alias_map(["NC_000001.11"], hg38) == {"NC_000001.11": "chr1"}
    assert alias_map(["NC_000001.10"], hg38) == {}
    # Also where the lengths say nothing.
    assert alias_map(["NC_000001.10"], {"NC_000001.11": 1000}) == {}
    assert alias_map(["CM000663.2"], {"NC_000001.11": 1000}) == {"CM000663.2": "NC_000001.11"}


def test_accession_without_version():
    assert alias_map(["NC_000001"], lengths("hg38", "ucsc")) == {"NC_000001": "chr1"}


@pytest.mark.parametrize("mito", ["chrM", "M", "MT", "chrMT", "Mito"])
def test_yeast_mitochondrion_under_all_its_names(mito):
    available = {"chrI": 230_218, "chrM": 85_779}
    assert alias_map([mito], available) == {mito: "chrM"}
    assert alias_map(["chrM"], {"I": 230_218, mito: 85_779}) == {"chrM": mito}


@pytest.mark.parametrize("first", ["chrI", "I", "NC_001133.9", "BK006935.2", "1", "chr1", "chr01"])
def test_yeast_chromosome_one_under_all_its_names(first):
    available = lengths("sacCer3", "ucsc")
    assert alias_map([first], available) == {first: "chrI"}


def test_arabic_numbers_name_roman_chromosomes_only_in_yeast():
    assert alias_map(["chr1"], lengths("ce11", "ucsc")) == {}
    # No lengths to go by: chr1 of something is not chrI of something.
    assert alias_map(["chr1"], {"chrI": 5000}) == {}


def test_hg19_mitochondria_are_not_mixed():
    # b37's MT is the revised sequence: two bases shorter than UCSC's chrM, other coordinates.
    b37 = lengths("hg19", "plain")
    assert b37["MT"] == 16_569
    assert alias_map(["chrM"], b37) == {}
    assert alias_map(["chrMT", "M"], b37) == {"chrMT": "MT", "M": "MT"}
    # GENCODE's GRCh37 names the revised one chrM; that is no contradiction.
    gencode = {**lengths("hg19", "ucsc"), "chrM": 16_569}
    del gencode["chrMT"]
    assert compare_lengths(assembly("hg19"), gencode).ok
    assert alias_map(["MT"], gencode) == {"MT": "chrM"}


def test_a_slice_is_mapped_by_name():
    assert alias_map(["1", "X"], {"chr1": 5000, "chrX": 100}) == {"1": "chr1", "X": "chrX"}
    assert alias_map(["NC_001133.9"], {"chrI": 5000}) == {"NC_001133.9": "chrI"}
    assert alias_map(["chrI"], {"NC_001133.9": 5000}) == {"chrI": "NC_001133.9"}


def test_unplaced_contigs_of_a_known_assembly():
    available = {**lengths("hg38", "ucsc"), "chrEBV": 171_823, "GL000009.2": 201_709}
    assert alias_map(["EBV", "GL000009.2", "nowhere"], available) == {
        "EBV": "chrEBV",
        "GL000009.2": "GL000009.2",
    }


def test_compare_lengths():
    available = {"1": 248_956_422, "2": 7, "GL000009.2": 201_709}
    check = compare_lengths(assembly("hg38"), available)
    assert check.matching == ("1",)
    assert check.differing == (("2", 242_193_529, 7),)
    assert check.unknown == ("GL000009.2",)
    assert not check.ok


def test_table_is_what_the_script_makes():
    pytest.importorskip("bioframe", reason="the table is made from bioframe, which comes with gReLU")
    script = ROOT / "scripts" / "make_assemblies.py"
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_table_is_small():
    assert (ROOT / "zoo" / "data" / "assemblies.json").stat().st_size < 300_000


def test_import_is_light():
    code = (
        "import sys, zoo.genome.assembly as a; a.load_assembly('hg38');"
        "heavy = {'numpy', 'pandas', 'torch'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# Sums over chromosomes that stand in the assemblies' own announcements (GRC, SGD, WormBase).
@pytest.mark.parametrize(
    ("name", "with_mitochondrion", "total"),
    [
        ("hg38", False, 3_088_269_832),
        ("hg19", False, 3_095_677_412),
        ("mm10", False, 2_725_521_370),
        ("sacCer3", True, 12_157_105),
        ("ce11", True, 100_286_401),
    ],
)
def test_the_size_of_a_genome(name, with_mitochondrion, total):
    chromosomes = [c for c in assembly(name).chromosomes if with_mitochondrion or not c.is_mito]
    assert sum(c.length for c in chromosomes) == total


@pytest.mark.parametrize("name", known_assemblies())
def test_no_name_stands_for_two_chromosomes_of_an_assembly(name):
    owners: dict[str, set[str]] = {}
    for chromosome in assembly(name).chromosomes:
        assert chromosome.length > 0
        for alias in chromosome.names:
            owners.setdefault(alias, set()).add(chromosome.ucsc)
    assert {alias: who for alias, who in owners.items() if len(who) > 1} == {}


@pytest.mark.parametrize("name", known_assemblies())
def test_every_name_of_a_chromosome_finds_it_and_joins_its_contig(name):
    """All names at once as a regions file might mix them, onto a FASTA in UCSC style."""
    available = lengths(name, "ucsc")
    wanted = {alias: c.ucsc for c in assembly(name).chromosomes for alias in c.names if c.ucsc in available}
    exact = {alias: contig for alias, contig in wanted.items() if not assembly(name).find(alias).is_mito}
    joined = alias_map(list(exact), available)
    assert joined == exact
    assert all(assembly(name).find(alias).ucsc == contig for alias, contig in wanted.items())


def test_a_joined_contig_never_has_another_length_than_the_chromosome():
    """hg19's names onto a FASTA of hg38: accessions tell, bare names are the file's own business."""
    available = lengths("hg38", "refseq")
    for chromosome in assembly("hg19").chromosomes:
        for accession in (chromosome.refseq, chromosome.genbank):
            if accession and accession not in available:
                joined = alias_map([accession], available)
                assert all(available[contig] == chromosome.length for contig in joined.values())


def test_a_version_of_the_patch_does_not_matter_and_another_assembly_does():
    assert assembly("GRCh38.p14").name == assembly(" hg38 ").name == "hg38"
    assert load_assembly("GRCh3") is None and load_assembly("") is None


def test_candidates_of_a_mitochondrion_are_both_of_hg19():
    found = assembly("hg19").candidates("chrM")
    assert [c.length for c in found] == [16_571, 16_569]
    assert [c.length for c in assembly("hg38").candidates("MT")] == [16_569]
    assert assembly("hg38").candidates("chr77") == ()


def test_repeated_names_of_a_regions_file_are_joined_once():
    assert alias_map(["1", "1", "X"], {"chr1": 5, "chrX": 6}) == {"1": "chr1", "X": "chrX"}
    assert alias_map([], {"chr1": 5}) == {}
    assert alias_map(["1"], {}) == {}


def test_two_contigs_of_one_bare_name_are_ambiguous():
    assert alias_map(["CHR1"], {"chr1": 5, "1": 5}) == {}
    assert alias_map(["CHR1"], {"chr1": 5}) == {"CHR1": "chr1"}


def test_nothing_to_compare_contradicts_nothing():
    check = compare_lengths(assembly("hg38"), {"phiX": 5386})
    assert check.ok and check.matching == () and check.unknown == ("phiX",)
