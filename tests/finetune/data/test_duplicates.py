"""Near-duplicates between splits: copies on either strand are found, repeats and strangers are not."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import write_fasta

from finetune.config import SplitConfig
from finetune.data import duplicates
from finetune.data.duplicates import K, canonical_kmers, check_duplicates, find_twins
from finetune.data.regions import Geometry, Windows
from zoo.errors import UsageError
from zoo.genome.fasta import open_genome

PAIR = str.maketrans("ACGT", "TGCA")


def setting(tmp_path, length, **sides):
    """A genome whose chromosomes are windows of one side each: name -> list of sequences."""
    chroms, starts, split, sequences = [], [], [], {}
    for side, parts in sides.items():
        sequences[side] = "".join(parts)
        for i, part in enumerate(parts):
            assert len(part) == length
            chroms.append(side), starts.append(i * length), split.append(side)
    genome = open_genome(write_fasta(tmp_path / "g.fa", sequences))
    n = len(chroms)
    windows = Windows(np.array(chroms, dtype=object), np.array(starts), np.full(n, "tile", dtype="<U8"))
    return genome, windows, np.array(split, dtype="<U10")


def dna(rng, length):
    return "".join(rng.choices("ACGT", k=length))


def mutated(rng, sequence, rate):
    return "".join(rng.choice("ACGT".replace(c, "")) if rng.random() < rate else c for c in sequence)


def reverse(sequence):
    return sequence.translate(PAIR)[::-1]


def test_copies_on_either_strand_are_found_and_named(tmp_path):
    rng = random.Random(1)
    parts = [dna(rng, 1000) for _ in range(40)]
    test = [dna(rng, 1000), mutated(rng, parts[7], 0.01), reverse(parts[30]), dna(rng, 1000)]
    valid = [dna(rng, 1000), parts[3].lower()]
    genome, windows, split = setting(tmp_path, 1000, train=parts, test=test, validation=valid)
    twins = find_twins(genome, windows, split, 1000)
    assert [(t.row, t.train) for t in twins] == [(41, 7), (42, 30), (45, 3)]
    # A k-mer of 24 survives a rate of 1% with probability 0.99 ** 24 = 0.79.
    assert twins[0].contained == pytest.approx(0.79, abs=0.1)
    assert [t.contained for t in twins[1:]] == [1.0, 1.0]
    config = SplitConfig(validation="validation", test="test")
    with pytest.raises(UsageError, match=r"window 41 \(test, test:1000-2000\) and window 7 \(train, train:7000-8000\)"):
        check_duplicates(genome, windows, split, Geometry(1000, 0, 10, 100), config)
    drop = SplitConfig(validation="validation", test="test", duplicates="drop")
    kept, n = check_duplicates(genome, windows, split, Geometry(1000, 0, 10, 100), drop)
    assert n == 3 and np.flatnonzero(kept == "").tolist() == [41, 42, 45]
    assert np.array_equal(kept[kept != ""], split[kept != ""]) and (split != "").all()


def test_strangers_and_repeats_of_few_distinct_words_are_no_duplicates(tmp_path):
    rng = random.Random(2)
    poly, tandem = "A" * 1000, ("ACGTTC" * 200)[:1000]
    half = "T" * 800
    train = [poly, tandem, half + dna(rng, 200), *(dna(rng, 1000) for _ in range(10))]
    test = [poly, reverse(tandem), dna(rng, 200) + half, dna(rng, 1000), "N" * 1000]
    genome, windows, split = setting(tmp_path, 1000, train=train, test=test)
    assert find_twins(genome, windows, split, 1000) == []
    config = SplitConfig(validation="v", test="test")
    same, n = check_duplicates(genome, windows, split, Geometry(1000, 0, 10, 100), config)
    assert n == 0 and same is split


def test_half_of_the_sequence_is_the_border(tmp_path):
    rng = random.Random(3)
    source = [dna(rng, 2000) for _ in range(2)]
    test = [
        source[0][:700] + dna(rng, 1300),  # 35%
        source[1][:1300] + dna(rng, 700),  # 65%
        source[0][:700] + source[1][:700] + dna(rng, 600),  # 70%, but no one window has half
    ]
    genome, windows, split = setting(tmp_path, 2000, train=source, test=test)
    assert [(t.row, t.train) for t in find_twins(genome, windows, split, 2000)] == [(3, 1)]


def test_overlapping_windows_share_their_words_and_the_best_twin_is_named(tmp_path):
    rng = random.Random(4)
    chromosome = dna(rng, 6000)
    genome = open_genome(write_fasta(tmp_path / "g.fa", {"a": chromosome, "b": chromosome[1500:2500]}))
    starts = np.arange(0, 5001, 250)
    chrom = np.array(["a"] * len(starts) + ["b"], dtype=object)
    windows = Windows(chrom, np.append(starts, 0), np.full(len(chrom), "tile", dtype="<U8"))
    split = np.array(["train"] * len(starts) + ["validation"], dtype="<U10")
    (twin,) = find_twins(genome, windows, split, 1000)
    assert (twin.row, starts[twin.train], twin.contained) == (len(starts), 1500, 1.0)


@pytest.mark.parametrize("phase", [0, 130, 500, 777])
def test_a_copy_is_found_wherever_the_tiles_begin(phase, tmp_path):
    rng = random.Random(phase)
    chromosome = dna(rng, 10_000)
    copy = mutated(rng, chromosome[4000 + phase : 5000 + phase], 0.01)  # 79% of its words survive
    parts = [chromosome[i : i + 1000] for i in range(0, 10_000, 1000)]
    genome, windows, split = setting(tmp_path, 1000, train=parts, test=[dna(rng, 1000), copy])
    (twin,) = find_twins(genome, windows, split, 1000)
    assert twin.row == 11 and twin.train in (4, 5) and twin.contained > 0.6


def test_a_satellite_in_thousands_of_training_windows(tmp_path, monkeypatch):
    monkeypatch.setattr(duplicates, "STRETCHES_A_KMER", 8)
    rng = random.Random(5)
    monomer = dna(rng, 500)
    genome, windows, split = setting(
        tmp_path, 500, train=[mutated(rng, monomer, 0.002) for _ in range(60)], test=[monomer]
    )
    assert [t.row for t in find_twins(genome, windows, split, 500)] == [60]


@given(st.text("ACGTNacgt", min_size=K, max_size=60))
def test_words_are_those_of_plain_python_and_the_same_on_both_strands(text):
    letters = np.frombuffer(text.encode(), dtype=np.uint8)
    kmers, known = canonical_kmers(letters)
    upper = text.upper()
    for i in range(len(text) - K + 1):
        word = upper[i : i + K]
        assert known[i] == ("N" not in word)
        if known[i]:
            number = min(int("".join(str("ACGT".index(c)) for c in w), 4) for w in (word, reverse(word)))
            assert int(kmers[i]) == number
    other, known_other = canonical_kmers(np.frombuffer(reverse(upper).encode(), dtype=np.uint8))
    assert np.array_equal(other[::-1][known], kmers[known]) and np.array_equal(known_other[::-1], known)


@pytest.mark.parametrize(("n", "length"), [(10_000, 1500), (200, 196_608)])
def test_thousands_of_windows_take_seconds(n, length, tmp_path):
    rng = np.random.default_rng(6)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[rng.integers(0, 4, n * length)]
    half = n // 2 * length
    letters[half : half + length] = letters[5 * length : 6 * length]
    path = tmp_path / "g.fa"
    path.write_bytes(b">a\n" + letters[:half].tobytes() + b"\n>b\n" + letters[half:].tobytes() + b"\n")
    windows = Windows(
        np.array(["a"] * (n // 2) + ["b"] * (n - n // 2), dtype=object),
        np.concatenate([np.arange(n // 2), np.arange(n - n // 2)]) * length,
        np.full(n, "tile", dtype="<U8"),
    )
    split = np.where(windows.chrom == "a", "train", "test").astype("<U10")
    began = time.process_time()
    twins = find_twins(open_genome(path), windows, split, length)
    assert time.process_time() - began < 20
    assert [(t.row, t.train, t.contained) for t in twins] == [(n // 2, 5, 1.0)]
