"""The file of a Keras model alone: predicted, explained, described; what it does not say is said."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from keras_files import functional, node, sequential, write_h5

import zoo
from zoo.cli import run
from zoo.errors import ModelError, UsageError
from zoo.models.entry import open_entry

BASES = "ACGT"
SEQUENCE = "ACGTTGCAACGTACGGATCCNNACGTAC"
KERNEL = np.random.default_rng(4).normal(size=(3, 4, 2)).astype(np.float32)
CONV = {"name": "conv", "filters": 2, "kernel_size": [3], "use_bias": False, "padding": "valid"}


def hot(text):
    return np.array(
        [[0.25] * 4 if letter == "N" else [base == letter for base in BASES] for letter in text], np.float32
    )


def convolved(text):
    """(L - 2, 2), by hand."""
    x = hot(text)
    return np.stack([np.einsum("wc,wco->o", x[i : i + 3], KERNEL) for i in range(len(x) - 2)])


def keras_file(path, *more, length=12, batch="batch_input_shape"):
    layers = sequential(("Conv1D", {**CONV, batch: [None, length, 4]}), *more)
    return write_h5(path, layers, {"conv": [("kernel:0", KERNEL)]})


POOL = ("GlobalMaxPooling1D", {"name": "pool"})


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.fa").write_text(f">chr1\n{SEQUENCE}\n")
    (tmp_path / "r.bed").write_text("chr1\t0\t12\ta\nchr1\t14\t26\tb\n")
    return tmp_path


WINDOWS = (SEQUENCE[:12], SEQUENCE[14:26])


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "model.weights"])
def test_a_file_predicts_and_says_what_it_assumes(data, name):
    path = keras_file(data / name, POOL)
    notes = []
    zoo.predict(path, "r.bed", "g.fa", "out.h5", report=notes.append)
    with h5py.File("out.h5") as handle:
        np.testing.assert_allclose(handle["preds"][:], [convolved(one).max(0) for one in WINDOWS], atol=1e-6)
        assert list(handle["preds"].attrs["tracks"]) == ["pool_0", "pool_1"]
    assert len(notes) == 1 and "channels A C G T" in notes[0] and "unknown bases 0.25" in notes[0]
    assert json.loads((data / "out.h5.run.json").read_text())["notes"] == notes


def test_a_profile_has_its_tracks_last_and_no_place(data, capsys):
    keras_file(data / "model.h5")
    model = zoo.load_model("model.h5")
    expected = np.stack([convolved(one).T for one in WINDOWS])
    np.testing.assert_allclose(model.predict(list(WINDOWS)), expected, atol=1e-6)
    notes = []
    zoo.predict("model.h5", "r.bed", "g.fa", "out.h5", report=notes.append)
    with h5py.File("out.h5") as handle:
        np.testing.assert_allclose(handle["preds"][:], expected, atol=1e-6)
        assert not {"offset", "bin_size"} & set(handle["preds"].attrs)
    assert "the last axis is taken for the tracks" in notes[1] and "2 tracks of 10 bins" in notes[1]
    assert notes[2].startswith("where the bins of conv lie in the window is not known")
    with pytest.raises(UsageError, match="no card that says where its bins lie"):
        zoo.predict("model.h5", "r.bed", "g.fa", "out.bw")
    assert run(["info", "model.h5"]) == 0
    told = capsys.readouterr().out
    assert "conv (profile): conv_0, conv_1; 10 bins, whose size and offset are not known" in told
    assert "12 bp of one-hot sequence" in told and notes[1] in told


def test_contributions_of_a_file_add_up_to_its_prediction(data):
    from interpret import ism

    model = zoo.load_model(keras_file(data / "model.h5", POOL))
    text = SEQUENCE[:12]
    found = ism(model, [text], tracks="1")
    assert found.shape == (1, 4, 12)
    changed = text[:3] + "C" + text[4:]
    difference = convolved(changed).max(0)[1] - convolved(text).max(0)[1]
    wanted = found[0, 1, 3] - found[0, BASES.index(text[3]), 3]
    np.testing.assert_allclose(wanted, difference, atol=1e-5)


def test_an_input_of_any_length_takes_regions_as_they_are(data):
    keras_file(data / "model.h5", POOL, length=None)
    (data / "r.bed").write_text("chr1\t0\t9\n")
    found = zoo.predict("model.h5", "r.bed", "g.fa", "out.h5")
    with h5py.File("out.h5") as handle:
        np.testing.assert_allclose(handle["preds"][:], [convolved(SEQUENCE[:9]).max(0)], atol=1e-6)
    assert found.windows == 1
    assert run(["info", "model.h5"]) == 0


@pytest.mark.parametrize("form", ["keras 1 list", "keras 3 sequential", "functional", "keras 3 functional"])
def test_where_every_version_of_keras_writes_the_input(data, form):
    if form == "keras 1 list":
        layers = {"class_name": "Sequential", "config": keras_layers({**CONV, "batch_input_shape": [None, 12, 4]})}
    elif form == "keras 3 sequential":
        entry = {"class_name": "InputLayer", "config": {"name": "seq", "batch_shape": [None, 12, 4]}}
        layers = {"class_name": "Sequential", "config": {"name": "s", "layers": [entry, *keras_layers(CONV)]}}
    else:
        options = {key: value for key, value in CONV.items() if key != "name"}
        key = "batch_shape" if "3" in form else "batch_input_shape"
        layers = functional(
            [node("seq", "InputLayer", [], **{key: [None, 12, 4]}), node("conv", "Conv1D", [["seq"]], **options)],
            ["seq"],
            ["conv"],
        )
        if "3" in form:
            layers["config"]["output_layers"] = ["conv", 0, 0]
    write_h5(data / "m.h5", layers, {"conv": [("kernel:0", KERNEL)]})
    entry = open_entry("m.h5")
    assert [one.shape for one in entry.description.inputs] == [(12, 4)]
    np.testing.assert_allclose(
        zoo.load_model("m.h5").predict([SEQUENCE[:12]])[0], convolved(SEQUENCE[:12]).T, atol=1e-6
    )


def keras_layers(options):
    return [{"class_name": "Conv1D", "config": options}]


def refused(path):
    with pytest.raises(ModelError) as caught:
        open_entry(path)
    return caught.value


def test_what_is_no_whole_model_of_sequence(data):
    write_h5(data / "weights.h5", None, {"conv": [("kernel:0", KERNEL)]})
    assert "holds weights of Keras but no architecture" in refused("weights.h5").what
    assert "args: {arch: model.json, weights: weights.h5}" in refused("weights.h5").fix
    with h5py.File(data / "other.h5", "w") as handle:
        handle["preds"] = np.zeros(3)
    assert "holds no model of Keras" in refused("other.h5").what
    write_h5(data / "dense.h5", sequential(("Dense", {"name": "d", "units": 1, "batch_input_shape": [None, 7]})), {})
    assert refused("dense.h5").extent == "inputs: d (7,)"
    two = [node(name, "InputLayer", [], batch_input_shape=[None, 12, 4]) for name in ("a", "b")]
    write_h5(data / "two.h5", functional([*two, node("sum", "Add", [["a", "b"]])], ["a", "b"], ["sum"]), {})
    assert refused("two.h5").extent == "inputs: a (12, 4), b (12, 4)"


@pytest.mark.parametrize(
    ("name", "told", "fix"),
    [
        ("m.pt", "is a file, and no gReLU checkpoint", "zoo convert m.pt -o weights.pth"),
        ("m.pkl", "is a file, and no gReLU checkpoint", "zoo convert m.pkl -o weights.pth"),
        ("m.safetensors", "is a file, and no gReLU checkpoint", "model.yaml names m.safetensors"),
        ("m.onnx", "models of ONNX do not run here", "model.save('model.h5')"),
        ("saved_model.pb", "graphs of TensorFlow do not run here", "model.save('model.h5')"),
        ("m.tflite", "graphs of TensorFlow do not run here", "model.save('model.h5')"),
        ("m.json", "is no model but, at most, the architecture of one", "arch: m.json"),
        ("m.zip", "is packed", "unpack it"),
        ("peaks.bed", "is no model", "zoo predict MODEL REGIONS"),
    ],
)
def test_other_files_are_answered_with_what_to_do(data, capsys, name, told, fix):
    (data / name).write_bytes(b"\x00")
    assert told in refused(name).what and fix in refused(name).fix
    for arguments in (["info", name], ["predict", name, "r.bed", "-g", "g.fa"], ["add", name, "--name", "m"]):
        assert run(arguments) == 4
        assert told in capsys.readouterr().err
    assert not (data / "m").exists()


def test_folders_without_model_yaml_say_what_is_in_them(data):
    for name, file in (("tf", "saved_model.pb"), ("keras", "m.h5"), ("grelu", "m.ckpt"), ("none", "x.txt")):
        (data / name).mkdir()
        (data / name / file).write_bytes(b"")
    assert "is a SavedModel of TensorFlow" in refused("tf").what
    assert refused("keras").fix == "Fix: give the file: keras/m.h5"
    assert refused("grelu").fix == "Fix: give the file: grelu/m.ckpt"
    assert refused("none").fix == "Fix: give the folder that holds model.yaml"


def test_a_file_is_not_exported_or_tested(data, capsys):
    keras_file(data / "m.h5", POOL)
    for arguments, told in (
        (["export", "m.h5", "--to", "kipoi", "new"], "is a file, and entries are exported"),
        (["test", "m.h5"], "a file alone has no example"),
    ):
        assert run(arguments) == 4
        assert told in capsys.readouterr().err
    assert not (data / "new").exists()
