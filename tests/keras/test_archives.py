"""``.keras`` archives written by hand: what Keras 3 and TensorFlow 2 leave, and what is no such archive."""

from __future__ import annotations

import json
import re
import zipfile

import h5py
import numpy as np
import pytest
import torch
from keras_files import functional, node, sequential, write_h5, write_keras

import zoo
from zoo.errors import ModelError
from zoo.models.keras import load_keras

RNG = np.random.default_rng(4)
X = RNG.integers(-3, 4, (2, 4)).astype(np.float32)


def whole(*shape):
    return RNG.integers(-3, 4, shape).astype(np.float32)


def chain(*names):
    """Dense layers one after the other."""
    return sequential(*[("Dense", {"name": name, "units": 4, "use_bias": False}) for name in names])


def predicted(path):
    with torch.no_grad():
        return load_keras(path)(torch.from_numpy(X)).numpy()


@pytest.mark.parametrize("root", ["layers", "_layer_checkpoint_dependencies"])
def test_layers_are_counted_by_their_class(tmp_path, root):
    """Eleven layers: `dense_10` comes before `dense_2` in the alphabet."""
    kernels = [np.eye(4, dtype=np.float32) for _ in range(11)]
    kernels[2], kernels[10] = whole(4, 4), whole(4, 4)
    groups = {f"dense_{i}" if i else "dense": [kernel] for i, kernel in enumerate(kernels)}
    path = write_keras(tmp_path / "m.keras", chain(*[f"layer{i}" for i in range(11)]), groups, "2.15.0", root=root)
    np.testing.assert_array_equal(predicted(path), X @ kernels[2] @ kernels[10])


def test_names_beside_the_arrays_are_believed(tmp_path):
    first, second = whole(4, 4), whole(4, 4)
    names = {"dense": "second", "dense_1": "first"}
    path = write_keras(
        tmp_path / "m.keras", chain("first", "second"), {"dense": [second], "dense_1": [first]}, names=names
    )
    np.testing.assert_array_equal(predicted(path), X @ first @ second)


def test_operations_are_not_counted_among_the_layers(tmp_path):
    """Keras 3: `Add` the operation has no group, `Add` the layer has."""
    kernel = whole(4, 4)
    source = {"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "keras_history": ["x", 0, 0]}}
    layers = [
        node("x", "InputLayer", []) | {"module": "keras.layers"},
        node("plus", "Dense", []) | {"module": "keras.src.ops.numpy", "class_name": "Add"},
        node("dense", "Dense", [["plus"]], use_bias=False) | {"module": "keras.layers"},
    ]
    layers[1]["inbound_nodes"] = [{"args": [source, 1.0], "kwargs": {}}]
    path = write_keras(tmp_path / "m.keras", functional(layers, ["x"], ["dense"]), {"dense": [kernel]})
    np.testing.assert_array_equal(predicted(path), (X + 1) @ kernel)


def test_hdf5_that_is_called_keras_is_read_as_hdf5(tmp_path):
    """TensorFlow before 2.12 wrote HDF5 into every name with this ending; renaming changes nothing either."""
    kernel = whole(4, 4)
    path = write_h5(tmp_path / "m.keras", chain("d"), {"d": [("kernel:0", kernel)]})
    np.testing.assert_array_equal(predicted(path), X @ kernel)
    archive = write_keras(tmp_path / "a.h5", chain("d"), {"dense": [kernel]})
    np.testing.assert_array_equal(predicted(archive), X @ kernel)


def test_weights_of_keras_3_beside_a_json(tmp_path):
    kernel = whole(4, 4)
    with h5py.File(tmp_path / "w.weights.h5", "w") as handle:
        handle["layers/dense/vars/0"] = kernel
    (tmp_path / "m.json").write_text(json.dumps(chain("d")))
    with torch.no_grad():
        found = load_keras(tmp_path / "w.weights.h5", tmp_path / "m.json")(torch.from_numpy(X)).numpy()
    np.testing.assert_array_equal(found, X @ kernel)
    with pytest.raises(ModelError, match="holds weights but no architecture"):
        load_keras(tmp_path / "w.weights.h5")


def test_a_layer_without_its_arrays_is_named(tmp_path):
    path = write_keras(tmp_path / "m.keras", chain("first", "second"), {"dense": [whole(4, 4)]})
    with pytest.raises(ModelError, match="'second'"):
        load_keras(path)


def test_arrays_of_inner_layers_whose_order_is_not_known_are_refused(tmp_path):
    groups = {"dense": [whole(4, 4)], "dense/quantizer": [whole(4)]}
    with pytest.raises(
        ModelError, match=re.escape("layer 'd' (Dense) keeps arrays of inner layers, which is not supp")
    ):
        load_keras(write_keras(tmp_path / "m.keras", chain("d"), groups))


def test_states_of_random_generators_are_no_arrays(tmp_path):
    kernel = whole(4, 4)
    config = chain("d")
    config["config"]["layers"].append({"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5}})
    groups = {"dense": [kernel], "dropout/seed_generator": [np.array([1, 2])]}
    np.testing.assert_array_equal(predicted(write_keras(tmp_path / "m.keras", config, groups)), X @ kernel)


def damaged(path, missing):
    with zipfile.ZipFile(path, "w") as archive:
        for name in {"config.json", "metadata.json", "model.weights.h5"} - missing:
            archive.writestr(name, "{}")
    return path


@pytest.mark.parametrize("missing", [{"config.json"}, {"model.weights.h5"}, {"config.json", "model.weights.h5"}])
def test_a_zip_that_is_no_archive_of_keras(tmp_path, missing):
    with pytest.raises(ModelError, match=f"without {' and '.join(sorted(missing))}"):
        load_keras(damaged(tmp_path / "m.keras", missing))


def test_an_archive_whose_weights_are_damaged(tmp_path):
    with pytest.raises(ModelError, match=r"m\.keras: cannot be read as an archive of Keras"):
        load_keras(damaged(tmp_path / "m.keras", set()))


def test_a_folder_is_no_file_of_keras(tmp_path):
    with pytest.raises(ModelError, match=r"is a folder, perhaps a SavedModel.*not supported"):
        load_keras(tmp_path)


def test_an_archive_is_the_weights_of_a_folder(tmp_path):
    """One convolution of width 1 that counts A and, twice, T."""
    config = sequential(
        ("Conv1D", {"name": "c", "filters": 1, "kernel_size": [1], "use_bias": False}), ("Flatten", {"name": "f"})
    )
    write_keras(tmp_path / "model.keras", config, {"conv1d": [np.array([1, 0, 0, 2], np.float32).reshape(1, 4, 1)]})
    (tmp_path / "model.yaml").write_text("""
type: keras
args: {weights: model.keras}
default_dataloader: {defined_as: kipoiseq.dataloaders.SeqIntervalDl, default_args: {auto_resize_len: 6}}
info: {authors: [{name: A}], doc: tiny}
schema: {inputs: {name: seq, shape: "(6, 4)"}, targets: {name: score, shape: "(6,)"}}
""")
    hot = np.eye(4, dtype=np.float32)[[[0, 1, 2, 3, 3, 0]]].transpose(0, 2, 1)
    assert zoo.load_model(tmp_path).predict(hot.copy()).tolist() == [[1, 0, 0, 2, 2, 1]]
