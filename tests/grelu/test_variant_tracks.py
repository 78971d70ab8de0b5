"""`zoo variants` with checkpoints of gReLU: scores equal two predictions of its own model; many tracks, equal names."""

from __future__ import annotations

import numpy as np
import pysam
import pytest
import torch
from grelu.sequence.format import convert_input_type

import zoo
from zoo.cli import run
from zoo.errors import UsageError

MANY = {
    "model_type": "ConvModel",
    "stem_channels": 8,
    "stem_kernel_size": 5,
    "n_conv": 2,
    "channel_init": 8,
    "kernel_size": 3,
    "pool_func": "max",
    "pool_size": 2,
    "final_pool_func": "avg",
}
TRAIN = {"seq_len": 64}


@pytest.fixture
def change(genome):
    """A substitution whose window lies inside, and both windows as letters."""
    text = "".join(line for line in genome[0].read_text().split(">chr9\n")[1].split())
    at, length = 450, 64
    alt = "ACGT"[("ACGT".index(text[at]) + 1) % 4]
    start = at - length // 2
    other = text[:at] + alt + text[at + 1 :]
    return ("chr9", at + 1, text[at], alt), [one[start : start + length] for one in (text, other)]


def test_scores_are_those_of_the_checkpoints_own_model(tmp_path, make_checkpoint, genome, change):
    model = make_checkpoint(tmp_path / "conv.ckpt")
    row, letters = change
    scores = zoo.score_variants(tmp_path / "conv.ckpt", [row], genome[0], any_genome=True, report=print)
    with torch.no_grad():
        ref, alt = model(convert_input_type(letters, "one_hot")).numpy().astype(np.float64).sum(2)
    # Poisson's exponential: counts, in bins of 4 bp.
    assert [column.name for column in scores.columns] == ["log2fc_CTCF", "log2fc_DNase", "log2fc_H3K27ac"]
    np.testing.assert_allclose(scores.values[0], np.log2(alt / ref), atol=1e-6)


def test_two_thousand_tracks_two_of_one_name(tmp_path, make_checkpoint, genome, change):
    n, path = 2002, tmp_path / 'a "many" b.ckpt'
    names = ["ATAC:a b(c)", "ATAC:a b(c)", *(f"cell type {i}" for i in range(n - 2))]
    model = make_checkpoint(path, MANY | {"n_tasks": n}, data_params={"tasks": {"name": names}, "train": TRAIN})
    row, letters = change
    with torch.no_grad():
        ref, alt = model(convert_input_type(letters, "one_hot")).numpy().astype(np.float64)[:, :, 0]
    scores = zoo.score_variants(path, [row], genome[0], report=print)
    np.testing.assert_allclose(scores.values[0], np.log2(alt / ref), atol=1e-5)
    assert len({column.name for column in scores.columns}) == n

    with pytest.raises(UsageError, match=r"2,002 scores of a variant.*\n.*\n.*--tracks"):
        zoo.score_variants(path, [row], genome[0], tmp_path / "o.vcf", report=print)
    assert not list(tmp_path.glob("o.vcf*"))
    given = ["variants", str(path), f"chr9:{row[1]}:{row[2]}>{row[3]}", "-g", str(genome[0])]
    assert run([*given, "-o", str(tmp_path / "o.vcf"), "--tracks", "1,cell type 5"]) == 0
    with pysam.VariantFile(str(tmp_path / "o.vcf")) as handle:
        keys = [key for key in handle.header.info if "log2fc" in key]
        record = next(iter(handle))
        found = [record.info[key][0] for key in keys]
    assert [key.partition("log2fc_")[2] for key in keys] == ["ATAC_a_b_c__1", "cell_type_5"]
    np.testing.assert_allclose(found, np.log2(alt / ref)[[1, 7]], atol=1e-5)
