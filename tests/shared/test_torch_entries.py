"""Published torch weights: right about real splice sites, and the same in Kipoi."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import zoo
from scripts.shared_entries.hg38_windows import fasta_text, read_windows, splice_regions
from zoo.cli import run
from zoo.entries.pull import pull
from zoo.entries.writer import EntryFiles, write_entry
from zoo.store.registry import info

pytestmark = pytest.mark.shared
ROOT = Path(__file__).resolve().parents[2]
SPLICE_MODELS = ["openspliceai-mane-10000nt", "pangolin"]
N_REGIONS = 6


@pytest.fixture(scope="module")
def genes(published, shared_data, tmp_path_factory):
    """Stretches of real genes with their splice sites, and BED and FASTA of them; contigs are the windows' names."""
    folder = tmp_path_factory.mktemp("genes")
    regions = splice_regions(shared_data, N_REGIONS)
    windows = read_windows(shared_data)
    bed, fasta = folder / "genes.bed", folder / "windows.fa"
    fasta.write_text("".join(fasta_text(name, windows[name]) for name in {region.window for region in regions}))
    bed.write_text("".join(f"{r.window}\t{r.start}\t{r.end}\tgene{i}\t0\t{r.strand}\n" for i, r in enumerate(regions)))
    return regions, windows, bed, fasta


def predict(entry, bed, fasta, out):
    """Through the command line; the FASTA holds windows of hg38, not the genome."""
    assert run([*map(str, ["predict", entry, bed, "-g", fasta, "-o", out, "--any-genome", "-q"])]) == 0
    with h5py.File(out) as result:
        return result["preds"][:]


@pytest.fixture(scope="module")
def predicted(genes, tmp_path_factory):
    """Predictions of each splice model for the genes: name -> (regions, tracks, 5000)."""
    _, _, bed, fasta = genes
    out = tmp_path_factory.mktemp("predicted")
    return {name: predict(name, bed, fasta, out / f"{name}.h5") for name in SPLICE_MODELS}


def reading_direction(region, windows):
    """The region's sequence on the gene's strand."""
    sequence = windows[region.window][region.start : region.end]
    return sequence.translate(str.maketrans("ACGT", "TGCA"))[::-1] if region.strand == "-" else sequence


def found_among_top(scores, sites):
    """Of as many best positions as there are sites, the share that are sites."""
    top = np.argsort(scores)[::-1][: len(sites)]
    return len(set(top.tolist()) & set(sites)) / len(sites)


KIPOI_PYT = EntryFiles(
    name="kipoi-pyt",
    module_source=Path(__file__).with_name("kipoi_pyt_module.py"),
    module_class="ExampleModel",
    module_kwargs={},
    state={},
    length=1000,
    alphabet_axis=1,
    targets={"name": "p", "shape": "(1,)", "column_labels": ["p"], "doc": "of no biological meaning"},
    info={"authors": [{"name": "Roman Kreuzhuber", "github": "krrome"}], "license": "MIT", "doc": "Kipoi's example"},
    card={
        "version": "1.0.0",
        "summary": "Kipoi's example of a PyTorch model.",
        "outputs": [{"name": "p", "kind": "scalar", "tracks": ["p"], "strand": "unstranded"}],
        "training": {"data": [{"name": "random numbers", "licence": "MIT"}]},
    },
    prose="# Kipoi's example `pyt`",
    fasta="",
    bed="",
)


@pytest.fixture(scope="module")
def kipoi_pyt(shared_data, tmp_path_factory):
    """Kipoi's example of a PyTorch model, written as an entry on 5 windows of hg38."""
    name, sequence = next(iter(read_windows(shared_data).items()))
    contig = f"{name.split(':')[0]}_slice"
    rows = [f"{contig}\t{start}\t{start + 1000}\tregion{start}\n" for start in range(0, 8000, 1600)]
    state = torch.load(shared_data / "m13_kipoi_pyt" / "only_weights.pth", weights_only=True)
    entry = replace(KIPOI_PYT, state=state, fasta=fasta_text(contig, sequence[:8000]), bed="".join(rows))
    return write_entry(entry, tmp_path_factory.mktemp("entries"))


def test_kipoi_pyt_is_two_dense_layers_over_the_flattened_window(kipoi_pyt, shared_data):
    """By numpy, on real sequence: Kipoi's expected predictions are of unknown bases only."""
    weights = torch.load(shared_data / "m13_kipoi_pyt" / "only_weights.pth", weights_only=True)
    w1, b1, w2, b2 = (weights[name].numpy().astype(float) for name in ("1.weight", "1.bias", "3.weight", "3.bias"))
    with h5py.File(kipoi_pyt / "example" / "expected.h5") as expected:
        windows, found = expected["inputs"][:], expected["preds"][:]
    assert windows.shape == (5, 1000, 4)
    hidden = np.maximum(windows.reshape(5, 4000) @ w1.T + b1, 0)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-hidden @ w2.T - b2)), rtol=1e-6)
    assert len(np.unique(found)) == 5
    with h5py.File(shared_data / "m13_kipoi_pyt" / "expected.pred.h5") as kept:
        inputs, theirs = kept["inputs"][:], kept["preds"][:]
    ours = zoo.load_model(kipoi_pyt, trust=True).predict(inputs.transpose(0, 2, 1), device="cpu")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SPLICE_MODELS)
