"""Published torch weights as entries: equal to the original programs, and right about real splice sites."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.shared
ROOT = Path(__file__).resolve().parents[2]
ZOO = Path(sys.executable).with_name("zoo")
SPLICE_MODELS = ["ci-spliceai", "openspliceai-mane-10000nt", "pangolin"]
NAMES = ["bpnet-k562-ctcf", "kipoi-pyt", *SPLICE_MODELS]
N_REGIONS = 6
sys.path.insert(0, str(ROOT / "scripts"))

import build_model_table  # noqa: E402
from build_shared_entries import ENTRIES  # noqa: E402

from scripts.shared_entries.comparison import Comparison  # noqa: E402
from scripts.shared_entries.hg38_windows import fasta_text, read_windows, splice_regions  # noqa: E402


@pytest.fixture(scope="module")
def entries(shared_data, tmp_path_factory):
    """Folder of the entries, built by the command."""
    out = tmp_path_factory.mktemp("entries")
    command = [sys.executable, ROOT / "scripts" / "build_shared_entries.py", out, *NAMES, "--data", shared_data]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out


@pytest.fixture(scope="module")
def genes(shared_data, tmp_path_factory):
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
    command = [ZOO, "predict", entry, bed, "-g", fasta, "-o", out, "--trust", "--any-genome", "-q"]
    subprocess.run(command, check=True)
    with h5py.File(out) as result:
        return result["preds"][:]


@pytest.fixture(scope="module")
def predicted(entries, genes, tmp_path_factory):
    """Predictions of each splice model for the genes: name -> (regions, tracks, 5000)."""
    _, _, bed, fasta = genes
    out = tmp_path_factory.mktemp("predicted")
    return {name: predict(entries / name, bed, fasta, out / f"{name}.h5") for name in SPLICE_MODELS}


def reading_direction(region, windows):
    """The region's sequence on the gene's strand."""
    sequence = windows[region.window][region.start : region.end]
    return sequence.translate(str.maketrans("ACGT", "TGCA"))[::-1] if region.strand == "-" else sequence


def found_among_top(scores, sites):
    """Of as many best positions as there are sites, the share that are sites."""
    top = np.argsort(scores)[::-1][: len(sites)]
    return len(set(top.tolist()) & set(sites)) / len(sites)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_those_of_the_original_program(entries, shared_data, name):
    found = importlib.import_module(ENTRIES[name]).check(entries / name, shared_data)
    assert found.difference <= 1e-5 * found.scale


def test_kipoi_pyt_is_two_dense_layers_over_the_flattened_window(entries, shared_data):
    """By numpy, on real sequence: Kipoi's expected predictions are of unknown bases only."""
    weights = torch.load(shared_data / "m13_kipoi_pyt" / "only_weights.pth", weights_only=True)
    w1, b1, w2, b2 = (weights[name].numpy().astype(float) for name in ("1.weight", "1.bias", "3.weight", "3.bias"))
    with h5py.File(entries / "kipoi-pyt" / "example" / "expected.h5") as expected:
        windows, found = expected["inputs"][:], expected["preds"][:]
    assert windows.shape == (5, 1000, 4)
    hidden = np.maximum(windows.reshape(5, 4000) @ w1.T + b1, 0)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-hidden @ w2.T - b2)), rtol=1e-6)
    assert len(np.unique(found)) == 5


@pytest.mark.parametrize("name", SPLICE_MODELS)
def test_both_strands_are_never_averaged_into_a_splice_site(entries, genes, name, tmp_path):
    _, _, bed, fasta = genes
    command = [ZOO, "predict", entries / name, bed, "-g", fasta, "-o", tmp_path / "x.h5", "--trust", "--any-genome"]
    done = subprocess.run([*command, "-q", "--rc-average"], capture_output=True, text=True)
    assert done.returncode == 2 and "output 'splicing' belongs to the strand that is read" in done.stderr
    assert not list(tmp_path.iterdir())


def test_every_entry_names_its_comparison_and_stands_in_the_readme():
    block = (ROOT / "README.md").read_text().split("<!-- begin models -->")[1].split("<!-- end models -->")[0]
    for name, module in ENTRIES.items():
        assert callable(importlib.import_module(module.partition(":")[0]).check), name
        assert f"| `{name}" in block, name


def test_table_of_models_has_a_row_for_the_entry(shared_data):
    header, _, row = build_model_table.table(["kipoi-pyt"], shared_data).splitlines()
    assert header.count("|") == row.count("|") == 6
    assert "| `kipoi-pyt` |" in row and row.endswith("| < 5e-06 of 0.478 |")
    assert f"\n{row}\n" in (ROOT / "README.md").read_text()


def test_table_of_models_takes_the_worst_of_a_group_and_refuses_a_wrong_one():
    good, worse = (Comparison("DeepBind", "Keras", "TensorFlow", difference, 2.0) for difference in (1e-6, 5e-6))
    assert build_model_table.row("deepbind", [good, worse, None]) == [
        "DeepBind", "Keras", "`deepbind/...`, 3 entries", "TensorFlow of each of 2", "< 5e-06 of 2",
    ]  # fmt: skip
    with pytest.raises(SystemExit, match="deepbind"):
        build_model_table.row("deepbind", [good, Comparison("DeepBind", "Keras", "TensorFlow", 3e-5, 2.0)])


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


def test_a_gene_read_on_the_wrong_strand_has_no_splice_sites(entries, genes, tmp_path):
    regions, _, bed, fasta = genes
    other = tmp_path / "other.bed"
    turned = {"+": "-", "-": "+"}
    other.write_text("".join(f"{line[:-1]}{turned[line[-1]]}\n" for line in bed.read_text().splitlines()[:2]))
    wrong = predict(entries / "openspliceai-mane-10000nt", other, fasta, tmp_path / "out.h5")
    for region, values in zip(regions[:2], wrong, strict=True):
        mirrored = [4999 - site for site in region.acceptors + region.donors]
        assert values[1:, mirrored].max() < 0.5


def test_kipoi_reads_the_built_entries_and_predicts_the_same(entries, tmp_path):
    """Unmodified Kipoi on each entry's example; SpliceAI-sized windows in one batch of two."""
    pytest.importorskip("kipoi")
    script = tmp_path / "run.py"
    script.write_text(
        "import json, os, sys, h5py, numpy as np, kipoi\n"
        "result = {}\n"
        "for name in sys.argv[2:]:\n"
        "    folder = os.path.join(sys.argv[1], name)\n"
        "    model = kipoi.get_model(folder, source='dir')\n"
        "    predicted = model.pipeline.predict_example(batch_size=2)\n"
        "    parts = predicted if isinstance(predicted, (list, tuple)) else [predicted]\n"
        "    with h5py.File(os.path.join(folder, 'example', 'expected.h5')) as kept:\n"
        "        preds = kept['preds']\n"
        "        outputs = [preds[key] for key in ('profile', 'counts')] if hasattr(preds, 'keys') else [preds]\n"
        "        expected = [output[:] for output in outputs]\n"
        "    shapes = all(a.shape == b.shape for a, b in zip(parts, expected))\n"
        "    result[name] = [shapes, max(float(np.abs(a - b).max()) for a, b in zip(parts, expected))]\n"
        "print('RESULT' + json.dumps(result))\n"
    )
    done = subprocess.run(
        [sys.executable, script, entries, *NAMES], cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.split("RESULT")[1])
    assert set(result) == set(NAMES)
    for name, (shapes, difference) in result.items():
        assert shapes and difference < 1e-5, (name, difference)
