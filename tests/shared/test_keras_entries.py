"""Entries from Keras files, built outside the repository and predicted with through ``zoo``.

Expected numbers are those of TensorFlow 2.21 on the authors' files, with the layers of mmsplice 2.4.0 and baskerville.
They were made once; TensorFlow is no part of the tests.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import zoo
from zoo.errors import UsageError
from zoo.models.keras import load_keras

pytestmark = pytest.mark.shared
ROOT = Path(__file__).resolve().parents[2]
ZOO = Path(sys.executable).with_name("zoo")

SPLICE = ["mmsplice-acceptor", "mmsplice-donor", "mmsplice-exon", "mmsplice-intron3", "mmsplice-intron5"]
OTHERS = ["xpresso-human", "xpresso-mouse", "mpra-dragonn", *SPLICE, "mtsplice", "mini-borzoi"]

# First and last track of each region of the example, in the region's order.
FIRST_AND_LAST = {
    "xpresso-human": [0.5700361, 0.5700361, 0.6447747, 0.6447747],
    "xpresso-mouse": [1.106839, 1.106839, 1.169469, 1.169469],
    "mpra-dragonn": [
        0.30369,
        0.00359066,
        0.298563,
        -0.1351438,
        -0.3295827,
        -0.03545764,
        -0.08230406,
        -0.07437184,
        0.09428619,
        -0.1078603,
        0.1033937,
        -0.3517379,
    ],
    "mmsplice-acceptor": np.repeat([0.9824561, 0.9954518, 0.9636606, 0.9791611, 0.9742305, 0.924642], 2),
    "mmsplice-donor": np.repeat([0.9910158, 0.7685499, 0.9562681, 0.9859269, 0.9705307, 0.965004], 2),
    "mmsplice-exon": np.repeat([-3.385771, -4.134672, -3.101686, -3.091385, -4.054355, -3.65451], 2),
    "mmsplice-intron3": np.repeat([-3.249947, -1.978832, -2.485957, -2.839184, -2.948263, -2.78847], 2),
    "mmsplice-intron5": np.repeat([0.07179506, 0.5428993, 0.3967484, 0.7009082, 0.6611595, 0.3868267], 2),
    "mtsplice": [0.1694577, -0.1743407, 0.7248861, -0.364204, -0.005243298, -0.08622719, -0.01210657, -0.01687138],
}


@pytest.fixture(scope="module")
def entries(shared_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("entries")
    command = [sys.executable, ROOT / "scripts" / "build_shared_entries.py", out, *OTHERS, "--data", shared_data]
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


@pytest.mark.parametrize("name", FIRST_AND_LAST)
def test_example_equals_tensorflow(entries, tmp_path, name):
    values = predicted(entries / name, tmp_path)
    expected = np.reshape(FIRST_AND_LAST[name], (len(values), 2))
    within(values[:, [0, -1]], expected, max(1.0, abs(values).max()))


def reverse_complement(one_hot):
    return np.ascontiguousarray(one_hot[:, ::-1, ::-1])


@pytest.mark.parametrize("name", ["xpresso-human", *SPLICE, "mtsplice"])
def test_a_model_of_transcripts_reads_one_strand_and_its_card_says_so(entries, name):
    model = zoo.load_model(entries / name, trust=True)
    bases = np.random.default_rng(2).integers(0, 4, (4, model.length))
    windows = np.eye(4, dtype=np.float32)[bases].transpose(0, 2, 1)
    found, other = model.predict(windows), model.predict(reverse_complement(windows))
    assert np.abs(found - other).max() > 1e-3 * np.abs(found).max()
    with pytest.raises(UsageError, match="belongs to the strand that is read"):
        model.predict(windows, rc_average=True)


def test_mini_borzoi_equals_tensorflow(entries, tmp_path):
    example, out = entries / "mini-borzoi" / "example", tmp_path / "out.h5"
    command = [ZOO, "predict", entries / "mini-borzoi", example / "regions.bed", "-g", example / "genome.fa", "-o", out]
    subprocess.run([*command, "-q", "--any-genome"], check=True)
    with h5py.File(out) as handle:
        values = handle["preds"][()]
    assert values.shape == (1, 74, 2048)
    points = values[0, [0, 25, 73], [0, 1000, 2047]]
    within(points, [0.0010783260222524405, 0.16306474804878235, 0.022816259413957596], 1)
    means = values[0, [0, 1, 24, 33, 60, 73]].mean(1)
    within(means, [0.00209046574, 0.01374645438, 0.16362683475, 0.18612767756, 0.00112809951, 0.00602913694], 1)
    assert abs(values.max() - 10.036751) < 1e-4


def area_under_roc(positive, negative):
    greater = (positive[:, None] > negative[None, :]).mean()
    return greater + (positive[:, None] == negative[None, :]).mean() / 2


@pytest.fixture(scope="module")
def splice_tools():
    sys.path.insert(0, str(ROOT / "scripts"))
    from shared_entries import hg38_windows, mmsplice

    yield hg38_windows, mmsplice
    sys.path.remove(str(ROOT / "scripts"))


@pytest.mark.parametrize(("kind", "at", "letters"), [("acceptor", 48, "AG"), ("donor", 5, "GT")])
def test_splice_sites_rank_over_other_ag_and_gt(entries, shared_data, splice_tools, kind, at, letters):
    hg38_windows, mmsplice = splice_tools
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
    model = zoo.load_model(entries / f"mmsplice-{kind}")
    scores = [model.predict(one_hot(part))[:, 0] for part in (sites, others)]
    assert area_under_roc(*scores) > 0.95


def read(sequence, start, length, strand, complement):
    """A stretch of a window on a strand."""
    part = sequence[start : start + length].upper()
    return part if strand == "+" else part.translate(complement)[::-1]


def test_xpresso_follows_measured_expression(entries, shared_data, splice_tools):
    windows = splice_tools[0].read_windows(shared_data)
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
                    promoters[gene] = read(sequence, first - origin, 10_500, strand, splice_tools[0].COMPLEMENT)
                    values[gene] = measured[gene]
    predictions = zoo.load_model(entries / "xpresso-human").predict(one_hot(list(promoters.values())))[:, 0]
    assert len(promoters) > 25
    assert np.corrcoef(predictions, list(values.values()))[0, 1] > 0.4


def test_xpresso_of_two_inputs_agrees_where_half_life_is_zero(entries, shared_data):
    both = load_keras(shared_data / "m04_xpresso" / "human_median.h5")
    alone = load_keras(entries / "xpresso-human" / "model.h5")
    assert both.input_names == ("promoter", "halflife")
    letters = np.random.default_rng(0).choice(list("ACGT"), 10_500)
    promoter = torch.from_numpy(one_hot(["".join(letters)])).transpose(1, 2)
    with torch.inference_mode():
        expected = both(promoter, torch.zeros(1, 6))
        torch.testing.assert_close(alone(promoter), expected, rtol=0, atol=1e-6)
        assert abs(both(promoter, torch.ones(1, 6)) - expected).item() > 1e-3


def test_mini_borzoi_predicts_held_out_windows(entries, shared_data, splice_tools):
    """Two windows that it was not trained on: DNase and CAGE follow the measured tracks."""
    windows = splice_tools[0].read_windows(shared_data)
    lines = (shared_data / "d01_hg38_windows" / "hg38_windows_dev.bed").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    chosen = [i for i, row in enumerate(rows) if row[3] == "valid"][:2]
    with np.load(shared_data / "d01_hg38_windows" / "tracks_dev.npz") as stored:
        measured = stored["targets"][chosen].astype(np.float32).transpose(0, 2, 1)
    sequences = [windows["{}:{}-{}".format(*rows[i][:3])] for i in chosen]
    values = zoo.load_model(entries / "mini-borzoi").predict(one_hot(sequences))
    correlations = [np.corrcoef(values[:, t].ravel(), measured[:, t].ravel())[0, 1] for t in range(24, 34)]
    assert np.median(correlations) > 0.5
