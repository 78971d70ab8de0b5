"""Predictions of the authors' Keras files under TensorFlow: for windows of hg38, and for the examples of entries.

    python make_keras_oracles.py MMSPLICE OUT [NAME ...]

MMSPLICE is the unpacked source of mmsplice 2.4.0, OUT gets a file an entry. Needs tensorflow 2.21 with tf_keras, and
no zoo. The files are kept in ``tests/shared/oracles``: ``preds`` are those of windows of hg38, ``example`` of the
entry's example.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

os.environ["TF_USE_LEGACY_KERAS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import h5py
import numpy as np
import tensorflow as tf
import tf_keras

from scripts.shared_entries import mini_borzoi, mmsplice, mmsplice_tissues, mpra_dragonn, xpresso
from scripts.shared_entries.borzoi_keras_layers import load_by_name
from scripts.shared_entries.comparison import BORZOI_BINS
from scripts.shared_entries.hg38_windows import COMPLEMENT, deepbind_windows, one_hot

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mmsplice", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default all")
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    for name, (module, network) in networks(arguments.mmsplice, arguments.data).items():
        if name in (arguments.names or [name]):
            predict = network()
            examples = {"example": module.random_example(name), "preds": module.hg38_example(name, arguments.data)}
            found = {key: predict(windows(*example)) for key, example in examples.items()}
            np.savez_compressed(arguments.out / f"{name}.npz", **found)
    if "deepbind" in (arguments.names or ["deepbind"]):
        deepbind = dict(deepbind_predictions(arguments.data))
        np.savez_compressed(arguments.out / "deepbind.npz", ids=list(deepbind), preds=np.stack(list(deepbind.values())))


Predict = Callable[[np.ndarray], np.ndarray]


def networks(source: Path, data: Path) -> dict[str, tuple[ModuleType, Callable[[], Predict]]]:
    """Name of each entry but DeepBind's -> the module with its windows, and what makes its authors' network."""
    layers, modules = mmsplice_layers(source), data / "m11_mmsplice"

    def of(path: Path) -> Predict:
        model = tf_keras.models.load_model(path, compile=False, custom_objects=layers)
        return lambda x: model.predict(x, verbose=0)

    found = {
        f"mmsplice-{kind}": (mmsplice, partial(of, modules / module.file)) for kind, module in mmsplice.MODULES.items()
    }
    for species in ("human", "mouse"):
        made = partial(without_half_life, data / "m04_xpresso" / f"{species}_median.h5")
        found[f"xpresso-{species}"] = (xpresso, made)
    found["mpra-dragonn"] = (mpra_dragonn, partial(of_two_files, data / "m05_mpra_dragonn"))
    files = [modules / f"mtsplice{i}.h5" for i in range(mmsplice_tissues.NETWORKS)]
    found["mtsplice"] = (mmsplice_tissues, lambda: mean_of([of(file) for file in files]))
    found["mini-borzoi"] = (mini_borzoi, partial(tracks_first, data / "m01_mini_borzoi" / "model.h5"))
    return found


def without_half_life(path: Path) -> Predict:
    """The network of two inputs, the second 0."""
    model = tf_keras.models.load_model(path, compile=False)
    return lambda x: model.predict([x, np.zeros((len(x), 6))], verbose=0)


def of_two_files(folder: Path) -> Predict:
    """Architecture and weights."""
    model = tf_keras.models.model_from_json((folder / "model.json").read_text())
    model.load_weights(folder / "pretrained.hdf5")
    return lambda x: model.predict(x, verbose=0)


def mean_of(networks: list[Callable]) -> Predict:
    """Of networks whose two inputs are the halves of the entry's one."""

    def predict(x: np.ndarray) -> np.ndarray:
        half = x.shape[1] // 2
        return np.mean([network([x[:, :half], x[:, half:]]) for network in networks], axis=0)

    return predict


def tracks_first(path: Path) -> Predict:
    """(N, tracks, bins), a choice of bins."""
    model = load_by_name(path)
    return lambda x: model.predict(x, verbose=0).transpose(0, 2, 1)[:, :, BORZOI_BINS]


def mmsplice_layers(source: Path) -> dict[str, type]:
    """The package's own layers, with tf_keras as their Keras."""
    text = (source / "mmsplice" / "layers.py").read_text().replace("tensorflow.keras", "tf_keras")
    found: dict[str, type] = {}
    exec(compile(text.replace("is not 1", "!= 1"), "layers.py", "exec"), found)
    return {name: found[name] for name in ("ConvDNA", "GlobalAveragePooling1D_Mask0", "SplineWeight1D")}


def windows(fasta: str, bed: str) -> np.ndarray:
    """(N, length, 4) float32, one-hot windows of a BED's lines, in reading direction; unknown bases are 0.25."""
    records = (record.split("\n") for record in fasta.split(">")[1:])
    contigs = {name: "".join(lines) for name, *lines in records}
    found = []
    for line in bed.splitlines():
        contig, start, end, *rest = line.split("\t")
        sequence = contigs[contig][int(start) : int(end)].upper()
        if rest[-1:] == ["-"]:
            sequence = sequence.translate(COMPLEMENT)[::-1]
        hot = one_hot(sequence).T
        found.append(np.where(hot.sum(1, keepdims=True) == 0, np.float32(0.25), hot))
    return np.stack(found)


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
