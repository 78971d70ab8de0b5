"""One change, one edit: alleles against the edit of the whole chromosome as a string, and against bcftools norm."""

from __future__ import annotations

import random

import pysam.bcftools
import pytest
from variants.variant_cases import edited, genome_at, one_allele, record, write_vcf

from zoo.variants.alleles.allele import Edit
from zoo.variants.alleles.normalise import changed_bases, is_indel, placements, trim
from zoo.variants.alleles.resolve import alleles_of
from zoo.variants.alleles.status import STATUSES

N_RANDOM = 20_000


def toy_sequences(rng):
    """Two contigs: soft-masked pieces, runs of N, repeats, an ambiguity code."""
    first = (
        "".join(rng.choices("ACGTacgt", k=900)) + "N" * 40 + "CA" * 30 + "t" * 25 + "".join(rng.choices("ACGT", k=500))
    )
    second = "gt" * 8 + "".join(rng.choices("ACGTacgtN", weights=[9] * 8 + [3], k=700)) + "R" + "ACGT" + "G" * 12
    return {"chrA": first, "chrB": second}


def random_variant(rng, sequence):
    """0-based position, REF as the genome has it, ALT: substitutions to 20 bp, indels to 50, mixtures, contig ends."""
    kind = rng.choice(["snv", "substitution", "insertion", "deletion", "mixture"])
    size = {"snv": 1, "substitution": rng.randint(2, 20), "insertion": 1}.get(kind, rng.randint(1, 50))
    size += kind == "deletion"
    pos = rng.choice([0, len(sequence) - size, rng.randrange(len(sequence) - size)])
    ref = sequence[pos : pos + size]
    letters = "ACGTacgt" if rng.random() < 0.95 else "ACGTN"
    if kind == "deletion":
        return pos, ref, rng.choice([ref[0], ref[-1]]) if pos == 0 else ref[0]
    if kind == "insertion":
        piece = "".join(rng.choices(letters, k=rng.randint(1, 50)))
        return pos, ref, rng.choice([ref + piece, piece + ref])
    alt = "".join(rng.choices(letters, k=size if kind != "mixture" else rng.randint(1, 50)))
    return pos, ref, alt


def check_against_strings(genome, sequences, rng, n, every=1):
    """Every allele of random variants, other placements of every ``every``; returns how many had which status."""
    found: dict[str, int] = {}
    names, uppers = list(sequences), {name: text.upper() for name, text in sequences.items()}
    for i in range(n):
        name = rng.choice(names)
        sequence = sequences[name]
        upper = uppers[name]
        pos, ref, alt = random_variant(rng, sequence)
        allele = one_allele(genome, name, pos + 1, ref, alt)
        found[allele.status] = found.get(allele.status, 0) + 1
        if set(ref.upper() + alt.upper()) - set("ACGT"):
            assert allele.status == "unknown_letters"
        elif ref.upper() == alt.upper():
            assert allele.status == "same"
        else:
            assert allele.status == ""
            haplotype = edited(upper, pos, ref.upper(), alt.upper())
            check_edit(upper, allele.edit, haplotype)
            if i % every == 0:
                check_placements(genome, names.index(name), upper, allele.edit, haplotype)
            moved = one_allele(genome, name, pos + 1, ref, alt, normalise=True).edit
            assert edited(upper, moved.start, moved.ref, moved.alt) == haplotype
    return found


def check_edit(upper, edit, haplotype):
    assert edited(upper, edit.start, edit.ref, edit.alt) == haplotype
    # Nothing can be trimmed any more, but the base that an insertion or deletion keeps.
    one = 1 in (len(edit.ref), len(edit.alt))
    assert one or edit.ref[0] != edit.alt[0]
    assert one or edit.ref[-1] != edit.alt[-1]
    if one and len(edit.ref) != len(edit.alt) and edit.start > 0 and edit.ref[-1] == edit.alt[-1]:
        assert edit.ref[0] == edit.alt[0]  # the base before, never the base behind


def check_placements(genome, contig, upper, edit, haplotype):
    first, last = placements(genome, contig, edit)
    assert first.start <= edit.start <= last.start
    for placed in (first, last):
        assert edited(upper, placed.start, placed.ref, placed.alt) == haplotype
        assert (len(placed.ref), len(placed.alt)) == (len(edit.ref), len(edit.alt))
    if is_indel(edit):
        check_no_place_beyond(upper, first, last, haplotype)


