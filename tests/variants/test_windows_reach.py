"""No effect from afar; deltas known by hand; strands, genes, statuses, written alleles, several changes."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from near_models import REACH, allele_of, near_model, predicted
from toys import random_sequence, write_fasta

from zoo.errors import InputError, UsageError
from zoo.genome.encode import one_hot
from zoo.genome.fasta import open_genome
from zoo.outputs import choose_tracks
from zoo.variants.alleles.allele import Edit
from zoo.variants.scores.genes import Gene
from zoo.variants.windows.windows import PairPlan, reads_strand

SIZE = 4_000
#: Of each bin size: the window's length, and bp that are cropped on either side.
LAYOUTS = {1: (180, 10), 32: (32 * 10 + 40, 20), 128: (128 * 8 + 64, 32)}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    rng = random.Random(11)
    contigs = {"one": random_sequence(rng, SIZE, "ACGT"), "two": "ACGT" * 5 + "A" * 3_000}
    return open_genome(write_fasta(tmp_path_factory.mktemp("near") / "g.fa", contigs))


def letters(genome, start, end, contig=0):
    return genome.gather(np.array([contig]), np.array([start]), end - start)[0].tobytes().decode()


def plan_of(model, **options):
    return PairPlan(model, choose_tracks(model.outputs, ()), **options)


def gene(strand, start=0, end=SIZE):
    return Gene("g", "g", 0, start, end, strand, ((start, end),))


def indels(genome, n, seed=0):
    """(start, ref, alt): insertions, deletions and mixtures in turn, to 50 bp."""
    rng = random.Random(seed)
    for i in range(n):
        start = rng.randint(1_500, 2_500)
        r = 1 if i % 3 == 0 else rng.randint(2, 50)
        ref = letters(genome, start, start + r)
        more = "".join(rng.choices("ACGT", k=rng.randint(1, 50)))
        other = rng.choice("ACGT".replace(ref[0], ""))
        yield start, ref, {0: ref + more, 1: ref[0], 2: other + more}[i % 3]


def far(aligned, spec, start, ref, alt, extra=0):
    """(bins,) bool: bins of which no base lies within reach of a changed or inserted one."""
    first, size = aligned.first["profile"], spec.bin_size
    starts = first + np.arange(aligned.ref["profile"].shape[1]) * size
    if ref[0] == alt[0]:
        start, ref = start + 1, ref[1:]
    # The base before an insertion is where inserted ones are folded, and within reach.
    return (starts + size + extra + REACH <= start) | (starts - extra - REACH >= start + max(len(ref), 1))


@pytest.mark.parametrize("bin_size", LAYOUTS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"refill": "left"},
        {"refill": "both", "anchor": "left"},
        {"strand": "-"},
        {"strand": "-", "refill": "left"},
        {"rc_average": True},
        {"shifts": (-8, 0, 8)},
        {"shifts": (-1, 4), "rc_average": True, "refill": "both"},
        {"shifts": (-8, 0, 8), "strand": "-"},
        {"units": "probability"},
    ],
    ids=str,
)
def test_an_indel_has_no_effect_from_afar(genome, bin_size, options):
    length, crop = LAYOUTS[bin_size]
    options = dict(options)
    strand, rc_average = options.pop("strand", None), options.pop("rc_average", False)
    sense = "unstranded" if strand is None else "sense"
    model = near_model(length, bin_size, crop, units=options.pop("units", "reads"), strand=sense)
    plan = plan_of(model, **options)
    spec = model.outputs[0]
    # A bin that is put together of two reaches as far as both.
    extra = bin_size if any(shift % bin_size for shift in plan.shifts) else 0
    variants = list(indels(genome, 12, bin_size))
    pairs = [plan.pair(genome, allele_of(0, *variant), strand and gene(strand)) for variant in variants]
    changed = 0
    for variant, aligned in zip(variants, predicted(model, pairs, rc_average), strict=True):
        delta = aligned.alt["profile"] - aligned.ref["profile"]
        away, shared = far(aligned, spec, *variant, extra), aligned.shared["profile"]
        assert away.sum() > len(away) / 5
        assert not delta[:, away & shared].any()
        longer = len(variant[2]) - len(variant[1])
        if bin_size > 1 or longer <= 0:
            assert shared[away].all()
        else:  # what an insertion pushes out has no value
            assert (~shared).sum() == longer * (2 if options.get("refill") == "both" else 1)
        changed += bool(delta[:, shared].any())
    assert changed >= 10


@pytest.mark.parametrize("bin_size", LAYOUTS)
def test_the_same_of_a_substitution_and_no_bin_is_left_out(genome, bin_size):
    length, crop = LAYOUTS[bin_size]
    model = near_model(length, bin_size, crop)
    plan = plan_of(model, refill="both")
    start, ref = 2_000, letters(genome, 2_000, 2_020)
    alt = ref.translate(str.maketrans("ACGT", "CATG"))
    pair = plan.pair(genome, allele_of(0, start, ref, alt))
    assert len(pair.sequences) == 2
    (aligned,) = predicted(model, [pair])
    delta = aligned.alt["profile"] - aligned.ref["profile"]
    away = far(aligned, model.outputs[0], start, ref, alt)
    assert aligned.shared["profile"].all()
    assert not delta[:, away].any()
    assert delta[:, ~away].any()


# ---------------------------------------------------------------- a model that counts G and T, in a contig of A


def counted(genome, ref, alt, *, bin_size=1, at=1_000, **options):
    """First bin, deltas of G by bin (None where left out) and of the total, in a run of A."""
    units, strand = options.pop("units", "reads"), options.pop("strand", None)
    length, crop = LAYOUTS[bin_size]
    sense = "unstranded" if strand is None else "sense"
    model = near_model(length, bin_size, crop, linear=True, units=units, strand=sense)
    written = Edit(at, ref, alt) if set(ref) - {"A"} else None
    pair = plan_of(model, **options).pair(genome, allele_of(1, at, ref, alt, written), strand and gene(strand))
    (aligned,) = predicted(model, [pair])
    delta = aligned.alt["profile"] - aligned.ref["profile"]
    shared = aligned.shared["profile"]
    places = aligned.first["profile"] + np.arange(len(shared)) * bin_size
    found = {}
    for place, g, t, ok in zip(places.tolist(), *delta.tolist(), shared, strict=True):
        if not ok:
            found[place] = None
        elif g or t:
            found[place] = (g, t)
    return found, (aligned.alt["total"] - aligned.ref["total"]).tolist()


def test_deltas_by_hand_of_single_bases(genome):
    assert counted(genome, "A", "G") == ({1_000: (1, 0)}, [1, 0])
    assert counted(genome, "A", "AGGT")[1] == [2, 1]
    # Three inserted bases fold into the one before; as many are pushed out of the right end: 910 + 170.
    assert counted(genome, "A", "AGGT")[0] == {1_000: (1, 1), 1_077: None, 1_078: None, 1_079: None}
    assert counted(genome, "A", "AGGT", refill="left")[0] == {920: None, 921: None, 922: None, 1_000: (1, 1)}
    assert counted(genome, "AGGT", "A") == ({1_001: None, 1_002: None, 1_003: None}, [-2, -1])
    gone = {1_001: (-1, 0), 1_002: (-1, 0), 1_003: (0, -1)}
    assert counted(genome, "AGGT", "A", units="probability") == (gone, [-2, -1])
    # CGGT>TA: C becomes T, G becomes A, GT goes.
    mixed = {1_000: (0, 1), 1_001: (-1, 0), 1_002: None, 1_003: None}
    assert counted(genome, "CGGT", "TA") == (mixed, [-2, 0])


def test_deltas_by_hand_on_the_other_strand(genome):
    """The model reads C for G and A for T: in a run of A, the second track loses what the first cannot gain."""
    assert counted(genome, "A", "C", strand="-") == ({1_000: (1, -1)}, [1, -1])
    assert counted(genome, "A", "G", strand="-") == ({1_000: (0, -1)}, [0, -1])
    assert counted(genome, "CCCC", "CT", strand="-")[0] == {1_001: (-1, 0), 1_002: None, 1_003: None}
    # On plus coordinates an insertion pushes out what lies on its right, and the last shared base is on its left.
    assert counted(genome, "A", "ACC", strand="-")[0] == {1_000: (1, 0), 1_078: None, 1_079: None}


@pytest.mark.parametrize("bin_size", [32, 128])
@pytest.mark.parametrize("refill", ["right", "left", "both"])
def test_deltas_by_hand_of_wide_bins(genome, bin_size, refill):
    """Whole counts at the variant's bin wherever in it the variant lies, and nothing elsewhere."""
    length, crop = LAYOUTS[bin_size]
    for at in range(1_000, 1_000 + bin_size, 5):
        own = at - length // 2 + crop + (length // 2 - crop) // bin_size * bin_size
        options = {"bin_size": bin_size, "refill": refill, "at": at}
        assert counted(genome, "A", "G", **options)[0] == {own: (1, 0)}
        assert counted(genome, "A", "AGGT", **options)[0] == {own: (2, 1)}
        assert counted(genome, "AGGT", "A", **options)[0] == {own: (-2, -1)}
        assert counted(genome, "CGGT", "TA", **options)[0] == {own: (-2, 0)}


