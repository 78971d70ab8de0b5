"""Every supported layer against TensorFlow: files as Keras 2.15 and Keras 3.15 saved them, and what they predicted.

``scripts/make_keras_layer_oracles.py`` made the files, and names the layers of each case.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from scripts.build_keras_table import PAGE, page
from zoo.models.keras import load_keras
from zoo.models.keras.registry import KINDS

ORACLES = Path(__file__).with_name("oracles")
VERSIONS = (2, 3)


def files_of(version):
    with tarfile.open(ORACLES / f"layers_{version}.tar.xz") as archive:
        return [name for name in archive.getnames() if name.endswith((".keras", ".h5"))]


CASES = [(version, file) for version in VERSIONS for file in files_of(version)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The unpacked files of each version, and inputs and predictions of all cases."""
    found = {}
    for version in VERSIONS:
        folder = tmp_path_factory.mktemp(f"layers_{version}")
        with tarfile.open(ORACLES / f"layers_{version}.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        found[version] = folder, dict(np.load(folder / "expected.npz"))
    return found


@pytest.mark.parametrize(("version", "file"), CASES, ids=[f"{file}-{version}" for version, file in CASES])
def test_a_layer_predicts_what_tensorflow_does(folders, version, file):
    folder, expected = folders[version]
    name = file.rpartition(".")[0]
    inputs = [torch.from_numpy(expected[f"{name}/in{i}"]) for i in range(3) if f"{name}/in{i}" in expected]
    theirs = expected[f"{name}/out"]
    with torch.no_grad():
        ours = load_keras(folder / file)(*inputs).numpy()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * max(1.0, np.abs(theirs).max()))


def kinds_in(value):
    """All class names of an architecture, those inside wrappers and models included."""
    if isinstance(value, dict):
        if isinstance(name := value.get("class_name"), str):
            yield name
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from kinds_in(part)


def test_every_layer_of_keras_in_the_table_was_compared():
    """Here or in ``test_graph_oracles.py``."""
    seen = set()
    for path in ORACLES.glob("*.tar.xz"):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".h5"):
                    with h5py.File(io.BytesIO(archive.extractfile(member).read())) as handle:
                        seen |= set(kinds_in(json.loads(handle.attrs.get("model_config", "{}"))))
    assert {name for name, kind in KINDS.items() if kind.source == "keras"} - seen == set()


def test_the_page_of_supported_layers_is_the_table_of_the_code():
    assert PAGE.read_text(encoding="utf-8") == page(), "python scripts/build_keras_table.py writes it"
