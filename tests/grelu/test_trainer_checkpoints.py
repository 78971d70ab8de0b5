"""Checkpoints as gReLU's trainer leaves them, and those of older gReLU."""

from __future__ import annotations

import pathlib

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from zoo.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore")
CONV = {
    "model_type": "ConvModel",
    "n_tasks": 2,
    "stem_channels": 4,
    "stem_kernel_size": 5,
    "n_conv": 2,
    "channel_init": 4,
    "final_pool_func": "avg",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, lightning_model):
    """Files of `train_on_dataset` with ModelCheckpoint and early stopping, and of `test_on_dataset`."""
    from grelu.data.dataset import DFSeqDataset

    folder = tmp_path_factory.mktemp("trained")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.chdir(folder)  # test_on_dataset leaves its logs in the current folder
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"seq": ["".join(rng.choice(list("ACGT"), 40)) for _ in range(24)]})
    frame["k562"], frame["hepg2"] = rng.permutation([0, 1] * 12), rng.permutation([0, 1] * 12)
    parts = [DFSeqDataset(frame.iloc[at].reset_index(drop=True)) for at in (slice(12), slice(12, 18), slice(18, 24))]
    model = lightning_model(
        dict(CONV),
        {
            "task": "binary",
            "loss": "bce",
            "batch_size": 4,
            "num_workers": 0,
            "max_epochs": 2,
            "lr": 1e-2,
            "save_dir": str(folder),
            "early_stopping": True,
            "logger": "csv",
        },
    )
    model.train_on_dataset(parts[0], parts[1])
    model.test_on_dataset(parts[2], num_workers=0, write_path=str(folder / "tested.ckpt"))
    monkeypatch.undo()
    return folder, model.eval()


def test_checkpoints_of_the_trainer_load_as_data(trained, lightning_model, windows):
    folder, _ = trained
    files = sorted(folder.glob("**/*.ckpt"))
    assert {path.name for path in files} >= {"last.ckpt", "tested.ckpt"} and len(files) >= 3
    batch = windows(4, 40)
    for path in files:
        raw = torch.load(path, weights_only=False)
        if path.name != "tested.ckpt":
            assert raw["optimizer_states"] and raw["callbacks"] and raw["loops"]
        assert isinstance(raw["performance"]["val"]["val_auroc"], np.ndarray)
        ours = zoo.load_model(path)
        assert ours.length == 40 and ours.outputs[0].tracks == ("k562", "hepg2")
        with torch.inference_mode():
            theirs = lightning_model.load_from_checkpoint(path, weights_only=False).eval()(batch).numpy()[..., 0]
        assert np.array_equal(ours.predict(batch, batch_size=4), theirs)


def test_what_the_trainer_recorded_is_read(trained):
    from zoo.models.grelu import read_checkpoint

    folder, model = trained
    checkpoint = read_checkpoint(folder / "tested.ckpt")
    assert checkpoint.data_params["test"]["n_seqs"] == 6 and checkpoint.task == "binary"
    for metric, values in model.performance["test"].items():
        assert np.array_equal(np.asarray(checkpoint.performance["test"][metric]), values)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(3, dtype=np.float16),
        np.arange(3, dtype=np.uint8),
        np.array(["a", "bc"]),
        np.array(["a", 1], dtype=object),
        np.float32(1.5),
        np.int16(3),
        np.bool_(True),
        np.array([b"x"]),
        np.datetime64("2024-01-02"),
        pathlib.PurePosixPath("/x"),
    ],
    ids=str,
)
def test_plain_values_of_numpy_load(tmp_path, make_checkpoint, value):
    make_checkpoint(
        tmp_path / "x.ckpt", CONV, performance={"test": {"metric": value}}, data_params={"train": {"seq_len": 40}}
    )
    assert zoo.load_model(tmp_path / "x.ckpt").length == 40


class Payload:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", ["performance", "hyper_parameters", "state_dict", "data_params", "callbacks"])
def test_a_pickle_that_would_run_code_is_refused_wherever_it_sits(tmp_path, make_checkpoint, place):
    path, marker = tmp_path / "x.ckpt", tmp_path / "marker"
    make_checkpoint(path, CONV, data_params={"train": {"seq_len": 40}})
    content = torch.load(path, weights_only=False)
    content.setdefault(place, {})
    content[place]["x"] = np.array([Payload(open, str(marker), "w")], dtype=object)
    torch.save(content, path)
    with pytest.raises(ModelError, match="holds more than tensors"):
        zoo.load_model(path)
    assert not marker.exists()