@pytest.mark.parametrize("shifts", [(0, 12), (-20, 3, 9), (31,)])
def test_shifted_wide_bins_keep_sums(genome, shifts):
    """Counts of a bin may be parted between it and its neighbours, and add up to what they are."""
    for ref, alt, wanted in [("A", "G", [1, 0]), ("A", "AGGT", [2, 1]), ("AGGT", "A", [-2, -1])]:
        found, total = counted(genome, ref, alt, bin_size=32, shifts=shifts)
        assert np.sum(list(found.values()), axis=0) == pytest.approx(wanted, abs=1e-5)
        assert len(found) <= 3
        assert total == wanted


def test_a_long_deletion_of_wide_bins_leaves_out_those_that_are_gone(genome):
    found, total = counted(genome, "A" + "G" * 100, "A", bin_size=32)
    assert total == [-100, 0]
    gone = [place for place, value in found.items() if value is None]
    assert 2 <= len(gone) <= 3
    assert min(gone) >= 1_001
    assert max(gone) + 32 <= 1_101
    assert sum(value[0] for value in found.values() if value) == -(100 - 32 * len(gone))


# ---------------------------------------------------------------- strands, and what lies outside the gene


def test_tracks_swap_on_the_other_strand(genome):
    """A model that reads strands, has a pair of tracks and counts G and T: on minus it counts C and A, swapped."""
    model = near_model(180, linear=True, strand=[("a", "b")])
    model.loader = model.loader.__class__(180, use_strand=True)
    pair = plan_of(model).pair(genome, allele_of(0, 2_000, letters(genome, 2_000, 2_001), "N"), gene("-"))
    (aligned,) = predicted(model, [pair])
    text = letters(genome, 2_000 - 90 + 10, 2_000 + 90 - 10)
    assert aligned.first["profile"] == 1_920
    assert aligned.ref["profile"].tolist() == [[base == "A" for base in text], [base == "C" for base in text]]
    one = PairPlan(model, choose_tracks(model.outputs, ("profile/a",)))
    allele = allele_of(0, 2_000, letters(genome, 2_000, 2_001), "N")
    values = [{"profile": np.ones((1, 160), np.float32)}] * 2
    assert one.pair(genome, allele, gene("+")).join(values).ref["profile"].shape == (1, 160)
    with pytest.raises(UsageError, match="b of 'profile' is not among them"):
        one.pair(genome, allele, gene("-"))


