"""Operations on tensors, models within models and every form of file against TensorFlow 2.15 (Keras 2) and Keras 3.15.

``scripts/make_keras_graph_oracles.py`` made the files, and names the layers of each case.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from interpret.capture import capture
from zoo.models.keras import load_keras

ORACLES = Path(__file__).with_name("oracles")
VERSIONS = (2, 3)


def files_of(version):
    with tarfile.open(ORACLES / f"graphs_{version}.tar.xz") as archive:
        return [name for name in archive.getnames() if name.endswith((".keras", ".h5"))]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The unpacked files of each version, and inputs and predictions of all cases."""
    found = {}
    for version in VERSIONS:
        folder = tmp_path_factory.mktemp(f"graphs_{version}")
        with tarfile.open(ORACLES / f"graphs_{version}.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        found[version] = folder, dict(np.load(folder / "expected.npz"))
    return found


@pytest.mark.parametrize(("version", "file"), [(version, file) for version in VERSIONS for file in files_of(version)])
def test_a_graph_predicts_what_tensorflow_does(folders, version, file):
    folder, expected = folders[version]
    name = file.split(".")[0]
    beside = folder / f"{name}.json"
    module = load_keras(folder / file, beside if beside.exists() else None)
    case = name.removesuffix("_beside")
    with torch.no_grad():
        ours = module(*(torch.from_numpy(expected[f"{case}/in{i}"]) for i in range(2)))
    ours = ours if isinstance(ours, list) else [ours]
    assert len(ours) == sum(key.startswith(f"{case}/out") for key in expected) > 0
    for i, part in enumerate(ours):
        theirs = expected[f"{case}/out{i}"]
        assert part.shape == theirs.shape
        np.testing.assert_allclose(
            part.numpy(), theirs, rtol=0, atol=3e-6 * max(1.0, np.abs(theirs).max()), err_msg=f"output {i}"
        )


@pytest.mark.parametrize(("version", "name"), [(2, "shapes")])
def test_the_graph_of_operations_can_be_captured_for_any_number_of_windows(folders, version, name):
    """DeepLIFT needs the graph; a size of the batch that was fixed in it would make that impossible."""
    folder, expected = folders[version]
    module = load_keras(folder / f"{name}.keras")
    x, y = (torch.from_numpy(np.tile(expected[f"{name}/in{i}"], (3, 1, 1))) for i in range(2))
    found = capture(module, x[:2], y[:2]).graph_module(x[:5], y[:5])
    with torch.no_grad():
        for ours, theirs in zip(found, module(x[:5], y[:5]), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
