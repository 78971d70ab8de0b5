"""Motifs planted for a net that learned them: what scripts/bench/motifs.py measures, smaller."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

EFFECTS = {"MA0139.2": 1.0, "MA0083.3": 1.0, "MA0138.3": -1.0}  # CTCF, SRF; REST lowers


@pytest.fixture(scope="module")
def bench():
    """Imported late: it brings all of the interpretation."""
    return importlib.import_module("scripts.bench.motifs")


@pytest.mark.long
def test_three_motifs_come_out_of_a_trained_net(bench, tmp_path):
    genome = bench.read_fasta(bench.EXAMPLE)
    result, _, motifs = bench.run(
        tmp_path, genome, EFFECTS, n=240, length=200, training=4000, epochs=6, seed=0, references="4"
    )
    assert result.recovered == 3 and len(result.invented) <= 1
    assert all(item.right and item.q <= 1e-3 for item in result.found)
    assert result.recall >= 0.9 and result.precision >= 0.7
    assert min(item.recall for item in result.found) >= 0.8
    signs = {item.motif.name: item.patterns[0][0] for item in result.found}
    assert signs == {"CTCF": "+", "SRF": "+", "REST": "-"}
    # Planted in shuffles, each motif's bases are more frequent there than in their shuffles.
    owned = [[p.short_name for p in motifs.patterns].index(item.patterns[0]) for item in result.found]
    assert (motifs.enrichment.q[owned] < 1e-6).all()


def test_the_score_counts_by_hand(bench):
    """Two instances and hits of which one lies on an instance of another motif."""
    planted = bench.PlantedSet(
        np.zeros((2, 50), np.uint8),
        np.zeros(2),
        np.array([0, 1]),
        np.array([0, 1]),
        np.array([10, 20]),
        np.array([18, 30]),
        np.zeros(2, bool),
    )
    met = bench._instance_at(planted, np.array([0, 0, 1, 1]), np.array([10, 15, 24, 27]), np.array([18, 23, 34, 37]))
    assert met.tolist() == [0, -1, 1, -1]
