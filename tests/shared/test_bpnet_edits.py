"""Edits of one window, followed through the published BPNet weights to all its tracks and bins, are forward passes'."""

import numpy as np
import pytest

import zoo
from interpret.mutagenesis.engine import Engine
from zoo.genome.encode import one_hot
from zoo.models.loaded import Runner
from zoo.outputs import choose_tracks

pytestmark = pytest.mark.shared

CTCF = "TGGCCACCAGGGGGCGCTA"  # JASPAR MA0139


@pytest.mark.parametrize("rc_average", [False, True])
def test_published_weights(rc_average):
    model = zoo.load_model("bpnet-k562-ctcf")
    runner = Runner(model, "cpu", rc_average=rc_average)
    choice = choose_tracks(model.outputs, ())
    base = np.random.default_rng(1).choice(np.frombuffer(b"ACGT", np.uint8), model.length)
    base[1050:1069] = list(CTCF.encode())
    sequences = [base.tobytes()]
    for place in [0, 3, 600, *range(1052, 1067, 2), 1400, 2113]:
        for letter in b"ACGT":
            if letter != base[place]:
                edited = base.copy()
                edited[place] = letter
                sequences.append(edited.tobytes())
    engine = Engine(runner, choice, fast=True)
    found = list(engine.predict(sequences, sequences[:1]))
    array = np.frombuffer(b"".join(sequences), np.uint8).reshape(len(sequences), -1)
    expected = runner.forward(one_hot(array, model.loader.n_value))
    for name, values in expected.items():
        apart = max(np.abs(one[name] - values[row]).max() for row, one in enumerate(found))
        assert apart <= 1e-5 * np.abs(values).max()
    report = engine.report
    assert (report.path, report.whole_from, report.recomputed) == ("windows", None, 0)
    assert (report.followed, report.passed) == (len(sequences), 0)
    # The motif holds what is predicted: its bases matter more than those 400 bp away, and those at the end not at all.
    counts = np.array([one["counts"][0] for one in found])
    change = np.abs(counts[1:] - counts[0]).reshape(-1, 3).max(1)
    assert change[3:11].max() > 10 * change[[0, 1, 2, 11, 12]].max()
