"""Ctrl-C, SIGTERM and SIGKILL in the middle of a run: nothing bears the final name, and --resume goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from toys import make_toy_entry

from .conftest import COMMAND, Answer

# The model says in the file MARK that a batch begins, and stops at batch STOP_AT for as long as MARK.stop is there.
SLOW = """\
import os, time
from torch.nn.modules.module import register_module_forward_pre_hook

def _wait(module, inputs):
    if len(inputs[0]) > 1:
        with open(os.environ["MARK"], "a") as mark:
            mark.write(".")
        begun = os.path.getsize(os.environ["MARK"])
        while begun >= int(os.environ["STOP_AT"]) and os.path.exists(os.environ["MARK"] + ".stop"):
            time.sleep(0.01)

if "MARK" in os.environ:  # not where the example is made: the hook would stay in that process
    register_module_forward_pre_hook(_wait)
"""
BATCHES_A_BLOCK = 32  # of 200 windows of 40 bp, in blocks of 256 kb


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    return make_toy_entry(tmp_path_factory.mktemp("slow") / "slow", "profile", module_prefix=SLOW)


@pytest.fixture
def bed(shell):
    rows = (f"chrA\t{i % 350}\t{i % 350 + 30}\tn{i}\t0\t+\n" for i in range(14_000))
    return shell.write("many.bed", "".join(rows))


class Run:
    """A prediction in a process of its own, which has begun ``stop_at`` batches and waits in the last of them."""

    def __init__(self, shell, toy, stop_at: int, out: str = "out.tsv") -> None:
        self.mark = shell.folder.parent / "mark"
        self.mark.write_text("")
        self.stop = shell.folder.parent / "mark.stop"
        self.stop.write_text("")
        arguments = [toy.folder, "many.bed", "-g", toy.genome, "--trust", "-q", "-o", out, "--batch-size", "200"]
        self.process = subprocess.Popen(
            [*COMMAND, "predict", *map(str, arguments)],
            cwd=shell.folder,
            env=os.environ | {"MARK": str(self.mark), "STOP_AT": str(stop_at)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        end = time.monotonic() + 300
        while self.mark.stat().st_size < stop_at and self.process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert self.process.poll() is None, self.process.communicate()

    def answer(self) -> Answer:
        out, err = self.process.communicate(timeout=300)
        return Answer(self.process.returncode, out, err)


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    """Results of runs that nobody interrupted, by suffix."""
    return {}


def expected(whole, shell, slow, bed, suffix: str) -> bytes:
    if suffix in whole:
        return whole[suffix]
    name = f"whole.{suffix}"
    repeat(shell, slow, bed, out=name).notes()
    data = (shell.folder / name).read_bytes()
    (shell.folder / name).unlink()
    (shell.folder / f"{name}.run.json").unlink()
    return whole.setdefault(suffix, data)


def repeat(shell, slow, bed, *more: str, out: str = "out.tsv") -> Answer:
    arguments = ["-g", slow.genome, "--trust", "--batch-size", "200", "-o", out]
    return shell.zoo("predict", slow.folder, bed, *arguments, *more)


def resume(shell, slow, bed, *more: str, out: str = "out.tsv") -> Answer:
    return repeat(shell, slow, bed, "--resume", *more, out=out)


@pytest.mark.parametrize(
    ("signals", "suffix"),
    [((signal.SIGINT,), "tsv"), ((signal.SIGTERM,), "bw"), ((signal.SIGINT, signal.SIGINT, signal.SIGTERM), "tsv.gz")],
    ids=["Ctrl-C", "SIGTERM", "Ctrl-C again and again"],
)
def test_an_interrupted_run_is_resumed(shell, slow, bed, whole, signals, suffix):
    out = f"out.{suffix}"
    run = Run(shell, slow, BATCHES_A_BLOCK + 5, out=out)
    for number in signals:
        run.process.send_signal(number)
        time.sleep(0.03)
    message = run.answer().error(130)
    assert "interrupted" in message and "--resume" in message
    assert shell.files() == {"many.bed", f"{out}.partial", f"{out}.partial.json"}
    rows = json.loads((shell.folder / f"{out}.partial.json").read_text())["rows"]
    assert 0 < rows < 14_000
    other = resume(shell, slow, bed, "--edges", "skip", out=out).error(2)
    assert 'had another edges: "pad", now "skip"' in other
    assert f"resuming after {rows:,} windows" in resume(shell, slow, bed, out=out).notes()
    assert shell.files() == {"many.bed", out, f"{out}.run.json"}
    assert (shell.folder / out).read_bytes() == expected(whole, shell, slow, bed, suffix)


def test_an_interruption_before_anything_was_written_leaves_nothing(shell, slow, bed):
    run = Run(shell, slow, 2)
    run.process.send_signal(signal.SIGINT)
    run.answer().error(130)
    assert shell.files() == {"many.bed"}
    assert "nothing to resume" in resume(shell, slow, bed).notes()


@pytest.mark.parametrize("again", [["--resume"], []], ids=["resume", "fresh"])
def test_a_killed_run_leaves_nothing_under_the_final_name(shell, slow, bed, whole, again):
    run = Run(shell, slow, BATCHES_A_BLOCK + 5)
    run.process.kill()
    assert run.answer().code == -signal.SIGKILL
    assert "out.tsv" not in shell.files()
    repeat(shell, slow, bed, *again).notes()
    assert shell.files() == {"many.bed", "out.tsv", "out.tsv.run.json"}
    assert (shell.folder / "out.tsv").read_bytes() == expected(whole, shell, slow, bed, "tsv")


def test_two_runs_at_once(shell, slow, bed):
    run = Run(shell, slow, 2)
    message = shell.zoo("predict", slow.folder, bed, "-g", slow.genome, "--trust", "-q", "-o", "out.tsv").error(2)
    assert f"process {run.process.pid}" in message
    run.stop.unlink()
    run.answer().notes()
    assert shell.files() == {"many.bed", "out.tsv", "out.tsv.run.json"}


def test_a_damaged_journal(shell, slow, bed):
    shell.write("out.tsv.partial.json", "{")
    assert "is damaged" in resume(shell, slow, bed).error(2)
