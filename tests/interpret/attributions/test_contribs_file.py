"""``contribs.h5`` and its blocks: what is read back, what turns with the strand, and files that are refused."""

from __future__ import annotations

import importlib
import json

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpret.contribs.file import NUMBERS, ContribBlock, FileSource, open_contribs, spooled_outputs, spooled_values
from interpret.contribs.formats import FORMATS, choose_format, write_peaks
from interpret.contribs.h5 import write
from interpret.explanation import Explanation, explain_pairs, projection_note
from zoo.errors import InputError, UsageError

N, LENGTH = 5, 12


def block_of(reverse=None, seed=0, first=0, n=N):
    rng = np.random.default_rng(seed)
    letters = rng.integers(0, 5, (n, LENGTH))
    one_hot = (letters[:, None] == np.arange(4)[None, :, None]).astype(np.uint8)
    texts = {name: np.array([f"{name}{first + i}" for i in range(n)], object) for name in ("chrom", "name", "score")}
    start = 100 * np.arange(first, first + n)
    return ContribBlock(
        first,
        texts | {"strand": np.array(["+"] * n, object), "start": start + 2, "end": start + LENGTH - 2},
        {"start": start, "end": start + LENGTH, "reverse": np.array(reverse if reverse is not None else [False] * n)},
        one_hot,
        rng.normal(size=(n, 4, LENGTH)).astype(np.float32),
        {name: rng.normal(size=n).astype(np.float32) for name in NUMBERS},
    )


class Blocks:
    """A source of blocks that are given."""

    length, chrom_sizes = LENGTH, {"chr2": 5000, "chr1": 4000}

    def __init__(self, *blocks):
        self.given, self.rows = blocks, sum(len(block) for block in blocks)

    def blocks(self):
        return iter(self.given)


@pytest.fixture
def path(tmp_path):
    out = tmp_path / "c.h5"
    write(Blocks(block_of(), block_of(seed=1, first=N)), [out], {"method": "ism", "seed": 3}, "mean")
    return out


def test_what_was_written_is_read(path):
    one, other = block_of(), block_of(seed=1, first=N)
    with open_contribs(path) as found:
        assert (len(found), found.length, found.run) == (2 * N, LENGTH, {"method": "ism", "seed": 3})
        for name in ("one_hot", "hypothetical", "projected"):
            np.testing.assert_array_equal(
                getattr(found, name)[:], np.concatenate([getattr(one, name), getattr(other, name)])
            )
        for name in NUMBERS:
            np.testing.assert_array_equal(
                getattr(found, name)[:], np.concatenate([one.numbers[name], other.numbers[name]])
            )
        regions, windows = found.regions(), found.windows()
        for name, values in one.regions.items():
            assert regions[name].tolist() == [*values, *other.regions[name]]
        assert windows["start"].tolist() == [100 * i for i in range(2 * N)]
        with pytest.raises(AttributeError):
            _ = found.nothing_of_this_name


def test_a_file_is_read_in_blocks_that_are_those_of_the_run(path, monkeypatch):
    monkeypatch.setattr(importlib.import_module("interpret.contribs.file"), "BLOCK_BYTES", 20 * LENGTH * 3)
    with open_contribs(path) as found:
        source = FileSource(found)
        assert source.chrom_sizes == {"chr2": 5000, "chr1": 4000} and list(source.chrom_sizes) == ["chr2", "chr1"]
        blocks = list(source.blocks())
    assert [(block.first, len(block)) for block in blocks] == [(0, 3), (3, 3), (6, 3), (9, 1)]
    assert [block.rows for block in blocks][-1] == slice(9, 10)
    whole = np.concatenate([block_of().hypothetical, block_of(seed=1).hypothetical])
    np.testing.assert_array_equal(np.concatenate([block.hypothetical for block in blocks]), whole)
    assert [name for block in blocks for name in block.regions["name"]] == [f"name{i}" for i in range(2 * N)]


def test_projected_contributions_are_those_of_the_bases_that_are_there():
    block = block_of()
    for row in range(N):
        for place in range(LENGTH):
            there = np.flatnonzero(block.one_hot[row, :, place])
            expected = block.hypothetical[row, there[0], place] if len(there) else 0
            assert block.projected[row, place] == expected


@given(st.lists(st.booleans(), min_size=N, max_size=N))
def test_windows_are_turned_to_the_genome_once_and_projected_with_them(reverse):
    block = block_of(reverse)
    turned = block.on_the_genome()
    assert not turned.windows["reverse"].any()
    assert turned.on_the_genome() is turned
    for row, back in enumerate(reverse):
        step = -1 if back else 1
        np.testing.assert_array_equal(turned.one_hot[row], block.one_hot[row, ::step, ::step])
        np.testing.assert_array_equal(turned.projected[row], block.projected[row, ::step])
    np.testing.assert_array_equal(block.hypothetical, block_of(reverse).hypothetical)  # left as it was


