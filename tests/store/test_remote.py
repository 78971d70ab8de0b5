"""Which files of an entry are remote, and that models with remote weights run: first fetched, then offline."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import yaml
from toys import make_toy_entry

import zoo
from zoo.cards.card import read_names
from zoo.cards.kipoi import read_model
from zoo.errors import FetchError, ModelError, TrustError
from zoo.models.files import argument_path
from zoo.progress import listening
from zoo.store.cache import Cache
from zoo.store.index import describe
from zoo.store.remote import file_name, remote_argument, remote_files


def edit(path, change):
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data, sort_keys=False))


def edit_card(folder, change):
    _, front, prose = (folder / "README.md").read_text().split("---\n", 2)
    data = yaml.safe_load(front)
    change(data)
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(data, sort_keys=False)}---\n{prose}")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return make_toy_entry(tmp_path / "toy", "gc")


@pytest.fixture
def weights(toy):
    return (toy.folder / "weights.pth").read_bytes()


@pytest.fixture
def remote_toy(toy, weights, server):
    """A toy whose weights lie on the server, known by url and md5 as in Kipoi's model.yaml."""
    url = server.add("/files/weights.pth?download=1", weights)
    (toy.folder / "weights.pth").unlink()
    value = {"url": url, "md5": hashlib.md5(weights).hexdigest()}
    edit(toy.folder / "model.yaml", lambda data: data["args"].update(weights=value))
    edit_card(toy.folder, lambda card: card.update(files=[f for f in card["files"] if f["path"] != "weights.pth"]))
    return toy


def test_remote_weights_are_fetched_on_first_use_and_used_offline(remote_toy, weights, server, notes, monkeypatch):
    with listening(notes):
        first = zoo.load_model(remote_toy.folder, trust=True)
    assert len([note for note in notes.notes if "fetching weights.pth" in note]) == 1
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    second = zoo.load_model(remote_toy.folder, trust=True)
    assert sum(server.requests.values()) == 1
    assert first.hashes["weights.pth"] == second.hashes["weights.pth"] == hashlib.sha256(weights).hexdigest()
    one_hot = np.zeros((1, 4, 16), np.float32)
    one_hot[:, 1, :4] = one_hot[:, 0, 4:] = 1  # four C, twelve A
    assert first.length == 16 and first.predict(one_hot)[0, 0] == 0.25
    assert (second.predict(one_hot) == first.predict(one_hot)).all()


def test_nothing_is_fetched_for_a_folder_that_may_not_run(remote_toy, server):
    with pytest.raises(TrustError):
        zoo.load_model(remote_toy.folder)
    assert sum(server.requests.values()) == 0