def check_no_place_beyond(upper, first, last, haplotype):
    """An insertion or deletion of as many bases one further left or right gives another sequence."""
    longer, inserts = max(first.ref, first.alt, key=len), len(first.alt) > len(first.ref)
    size = len(longer) - 1
    before = first.start if first.ref[0] == first.alt[0] and first.start + 1 > 0 else -1
    for at in (before, last.start + (2 if last.ref[0] == last.alt[0] else 1)):
        if at < 0 or at + (0 if inserts else size) > len(upper):
            continue
        if at == 0 and before == 0 and (first.start == 0 and first.ref[-1] == first.alt[-1]):
            continue  # kept base 0 and kept base behind are one and the same edit here
        if inserts:
            assert upper[:at] + haplotype[at : at + size] + upper[at:] != haplotype
        else:
            assert upper[:at] + upper[at + size :] != haplotype


def test_random_variants_of_two_contigs(tmp_path):
    rng = random.Random(14)
    sequences = toy_sequences(rng)
    genome = genome_at(tmp_path / "toy.fa", sequences)
    found = check_against_strings(genome, sequences, rng, N_RANDOM)
    assert sum(found.values()) == N_RANDOM
    assert found[""] > 0.8 * N_RANDOM
    assert found["unknown_letters"] > 1000
    assert found["same"] > 10


@pytest.mark.slow
@pytest.mark.shared
def test_random_variants_of_chr22(shared_data, tmp_path):
    text = (shared_data / "d02_chr22_slc5a1/hg38_chr22_32000000_32300000.fa").read_text().split("\n", 1)[1]
    sequences = {"chr22": text.replace("\n", "")}
    genome = genome_at(tmp_path / "chr22.fa", sequences)
    found = check_against_strings(genome, sequences, random.Random(22), N_RANDOM, every=50)
    assert found[""] > 0.9 * N_RANDOM


# ---------------------------------------------------------------- by hand

#        123456789012345678901234
HAND = "ACGGTTTACACACAGCCNNRGATC"


@pytest.fixture
def hand(tmp_path):
    return genome_at(tmp_path / "hand.fa", {"chr1": HAND, "chr2": "gattaca"})


@pytest.mark.parametrize(
    ("pos", "ref", "alt", "expected"),
    [
        (16, "C", "T", Edit(15, "C", "T")),
        (16, "CC", "TC", Edit(15, "C", "T")),
        (15, "GCC", "GTC", Edit(15, "C", "T")),
        (14, "AGCC", "AGTC", Edit(15, "C", "T")),
        (2, "CGGT", "TA", Edit(1, "CGGT", "TA")),
        (2, "CGGTT", "TAT", Edit(1, "CGGT", "TA")),
        (3, "GGT", "G", Edit(2, "GGT", "G")),
        (2, "CGGT", "CG", Edit(2, "GGT", "G")),
        (1, "A", "AT", Edit(0, "A", "AT")),
        (1, "A", "TA", Edit(0, "A", "TA")),  # at the start of a contig the base behind is kept
        (1, "AC", "C", Edit(0, "AC", "C")),
        (5, "T", "GT", Edit(3, "G", "GG")),  # elsewhere the base before is
        (4, "GT", "GGT", Edit(3, "G", "GG")),
        (5, "TT", "T", Edit(4, "TT", "T")),
        (24, "C", "CA", Edit(23, "C", "CA")),
        (23, "TC", "T", Edit(22, "TC", "T")),
        (21, "ga", "GC", Edit(21, "A", "C")),
    ],
)
def test_spellings_by_hand(hand, pos, ref, alt, expected):
    assert one_allele(hand, "chr1", pos, ref, alt).edit == expected


def test_longer_spellings_of_a_substitution_are_the_same_edit(hand):
    short = one_allele(hand, "chr1", 16, "C", "T").edit
    for before in range(5):
        for behind in range(2):
            start, end = 15 - before, 16 + behind
            ref = HAND[start:end]
            alt = HAND[start:15] + "T" + HAND[16:end]
            assert one_allele(hand, "chr1", start + 1, ref, alt).edit == short


