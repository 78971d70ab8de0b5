"""`zoo benchmark`: what is measured is the model, in a process of its own; what is written is one run a measurement."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from toys import make_toy_entry

import zoo
from zoo.cli import run as zoo_command
from zoo.entries.benchmark import benchmark
from zoo.errors import InputError, ModelError, SystemStateError, TrustError, UsageError
from zoo.store.speed import NEEDED, read_parameters, read_speed, speed_line, with_run

# Takes 0.1 s a window and, once, 80 MB: known before anything is measured.
SLOW = """
import time, torch
_forward = torch.nn.Module.__call__
def _slow(self, *args, **kwargs):
    if type(self).__name__ == "GcContent":
        time.sleep(0.1 * len(args[0]))
        if not hasattr(self, "warm"):
            self.warm = bool(torch.ones(20_000_000).sum())
    return _forward(self, *args, **kwargs)
torch.nn.Module.__call__ = _slow
"""
N_PARAMETERS = 1  # of the toy: its scale


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run of a model whose speed is known, and its file."""
    folder = tmp_path_factory.mktemp("benchmark")
    toy = make_toy_entry(folder / "toy", "gc", module_prefix=SLOW)
    options = {"device": "cpu", "threads": 1, "batch_size": 3, "windows": 5, "trust": True}
    return toy, benchmark(toy.folder, out=folder / "speed.json", **options), options


@pytest.fixture(scope="module")
def measured_again(measured):
    """Written into the entry while a block is held here: the peak of a process that counts its parent's."""
    toy, _, options = measured
    block, notes, path = np.ones(800_000_000, np.uint8), [], toy.folder / "benchmark.json"
    run = benchmark(toy.folder, write=True, report=notes.append, **(options | {"windows": 1}))
    document, facts = json.loads(path.read_text()), zoo.info(toy.folder)
    path.unlink()
    return len(block), run, notes, document, facts


def test_windows_a_second_are_those_of_the_model(measured):
    _, run, _ = measured
    assert 4 < run["windows_per_second"] <= 10  # 10 at most, by what it sleeps; less where the machine is busy
    assert 2 < run["predict_windows_per_second"] <= 10
    low, high = run["windows_per_second_range"]
    assert low <= run["windows_per_second"] <= high
    assert (run["windows"], run["batch_size"], run["threads"], run["device"]) == (5, 3, 1, "cpu")


def test_memory_is_that_of_the_process_and_what_the_model_took_of_it(measured):
    _, run, _ = measured
    assert run["peak_memory_bytes"] - run["baseline_memory_bytes"] >= 80_000_000
    assert 50_000_000 < run["baseline_memory_bytes"] < run["peak_memory_bytes"] < 2_000_000_000


def test_what_this_process_holds_is_not_counted(measured, measured_again):
    block, run = measured_again[:2]
    assert block > run["peak_memory_bytes"]
    assert abs(run["peak_memory_bytes"] - measured[1]["peak_memory_bytes"]) < 200_000_000


def test_the_file_says_all_that_is_needed(measured):
    toy, run, _ = measured
    document = json.loads((toy.folder.parent / "speed.json").read_text())
    kept = {key: value for key, value in run.items() if key != "parameters"}
    assert document == {"schema_version": 1, "parameters": N_PARAMETERS, "runs": [kept]} and set(NEEDED) <= set(kept)
    assert run["parameters"] == N_PARAMETERS == read_parameters(toy.folder.parent / "speed.json")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", run["date"]) and run["hardware"] and run["versions"]["torch"]
    assert run["command"] == (f"zoo benchmark {toy.folder} --device cpu --threads 1 --batch-size 3 --windows 5 --trust")
    assert not list(toy.folder.parent.glob("*.partial*"))
    assert 0 <= run["load_average"] < 10_000
    assert run["busy"] is True  # it sleeps most of the time: a thread that has no core of its own
    assert run["windows_per_cpu_second"] > 10  # it sleeps, which takes no core


def test_an_entry_gets_no_speed_of_a_busy_machine(measured, measured_again):
    """A figure that is several times wrong is worse than none; how many parameters there are no machine changes."""
    _, run, notes, document, facts = measured_again
    assert document == {"schema_version": 1, "parameters": N_PARAMETERS, "runs": []}
    assert run["busy"] and "not this run: measure again when the machine is idle" in notes[-1], notes
    assert facts["parameters"] == N_PARAMETERS and "benchmark" not in facts
    assert f"parameters {N_PARAMETERS:,}" in repr(facts)


