"""What other tools read of a variant: the same windows where they are right, and what they do where they are not.

kipoi-veff2 (``variant_centered.dataloader``, github.com/kipoi/kipoi-veff2) takes ``Interval(pos - 1, pos)`` resized to
the model's length and kipoiseq's ``VariantSeqExtractor`` anchored at its centre: that is done here with kipoiseq. Its
``Interval.resize`` puts the base one before the middle of windows of even length (veff2's own test: index 4 of 10),
unlike ``kipoiseq.transforms.functional.resize_interval``, by which Kipoi's dataloaders lay regions. gReLU's
``VariantDataset`` is asked for its two sequences. Nothing of theirs is written down a second time.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from zoo.genome.fasta import open_genome
from zoo.models.loaded import LoadedModel
from zoo.models.sequence_loader import SequenceLoader
from zoo.outputs import OutputSpec, choose_tracks
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.windows.windows import PairPlan

pytest.importorskip("kipoiseq")
pytest.importorskip("grelu")

SIZE = 4000


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    letters = "".join(random.Random(5).choices("ACGT", k=SIZE))
    path = tmp_path_factory.mktemp("other") / "genome.fa"
    path.write_text(f">chr1\n{letters}\n")
    path.with_name("genome.fa.sizes").write_text(f"chr1\t{SIZE}\n")  # gReLU does not make it itself
    return path, letters


def ours(fasta, edit, length, anchor):
    """The two windows that we read of one change, as letters."""
    model = LoadedModel("any", torch.nn.Identity(), SequenceLoader(length), (OutputSpec("y", "scalar", ("a",)),))
    plan = PairPlan(model, choose_tracks(model.outputs, ()), anchor=anchor)
    record = Record(0, 1, "chr1", edit.start, ".", edit.ref, (edit.alt,), None, ())
    pair = plan.pair(open_genome(fasta), Allele(record, 0, 0, edit))
    return [sequence.decode() for sequence in pair.sequences]


def kipoi(fasta, start, ref, alt, length):
    from kipoiseq.dataclasses import Interval, Variant
    from kipoiseq.extractors import VariantSeqExtractor

    extractor = VariantSeqExtractor(fasta_file=str(fasta))
    variant = Variant("chr1", start + 1, ref, alt)
    interval = Interval("chr1", variant.pos - 1, variant.pos).resize(length)
    before = extractor.extract(interval, variants=[], anchor=length)
    return [before, extractor.extract(interval, variants=[variant], anchor=interval.center())]


def grelu(fasta, start, ref, alt, length):
    import pandas as pd
    from grelu.data.dataset import VariantDataset
    from grelu.sequence.format import convert_input_type

    frame = pd.DataFrame({"chrom": ["chr1"], "pos": [start + 1], "ref": [ref], "alt": [alt]})
    dataset = VariantDataset(frame, seq_len=length, genome=str(fasta))
    return [convert_input_type(dataset[i], "strings") for i in range(2)]


def places(letters, n, seed):
    rng = random.Random(seed)
    for _ in range(n):
        yield rng, rng.randrange(400, SIZE - 400)


def other(rng, base):
    return rng.choice([letter for letter in "ACGT" if letter != base])


@pytest.mark.parametrize("length", [100, 101, 338])
def test_windows_of_substitutions_are_those_of_kipoi(fasta, length):
    path, letters = fasta
    for rng, start in places(letters, 60, length):
        size = rng.randint(1, 6)
        ref = letters[start : start + size]
        alt = other(rng, ref[0]) + "".join(rng.choices("ACGT", k=size - 2)) + other(rng, ref[-1]) if size > 1 else ""
        alt = alt if size > 1 else other(rng, ref)
        edit = Edit(start, ref, alt)
        assert ours(path, edit, length, "left") == kipoi(path, start, ref, alt, length)


@pytest.mark.parametrize("length", [100, 101, 338])
def test_windows_of_deletions_are_those_of_kipoi(fasta, length):
    path, letters = fasta
    for rng, start in places(letters, 60, length):
        ref = letters[start : start + rng.randint(2, 30)]
        assert ours(path, Edit(start, ref, ref[0]), length, "left") == kipoi(path, start, ref, ref[0], length)


@pytest.mark.parametrize("length", [100, 101, 338])
def test_windows_of_single_bases_are_those_of_grelu(fasta, length):
    path, letters = fasta
    for rng, start in places(letters, 25, length):
        ref = letters[start]
        alt = other(rng, ref)
        assert ours(path, Edit(start, ref, alt), length, "left") == grelu(path, start, ref, alt, length)


# ---------------- where they differ: the table of docs/variants.md, row by row


def edited(letters, start, ref, alt):
    """The chromosome with the change made: what ALT has to be cut from."""
    assert letters[start : start + len(ref)] == ref
    return letters[:start] + alt + letters[start + len(ref) :]


def test_a_deletion_in_grelu_leaves_alt_as_the_genome_and_damages_ref(fasta):
    path, letters = fasta
    start, length = 1000, 100
    ref = letters[start : start + 3]
    theirs = grelu(path, start, ref, ref[0], length)
    window = letters[start - 49 : start + 51]
    assert theirs[1] == window, "ALT is the genome"
    assert theirs[0] == window[:48] + ref + window[51:] != window, "REF is written one base too far left"
    right = edited(letters, start, ref, ref[0])[start - 50 : start + 50]
    assert ours(path, Edit(start, ref, ref[0]), length, "center") == [letters[start - 50 : start + 50], right]


def test_three_substituted_bases_in_grelu_land_one_too_far_left(fasta):
    path, letters = fasta
    start, length = 1000, 100
    ref = letters[start : start + 3]
    alt = "".join({"A": "C", "C": "G", "G": "T", "T": "A"}[base] for base in ref)
    theirs = grelu(path, start, ref, alt, length)
    window = letters[start - 49 : start + 51]
    assert theirs == [window[:48] + ref + window[51:], window[:48] + alt + window[51:]]
    right = edited(letters, start, ref, alt)[start - 49 : start + 51]
    assert ours(path, Edit(start, ref, alt), length, "left") == [window, right]


def test_an_insertion_in_grelu_overwrites_what_stands_there(fasta):
    path, letters = fasta
    start, length = 1000, 100
    alt = letters[start] + "ACGT"
    theirs = grelu(path, start, letters[start], alt, length)
    window = letters[start - 49 : start + 51]
    assert theirs[1] == window[:47] + alt + window[52:], "five bases of the genome are gone"
    right = edited(letters, start, letters[start], alt)[start - 49 : start + 51]
    assert ours(path, Edit(start, letters[start], alt), length, "left")[1] == right


@pytest.mark.parametrize("alt", ["<DEL>", "*"])
def test_symbols_become_letters_in_kipoiseq(fasta, alt):
    path, letters = fasta
    assert alt in kipoi(path, 1000, letters[1000], alt, 100)[1]


def test_the_same_base_changed_with_a_longer_ref_has_another_window_in_kipoi(fasta):
    """CC>CT is C>T one base on; kipoi-veff2 centres POS as it is written, so that two spellings have two scores."""
    path, letters = fasta
    start, length = 1000, 100
    pair = letters[start : start + 2]
    alt = pair[0] + {"A": "C", "C": "G", "G": "T", "T": "A"}[pair[1]]
    long, short = (
        kipoi(path, start, pair, alt, length),
        kipoi(path, start + 1, pair[1], alt[1], length),
    )
    assert long[0] == letters[start - 49 : start + 51] and short[0] == letters[start - 48 : start + 52]
    assert ours(path, Edit(start + 1, pair[1], alt[1]), length, "left") == short


def test_what_is_read_is_one_hot(fasta):
    """The letters above are the network's whole input: none of them is unknown."""
    path, letters = fasta
    first, second = ours(path, Edit(1000, letters[1000], other(random.Random(1), letters[1000])), 100, "center")
    assert set(first + second) <= set("ACGT") and sum(np.array(list(first)) != np.array(list(second))) == 1
