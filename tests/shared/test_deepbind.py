"""The bundled group ``deepbind``: its weights are Kipoi's published files, which the cache knows by checksum alone.

Expected numbers: of plain numpy on the published arrays, and of TensorFlow on every file, made once.
"""

from __future__ import annotations

import csv
import gzip
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import zoo
from zoo.cli import run
from zoo.entries.cache_add import cache_add
from zoo.entries.check import check_example
from zoo.errors import UsageError
from zoo.models.keras import load_keras
from zoo.models.keras.activations import KNOWN_LAMBDAS, bytecode_hash
from zoo.models.keras.config import parse_config
from zoo.store.registry import entries, info, members_of

pytestmark = pytest.mark.shared

# One of each architecture: two strands or one, maxima or averages too, one or two dense layers.
ARCHITECTURES = [
    "Mus_musculus/TF/D00001.001_PBM_Cebpb",
    "Mus_musculus/TF/D00001.004_SELEX_Cebpb",
    "Mus_musculus/TF/D00018.001_PBM_Tbx3",
    "Mus_musculus/TF/D00022.002_SELEX_Dbp",
    "Homo_sapiens/RBP/D00084.001_RNAcompete_A1CF",
    "Homo_sapiens/RBP/D00085.001_RNAcompete_ANKHD1",
]
CTCF = "deepbind/Homo_sapiens/TF/D00328.018_ChIP-seq_CTCF"


@pytest.fixture(scope="module")
def archive(shared_data):
    return shared_data / "m03_deepbind_927/deepbind_h5.tar.xz"


