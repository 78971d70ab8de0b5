"""Results that cannot be written, exist already, go to a pipe, or fill the disk."""

from __future__ import annotations

import fcntl
import os

import h5py
import pytest

import zoo
from zoo.errors import UsageError

FORMATS = ["tsv", "tsv.gz", "bed", "bedgraph", "bg.gz", "bw", "h5", "zarr", "parquet"]


@pytest.fixture
def bed(shell):
    return shell.toys["gc"].regions


OPTIONS = {
    "batch size 0": (["--batch-size", "0"], "--batch-size 0"),
    "batch size abc": (["--batch-size", "abc"], "--batch-size abc"),
    "limit 0": (["--limit", "0"], "'--limit'"),
    "stride without tiles": (["--stride", "10"], "add --window tile"),
    "stride 0": (["--window", "tile", "--stride", "0"], "'--stride'"),
    "edges": (["--edges", "foo"], "'pad', 'skip', 'error'"),
    "misspelt option": (["--devise", "cpu"], "--device"),
    "value for a flag": (["--resume=3"], "--resume"),
    "format": (["--format", "xyz"], "'xyz' is not known"),
    "too many": (["more"], "unexpected extra argument"),
}


@pytest.mark.parametrize(("options", "told"), OPTIONS.values(), ids=list(OPTIONS))
def test_options(shell, bed, options, told):
    assert told in shell.refused(bed, 2, *options)


OUTPUTS = {
    "suffix": ("x.vcf", "predictions are written as .tsv"),
    "no suffix": ("x", "Fix: -o x.tsv"),
    "no folder": ("nodir/x.tsv", "mkdir -p nodir"),
    "folder": (".", "is a folder"),
    "proc": ("/proc/x.tsv", "cannot be written"),
}


@pytest.mark.parametrize(("out", "told"), OUTPUTS.values(), ids=list(OUTPUTS))
@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_outputs(shell, bed, out, told, more):
    assert told in shell.refused(bed, 2, *more, out=out)


def test_formats_that_need_a_file(shell, bed):
    assert "cannot be written to standard output" in shell.refused(bed, 2, "--format", "h5", out="-")
    assert "add -o OUT" in shell.refused(bed, 2, "--resume", out="-")


def test_pipes_and_devices_are_not_replaced(shell, bed):
    os.mkfifo(shell.folder / "pipe.tsv")
    assert "pipe or device" in shell.refused(bed, 2, out="pipe.tsv")
    assert (shell.folder / "pipe.tsv").is_fifo()


def test_inputs_are_not_replaced(shell, bed):
    same = shell.write("same.bed", bed.read_text())
    assert "is an input of this command" in shell.refused(same, 2, out="same.bed")
    assert (shell.folder / "same.bed").read_text() == bed.read_text()


def test_a_folder_that_is_no_zarr_store_is_kept(shell, bed):
    (shell.folder / "x.zarr").mkdir()
    (shell.folder / "x.zarr" / "mine").write_text("precious")
    assert "not a Zarr 3 store" in shell.refused(bed, 2, out="x.zarr")
    assert (shell.folder / "x.zarr" / "mine").read_text() == "precious"


@pytest.mark.parametrize("name", ["keep.tsv", "keep.h5"])
def test_an_older_result_is_kept_when_the_run_fails_and_else_replaced(shell, bed, name):
    shell.write(name, "precious")
    shell.refused(shell.write("bad.bed", "chrA\t9\t5\n"), 3, out=name)
    assert (shell.folder / name).read_text() == "precious"
    shell.predict(bed, out=name).notes()
    assert (shell.folder / name).read_bytes() != b"precious"


def test_a_read_only_folder(shell, bed, read_only):
    assert "Read-only file system" in shell.refused(bed, 2, out=read_only() / "x.tsv")


def many(shell, n=4000) -> str:
    rows = (f"chrA\t{i % 350}\t{i % 350 + 30}\tn{i * 7919 % 9973}\t0\t+\n" for i in range(n))
    return shell.write("many.bed", "".join(rows))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk(shell, small_disk, suffix):
    """HDF5's and bigWig's libraries may crash in it, hence tests/writers has this in processes of their own too."""
    (small_disk / "filler").write_bytes(bytes(48_000))
    out = small_disk / f"o.{suffix}"
    message = shell.predict(many(shell), "-q", kind="profile", out=out).error(7)
    assert "the disk is full" in message
    assert os.listdir(small_disk) == ["filler"]


