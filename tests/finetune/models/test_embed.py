"""Embeddings that are kept: the trunk's numbers, both strands, gone on with, and no room."""

import errno

import numpy as np
import pytest
import torch
from torch import nn

from finetune.models import embed as module
from finetune.models.base import Base
from finetune.models.embed import bytes_of, embed, embeddings_path
from zoo.errors import ModelError, SystemStateError
from zoo.genome.encode import one_hot, reverse_complement

LETTERS = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(0).integers(4, size=(7, 32))]


def base(scale=1.0):
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv1d(4, 5, 5, padding=2), nn.MaxPool1d(4))
    trunk[0].weight.data *= scale
    return Base("toy", trunk, 5, 8, 32, 4, 0, 4, 0.25, hashes={"w": f"{scale}"})


def test_they_are_the_trunks_in_float16_for_both_strands(tmp_path):
    told = []
    found = embed(base(), lambda rows: LETTERS[rows], 7, tmp_path, key="k", batch_size=3, report=told.append)
    assert found.shape == (7, 2, 5, 8) and found.dtype == np.float16 and found.nbytes == bytes_of(base(), 7)
    assert told == ["embeddings: 7 windows x 2 strands x 80 bytes = 1.1 kB"]
    for strand, letters in enumerate((LETTERS, reverse_complement(LETTERS))):
        with torch.no_grad():
            wanted = base().trunk(torch.from_numpy(one_hot(letters, 0.25)))
        np.testing.assert_array_equal(found[:, strand], wanted.half().numpy())
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix != ".lock"] == [".f16"]


def test_one_hot_windows_and_one_strand(tmp_path):
    hot = one_hot(LETTERS, 0.25)
    a = embed(base(), lambda rows: hot[rows], 7, tmp_path / "a", key="k", both_strands=False)
    b = embed(base(), lambda rows: LETTERS[rows], 7, tmp_path / "b", key="k")
    np.testing.assert_array_equal(a[:, 0], b[:, 0])


def test_what_is_there_is_not_computed_again(tmp_path):
    first = embed(base(), lambda rows: LETTERS[rows], 7, tmp_path, key="k")

    def never(rows):
        raise AssertionError

    told = []
    np.testing.assert_array_equal(embed(base(), never, 7, tmp_path, key="k", report=told.append), first)
    assert told[0].endswith("they are there already")
    # another base, other windows, another length of the list
    places = {embeddings_path(base(), "k", 7, tmp_path), embeddings_path(base(2.0), "k", 7, tmp_path)}
    places |= {embeddings_path(base(), "other", 7, tmp_path), embeddings_path(base(), "k", 8, tmp_path)}
    assert len(places) == 4


def test_an_interrupted_run_is_gone_on_with(tmp_path):
    whole = embed(base(), lambda rows: LETTERS[rows], 7, tmp_path / "whole", key="k")

    def until(rows):
        if rows.start >= 4:
            raise KeyboardInterrupt
        return LETTERS[rows]

    with pytest.raises(KeyboardInterrupt):
        embed(base(), until, 7, tmp_path / "parts", key="k", batch_size=2)
    assert not embeddings_path(base(), "k", 7, tmp_path / "parts").exists()
    asked = []

    def rest(rows):
        asked.append((rows.start, rows.stop))
        return LETTERS[rows]

    found = embed(base(), rest, 7, tmp_path / "parts", key="k", batch_size=2)
    assert asked == [(4, 6), (6, 7)]
    np.testing.assert_array_equal(found, whole)


def test_no_room_is_told_before_anything_is_computed(tmp_path, monkeypatch):
    def full(folder, n_bytes, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(module, "require_room", full)
    with pytest.raises(SystemStateError, match="No space left") as raised:
        embed(base(), lambda rows: pytest.fail("computed"), 7, tmp_path, key="k")
    assert raised.value.extent == "they take 1.1 kB"
    assert not list(tmp_path.glob("*.f16*")) or all(p.name.endswith(".lock") for p in tmp_path.glob("*.f16*"))


def test_what_float16_cannot_hold_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="not finite in float16"):
        embed(base(1e6), lambda rows: LETTERS[rows], 7, tmp_path, key="k")


def test_enformer_has_5_5_megabytes_a_window_and_strand():
    enformer = Base("enformer", nn.Identity(), 3072, 896, 196_608, 128, 40_960, 128, 0.0)
    assert bytes_of(enformer, 1, both_strands=False) == 5_505_024