def test_both_strands_are_never_averaged_into_a_splice_site(genes, name, tmp_path, capsys):
    _, _, bed, fasta = genes
    words = ["predict", name, bed, "-g", fasta, "-o", tmp_path / "x.h5", "--any-genome", "-q", "--rc-average"]
    assert run([*map(str, words)]) == 2
    assert "output 'splicing' belongs to the strand that is read" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SPLICE_MODELS)
def test_annotated_splice_sites_score_far_above_other_gt_and_ag(predicted, genes, name):
    regions, windows, *_ = genes
    assert {region.strand for region in regions} == {"+", "-"}
    sites, others, top = [], [], []
    for region, values in zip(regions, predicted[name], strict=True):
        sequence = reading_direction(region, windows)
        if name == "pangolin":  # one track for both kinds of site
            channels = [(values[1], region.acceptors + region.donors)]
        else:
            channels = [(values[1], region.acceptors), (values[2], region.donors)]
        for kind, (scores, annotated) in enumerate(channels):
            dinucleotides = {"AG": 2, "GT": -1} if len(channels) == 1 else ({"AG": 2}, {"GT": -1})[kind]
            candidates = {
                i + shift for word, shift in dinucleotides.items() for i in range(4999)
                if sequence[i : i + 2] == word and 0 <= i + shift < 5000
            }  # fmt: skip
            assert set(annotated) <= candidates
            sites += scores[list(annotated)].tolist()
            others += scores[sorted(candidates - set(annotated))].tolist()
            top.append(found_among_top(scores, annotated))
    assert len(sites) >= 80 and len(others) > 2000
    assert (np.array(sites)[:, None] > np.array(others)).mean() > 0.98
    assert np.mean(top) > 0.8
    assert np.median(sites) > 100 * np.median(others)


def test_pangolin_usage_is_high_at_splice_sites_in_all_tissues(predicted, genes):
    regions, values = genes[0], predicted["pangolin"]
    annotated = np.zeros((len(regions), 5000), bool)
    for region, row in zip(regions, annotated, strict=True):
        row[list(region.acceptors + region.donors)] = True
    for channel in (2, 5, 8, 11):
        usage = values[:, channel]
        assert np.median(usage[annotated]) > 50 * usage[~annotated].mean()
    np.testing.assert_allclose(values[:, 0] + values[:, 1], 1, atol=1e-6)


def test_a_gene_read_on_the_wrong_strand_has_no_splice_sites(genes, tmp_path):
    regions, _, bed, fasta = genes
    other = tmp_path / "other.bed"
    turned = {"+": "-", "-": "+"}
    other.write_text("".join(f"{line[:-1]}{turned[line[-1]]}\n" for line in bed.read_text().splitlines()[:2]))
    wrong = predict("openspliceai-mane-10000nt", other, fasta, tmp_path / "out.h5")
    for region, values in zip(regions[:2], wrong, strict=True):
        mirrored = [4999 - site for site in region.acceptors + region.donors]
        assert values[1:, mirrored].max() < 0.5


def test_kipoi_runs_what_it_can_fetch_itself_and_predicts_the_same(published, kipoi_pyt, tmp_path):
    """Unmodified Kipoi on the examples; the weights lie where it would have fetched them to.

    It loads tensors to the device that they were saved on, which for these files is a GPU: here, to the CPU.
    """
    pytest.importorskip("kipoi")
    shutil.copytree(kipoi_pyt, tmp_path / "kipoi-pyt")
    for folder in ("openspliceai", "pangolin"):
        shutil.copytree(ROOT / "model_cards" / folder, tmp_path / folder)
    (openspliceai,), (pangolin,) = pull("openspliceai-mane-80nt"), pull("pangolin")
    _placed(openspliceai, tmp_path / "openspliceai/downloaded/model_files/mane-80nt/weights")
    _placed(pangolin, tmp_path / "pangolin/downloaded/model_files/weights")
    expected = {
        "kipoi-pyt": "kipoi-pyt/example/expected.h5",
        "openspliceai/mane-80nt": "openspliceai/example/mane-80nt.h5",
        "pangolin": "pangolin/example/expected.h5",
    }
    script = tmp_path / "run.py"
    script.write_text(
        "import functools, json, os, sys, h5py, numpy as np, kipoi, torch\n"
        "torch.load = functools.partial(torch.load, map_location='cpu')\n"
        "result, source = {}, kipoi.sources.LocalSource(os.getcwd())\n"
        "for name, path in json.loads(sys.argv[1]).items():\n"
        "    predicted = kipoi.get_model(name, source=source).pipeline.predict_example(batch_size=2)\n"
        "    with h5py.File(path) as kept:\n"
        "        expected = kept['preds'][:]\n"
        "    result[name] = [predicted.shape == expected.shape, float(np.abs(predicted - expected).max())]\n"
        "print('RESULT' + json.dumps(result))\n"
    )
    done = subprocess.run(
        [sys.executable, script, json.dumps(expected)],
        cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.split("RESULT")[1])
    assert set(result) == set(expected)
    for name, (shapes, difference) in result.items():
        assert shapes and difference < 1e-5, (name, difference)


def _placed(pulled, folder):
    """Where Kipoi keeps a file that ``model.yaml`` names by URL and md5."""
    folder.mkdir(parents=True)
    (md5,) = {one["md5"] for one in info(pulled.model)["remote"]}
    shutil.copyfile(pulled.path, folder / md5)