@pytest.mark.parametrize("suffix", ["tsv", "h5", "bw"])
def test_a_limit_of_the_file_size(shell, suffix):
    toy = shell.toys["profile"]
    answer = shell.bash(
        f"ulimit -f 20; zoo predict '{toy.folder}' {many(shell)} -g '{toy.genome}' --trust -q -o o.{suffix}"
    )
    assert "ulimit -f" in answer.error(7)
    assert shell.files() == {"many.bed"}


def test_the_record_of_the_run_is_no_reason_to_lose_the_result(shell, bed):
    (shell.folder / "x.tsv.run.json.partial").mkdir()
    assert "could not be written" in shell.predict(bed, out="x.tsv").notes()
    assert (shell.folder / "x.tsv").exists()


def test_two_runs_do_not_write_the_same_result(shell, bed):
    lock = shell.folder / "out.tsv.partial.lock"
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert "is being written by another run" in shell.refused(bed, 2, "-q")
    shell.predict(bed, out="out.tsv").notes()
    assert shell.files() == {"out.tsv", "out.tsv.run.json"}


# Standard output


def test_standard_output_is_the_same_as_a_file(shell, bed):
    shell.predict(bed).notes()
    assert shell.predict(bed, out="-").out == (shell.folder / "out.tsv").read_text()
    shell.predict(bed, out="x.bed").notes()
    assert shell.predict(bed, "--format", "bed", out="-").out == (shell.folder / "x.bed").read_text()


def test_standard_output_that_is_full_closed_or_left(shell):
    toy = shell.toys["gc"]
    command = f"zoo predict '{toy.folder}' {many(shell, 8000)} -g '{toy.genome}' --trust -q"
    left = shell.bash(f"set -o pipefail; {command} | head -1")
    assert (left.code, left.err) == (0, "") and left.out.startswith("chrom\tstart")
    assert "standard output: No space left" in shell.bash(f"{command} > /dev/full").error(7)
    closed = shell.bash(f"{command} -o x.tsv >&- 2>&-", start=True)
    assert closed.code == 0 and (shell.folder / "x.tsv").exists()


def test_a_terminal_without_unicode(shell):
    bed = shell.write("x.bed", "chrA\t5\t20\tünï🧬\t0\t+\n")
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    toy = shell.toys["gc"]
    answer = shell.process("predict", toy.folder, bed, "-g", toy.genome, "--trust", "-q", env=env, start=True)
    assert answer.code == 0 and answer.err == "" and "\tünï🧬\t" in answer.out


def test_a_bare_environment(shell, bed):
    toy = shell.toys["gc"]
    env = {"HOME": "/proc/nobody", "XDG_CACHE_HOME": "", "ZOO_CACHE": "", "TERM": "dumb", "NO_COLOR": "1"}
    answer = shell.process("predict", toy.folder, bed, "-g", toy.genome, "--trust", "-q", env=env, cwd="/", start=True)
    assert (answer.code, answer.err) == (0, "") and "\x1b" not in answer.out


def test_a_closed_standard_output_is_said(shell):
    toy = shell.toys["gc"]
    command = f"zoo predict {toy.folder} {toy.regions} -g {toy.genome} --trust"
    for closed in ("", "--format bed", "-o -"):
        answer = shell.bash(f"{command} {closed} >&-", start=True)
        assert "-: standard output is closed" in answer.error(2) and "-o FILE" in answer.err
    printed = shell.bash("zoo list >&-", start=True)
    assert printed.code == 0 and printed.err.count("what this command prints is lost") == 1
    # A file that is opened must not get the number of standard output: what a library prints would go into it.
    assert "is lost" not in shell.bash(f"{command} -o x.h5 >&- <&-", start=True).notes()
    with h5py.File(shell.folder / "x.h5") as file:
        assert len(file["preds"]) == 5


def test_python_without_a_standard_output_is_told(shell, monkeypatch):
    toy = shell.toys["gc"]
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(UsageError, match="standard output is closed"):
        zoo.predict(toy.folder, toy.regions, toy.genome, "-", trust=True)
