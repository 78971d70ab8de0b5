"""What a gReLU checkpoint says of itself, in every layout, from files made without gReLU."""

from __future__ import annotations

import pytest
import torch

from zoo.errors import ModelError
from zoo.models.grelu import activation_name, read_checkpoint


def checkpoint(tmp_path, model_params=None, train_params=None, hyper=None, **top):
    """A file with the parts that gReLU writes; None leaves a part of it out."""
    params = {"model_type": "ConvModel", "n_tasks": 2} | (model_params or {})
    content = {
        "state_dict": {"model.a": torch.ones(1), "loss.weight": torch.ones(2), "model.b": torch.zeros(1)},
        "hyper_parameters": {"model_params": params, "train_params": train_params or {}} | (hyper or {}),
        "pytorch-lightning_version": "2.5.0",
    } | top
    torch.save({key: value for key, value in content.items() if value is not None}, tmp_path / "x.ckpt")
    return read_checkpoint(tmp_path / "x.ckpt")


def test_the_weights_are_those_of_the_model_alone(tmp_path):
    found = checkpoint(tmp_path)
    assert list(found.state) == ["model.a", "model.b"] and len(found.full_state) == 3
    assert (found.recorded_type, found.model_type, found.model_params) == ("ConvModel", "ConvModel", {"n_tasks": 2})
    assert (found.path, found.lightning_version) == (tmp_path / "x.ckpt", "2.5.0")


NESTED = {"tasks": ["a", "b"], "train": {"seq_len": 100, "bin_size": 4, "genome": "hg38"}, "val": {"seq_len": 200}}
FLAT = {"tasks": ["a", "b"], "train_seq_len": 100, "train_bin_size": 4, "train_genome": "hg38", "val_seq_len": 200}


@pytest.mark.parametrize(
    "places",
    [
        {"data_params": NESTED},
        {"data_params": FLAT},
        {"hyper": {"data_params": FLAT}},
        {"hyper": {"data_params": NESTED}},
        {"data_params": FLAT | {"train": {"genome": "hg38"}, "val": {"seq_len": 200}}},
    ],
    ids=["nested", "flat", "flat in hyper_parameters", "nested in hyper_parameters", "a mixture"],
)  # fmt: skip
def test_data_parameters_wherever_they_stand(tmp_path, places):
    found = checkpoint(tmp_path, **places)
    assert found.length == 100 and found.data_number("bin_size") == 4
    assert found.data_text("genome") == "hg38" and found.data_text("assembly") is None
    assert found.data_params["val"] == {"seq_len": 200}
    assert found.tracks(2) == ("a", "b")


@pytest.mark.parametrize(
    ("data", "length"),
    [
        ({"val": {"seq_len": 7}}, 7),
        ({"train": {"padded_seq_len": 9}}, 9),
        ({"train": {"seq_len": 0}, "test": {"seq_len": 5}}, 5),
        ({"train": {"seq_len": True}, "predict": {"seq_len": 6}}, 6),
        ({"train": {"seq_len": "100"}, "val": {"seq_len": 8.0}, "test": {"padded_seq_len": 3}}, 3),
    ],
)
def test_the_length_is_the_first_whole_number_above_nothing(tmp_path, data, length):
    assert checkpoint(tmp_path, data_params=data).length == length


def test_a_model_that_takes_one_length_only_says_it_itself(tmp_path):
    assert checkpoint(tmp_path, {"seq_len": 50}, data_params={"train": {"seq_len": 100}}).length == 50


