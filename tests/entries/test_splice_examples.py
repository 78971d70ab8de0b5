"""The example of the splice site models: it is what the script makes, and the sites written into it are found."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from scripts.shared_entries.splice_entry import MODELS, REGIONS, contig, example, example_windows
from zoo.models.entry import open_entry

TEN_KB = ["spliceai", "ci-spliceai", "openspliceai-mane-10000nt"]


def expected(name):
    with h5py.File(open_entry(name).description.expect) as file:
        return file["preds"][()], file["inputs"][()]


@pytest.mark.parametrize("name", MODELS)
def test_genome_regions_and_inputs_are_those_of_the_script(name):
    entry = open_entry(name)
    assert tuple((entry.folder / "example" / one).read_text() for one in ("genome.fa", "regions.bed")) == example()
    preds, inputs = expected(name)
    windows = example_windows(MODELS[name].context)
    assert inputs.shape == windows.shape and preds.shape == (2, len(entry.card.outputs[0].tracks), 5000)
    np.testing.assert_array_equal(inputs == 1, windows == 1)
    assert set(np.unique(inputs)) == {0, 0.25, 1}
    # The window's context is the card's offset on each side.
    assert entry.card.input.length == windows.shape[2] == 5000 + 2 * entry.card.outputs[0].offset


@pytest.mark.parametrize("name", [*TEN_KB, "pangolin"])
def test_the_sites_that_were_written_into_random_bases_are_found(name):
    preds, _ = expected(name)
    sequence, genes = contig()
    assert sequence.count("N") == 40
    for values, gene, (start, end, strand) in zip(preds, genes, REGIONS, strict=True):
        assert gene.strand == strand
        places = [
            [at - start if strand == "+" else end - 1 - at for at in sites] for sites in (gene.acceptors, gene.donors)
        ]
        if name == "pangolin":
            sites = sorted(places[0] + places[1])
            assert np.median(values[1, sites]) > 0.2 and np.median(values[1]) < 0.01
            continue
        for track, sites in zip(values[1:], places, strict=True):
            assert track[sites].min() > 0.5
            assert set(np.argsort(track)[-len(sites) :]) == set(sites)


def test_a_card_says_under_which_licence_spliceai_may_be_used():
    card = open_entry("spliceai").card
    assert "non-commercial" in card.licence_note and card.outputs[0].strand == "sense"
