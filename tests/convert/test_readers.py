"""Readers of published files: arrays known beforehand, and files made to do harm."""

from __future__ import annotations

import hashlib
import struct
from typing import get_args

import h5py
import numpy as np
import pytest
import torch

from zoo.cards.schema import Reader
from zoo.convert.readers import READERS, read_tensors, tensors_sha256
from zoo.errors import ModelError


def test_a_card_names_the_readers_that_there_are():
    assert set(get_args(Reader)) == READERS.keys()


def test_the_checksum_of_tensors_is_that_of_names_types_shapes_and_bytes():
    tensors = {"b": torch.tensor([[1.0, 2.0]]), "a": torch.tensor(3, dtype=torch.int64)}
    by_hand = b'["a","int64",[]]\n' + struct.pack("<q", 3) + b'["b","float32",[1,2]]\n' + struct.pack("<2f", 1, 2)
    assert tensors_sha256(tensors) == hashlib.sha256(by_hand).hexdigest()
    assert tensors_sha256(dict(reversed(tensors.items()))) == tensors_sha256(tensors)
    strided = {"b": torch.tensor([[1.0], [2.0]]).T, "a": tensors["a"]}
    assert tensors_sha256(strided) == tensors_sha256(tensors)
    for other in (
        {"b": torch.tensor([[1.0], [2.0]]), "a": tensors["a"]},
        {"c": tensors["b"], "a": tensors["a"]},
        {"b": tensors["b"].double(), "a": tensors["a"]},
        {"b": tensors["b"]},
        {"b": -tensors["b"], "a": tensors["a"]},
    ):
        assert tensors_sha256(other) != tensors_sha256(tensors)
    assert tensors_sha256({"e": torch.empty(0, 3)}) != tensors_sha256({"e": torch.empty(3, 0)})


# ---------------------------------------------------------------- Keras


