"""Fine-tunes of Enformer and Borzoi load without their base weights, and equal gReLU's own classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zoo

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]


def base_state(architecture, params):
    """Weights that stand in for the published ones of a base: one number a tensor, of its shape."""
    with torch.device("meta"):
        state = architecture(**params).state_dict()
    return {key: torch.ones((), dtype=value.dtype).expand(value.shape) for key, value in state.items()}


def randomize(module):
    """Other numbers everywhere; none is left zero."""
    generator = torch.Generator().manual_seed(1)
    for value in module.state_dict().values():
        if value.ndim > 1:
            value.normal_(0, (value.numel() / len(value)) ** -0.5, generator=generator)
        elif value.is_floating_point():
            value.uniform_(0.5, 1.5, generator=generator)


def save(path, module, params, length):
    state = {f"model.{key}": value for key, value in module.state_dict().items()}
    hyper = {"model_params": params, "train_params": {"task": "regression", "loss": "mse"}}
    data = {"train": {"seq_len": length}, "tasks": {"name": ["a", "b"]}}
    torch.save({"state_dict": state, "hyper_parameters": hyper, "data_params": data, "performance": {}}, path)


@pytest.mark.parametrize(
    ("name", "base", "base_params", "length", "options"),
    [
        (
            "EnformerPretrainedModel",
            "EnformerModel",
            {"n_tasks": 5313, "final_pool_func": None},
            2048,
            {"n_transformers": 2, "crop_len": 3, "final_pool_func": None},
        ),
        (
            "BorzoiPretrainedModel",
            "BorzoiModel",
            {"n_tasks": 7611, "final_pool_func": None, "crop_len": 0},
            4096,
            {"fold": 2, "n_transformers": 3},
        ),
    ],
)
def test_a_fine_tune_equals_the_class_it_was_made_with(
    tmp_path, monkeypatch, windows, name, base, base_params, length, options
):
    import grelu.model.models as architectures

    weights = tmp_path / "base.h5"
    torch.save(base_state(getattr(architectures, base), base_params), weights)
    asked = []
    monkeypatch.setattr("grelu.resources.download_model", lambda **given: asked.append(given) or str(weights))
    with monkeypatch.context() as uninitialized:  # whatever is drawn would be overwritten
        for drawn in ("kaiming_uniform_", "uniform_", "normal_", "trunc_normal_", "xavier_uniform_"):
            uninitialized.setattr(torch.nn.init, drawn, lambda tensor, *_, **__: tensor)
        theirs = getattr(architectures, name)(n_tasks=2, **options).eval()
    assert len(asked) == 1 and asked[0]["repo_id"].startswith("Genentech/")
    assert all(value.eq(1).all() for key, value in theirs.state_dict().items() if ".conv_tower.blocks.0." in key)
    randomize(theirs)
    weights.unlink()

    def refuse(*arguments, **given):
        raise AssertionError("a download was tried")

    monkeypatch.setattr("grelu.resources.download_model", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    save(tmp_path / "x.ckpt", theirs, {"model_type": name, "n_tasks": 2} | options, length)
    ours = zoo.load_model(tmp_path / "x.ckpt")
    batch = windows(2, length)
    with torch.inference_mode():
        expected = theirs(batch).numpy()
    assert np.ptp(expected) > 0
    got = ours.predict(batch, batch_size=2)
    assert np.array_equal(got, expected.reshape(got.shape))
    assert ours.info["model_type"] == name
    assert (ours.outputs[0].kind, ours.outputs[0].n_bins) == (
        ("profile", length // 128 - 6) if base == "EnformerModel" else ("scalar", 1)
    )