def test_context_in_the_alleles_changes_nothing(tmp_path):
    """Bases that both alleles have in front or behind: the same edit, and of an indel the same leftmost one.

    Only where an indel stands in a repeat can the bases in front of it choose another place, as the rule trims the end
    first.
    """
    rng = random.Random(77)
    text = "".join(rng.choices("ACGT", k=300)) + "CA" * 20 + "".join(rng.choices("AC", k=200))
    genome = genome_at(tmp_path / "x.fa", {"a": text})
    moved = 0
    for _ in range(3000):
        pos, ref, alt = random_variant(rng, text)
        alt = alt.upper()
        if ref == alt or "N" in alt:
            continue
        before, behind = rng.randint(0, min(6, pos)), rng.randint(0, min(6, len(text) - pos - len(ref)))
        left, right = text[pos - before : pos], text[pos + len(ref) : pos + len(ref) + behind]
        bare = one_allele(genome, "a", pos + 1, ref, alt).edit
        assert one_allele(genome, "a", pos + 1, ref + right, alt + right).edit == bare
        longer = (pos - before + 1, left + ref + right, left + alt + right)
        if not is_indel(bare):
            assert one_allele(genome, "a", *longer).edit == bare
        else:
            moved += one_allele(genome, "a", *longer).edit != bare
            leftmost = one_allele(genome, "a", pos + 1, ref, alt, normalise=True).edit
            assert one_allele(genome, "a", *longer, normalise=True).edit == leftmost
            assert placements(genome, 0, one_allele(genome, "a", *longer).edit) == placements(genome, 0, bare)
    assert 0 < moved < 300


def test_three_alts_are_three_records(hand):
    together = alleles_of(record("chr1", 3, "GG", "G,GT,GGA"), hand)
    apart = [one_allele(hand, "chr1", 3, "GG", alt) for alt in ("G", "GT", "GGA")]
    assert [one.edit for one in together] == [one.edit for one in apart]
    assert [one.index for one in together] == [0, 1, 2]
    assert [one.alt for one in together] == ["G", "GT", "GGA"]
    assert [one.edit for one in together] == [Edit(2, "GG", "G"), Edit(3, "G", "T"), Edit(3, "G", "GA")]


def test_leftmost_and_rightmost_by_hand(hand):
    # TTTACACACAG: AC stands at 8-9, 10-11 and 12-13, then A, G.
    edit = one_allele(hand, "chr1", 10, "ACA", "A").edit
    assert edit == Edit(9, "ACA", "A")
    assert placements(hand, 0, edit) == (Edit(6, "TAC", "T"), Edit(11, "ACA", "A"))
    assert one_allele(hand, "chr1", 10, "ACA", "A", normalise=True).edit == Edit(6, "TAC", "T")
    inserted = one_allele(hand, "chr1", 9, "C", "CAC").edit
    assert placements(hand, 0, inserted) == (Edit(6, "T", "TAC"), Edit(13, "A", "ACA"))
    substitution = Edit(15, "C", "T")
    assert placements(hand, 0, substitution) == (substitution, substitution)


def test_placements_at_the_ends_of_a_contig(tmp_path):
    genome = genome_at(tmp_path / "x.fa", {"a": "AAAA", "b": "GTGTC"})
    assert placements(genome, 0, Edit(1, "AA", "A")) == (Edit(0, "AA", "A"), Edit(2, "AA", "A"))
    assert placements(genome, 0, Edit(1, "A", "AAA")) == (Edit(0, "A", "AAA"), Edit(3, "A", "AAA"))
    # GT inserted in front of the contig, and at its last place.
    assert placements(genome, 1, Edit(0, "G", "GTG")) == (Edit(0, "G", "GTG"), Edit(3, "T", "TGT"))


def test_indels_are_placed_in_what_was_written(tmp_path):
    genome = genome_at(tmp_path / "x.fa", {"a": "CCATTTC"})
    # The file says that base 3 is T: its run of T is then one longer.
    allele = one_allele(genome, "a", 3, "TT", "T", mismatch="as-given")
    assert allele.written == Edit(2, "TT", "T")
    assert allele.edit == Edit(2, "TT", "T")
    assert placements(genome, 0, allele.edit, allele.written) == (Edit(1, "CT", "C"), Edit(4, "TT", "T"))


def test_how_many_bases_change():
    cases = [
        (Edit(5, "C", "T"), 1),
        (Edit(5, "CA", "TG"), 2),
        (Edit(5, "C", "CAAA"), 3),
        (Edit(5, "CAAA", "C"), 3),
        (Edit(0, "AC", "C"), 1),
        (Edit(5, "CGGT", "TA"), 4),
        (Edit(5, "C", "TAA"), 3),
    ]
    assert [changed_bases(edit) for edit, _ in cases] == [n for _, n in cases]


