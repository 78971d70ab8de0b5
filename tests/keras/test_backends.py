"""Files of Keras 1 and their backend: kernels of Theano are read backwards, where the file tells it or the user does.

The model of these tests finds TGTTTAC, a forkhead motif: its one kernel counts matching letters, a dense layer of
weight 1 hands the highest count on. Known answers: 7 for the motif, fewer for it read backwards.
"""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import torch

import zoo
from zoo.errors import ModelError
from zoo.models.keras import load_keras

MOTIF = "TGTTTAC"
LENGTH = 20


def one_hot(sequence):
    return np.array([[letter == base for base in "ACGT"] for letter in sequence], np.float32)


def around(motif):
    """The motif within letters that match it nowhere else."""
    return one_hot("CC" + motif + "C" * (LENGTH - 2 - len(motif)))


def matches(sequence, motif):
    """Highest number of letters that agree with the motif at any place."""
    return max(sum(a == b for a, b in zip(sequence[i:], motif, strict=False)) for i in range(LENGTH - len(motif) + 1))


def layer(kind, name, **config):
    return {"class_name": kind, "config": {"name": name, **config}}


ARCHITECTURE = {
    "class_name": "Sequential",
    "config": [
        layer(
            "Convolution1D", "conv", nb_filter=1, filter_length=7, border_mode="valid", bias=True, subsample_length=1
        ),
        layer("MaxPooling1D", "pool", pool_length=14, stride=14, border_mode="valid"),
        layer("Flatten", "flat"),
        layer("Dense", "dense", output_dim=1, bias=True, activation="linear"),
    ],
}
NAMES = {
    "theano": ["conv_W", "conv_b", "dense_W", "dense_b"],
    "tensorflow": ["conv_W:0", "conv_b:0", "dense_W:0", "dense_b:0"],
    "nothing": ["param_0", "param_1", "param_2", "param_3"],
}


def write(path, backwards, names, backend=None, architecture=ARCHITECTURE, version="1.2.2"):
    """What Keras 1 writes; Theano trains kernels that are the motif read backwards."""
    kernel = one_hot(MOTIF)[:: -1 if backwards else 1, None, :, None]
    arrays = [kernel, np.zeros(1), np.ones((1, 1)), np.zeros(1)]
    with h5py.File(path, "w") as handle:
        weights = handle.create_group("model_weights") if architecture is not None else handle
        if architecture is not None:
            handle.attrs["model_config"] = json.dumps(architecture).encode()
            if version:
                handle.attrs["keras_version"] = version.encode()
        if backend:
            weights.attrs["backend"] = backend.encode()
        weights.attrs["layer_names"] = [b"conv", b"pool", b"flat", b"dense"]
        for name in ("conv", "pool", "flat", "dense"):
            group = weights.create_group(name)
            own = {"conv": (0, 1), "dense": (2, 3)}.get(name, ())
            group.attrs["weight_names"] = np.array([names[i].encode() for i in own], dtype="S")
            for i in own:
                group[names[i]] = np.asarray(arrays[i], np.float32)
    return path


def answers(module):
    x = np.stack([around(MOTIF), around(MOTIF[::-1])])
    with torch.no_grad():
        return module(torch.from_numpy(x))[:, 0].tolist()


BOTH = [7.0, float(matches("CC" + MOTIF[::-1] + "C" * 11, MOTIF))]


def test_the_known_answers_differ():
    assert BOTH == [7.0, 4.0]


@pytest.mark.parametrize("stated", [None, "theano"])
def test_names_without_the_mark_of_tensorflow_are_of_theano(tmp_path, stated):
    path = write(tmp_path / "m.h5", True, NAMES["theano"])
    assert answers(load_keras(path, backend=stated)) == BOTH


@pytest.mark.parametrize("stated", [None, "tensorflow"])
def test_names_with_the_mark_of_tensorflow(tmp_path, stated):
    path = write(tmp_path / "m.h5", False, NAMES["tensorflow"])
    assert answers(load_keras(path, backend=stated)) == BOTH


def test_weights_beside_a_json_tell_by_their_names(tmp_path):
    path = write(tmp_path / "w.h5", True, NAMES["theano"], architecture=None)
    (tmp_path / "m.json").write_text(json.dumps(ARCHITECTURE | {"keras_version": "1.0.7"}))
    assert answers(load_keras(path, tmp_path / "m.json")) == BOTH


@pytest.mark.parametrize("version", ["1.2.2", "2.0.6", None])
def test_names_that_tell_nothing_are_asked_for(tmp_path, version):
    path = write(tmp_path / "m.h5", True, NAMES["nothing"], version=version)
    with pytest.raises(ModelError, match="does not say whether it was trained on Theano") as caught:
        load_keras(path)
    assert "param_0" in caught.value.extent and "`backend: theano`" in caught.value.fix
    assert answers(load_keras(path, backend="theano")) == BOTH
    assert answers(load_keras(write(path, False, NAMES["nothing"]), backend="tensorflow")) == BOTH


