"""Each file of a model is found, read and hashed once a command, and torch waits until the regions are checked."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from prediction_cases import make_case
from toys import make_toy_entry

import zoo
from interpret.attribute.attribute import attribute
from zoo import files
from zoo.errors import FetchError
from zoo.models.entry import open_entry
from zoo.store import hub as hub_module

ROOT = Path(__file__).resolve().parents[2]
YEAST = ROOT / "model_cards/yeast-atac"
_recording: list[Counter] = []


def _count_opening(event, arguments):
    """An audit hook: it sees every file that Python opens, and cannot be taken away again."""
    if event == "open" and _recording and isinstance(arguments[0], str | bytes | os.PathLike):
        _recording[-1][os.path.realpath(os.fsdecode(arguments[0]))] += 1


sys.addaudithook(_count_opening)


@contextmanager
def opened_files():
    """Counts of the files opened in the block, by real path."""
    _recording.append(Counter())
    try:
        yield _recording[-1]
    finally:
        _recording.pop()


def times(counts, path):
    return counts[os.path.realpath(path)]


@pytest.fixture
def hashed(monkeypatch):
    """Counts of the files hashed by ``zoo.files``, by path."""
    counts, inner = Counter(), files._hash

    def counted(path, *algorithms):
        counts[os.path.realpath(path)] += 1
        return inner(path, *algorithms)

    monkeypatch.setattr(files, "_hash", counted)
    return counts


def run_predict(model, bed, fasta, folder, **options):
    return zoo.predict(model, bed, fasta, folder / "out.tsv", **options)


def run_attribute(model, bed, fasta, folder, **options):
    return attribute(model, bed, fasta, folder / "c.h5", method="saliency", tracks="*", **options)


CALLERS = pytest.mark.parametrize("call", [run_predict, run_attribute], ids=["predict", "attribute"])


@CALLERS
@pytest.mark.parametrize("card", [True, False], ids=["entry", "kipoi-folder"])
@pytest.mark.parametrize("loader", ["file", "inline"])
def test_the_yaml_of_a_folder_is_read_once_and_its_files_are_hashed_once(tmp_path, hashed, call, card, loader):
    toy = make_toy_entry(tmp_path / "toy", "gc", card=card, loader=loader)
    with opened_files() as counts:
        call(toy.folder, toy.regions, toy.genome, tmp_path, trust=True)
    texts = ["model.yaml", *(["dataloader.yaml"] if loader == "file" else []), *(["README.md"] if card else [])]
    assert {name: times(counts, toy.folder / name) for name in texts} == dict.fromkeys(texts, 1)
    used = [next(toy.folder.glob("toy_*.py")), toy.folder / "weights.pth", toy.regions]
    assert {path.name: times(hashed, path) for path in used} == {path.name: 1 for path in used}


@CALLERS
def test_a_bundled_entry_is_read_once(tmp_path, hashed, call):
    bed, fasta = YEAST / "example/regions.bed", YEAST / "example/genome.fa"
    zoo.entries()  # where a card has changed, the index is made first, from all of them
    with opened_files() as counts:
        call("yeast-atac", bed, fasta, tmp_path, any_genome=True, limit=2)
    for name in ("model.yaml", "dataloader.yaml", "README.md"):
        assert times(counts, YEAST / name) == 1, name
    entry = open_entry("yeast-atac")
    of_the_model = [os.path.realpath(YEAST / item.path) for item in entry.card.files]
    assert {hashed[path] for path in of_the_model} <= {0, 1} and 1 in {hashed[path] for path in of_the_model}


@CALLERS
def test_a_model_that_is_opened_or_loaded_is_not_read_again(tmp_path, call):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    entry, loaded = open_entry(toy.folder, trust=True), zoo.load_model(toy.folder, trust=True)
    for model, weights in ((entry, True), (loaded, False)):
        with opened_files() as counts:
            call(model, toy.regions, toy.genome, tmp_path, trust=True)
        for name in ("model.yaml", "dataloader.yaml", "README.md"):
            assert times(counts, toy.folder / name) == 0, name
        assert bool(times(counts, toy.folder / "weights.pth")) is weights


def test_a_folder_with_a_dataloader_of_its_own_is_read_once(tmp_path, hashed, monkeypatch):
    pytest.importorskip("kipoi")
    monkeypatch.syspath_prepend(str(ROOT / "tests/kipoi"))
    from kipoi_toys import loader_yaml, model_yaml, write_data, write_folder

    fasta, bed = write_data(tmp_path)
    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    with opened_files() as counts:
        zoo.predict(folder, bed, fasta, tmp_path / "out.tsv", trust=True)
    assert (times(counts, folder / "model.yaml"), times(counts, folder / "dataloader.yaml")) == (1, 1)
    assert times(hashed, folder / "weights.pth") == 1
    loaded = zoo.load_model(folder, trust=True)
    with opened_files() as counts:
        zoo.predict(loaded, bed, fasta, tmp_path / "out.tsv")
    assert (times(counts, folder / "model.yaml"), times(counts, folder / "weights.pth")) == (0, 0)


def test_weights_behind_a_dataloader_of_its_own_are_checked_against_the_card_too(tmp_path, monkeypatch):
    pytest.importorskip("kipoi")
    monkeypatch.syspath_prepend(str(ROOT / "tests/kipoi"))
    from kipoi_toys import loader_yaml, model_yaml, write_folder

    folder = write_folder(tmp_path / "toy", model_yaml("Sum"), loader_yaml())
    carded = make_toy_entry(tmp_path / "carded", "gc").folder
    (folder / "README.md").write_text((carded / "README.md").read_text())
    (folder / "weights.pth").write_bytes((carded / "weights.pth").read_bytes())
    assert set(zoo.load_model(folder, trust=True).hashes) == {"torch_model.py", "weights.pth"}
    torch.save({"scale": torch.full((1,), 2.0)}, folder / "weights.pth")
    with pytest.raises(FetchError, match=r"weights\.pth: the checksum is not the one on the card"):
        zoo.load_model(folder, trust=True)


# Hugging Face


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """A cached snapshot of an entry whose files are links to blobs named by their checksums, as the hub keeps them."""
    pytest.importorskip("huggingface_hub")
    toy = make_toy_entry(tmp_path / "toy", "gc")
    home, commit = tmp_path / "hf", "c" * 40
    folder = home / "hub/models--org--toy"
    (folder / "refs").mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "refs/main").write_text(commit)
    for path in sorted(p for p in toy.folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        large = path.suffix == ".pth"  # kept by Git LFS, under its sha256
        name = hashlib.sha256(content).hexdigest() if large else git_name(content)
        (folder / "blobs" / name).write_bytes(content)
        link = folder / "snapshots" / commit / path.relative_to(toy.folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder / "blobs" / name)
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return toy, folder / "snapshots" / commit


def git_name(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@CALLERS
def test_a_name_of_hugging_face_is_resolved_once_and_its_files_are_hashed_once(
    repo, tmp_path, hashed, monkeypatch, call
):
    toy, snapshot = repo
    fetched, verified, fetch, verify = [], Counter(), hub_module.fetch_model, hub_module._verify_blob

    def counted(path):
        verified[path.name] += 1
        return verify(path)

    monkeypatch.setattr("zoo.models.entry.fetch_model", lambda name: fetched.append(name) or fetch(name))
    monkeypatch.setattr(hub_module, "_verify_blob", counted)
    call("hf://org/toy", toy.regions, toy.genome, tmp_path, trust=True)
    assert fetched == ["hf://org/toy"]
    assert verified == {path.name: 1 for path in snapshot.rglob("*") if path.is_file()}
    names = ("weights.pth", next(toy.folder.glob("toy_*.py")).name)
    assert [times(hashed, snapshot / name) for name in names] == [0, 0], "verified when they were found in the cache"


def test_what_was_verified_bears_the_checksum_that_a_hash_would_give(repo):
    toy, _ = repo
    model = zoo.load_model("hf://org/toy", trust=True)
    names = ("weights.pth", next(toy.folder.glob("toy_*.py")).name)
    assert model.hashes == {name: hashlib.sha256((toy.folder / name).read_bytes()).hexdigest() for name in names}


def test_a_verified_file_that_is_not_the_card_s_is_refused(repo):
    """It is what the hub holds, and not what its card says."""
    _, snapshot = repo
    blobs = snapshot.parents[1] / "blobs"
    (snapshot / "weights.pth").unlink()
    other = b"other weights"
    (blobs / hashlib.sha256(other).hexdigest()).write_bytes(other)
    (snapshot / "weights.pth").symlink_to(blobs / hashlib.sha256(other).hexdigest())
    with pytest.raises(FetchError, match="the checksum is not the one on the card"):
        zoo.load_model("hf://org/toy", trust=True)


def test_a_checkpoint_is_hashed_once(tmp_path, hashed, monkeypatch):
    """What its file holds does not matter here: it is read by a stand-in for gReLU's loader."""
    toy = make_toy_entry(tmp_path / "toy", "gc")
    checkpoint = tmp_path / "x.ckpt"
    checkpoint.write_bytes(b"a checkpoint")
    grelu = pytest.importorskip("zoo.models.grelu")
    read = []

    def load_checkpoint(path, name):
        read.append(path)
        model = zoo.load_model(toy.folder, trust=True)
        model.name, model.hashes, model.folder = name, {}, path
        return model

    monkeypatch.setattr(grelu, "load_checkpoint", load_checkpoint)
    zoo.predict(checkpoint, toy.regions, toy.genome, tmp_path / "out.tsv")
    assert read == [checkpoint] and times(hashed, checkpoint) == 1


# Torch


def test_a_mistake_in_the_regions_is_told_before_torch_is_imported(tmp_path):
    case = make_case(tmp_path, "gc", n=3)
    case.bed.write_text("chr1\t20\t10\n")
    program = (
        "import sys, zoo\nfrom zoo.errors import InputError\n"
        f"try:\n    zoo.predict({str(case.toy.folder)!r}, {str(case.bed)!r}, {str(case.genome)!r}, trust=True)\n"
        "except InputError as error:\n    print(error.what, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == f"{case.bed}:1: start 20 is not below end 10 False"