def test_trim_asks_for_one_base_only_where_it_is_needed():
    def never(at):
        raise AssertionError(at)

    assert trim(Edit(9, "GCC", "GCT"), never) == Edit(11, "C", "T")
    assert trim(Edit(9, "GGT", "G"), never) == Edit(9, "GGT", "G")
    assert trim(Edit(9, "A", "GA"), {8: "C"}.__getitem__) == Edit(8, "C", "CG")


# ---------------------------------------------------------------- bcftools norm


def test_normalise_is_what_bcftools_norm_does(tmp_path):
    rng = random.Random(5)
    sequences = {
        "c1": "".join(rng.choices("AC", k=400)) + "".join(rng.choices("ACGT", k=400)),
        "c2": "GAT" * 60 + "ACCA",
    }
    genome = genome_at(tmp_path / "g.fa", sequences)
    rows = []
    while len(rows) < 3000:
        name = rng.choice(list(sequences))
        pos, ref, alt = random_variant(rng, sequences[name])
        alt = alt.upper()
        if ref != alt and "N" not in alt:
            rows.append((name, pos + 1, ref, alt))
    rows.sort(key=lambda row: row[:2])
    header = [f"##contig=<ID={name},length={len(text)}>" for name, text in sequences.items()]
    rows = [(*row, f"I={i}") for i, row in enumerate(rows)]
    header.append('##INFO=<ID=I,Number=1,Type=Integer,Description="row">')
    path = write_vcf(tmp_path / "x.vcf", rows, header)
    normed = pysam.bcftools.norm("-f", str(tmp_path / "g.fa"), str(path))
    theirs = {}
    for line in normed.splitlines():
        if not line.startswith("#"):
            chrom, pos, _, ref, alt, _, _, info = line.split("\t")
            theirs[int(info.removeprefix("I="))] = (chrom, Edit(int(pos) - 1, ref, alt))
    assert len(theirs) == len(rows)
    moved = 0
    for i, (chrom, pos, ref, alt, _) in enumerate(rows):
        edit = one_allele(genome, chrom, pos, ref, alt, normalise=True).edit
        assert theirs[i] == (chrom, edit), (chrom, pos, ref, alt)
        moved += edit.start != one_allele(genome, chrom, pos, ref, alt).edit.start
    assert moved > 200


# ---------------------------------------------------------------- what has no score


@pytest.mark.parametrize(
    ("ref", "alt", "status"),
    [
        ("C", ".", "missing"),
        ("C", "*", "overlapping_deletion"),
        ("C", "<NON_REF>", "no_sequence"),
        ("C", "<*>", "no_sequence"),
        ("C", "<INS>", "no_sequence"),
        ("C", "<INS:ME:ALU>", "no_sequence"),
        ("C", "<CNV>", "no_sequence"),
        ("C", "<CN0>", "no_sequence"),
        ("C", "<DUP:DISPERSED>", "no_sequence"),
        ("C", "<DUP:INT>", "no_sequence"),
        ("C", "C[chr2:5[", "breakend"),
        ("C", "]chr2:5]C", "breakend"),
        ("C", "CAT.", "breakend"),
        ("C", ".AC", "breakend"),
        ("C", "<DEL>", "no_end"),
        ("C", "C", "same"),
        ("c", "C", "same"),
        ("C", "N", "unknown_letters"),
        ("C", "CR", "unknown_letters"),
        ("N", "A", "unknown_letters"),
        ("CG", "GR", "unknown_letters"),
        ("A", "G", "ref_mismatch"),
        ("CT", "C", "ref_mismatch"),
    ],
)
def test_statuses(hand, ref, alt, status):
    allele = one_allele(hand, "chr1", 2, ref, alt)
    assert (allele.status, allele.edit, allele.written) == (status, None, None)
    assert status in STATUSES


def test_nothing_is_dropped(hand):
    alts = "T,*,<NON_REF>,CN,<DEL>,C[chr2:2[,C"
    found = alleles_of(record("chr1", 2, "C", alts, "END=4"), hand)
    assert [one.status for one in found] == [
        "",
        "overlapping_deletion",
        "no_sequence",
        "unknown_letters",
        "",
        "breakend",
        "same",
    ]
    assert [one.alt for one in found] == alts.split(",")
    (missing,) = alleles_of(record("chr1", 2, "C", "."), hand)
    assert (missing.alt, missing.index) == (".", 0)


