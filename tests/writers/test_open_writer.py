"""Which writer a name gets, and what is said when there is none."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from writer_batches import make_context

from zoo.errors import SystemStateError, UsageError
from zoo.writers import FORMATS, open_writer


@pytest.mark.parametrize(
    "name, kind",
    [
        ("o.tsv", "TsvWriter"),
        ("o.v2.TSV.GZ", "TsvWriter"),
        ("o.bed", "BedWriter"),
        ("o.bedGraph", "BedGraphWriter"),
        ("o.bg.gz", "BedGraphWriter"),
        ("o.bw", "BigWigWriter"),
        ("o.bigWig", "BigWigWriter"),
        ("o.h5", "Hdf5Writer"),
        ("o.hdf5", "Hdf5Writer"),
        ("o.zarr", "ZarrWriter"),
        ("o.parquet", "ParquetWriter"),
    ],
)
def test_the_suffix_chooses(tmp_path, name, kind):
    assert type(open_writer(make_context(tmp_path / name))).__name__ == kind


def test_fmt_overrules_the_suffix(tmp_path):
    assert type(open_writer(make_context(tmp_path / "o.txt"), "tsv")).__name__ == "TsvWriter"
    assert type(open_writer(make_context(tmp_path / "o.tsv"), ".h5")).__name__ == "Hdf5Writer"


@pytest.mark.parametrize(
    "name, what, fix",
    [
        ("o.tvs", "the format of 'o.tvs' is not known", "did you mean .tsv?"),
        ("o.parqet", "the format of 'o.parqet' is not known", "did you mean .parquet?"),
        ("out", "'out' has no suffix that names a format", "give OUT one of these suffixes"),
        ("o.xyzzy", "the format of 'o.xyzzy' is not known", "give OUT one of these suffixes"),
    ],
)
def test_unknown_suffix(tmp_path, name, what, fix):
    with pytest.raises(UsageError) as caught:
        open_writer(make_context(tmp_path / name))
    assert (caught.value.what, caught.value.fix) == (what, fix)
    assert all(suffix in caught.value.extent for suffix in FORMATS)


def test_a_package_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemStateError, match="needs the package zarr") as caught:
        open_writer(make_context(tmp_path / "o.zarr"))
    assert caught.value.fix == "Fix: pip install 'seqzoo[formats]'"


def test_the_package_imports_no_format_library():
    check = (
        "import sys, zoo.writers, zoo.writers.hdf5, zoo.writers.zarr, zoo.writers.parquet, "
        "zoo.writers.bigwig; print({'h5py','zarr','pyarrow','pyBigWig','pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
