"""Weights that are made of published files: the tensors that the card says, whatever the files are, and nothing run."""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from toys import make_toy_entry

import zoo
from zoo.cards.kipoi import read_model
from zoo.convert.readers import tensors_sha256
from zoo.errors import FetchError, ModelError
from zoo.models.files import argument_path
from zoo.progress import Quiet, human_bytes, listening
from zoo.store.cache import Cache
from zoo.store.fetch import FetchSettings
from zoo.store.remote import remote_files


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "own-cache"))
    monkeypatch.setattr(FetchSettings, "from_environment", classmethod(lambda cls: cls(attempts=1, backoff=0)))


def published(server, path, body, reader="state-dict", prefix=""):
    url = server.add(path, body)
    sha256 = hashlib.sha256(body).hexdigest()
    return {"reader": reader, "prefix": prefix, "sha256": sha256, "bytes": len(body), "mirrors": [url]}


def with_made_weights(folder, sources, tensors):
    """Let an entry's weights be made of the sources."""
    (folder / "weights.pth").unlink(missing_ok=True)
    model = yaml.safe_load((folder / "model.yaml").read_text())
    model["args"]["weights"] = "weights.safetensors"
    (folder / "model.yaml").write_text(yaml.safe_dump(model))
    _, front, prose = (folder / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    made = {"path": "weights.safetensors", "made_from": sources, "tensors_sha256": tensors_sha256(tensors)}
    card["files"] = [one for one in card["files"] if "weights" not in one["path"]] + [made]
    card["licence_note"] = "not for sale"
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n{prose}")


@pytest.fixture
def toy(tmp_path, server):
    """A toy whose state dict the server has."""
    toy = make_toy_entry(tmp_path / "own-toy")
    body = (toy.folder / "weights.pth").read_bytes()
    with_made_weights(toy.folder, [published(server, "/w.pt", body)], {"scale": torch.ones(1)})
    return toy


def load(toy):
    return zoo.load_model(toy.folder, trust=True)


def weights_of(toy):
    return argument_path(read_model(toy.folder), "weights")


def test_what_a_licence_asks_for_is_said_quietly_too(toy, server, capsys):
    with listening(Quiet()):
        load(toy)
    assert capsys.readouterr().err == "zoo: own-toy: licence MIT (not for sale)\n"
    with listening(Quiet()):
        load(toy)  # what is here already was told
    assert capsys.readouterr().err == ""


def test_an_entry_is_made_of_what_is_published(toy, server, notes, monkeypatch):
    with listening(notes):
        model = load(toy)
    size = human_bytes(len(server.pages["/w.pt"].body))
    told = [note for note in notes.notes if "fetching" in note]
    assert told == [f"own-toy: fetching w.pt, {size} from 127.0.0.1; licence MIT (not for sale)"]
    one_hot = np.zeros((1, 4, 16), np.float32)
    one_hot[:, 1, :4] = one_hot[:, 0, 4:] = 1
    assert model.predict(one_hot)[0, 0] == 0.25
    assert model.info["licence"] == "MIT" and model.info["licence_note"] == "not for sale"
    # The result alone is enough, and is not made again.
    made = weights_of(toy)
    assert model.hashes["weights.safetensors"] == hashlib.sha256(made.read_bytes()).hexdigest()
    for blob in Cache().blobs():
        if blob.path != made:
            Cache()._remove(blob.sha256)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert load(toy).predict(one_hot)[0, 0] == 0.25 and server.requests["/w.pt"] == 1


def test_files_of_the_card_after_a_made_one_are_found_too(toy, server):
    body = b"a\nb\n"
    _, front, prose = (toy.folder / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    sha256 = hashlib.sha256(body).hexdigest()
    beside = {"path": "names.txt", "sha256": sha256, "bytes": 4, "mirrors": [server.add("/names.txt", body)]}
    card["files"] = [one for one in card["files"] if "made_from" in one] + [beside]
    (toy.folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n{prose}")
    found = remote_files(read_model(toy.folder))
    assert list(found) == ["weights.safetensors", "names.txt"] and found["names.txt"].sha256 == sha256


def test_sources_in_the_cache_are_enough_offline(toy, server, monkeypatch):
    made = weights_of(toy)
    Cache()._remove(made.parent.name)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert weights_of(toy).read_bytes() and server.requests["/w.pt"] == 1
    with pytest.raises(FetchError, match="the network is switched off"):
        monkeypatch.setenv("ZOO_CACHE", str(toy.folder / "empty"))
        weights_of(toy)


def test_a_damaged_result_is_made_again(toy, server):
    made = weights_of(toy)
    data = made.read_bytes()
    made.write_bytes(data[:-1] + b"\x01")
    os.utime(made, ns=(1, 1))
    assert weights_of(toy).read_bytes() == data and server.requests["/w.pt"] == 1


def test_a_made_file_in_the_folder_is_checked(toy, server):
    made = weights_of(toy)
    (toy.folder / "weights.safetensors").write_bytes(made.read_bytes())
    assert load(toy).hashes["weights.safetensors"] == hashlib.sha256(made.read_bytes()).hexdigest()
    save_file({"scale": torch.zeros(1)}, toy.folder / "weights.safetensors")
    with pytest.raises(FetchError, match="its tensors are not those of the card"):
        load(toy)


def test_a_source_that_changed_is_refused(toy, server):
    server.pages["/w.pt"] = replace(server.pages["/w.pt"], body=b"x" * len(server.pages["/w.pt"].body))
    with pytest.raises(FetchError, match="could not be fetched") as caught:
        weights_of(toy)
    assert "wrong bytes" in caught.value.extent and not Cache().blobs()


def test_tensors_that_are_not_those_of_the_card_are_not_kept(tmp_path, server):
    toy = make_toy_entry(tmp_path / "own-toy")
    body = (toy.folder / "weights.pth").read_bytes()
    with_made_weights(toy.folder, [published(server, "/w.pt", body)], {"scale": torch.zeros(1)})
    with pytest.raises(FetchError, match=r"weights\.safetensors: the tensors that were read") as caught:
        weights_of(toy)
    right, wrong = tensors_sha256({"scale": torch.ones(1)}), tensors_sha256({"scale": torch.zeros(1)})
    assert f"tensors_sha256 {right} instead of {wrong}" in caught.value.extent
    assert [blob.path.name for blob in Cache().blobs()] == ["w.pt"] and not Cache().leftovers()


def saved(tmp_path, tensors):
    torch.save(tensors, tmp_path / "saved.pt")
    return (tmp_path / "saved.pt").read_bytes()


def test_several_files_become_one(tmp_path, server):
    toy = make_toy_entry(tmp_path / "own-toy")
    parts = [{"w": torch.arange(3.0)}, {"w": torch.ones(2, 2, dtype=torch.float16)}]
    sources = [
        published(server, f"/{i}.pt", saved(tmp_path, part), prefix=f"members.{i}.") for i, part in enumerate(parts)
    ]
    both = {"members.0.w": parts[0]["w"], "members.1.w": parts[1]["w"]}
    with_made_weights(toy.folder, sources, both)
    found = load_file(weights_of(toy))
    assert found.keys() == both.keys() and all(torch.equal(found[name], both[name]) for name in both)
    assert {one.dtype for one in found.values()} == {torch.float32, torch.float16}
    without = [source | {"prefix": ""} for source in sources]
    with_made_weights(toy.folder, without, both)
    with pytest.raises(ModelError, match="two of its sources have a tensor 'w'"):
        weights_of(toy)


def test_nothing_of_a_pickle_runs(tmp_path, server):
    class Harm:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    toy = make_toy_entry(tmp_path / "own-toy")
    with_made_weights(toy.folder, [published(server, "/w.pkl", pickle.dumps(Harm()), "pickle")], {"w": torch.ones(1)})
    with pytest.raises(ModelError, match=r"holds|cannot be read"):
        weights_of(toy)
    assert not (tmp_path / "ran").exists()


def test_a_file_of_another_kind_names_the_reader(tmp_path, server):
    toy = make_toy_entry(tmp_path / "own-toy")
    for reader in ("keras-h5", "tensorflow-graph", "state-dict", "pickle"):
        with_made_weights(toy.folder, [published(server, f"/{reader}", b"<html>", reader)], {"w": torch.ones(1)})
        with pytest.raises(ModelError, match=f"{reader}: cannot be read as {reader}"):
            weights_of(toy)
