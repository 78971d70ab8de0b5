"""Bundled entries whose weights are Keras files: MMSplice, MTSplice, Xpresso, MPRA-DragoNN, Mini-Borzoi.

Expected numbers are those of TensorFlow 2.21 on the authors' files, with the layers of mmsplice 2.4.0 and baskerville
(``tests/shared/oracles``). They were made once; TensorFlow is no part of the tests.
"""

from __future__ import annotations

import gzip
import importlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import zoo
from zoo.cli import run
from zoo.errors import UsageError
from zoo.models.keras import load_keras

pytestmark = pytest.mark.shared
ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "model_cards"

SPLICE = ["mmsplice-acceptor", "mmsplice-donor", "mmsplice-exon", "mmsplice-intron3", "mmsplice-intron5"]
MODULES = {name: "mmsplice" for name in SPLICE} | {
    "mtsplice": "mmsplice_tissues",
    "xpresso-human": "xpresso",
    "xpresso-mouse": "xpresso",
    "mpra-dragonn": "mpra_dragonn",
    "mini-borzoi": "mini_borzoi",
}


@pytest.fixture(autouse=True)
def _one_thread():
    """The models are small: to share one among busy cores takes longer than to run it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def scripts():
    """A module of ``scripts/shared_entries`` by name."""
    return lambda name: importlib.import_module(f"scripts.shared_entries.{name}")


def one_hot(sequences):
    """(N, 4, L) float32."""
    letters = np.array([list(sequence.upper()) for sequence in sequences])
    return np.stack([letters == base for base in "ACGT"], axis=1).astype(np.float32)


@pytest.mark.parametrize("name", MODULES)
def test_the_example_is_that_of_the_script(scripts, name):
    fasta, bed = scripts(MODULES[name]).random_example(name)
    example = CARDS / name / "example"
    assert (example / "genome.fa").read_text() == fasta
    assert (example / "regions.bed").read_text() == bed


@pytest.mark.parametrize("name", [*SPLICE, "mtsplice", "xpresso-human"])
def test_a_model_of_transcripts_reads_one_strand_and_its_card_says_so(name):
    model = zoo.load_model(name)
    bases = np.random.default_rng(2).integers(0, 4, (4, model.length))
    windows = np.eye(4, dtype=np.float32)[bases].transpose(0, 2, 1)
    found, other = model.predict(windows), model.predict(np.ascontiguousarray(windows[:, ::-1, ::-1]))
    assert np.abs(found - other).max() > 1e-3 * np.abs(found).max()
    with pytest.raises(UsageError, match="belongs to the strand that is read"):
        model.predict(windows, rc_average=True)


def test_mini_borzoi_at_the_command_line(tmp_path):
    """Values of its example as TensorFlow gives them, by number of track and bin."""
    example, out = CARDS / "mini-borzoi" / "example", tmp_path / "out.h5"
    words = ["predict", "mini-borzoi", example / "regions.bed", "-g", example / "genome.fa", "-o", out]
    assert run([*map(str, words), "-q", "--any-genome"]) == 0
    with h5py.File(out) as handle:
        values = handle["preds"][()]
    assert values.shape == (1, 74, 2048)
    with np.load(ROOT / "tests" / "shared" / "oracles" / "mini-borzoi.npz") as kept:
        np.testing.assert_allclose(values[:, :, ::32], kept["example"], rtol=0, atol=1e-5 * kept["example"].max())


def area_under_roc(positive, negative):
    greater = (positive[:, None] > negative[None, :]).mean()
    return greater + (positive[:, None] == negative[None, :]).mean() / 2


@pytest.mark.parametrize(("kind", "at", "letters"), [("acceptor", 48, "AG"), ("donor", 5, "GT")])
def test_splice_sites_rank_over_other_ag_and_gt(scripts, shared_data, kind, at, letters):
    hg38_windows, mmsplice = scripts("hg38_windows"), scripts("mmsplice")
    module, windows = mmsplice.MODULES[kind], hg38_windows.read_windows(shared_data)
    rng, sites, others = np.random.default_rng(0), [], []
    for window, strand, start, end in mmsplice.exons_of(shared_data, 400):
        place, _ = mmsplice.stretch(module, strand, start, end)
        sites.append(read(windows[window], place, module.length, strand, hg38_windows.COMPLEMENT))
        for other in rng.integers(1000, 120_000, 40):
            sequence = read(windows[window], other, module.length, strand, hg38_windows.COMPLEMENT)
            if sequence[at : at + 2] == letters:
                others.append(sequence)
    assert len(sites) > 300 and len(others) > 500
    assert np.mean([site[at : at + 2] == letters for site in sites]) > 0.97
    model = zoo.load_model(f"mmsplice-{kind}")
    scores = [model.predict(one_hot(part))[:, 0] for part in (sites, others)]
    assert area_under_roc(*scores) > 0.95


def read(sequence, start, length, strand, complement):
    """A stretch of a window on a strand."""
    part = sequence[start : start + length].upper()
    return part if strand == "+" else part.translate(complement)[::-1]


def test_xpresso_follows_measured_expression(scripts, shared_data):
    hg38_windows = scripts("hg38_windows")
    windows = hg38_windows.read_windows(shared_data)
    with gzip.open(shared_data / "m04_xpresso" / "human_mouse_ortholog_expression.txt.gz", "rt") as handle:
        measured = {fields[0]: float(fields[3]) for fields in map(str.split, handle)}
    promoters, values = {}, {}
    with gzip.open(shared_data / "m04_xpresso" / "promoters_hg38.bed.gz", "rt") as handle:
        for chrom, start, end, gene, _, strand in map(str.split, handle):
            tss = (int(start) + int(end)) // 2
            first, last = (tss - 7000, tss + 3500) if strand == "+" else (tss - 3500, tss + 7000)
            for name, sequence in windows.items():
                origin, limit = map(int, name.split(":")[1].split("-"))
                if gene in measured and name.startswith(f"{chrom}:") and origin <= first and last <= limit:
                    promoters[gene] = read(sequence, first - origin, 10_500, strand, hg38_windows.COMPLEMENT)
                    values[gene] = measured[gene]
    predictions = zoo.load_model("xpresso-human").predict(one_hot(list(promoters.values())))[:, 0]
    assert len(promoters) > 25
    assert np.corrcoef(predictions, list(values.values()))[0, 1] > 0.4


def test_xpresso_is_the_authors_network_where_half_life_is_zero(shared_data):
    both = load_keras(shared_data / "m04_xpresso" / "human_median.h5")
    assert both.input_names == ("promoter", "halflife")
    letters = np.random.default_rng(0).choice(list("ACGT"), 10_500)
    hot = one_hot(["".join(letters)])
    promoter = torch.from_numpy(hot).transpose(1, 2)
    with torch.inference_mode():
        expected = both(promoter, torch.zeros(1, 6))
        assert abs(both(promoter, torch.ones(1, 6)) - expected).item() > 1e-3
    np.testing.assert_allclose(zoo.load_model("xpresso-human").predict(hot), expected, rtol=0, atol=1e-6)


def test_mini_borzoi_predicts_held_out_windows(scripts, shared_data):
    """Two windows that it was not trained on: DNase and CAGE follow the measured tracks."""
    windows = scripts("hg38_windows").read_windows(shared_data)
    lines = (shared_data / "d01_hg38_windows" / "hg38_windows_dev.bed").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    chosen = [i for i, row in enumerate(rows) if row[3] == "valid"][:2]
    with np.load(shared_data / "d01_hg38_windows" / "tracks_dev.npz") as stored:
        measured = stored["targets"][chosen].astype(np.float32).transpose(0, 2, 1)
    sequences = [windows["{}:{}-{}".format(*rows[i][:3])] for i in chosen]
    values = zoo.load_model("mini-borzoi").predict(one_hot(sequences))
    correlations = [np.corrcoef(values[:, t].ravel(), measured[:, t].ravel())[0, 1] for t in range(24, 34)]
    assert np.median(correlations) > 0.5


def test_tracks_of_mini_borzoi_are_those_of_its_list(shared_data):
    """In the order of the list, each with its identifier, and paired with the other strand's."""
    lines = (shared_data / "m01_mini_borzoi" / "targets_hg38.txt").read_text().splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    model = zoo.load_model("mini-borzoi")
    tracks = model.outputs[0].tracks
    assert [name.rpartition(" (")[2][:-1] for name in tracks] == [row[1] for row in rows]
    window = np.eye(4, dtype=np.float32)[np.random.default_rng(6).integers(0, 4, model.length)].T[None]
    found = model.predict(window, rc_average=True)[0]
    turned = model.predict(np.ascontiguousarray(window[:, ::-1, ::-1]), rc_average=True)[0]
    pairs = [int(row[7]) for row in rows]
    np.testing.assert_allclose(found, turned[pairs, ::-1], rtol=0, atol=1e-5 * found.max())