def test_a_profile_that_is_not_centred_is_placed_on_the_other_strand(genome):
    model = near_model(180, linear=True, crop=10, strand="sense")
    profile = model.outputs[0].__class__("profile", "profile", ("a", "b"), 150, 1, 10, "reads")
    model.outputs = (profile, model.outputs[1])
    plan = plan_of(model)
    for strand, first in (("+", 1_910 + 10), ("-", 1_910 + 20)):
        pair = plan.pair(genome, allele_of(0, 2_000, "A", "C"), gene(strand))
        values = {"profile": np.zeros((2, 150), np.float32), "total": np.zeros(2, np.float32)}
        values["profile"][0, 0] = 1
        aligned = pair.join([values] * len(pair.sequences))
        assert aligned.first["profile"] == first
        assert aligned.ref["profile"][0].argmax() == (0 if strand == "+" else 149)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_bases_outside_the_gene_are_masked_where_the_card_says_so(genome, strand):
    at, low, high = 2_000, 1_950, 2_020
    ref = letters(genome, at, at + 4)
    inside = allele_of(0, at, ref, ref[0])
    masked = near_model(180, strand="sense", outside_gene="masked")
    plain = near_model(180, strand="sense", outside_gene="genome")
    unread = plan_of(plain).pair(genome, inside, gene(strand, low, high))
    assert not any(b"N" in sequence for sequence in unread.sequences)
    one, other = plan_of(masked).pair(genome, inside, gene(strand, low, high)).sequences
    if strand == "-":
        swap = bytes.maketrans(b"ACGT", b"TGCA")
        one, other = one[::-1].translate(swap), other[::-1].translate(swap)
    wanted = "N" * 40 + letters(genome, low, high) + "N" * 70  # the window is 1910 to 2090
    assert one.decode() == wanted
    assert other.decode() == (wanted[:91] + wanted[94:]) + "NNN"


