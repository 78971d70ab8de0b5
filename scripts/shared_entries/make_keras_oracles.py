"""Predictions of the authors' Keras files under TensorFlow, for the examples of built entries.

    python make_keras_oracles.py ENTRIES MMSPLICE OUT

ENTRIES is what ``build_shared_entries.py`` wrote, MMSPLICE the unpacked source of mmsplice 2.4.0, OUT gets a file an
entry. Needs tensorflow 2.21 with tf_keras. The files are kept in ``tests/shared/oracles``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import h5py
import numpy as np
import tensorflow as tf
import tf_keras

from shared_entries.borzoi_keras_layers import load_by_name
from shared_entries.comparison import BORZOI_BINS
from shared_entries.hg38_windows import deepbind_windows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MODULES = {"acceptor": "Acceptor", "donor": "Donor", "exon": "Exon", "intron3": "Intron3", "intron5": "Intron5"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entries", type=Path)
    parser.add_argument("mmsplice", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    for name, predicted in predictions(arguments.entries, arguments.mmsplice, arguments.data):
        np.savez_compressed(arguments.out / f"{name}.npz", preds=predicted)
    deepbind = dict(deepbind_predictions(arguments.data))
    np.savez_compressed(arguments.out / "deepbind.npz", ids=list(deepbind), preds=np.stack(list(deepbind.values())))


def predictions(entries: Path, mmsplice: Path, data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and predictions of each entry but DeepBind's."""
    for species in ("human", "mouse"):
        x = inputs(entries / f"xpresso-{species}")
        model = tf_keras.models.load_model(data / "m04_xpresso" / f"{species}_median.h5", compile=False)
        yield f"xpresso-{species}", model.predict([x, np.zeros((len(x), 6))], verbose=0)
    folder = data / "m05_mpra_dragonn"
    model = tf_keras.models.model_from_json((folder / "model.json").read_text())
    model.load_weights(folder / "pretrained.hdf5")
    yield "mpra-dragonn", model.predict(inputs(entries / "mpra-dragonn"), verbose=0)
    layers = mmsplice_layers(mmsplice)
    for name, file in MODULES.items():
        model = tf_keras.models.load_model(data / "m11_mmsplice" / f"{file}.h5", compile=False, custom_objects=layers)
        yield f"mmsplice-{name}", model.predict(inputs(entries / f"mmsplice-{name}"), verbose=0)
    yield "mtsplice", mtsplice(inputs(entries / "mtsplice"), data, layers)
    model = load_by_name(data / "m01_mini_borzoi" / "model.h5")
    yield "mini-borzoi", model.predict(inputs(entries / "mini-borzoi"), verbose=0).transpose(0, 2, 1)[:, :, BORZOI_BINS]


def mtsplice(x: np.ndarray, data: Path, layers: dict[str, type]) -> np.ndarray:
    """Mean of the eight networks; the two inputs are the halves of the entry's one."""
    files = [data / "m11_mmsplice" / f"mtsplice{i}.h5" for i in range(8)]
    networks = [tf_keras.models.load_model(file, compile=False, custom_objects=layers) for file in files]
    half = x.shape[1] // 2
    return np.mean([network.predict([x[:, :half], x[:, half:]], verbose=0) for network in networks], axis=0)


def mmsplice_layers(source: Path) -> dict[str, type]:
    """The package's own layers, with tf_keras as their Keras."""
    text = (source / "mmsplice" / "layers.py").read_text().replace("tensorflow.keras", "tf_keras")
    found: dict[str, type] = {}
    exec(compile(text.replace("is not 1", "!= 1"), "layers.py", "exec"), found)
    return {name: found[name] for name in ("ConvDNA", "GlobalAveragePooling1D_Mask0", "SplineWeight1D")}


def inputs(entry: Path) -> np.ndarray:
    """The one-hot windows of the entry's example."""
    with h5py.File(entry / "example" / "expected.h5") as expected:
        return expected["inputs"][:].astype(np.float32)


class Pad(tf_keras.layers.Layer):
    """In place of DeepBind's first Lambda: unknown bases on both sides."""

    def __init__(self, detector_length: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.width = detector_length - 1

    def call(self, x):
        return tf.pad(x, [[0, 0], [self.width, self.width], [0, 0]], constant_values=0.25)


class OtherStrand(tf_keras.layers.Layer):
    """In place of DeepBind's Lambda that turns the sequence to its reverse complement."""

    def call(self, x):
        return x[:, ::-1, ::-1]


class Highest(tf_keras.layers.Layer):
    """In place of DeepBind's Lambda that takes the maximum over positions."""

    def call(self, x):
        return tf.reduce_max(x, axis=1)[:, 0]


def deepbind_predictions(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Identifier and predictions of every model, on four windows of hg38."""
    x = deepbind_windows(data).transpose(0, 2, 1)
    replaced = {"Pad": Pad, "OtherStrand": OtherStrand, "Highest": Highest}
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(data / "m03_deepbind_927" / "deepbind_h5.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        for path in sorted(Path(folder).rglob("*.h5")):
            with h5py.File(path) as file:
                config = json.loads(file.attrs["model_config"])
            model = tf_keras.models.model_from_json(json.dumps(without_lambdas(config)), custom_objects=replaced)
            model.load_weights(path)
            yield path.stem, model(x).numpy().reshape(len(x))
            tf_keras.backend.clear_session()


def without_lambdas(config: dict) -> dict:
    """The architecture with each Lambda named by what it does; its bytecode is not run."""
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Lambda":
            closure = layer["config"]["function"][2]
            turned = layer["config"]["output_shape_type"] == "raw"
            layer["class_name"] = "Pad" if closure else "OtherStrand" if turned else "Highest"
            layer["config"] = {"name": layer["config"]["name"]} | ({"detector_length": closure[0]} if closure else {})
    return config


if __name__ == "__main__":
    main()
