"""`zoo add`: what a checkpoint records stands in the entry, nothing else does, and the entry runs everywhere."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

import zoo
from zoo.cards.card import read_card
from zoo.cli import run
from zoo.entries.add import add
from zoo.entries.check import check_example
from zoo.errors import InputError, ModelError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore")
SCALAR = {
    "model_type": "ConvModel",
    "n_tasks": 3,
    "stem_channels": 8,
    "n_conv": 2,
    "channel_init": 8,
    "final_pool_func": "avg",
}
BINARY = {"task": "binary", "loss": "bce", "pos_weight": [1.0, 2.0, 3.0]}


@pytest.fixture
def profile(tmp_path, make_checkpoint):
    """gReLU's model of the checkpoint ``x.ckpt``, and the entry drafted from it."""
    model = make_checkpoint(tmp_path / "x.ckpt")
    return model, add(tmp_path / "x.ckpt", "my-model", tmp_path / "out")


def test_the_card_holds_what_the_checkpoint_records(profile):
    _, folder = profile
    card = read_card(folder / "README.md").card
    assert (card.name, card.version, card.genome.assembly, card.genome.chrom_style) == (
        "my-model",
        "0.1.0",
        "hg38",
        "ucsc",
    )
    assert card.input.length == 64
    (output,) = card.outputs
    assert (output.kind, output.tracks, output.bin_size, output.offset, output.units) == (
        "profile",
        ["CTCF", "DNase", "H3K27ac"],
        4,
        8,
        None,
    )
    assert card.training.splits.model_dump() == {"train": ["chr1", "chr2"], "validation": ["chr8"], "test": ["chr9"]}
    # The means over tasks of conftest.PERFORMANCE, by hand.
    found = {(item.split, item.metric): item.value for item in card.evaluation}
    assert found == {
        ("validation", "mse, mean of 3 tracks"): pytest.approx(0.6),
        ("test", "mse, mean of 3 tracks"): 1.0,
        ("test", "pearson, mean of 3 tracks"): 0.5,
    }
    assert all("checkpoint" in item.reported_by for item in card.evaluation)
    table = [line.split("\t") for line in (folder / "tasks.tsv").read_text().splitlines()]
    assert table[0] == ["track", "cell", "val_mse", "test_mse", "test_pearson"]
    assert table[2] == ["DNase", "K562", "0.5", "1", "0.5"]


def test_nothing_is_invented_where_the_checkpoint_is_silent(tmp_path, make_checkpoint):
    make_checkpoint(tmp_path / "x.ckpt", SCALAR, data_params={"train": {"seq_len": 64}}, performance={})
    folder = add(tmp_path / "x.ckpt", "silent", tmp_path / "out")
    file = read_card(folder / "README.md")
    assert file.card.genome is None and file.card.training.splits is None and not file.card.evaluation
    assert file.card.training.data == [] and file.card.outputs[0].tracks == ["task_0", "task_1", "task_2"]
    info = yaml.safe_load((folder / "model.yaml").read_text())["info"]
    assert info["authors"] == [] and info["license"] == "unknown"  # Kipoi would take a missing licence for MIT
    todo = [line for line in file.prose.splitlines() if "TODO" in line]
    assert len(todo) == 7 and all(line.startswith("TODO: ") for line in todo)
    assert "TODO" not in (folder / "README.md").read_text().split("---\n")[1]
    check_example(folder, trust=True)


@pytest.mark.parametrize("genome", ["/data/hg38.fa", "genomes\\hg38.fa"])
def test_a_path_is_no_assembly(tmp_path, make_checkpoint, genome):
    make_checkpoint(tmp_path / "x.ckpt", SCALAR, data_params={"train": {"seq_len": 64, "genome": genome}})
    file = read_card(add(tmp_path / "x.ckpt", "m", tmp_path) / "README.md")
    assert file.card.genome is None and f"TODO: the genome assembly; the checkpoint says {genome}." in file.prose


