"""Every supported layer against TensorFlow: files as Keras 2.15 and Keras 3.15 saved them, and what they predicted.

``scripts/make_keras_layer_oracles.py`` made the files, and names the layers of each case.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.models.keras import load_keras

ORACLES = Path(__file__).with_name("oracles")
VERSIONS = (2, 3)


def names(version):
    with tarfile.open(ORACLES / f"keras_{version}.tar.xz") as archive:
        return [name.removesuffix(".h5") for name in archive.getnames() if name.endswith(".h5")]


CASES = [(version, name) for version in VERSIONS for name in names(version)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The unpacked files of each version, and inputs and predictions of all cases."""
    found = {}
    for version in VERSIONS:
        folder = tmp_path_factory.mktemp(f"keras_{version}")
        with tarfile.open(ORACLES / f"keras_{version}.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        found[version] = folder, dict(np.load(folder / "expected.npz"))
    return found


def predicted(module, expected, name):
    inputs = [torch.from_numpy(expected[f"{name}/in{i}"]) for i in range(3) if f"{name}/in{i}" in expected]
    with torch.no_grad():
        return module(*inputs).numpy()


@pytest.mark.parametrize(("version", "name"), CASES, ids=[f"{name}-{version}" for version, name in CASES])
def test_a_layer_predicts_what_tensorflow_does(files, version, name):
    folder, expected = files[version]
    theirs = expected[f"{name}/out"]
    ours = predicted(load_keras(folder / f"{name}.h5"), expected, name)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * max(1.0, np.abs(theirs).max()))