def test_changes_at_the_end_of_a_masked_gene(genome):
    """What lies outside is N in both alleles; what is inserted behind the last base belongs to it."""
    plan = plan_of(near_model(180, strand="sense", outside_gene="masked"))
    end = 2_001
    ref = letters(genome, 2_000, 2_003)
    alt = ref.translate(str.maketrans("ACGT", "CATG"))
    one, other = plan.pair(genome, allele_of(0, 2_000, ref, alt), gene("+", 1_000, end)).sequences
    assert (one[90:93], other[90:93]) == (ref[:1].encode() + b"NN", alt[:1].encode() + b"NN")
    one, other = plan.pair(genome, allele_of(0, 2_000, ref[0], ref[0] + "CC"), gene("+", 1_000, end)).sequences
    assert (one[90:94], other[90:94]) == (ref[:1].encode() + b"NNN", ref[:1].encode() + b"CCN")


def test_a_gene_does_not_matter_to_a_model_that_reads_no_strand(genome):
    plan = plan_of(near_model(180))
    allele = allele_of(0, 2_000, letters(genome, 2_000, 2_001), "N")
    assert plan.pair(genome, allele, gene("-", 1_990, 2_010)).sequences == plan.pair(genome, allele).sequences
    assert not reads_strand(near_model(180).card)


def test_a_model_of_one_strand_needs_a_gene(genome):
    model = near_model(180, strand="sense")
    assert reads_strand(model.card)
    with pytest.raises(UsageError, match="reads the strand of a gene") as caught:
        plan_of(model).pair(genome, allele_of(0, 2_000, "A", "C"))
    assert "--genes" in caught.value.fix


# ---------------------------------------------------------------- what does not fit, and what is written


@pytest.mark.parametrize(
    ("refill", "r", "a", "fits"),
    [
        # The window of 180 has 90 bp before the variant, and 89 behind its first base.
        ("right", 89, 1, True),
        ("right", 90, 1, False),
        ("left", 89, 1, True),
        ("left", 90, 1, False),
        ("right", 1, 89, True),
        ("right", 1, 90, False),
        ("left", 1, 91, True),
        ("left", 1, 92, False),
        ("both", 1, 89, True),
        ("both", 1, 90, False),
    ],
)
def test_a_change_needs_a_base_beside_it_in_both_windows(genome, refill, r, a, fits):
    ref = letters(genome, 2_000, 2_000 + r)
    found = plan_of(near_model(180), refill=refill).pair(genome, allele_of(0, 2_000, ref, ref[0] + "C" * (a - 1)))
    assert (found == "beyond_window") is not fits
    if fits:
        first = 2_000 - 90
        changed = letters(genome, 0, 2_000) + ref[0] + "C" * (a - 1) + letters(genome, 2_000 + r, SIZE)
        assert changed[first : first + 180].encode() in found.sequences or refill == "left"