def test_a_file_that_does_not_say_its_length(tmp_path):
    with pytest.raises(ModelError) as caught:
        _ = checkpoint(tmp_path, data_params={"train": {"bin_size": 4}}).length
    assert caught.value.what == f"{tmp_path / 'x.ckpt'}: the checkpoint does not say its input length"
    assert "model.data_params['train']" in caught.value.fix and caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("tasks", "names"),
    [
        (["a", "b"], ("a", "b")),
        ({"name": ["a", "b"], "cell": ["x", "y"]}, ("a", "b")),
        ([{"name": "a"}, {"name": "b"}], ("a", "b")),
        (["a", "a"], ("a_0", "a_1")),
        ([1, 2], ("1", "2")),
        (["a"], ("task_0", "task_1")),
        ("ab", ("task_0", "task_1")),
        (None, ("task_0", "task_1")),
        ({"cell": ["x", "y"]}, ("task_0", "task_1")),
    ],
)
def test_names_of_tasks(tmp_path, tasks, names):
    assert checkpoint(tmp_path, data_params={"tasks": tasks}).tracks(2) == names


def test_only_names_that_repeat_get_a_number(tmp_path):
    assert checkpoint(tmp_path, data_params={"tasks": ["a", "b", "a"]}).tracks(3) == ("a_0", "b", "a_2")


@pytest.mark.parametrize(
    ("train", "name"),
    [
        ({}, "sigmoid"),
        ({"task": "binary", "loss": "bce"}, "sigmoid"),
        ({"task": "BINARY"}, "sigmoid"),
        ({"task": "multiclass", "loss": "ce"}, "softmax"),
        ({"task": "regression", "loss": "poisson"}, "exp"),
        ({"task": "regression", "loss": "Poisson_Multinomial"}, "exp"),
        ({"task": "regression", "loss": "MSE"}, "identity"),
    ],
)
def test_the_activation_follows_from_task_and_loss(tmp_path, train, name):
    assert activation_name(checkpoint(tmp_path, train_params=train)) == name


@pytest.mark.parametrize(
    "train", [{"task": "regression"}, {"task": "ranking"}, {"task": "regression", "loss": "huber"}]
)
def test_a_task_or_loss_that_is_not_known_is_not_guessed(tmp_path, train):
    with pytest.raises(ModelError, match="no activation is known for task") as caught:
        activation_name(checkpoint(tmp_path, train_params=train))
    assert "regression (poisson, poisson_multinomial, mse), binary and multiclass" in caught.value.extent


def test_where_it_was_trained_says_nothing_of_where_it_runs(tmp_path):
    assert checkpoint(tmp_path, {"device": "cuda:3"}).model_params == {"n_tasks": 2}


@pytest.mark.parametrize(
    ("recorded", "rebuilt"), [("EnformerPretrainedModel", "EnformerModel"), ("BorzoiPretrainedModel", "BorzoiModel")]
)
def test_fine_tunes_of_downloaded_models_are_rebuilt_without_a_download(tmp_path, recorded, rebuilt):
    found = checkpoint(tmp_path, {"model_type": recorded, "fold": 2, "crop_len": 5, "n_transformers": 3})
    assert (found.recorded_type, found.model_type) == (recorded, rebuilt)
    assert "fold" not in found.model_params
    params = found.model_params
    assert (params["crop_len"], params["n_transformers"]) == (5, 3), "what was changed wins over the usual sizes"
    assert params["channels"] == 1536 and params["n_tasks"] == 2


@pytest.mark.parametrize(
    "content",
    [
        [1],
        {"state_dict": {}},
        {"hyper_parameters": {"model_params": {}}},
        {"hyper_parameters": {"model_params": "ConvModel"}, "state_dict": {}},
        {"hyper_parameters": [1], "state_dict": {}},
        torch.ones(2),
    ],
)
def test_other_files_of_torch(tmp_path, content):
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(ModelError, match="is not a gReLU checkpoint") as caught:
        read_checkpoint(tmp_path / "x.ckpt")
    assert caught.value.extent == "it lacks hyper_parameters.model_params or state_dict"


def test_parts_that_may_be_missing(tmp_path):
    found = checkpoint(tmp_path, **{"pytorch-lightning_version": None}, hyper={"train_params": None})
    assert (found.train_params, found.data_params, found.performance) == ({}, {}, {})
    assert (found.task, found.loss, found.lightning_version) == ("binary", "bce", None)