def test_arrays_of_keras_by_their_paths(tmp_path):
    kernel, bias = np.arange(24, dtype="<f4").reshape(2, 3, 4), np.arange(4, dtype=">f8")
    with h5py.File(tmp_path / "m.h5", "w") as handle:
        handle.attrs["model_config"] = b'{"class_name": "Lambda"}'
        handle["model_weights/conv/conv/kernel:0"] = kernel
        handle["model_weights/conv/conv/bias:0"] = bias
        handle["optimizer_weights/Adam/m:0"] = np.ones(3)
        handle["model_weights/elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
    found = read_tensors(tmp_path / "m.h5", "keras-h5")
    assert found.keys() == {"conv/conv/kernel:0", "conv/conv/bias:0"}
    assert np.array_equal(found["conv/conv/kernel:0"].numpy(), kernel)
    assert np.array_equal(found["conv/conv/bias:0"].numpy(), bias) and found["conv/conv/bias:0"].dtype == torch.float64


def test_arrays_of_save_weights(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as handle:
        handle["dense/dense/kernel:0"] = np.ones((2, 1), np.float32)
    assert read_tensors(tmp_path / "w.h5", "keras-h5")["dense/dense/kernel:0"].shape == (2, 1)


def test_arrays_that_lie_in_another_file_or_are_no_numbers_are_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(80))
    with h5py.File(tmp_path / "a.h5", "w") as handle:
        handle.create_dataset("w", (10,), "f8", external=[(str(tmp_path / "secret"), 0, 80)])
    with h5py.File(tmp_path / "b.h5", "w") as handle:
        handle["w"] = ["a", "text"]
    with h5py.File(tmp_path / "c.h5", "w") as handle:
        handle.create_dataset("w", (10**7, 10**7), "f4", chunks=(10, 10))
    with h5py.File(tmp_path / "d.h5", "w") as handle:
        handle.create_group("model_weights")
    for name, reason in {
        "a": "lies in another file",
        "b": "not numbers",
        "c": "claims 400,000,000,000,000 bytes",
        "d": "holds no tensors",
    }.items():
        with pytest.raises(ModelError, match=reason):
            read_tensors(tmp_path / f"{name}.h5", "keras-h5")


# ---------------------------------------------------------------- a frozen graph, written by hand


def varint(value):
    out = b""
    while True:
        out += bytes([value & 127 | (128 if value > 127 else 0)])
        value >>= 7
        if not value:
            return out


def field(number, value):
    """A varint, or anything else by its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def const(name, tensor, op=b"Const"):
    value = field(1, b"value") + field(2, field(8, tensor))
    kind = field(1, b"dtype") + field(2, field(6, 1))
    return field(1, field(1, name) + field(2, op) + field(5, kind) + field(5, value))


def tensor(dtype, shape, *fields):
    return field(1, dtype) + field(2, b"".join(field(2, field(1, n)) for n in shape)) + b"".join(fields)


def test_constants_of_a_graph_in_every_way_of_writing_them(tmp_path):
    graph = b"".join(
        [
            const(b"raw", tensor(1, (2, 3), field(4, np.arange(6, dtype="<f4").tobytes()))),
            const(b"packed", tensor(1, (2,), field(5, struct.pack("<2f", 1.5, -2)))),
            const(b"scalar", tensor(1, (), varint(5 << 3 | 5) + struct.pack("<f", 0.001))),
            const(b"repeated", tensor(2, (3,), varint(6 << 3 | 1) + struct.pack("<d", 7))),
            const(b"zeros", tensor(1, (2, 2))),
            const(b"half", tensor(19, (2,), field(13, varint(0x3C00) + varint(0xC000)))),
            const(b"brain", tensor(14, (2,), field(4, struct.pack("<2H", 0x3F80, 0xC000)))),
            const(b"axis", tensor(3, (1,), field(7, varint(2)))),
            const(b"input", tensor(1, (1,), field(5, struct.pack("<f", 1))), op=b"Placeholder"),
            field(4, field(1, 27)),
        ]
    )
    (tmp_path / "g.pb").write_bytes(graph)
    found = read_tensors(tmp_path / "g.pb", "tensorflow-graph")
    assert {name: one.tolist() for name, one in found.items()} == {
        "raw": [[0, 1, 2], [3, 4, 5]],
        "packed": [1.5, -2],
        "scalar": pytest.approx(0.001),
        "repeated": [7, 7, 7],
        "zeros": [[0, 0], [0, 0]],
        "half": [1, -2],
        "brain": [1, -2],
    }
    assert found["repeated"].dtype == torch.float64 and found["half"].dtype == torch.float16
    assert found["brain"].dtype == torch.bfloat16 and found["scalar"].shape == ()


def test_a_damaged_graph_is_an_error_wherever_it_is_cut(tmp_path):
    whole = const(b"w", tensor(1, (300,), field(4, bytes(1200)))) * 1
    for cut in (*range(1, 40), 600, len(whole) - 1):
        (tmp_path / "g.pb").write_bytes(whole[:cut])
        with pytest.raises(ModelError, match="tensorflow-graph"):
            read_tensors(tmp_path / "g.pb", "tensorflow-graph")


@pytest.mark.parametrize(
    "graph",
    [
        const(b"w", tensor(1, (2**40, 2**20))),
        const(b"w", tensor(1, (2,), field(4, bytes(400)))),
        const(b"w", tensor(1, (3,), field(4, bytes(7)))),
        const(b"w", tensor(1, (1,), field(4, bytes(4)))) * 2,
        const(b"\xff\xfe", tensor(1, (1,), field(4, bytes(4)))),
        b"\x0b\x0b",
        bytes(100),
        b"\xff" * 100,
        field(1, 5),
    ],
    ids=["huge", "too many", "uneven", "twice", "no text", "group", "zeros", "endless", "no node"],
)
def test_a_graph_that_cannot_be(tmp_path, graph):
    (tmp_path / "g.pb").write_bytes(graph)
    with pytest.raises(ModelError, match="tensorflow-graph"):
        read_tensors(tmp_path / "g.pb", "tensorflow-graph")


# ---------------------------------------------------------------- state dicts


def test_a_state_dict_and_nothing_else(tmp_path):
    state = {"a": torch.arange(4.0).reshape(2, 2).T, "b": torch.tensor(3)}
    torch.save(state, tmp_path / "s.pt")
    found = read_tensors(tmp_path / "s.pt", "state-dict")
    assert all(torch.equal(found[name], state[name]) for name in state) and found.keys() == state.keys()
    torch.save(torch.nn.Linear(2, 1), tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"holds torch.*Linear, not a state_dict"):
        read_tensors(tmp_path / "m.pt", "state-dict")
    assert read_tensors(tmp_path / "m.pt", "pickle").keys() == {"weight", "bias"}


@pytest.mark.shared
def test_published_files_read_as_torch_reads_them(shared_data):
    pickled = read_tensors(shared_data / "m02_bpnet_ctcf_k562/example.final.torch", "pickle")
    converted = torch.load(shared_data / "m02_bpnet_ctcf_k562/state_dict.pt", weights_only=True)
    assert tensors_sha256(pickled) == tensors_sha256(converted) and len(pickled) > 20
    for name in ("m08_openspliceai/mane_model_80nt_rs10.pt", "m09_pangolin/final.1.0.3"):
        found = read_tensors(shared_data / name, "state-dict")
        assert tensors_sha256(found) == tensors_sha256(torch.load(shared_data / name, "cpu", weights_only=True))