@pytest.fixture(autouse=True)
def _one_thread():
    """The models are small: to share one among busy cores takes longer than to run it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def windows():
    bases = np.random.default_rng(3).integers(0, 4, (4, 101))
    return np.eye(4, dtype=np.float32)[bases].transpose(0, 2, 1)


def reverse_complement(one_hot):
    return np.ascontiguousarray(one_hot[:, ::-1, ::-1])


def within(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5)


def test_names_say_species_assay_and_protein():
    names = members_of("deepbind")
    assert len(names) == 927 and CTCF in names
    record = next(one for one in entries() if one["name"] == CTCF)
    assert record["outputs"][0]["tracks"] == ["CTCF_ChIP-seq"] and "human, Homo sapiens" in record["summary"]
    assert {one["verification"]["status"] for one in entries() if one["group"] == "deepbind"} == {"verified"}


def test_every_file_is_known_by_its_checksum(archive):
    added = cache_add(archive).added
    assert len({model for file in added for model in file.models}) == 927


@pytest.mark.parametrize("name", [*(f"deepbind/{name}" for name in ARCHITECTURES), CTCF])
def test_the_example_of_each_architecture(name, capsys):
    (comparison,) = check_example(name).comparisons
    assert (comparison.elements, comparison.beyond) == (4, 0)
    assert run(["test", name]) == 0 and "4 elements agree" in capsys.readouterr().out


def test_the_examples_of_two_models_differ():
    with h5py.File(Path(info(CTCF)["folder"]) / "example/expected.h5") as handle:
        names, preds = handle["models"].asstr()[()].tolist(), handle["preds"][()]
    assert names == [name.removeprefix("deepbind/") for name in members_of("deepbind")]
    assert len(np.unique(preds[:, :, 0], axis=0)) == 927


@pytest.mark.parametrize("name", ARCHITECTURES[:4])
def test_on_dna_both_strands_are_read(windows, name):
    model = zoo.load_model(f"deepbind/{name}")
    within(model.predict(reverse_complement(windows)), model.predict(windows))
    within(model.predict(windows, rc_average=True), model.predict(windows))


def test_on_rna_one_strand_is_read_and_the_card_says_so(windows):
    model = zoo.load_model(f"deepbind/{ARCHITECTURES[4]}")
    found, other = model.predict(windows), model.predict(reverse_complement(windows))
    assert np.abs(found - other).max() > 1e-3 * np.abs(found).max()
    with pytest.raises(UsageError, match="belongs to the strand that is read"):
        model.predict(windows, rc_average=True)


def by_numpy(arrays, hot, width, pool, both_strands, averages):
    """DeepBind on (L, 4), from its published architecture."""

    def strand(x):
        conv = np.array([(x[i : i + width, :, None] * arrays["conv_w"]).sum((0, 1)) for i in range(len(x) - width + 1)])
        conv = np.maximum(conv + arrays["conv_b"], 0)
        cut = np.array([conv[i : i + pool] for i in range(len(conv) - pool + 1)])
        hidden = np.concatenate([cut.max(1), cut.mean(1)], axis=1) if averages else cut.max(1)
        hidden = hidden @ arrays["dense0_w"] + arrays["dense0_b"]
        if "dense1_w" in arrays:
            hidden = np.maximum(hidden, 0) @ arrays["dense1_w"] + arrays["dense1_b"]
        return hidden.max()

    x = np.pad(hot, ((width - 1, width - 1), (0, 0)), constant_values=0.25)
    score = max(strand(x), strand(x[::-1, ::-1])) if both_strands else strand(x)
    return 1 / (1 + np.exp(-score))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_predictions_equal_numpy(shared_data, windows, name):
    model_id = name.split("/")[-1].split("_")[0]
    with (shared_data / "m03_deepbind_927/index.tsv").open() as handle:
        row = next(row for row in csv.DictReader(handle, delimiter="\t") if row["id"] == model_id)
    with np.load(shared_data / "m03_deepbind_927/deepbind_weights.npz") as stored:
        keys = [key for key in stored.files if key.startswith(f"{model_id}/")]
        arrays = {key.split("/")[1]: stored[key].astype(np.float64) for key in keys}
    options = int(row["motif_len"]), int(row["pool"]), row["two_strand_max"] == "True", row["avg_pool"] == "True"
    expected = [by_numpy(arrays, window.T, *options) for window in windows]
    within(zoo.load_model(f"deepbind/{name}").predict(windows)[:, 0], expected)


def test_every_file_is_of_a_known_architecture(archive, tmp_path):
    """All 927 are one of six architectures whose Lambdas are known; every 31st is converted."""
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    kinds, window = set(), torch.full((1, 101, 4), 0.25)
    files = sorted((tmp_path / "deepbind_h5").glob("*.h5"))
    for number, path in enumerate(files):
        with h5py.File(path) as handle:
            graph = parse_config(handle.attrs["model_config"], "2.1.4", path.name)
        kinds.add(tuple(layer.kind for layer in graph.layers))
        hashes = {bytecode_hash(layer) for layer in graph.layers if layer.kind == "Lambda"}
        assert hashes and hashes <= KNOWN_LAMBDAS.keys()
        if number % 31 == 0:
            with torch.inference_mode():
                assert load_keras(path)(window).shape == (1, 1)
    assert (len(files), len(kinds)) == (927, 6)


def test_ctcf_sites_rank_over_shuffled_ones(shared_data):
    with gzip.open(shared_data / "d05_ctcf_pu1_sequences/ctcf.fa.gz", "rt") as handle:
        sites = [line.strip().upper() for line in handle if not line.startswith(">")][:500]
    rng = np.random.default_rng(0)
    shuffled = ["".join(rng.permutation(list(site))) for site in sites]
    model = zoo.load_model(CTCF)
    positive, negative = (model.predict(one_hot(part))[:, 0] for part in (sites, shuffled))
    greater = (positive[:, None] > negative[None, :]).mean()
    assert greater + (positive[:, None] == negative[None, :]).mean() / 2 > 0.98


def one_hot(sites):
    """(N, 4, L) float32 of sites of 100 bases, one more after each."""
    letters = np.array([list(f"{site}A") for site in sites])
    return np.stack([letters == base for base in "ACGT"], axis=1).astype(np.float32)
