"""What a run reads of its genome: RNA as DNA, and a large share of unknown bases said."""

from __future__ import annotations

import numpy as np
import pytest

from finetune.config_file import load_config
from finetune.run import Run
from zoo.genome.encode import one_hot
from zoo.progress import Notes

FEW = {"regions": {"chromosomes": ["chrA", "chrE", "chrF"]}}


@pytest.fixture(scope="module")
def dna(world):
    return _prepared(world, world.genome, "dna")


def _prepared(world, genome, name, **regions):
    notes = Notes()
    config = world.write(f"{name}.yaml", genome=str(genome), regions=FEW["regions"] | regions)
    return Run(load_config(config), False, notes).sets["main"], notes.texts


def _changed(world, name, letters):
    """The genome with other letters in its sequences."""
    lines = world.genome.read_text().splitlines()
    path = world.folder / name
    path.write_text("".join((line if line[0] == ">" else letters(line)) + "\n" for line in lines))
    return path


def test_rna_trains_as_its_dna(world, dna):
    prepared, notes = _prepared(world, _changed(world, "rna.fa", lambda line: line.replace("T", "U")), "rna")
    before, said = dna
    uracils = [note for note in notes if "assembly was not checked" not in note and note not in said]
    n = int((before.letters(np.arange(len(before.windows)), np.zeros(len(before.windows), int)) == ord("T")).sum())
    assert uracils == [f"{n:,} bases are U, as in RNA: they were read as T"]
    rows, still = np.arange(5), np.zeros(5, int)
    assert np.array_equal(one_hot(prepared.letters(rows, still)), one_hot(before.letters(rows, still)))
    assert np.array_equal(prepared.windows.start, before.windows.start) and np.array_equal(prepared.split, before.split)


def test_a_large_share_of_unknown_bases_is_said(world, dna):
    """`most_n` leaves windows out; where it lets them in, the share is said."""
    half = _changed(world, "half.fa", lambda line: "N" * (len(line) // 2) + line[len(line) // 2 :])
    _, notes = _prepared(world, half, "half", most_n=1)
    told = [note for note in notes if note not in dna[1]]
    assert any("hold no known base, first: chrA:0-1280" in note for note in told)
    assert any("% of the bases of the windows are unknown" in note for note in told)
