"""Weights are read as data: which files load, which are refused, and what is said of a state_dict that does not fit."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from zoo.errors import ModelError
from zoo.models.pytorch import load_into, load_tensors

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool]


def saved(thing, path, **options):
    torch.save(thing, path, **options)
    return path


def refused(path, words, **options):
    with pytest.raises(ModelError, match=words) as caught:
        load_tensors(path, **options)
    assert caught.value.what.startswith(str(path)) and caught.value.fix.startswith("Fix: ")
    assert caught.value.exit_code == 4
    return caught.value


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_tensors_of_every_type_come_back(tmp_path, dtype, suffix):
    tensors = {"a": torch.arange(6).reshape(2, 3).to(dtype), "empty": torch.empty(0, 3, dtype=dtype)}
    path = tmp_path / f"w{suffix}"
    save_file(tensors, path) if suffix == ".safetensors" else torch.save(tensors, path)
    found = load_tensors(path)
    for name, tensor in tensors.items():
        assert found[name].dtype == dtype and torch.equal(found[name], tensor)


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 3}])
def test_both_formats_of_torch_and_an_ordered_dict(tmp_path, options):
    state = collections.OrderedDict(weight=torch.ones(2), bias=torch.zeros(1))
    found = load_tensors(saved(state, tmp_path / "w.pth", **options))
    assert list(found) == ["weight", "bias"] and torch.equal(found["weight"], torch.ones(2))


def test_plain_values_beside_tensors_are_read(tmp_path):
    thing = {"epoch": 3, "lr": 0.1, "name": "x", "done": True, "nothing": None, "list": [1, (2.0, "a")]}
    assert load_tensors(saved(thing, tmp_path / "c.pt")) == thing


@pytest.mark.parametrize(
    "value", [np.arange(3.0), np.float32(2), np.array(["a"]), np.array([], int), np.float64(1) / 3, Path("a/b")]
)
def test_values_of_numpy_are_read_only_where_they_are_expected(tmp_path, value):
    path = saved({"state_dict": {"w": torch.ones(1)}, "value": value}, tmp_path / "c.ckpt")
    found = load_tensors(path, allow_numpy=True)["value"]
    assert type(found) is type(value) and np.array_equal(found, value)
    error = refused(path, "refused: the file holds more than tensors")
    assert error.extent == "nothing of it was run" and f"zoo convert {path} -o weights.pth" in error.fix


@pytest.mark.parametrize("allow", [False, True])
def test_objects_of_numpy_arrays_are_never_unpickled(tmp_path, allow):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "was_run"), "w")

    path = saved({"x": np.array([Trap()], dtype=object)}, tmp_path / "c.ckpt")
    refused(path, "holds more than tensors", allow_numpy=allow)
    assert not (tmp_path / "was_run").exists()


def test_the_class_that_a_pickle_asks_for_is_named(tmp_path):
    assert "torch.nn.modules.linear.Linear" in refused(saved(torch.nn.Linear(2, 2), tmp_path / "m.pt"), "refused").what


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a weights file"),
        (b"<!DOCTYPE html>", "is not a weights file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n", "is not a weights file"),
        (b"PK\x03\x04" + bytes(40), "cannot be read as weights"),
        (b"\x80\x02]q\x00.", "cannot be read as weights|holds more than tensors"),
    ],
)
def test_files_that_are_no_weights(tmp_path, content, words):
    (tmp_path / "w.pth").write_bytes(content)
    refused(tmp_path / "w.pth", words)


def test_a_missing_file_and_a_folder(tmp_path):
    refused(tmp_path / "none.pth", "no such weights file")
    refused(tmp_path / "none.safetensors", "no such weights file")
    (tmp_path / "folder.pth").mkdir()
    refused(tmp_path / "folder.pth", "cannot be read as weights")


def test_reading_says_nothing_on_the_terminal(tmp_path, capfd, recwarn):
    """torch warns of a pickle of protocol 3, and reads it."""
    path = saved({"a": torch.ones(1)}, tmp_path / "w.pth", pickle_protocol=3)
    load_tensors(path)
    assert capfd.readouterr() == ("", "") and not recwarn.list


@given(st.binary(max_size=80), st.sampled_from([b"PK", b"\x80\x02", b"\x80\x05", b""]))
def test_no_file_is_a_crash(tmp_path_factory, content, head):
    path = tmp_path_factory.getbasetemp() / "fuzz.pth"
    path.write_bytes(head + content)
    try:
        load_tensors(path)
    except ModelError as error:
        assert error.fix.startswith("Fix: ")


# Into a module


SEVERAL = "7 missing, 1 surplus, 0 of another shape: missing 0.bias, 0.weight, 1.bias, ...; surplus model"


def module():
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def test_a_state_dict_that_fits():
    given_state = module().state_dict()
    taken = module()
    load_into(taken, given_state, Path("w.pth"))
    assert all(torch.equal(value, given_state[name]) for name, value in taken.state_dict().items())


@pytest.mark.parametrize(
    ("change", "first", "counts"),
    [
        (lambda s: s.pop("0.bias"), "0.bias", "1 missing, 0 surplus, 0 of another shape"),
        (lambda s: s.update(extra=torch.ones(1)), "extra", "0 missing, 1 surplus, 0 of another shape"),
        (lambda s: s.update({"0.weight": torch.ones(2, 4)}), "0.weight", "0 missing, 0 surplus, 1 of another shape"),
        (lambda s: (s.clear(), s.update(model=torch.ones(1))), "0.bias", SEVERAL),
    ],
)
def test_a_state_dict_that_does_not_fit_is_counted(change, first, counts):
    state = dict(module().state_dict())
    change(state)
    with pytest.raises(ModelError) as caught:
        load_into(module(), state, Path("w.pth"))
    assert caught.value.what == f"w.pth: the weights do not fit the module: first at {first!r}"
    assert caught.value.extent == counts


@pytest.mark.parametrize("thing", [[torch.ones(1)], torch.ones(1), {"state_dict": {}}, {"a": 1.0}, "text", None])
def test_what_is_no_state_dict(thing):
    with pytest.raises(ModelError, match="is not a state_dict") as caught:
        load_into(module(), thing, Path("w.pth"))
    assert caught.value.extent == f"it holds {type(thing).__name__}"
    assert caught.value.fix == "Fix: save model.state_dict()"
