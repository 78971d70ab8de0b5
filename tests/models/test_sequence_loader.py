"""Layouts of the input, against kipoiseq's transform and its dataloader."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import torch
from toys import complement, make_toy_entry, one_hot, random_sequence, window, write_fasta

from zoo.cards.kipoi import read_model
from zoo.errors import ModelError
from zoo.genome.fasta import open_genome
from zoo.genome.intervals import RegionFile
from zoo.genome.windows import WindowPlan
from zoo.models.sequence_loader import SequenceLoader, loader_from_kipoi
from zoo.run.pipeline import BlockReader

# Every combination that kipoiseq accepts: the alphabet may be axis 2 only when there is a dummy axis.
LAYOUTS = [(a, None) for a in (0, 1)] + [(a, d) for a, d in itertools.product((0, 1, 2), (0, 1, 2)) if a != d]


@pytest.mark.parametrize("alphabet", ["ACGT", "AGCT", "TGCA"])
@pytest.mark.parametrize(("alphabet_axis", "dummy_axis"), LAYOUTS)
def test_arrange_equals_kipoiseq(alphabet, alphabet_axis, dummy_axis):
    transforms = pytest.importorskip("kipoiseq.transforms")
    theirs = transforms.ReorderedOneHot(
        alphabet=alphabet, alphabet_axis=alphabet_axis, dummy_axis=dummy_axis, dtype=np.float32
    )
    rng = random.Random(alphabet_axis)
    sequences = [random_sequence(rng, 13, "ACGTN") for _ in range(4)]
    loader = SequenceLoader(13, alphabet=alphabet, alphabet_axis=alphabet_axis, dummy_axis=dummy_axis)
    ours = loader.arrange(torch.tensor([one_hot(sequence) for sequence in sequences]))
    expected = np.stack([theirs(sequence) for sequence in sequences])
    assert tuple(ours.shape) == expected.shape
    assert np.array_equal(ours.numpy(), expected)


def test_our_own_layout_is_passed_through_without_a_copy():
    batch = torch.rand(2, 4, 5)
    arranged = SequenceLoader(5).arrange(batch)
    assert torch.equal(arranged, batch)
    assert arranged.data_ptr() == batch.data_ptr()


@pytest.mark.parametrize("use_strand", [False, True])
@pytest.mark.parametrize(
    ("alphabet_axis", "dummy_axis", "width"), [(1, None, 101), (0, None, 64), (0, 1, 33), (1, 0, 20), (1, 2, 7)]
)
def test_arrays_equal_kipoiseqs_dataloader(tmp_path, use_strand, alphabet_axis, dummy_axis, width):
    """The whole way from BED to array, for 400 regions of all lengths on both strands."""
    dataloaders = pytest.importorskip("kipoiseq.dataloaders.sequence")
    pytest.importorskip("pybedtools")
    rng = random.Random(width)
    sequences = {"chr1": random_sequence(rng, 3000), "chr2": random_sequence(rng, 700)}
    fasta, bed = write_fasta(tmp_path / "x.fa", sequences), tmp_path / "x.bed"
    rows = []
    for i in range(400):
        chrom = rng.choice(["chr1", "chr2"])
        middle = rng.randint(width, len(sequences[chrom]) - width)
        half = rng.randint(1, width)
        rows.append((chrom, middle - half, middle + rng.randint(0, half), f"r{i}", i, rng.choice("+-.")))
    bed.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    theirs = dataloaders.SeqIntervalDl(
        str(bed),
        str(fasta),
        auto_resize_len=width,
        use_strand=use_strand,
        alphabet_axis=alphabet_axis,
        dummy_axis=dummy_axis,
        ignore_targets=True,
        label_dtype=str,
        dtype=np.float32,
    )
    expected = np.stack([theirs[i]["inputs"] for i in range(len(theirs))])
    layout = SequenceLoader(width, 0.25, use_strand, alphabet_axis=alphabet_axis, dummy_axis=dummy_axis)
    with RegionFile(bed) as regions:
        reader = BlockReader(
            regions, open_genome(fasta), WindowPlan(width), use_strand=use_strand, n_value=0.25, step=64
        )
        got = np.concatenate([layout.arrange(torch.from_numpy(block.one_hot)).numpy() for block in reader])
    assert np.array_equal(got, expected)


def test_minus_windows_are_the_reverse_complement_only_when_asked(tmp_path):
    sequence = random_sequence(random.Random(2), 50)
    fasta, bed = write_fasta(tmp_path / "x.fa", {"c": sequence}), tmp_path / "x.bed"
    bed.write_text("c\t10\t20\ta\t0\t+\nc\t10\t20\tb\t0\t-\nc\t10\t20\tc\t0\t.\n")
    plus = one_hot(window(sequence, 10, 10))
    minus = one_hot(complement(window(sequence, 10, 10)))
    for use, expected in ((True, [plus, minus, plus]), (False, [plus, plus, plus])):
        with RegionFile(bed) as regions:
            reader = BlockReader(regions, open_genome(fasta), WindowPlan(10), use_strand=use, n_value=0.25, step=2)
            assert np.concatenate([block.one_hot for block in reader]).tolist() == expected
            assert reader.counts.reversed_windows == use


# From the arguments in YAML


def loader_of(folder, kind="gc", **args):
    toy = make_toy_entry(folder / "toy", kind, loader_args=args)
    model = read_model(toy.folder)
    return loader_from_kipoi(model.loader, model)


def test_arguments_of_the_dataloader(tmp_path):
    assert loader_of(tmp_path, use_strand=True, alphabet_axis=1, dummy_axis=2, alphabet="TGCA", dtype="np.float64") == (
        SequenceLoader(16, 0.25, True, "TGCA", 1, 2, "float64")
    )


def test_the_length_may_stand_in_the_schema_only(tmp_path):
    assert loader_of(tmp_path, auto_resize_len=None).length == 16


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("alphabet_axis", "first"),
        ("alphabet_axis", 2),
        ("dummy_axis", "x"),
        ("dummy_axis", 5),
        ("auto_resize_len", "long"),
        ("auto_resize_len", -4),
        ("alphabet", "ACGU"),
        ("alphabet", "ACG"),
        ("dtype", "np.complex64"),
        ("dtype", "__import__('os')"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(tmp_path, argument, value):
    with pytest.raises(ModelError) as caught:
        loader_of(tmp_path, **{argument: value})
    assert "toy" in caught.value.what
    assert argument in caught.value.what


def test_the_alphabet_and_a_dummy_axis_cannot_be_the_same(tmp_path):
    with pytest.raises(ModelError, match="alphabet_axis is 1"):
        loader_of(tmp_path, alphabet_axis=1, dummy_axis=1)


def test_another_dataloader_is_refused_at_its_line(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", loader="inline")
    text = (toy.folder / "model.yaml").read_text()
    (toy.folder / "model.yaml").write_text(text.replace("kipoiseq.dataloaders.SeqIntervalDl", "my.Loader"))
    model = read_model(toy.folder)
    with pytest.raises(ModelError) as caught:
        loader_from_kipoi(model.loader, model)
    line = text.splitlines().index("default_dataloader:") + 1
    assert caught.value.what.startswith(f"{toy.folder}/model.yaml:{line}: the dataloader my.Loader")