def test_max_length_counts_what_changes(hand):
    rows = [(3, "G", "GAAA"), (3, "GGTT", "G"), (3, "GGT", "CCC"), (3, "GGTTT", "GGTTA")]
    options = [[one_allele(hand, "chr1", *row, max_length=n).status for row in rows] for n in (3, 2, 1, 0)]
    assert options == [["", "", "", ""], ["too_long"] * 3 + [""], ["too_long"] * 3 + [""], ["too_long"] * 4]
    assert one_allele(hand, "chr1", 3, "G", "<DEL>", "END=9", max_length=6).status == ""
    assert one_allele(hand, "chr1", 3, "G", "<DEL>", "END=9", max_length=5).status == "too_long"


@pytest.mark.parametrize(
    ("alt", "info", "expected"),
    [
        ("<DEL>", "END=5", Edit(2, "GGT", "G")),
        ("<DEL>", "SVTYPE=DEL;END=5;SVLEN=-2", Edit(2, "GGT", "G")),
        ("<DEL>", "SVLEN=-2", Edit(2, "GGT", "G")),
        ("<DEL>", "SVLEN=2;CIPOS=-5,5", Edit(2, "GGT", "G")),
        ("<DEL:ME:ALU>", "END=5", Edit(2, "GGT", "G")),
        ("<DUP>", "END=5", Edit(2, "G", "GGT")),
        ("<DUP:TANDEM>", "END=5", Edit(2, "G", "GGT")),
        ("<dup>", "END=5", Edit(2, "G", "GGT")),
        ("<INV>", "END=8", Edit(3, "GTTTA", "TAAAC")),
        ("<INV>", "END=5", Edit(3, "GT", "AC")),
        ("<INV>", "END=4", Edit(3, "G", "C")),
    ],
)
def test_symbolic_alleles_by_hand(hand, alt, info, expected):
    # ACGGTTTACACACAGCC: base 3 is G, and bases 4 to 8 are G T T T A.
    assert one_allele(hand, "chr1", 3, "G", alt, info).edit == expected
    assert one_allele(hand, "chr1", 3, "N", alt, info).edit == expected


def test_symbolic_alleles_are_the_spelled_ones(tmp_path):
    rng = random.Random(9)
    text = "".join(rng.choices("ACGT", k=300))
    genome = genome_at(tmp_path / "x.fa", {"a": text})
    back = str.maketrans("ACGT", "TGCA")
    for _ in range(200):
        pos, size = rng.randrange(200), rng.randrange(1, 80)
        before, piece = text[pos], text[pos + 1 : pos + 1 + size]
        info = f"END={pos + 1 + size}"
        spelled = {
            "<DEL>": (before + piece, before),
            "<DUP>": (before, before + piece),
            "<INV>": (before + piece, before + piece.translate(back)[::-1]),
        }
        for alt, (ref, written) in spelled.items():
            one = one_allele(genome, "a", pos + 1, before, alt, info)
            other = one_allele(genome, "a", pos + 1, ref, written)
            assert (one.edit, one.status) == (other.edit, other.status)


def test_ends_of_symbolic_alleles(hand):
    assert one_allele(hand, "chr1", 3, "G", "<DEL>", "END=3").status == "no_end"
    assert one_allele(hand, "chr1", 3, "G", "<DEL>", "END=2").status == "no_end"
    assert one_allele(hand, "chr1", 3, "G", "<DEL>", "END=25").status == "no_end"
    assert one_allele(hand, "chr1", 16, "C", "<DEL>", "END=24").status == "unknown_letters"  # it spans N and R
    assert one_allele(hand, "chr1", 8, "A", "<INV>", "END=9").edit == Edit(8, "C", "G")
    assert one_allele(hand, "chr2", 1, "G", "<INV>", "END=7").status == ""
    # Several: each has its own SVLEN, and END is that of the longest.
    two = alleles_of(record("chr1", 3, "G", "<DEL>,<DUP>", "END=7;SVLEN=-2,4"), hand)
    assert [one.edit for one in two] == [Edit(2, "GGT", "G"), Edit(2, "G", "GGTTT")]
    two = alleles_of(record("chr1", 3, "G", "<DEL>,<DUP>", "END=7"), hand)
    assert [one.status for one in two] == ["no_end", "no_end"]
    with_other = alleles_of(record("chr1", 3, "G", "<DEL>,<*>", "END=5"), hand)
    assert [one.status for one in with_other] == ["", "no_sequence"]