@pytest.mark.parametrize("function", [exec, eval, __import__, getattr, np.load, torch.load, pathlib.Path.unlink])
def test_functions_beyond_the_list_are_refused(tmp_path, function):
    hyper = {"model_params": {"model_type": Payload(function, "x")}}
    torch.save({"state_dict": {}, "hyper_parameters": hyper}, tmp_path / "x.ckpt")
    with pytest.raises(ModelError, match="holds more than tensors"):
        zoo.load_model(tmp_path / "x.ckpt")


def old_checkpoint(path, module, params, train=None, **data):
    """The layout of gReLU 1.0.2: flat data_params inside hyper_parameters, no performance."""
    state = {f"model.{key}": value for key, value in module.state_dict().items()}
    train = {"task": "regression", "loss": "poisson"} | (train or {})
    hyper = {"model_params": params, "train_params": train, "data_params": data}
    torch.save({"state_dict": state, "hyper_parameters": hyper, "pytorch-lightning_version": "2.0.0"}, path)


def test_the_flat_layout_of_grelu_1_0_2(tmp_path, windows):
    from grelu.model.models import ConvModel

    torch.manual_seed(0)
    params = {
        "n_tasks": 2,
        "stem_channels": 4,
        "n_conv": 2,
        "channel_init": 4,
        "pool_func": "max",
        "pool_size": 4,
        "crop_len": 1,
        "final_pool_func": None,
    }
    module = ConvModel(**params).eval()
    old_checkpoint(
        tmp_path / "x.ckpt",
        module,
        params | {"model_type": "ConvModel"},
        train_seq_len=48,
        train_bin_size=4,
        train_genome="hg19",
        tasks={"name": ["x", "y"]},
    )
    model = zoo.load_model(tmp_path / "x.ckpt")
    (spec,) = model.outputs
    assert (model.length, spec.tracks, spec.n_bins, spec.bin_size, spec.offset) == (48, ("x", "y"), 10, 4, 4)
    with torch.inference_mode():
        assert np.array_equal(model.predict(windows(3, 48), batch_size=3), torch.exp(module(windows(3, 48))).numpy())


BORZOI = {
    "n_tasks": 2,
    "stem_channels": 32,
    "init_channels": 32,
    "channels": 64,
    "n_conv": 7,
    "n_transformers": 1,
    "key_len": 8,
    "value_len": 8,
    "n_heads": 2,
    "n_pos_features": 4,
    "crop_len": 3,
    "final_pool_func": None,
}


@pytest.mark.parametrize(("version", "old"), [(None, True), ("1.0.5", True), ("1.0.10", False), ("1.1.0", False)])
def test_borzoi_of_an_old_grelu_keeps_the_activation_and_epsilon_it_was_trained_with(tmp_path, windows, version, old):
    from grelu.model.models import BorzoiModel

    torch.manual_seed(0)
    theirs = BorzoiModel(**BORZOI, **({"act_func": "gelu", "norm_kwargs": {"eps": 1e-5}} if old else {})).eval()
    for norm in (m for m in theirs.modules() if isinstance(m, torch.nn.BatchNorm1d)):
        norm.running_var.uniform_(0.001, 0.01)  # so small that epsilon shows
    other = BorzoiModel(**BORZOI, **({} if old else {"act_func": "gelu", "norm_kwargs": {"eps": 1e-5}})).eval()
    other.load_state_dict(theirs.state_dict())
    train = {"grelu_version": version} if version else {}
    old_checkpoint(tmp_path / "x.ckpt", theirs, BORZOI | {"model_type": "BorzoiModel"}, train, train_seq_len=2048)
    got = zoo.load_model(tmp_path / "x.ckpt").predict(windows(2, 2048), batch_size=2)
    with torch.inference_mode():
        expected, wrong = (torch.exp(module(windows(2, 2048))).numpy() for module in (theirs, other))
    assert np.array_equal(got, expected)
    assert np.abs(wrong - expected).max() > 1e-4


def test_versions_that_are_no_numbers_count_as_new(tmp_path):
    from zoo.models.grelu import read_checkpoint

    hyper = {"model_params": BORZOI | {"model_type": "BorzoiModel"}, "train_params": {"grelu_version": "1.2.0.dev3+g1"}}
    torch.save({"state_dict": {}, "hyper_parameters": hyper, "data_params": {}}, tmp_path / "x.ckpt")
    assert "act_func" not in read_checkpoint(tmp_path / "x.ckpt").model_params
