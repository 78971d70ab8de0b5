"""Where a spike of a bigWig lands in Enformer's bins: 1,000 positions, both strands."""

from __future__ import annotations

import numpy as np
import pyBigWig
import torch

from finetune.config import TargetConfig
from finetune.data.augment import reversed_bins
from finetune.data.reading.sources import source_of
from finetune.data.tracks import open_track
from finetune.models.enformer import random_enformer

LENGTH, N = 196_608, 1000


def test_a_spike_lands_in_its_bin_and_on_the_other_strand_in_895_minus_it(tmp_path):
    with torch.device("meta"):  # its geometry only
        base = random_enformer(LENGTH)
    assert (base.length, base.bin_size, base.offset, base.positions) == (LENGTH, 128, 320 * 128, 896)
    rng = np.random.default_rng(0)
    starts = np.arange(N, dtype=np.int64) * 200_000 + rng.integers(0, 3000, N)
    spikes = starts + rng.integers(320 * 128, (320 + 896) * 128, N)
    path = tmp_path / "spikes.bw"
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([("chr1", 200_000 * N + LENGTH)])
        file.addEntries(["chr1"] * N, spikes.tolist(), ends=(spikes + 1).tolist(), values=[7.0] * N)
    target = TargetConfig(name="spikes", files=str(path), reduce="sum", missing="zero")
    track = open_track(source_of(target), {"chr1": 200_000 * N + LENGTH})
    values = track.read(np.full(N, "chr1", dtype=object), starts + base.offset, base.positions, base.bin_size)
    assert (values.sum(1) == 7).all()
    wanted = (spikes - starts) // 128 - 320
    assert np.array_equal(values.argmax(1), wanted)
    turned = reversed_bins(values[:, None], np.ones(N, bool), np.array([0]))[:, 0]
    assert np.array_equal(turned.argmax(1), 895 - wanted)