def test_offline_without_the_weights_is_a_fetch_error(remote_toy, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(FetchError) as caught:
        zoo.load_model(remote_toy.folder, trust=True)
    assert "zoo pull toy" in caught.value.fix


def test_weights_of_another_md5_are_refused(remote_toy, server, notes):
    for page in server.pages.values():
        page.body = b"\0" * len(page.body)
    with pytest.raises(FetchError) as caught, listening(notes):
        zoo.load_model(remote_toy.folder, trust=True)
    assert "wrong bytes: md5" in caught.value.extent and Cache().blobs() == []


def test_the_card_adds_mirrors_sha256_and_size(remote_toy, weights, server, notes):
    good = server.add("/mirror/w.pth", weights)
    digests = {name: hashlib.new(name, weights).hexdigest() for name in ("md5", "sha256")}
    entry = digests | {"path": "weights.pth", "bytes": len(weights), "mirrors": [good]}
    edit_card(remote_toy.folder, lambda card: card["files"].append(entry))
    (first,) = [path for path in server.pages if path.startswith("/files")]
    del server.pages[first]  # 404 there
    model = read_model(remote_toy.folder)
    ((name, file),) = remote_files(model).items()
    assert name == "weights" and file.urls == (server.url(first), good)
    assert (file.sha256, file.bytes) == (digests["sha256"], len(weights))
    with listening(notes):
        assert argument_path(model, "weights").read_bytes() == weights


def test_a_local_path_that_the_card_mirrors_is_remote_when_absent(toy, server, notes):
    weights = (toy.folder / "weights.pth").read_bytes()
    url = server.add("/w", weights)

    def add_mirror(card):
        next(file for file in card["files"] if file["path"] == "weights.pth")["mirrors"] = [url]

    edit_card(toy.folder, add_mirror)
    model = read_model(toy.folder)
    assert remote_argument(model, "weights") is None and argument_path(model, "weights") == toy.folder / "weights.pth"
    (toy.folder / "weights.pth").unlink()
    with listening(notes):
        zoo.load_model(toy.folder, trust=True)
    assert server.requests["/w"] == 1


@pytest.fixture
def named_elsewhere(toy, server):
    """A toy whose names of tracks lie on the server."""
    names = b"gc of K562\n"
    url = server.add("/names.txt", names)
    entry = {"path": "tracks.txt", "sha256": hashlib.sha256(names).hexdigest(), "bytes": len(names), "mirrors": [url]}

    def change(card):
        card["files"].append(entry)
        card["outputs"][0] = {"name": "gc", "kind": "scalar", "tracks_file": "tracks.txt", "n_tracks": 1}

    edit_card(toy.folder, change)
    return toy


def test_names_of_tracks_are_fetched(named_elsewhere, notes):
    with listening(notes):
        assert zoo.load_model(named_elsewhere.folder, trust=True).outputs[0].tracks == ("gc of K562",)
    assert describe(named_elsewhere.folder)["outputs"][0]["n_tracks"] == 1


def test_a_model_runs_without_the_names_of_its_tracks(named_elsewhere, server, notes):
    server.pages.clear()
    with listening(notes):
        assert zoo.load_model(named_elsewhere.folder, trust=True).outputs[0].tracks == ("gc_0",)
    assert any("tracks are numbered instead of named" in note for note in notes.notes)


def test_repeated_names_are_told_apart(tmp_path):
    (tmp_path / "names").write_text("a\tCTCF\nb\na\n\na\n")
    assert read_names(tmp_path / "names") == ("a", "b", "a.2", "a.3")


def test_a_url_without_checksum_is_an_error_with_its_line(toy):
    edit(toy.folder / "model.yaml", lambda data: data["args"].update(weights={"url": "https://a.example/w"}))
    with pytest.raises(ModelError, match=r"model.yaml:\d+: https://a.example/w has no checksum"):
        remote_files(read_model(toy.folder))
    for url in ("file:///etc/passwd", "http://[broken/w", "weights.pth"):
        value = {"url": url, "md5": "0" * 32}
        edit(toy.folder / "model.yaml", lambda data, value=value: data["args"].update(weights=value))
        with pytest.raises(ModelError, match="is no http or https address"):
            remote_files(read_model(toy.folder))
    value = {"url": "https://a.example/w", "md5": "x"}
    edit(toy.folder / "model.yaml", lambda data: data["args"].update(weights=value))
    with pytest.raises(ModelError, match="is no md5 checksum"):
        remote_argument(read_model(toy.folder), "weights")


def test_a_name_in_model_yaml_cannot_leave_the_cache(remote_toy, weights, notes):
    edit(remote_toy.folder / "model.yaml", lambda data: data["args"]["weights"].update(name="../../../escape.pth"))
    with listening(notes):
        path = argument_path(read_model(remote_toy.folder), "weights")
    assert path == Cache().folder / "blobs" / hashlib.sha256(weights).hexdigest() / "escape.pth"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"path": "w", "bytes": 1}, "give sha256"),
        ({"path": "w", "md5": "0" * 32, "bytes": 1}, "give sha256"),
        ({"path": "w", "sha256": "0" * 64}, "give bytes"),
        ({"path": "w", "sha256": "0" * 64, "mirrors": ["file:///etc/passwd"]}, "mirrors"),
        ({"path": "w", "sha256": "0" * 64, "mirrors": ["ftp://a.example/w"]}, "mirrors"),
    ],
)
def test_files_of_the_card_must_be_checkable(toy, files, message):
    edit_card(toy.folder, lambda card: card.update(files=[files]))
    with pytest.raises(ModelError, match=message):
        remote_files(read_model(toy.folder))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://zenodo.org/record/1466068/files/model_th.pth?download=1", "model_th.pth"),
        ("https://a.example/x/%2e%2e%2fetc%2fpasswd", "passwd"),
        ("https://a.example/", "file"),
        ("https://a.example/.hidden", "hidden"),
        ("../../escape.pth", "escape.pth"),
        ("/x/..", "file"),
        ("https://a.example/a b;c.h5", "a_b_c.h5"),
    ],
)
def test_names_of_files_are_safe(url, name):
    assert file_name(url) == name


def test_a_grelu_checkpoint_of_an_entry_is_fetched(toy, server, notes, monkeypatch):
    """`args.checkpoint` of an entry goes to the reader of checkpoints as the fetched file."""
    body = b"a checkpoint"
    url = server.add("/human.ckpt", body)

    def change(data):
        data.update(defined_as="grelu.lightning.LightningModel", args={"checkpoint": {"url": url}})

    edit(toy.folder / "model.yaml", change)
    entry = {"path": "human.ckpt", "sha256": hashlib.sha256(body).hexdigest(), "mirrors": [url]}
    edit_card(toy.folder, lambda card: card.update(files=[entry]))
    with listening(notes), pytest.raises(ModelError) as caught:
        zoo.load_model(toy.folder)
    assert "human.ckpt" in caught.value.what and caught.value.exit_code == 4
    assert [blob.path.read_bytes() for blob in Cache().blobs()] == [body]
