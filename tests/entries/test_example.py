"""Examples of random bases, and expected predictions of which a selection is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from toys import make_toy_entry

from zoo.entries.check import check_example
from zoo.entries.example import make_example, random_example
from zoo.entries.kept import choose_bins, read_bins
from zoo.errors import MismatchError, ModelError


def test_of_many_bins_half_are_even_and_half_stand_out():
    values = np.zeros((2, 3, 1000), dtype=np.float32)
    values[0, 1, 123] = values[1, 2, 877] = 5
    bins = choose_bins(values, 60)
    assert len(bins) == 10 and (np.diff(bins) > 0).all()
    assert {0, 999, 123, 877} <= set(bins.tolist())
    assert choose_bins(values, 6000) is None and choose_bins(values[:, :, 0], 1) is None


@pytest.fixture
def profile(tmp_path):
    """A toy with a profile, and an example of random bases of which a few bins are kept."""
    toy = make_toy_entry(tmp_path / "toy", kind="profile", card={"files": []})
    path = toy.folder / "model.yaml"
    data = yaml.safe_load(path.read_text())
    del data["test"]
    path.write_text(yaml.safe_dump(data))
    return toy


def test_an_example_keeps_a_selection_and_zoo_test_says_of_how_many(profile):
    records = make_example(profile.folder, seed=3, regions=4, strand=True, keep=16)
    assert {one["path"] for one in records} >= {"example/genome.fa", "example/regions.bed", "example/expected.h5"}
    assert [line.split("\t")[5] for line in profile.regions.read_text().splitlines()] == ["+", "-", "+", "-"]
    (item,) = check_example(profile.folder, trust=True).comparisons
    assert 0 < item.elements < item.predicted and item.largest_difference == 0
    with h5py.File(profile.folder / "example/expected.h5", "r+") as handle:
        bins, n_bins = read_bins(handle["preds"])
        assert handle["preds"].shape[2] == len(bins) < n_bins and "inputs" not in handle
        handle["preds"][2, 0, -1] += 1
    with pytest.raises(MismatchError, match=f"window_2 .*, bin {bins[-1]}: got"):
        check_example(profile.folder, trust=True, save=profile.folder.parent / "got.h5")


@pytest.mark.parametrize(("attribute", "value"), [("kept_bins", [3, 1]), ("kept_bins", [0]), ("n_bins", 2)])
def test_a_selection_that_does_not_fit_is_refused(profile, attribute, value):
    make_example(profile.folder, keep=16)
    with h5py.File(profile.folder / "example/expected.h5", "r+") as handle:
        handle["preds"].attrs[attribute] = value
    with pytest.raises(ModelError, match="must name the bins of its last axis"):
        check_example(profile.folder, trust=True)


def test_bins_of_another_model_are_a_difference(profile):
    make_example(profile.folder, keep=16)
    with h5py.File(profile.folder / "example/expected.h5", "r+") as handle:
        handle["preds"].attrs["n_bins"] = 10_000
    with pytest.raises(MismatchError, match="of 10,000 bins"):
        check_example(profile.folder, trust=True)


def test_a_small_example_is_whole_and_has_kipois_inputs(profile):
    make_example(profile.folder)
    with h5py.File(profile.folder / "example/expected.h5") as handle:
        assert read_bins(handle["preds"]) is None and handle["inputs"].shape[:2] == (4, 4)
        assert list(handle["metadata/ranges/id"].asstr()) == [f"window_{i}" for i in range(4)]


@pytest.mark.parametrize(("length", "most"), [(100, 400), (15_000, 24_000), (131_072, 133_000)])
def test_random_bases_are_seeded_and_few(length, most):
    one, again, other = (random_example(length, seed=seed, windows=4) for seed in (1, 1, 2))
    assert one == again and one.fasta != other.fasta
    bases = "".join(one.fasta.splitlines()[1:])
    assert length <= len(bases) <= most and set(bases) == set("ACGT")
    rows = [line.split("\t") for line in one.bed.splitlines()]
    assert all(int(row[2]) - int(row[1]) == length and int(row[2]) <= len(bases) for row in rows)


def recorded(toy):
    """The toy with checksums of its example on its card."""
    path = toy.folder / "README.md"
    front, prose = path.read_text().removeprefix("---\n").split("---\n", 1)
    card = yaml.safe_load(front)
    card["files"] = [one for one in card["files"] if not one["path"].startswith("example/")]
    for name in ("genome.fa", "regions.bed", "expected.h5"):
        data = (toy.folder / "example" / name).read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        card["files"].append({"path": f"example/{name}", "sha256": sha256, "bytes": len(data)})
    path.write_text(f"---\n{yaml.safe_dump(card)}---\n{prose}")
    return toy


@pytest.mark.parametrize("name", ["genome.fa", "regions.bed", "expected.h5"])
def test_an_example_that_is_not_the_recorded_one_is_told(tmp_path, name):
    toy = recorded(make_toy_entry(tmp_path / "toy"))
    assert check_example(toy.folder, trust=True).ok
    path = toy.folder / "example" / name
    kept = path.read_bytes()
    path.write_bytes(kept + b"\n")  # which changes no prediction
    with pytest.raises(ModelError, match="is not the file of the card") as caught:
        check_example(toy.folder, trust=True)
    assert "1 of 3 recorded files" in caught.value.extent
    assert (
        hashlib.sha256(kept + b"\n").hexdigest() in caught.value.fix and f"bytes: {len(kept) + 1}" in caught.value.fix
    )
    path.write_bytes(kept)
    assert check_example(toy.folder, trust=True).ok


def test_every_example_of_the_zoo_is_recorded_as_it_is():
    """A card lists each file of its example, so that one that is changed is told."""
    cards = Path(__file__).resolve().parents[2] / "model_cards"
    examples = [path for path in sorted(cards.glob("*/example/*")) if path.is_file()]
    assert len(examples) > 60
    for path in examples:
        text = (path.parents[1] / "README.md").read_text()
        name, data = f"path: example/{path.name}\n", path.read_bytes()
        assert name in text, path
        record = text.split(name)[1].split("- path:")[0]
        assert hashlib.sha256(data).hexdigest() in record and f"bytes: {len(data)}" in record, path
