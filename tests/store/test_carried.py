"""Weights carried to a machine without a network: written to a folder there, known again by checksums here."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile

import pytest
import torch
import yaml
from test_made_files import published, with_made_weights
from toys import make_toy_entry

import zoo
from zoo.entries.cache_add import cache_add
from zoo.entries.pull import pull
from zoo.errors import FetchError, InputError, UsageError
from zoo.store.cache import Cache


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "there"))


@pytest.fixture
def made(tmp_path, server):
    """A toy whose weights are made of two published files."""
    toy = make_toy_entry(tmp_path / "own-made")
    body = (toy.folder / "weights.pth").read_bytes()
    torch.save({"spare": torch.zeros(2)}, tmp_path / "spare.pt")
    second = published(server, "/spare.pt", (tmp_path / "spare.pt").read_bytes(), prefix="more.")
    tensors = {"scale": torch.ones(1), "more.spare": torch.zeros(2)}
    with_made_weights(toy.folder, [published(server, "/w.pt", body), second], tensors)
    return toy


@pytest.fixture
def by_md5(tmp_path, server):
    """A toy whose weights are known by md5 alone, as Kipoi's."""
    toy = make_toy_entry(tmp_path / "own-md5", card=False)
    torch.save({"scale": torch.full((1,), 2.0)}, toy.folder / "weights.pth")
    body = (toy.folder / "weights.pth").read_bytes()
    (toy.folder / "weights.pth").unlink()
    model = yaml.safe_load((toy.folder / "model.yaml").read_text())
    model["args"]["weights"] = {"url": server.add("/m.pth", body), "md5": hashlib.md5(body).hexdigest()}
    (toy.folder / "model.yaml").write_text(yaml.safe_dump(model))
    return toy


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def models(*toys):
    return [str(toy.folder) for toy in toys]


def test_a_folder_goes_to_another_machine(made, by_md5, server, tmp_path, monkeypatch):
    carried = tmp_path / "carried"
    files = pull(models(made, by_md5), to=carried)
    assert names(carried) == {"own-made/w.pt", "own-made/spare.pt", "own-md5/m.pth"}
    assert [file.path.name for file in files] == ["w.pt", "spare.pt", "m.pth"]
    # What is there, under whatever name, is not fetched again, not even with an empty cache.
    (carried / "own-made/w.pt").rename(carried / "renamed.bin")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "second"))
    again = pull(models(made, by_md5), to=carried)
    assert again[0].path == carried / "renamed.bin" and sum(server.requests.values()) == 3
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(FetchError):
        pull(models(made))
    (carried / "notes.txt").write_text("read me")
    added = cache_add(carried, models(made, by_md5))
    assert {(file.name, file.models) for file in added.added} == {
        ("w.pt", ("own-made",)),
        ("spare.pt", ("own-made",)),
        ("m.pth", ("own-md5",)),
    }
    assert added.unknown == [str(carried / "notes.txt")] and added.missing == {"own-made": [], "own-md5": []}
    assert added.licences == {"own-made": "MIT (not for sale)"}
    assert zoo.load_model(by_md5.folder, trust=True).module.scale.item() == 2
    made_file = pull(models(made))[0]
    assert made_file.name == "weights.safetensors" and made_file.path.is_file()


def test_archives_are_looked_into(made, by_md5, server, tmp_path, monkeypatch):
    carried = tmp_path / "carried"
    pull(models(made, by_md5), to=carried)
    with zipfile.ZipFile(tmp_path / "p-1.0-py3-none-any.whl", "w") as archive:
        archive.write(carried / "own-made/w.pt", "../../x/evil.pt")
        archive.writestr("p/__init__.py", "1/0")
    with tarfile.open(tmp_path / "rest.tar.xz", "w:xz") as archive:
        archive.add(carried / "own-md5/m.pth", "a/b/c.h5")
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("empty"), io.BytesIO())
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "here"))
    archives = [tmp_path / "p-1.0-py3-none-any.whl", tmp_path / "rest.tar.xz"]
    added = cache_add(archives, models(made, by_md5))
    assert [file.name for file in added.added] == ["w.pt", "m.pth"] and added.unknown == []
    assert added.added[0].found == f"{archives[0]}/../../x/evil.pt"
    assert added.missing == {"own-made": ["spare.pt"], "own-md5": []}
    assert not (tmp_path.parent / "x").exists() and not Cache().leftovers()
    assert len(Cache().blobs()) == 2 and all(intact for _, intact in Cache().verify())


def test_a_file_that_is_no_models_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(InputError, match="no file of a known model") as caught:
        cache_add(tmp_path / "a.txt")
    assert "1 file was compared with the checksums of" in caught.value.extent and caught.value.exit_code == 3
    with pytest.raises(InputError, match="no such file or folder"):
        cache_add(tmp_path / "nowhere")
    (tmp_path / "b.whl").write_text("no zip")
    with pytest.raises(InputError, match="is damaged"):
        cache_add(tmp_path / "b.whl")


def test_a_folder_that_holds_another_file_of_that_name(made, tmp_path):
    (tmp_path / "carried/own-made").mkdir(parents=True)
    (tmp_path / "carried/own-made/w.pt").write_text("mine")
    with pytest.raises(UsageError, match=r"is there, and is not w\.pt of own-made"):
        pull(models(made), to=tmp_path / "carried")
    assert (tmp_path / "carried/own-made/w.pt").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        pull(models(made), to=tmp_path / "file")


def test_hubs_files_are_not_carried(tmp_path):
    with pytest.raises(UsageError, match="repository of Hugging Face"):
        pull("hf://owner/repo", to=tmp_path / "carried")


@pytest.mark.shared
def test_published_files_are_known_again_in_an_archive(shared_data, tmp_path, monkeypatch):
    """Kipoi's DeepBind, 927 files of one archive, by the checksums that a source names."""
    archive = shared_data / "m03_deepbind_927/deepbind_h5.tar.xz"
    with tarfile.open(archive) as opened:
        member = next(one for one in opened if one.isfile())
        body = opened.extractfile(member).read()
    toy = make_toy_entry(tmp_path / "own-db", card=False)
    model = yaml.safe_load((toy.folder / "model.yaml").read_text())
    model["args"]["weights"] = {"url": "https://host/model.h5", "md5": hashlib.md5(body).hexdigest()}
    (toy.folder / "model.yaml").write_text(yaml.safe_dump(model))
    added = cache_add(archive, [str(toy.folder)])
    (own,) = [file for file in added.added if "own-db" in file.models]
    assert own.bytes == len(body) and len(own.models) == 2 and len(added.added) == 927
