"""A Keras model of two inputs with a dataloader of its folder: inputs meet by name, the answer is known by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
from kipoi_toys import REGIONS, g_count, loader_yaml, model_yaml, write_data, write_folder

import zoo

sys.path.append(str(Path(__file__).resolve().parents[1] / "keras"))
from keras_files import functional, node, write_h5


def test_two_inputs_by_name(tmp_path):
    """2 g + 3 length + 1, though the file names ``length`` first and the dataloader ``g``."""
    fasta, bed = write_data(tmp_path)
    keras = {"defined_as": "kipoi.model.KerasModel", "args": {"weights": "model.h5"}}
    targets = {"name": "score", "shape": "(1, )", "doc": "score"}
    yaml = model_yaml("Sum", **keras)
    yaml["schema"] = {"inputs": yaml["schema"]["inputs"], "targets": targets}
    folder = write_folder(tmp_path / "toy", yaml, loader_yaml())
    layers = [
        node("length", "InputLayer", [], batch_input_shape=[None, 1]),
        node("g", "InputLayer", [], batch_input_shape=[None, 1]),
        node("both", "Concatenate", [["length", "g"]], axis=-1),
        node("score", "Dense", [["both"]], units=1, activation="linear", use_bias=True),
    ]
    arrays = {"score": [("kernel:0", np.array([[3.0], [2.0]])), ("bias:0", np.array([1.0]))]}
    write_h5(folder / "model.h5", functional(layers, ["length", "g"], ["score"]), arrays)
    zoo.predict(folder, bed, fasta, tmp_path / "out.h5", trust=True)
    with h5py.File(tmp_path / "out.h5") as handle:
        found = handle["preds"][:, 0]
    assert found.tolist() == [2 * g_count(start, end) + 3 * (end - start) + 1 for start, end in REGIONS]
