"""Windows to train on: tiles, peaks, negatives, and what is left out, against plain Python."""

from __future__ import annotations

import gzip
import itertools
import time
from types import SimpleNamespace

import numpy as np
import pyBigWig
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import random_sequence, write_fasta

from finetune.config import RegionsConfig
from finetune.data.exclude import PIECE, Runs, base_counts, mappable, sums
from finetune.data.negatives import candidates, gc_bins, match, wanted_each
from finetune.data.regions import Geometry, choose_windows
from zoo.errors import InputError, UsageError
from zoo.genome.fasta import open_genome

GEOMETRY = Geometry(length=40, offset=8, bin_size=4, n_bins=6)  # output: 24 bp in the middle


def genome_of(tmp_path, **sequences):
    return open_genome(write_fasta(tmp_path / "g.fa", sequences, width=50))


def bed(tmp_path, *rows, name="x.bed"):
    path = tmp_path / name
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return str(path)


def pairs(windows):
    return list(zip(windows.chrom.tolist(), windows.start.tolist(), strict=True))


# ---------------- tiles


def test_tiles_lie_side_by_side_from_the_first_place_where_the_window_fits(tmp_path):
    genome = genome_of(tmp_path, a="ACGT" * 25, tiny="ACGT" * 9, b="ACGT" * 10)
    windows, counts = choose_windows(RegionsConfig(), GEOMETRY, genome, 0)
    # 100 bp: windows of 40 every 24 bp at 0, 24, 48; at 72 it would end at 112. `tiny` has 36 bp.
    assert pairs(windows) == [("a", 0), ("a", 24), ("a", 48), ("b", 0)]
    assert windows.kind.tolist() == ["tile"] * 4
    assert counts["laid"] == counts["kept"] == 4


@given(size=st.integers(40, 400), stride=st.integers(1, 60))
def test_tiles_of_any_stride(size, stride, tmp_path_factory):
    genome = genome_of(tmp_path_factory.mktemp("g"), a="A" * size)
    windows, _ = choose_windows(RegionsConfig(stride=stride), GEOMETRY, genome, 0)
    expected, at = [], 0
    while at + 40 <= size:
        expected.append(at)
        at += stride
    assert windows.start.tolist() == expected


def test_only_the_named_chromosomes(tmp_path):
    genome = genome_of(tmp_path, a="A" * 50, b="C" * 50)
    windows, _ = choose_windows(RegionsConfig(chromosomes=("b",)), GEOMETRY, genome, 0)
    assert pairs(windows) == [("b", 0)]
    with pytest.raises(UsageError, match="'chrb' is not in") as error:
        choose_windows(RegionsConfig(chromosomes=("chrb",)), GEOMETRY, genome, 0)
    assert error.value.fix == "Fix: write a or b"


def test_most_draws_by_the_seed_and_keeps_the_order(tmp_path):
    genome = genome_of(tmp_path, a="ACGT" * 600)
    config = RegionsConfig(most=20)
    one, counts = choose_windows(config, GEOMETRY, genome, 3)
    same, _ = choose_windows(config, GEOMETRY, genome, 3)
    other, _ = choose_windows(config, GEOMETRY, genome, 4)
    assert len(one) == 20 and counts["not drawn"] == counts["laid"] - 20
    assert one.start.tolist() == same.start.tolist() == sorted(one.start.tolist())
    assert one.start.tolist() != other.start.tolist()


# ---------------- what is left out


def test_a_blacklist_leaves_out_windows_whose_output_it_touches(tmp_path):
    genome = genome_of(tmp_path, a="ACGT" * 30)  # tiles 0, 24, 48, 72: outputs 8-32, 32-56, 56-80, 80-104
    config = RegionsConfig(blacklist=(bed(tmp_path, ("a", 55, 56)),))
    windows, counts = choose_windows(config, GEOMETRY, genome, 0)
    assert windows.start.tolist() == [0, 48, 72] and counts["blacklisted"] == 1
    config = RegionsConfig(blacklist=(bed(tmp_path, ("a", 0, 8), ("a", 104, 120)),))  # beside the outputs
    windows, counts = choose_windows(config, GEOMETRY, genome, 0)
    assert len(windows) == 4 and counts["blacklisted"] == 0


