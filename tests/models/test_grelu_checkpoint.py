"""gReLU checkpoints, made by gReLU itself, against its own `LightningModel.forward`."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

import zoo
from zoo.errors import ModelError

pytest.importorskip("grelu")

CONV = {
    "model_type": "ConvModel",
    "n_tasks": 3,
    "stem_channels": 8,
    "stem_kernel_size": 5,
    "n_conv": 3,
    "channel_init": 8,
    "kernel_size": 3,
    "pool_func": "max",
    "pool_size": 2,
    "final_pool_func": None,
    "crop_len": 2,
    "norm": True,
    "dropout": 0.5,
}
POISSON = {"task": "regression", "loss": "poisson"}
TASKS = {"name": ["CTCF", "DNase", "H3K27ac"], "cell": ["K562", "K562", "GM12878"]}


@pytest.fixture(scope="module")
def lightning_model():
    """gReLU's class: importing it takes some seconds, so once."""
    from grelu.lightning import LightningModel

    return LightningModel


def checkpoint(lightning_model, path, model_params=None, train_params=None, data_params=None):
    """A checkpoint as gReLU's trainer writes it, with numpy arrays among its performance."""
    import pytorch_lightning

    torch.manual_seed(0)
    model = lightning_model(dict(CONV) | (model_params or {}), train_params or dict(POISSON))
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm1d)):
        norm.running_mean.uniform_(-0.1, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
    model.data_params = (
        {"tasks": TASKS, "train": {"seq_len": 64, "bin_size": 4, "intervals": {"chrom": ["chr1"], "start": [0]}}}
        if data_params is None
        else data_params
    )
    model.performance = {"test": {"pearson": np.array([0.5, 0.25]), "mse": np.float64(0.1), "best": [np.float32(1)]}}
    trainer = pytorch_lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_epochs=1)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return model.eval()


def windows(n=5, length=64, seed=0):
    return (
        torch.nn.functional.one_hot(torch.randint(4, (n, length), generator=torch.Generator().manual_seed(seed)), 4)
        .transpose(1, 2)
        .float()
    )


@pytest.mark.parametrize(
    "train_params",
    [
        POISSON,
        {"task": "regression", "loss": "mse"},
        {"task": "binary", "loss": "bce"},
        {"task": "multiclass", "loss": "ce"},
    ],
    ids=["poisson", "mse", "binary", "multiclass"],
)
@pytest.mark.filterwarnings("ignore")
def test_predictions_equal_grelus_forward_exactly(tmp_path, lightning_model, train_params):
    theirs = checkpoint(lightning_model, tmp_path / "x.ckpt", train_params=dict(train_params))
    ours = zoo.load_model(tmp_path / "x.ckpt")
    batch = windows()
    with torch.inference_mode():
        expected = theirs(batch).numpy()
    assert expected.shape == (5, 3, 12) and np.ptp(expected) > 0
    assert np.array_equal(ours.predict(batch, batch_size=5), expected)


@pytest.mark.filterwarnings("ignore")
def test_tasks_become_tracks_and_bins_are_placed(tmp_path, lightning_model):
    checkpoint(lightning_model, tmp_path / "x.ckpt")
    (spec,) = zoo.load_model(tmp_path / "x.ckpt").outputs
    assert spec.tracks == ("CTCF", "DNase", "H3K27ac")
    assert (spec.kind, spec.n_bins, spec.bin_size, spec.offset) == ("profile", 12, 4, 8)  # 2 of 16 bins cropped


@pytest.mark.filterwarnings("ignore")
def test_bins_that_would_not_fit_the_window_have_no_place(tmp_path, lightning_model):
    checkpoint(lightning_model, tmp_path / "x.ckpt", data_params={"train": {"seq_len": 64, "bin_size": 8}})
    model = zoo.load_model(tmp_path / "x.ckpt")
    assert not model.places_bins
    assert (model.outputs[0].n_bins, model.outputs[0].offset) == (12, 0)


@pytest.mark.filterwarnings("ignore")
def test_a_pooled_model_is_scalar(tmp_path, lightning_model):
    theirs = checkpoint(lightning_model, tmp_path / "x.ckpt", {"final_pool_func": "avg"})
    ours = zoo.load_model(tmp_path / "x.ckpt")
    assert ours.outputs[0].kind == "scalar" and ours.places_bins
    with torch.inference_mode():
        assert np.array_equal(ours.predict(windows(), batch_size=5), theirs(windows())[..., 0].numpy())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data_params", [{"train_seq_len": 64, "train_bin_size": 4}, {"val": {"seq_len": 64}}])
def test_data_parameters_of_other_versions(tmp_path, lightning_model, data_params):
    checkpoint(lightning_model, tmp_path / "x.ckpt", data_params=data_params)
    model = zoo.load_model(tmp_path / "x.ckpt")
    assert model.length == 64
    assert model.outputs[0].tracks == ("task_0", "task_1", "task_2")
    # Without a recorded bin size it follows from the architecture: 64 bp / (12 + 2 x 2 cropped) bins.
    assert model.places_bins and (model.outputs[0].bin_size, model.outputs[0].offset) == (4, 8)


@pytest.mark.filterwarnings("ignore")
def test_logits_are_the_predictions_before_the_activation(tmp_path, lightning_model):
    checkpoint(lightning_model, tmp_path / "x.ckpt")
    module = zoo.load_model(tmp_path / "x.ckpt").module
    with torch.inference_mode():
        assert torch.equal(torch.exp(module.logits(windows())), module(windows()))


@pytest.mark.filterwarnings("ignore")
def test_the_windows_layout_is_grelus(tmp_path, lightning_model):
    checkpoint(lightning_model, tmp_path / "x.ckpt")
    loader = zoo.load_model(tmp_path / "x.ckpt").loader
    assert (loader.n_value, loader.use_strand, loader.length) == (0.0, False, 64)


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_without_input_length(tmp_path, lightning_model):
    checkpoint(lightning_model, tmp_path / "x.ckpt", data_params={"tasks": TASKS})
    with pytest.raises(ModelError, match="does not say its input length"):
        zoo.load_model(tmp_path / "x.ckpt")


def test_what_is_no_grelu_checkpoint(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "x.ckpt")
    with pytest.raises(ModelError, match="is not a gReLU checkpoint"):
        zoo.load_model(tmp_path / "x.ckpt")


@pytest.mark.parametrize("params", [{"model_type": "NoSuchModel"}, {"model_type": "ConvModel", "no_such": 1}, {}])
def test_an_architecture_that_cannot_be_built(tmp_path, params):
    torch.save({"state_dict": {}, "hyper_parameters": {"model_params": params}}, tmp_path / "x.ckpt")
    with pytest.raises(ModelError):
        zoo.load_model(tmp_path / "x.ckpt")


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


def test_a_malicious_checkpoint_is_refused_and_did_not_run(tmp_path):
    marker = tmp_path / "marker"
    content = {"state_dict": {}, "hyper_parameters": {"model_params": {}}, "performance": Payload(marker)}
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(ModelError, match="holds more than tensors"):
        zoo.load_model(tmp_path / "x.ckpt")
    assert not marker.exists()
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists(), "the payload does show when it runs"
