"""Every architecture, task and loss of gReLU: our predictions are those of `LightningModel.forward`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zoo
from zoo.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore")
CONV = {"model_type": "ConvModel", "n_tasks": 3, "stem_channels": 8, "n_conv": 2, "channel_init": 8}
ARCHITECTURES = {
    "ConvModel": (64, CONV | {"pool_func": "max", "pool_size": 2, "crop_len": 2, "norm": True, "residual": True}, 2),
    "DilatedConvModel": (200, {"channels": 6, "n_conv": 3, "stem_kernel_size": 5}, 1),
    "ConvGRUModel": (
        64,
        {
            "stem_channels": 8,
            "n_conv": 2,
            "channel_init": 8,
            "pool_func": "avg",
            "pool_size": 4,
            "n_gru": 2,
            "gru_norm": True,
            "conv_norm": True,
            "dropout": 0.3,
        },
        4,
    ),
    "ConvTransformerModel": (
        96,
        {
            "stem_channels": 8,
            "n_conv": 3,
            "channel_init": 8,
            "pool_func": "max",
            "pool_size": 2,
            "n_heads": 2,
            "n_pos_features": 4,
            "crop_len": 1,
        },
        4,
    ),
    "BorzoiModel": (
        2048,
        {
            "stem_channels": 32,
            "init_channels": 32,
            "channels": 64,
            "n_conv": 7,
            "n_transformers": 2,
            "key_len": 8,
            "value_len": 8,
            "n_heads": 2,
            "n_pos_features": 4,
            "crop_len": 3,
        },
        32,
    ),
    "EnformerModel": (
        512,
        {"n_conv": 3, "channels": 384, "n_transformers": 1, "n_heads": 2, "key_len": 36, "crop_len": 5},
        8,
    ),
}


def params_of(name, **more):
    length, params, bin_size = ARCHITECTURES[name]
    return length, {"model_type": name, "n_tasks": 3} | params | more, bin_size


def data_of(length, **train):
    return {"tasks": {"name": ["a", "b", "c"]}, "train": {"seq_len": length} | train}


def assert_equal(theirs, ours, batch):
    with torch.inference_mode():
        expected = theirs(batch).numpy()
    assert np.ptp(expected) > 0 and np.isfinite(expected).all()
    got = ours.predict(batch, batch_size=len(batch))
    assert np.array_equal(got, expected.reshape(got.shape))
    return expected


@pytest.mark.parametrize("pool", [None, "avg"], ids=["bins", "pooled"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures(tmp_path, make_checkpoint, windows, name, pool):
    length, params, bin_size = params_of(name, final_pool_func=pool)
    theirs = make_checkpoint(tmp_path / "x.ckpt", params, data_params=data_of(length))
    ours = zoo.load_model(tmp_path / "x.ckpt")
    expected = assert_equal(theirs, ours, windows(3, length))
    (spec,) = ours.outputs
    assert spec.tracks == ("a", "b", "c") and ours.places_bins
    assert (spec.kind, spec.n_bins) == (("scalar", 1) if pool else ("profile", expected.shape[2]))
    if pool is None:
        assert spec.bin_size == bin_size
        assert 2 * spec.offset + spec.n_bins * bin_size == length


def test_a_model_with_an_mlp_head(tmp_path, make_checkpoint, windows):
    params = {
        "model_type": "ConvMLPModel",
        "n_tasks": 3,
        "seq_len": 80,
        "stem_channels": 8,
        "channel_init": 8,
        "pool_func": "max",
        "pool_size": 4,
        "mlp_norm": True,
        "mlp_hidden_size": [6, 5],
        "dropout": 0.2,
    }
    theirs = make_checkpoint(tmp_path / "x.ckpt", params, data_params={"train": {"n_seqs": 3}})
    ours = zoo.load_model(tmp_path / "x.ckpt")  # the length stands in model_params alone
    assert ours.length == 80 and ours.outputs[0].kind == "scalar"
    assert_equal(theirs, ours, windows(4, 80))


def test_explainn_cannot_be_built_by_grelu_either(tmp_path, lightning_model):
    params = {"model_type": "ExplaiNNModel", "n_tasks": 1, "in_len": 100}
    with pytest.raises(AttributeError):
        lightning_model(dict(params), {"task": "binary"})
    torch.save({"state_dict": {}, "hyper_parameters": {"model_params": params}}, tmp_path / "x.ckpt")
    with pytest.raises(ModelError, match="ExplaiNNModel could not be built"):
        zoo.load_model(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    "train_params",
    [
        {"task": "regression", "loss": "poisson"},
        {"task": "regression", "loss": "Poisson_Multinomial", "total_weight": 1},
        {"task": "regression", "loss": "MSE"},
        {"task": "binary"},
        {"task": "binary", "loss": "bce"},
        {"task": "multiclass", "loss": "ce"},
        {},
    ],
    ids=lambda params: "-".join(map(str, params.values())) or "defaults",
)
@pytest.mark.parametrize("n_tasks", [1, 3])
def test_tasks_and_losses(tmp_path, make_checkpoint, windows, train_params, n_tasks):
    if train_params.get("task") == "multiclass" and n_tasks == 1:
        n_tasks = 2
    params = CONV | {"n_tasks": n_tasks, "final_pool_func": None, "pool_func": "max", "pool_size": 4}
    theirs = make_checkpoint(tmp_path / "x.ckpt", params, train_params, data_of(64))
    assert_equal(theirs, zoo.load_model(tmp_path / "x.ckpt"), windows(4, 64))


@pytest.mark.parametrize("train_params", [{"task": "ranking"}, {"task": "regression", "loss": "huber"}])
def test_a_task_that_grelu_does_not_have(tmp_path, train_params):
    hyper = {"model_params": CONV, "train_params": train_params}
    torch.save({"state_dict": {}, "hyper_parameters": hyper, "data_params": data_of(64)}, tmp_path / "x.ckpt")
    with pytest.raises(ModelError, match="no activation is known"):
        zoo.load_model(tmp_path / "x.ckpt")


@pytest.mark.parametrize(("length", "crop", "pool"), [(64, 2, 4), (100, 1, 8), (60, 0, 4)])
def test_bins_lie_where_grelu_says(tmp_path, make_checkpoint, length, crop, pool):
    params = CONV | {"pool_func": "max", "pool_size": pool, "n_conv": 2, "crop_len": crop, "final_pool_func": None}
    theirs = make_checkpoint(tmp_path / "x.ckpt", params, data_params=data_of(length, bin_size=pool))
    model = zoo.load_model(tmp_path / "x.ckpt")
    (spec,) = model.outputs
    assert model.places_bins and spec.n_bins == length // pool - 2 * crop
    for bin_number in range(spec.n_bins):
        start = theirs.output_bin_to_input_coord(bin_number, start_pos=1000)
        end = theirs.output_bin_to_input_coord(bin_number, return_pos="end", start_pos=1000)
        ours = 1000 + spec.offset + bin_number * spec.bin_size
        assert (ours, ours + spec.bin_size) == (start, end)


def test_names_of_tasks_that_occur_twice_become_distinct(tmp_path, make_checkpoint):
    params = CONV | {"final_pool_func": "avg"}
    make_checkpoint(tmp_path / "x.ckpt", params, data_params=data_of(64) | {"tasks": {"name": ["a", "b", "a"]}})
    assert zoo.load_model(tmp_path / "x.ckpt").outputs[0].tracks == ("a_0", "b", "a_2")


def test_the_device_of_the_training_is_not_asked_for(tmp_path, make_checkpoint, windows):
    params = CONV | {"final_pool_func": "avg"}
    theirs = make_checkpoint(tmp_path / "x.ckpt", params | {"device": None}, data_params=data_of(64))
    content = torch.load(tmp_path / "x.ckpt", weights_only=False)
    content["hyper_parameters"]["model_params"]["device"] = "cuda:3"
    torch.save(content, tmp_path / "x.ckpt")
    assert_equal(theirs, zoo.load_model(tmp_path / "x.ckpt"), windows(2))


@pytest.mark.parametrize("name", ["nn", "Tensor", "BaseModel", "ConvTrunk", "__builtins__", "None"])
def test_model_types_are_architectures_of_grelu(tmp_path, name):
    torch.save({"state_dict": {}, "hyper_parameters": {"model_params": {"model_type": name}}}, tmp_path / "x.ckpt")
    with pytest.raises(ModelError):
        zoo.load_model(tmp_path / "x.ckpt")