def test_a_blacklist_of_more_chromosomes_serves_and_one_of_other_names_is_an_error(tmp_path):
    genome = genome_of(tmp_path, chr1="ACGT" * 30)
    config = RegionsConfig(blacklist=(bed(tmp_path, ("chr1", 0, 120), ("chr9", 0, 5)),))
    with pytest.raises(InputError, match="no window is left") as error:
        choose_windows(config, GEOMETRY, genome, 0)
    assert "4 blacklisted" in error.value.extent
    config = RegionsConfig(blacklist=(bed(tmp_path, ("1", 0, 120)),))
    with pytest.raises(InputError, match=r"x\.bed:1: chromosome '1' is not in .*, which writes 'chr1'"):
        choose_windows(config, GEOMETRY, genome, 0)


def test_windows_rich_in_n_and_unmappable_ones_are_counted_once(tmp_path):
    sequence = "N" * 30 + "ACGT" * 25 + "acgtR" * 10
    genome = genome_of(tmp_path, a=sequence)
    config = RegionsConfig(mappability=bed(tmp_path, ("a", 0, 100)), least_mappable=0.5)
    windows, counts = choose_windows(config, GEOMETRY, genome, 0)
    starts = range(0, len(sequence) - 39, 24)
    unmappable = [s for s in starts if max(0, min(s + 40, 100) - s) / 40 < 0.5]
    full = [s for s in starts if s not in unmappable and sum(c not in "ACGTacgt" for c in sequence[s : s + 40]) > 4]
    assert unmappable and full
    assert windows.start.tolist() == [s for s in starts if s not in unmappable and s not in full]
    assert (counts["unmappable"], counts["full of N"]) == (len(unmappable), len(full))


def test_mappability_of_a_bigwig_and_of_a_bed_agree(tmp_path):
    genome = genome_of(tmp_path, a="A" * 500, b="C" * 300)
    path = tmp_path / "m.bw"
    file = pyBigWig.open(str(path), "w")
    file.addHeader([("a", 500)])
    file.addEntries(["a", "a"], [10, 100], ends=[60, 400], values=[1.0, 1.0])
    file.close()
    beds = bed(tmp_path, ("a", 10, 60), ("a", 100, 300), ("a", 250, 400))
    number, start = np.array([0, 1, 0, 0]), np.array([0, 0, 20, 380])
    expected = [0.75, 0.0, 40 / 40, 20 / 40]
    expected[0] = 30 / 40
    assert mappable(path, genome, number, start, 40).tolist() == expected
    assert mappable(beds, genome, number, start, 40).tolist() == expected


def test_a_mappability_of_another_assembly(tmp_path):
    genome = genome_of(tmp_path, a="A" * 500)
    path = tmp_path / "m.bw"
    file = pyBigWig.open(str(path), "w")
    file.addHeader([("a", 501)])
    file.addEntries(["a"], [10], ends=[60], values=[1.0])
    file.close()
    with pytest.raises(InputError, match="a has 501 bp"):
        choose_windows(RegionsConfig(mappability=str(path)), GEOMETRY, genome, 0)


def test_covered_tiles_have_a_mean_target_of_at_least_the_threshold(tmp_path):
    genome = genome_of(tmp_path, a="ACGT" * 30)
    means = {0: 1.0, 24: 0.99, 48: np.nan, 72: 7.0}
    config = RegionsConfig(choose="covered", threshold=1.0)
    windows, counts = choose_windows(config, GEOMETRY, genome, 0, lambda w: np.array([means[s] for s in w.start]))
    assert windows.start.tolist() == [0, 72] and counts["below the threshold"] == 2
    with pytest.raises(UsageError, match=r"without `regions\.threshold`"):
        choose_windows(RegionsConfig(choose="covered"), GEOMETRY, genome, 0, lambda w: w.start)


def test_a_genome_shorter_than_the_window(tmp_path):
    with pytest.raises(InputError, match="no chromosome is as long as the model's window of 40 bp"):
        choose_windows(RegionsConfig(), GEOMETRY, genome_of(tmp_path, a="A" * 39), 0)


# ---------------- regions and peaks


def test_regions_of_a_file_are_centred_and_those_at_the_edge_counted(tmp_path):
    genome = genome_of(tmp_path, a="ACGT" * 50, b="ACGT" * 50)
    files = (bed(tmp_path, ("b", 90, 110), ("a", 0, 10), ("b", 100, 101), ("a", 195, 200), ("a", 21, 41)),)
    windows, counts = choose_windows(RegionsConfig(choose="file", files=files), GEOMETRY, genome, 0)
    # Middle 100: output 88-112, window 80-120; the third row is the same window.
    assert pairs(windows) == [("b", 80), ("a", 11)]
    assert counts["off the chromosome"] == 2 and counts["the same as another"] == 1 and counts["laid"] == 5
    assert windows.kind.tolist() == ["region", "region"]