def test_the_backend_that_keras_2_writes_is_believed(tmp_path):
    assert answers(load_keras(write(tmp_path / "m.h5", True, NAMES["nothing"], "theano", version="2.1.2"))) == BOTH
    assert answers(load_keras(write(tmp_path / "n.h5", False, NAMES["nothing"], "cntk", version="2.1.2"))) == BOTH


def test_the_json_of_an_architecture_tells_where_the_weights_do_not(tmp_path):
    path = write(tmp_path / "w.h5", True, NAMES["nothing"], architecture=None)
    (tmp_path / "m.json").write_text(json.dumps(ARCHITECTURE | {"backend": "theano"}))
    assert answers(load_keras(path, tmp_path / "m.json")) == BOTH


CONTRADICTIONS = [
    ("theano", None, "tensorflow"),
    ("tensorflow", None, "theano"),
    ("nothing", "theano", "tensorflow"),
    ("nothing", "tensorflow", "theano"),
]


@pytest.mark.parametrize(("names", "backend", "stated"), CONTRADICTIONS)
def test_a_contradiction_is_an_error(tmp_path, names, backend, stated):
    path = write(tmp_path / "m.h5", True, NAMES[names], backend)
    with pytest.raises(ModelError, match=f"model.yaml says `backend: {stated}`, but the file is of") as caught:
        load_keras(path, backend=stated)
    right = {"theano": "tensorflow", "tensorflow": "theano"}[stated]
    assert f"`backend: {right}`" in caught.value.fix


def test_where_no_kernel_can_be_turned_nothing_is_asked(tmp_path):
    architecture = {"class_name": "Sequential", "config": [layer("Dense", "dense", output_dim=1, bias=False)]}
    with h5py.File(tmp_path / "m.h5", "w") as handle:
        handle.attrs["model_config"] = json.dumps(architecture).encode()
        group = handle.create_group("model_weights")
        group.attrs["layer_names"] = [b"dense"]
        group.create_group("dense").attrs["weight_names"] = [b"kernel"]
        group["dense/kernel"] = np.array([[2.0], [3.0]], np.float32)
    with torch.no_grad():
        assert load_keras(tmp_path / "m.h5")(torch.ones(1, 2)).item() == 5.0


FOLDER = """
type: keras
args: {{weights: m.h5{backend}}}
default_dataloader:
  defined_as: kipoiseq.dataloaders.SeqIntervalDl
  default_args: {{auto_resize_len: 20}}
info: {{authors: [{{name: A}}], doc: tiny}}
schema: {{inputs: {{name: seq, shape: "(20, 4)"}}, targets: {{name: score, shape: "(1,)"}}}}
"""


SAID = [("theano", ""), ("theano", ", backend: theano"), ("nothing", ", backend: theano")]


@pytest.mark.parametrize(("names", "stated"), SAID)
def test_a_folder_answers_to_the_motif(tmp_path, names, stated):
    write(tmp_path / "m.h5", True, NAMES[names])
    (tmp_path / "model.yaml").write_text(FOLDER.format(backend=stated))
    x = np.stack([around(MOTIF), around(MOTIF[::-1])]).transpose(0, 2, 1)
    assert zoo.load_model(tmp_path).predict(x.copy())[:, 0].tolist() == BOTH


def test_the_advice_for_a_silent_file_works(tmp_path):
    write(tmp_path / "m.h5", True, NAMES["nothing"])
    (tmp_path / "model.yaml").write_text(FOLDER.format(backend=""))
    with pytest.raises(ModelError, match="does not say whether it was trained on Theano"):
        zoo.load_model(tmp_path)
    (tmp_path / "model.yaml").write_text(FOLDER.format(backend=", backend: theano"))
    x = around(MOTIF).T[None]
    assert zoo.load_model(tmp_path).predict(x.copy()).item() == 7.0