def test_parts_that_share_chromosomes_are_no_split(tmp_path, make_checkpoint):
    part = {"seq_len": 64, "intervals": {"chrom": ["1", "2"]}}
    make_checkpoint(tmp_path / "x.ckpt", SCALAR, data_params={"train": part | {"genome": "GRCh38"}, "test": part})
    file = read_card(add(tmp_path / "x.ckpt", "m", tmp_path) / "README.md")
    assert file.card.training.splits is None and "share chromosomes" in file.prose
    assert file.card.genome.chrom_style == "plain"


def test_many_tracks_go_to_a_file_and_pairs_of_strands_to_the_card(tmp_path, make_checkpoint):
    names = [f"cage_{i}{'+-'[i % 2]}" for i in range(30)]
    tasks = {"name": names, "strand_pair": [i + 1 if i % 2 == 0 else i - 1 for i in range(30)]}
    data = {"train": {"seq_len": 64}, "tasks": tasks}
    make_checkpoint(tmp_path / "x.ckpt", SCALAR | {"n_tasks": 30}, data_params=data)
    folder = add(tmp_path / "x.ckpt", "m", tmp_path)
    (output,) = read_card(folder / "README.md").card.outputs
    assert output.tracks is None and (folder / output.tracks_file).read_text().split() == names
    assert output.strand[1] == ("cage_2+", "cage_3-") and len(output.strand) == 15
    assert zoo.load_model(folder, trust=True).outputs[0].tracks == tuple(names)


def test_a_column_that_is_no_pairing_gives_no_pairs(tmp_path, make_checkpoint):
    tasks = {"name": ["a", "b", "c"], "strand_pair": [1, 2, 0]}
    make_checkpoint(tmp_path / "x.ckpt", SCALAR, data_params={"train": {"seq_len": 64}, "tasks": tasks})
    (output,) = read_card(add(tmp_path / "x.ckpt", "m", tmp_path) / "README.md").card.outputs
    assert output.strand == "unstranded"


def test_the_entry_predicts_what_grelu_does(profile, windows):
    theirs, folder = profile
    ours = zoo.load_model(folder, trust=True)
    with torch.inference_mode():
        assert np.array_equal(ours.predict(windows(), batch_size=5), theirs(windows()).numpy())
        assert torch.equal(ours.module.logits(windows()), theirs(windows(), logits=True))
    # An unknown base: gReLU encodes it as 0, kipoiseq as 0.25; the card says so.
    assert ours.loader.n_value == 0.25 and zoo.load_model(folder / "grelu.ckpt").loader.n_value == 0.0
    assert "gReLU encodes an unknown base as 0" in (folder / "README.md").read_text()


def test_the_stripped_checkpoint_loads_with_grelus_defaults(tmp_path, make_checkpoint, lightning_model, windows):
    theirs = make_checkpoint(tmp_path / "x.ckpt", SCALAR, BINARY)
    content = torch.load(tmp_path / "x.ckpt", weights_only=False)
    content["optimizer_states"] = [{"state": {0: torch.zeros(1000)}}]
    torch.save(content, tmp_path / "x.ckpt")
    folder = add(tmp_path / "x.ckpt", "m", tmp_path)
    stripped = torch.load(folder / "grelu.ckpt", weights_only=True)  # no numpy, no code
    assert "optimizer_states" not in stripped and stripped["performance"]["test"]["test_mse"] == [0.5, 1.0, 1.5]
    again = lightning_model.load_from_checkpoint(folder / "grelu.ckpt").eval()
    assert torch.equal(again.loss.pos_weight, theirs.loss.pos_weight)
    with torch.inference_mode():
        assert torch.equal(again(windows()), theirs(windows()))
    assert again.data_params == theirs.data_params | {}