def test_peaks_off_the_genome_and_of_unknown_chromosomes(tmp_path):
    genome = genome_of(tmp_path, a="ACGT" * 50)
    config = RegionsConfig(choose="peaks", files=(bed(tmp_path, ("a", 5, 9), ("a", 190, 201)),))
    with pytest.raises(InputError, match=r"x\.bed:2: end 201 is past the end of a \(200 bp"):
        choose_windows(config, GEOMETRY, genome, 0)
    config = RegionsConfig(choose="peaks", files=(bed(tmp_path, ("a", 5, 9), ("zz", 1, 2)),))
    with pytest.raises(InputError, match=r"x\.bed:2: chromosome 'zz' is not in") as error:
        choose_windows(config, GEOMETRY, genome, 0)
    assert error.value.extent.startswith("of `regions.files` 1 of 2 regions is on")
    with pytest.raises(UsageError, match=r"without `regions\.files`"):
        choose_windows(RegionsConfig(choose="peaks"), GEOMETRY, genome, 0)


def gc_class(sequence):
    gc, known = sum(c in "GCgc" for c in sequence), sum(c in "ACGTacgt" for c in sequence)
    return gc * 50 // max(known, 1)


def test_negatives_match_the_peaks_gc_on_their_chromosome_and_touch_no_peak(tmp_path):
    import random

    rng = random.Random(5)
    sequences = {name: random_sequence(rng, 20_000) for name in ("a", "b", "c")}
    genome = genome_of(tmp_path, **sequences)
    rows = [(name, at, at + 30) for name in ("a", "b") for at in range(100, 19_000, 900)]
    black = bed(tmp_path, ("a", 5000, 9000), name="black.bed")
    config = RegionsConfig(choose="peaks", files=(bed(tmp_path, *rows),), negatives=2, blacklist=(black,))
    windows, counts = choose_windows(config, GEOMETRY, genome, 1)
    again, _ = choose_windows(config, GEOMETRY, genome, 1)
    assert pairs(windows) == pairs(again)
    peaks, negatives = windows.take(windows.kind == "peak"), windows.take(windows.kind == "negative")
    assert len(negatives) == counts["negatives"] > 50
    assert counts["negatives"] + counts["negatives not found"] == 2 * len(peaks)

    def classes(part):
        found = {}
        for chrom, start in pairs(part):
            key = chrom, gc_class(sequences[chrom][start : start + 40])
            found[key] = found.get(key, 0) + 1
        return found

    wanted = classes(peaks)
    assert all(n <= 2 * wanted.get(key, 0) for key, n in classes(negatives).items())
    missing = sum(2 * n - classes(negatives).get(key, 0) for key, n in wanted.items())
    assert missing == counts["negatives not found"]
    outputs = [(c, s + 8, s + 32) for c, s in pairs(negatives)]
    forbidden = [*rows, ("a", 5000, 9000), *((c, s + 8, s + 32) for c, s in pairs(peaks))]
    assert not [1 for c, s, e in outputs for d, t, f in forbidden if c == d and s < f and t < e]
    assert all(b[1] - a[1] >= 24 for a, b in itertools.pairwise(outputs) if a[0] == b[0])


def test_fractions_of_negatives_are_spread_over_the_peaks():
    assert wanted_each(6, 0.5).tolist() == [0, 1, 0, 1, 0, 1]
    assert wanted_each(3, 2.0).tolist() == [2, 2, 2]
    assert wanted_each(1000, 0.1).sum() == 100


def test_negatives_that_are_not_there_are_counted():
    rng = np.random.default_rng(0)
    candidate_of, candidate_class = np.array([0, 0, 0, 1]), np.array([20, 21, 20, 30])
    peak_of, peak_class, each = np.array([0, 0, 1]), np.array([20, 30, 20]), np.array([2, 1, 1])
    rows, missing = match(peak_of, peak_class, each, candidate_of, candidate_class, rng)
    # Contig 0 class 20: two of two; class 30: none of one; contig 1 class 20: none of one.
    assert rows.tolist() == [0, 2] and missing == 2


def test_candidates_fit_their_contigs_and_do_not_overlap():
    number, start = candidates(np.array([100, 39, 77]), np.array([0, 1, 2]), 40, 24, np.random.default_rng(1))
    assert set(number.tolist()) <= {0, 2}
    assert (start >= 0).all() and (start + 40 <= np.array([100, 39, 77])[number]).all()
    assert set(np.diff(start[number == 0]).tolist()) <= {24}


