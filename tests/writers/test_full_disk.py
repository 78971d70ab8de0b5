"""A full disk: an error, no crash, nothing under the final name, and a result once there is room."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from forked import forked_program
from writer_batches import make_batches, make_context, write_all

from zoo.errors import SystemStateError
from zoo.writers import open_writer

HERE = Path(__file__).parent
SUFFIXES = [".tsv", ".tsv.gz", ".bed", ".bw", ".bedgraph", ".bg.gz", ".h5", ".zarr", ".parquet"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """`full_disk_run` in a process of its own, because libraries may crash in it."""

    def run(out: Path, count: int, limit: int = 0) -> dict:
        command = [program, str(out), str(count), str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    path = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    folder, imported = tmp_path_factory.mktemp("run"), ("h5py", "pyBigWig", "full_disk_run")
    with forked_program(folder, "full_disk_run", imported, os.environ | {"PYTHONPATH": path}) as program:
        yield run


# The counts make the disk fill while batches are written (300), or while the result is made.
@pytest.mark.parametrize("count", [8, 20, 40, 300])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_full_disk(run, small_disk, suffix, count):
    out = small_disk / f"o{suffix}"
    found = run(out, count)
    if found["error"] is None:
        assert found["before"] == [out.name]
    else:
        assert found["before"] in ([f"{out.name}.partial"], [])
        assert found["after"] == []
    assert bool(found["error"]) is (count > 8) or count in (20, 40)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_limit_of_the_file_size(run, tmp_path, suffix):
    out = tmp_path / f"o{suffix}"
    found = run(out, 300, limit=100_000)
    assert found["error"] in ("OSError", "SystemStateError")
    assert found["before"] == [f"{out.name}.partial"]
    assert found["after"] == []


@pytest.mark.parametrize("suffix, lost", [(".bw", 1), (".bw", 600), (".bw", 10**4), (".h5", 1), (".h5", 3000)])
def test_a_library_that_hides_a_failed_write(tmp_path, monkeypatch, suffix, lost):
    """The end of the file is missing after ``close`` said nothing: it must not get its final name."""
    library, verifier = {
        ".bw": ("zoo.writers.bigwig", "_BigWigFile"),
        ".h5": ("zoo.writers.hdf5", "Hdf5Writer"),
    }[suffix]
    kind = getattr(importlib.import_module(library), verifier)
    verify = kind._verify

    def truncate_first(self, *args):
        path = args[0] if args else self._path
        os.truncate(path, max(0, path.stat().st_size - lost))
        verify(self, *args)

    monkeypatch.setattr(kind, "_verify", truncate_first)
    out = tmp_path / f"o{suffix}"
    with pytest.raises(SystemStateError, match="not written completely"):
        write_all(make_context(out), make_batches(1, 20))
    assert not list(tmp_path.glob(f"*{suffix}"))


@pytest.mark.parametrize("suffix", [".tsv", ".bw", ".h5", ".parquet"])
def test_with_room_again_it_resumes(small_disk, tmp_path, suffix):
    from full_disk_run import OUTPUT, SIZES, batches

    context = make_context(small_disk / f"o{suffix}", [OUTPUT], chrom_sizes=SIZES)
    writer = open_writer(context)
    writer.open()
    done, state = 0, None
    with pytest.raises(OSError):
        for batch in batches(300):
            writer.write(batch)
            state, done = writer.checkpoint(), done + 1
    writer.suspend()
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    writer = open_writer(context)
    writer.open(resume=state)
    for batch in list(batches(120))[done:]:
        writer.write(batch)
    (resumed,) = writer.finish()
    whole = make_context(tmp_path / f"whole{suffix}", [OUTPUT], chrom_sizes=SIZES)
    (expected,) = write_all(whole, batches(120))
    if suffix == ".h5":
        import h5py

        with h5py.File(resumed) as left, h5py.File(expected) as right:
            assert left["preds"][:].tobytes() == right["preds"][:].tobytes()
    else:
        assert resumed.read_bytes() == expected.read_bytes()
