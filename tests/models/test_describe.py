"""`zoo info` of a checkpoint that is given by its path."""

from __future__ import annotations

import json

import pytest
import torch

from zoo.cli import run

PARAMS = {"model_type": "ConvModel", "n_tasks": 2, "stem_channels": 8}
DATA = {"tasks": {"name": ["CTCF", "DNase"]}, "train": {"seq_len": 64, "bin_size": 4, "genome": "hg38"}}


def checkpoint(path, data=None, **changes):
    hyper = {"model_params": PARAMS, "train_params": {"task": "regression", "loss": "poisson"}}
    content = {"state_dict": {}, "hyper_parameters": hyper, "data_params": DATA if data is None else data} | changes
    torch.save(content, path)
    return path


def test_what_a_checkpoint_records_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path / "m.ckpt")
    for name in ("m.ckpt", "./m.ckpt", str(tmp_path / "m.ckpt")):
        assert run(["info", name]) == 0
        told = capsys.readouterr().out
        assert "gReLU checkpoint of a ConvModel, trained with the loss poisson" in told
        assert "CTCF, DNase" in told and "64 bp of one-hot sequence" in told and "hg38" in told
    assert run(["info", "m.ckpt", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["framework"] == "grelu" and facts["outputs"][0]["tracks"] == ["CTCF", "DNase"]


def test_a_checkpoint_that_does_not_say_its_length(tmp_path, capsys):
    path = checkpoint(tmp_path / "m.ckpt", {"train": {"genome": "/data/hg38.fa"}})
    assert run(["info", str(path)]) == 0
    told = capsys.readouterr().out
    assert "data_params lacks train.seq_len" in told and "2 tracks without names" in told
    assert "/data/hg38.fa" not in told  # a path is no assembly


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such model folder or file"),
        (b"", "is not a weights file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git LFS pointer"),
        ("other", "is not a gReLU checkpoint"),
    ],
)
def test_what_is_no_checkpoint_says_what_to_do(tmp_path, capsys, content, told):
    path = tmp_path / "m.ckpt"
    if content == "other":
        torch.save({"weights": torch.zeros(2)}, path)
    elif content is not None:
        path.write_bytes(content)
    assert run(["info", str(path)]) == 4
    lines = capsys.readouterr().err.splitlines()
    assert told in lines[0] and len(lines) == 3 and lines[2].startswith("  Fix: ")
