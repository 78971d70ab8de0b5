"""DeepBind from Kipoi's Keras files, built outside the repository; expected numbers are of plain numpy."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import zoo
from zoo.errors import UsageError
from zoo.models.keras import load_keras
from zoo.models.keras.activations import KNOWN_LAMBDAS, bytecode_hash
from zoo.models.keras.config import parse_config

pytestmark = pytest.mark.shared
ROOT = Path(__file__).resolve().parents[2]

# One of each architecture: two strands or one, maxima or averages too, one or two dense layers.
DEEPBIND = [
    "Mus_musculus/TF/D00001.001_PBM_Cebpb",
    "Mus_musculus/TF/D00001.004_SELEX_Cebpb",
    "Mus_musculus/TF/D00018.001_PBM_Tbx3",
    "Mus_musculus/TF/D00022.002_SELEX_Dbp",
    "Homo_sapiens/RBP/D00084.001_RNAcompete_A1CF",
    "Homo_sapiens/RBP/D00085.001_RNAcompete_ANKHD1",
]
CTCF = "Homo_sapiens/TF/D00328.018_ChIP-seq_CTCF"


@pytest.fixture(scope="module")
def entries(shared_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("entries")
    names = [f"deepbind/{name}" for name in [*DEEPBIND, CTCF]]
    command = [sys.executable, ROOT / "scripts" / "build_shared_entries.py", out, *names, "--data", shared_data]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out


@pytest.fixture(autouse=True)
def _one_thread():
    """The models are small: to share one among busy cores takes longer than to run it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def predicted(folder, tmp_path):
    """``zoo.predict`` on the entry's example: regions x tracks (x bins)."""
    example, out = folder / "example", tmp_path / "out.h5"
    zoo.predict(folder, example / "regions.bed", example / "genome.fa", out, any_genome=True, device="cpu")
    with h5py.File(out) as handle:
        return handle["preds"][()]


def within(ours, expected, scale):
    """Agreement within 1e-5 of scale."""
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * scale)


def one_hot(sequences):
    """(N, 4, L) float32."""
    letters = np.array([list(sequence.upper()) for sequence in sequences])
    return np.stack([letters == base for base in "ACGT"], axis=1).astype(np.float32)


def reverse_complement(one_hot):
    return np.ascontiguousarray(one_hot[:, ::-1, ::-1])


@pytest.mark.parametrize("name", [f"deepbind/{DEEPBIND[4]}"])
def test_a_model_of_transcripts_reads_one_strand_and_its_card_says_so(entries, name):
    model = zoo.load_model(entries / name, trust=True)
    bases = np.random.default_rng(2).integers(0, 4, (4, model.length))
    windows = np.eye(4, dtype=np.float32)[bases].transpose(0, 2, 1)
    found, other = model.predict(windows), model.predict(reverse_complement(windows))
    assert np.abs(found - other).max() > 1e-3 * np.abs(found).max()
    with pytest.raises(UsageError, match="belongs to the strand that is read"):
        model.predict(windows, rc_average=True)


@pytest.mark.parametrize("name", DEEPBIND[:4])
def test_deepbind_on_dna_reads_both_strands(entries, name):
    model = zoo.load_model(entries / "deepbind" / name, trust=True)
    bases = np.random.default_rng(3).integers(0, 4, (4, model.length))
    windows = np.eye(4, dtype=np.float32)[bases].transpose(0, 2, 1)
    within(model.predict(reverse_complement(windows)), model.predict(windows), 1)
    within(model.predict(windows, rc_average=True), model.predict(windows), 1)


def deepbind_by_numpy(arrays, hot, width, pool, both_strands, averages):
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


@pytest.mark.parametrize("name", DEEPBIND)
def test_deepbind_equals_numpy(entries, shared_data, tmp_path, name):
    folder = entries / "deepbind" / name
    values = predicted(folder, tmp_path)
    model_id = name.split("/")[-1].split("_")[0]
    with (shared_data / "m03_deepbind_927" / "index.tsv").open() as handle:
        row = next(row for row in csv.DictReader(handle, delimiter="\t") if row["id"] == model_id)
    with np.load(shared_data / "m03_deepbind_927" / "deepbind_weights.npz") as stored:
        keys = [key for key in stored.files if key.startswith(f"{model_id}/")]
        arrays = {key.split("/")[1]: stored[key].astype(np.float64) for key in keys}
    genome = "".join((folder / "example" / "genome.fa").read_text().split("\n")[1:])
    regions = [line.split("\t") for line in (folder / "example" / "regions.bed").read_text().splitlines()]
    options = int(row["motif_len"]), int(row["pool"]), row["two_strand_max"] == "True", row["avg_pool"] == "True"
    windows = one_hot([genome[int(start) : int(end)] for _, start, end, _ in regions])
    expected = [deepbind_by_numpy(arrays, window.T, *options) for window in windows]
    within(values[:, 0], expected, 1)


def test_deepbind_files_convert(shared_data, tmp_path):
    """All 927 are one of six architectures whose Lambdas are known; every 31st is converted."""
    with tarfile.open(shared_data / "m03_deepbind_927" / "deepbind_h5.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
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


def area_under_roc(positive, negative):
    greater = (positive[:, None] > negative[None, :]).mean()
    return greater + (positive[:, None] == negative[None, :]).mean() / 2


def test_deepbind_ranks_ctcf_sites_over_shuffled_ones(entries, shared_data):
    with gzip.open(shared_data / "d05_ctcf_pu1_sequences" / "ctcf.fa.gz", "rt") as handle:
        sites = [line.strip() for line in handle if not line.startswith(">")][:500]
    rng = np.random.default_rng(0)
    shuffled = ["".join(rng.permutation(list(site))) for site in sites]
    model = zoo.load_model(entries / "deepbind" / CTCF)
    scores = [model.predict(one_hot([f"{sequence}A" for sequence in part]))[:, 0] for part in (sites, shuffled)]
    assert area_under_roc(*scores) > 0.98