def test_a_claim_of_depth_alone_has_no_sequence(hand):
    assert one_allele(hand, "chr1", 3, "G", "<DUP>", "END=5;SVCLAIM=D").status == "no_sequence"
    assert one_allele(hand, "chr1", 3, "G", "<DUP>", "SVCLAIM=DJ;END=5").edit == Edit(2, "G", "GGT")
    assert one_allele(hand, "chr1", 3, "G", "<DEL>", "END=5;SVCLAIM=J").edit == Edit(2, "GGT", "G")
    two = alleles_of(record("chr1", 3, "G", "<DEL>,<DUP>", "SVLEN=2,2;SVCLAIM=D,J"), hand)
    assert [one.status for one in two] == ["no_sequence", ""]


def test_palindromes_do_not_change(tmp_path):
    genome = genome_at(tmp_path / "x.fa", {"a": "CACGTC"})
    assert one_allele(genome, "a", 1, "C", "<INV>", "END=5").status == "same"


# ---------------------------------------------------------------- REF is not the genome's


def test_as_given_writes_ref(hand):
    allele = one_allele(hand, "chr1", 2, "TGA", "TGC", mismatch="as-given")
    assert allele.edit == Edit(3, "A", "C")
    assert allele.written == Edit(1, "TGA", "TGC")
    # REF window, then ALT window, as they are laid.
    laid = edited(HAND, 1, "CGG", "TGA")
    assert laid.startswith("ATGATTT")
    assert edited(laid, allele.edit.start, "A", "C").startswith("ATGCTTT")
    assert one_allele(hand, "chr1", 2, "CGG", "CGC", mismatch="as-given").written is None
    assert one_allele(hand, "chr1", 2, "TGA", "TGC", mismatch="skip").status == "ref_mismatch"


def test_as_given_swapped_keeps_alt_minus_ref(hand):
    allele = one_allele(hand, "chr1", 16, "T", "C", mismatch="as-given")  # the genome has C
    assert (allele.edit, allele.written) == (Edit(15, "T", "C"), Edit(15, "T", "C"))


def test_base_before_an_indel_that_was_written(hand):
    # A>GA has its base behind; the base before is outside of what was written, so it is the genome's.
    allele = one_allele(hand, "chr1", 4, "A", "GA", mismatch="as-given")
    assert allele.edit == Edit(2, "G", "GG")
    assert allele.written == Edit(3, "A", "GA")


def test_a_symbolic_allele_as_given(hand):
    allele = one_allele(hand, "chr1", 3, "T", "<DEL>", "END=5", mismatch="as-given")
    assert (allele.edit, allele.written) == (Edit(2, "TGT", "T"), Edit(2, "T", "T"))
    assert one_allele(hand, "chr1", 3, "T", "<DEL>", "END=5", mismatch="skip").status == "ref_mismatch"


def test_ambiguity_codes_and_n_in_the_genome(hand):
    # 18 and 19 are N, 20 is R.
    assert one_allele(hand, "chr1", 20, "A", "C").status == "unknown_letters"  # VCF writes R as A
    assert one_allele(hand, "chr1", 20, "G", "C").status == "ref_mismatch"
    assert one_allele(hand, "chr1", 18, "A", "C").status == "ref_mismatch"
    assert one_allele(hand, "chr1", 18, "N", "C").status == "unknown_letters"
    given = one_allele(hand, "chr1", 18, "A", "C", mismatch="as-given")
    assert (given.edit, given.written) == (Edit(17, "A", "C"), Edit(17, "A", "C"))


def test_rna_letters_of_the_genome_are_t(tmp_path):
    genome = genome_at(tmp_path / "x.fa", {"a": "ACGUUacgu"})
    assert one_allele(genome, "a", 4, "T", "C").edit == Edit(3, "T", "C")
    assert one_allele(genome, "a", 9, "t", "c").edit == Edit(8, "T", "C")


def test_outside_of_the_contig_nothing_is_taken_as_given(hand):
    assert one_allele(hand, "chr2", 7, "AC", "A", mismatch="as-given").status == "ref_mismatch"
    assert one_allele(hand, "chrX", 1, "A", "C", mismatch="as-given").status == "ref_mismatch"


def test_names_are_translated(hand):
    (allele,) = alleles_of(record("1", 16, "C", "T"), hand, {"1": "chr1"})
    assert (allele.contig, allele.edit) == (0, Edit(15, "C", "T"))
