"""An attribution that was killed or interrupted goes on where it stood, and gives the arrays of one that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from toys import make_toy_entry

from interpret.attribute.attribute import attribute
from interpret.attribute.explainer import Explainer
from zoo.cli import run

#: The command, with a checkpoint after every step instead of every ten seconds.
PROGRAM = "import zoo.run.file_run; zoo.run.file_run.CHECKPOINT_SECONDS = 0; from zoo.cli import main; main()"
WINDOWS = 800


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    found = make_toy_entry(folder / "toy", "gc")
    rows = (f"chrA\t{i % 350}\t{i % 350 + 30}\tn{i}\t0\t{'+-'[i % 2]}\n" for i in range(WINDOWS))
    (folder / "many.bed").write_text("".join(rows))
    return found


@pytest.fixture(scope="module")
def whole(toy):
    """The file of a run that nobody interrupted."""
    out = toy.folder.parent / "whole.h5"
    attribute(toy.folder, toy.folder.parent / "many.bed", toy.genome, out, references="2", trust=True, strand="use")
    return out


def arguments(toy, out, *more):
    return [
        str(a)
        for a in (
            "attribute",
            toy.folder,
            toy.folder.parent / "many.bed",
            "-g",
            toy.genome,
            "--trust",
            "--references",
            2,
            "--strand",
            "use",
            "-o",
            out,
            *more,
        )
    ]


def interrupted(toy, out, number):
    """Start a run and send it a signal once three steps are journaled; (exit code, rows journaled, standard error)."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments(toy, out, "-q")], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    journal, end = out.with_name(f"{out.name}.partial.json"), time.monotonic() + 300
    while not (journal.is_file() and rows_of(journal) >= 48):
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.005)
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert not out.exists()
    return process.returncode, rows_of(journal), err


def rows_of(journal):
    return json.loads(journal.read_text())["rows"]


def assert_same(a, b):
    with h5py.File(a) as left, h5py.File(b) as right:
        names = []
        left.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert len(names) == 19
        for name in names:
            assert np.array_equal(left[name][:], right[name][:], equal_nan=left[name].dtype.kind == "f"), name
        assert len(left["one_hot"]) == WINDOWS


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_resumed_run_gives_the_same_arrays(toy, whole, tmp_path, capsys, number):
    out = tmp_path / "c.h5"
    code, rows, err = interrupted(toy, out, number)
    assert 48 <= rows < WINDOWS
    left = {"c.h5.partial", "c.h5.partial.json"}
    if number == signal.SIGINT:
        assert code == 130
        assert "interrupted" in err and "--resume" in err and "zoo attribute" in err
        assert {path.name for path in tmp_path.iterdir()} == left
    else:
        assert code == -signal.SIGKILL
    assert run(arguments(toy, out, "--resume", "--seed", "1")) == 2
    assert "had another seed: 0, now 1" in capsys.readouterr().err
    assert run(arguments(toy, out, "--resume")) == 0
    assert f"resuming after {rows:,} windows" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"c.h5"}
    assert_same(out, whole)


def test_a_damaged_spool_is_said_and_a_fresh_start_helps(toy, whole, tmp_path, capsys, monkeypatch):
    out, forward = tmp_path / "c.h5", Explainer.forward

    def until_the_fourth_step(self, one_hot, first):
        if first >= 48:
            raise KeyboardInterrupt
        return forward(self, one_hot, first)

    with monkeypatch.context() as patched:
        patched.setattr(Explainer, "forward", until_the_fourth_step)
        assert run(arguments(toy, out)) == 130
    assert rows_of(tmp_path / "c.h5.partial.json") == 48
    with open(tmp_path / "c.h5.partial" / "values.0", "r+b") as file:
        file.truncate(100)
    assert run(arguments(toy, out, "--resume")) == 7
    assert "shorter than its checkpoint" in capsys.readouterr().err
    assert run(arguments(toy, out, "-q")) == 0
    assert_same(out, whole)


def test_resume_without_an_earlier_run_starts_and_says_so(toy, whole, tmp_path, capsys):
    assert run(arguments(toy, tmp_path / "c.h5", "--resume")) == 0
    assert "nothing to resume" in capsys.readouterr().err
    assert_same(tmp_path / "c.h5", whole)