def test_wide_bins_and_shifts_need_more_room(genome):
    ref = letters(genome, 2_000, 2_001)
    allele = allele_of(0, 2_000, ref, ref + "C" * 170)
    assert plan_of(near_model(360, 32, 20)).pair(genome, allele) != "beyond_window"
    assert plan_of(near_model(360, 32, 20), shifts=(-10, 0)).pair(genome, allele) == "beyond_window"


@pytest.mark.parametrize(("at", "outside"), [(89, True), (90, False), (3_910, False), (3_911, True)])
def test_edges(genome, at, outside):
    """A window of 180 from at - 90: it leaves a contig of 4,000 bp before 90 and behind 3,910."""
    ref = letters(genome, at, at + 1)
    allele = allele_of(0, at, ref, "ACGT".replace(ref, "")[0])
    model = near_model(180)
    assert (plan_of(model, edges="skip").pair(genome, allele) == "past_the_edge") is outside
    one, _ = plan_of(model).pair(genome, allele).sequences
    assert (b"N" in one) is outside
    if outside:
        with pytest.raises(InputError, match="leaves its chromosome"):
            plan_of(model, edges="error").pair(genome, allele)


def test_edges_of_alt(genome):
    """The reference's window ends with the contig: after a deletion nothing is left to refill ALT's from."""
    ref = letters(genome, 3_910, 3_912)
    allele = allele_of(0, 3_910, ref, ref[0])
    for refill, status in (("right", "past_the_edge"), ("left", None)):
        found = plan_of(near_model(180), edges="skip", refill=refill).pair(genome, allele)
        assert (found == status) is (status is not None)
    added = allele_of(0, 3_910, ref[0], ref[0] + "C")
    assert plan_of(near_model(180), edges="skip").pair(genome, added) != "past_the_edge"
    assert plan_of(near_model(180), edges="skip", shifts=(0, 1)).pair(genome, added) == "past_the_edge"


def test_a_reference_allele_that_is_not_the_genomes_is_written_over_both_windows(genome):
    at = 2_000
    there = letters(genome, at, at + 3)
    given = there.translate(str.maketrans("ACGT", "CATG"))
    written = Edit(at, given, given[0])
    allele = allele_of(0, at, given, given[0], written)
    one, other = plan_of(near_model(180)).pair(genome, allele).sequences
    text = letters(genome, 0, at) + given + letters(genome, at + 3, SIZE)
    assert one.decode() == text[1_910:2_090]
    assert other.decode() == (text[: at + 1] + text[at + 3 :])[1_910:2_090]
    # Trimmed alleles stand where they stand, and what was written around them stays in both.
    around = Edit(at - 2, "GG" + given[:1], "GG" + there[:1])
    one, other = plan_of(near_model(180)).pair(genome, allele_of(0, at, given[0], there[0], around)).sequences
    assert (one[88:91].decode(), other[88:91].decode()) == ("GG" + given[0], "GG" + there[0])


def test_several_changes_of_one_window(genome):
    text = letters(genome, 0, SIZE)
    edits = [Edit(2_030, text[2_030:2_035], text[2_030]), Edit(1_990, text[1_990], text[1_990] + "ACGTA")]
    plan = plan_of(near_model(180), refill="both")
    first, right, left = 1_910, 0, 1
    pair = plan.pair_edits(genome, 0, 2_000, edits)
    changed = text[:1_991] + "ACGTA" + text[1_991:2_031] + text[2_035:]
    assert pair.sequences[0].decode() == text[first : first + 180]
    assert pair.sequences[1 + right].decode() == changed[first : first + 180]
    assert pair.sequences[1 + left].decode() == changed[first + 1 : first + 181]
    wide = near_model(360, 32, 20)
    (aligned,) = predicted(wide, [plan_of(wide).pair_edits(genome, 0, 2_000, edits)])
    starts = aligned.first["profile"] + np.arange(10) * 32
    delta = aligned.alt["profile"] - aligned.ref["profile"]
    assert not delta[:, (starts + 42 <= 1_991) | (starts - 10 >= 2_035)].any()
    with pytest.raises(InputError, match="two changes of the same bases"):
        plan.pair_edits(genome, 0, 2_000, [*edits, Edit(2_032, text[2_032], "N")])
    assert plan.pair_edits(genome, 0, 2_000, [*edits, Edit(2_200, text[2_200], "N")]) == "beyond_window"


