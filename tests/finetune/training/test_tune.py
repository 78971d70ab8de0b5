"""The search: what is drawn, what is best, and runs that fail."""

import csv
import math
import os
import subprocess

import pytest

from finetune.config import FinetuneConfig
from finetune.config_file import load_config
from finetune.training.tune import DEFAULT_SPACE, draw, search
from zoo.errors import InputError, SystemStateError, UsageError

SPACE = {"train.lr": {"loguniform": [1e-4, 1e-2]}, "mode": ["head", "lora"], "lora.rank": {"integers": [1, 4]}}


def test_what_is_drawn_lies_in_the_space():
    found = draw(SPACE | {"train.average": {"uniform": [0.5, 0.9]}}, 400, 0)
    assert all(1e-4 <= one["train.lr"] <= 1e-2 and 0.5 <= one["train.average"] <= 0.9 for one in found)
    assert {one["mode"] for one in found} == {"head", "lora"}
    assert {one["lora.rank"] for one in found} == {1, 2, 3, 4}
    below = sum(one["train.lr"] < 1e-3 for one in found)  # half of a log-uniform range
    assert 160 < below < 240


def test_the_seed_decides():
    assert draw(SPACE, 5, 3) == draw(SPACE, 5, 3)
    assert draw(SPACE, 5, 3) != draw(SPACE, 5, 4)
    assert draw(SPACE, 3, 3) == draw(SPACE, 5, 3)[:3]


def test_nothing_is_drawn_twice_where_there_is_more():
    found = draw({"mode": ["head", "lora", "full"], "lora.rank": [4, 8]}, 6, 0)
    assert len({tuple(one.items()) for one in found}) == 6
    assert len(draw({"mode": ["head"]}, 3, 0)) == 3


@pytest.mark.parametrize(
    "entry", [[], 3, "head", {"loguniform": [0, 1]}, {"uniform": [2, 1]}, {"integers": [0.5, 2]}, {"normal": [0, 1]}]
)
def test_an_entry_that_is_no_range(entry):
    with pytest.raises(UsageError, match=r"train\.lr"):
        draw({"train.lr": entry}, 2, 0)


def test_the_default_space_can_be_set(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(
        "base: b\ntargets: [{name: t, files: t.bw}]\nsplit: {validation: [chr1], test: [chr2]}\n", encoding="utf-8"
    )
    for one in draw(DEFAULT_SPACE, 20, 0):
        config = load_config(file, tuple(f"{key}={value}" for key, value in one.items()))
        assert isinstance(config, FinetuneConfig)
        assert config.train.lr == pytest.approx(one["train.lr"])
        assert config.lora.rank == one["lora.rank"]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """One search: lr near 1e-3 is best, mode ``lora`` is 1 worse, rank 1 fails in one of three ways."""
    pytest.importorskip("ray")
    folder = tmp_path_factory.mktemp("a folder with a name that is much longer than any socket's may be" * 2)
    before, told = dict(os.environ), []

    def run(overrides, report):
        value = abs(math.log10(overrides["train.lr"]) + 3) + (overrides["mode"] == "lora")
        for epoch in range(1, 5):
            if overrides["lora.rank"] == 1 and epoch == 2:
                if overrides["mode"] == "head":
                    raise InputError("this run cannot be", "", "")
                return math.nan
            report(epoch, value + 1 / epoch)
        return value + 1 / 4

    run.__module__ = "__main__"  # pickled whole: the workers do not have this file
    result = search(run, SPACE, 12, 1, 2, folder=folder, epochs=4, tell=told.append)
    assert dict(os.environ) == before
    return result, folder, told


@pytest.mark.slow
def test_the_best_of_validation(found):
    result, _, _ = found
    drawn = draw(SPACE, 12, 1)
    good = {i: one for i, one in enumerate(drawn) if one["lora.rank"] > 1}
    value = {i: abs(math.log10(one["train.lr"]) + 3) + (one["mode"] == "lora") for i, one in good.items()}
    assert result.best == drawn[min(value, key=value.get)]
    assert [row["trial"] for row in result.trials] == list(range(12))
    for row in result.trials:
        if row["state"] == "finished":
            assert row["val_loss"] == pytest.approx(value[row["trial"]] + 1 / 4)
        if row["state"] == "stopped":
            assert row["epochs"] < 4
            assert row["val_loss"] == pytest.approx(value[row["trial"]] + 1 / row["epochs"])


@pytest.mark.slow
def test_failed_runs_are_counted_and_end_nothing(found):
    result, _, told = found
    bad = [row for row in result.trials if row["state"] == "failed"]
    assert result.failed == len(bad) == sum(row["lora.rank"] == 1 for row in result.trials) > 0
    for row in bad:
        assert math.isnan(row["val_loss"])
        assert ("this run cannot be" if row["mode"] == "head" else "nan") in row["error"]
    assert sorted(row["trial"] for row in told) == list(range(12))


@pytest.mark.slow
def test_the_table_of_trials(found):
    result, folder, _ = found
    assert [path.name for path in folder.iterdir()] == ["trials.tsv"]
    with open(folder / "trials.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["state"] for row in rows] == [row["state"] for row in result.trials]
    assert float(rows[0]["train.lr"]) == result.trials[0]["train.lr"]


@pytest.mark.slow
def test_nothing_is_left_running(found):
    import ray

    assert not ray.is_initialized()
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True)
    assert not [name for name in children.stdout.split() if "ray" in name or "gcs" in name]


@pytest.mark.slow
def test_every_run_fails_and_a_process_dies(tmp_path):
    pytest.importorskip("ray")

    def run(overrides, report):
        os._exit(3) if overrides["mode"] == "head" else (_ for _ in ()).throw(ValueError("no such mark"))

    run.__module__ = "__main__"
    with pytest.raises(InputError, match="every run failed") as error:
        search(run, {"mode": ["head", "lora"]}, 2, 0, 2, folder=tmp_path)
    assert error.value.extent == "2 runs"


def test_no_cluster_at_the_address():
    pytest.importorskip("ray")
    with pytest.raises(SystemStateError, match=r"127\.0\.0\.1:1"):
        search(lambda overrides, report: 0.0, SPACE, 1, 0, None, address="127.0.0.1:1")
