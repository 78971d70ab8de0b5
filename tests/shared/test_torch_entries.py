"""Published torch weights as entries: equal to the original programs, and right about real splice sites."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

pytestmark = pytest.mark.shared
ROOT = Path(__file__).resolve().parents[2]
ZOO = Path(sys.executable).with_name("zoo")
SPLICE_MODELS = ["ci-spliceai", "openspliceai-mane-10000nt", "pangolin"]
NAMES = ["bpnet-k562-ctcf", "kipoi-pyt", *SPLICE_MODELS]
N_REGIONS = 6
sys.path.insert(0, str(ROOT / "scripts"))

from build_shared_entries import ENTRIES  # noqa: E402
from shared_entries.hg38_windows import fasta_text, read_windows, splice_regions  # noqa: E402


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


def predict(entry, bed, fasta, out, *options):
    subprocess.run([ZOO, "predict", entry, bed, "-g", fasta, "-o", out, "--trust", "-q", *options], check=True)
    with h5py.File(out) as result:
        return result["preds"][:]


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


@pytest.mark.parametrize("name", SPLICE_MODELS)
def test_annotated_splice_sites_score_far_above_other_gt_and_ag(entries, genes, tmp_path, name):
    regions, windows, bed, fasta = genes
    assert {region.strand for region in regions} == {"+", "-"}
    predicted = predict(entries / name, bed, fasta, tmp_path / "out.h5", "--any-genome")
    sites, others, top = [], [], []
    for region, values in zip(regions, predicted, strict=True):
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


def test_pangolin_usage_is_high_at_splice_sites_in_all_tissues(entries, genes, tmp_path):
    regions, _, bed, fasta = genes
    predicted = predict(entries / "pangolin", bed, fasta, tmp_path / "out.h5", "--any-genome")
    annotated = np.zeros((len(regions), 5000), bool)
    for region, row in zip(regions, annotated, strict=True):
        row[list(region.acceptors + region.donors)] = True
    for channel in (2, 5, 8, 11):
        usage = predicted[:, channel]
        assert np.median(usage[annotated]) > 50 * usage[~annotated].mean()
    np.testing.assert_allclose(predicted[:, 0] + predicted[:, 1], 1, atol=1e-6)


def test_a_gene_read_on_the_wrong_strand_has_no_splice_sites(entries, genes, tmp_path):
    regions, _, bed, fasta = genes
    other = tmp_path / "other.bed"
    turned = {"+": "-", "-": "+"}
    other.write_text("".join(f"{line[:-1]}{turned[line[-1]]}\n" for line in bed.read_text().splitlines()))
    predicted = predict(entries / "openspliceai-mane-10000nt", other, fasta, tmp_path / "out.h5", "--any-genome")
    for region, values in zip(regions, predicted, strict=True):
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