def test_the_example_is_cut_from_the_genome(tmp_path, make_checkpoint, genome):
    fasta, bed = genome
    make_checkpoint(tmp_path / "x.ckpt")
    folder = add(tmp_path / "x.ckpt", "m", tmp_path, genome=fasta, regions=bed)
    contigs = dict(zip(*[iter(fasta.read_text().replace(">", "").split())] * 2, strict=True))
    cut = dict(zip(*[iter((folder / "example/genome.fa").read_text().replace(">", "").split())] * 2, strict=True))
    assert len(cut) == 5
    for name, letters in cut.items():
        chrom, start, end = name.split("_")
        assert letters == contigs[chrom][int(start) : int(end)] and len(letters) == 64
    # The regions' predictions on the genome are those of the example.
    got = zoo.load_model(folder, trust=True).predict_regions(bed, fasta, any_genome=True, device="cpu")
    with h5py.File(folder / "example/expected.h5") as expected:
        assert np.array_equal(got.values["preds"], expected["preds"][()])
        assert expected["inputs"].shape == (5, 4, 64)
    assert "windows of genome.fa" in (folder / "README.md").read_text()


def test_regions_without_room_for_a_window(tmp_path, make_checkpoint, genome):
    make_checkpoint(tmp_path / "x.ckpt")
    (tmp_path / "edge.bed").write_text("chr9\t0\t10\nchr9\t880\t900\n")
    with pytest.raises(InputError, match="leaves room"):
        add(tmp_path / "x.ckpt", "m", tmp_path, genome=genome[0], regions=tmp_path / "edge.bed")
    assert not (tmp_path / "m").exists() and not list(tmp_path.glob(".zoo*"))
    with pytest.raises(UsageError, match="both a genome and regions"):
        add(tmp_path / "x.ckpt", "m", tmp_path, genome=genome[0])


needs_kipoi = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("kipoi", "kipoiseq", "pybedtools"))),
    reason="kipoi, kipoiseq or pybedtools is not installed",
)


@pytest.mark.slow
@needs_kipoi
def test_kipoi_tests_the_entry_without_a_warning(profile):
    _, folder = profile
    command = [sys.executable, "-W", "ignore", "-m", "kipoi", "test", ".", "--source", "dir"]
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert done.returncode == 0, done.stdout
    assert "All predictions match" in done.stdout and "WARNING" not in done.stdout


def test_at_the_command_line(tmp_path, make_checkpoint, monkeypatch, capsys):
    make_checkpoint(tmp_path / "x.ckpt", SCALAR)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    command = ["add", "x.ckpt", "--name", "m", "-o", "entries"]
    code, said = run(command), capsys.readouterr()
    assert code == 0 and said.out.strip() == str(Path("entries/m")), said.err
    assert "  entries/m/README.md:" in said.err and "lines, marked TODO" in said.err
    assert "zoo test entries/m --trust" in said.err
    code, said = run(command), capsys.readouterr()
    assert code == 2 and "entries/m exists" in said.err and "--force" in said.err


@pytest.mark.parametrize("name", ["", "../up", "a b", "-x", ".hidden", "a/b"])
def test_names_that_cannot_be_one(tmp_path, name):
    with pytest.raises(UsageError, match="cannot name an entry"):
        add(tmp_path / "x.ckpt", name, tmp_path)


def test_sources_that_are_none(tmp_path):
    with pytest.raises(ModelError, match="no such checkpoint or folder"):
        add(tmp_path / "absent.ckpt", "m", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no checkpoint"):
        add(tmp_path / "empty", "m", tmp_path / "out")
    for name in ("a.ckpt", "b.ckpt"):
        (tmp_path / "empty" / name).write_bytes(b"")
    with pytest.raises(ModelError, match="several checkpoints"):
        add(tmp_path / "empty", "m", tmp_path / "out")
    assert not (tmp_path / "out" / "m").exists()


def test_bins_without_a_place_are_refused(tmp_path, make_checkpoint):
    make_checkpoint(tmp_path / "x.ckpt", data_params={"train": {"seq_len": 64, "bin_size": 7}})
    with pytest.raises(ModelError, match="does not say where its 12 bins lie"):
        add(tmp_path / "x.ckpt", "m", tmp_path)


def test_a_kipoi_folder_is_taken_as_it_is(tmp_path):
    from toys import make_toy_entry

    toy = make_toy_entry(tmp_path / "toy", "gc", card=False)
    folder = add(toy.folder, "kept", tmp_path / "out")
    ours = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    theirs = {path.relative_to(toy.folder): path.read_bytes() for path in toy.folder.rglob("*") if path.is_file()}
    assert ours == theirs