def test_letters_are_spooled_as_numbers_and_unknown_ones_as_four():
    block = block_of()
    found = Explanation(block.hypothetical, *(block.numbers[name] for name in NUMBERS))
    for value in (0.0, 0.25):
        one_hot = np.where(block.one_hot.any(1, keepdims=True), block.one_hot, value).astype(np.float32)
        spooled = spooled_values(one_hot, found)
        letters = spooled["letters"][:, 0]
        assert set(letters.ravel()) <= {0, 1, 2, 3, 4}
        np.testing.assert_array_equal(letters == 4, ~block.one_hot.any(1))
        np.testing.assert_array_equal(np.eye(5)[letters.astype(int)][:, :, :4].transpose(0, 2, 1), block.one_hot)
    for spec in spooled_outputs(LENGTH):
        shape = (N, len(spec.tracks)) + ((LENGTH,) if spec.kind == "profile" else ())
        assert spooled[spec.name].shape == shape, spec.name


def test_peaks_lie_around_the_centre_of_each_window(tmp_path):
    block = block_of()
    block.windows["start"][0] = -4  # it passes the start of the chromosome
    block.windows["end"][0] = -4 + LENGTH
    with open(tmp_path / "p", "w") as file:
        write_peaks(file, block, LENGTH)
    rows = [line.split("\t") for line in (tmp_path / "p").read_text().splitlines()]
    assert [len(row) for row in rows] == [10] * N
    assert rows[0][:4] == ["chrom0", "0", "8", "name0"] and rows[0][9] == "2"
    assert [int(row[1]) + int(row[9]) - LENGTH // 2 for row in rows] == [-4, 100, 200, 300, 400]


# Files that are refused


def change(path, **attributes):
    with h5py.File(path, "a") as file:
        for name, value in attributes.items():
            file.attrs[name] = value


def refused(path, words):
    with pytest.raises(InputError, match=words) as caught:
        open_contribs(path)
    assert str(path) in caught.value.what and caught.value.fix.startswith("Fix: ") and caught.value.exit_code == 3
    return caught.value


def test_another_version_says_which_is_read(path):
    change(path, version=2)
    assert refused(path, "version .*2").extent == "'seqzoo-contribs' version 1 is read"


def test_a_run_record_that_is_no_json(path):
    change(path, run="{not json")
    refused(path, "its run record cannot be read")
    with h5py.File(path, "a") as file:
        del file.attrs["run"]
    refused(path, "its run record cannot be read")


@pytest.mark.parametrize("name", ["one_hot", "hypothetical", "projected", *[n for n in NUMBERS if n != "pair_error"]])
def test_an_array_that_is_missing_is_named(path, name):
    with h5py.File(path, "a") as file:
        del file[name]
    refused(path, f"has no array '{name}'")


def test_the_pair_error_of_early_files_may_be_missing(path):
    with h5py.File(path, "a") as file:
        del file["pair_error"]
    with open_contribs(path) as found:
        assert len(found) == 2 * N


@pytest.mark.parametrize("name", ["hypothetical", "projected", "prediction", "completeness_error"])
def test_an_array_of_another_number_of_windows_is_named(path, name):
    with h5py.File(path, "a") as file:
        values, attributes = file[name][:-1], dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attributes)
    error = refused(path, f"{name} has shape")
    assert error.extent.startswith(f"({2 * N},") and error.extent.endswith("is read")


@pytest.mark.parametrize(
    ("attribute", "words"), [("kind", "holds values of kind 'other'"), ("layout", "has the layout 'other'")]
)
def test_contributions_of_another_kind_or_layout(path, attribute, words):
    with h5py.File(path, "a") as file:
        file["hypothetical"].attrs[attribute] = "other"
    refused(path, words)


def test_a_file_that_is_open_is_closed_after_a_refusal(path):
    change(path, version=7)
    refused(path, "version")
    with h5py.File(path, "a") as file:  # HDF5 refuses to open for writing what is open for reading
        file.attrs["version"] = 1
    open_contribs(path).close()


def test_early_files_without_lengths_of_chromosomes(path):
    with h5py.File(path, "a") as file:
        del file["chroms"]
    with open_contribs(path) as found, pytest.raises(InputError, match="has no chromosome lengths"):
        FileSource(found)


def test_no_windows_can_be_written_and_read(tmp_path):
    write(Blocks(), [tmp_path / "c.h5"], {}, "mean")
    with open_contribs(tmp_path / "c.h5") as found:
        assert len(found) == 0 and list(FileSource(found).blocks()) == []