def test_gc_classes_are_exact_at_their_borders(tmp_path):
    genome = genome_of(tmp_path, a="G" * 7 + "A" * 18 + "c" * 1 + "T" * 24 + "N" * 25 + "G" * 25)
    assert gc_bins(genome, np.zeros(3, dtype=np.int64), np.array([0, 25, 75]), 25).tolist() == [14, 2, 50]
    # 7 of 25 is 0.28, the lower border of class 14.


# ---------------- sums and runs against plain Python

intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=12)


@given(runs=intervals, windows=st.lists(st.tuples(st.integers(-5, 70), st.integers(1, 30)), min_size=1, max_size=8))
def test_covered_bases_are_those_counted_one_by_one(runs, windows):
    start = np.array([a for a, _ in runs], dtype=np.int64)
    end = start + np.array([n for _, n in runs], dtype=np.int64)
    low = np.array([a for a, _ in windows])
    high = low + np.array([n for _, n in windows])
    bases = {base for a, n in runs for base in range(a, a + n)}
    expected = [len(bases & set(range(a, a + n))) for a, n in windows]
    assert Runs(start, end).covered(low, high).tolist() == expected
    assert Runs(start, end).touched(low, high).tolist() == [n > 0 for n in expected]


def test_sums_across_pieces_and_only_pieces_with_windows_are_read():
    values = np.random.default_rng(2).integers(0, 5, 5 * PIECE)
    start = np.array([3, PIECE - 7, PIECE - 20, 4 * PIECE - 1, 4 * PIECE])
    end = start + np.array([5, 50, 20, 9, PIECE])
    read = []

    def piece(low, high):
        read.append(low // PIECE)
        return values[low:high]

    assert sums(start, end, piece).tolist() == [values[a:b].sum() for a, b in zip(start, end, strict=True)]
    assert read == [0, 1, 3, 4]


def test_base_counts_ignore_case_and_know_contigs(tmp_path):
    genome = genome_of(tmp_path, a="ACGTN" * 20, b="ccggn" * 20)
    number, start = np.array([1, 0, 0]), np.array([0, 0, 3])
    assert base_counts(genome, number, start, 10, "CG").tolist() == [8, 4, 4]
    assert base_counts(genome, number, start, 10, "ACGT").tolist() == [8, 8, 8]


def test_a_gzip_of_peaks(tmp_path):
    genome = genome_of(tmp_path, a="ACGT" * 50)
    path = tmp_path / "p.narrowPeak.gz"
    path.write_bytes(gzip.compress(b"a\t90\t110\tp\t5\t.\t3\t2\t1\t4\n"))
    config = RegionsConfig(choose="peaks", files=(str(path),), negatives=0)
    windows, _ = choose_windows(config, GEOMETRY, genome, 0)
    assert pairs(windows) == [("a", 80)]  # the middle, not the summit at 94


def test_three_million_tiles_take_seconds():
    """Every step that is taken per window; the letters of this genome are not stored."""
    sizes = {f"chr{i}": 12_500_000 for i in range(24)}
    letters = np.full((1, PIECE), ord("A"), dtype=np.uint8)
    genome = SimpleNamespace(
        path="g.fa",
        sizes=sizes,
        gather=lambda number, start, length: letters[:, :length],
        lengths=lambda number: np.full(len(number), 12_500_000),
    )
    began = time.process_time()
    windows, counts = choose_windows(RegionsConfig(stride=100), Geometry(2114, 557, 10, 100), genome, 0)
    assert counts["kept"] == len(windows) == 24 * ((12_500_000 - 2114) // 100 + 1)
    assert time.process_time() - began < 20


def test_a_window_that_augmentation_moves_onto_the_blacklist_is_left_out(tmp_path):
    from zoo.genome.fasta import open_genome

    (tmp_path / "g.fa").write_text(">c\n" + "ACGT" * 250 + "\n")
    (tmp_path / "black.bed").write_text("c\t500\t510\n")
    geometry = Geometry(100, 20, 10, 6)  # outputs of 60 bp from 20 on
    genome = open_genome(tmp_path / "g.fa")
    config = RegionsConfig(blacklist=str(tmp_path / "black.bed"))
    for moved in (0, 15, 70):
        windows, counts = choose_windows(config, geometry, genome, 0, None, moved)
        wanted = [start for start in range(0, 901, 60) if start + 20 - moved >= 510 or start + 80 + moved <= 500]
        assert windows.start.tolist() == wanted
        assert counts["blacklisted"] == 16 - len(wanted)