def test_scalars_are_what_refill_says(genome):
    model = near_model(180)
    allele = allele_of(0, 2_000, letters(genome, 2_000, 2_030), letters(genome, 2_000, 2_001))
    found = {}
    for refill in ("right", "left", "both"):
        pair = plan_of(model, refill=refill).pair(genome, allele)
        (aligned,) = predicted(model, [pair])
        found[refill] = aligned.alt["total"].astype(float)
        with torch.no_grad():
            encoded = one_hot(np.frombuffer(b"".join(pair.sequences), np.uint8).reshape(-1, 180))
            alone = model.module(torch.from_numpy(encoded))["total"].numpy()
        assert np.array_equal(aligned.ref["total"], alone[0])
        assert np.array_equal(aligned.alt["total"], alone[1:].mean(axis=0))
    assert not np.array_equal(found["right"], found["left"])
    assert np.array_equal(found["both"], (found["right"] + found["left"]) / 2)


# ---------------------------------------------------------------- options that say nothing


def test_bins_without_places_are_compared_of_substitutions_alone(genome):
    model = near_model(180)
    model.outputs = (model.outputs[0].__class__("profile", "profile", ("a", "b"), 160, placed=False), model.outputs[1])
    ref = letters(genome, 2_000, 2_002)
    plan = plan_of(model)
    assert plan.pair(genome, allele_of(0, 2_000, ref, ref[0])) == "bins_not_placed"
    (aligned,) = predicted(model, [plan.pair(genome, allele_of(0, 2_000, ref[0], "N"))])
    assert aligned.first == {}
    assert aligned.shared["profile"].all()
    with pytest.raises(UsageError, match="not known"):
        plan_of(model, shifts=(0, 1))


def test_shifts_that_leave_nothing_are_refused():
    model = near_model(360, 32, 20)
    with pytest.raises(UsageError, match="in common") as caught:
        plan_of(model, shifts=(-160, 160))
    advised = caught.value.fix.removeprefix("Fix: --shifts ").split(",")
    assert plan_of(model, shifts=tuple(map(int, advised))).shifts == (-32, 0, 32)


@pytest.mark.parametrize("shifts", [(5,), (-8, 0, 8), (3, 3)])
def test_shifts_average_windows_that_are_moved(genome, shifts):
    """Bins of single bases: the mean of what each moved window gives there, in the bins that all have."""
    model = near_model(180)
    start, ref, alt = 2_000, letters(genome, 2_000, 2_003), letters(genome, 2_000, 2_001)
    (aligned,) = predicted(model, [plan_of(model, shifts=shifts).pair(genome, allele_of(0, start, ref, alt))])
    first = 1_910 + 10 + max(*shifts, 0)
    assert aligned.first["profile"] == first
    n = 160 - max(*shifts, 0) + min(*shifts, 0)
    assert aligned.ref["profile"].shape == (2, n)
    # This network gives the same for a base wherever it stands in the window.
    (still,) = predicted(model, [plan_of(model).pair(genome, allele_of(0, start, ref, alt))])
    low = first - still.first["profile"]
    assert np.array_equal(aligned.ref["profile"], still.ref["profile"][:, low : low + n])
    shared = aligned.shared["profile"]
    assert np.array_equal(aligned.alt["profile"][:, shared], still.alt["profile"][:, low : low + n][:, shared])