def test_the_record_is_json_whatever_is_in_it(tmp_path):
    write(Blocks(block_of()), [tmp_path / "c.h5"], {"path": tmp_path, "n": 1}, "mean")
    with h5py.File(tmp_path / "c.h5") as file:
        assert json.loads(file.attrs["run"]) == {"path": str(tmp_path), "n": 1}


# Formats by name and suffix


@pytest.mark.parametrize(
    ("name", "given_format", "chosen"),
    [
        ("c.h5", None, "h5"),
        ("c.HDF5", None, "h5"),
        ("c.npz", None, "modisco-npz"),
        ("c.bw", None, "bw"),
        ("c.bigWig", None, "bw"),
        ("c.h5", "chrombpnet-h5", "chrombpnet-h5"),
        ("a.b.hdf5", "chrombpnet-h5", "chrombpnet-h5"),
    ],
)
def test_the_format_by_suffix_or_by_name(tmp_path, name, given_format, chosen):
    found = choose_format(tmp_path / name, given_format)
    assert found is FORMATS[chosen]
    assert found.finals(tmp_path / name)[-1] == tmp_path / name


@pytest.mark.parametrize(
    ("name", "given_format", "says"),
    [
        ("c.npy", None, "contributions are written as .h5, .npz or .bw"),
        ("c.h5", "hdf", "--format hdf: not known"),
        ("c.h5", "bw", "--format bw writes .bw"),
        ("c", "modisco-npz", "--format modisco-npz writes .npz"),
    ],
)
def test_the_fix_for_a_suffix_is_one_that_works(tmp_path, name, given_format, says):
    with pytest.raises(UsageError) as caught:
        choose_format(tmp_path / name, given_format)
    assert says in caught.value.what and caught.value.exit_code == 2
    if given_format in FORMATS:
        out = caught.value.fix.removeprefix("Fix: -o ")
        assert choose_format(tmp_path / out, given_format) is FORMATS[given_format]
    elif given_format:
        assert all(known in caught.value.fix for known in FORMATS)


@given(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32), st.floats(-1, 1, width=32))
def test_completeness_of_one_pair_by_its_definition(y, base, missing):
    """One base replaced: contributions are y - base + missing, and the error relates to the difference.

    What sums of float32 leave, 2e-6 of prediction and contributions, is at most 0.1%.
    """
    import torch

    x, reference = torch.zeros(1, 4, 1), torch.zeros(1, 1, 4, 1)
    x[0, 0], reference[0, 0, 1] = 1, 1
    multipliers = torch.zeros(1, 1, 4, 1)
    multipliers[0, 0, 0] = float(y) - float(base) + float(missing)
    found = explain_pairs(x, reference, multipliers, torch.tensor([y]), torch.tensor([[base]]))
    contribution, scale = float(multipliers[0, 0, 0, 0]), max(abs(y), abs(base))
    error, whole = abs(contribution - (y - base)), max(abs(y - base), 1e-4 * scale, 1e-30)
    rounding = 2e-6 * (scale + abs(contribution))
    expected = error / (max(whole, 1e3 * rounding) if error <= rounding else whole)
    assert found.completeness_error[0] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert found.pair_error[0] == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("unknown", [0, 1, 4])
def test_what_unknown_bases_contribute_is_what_the_projection_misses(unknown):
    """A count of A: an A contributes 1, an unknown base a quarter, which is no base's; three A are there."""
    letters = "AAACGTACGT"[: 10 - unknown]
    one_hot = np.zeros((1, 4, 10), np.uint8)
    for place, letter in enumerate(letters[:3] + "C" * (7 - unknown)):
        one_hot[0, "ACGT".index(letter), place] = 1
    hypothetical = np.zeros((1, 4, 10), np.float32)
    hypothetical[0, 0] = 1
    numbers = {"prediction": 3 + 0.25 * unknown, "reference_prediction": 0.0, "completeness_error": 0, "pair_error": 0}
    numbers = {name: np.array([value], np.float32) for name, value in numbers.items()}
    found = ContribBlock(0, {}, {}, one_hot, hypothetical, numbers)
    assert found.has_unknown.tolist() == [unknown > 0]
    assert found.projection_error[0] == pytest.approx(0.25 * unknown / (3 + 0.25 * unknown), rel=1e-5)


def test_a_method_without_references_has_no_projection_to_miss():
    block = block_of()
    block.numbers["reference_prediction"][:] = np.nan
    assert np.isnan(block.projection_error).all()
    assert projection_note(np.where(block.has_unknown, block.projection_error, 0)) is None


def test_the_note_counts_windows_that_miss_something():
    note = projection_note(np.array([0, 0, 0.1, 0.3, 1e-8, np.nan], np.float32))
    assert "2 of 6 windows miss the difference to the references by 20.0% (median; at most 30.0%" in note
    assert projection_note(np.zeros(3, np.float32)) is None
