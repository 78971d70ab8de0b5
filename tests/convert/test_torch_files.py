"""Files of ``torch.save`` in their rarer forms, read as torch reads them, and what is refused."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch

from zoo.convert.convert import convert
from zoo.errors import ModelError

FORMATS = {"zip": {}, "stream": {"_use_new_zipfile_serialization": False}}
both = pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)


def saved(thing, path, **options):
    torch.save(thing, path, **options)
    return path


def converted(path):
    return torch.load(convert(path, path.with_name("w.pth")).path, weights_only=True)


def refused(path, words):
    out = path.with_name("out.pth")
    with pytest.raises(ModelError, match=words) as caught:
        convert(path, out)
    assert not out.exists() and caught.value.what.startswith(str(path)) and caught.value.exit_code == 4
    return caught.value


@both
@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"],
)
def test_every_plain_type(tmp_path, options, dtype):
    tensor = torch.arange(6).reshape(2, 3).to(getattr(torch, dtype))
    found = converted(saved({"x": tensor}, tmp_path / "m.pt", **options))["x"]
    assert found.dtype == tensor.dtype and torch.equal(found, tensor)


@both
def test_views_are_written_as_they_look(tmp_path, options):
    """Parts of one storage: turned, every second, one number spread out, a single number, and nothing at all."""
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "turned": base.t(),
        "second": base[::2, 1::3],
        "spread": base[0, :1].expand(5),
        "number": base[2, 3],
        "nothing": base[:0],
        "whole": base,
    }
    found = converted(saved(state, tmp_path / "m.pt", **options))
    assert list(found) == list(state)
    for name, tensor in state.items():
        assert torch.equal(found[name], tensor), name
        assert found[name].is_contiguous() and found[name].untyped_storage().nbytes() == tensor.numel() * 4


@both
def test_parameters_and_tensors_with_attributes(tmp_path, options):
    tagged = torch.ones(3)
    tagged.note = "kept by torch as an attribute"
    state = {
        "parameter": torch.nn.Parameter(torch.zeros(2)),
        "tagged": tagged,
        "needs": torch.ones(1, requires_grad=True),
    }
    found = converted(saved(state, tmp_path / "m.pt", **options))
    for name, tensor in state.items():
        assert type(found[name]) is torch.Tensor and torch.equal(found[name], tensor.detach()), name


@both
def test_types_that_are_not_plain_are_named(tmp_path, options):
    refused(saved({"x": torch.ones(2, dtype=torch.complex64)}, tmp_path / "m.pt", **options), "a tensor of")


def test_a_sparse_tensor_is_no_array(tmp_path):
    refused(saved({"x": torch.eye(3).to_sparse()}, tmp_path / "m.pt"), "is no torch module and no state_dict")


@both
def test_a_child_that_is_no_module_is_named(tmp_path, options):
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    module._modules["odd"] = {"a": 1}
    refused(saved(module, tmp_path / "m.pt", **options), "odd is dict, not a module")


def test_a_child_that_was_set_to_nothing_is_left_out(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    module.register_module("none", None)
    assert list(converted(saved(module, tmp_path / "m.pt"))) == ["0.weight", "0.bias"]


@pytest.mark.parametrize("thing", [{}, [], 3, "text", {"a": torch.ones(1), "b": "no tensor"}, None])
def test_content_that_is_no_model(tmp_path, thing):
    error = refused(saved(thing, tmp_path / "m.pt"), "which is no torch module and no state_dict")
    assert "nothing of it was run" in error.extent and "--trust" in error.fix


# Damage


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_zip_of_something_else(tmp_path):
    refused(rewritten(tmp_path / "m.pt", {"a/b.txt": b"x"}), "a zip without data.pkl")
    refused(rewritten(tmp_path / "m.pt", {"a/data.pkl": b"N.", "b/data.pkl": b"N."}), "a zip without data.pkl")


def test_a_file_of_a_big_endian_machine(tmp_path):
    path = saved({"x": torch.ones(2)}, tmp_path / "m.pt")
    refused(rewritten(path, members_of(path) | {"m/byteorder": b"big"}), "big-endian machine")


def test_a_storage_that_is_missing_or_short(tmp_path):
    path = saved({"x": torch.ones(4)}, tmp_path / "m.pt")
    members = members_of(path)
    refused(rewritten(path, members | {"m/data/0": members["m/data/0"][:-4]}), "storage")
    refused(rewritten(path, {name: data for name, data in members.items() if name != "m/data/0"}), "cannot be read")


def stream(content, storages=(), machine=None):
    """The stream of torch before 1.6, by hand."""
    out = io.BytesIO()
    for part in (
        0x1950A86A20F9469CFC6C,
        1001,
        machine or {"little_endian": True},
        content,
        [key for key, *_ in storages],
    ):
        out.write(pickle.dumps(part, protocol=2))
    for _, count, data in storages:
        out.write(struct.pack("<q", count) + data)
    return out.getvalue()


def test_a_stream_that_is_not_what_it_says(tmp_path):
    path = tmp_path / "m.pt"
    path.write_bytes(stream({}, machine={"little_endian": False}))
    refused(path, "big-endian machine")
    whole = saved({"x": torch.ones(4)}, path, **FORMATS["stream"]).read_bytes()
    for cut in (1, 8, 17, 25):
        path.write_bytes(whole[:-cut])
        refused(path, "cannot be read as a pickled model")
    path.write_bytes(whole[:-24] + struct.pack("<q", -4) + whole[-16:])
    refused(path, "cannot be read as a pickled model")


# Arrays of scikit-learn's pickles


def linear(**attributes):
    """The pickle of a LinearRegression with these attributes, without scikit-learn."""
    out = io.BytesIO()
    out.write(b"csklearn.linear_model._base\nLinearRegression\n)\x81")
    out.write(pickle.dumps(attributes, protocol=2)[2:-1])
    out.write(b"b.")
    return b"\x80\x02" + out.getvalue()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<i4", ">i2", "|u1", "?"])
def test_arrays_of_any_order_and_byte_order(tmp_path, dtype, order):
    coefficients = np.asarray(np.arange(6).reshape(2, 3) % 2, dtype=dtype, order=order)
    (tmp_path / "m.pkl").write_bytes(linear(coef_=coefficients, intercept_=np.float64(0.5)))
    found = converted(tmp_path / "m.pkl")
    assert found["weight"].tolist() == coefficients.astype(float).tolist()
    assert found["bias"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("coefficients", "words"),
    [
        (np.array([["a"]]), "an array of U1"),
        (np.array([[1j]]), "an array of c16"),
        (np.array([[None]], dtype=object), r"the bytes of an array are list\n"),
    ],
)
def test_arrays_that_are_not_of_numbers(tmp_path, coefficients, words):
    (tmp_path / "m.pkl").write_bytes(linear(coef_=coefficients, intercept_=0.0))
    refused(tmp_path / "m.pkl", words)


@pytest.mark.parametrize(("coef", "intercept"), [(3, 1), (2.5, np.float32(1)), (np.array([1.0, 2.0]), np.array([1.0]))])
def test_numbers_in_the_place_of_arrays(tmp_path, coef, intercept):
    coef = np.atleast_1d(coef)
    (tmp_path / "m.pkl").write_bytes(linear(coef_=coef, intercept_=intercept))
    found = converted(tmp_path / "m.pkl")
    assert found["weight"].tolist() == [coef.tolist()] and found["bias"].tolist() == [1.0]


def test_an_estimator_without_an_intercept_of_its_own(tmp_path):
    (tmp_path / "m.pkl").write_bytes(linear(coef_=np.ones((1, 2))))
    error = refused(tmp_path / "m.pkl", r"sklearn\.linear_model\._base\.LinearRegression has no intercept_")
    assert error.extent == "it was not fitted, or is of another version"