@pytest.mark.parametrize("ordering", ["th", "tf"])
def test_kernels_of_two_axes_are_turned_on_both(tmp_path, ordering):
    """Bases are the rows of an image: Theano turns them around too, so what it trained is upside down and backwards."""
    options = {"nb_filter": 1, "nb_row": 4, "nb_col": 7, "subsample": [1, 1], "dim_ordering": ordering}
    conv = layer("Convolution2D", "conv", border_mode="valid", bias=False, **options)
    architecture = {"class_name": "Sequential", "config": [conv, layer("Flatten", "flat")]}
    turned = one_hot(MOTIF).T[::-1, ::-1]
    with h5py.File(tmp_path / "m.h5", "w") as handle:
        handle.attrs["model_config"], handle.attrs["keras_version"] = json.dumps(architecture).encode(), b"1.1.0"
        group = handle.create_group("model_weights")
        group.attrs["layer_names"] = [b"conv", b"flat"]
        group.create_group("conv").attrs["weight_names"] = [b"conv_W"]
        group.create_group("flat").attrs["weight_names"] = np.array([], dtype="S")
        group["conv/conv_W"] = turned[None, None] if ordering == "th" else turned[:, :, None, None]
    x = torch.from_numpy(around(MOTIF).T.copy())
    with torch.no_grad():
        found = load_keras(tmp_path / "m.h5")(x[None, None] if ordering == "th" else x[None, :, :, None])
    assert found.shape == (1, 14) and found.max().item() == 7.0


# ---------------------------------------------------------------- where Theano begins with padding `same`


def theano_same(x, kernel, stride, dilation=1):
    """Theano's border `half`: half a kernel of zeros on both sides, a true convolution, the first ceil(L / stride)."""
    size = (len(kernel) - 1) * dilation + 1
    padded = np.pad(x, ((size // 2, size // 2), (0, 0)))
    count = -(-len(x) // stride)
    turned = kernel[::-1]
    at = [range(i * stride, i * stride + size, dilation) for i in range(count)]
    return np.array([np.einsum("wc,wco->o", padded[list(places)], turned) for places in at])


@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(3, 1, 1), (4, 1, 1), (5, 2, 1), (4, 3, 1), (3, 1, 2), (6, 2, 1)]
)
def test_same_begins_half_a_kernel_before_the_sequence(tmp_path, size, stride, dilation):
    rng = np.random.default_rng(size)
    kernel = rng.integers(-3, 4, (size, 1, 4, 2)).astype(np.float32)
    conv = layer("AtrousConvolution1D", "conv", nb_filter=2, filter_length=size, border_mode="same", bias=False,
                 subsample_length=stride, atrous_rate=dilation)  # fmt: skip
    architecture = {"class_name": "Sequential", "config": [conv]}
    with h5py.File(tmp_path / "m.h5", "w") as handle:
        handle.attrs["model_config"], handle.attrs["keras_version"] = json.dumps(architecture).encode(), b"1.2.2"
        group = handle.create_group("model_weights")
        group.attrs["layer_names"] = [b"conv"]
        group.create_group("conv").attrs["weight_names"] = [b"conv_W"]
        group["conv/conv_W"] = kernel
    x = rng.integers(-3, 4, (11, 4)).astype(np.float32)
    with torch.no_grad():
        ours = load_keras(tmp_path / "m.h5")(torch.from_numpy(x[None]))[0].numpy()
    np.testing.assert_array_equal(ours, theano_same(x, kernel[:, 0], stride, dilation))


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 3), (4, 2), (5, 1)])
@pytest.mark.parametrize("kind", ["MaxPooling1D", "AveragePooling1D"])
def test_pools_with_same_begin_where_theano_begins(tmp_path, kind, size, stride):
    """Keras 1 on Theano pads pools by size - 1, odd ones by size - 2; pads do not count."""
    conv = layer("Convolution1D", "conv", nb_filter=1, filter_length=2, border_mode="valid", bias=False)
    pool = layer(kind, "pool", pool_length=size, stride=stride, border_mode="same")
    with h5py.File(tmp_path / "m.h5", "w") as handle:
        architecture = {"class_name": "Sequential", "config": [conv, pool]}
        handle.attrs["model_config"], handle.attrs["keras_version"] = json.dumps(architecture).encode(), b"1.2.2"
        group = handle.create_group("model_weights")
        group.attrs["layer_names"] = [b"conv", b"pool"]
        group.create_group("conv").attrs["weight_names"] = [b"conv_W"]
        group.create_group("pool").attrs["weight_names"] = np.array([], dtype="S")
        group["conv/conv_W"] = np.array([0.0, 1.0], np.float32).reshape(2, 1, 1, 1)  # the first of two, once turned
    x = np.random.default_rng(size).integers(-9, 10, 12).astype(np.float32)
    values, before = x[:-1], size - 2 if size > 2 and size % 2 else size - 1
    count = -(-len(values) // stride)
    windows = [values[max(i * stride - before, 0) : max(i * stride - before + size, 0)] for i in range(count)]
    expected = [part.max() if kind.startswith("Max") else part.mean() for part in windows]
    with torch.no_grad():
        ours = load_keras(tmp_path / "m.h5")(torch.from_numpy(x[None, :, None]))[0, :, 0].numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-6)
