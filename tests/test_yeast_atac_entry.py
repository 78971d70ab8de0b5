"""The yeast-atac entry: its files, its example, and the checkpoint under stock gReLU."""

import hashlib
import importlib.util
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

import zoo

ROOT = Path(__file__).parents[1]
ENTRY = ROOT / "model_cards" / "yeast-atac"
WINDOW = 1280
BINS = 32


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


def test_expected_inputs_are_the_windows_of_the_regions():
    example = ENTRY / "example"
    rows = [line.split("\t") for line in (example / "regions.bed").read_text().splitlines()]
    sequence = "".join((example / "genome.fa").read_text().split("\n")[1:])
    with h5py.File(example / "expected.h5") as expected:
        inputs = expected["inputs"][:]
        starts = expected["metadata/ranges/start"][:]
    assert len(rows) == len(inputs) == 12
    assert {row[5] for row in rows} == {"."}  # the model reads no strand, and a note would say so of others
    assert len({length := int(row[2]) - int(row[1]) for row in rows}) > 3 and length <= 1024
    for row, window, start in zip(rows, inputs, starts, strict=True):
        assert start == (int(row[1]) + int(row[2])) // 2 - WINDOW // 2
        letters = "".join("ACGT"[code] for code in window.argmax(axis=0))
        assert letters == sequence[start : start + WINDOW]


def test_card_names_the_files_as_they_are():
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
    assert sum(example) < 400_000


@pytest.mark.parametrize("name", ["yeast-atac", "yeast-nucleosomes"])
def test_the_example_is_chromosome_i_of_the_assembly_and_nothing_is_noted(name, tmp_path):
    """In true coordinates, so that the assembly is checked; md5 of chrI as SGD's sequence dictionary has it."""
    example = ROOT / "model_cards" / name / "example"
    sequence = "".join((example / "genome.fa").read_text().split("\n")[1:])
    assert len(sequence) == 230_218
    assert hashlib.md5(sequence.encode()).hexdigest() == "6681ac2f62509cfc220d78751b8dc524"
    result = zoo.predict(name, example / "regions.bed", example / "genome.fa", tmp_path / "out.tsv")
    assert (result.windows, result.notes) == (12, [])


def test_genes_and_promoters_of_the_demo_are_those_of_the_chromosome():
    """ACS1 (YAL054C) is at 42,881-45,022 of chrI, on the minus strand (SGD)."""
    rows = {name: (ENTRY / "example" / f"{name}.bed").read_text().splitlines() for name in ("genes", "promoters")}
    assert "chrI\t42880\t45022\tACS1\t0\t-" in rows["genes"]
    assert "chrI\t44922\t45422\tACS1\t0\t." in rows["promoters"]
    assert len(rows["genes"]) == 101 and all(int(row.split("\t")[2]) <= 228_218 for row in rows["promoters"])


def test_stock_grelu_loads_the_checkpoint_and_agrees_exactly(network):
    lightning = pytest.importorskip("grelu.lightning")
    model = lightning.LightningModel.load_from_checkpoint(ENTRY / "grelu.ckpt").eval()
    with h5py.File(ENTRY / "example" / "expected.h5") as expected:
        x = torch.from_numpy(expected["inputs"][:])
    with torch.no_grad():
        assert torch.equal(model(x), network(x))
        assert torch.equal(model(x, logits=True), network.logits(x))


def test_promoters_are_more_accessible_than_genes(network):
    names = [line.split("\t")[3] for line in (ENTRY / "example/regions.bed").read_text().splitlines()]
    with h5py.File(ENTRY / "example" / "expected.h5") as expected:
        middles = expected["preds"][:, 0, BINS // 4 : -BINS // 4].mean(axis=1)
    promoters = [value for name, value in zip(names, middles, strict=True) if name.endswith("promoter")]
    genes = [value for name, value in zip(names, middles, strict=True) if name.endswith("gene")]
    assert np.median(promoters) > 2 * np.median(genes)
