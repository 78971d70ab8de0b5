"""The yeast-atac entry under unmodified Kipoi and stock gReLU."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

ROOT = Path(__file__).parents[1]
ENTRY = ROOT / "model_cards" / "yeast-atac"
WINDOW = 1280
BINS = 32
needs_kipoi = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("kipoi", "kipoiseq", "pybedtools"))),
    reason="kipoi, kipoiseq or pybedtools is not installed",
)


@pytest.fixture
def entry(tmp_path):
    """A copy of the entry, so that a test may change it and clients may write beside it."""
    return Path(shutil.copytree(ENTRY, tmp_path / "yeast-atac"))


@pytest.fixture(scope="module")
def network():
    """The plain module with the entry's weights."""
    args = yaml.safe_load((ENTRY / "model.yaml").read_text())["args"]
    spec = importlib.util.spec_from_file_location("yeast_atac_model", ENTRY / args["module_file"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    built = getattr(module, args["module_class"])(**args["module_kwargs"])
    built.load_state_dict(torch.load(ENTRY / args["weights"], weights_only=True))
    return built.eval()


def kipoi(*args, cwd):
    """Run Kipoi's command line; returns the finished process with all output in stdout."""
    command = [sys.executable, "-W", "ignore", "-m", "kipoi", *map(str, args)]
    return subprocess.run(
        command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
    )


@needs_kipoi
def test_kipoi_test_passes_without_a_warning(entry):
    done = kipoi("test", ".", "--source", "dir", cwd=entry)
    assert done.returncode == 0, done.stdout
    assert "All predictions match" in done.stdout
    assert "WARNING" not in done.stdout


@needs_kipoi
def test_kipoi_test_runs_from_elsewhere(entry, tmp_path):
    done = kipoi("test", entry, "--source", "dir", "-s", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


@needs_kipoi
def test_kipoi_test_fails_when_one_prediction_is_off_by_a_thousandth(entry):
    with h5py.File(entry / "example" / "expected.h5", "r+") as expected:
        expected["preds"][3, 0, 7] += 1e-3
    done = kipoi("test", ".", "--source", "dir", cwd=entry)
    assert done.returncode != 0
    assert "don't match" in done.stdout


@needs_kipoi
def test_kipoi_predict_writes_the_expected_numbers(entry, tmp_path):
    args = {
        "intervals_file": str(entry / "example" / "regions.bed"),
        "fasta_file": str(entry / "example" / "genome.fa"),
    }
    out = tmp_path / "out.tsv"
    done = kipoi(
        "predict", entry, "--source", "dir", "--dataloader_args", json.dumps(args), "-o", out,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    header, *rows = (line.split("\t") for line in out.read_text().splitlines())
    # Kipoi sorts the columns as text: preds/0/0, preds/0/1, preds/0/10, ...
    columns = [header.index(f"preds/0/{i}") for i in range(BINS)]
    written = np.array([[float(row[column]) for column in columns] for row in rows])
    with h5py.File(entry / "example" / "expected.h5") as expected:
        np.testing.assert_allclose(written, expected["preds"][:, 0], rtol=1e-4, atol=1e-5)


@needs_kipoi
def test_kipoi_from_python(entry):
    kipoi_package = pytest.importorskip("kipoi")
    model = kipoi_package.get_model(str(entry), source="dir")
    predicted = model.pipeline.predict_example()
    with h5py.File(entry / "example" / "expected.h5") as expected:
        np.testing.assert_allclose(predicted, expected["preds"], rtol=1e-4, atol=1e-5)


def test_expected_inputs_are_the_windows_of_the_regions():
    example = ENTRY / "example"
    rows = [line.split("\t") for line in (example / "regions.bed").read_text().splitlines()]
    sequence = "".join((example / "genome.fa").read_text().split("\n")[1:])
    with h5py.File(example / "expected.h5") as expected:
        inputs = expected["inputs"][:]
        starts = expected["metadata/ranges/start"][:]
    assert len(rows) == len(inputs) == 12
    assert {row[5] for row in rows} == {"+", "-"}
    assert len({int(row[2]) - int(row[1]) for row in rows}) > 3
    for row, window, start in zip(rows, inputs, starts, strict=True):
        assert start == (int(row[1]) + int(row[2])) // 2 - WINDOW // 2
        letters = "".join("ACGT"[code] for code in window.argmax(axis=0))
        assert letters == sequence[start : start + WINDOW]


def test_card_names_the_files_as_they_are():
    import hashlib

    card = yaml.safe_load((ENTRY / "README.md").read_text().split("---\n")[1])
    assert {file["path"] for file in card["files"]} >= {"weights.pth", "grelu.ckpt"}
    for file in card["files"]:
        content = (ENTRY / file["path"]).read_bytes()
        assert len(content) == file["bytes"], file["path"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"], file["path"]


def test_card_and_loader_name_one_length(network):
    card = yaml.safe_load((ENTRY / "README.md").read_text().split("---\n")[1])
    loader = yaml.safe_load((ENTRY / "dataloader.yaml").read_text())
    assert card["input"]["length"] == loader["args"]["auto_resize_len"]["default"] == WINDOW
    output = card["outputs"][0]
    with torch.inference_mode():
        predicted = network(torch.zeros(1, 4, WINDOW))
    assert predicted.shape == (1, len(output["tracks"]), BINS)
    assert output["offset"] * 2 + output["bin_size"] * BINS == WINDOW


def test_weights_are_small():
    assert sum((ENTRY / name).stat().st_size for name in ("weights.pth", "grelu.ckpt")) < 1_000_000
    example = [path.stat().st_size for path in (ENTRY / "example").iterdir()]
    assert sum(example) < 200_000


def test_stock_grelu_loads_the_checkpoint_and_agrees_exactly(network):
    lightning = pytest.importorskip("grelu.lightning")
    model = lightning.LightningModel.load_from_checkpoint(ENTRY / "grelu.ckpt").eval()
    with h5py.File(ENTRY / "example" / "expected.h5") as expected:
        x = torch.from_numpy(expected["inputs"][:])
    with torch.no_grad():
        assert torch.equal(model(x), network(x))
        assert torch.equal(model(x, logits=True), network.logits(x))


def test_promoters_are_more_accessible_than_genes(network):
    names = [
        line.split("\t")[3] for line in (ENTRY / "example/regions.bed").read_text().splitlines()
    ]
    with h5py.File(ENTRY / "example" / "expected.h5") as expected:
        middles = expected["preds"][:, 0, BINS // 4 : -BINS // 4].mean(axis=1)
    promoters = [value for name, value in zip(names, middles, strict=True) if name.endswith("promoter")]
    genes = [value for name, value in zip(names, middles, strict=True) if name.endswith("gene")]
    assert np.median(promoters) > 2 * np.median(genes)
