"""Which writer a name gets, and what is said when there is none."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from writer_batches import make_context

from zoo.errors import SystemStateError, UsageError
from zoo.writers import FORMATS, check_format, open_writer


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


@pytest.mark.parametrize("fmt", [None, "tsv", "bed", ".TSV", "BED"])
def test_formats_of_standard_output_are_accepted_before_the_run(fmt):
    assert check_format("-", fmt) is None


@pytest.mark.parametrize("fmt", sorted({suffix.lstrip(".") for suffix in FORMATS} - {"tsv", "bed"}))
def test_other_formats_of_standard_output_are_refused_with_the_two_that_work(fmt):
    with pytest.raises(UsageError) as caught:
        check_format("-", fmt)
    assert caught.value.what == f"format {fmt!r} cannot be written to standard output"
    assert caught.value.extent == "formats for '-': tsv, bed" and caught.value.exit_code == 2
    for accepted in ("tsv", "bed"):
        check_format("-", accepted)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_suffix_is_accepted_in_either_case_and_as_a_format(suffix):
    for out, fmt in (
        (f"x{suffix}", None),
        (f"x.y{suffix.upper()}", None),
        ("x", suffix),
        ("x.txt", suffix.lstrip(".")),
    ):
        assert check_format(out, fmt) is None


@pytest.mark.parametrize(("name", "near"), [("a.bigwg", ".bigwig"), ("a.hdf", ".hdf5"), ("a.zar", ".zarr")])
def test_the_nearest_format_is_named(name, near):
    with pytest.raises(UsageError) as caught:
        check_format(name)
    assert caught.value.fix == f"did you mean {near}?"