def test_info_shows_it(measured, capsys):
    toy, run, _ = measured
    shutil.copy(toy.folder.parent / "speed.json", toy.folder / "benchmark.json")
    facts = zoo.info(toy.folder)
    run = {key: value for key, value in run.items() if key != "parameters"}
    assert facts["benchmark"] == [run] and "windows/s" in repr(facts) and "windows/s" in facts._repr_html_()
    assert zoo_command(["info", str(toy.folder)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("speed")]
    assert line == f"speed      {speed_line(run)}" and "1 thread, float32, 3 windows a batch" in line


# ---------------------------------------------------------------- one run a measurement


def made(**changes):
    run = dict.fromkeys(NEEDED, "x") | {"windows_per_second": 811.6, "peak_memory_bytes": 412_000_000, "threads": 1}
    return run | {"device": "cpu", "hardware": "H", "precision": "float32", "batch_size": 32} | changes


def test_the_same_measurement_is_replaced_and_others_stay():
    runs = [made(windows_per_second=1), made(device="cuda"), made(batch_size=8)]
    again = made(windows_per_second=2)
    assert with_run(runs, again) == {"schema_version": 1, "runs": [again, *runs[1:]]}
    for change in ({"device": "mps"}, {"hardware": "I"}, {"precision": "float16"}, {"batch_size": 1}, {"threads": 2}):
        other = made(**change)
        assert with_run(runs, other)["runs"] == [*runs, other]
    assert with_run([runs[0], runs[0]], again)["runs"] == [again]
    assert with_run([], again)["runs"] == [again]
    assert with_run(runs, None, 7) == {"schema_version": 1, "parameters": 7, "runs": runs}


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({}, "812 windows/s, 412.0 MB, cpu (H), 1 thread, float32, 32 windows a batch (x)"),
        ({"threads": None, "device": "cuda"}, "812 windows/s, 412.0 MB, cuda (H), float32, 32 windows a batch"),
        ({"windows_per_second": 0.051, "batch_size": 1, "threads": 2}, "0.051 windows/s, 412.0 MB, cpu (H), 2 threads"),
        ({"windows_per_second": 1.0}, "1 window/s"),
        (
            {"busy": True, "windows_per_cpu_second": 5000.0},
            "812 windows/s, 412.0 MB, cpu (H), 1 thread, float32, 32 windows a batch, on a busy machine: 5,000 "
            "windows a second of CPU (x)",
        ),
        ({"windows_per_second": 123456.0, "peak_memory_bytes": 2.5e9}, "123,456 windows/s, 2.50 GB"),
    ],
)
def test_a_run_in_one_line(changes, begins):
    assert speed_line(made(**changes)).startswith(begins)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema_version": 2, "runs": []}',
        '{"schema_version": 1, "runs": [{}]}',
        '{"schema_version": 1}',
        '{"schema_version": 1, "runs": 3}',
        '{"schema_version": 1, "parameters": "many", "runs": []}',
        "\x00\xff",
    ],
)
def test_a_file_that_is_something_else_is_not_written_over(tmp_path, text):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    path = toy.folder / "benchmark.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"is no file of `zoo benchmark`") as caught:
        benchmark(toy.folder, write=True, trust=True)
    assert str(path) in caught.value.fix and path.read_text() == text
    with pytest.raises(InputError):
        read_speed(path)
    assert read_speed(tmp_path / "none.json") == []


# ---------------------------------------------------------------- what is refused, before anything is measured


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"write": True, "out": "x.json"}, UsageError, "two files"),
        ({"out": "x.txt"}, UsageError, "written as .json"),
        ({"out": "no/folder/x.json"}, UsageError, "does not exist"),
        ({"threads": 0}, UsageError, "--threads 0"),
        ({"batch_size": 0}, UsageError, "--batch-size 0"),
        ({"batch_size": "many"}, UsageError, "--batch-size many"),
        ({"windows": -1}, UsageError, "--windows -1"),
    ],
)
def test_options_that_make_no_sense(tmp_path, monkeypatch, options, error, words):
    monkeypatch.chdir(tmp_path)
    toy = make_toy_entry(tmp_path / "toy", "gc")
    with pytest.raises(error, match=words):
        benchmark(toy.folder, trust=True, **options)


def test_only_an_entry_of_ones_own_is_written(tmp_path):
    import h5py

    with pytest.raises(UsageError, match="a model of a group"):
        benchmark(next(one["name"] for one in zoo.entries() if one["group"] == "deepbind"), write=True)
    with pytest.raises(ModelError):
        benchmark("no-such-model", write=True)
    h5py.File(tmp_path / "x.h5", "w").close()
    with pytest.raises(ModelError):
        benchmark(tmp_path / "x.h5", write=True)


def test_what_the_process_refuses_comes_back_as_it_was(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    with pytest.raises(TrustError):
        benchmark(toy.folder, windows=1)
    with pytest.raises(SystemStateError, match="--device cuda"):
        benchmark(toy.folder, device="cuda", trust=True, windows=1, out=tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()
