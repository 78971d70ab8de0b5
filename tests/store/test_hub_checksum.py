"""A file without a published checksum: that of Hugging Face is asked for first, compared, and kept."""

from __future__ import annotations

import hashlib
import json

import pytest
from pydantic import ValidationError

from zoo.cards.kipoi import read_model
from zoo.cards.schema import FileEntry
from zoo.errors import FetchError
from zoo.store.registry import entries_folder
from zoo.store.remote import RemoteFile, remote_files

pytest.importorskip("huggingface_hub")
COMMIT = "c" * 40
MAIN, PINNED = "/org/repo/resolve/main/model.ckpt", f"/org/repo/resolve/{COMMIT}/model.ckpt"


@pytest.fixture
def hub(server, body):
    """Publish ``body`` as Hugging Face does, on main and at its commit."""

    def publish(content=body, etag=None, commit=COMMIT):
        digest = hashlib.sha256(content).hexdigest() if etag is None else etag
        headers = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content)), "X-Repo-Commit": commit}
        server.add(MAIN, content, headers=headers)
        server.add(MAIN.replace("main", commit), content, headers=headers)
        return RemoteFile("model.ckpt", (server.url(MAIN),), asks_hub=True)

    return publish


def test_the_file_is_checked_and_its_checksum_kept(server, hub, cache, quick, notes, body, monkeypatch):
    remote = hub()
    path = cache.get(remote, "toy", notes, quick)
    digest = hashlib.sha256(body).hexdigest()
    assert path.read_bytes() == body and path.parent.name == digest
    assert server.requests == {f"HEAD {MAIN}": 1, PINNED: 1}  # the bytes of the commit that was asked about
    assert any("nobody published its checksum" in note and digest in note for note in notes.notes)
    (kept,) = (cache.folder / "hub").iterdir()
    assert json.loads(kept.read_text()) == {"url": server.url(PINNED), "sha256": digest, "bytes": len(body)}
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert cache.get(remote, "toy", notes, quick) == path
    assert server.requests.total() == 2


def test_a_file_that_was_changed_since_is_refused(server, hub, cache, quick, notes, body):
    cache.get(hub(), "toy", notes, quick)
    assert len(cache.prune(older_than_days=0)[0]) == 1
    del server.pages[PINNED]
    remote = hub(body[::-1], commit="d" * 40)
    with pytest.raises(FetchError, match="could not be fetched") as caught:
        cache.get(remote, "toy", notes, quick)
    assert "wrong bytes" in caught.value.extent and not cache.blobs()


def test_bytes_that_are_not_what_hugging_face_named(hub, cache, quick, notes):
    remote = hub(etag="a" * 64)
    with pytest.raises(FetchError) as caught:
        cache.get(remote, "toy", notes, quick)
    assert "instead of aaaaaaaa" in caught.value.extent
    assert not cache.blobs() and not (cache.folder / "hub").exists()


def test_without_a_checksum_nothing_is_fetched(server, hub, cache, quick, notes):
    for etag in ("5d41402abc4b2a76b9719d911017c592aaaaaaaa", ""):  # git's, of a small file
        with pytest.raises(FetchError, match="gives no sha256"):
            cache.get(hub(etag=etag), "toy", notes, quick)
    assert not server.requests[MAIN] and not server.requests[PINNED]


def test_offline_and_unreachable(server, hub, cache, quick, notes, monkeypatch):
    remote = hub()
    server.pages.clear()
    with pytest.raises(FetchError) as caught:
        cache.get(remote, "toy", notes, quick)
    assert server.url(MAIN) in caught.value.what
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(FetchError, match="is not in the cache"):
        cache.get(remote, "toy", notes, quick)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "a" * 64},
        {"md5": "a" * 32},
        {"mirrors": []},
        {"mirrors": ["https://example.org/x"]},
        {"mirrors": ["https://huggingface.co/a/b/resolve/main/x"] * 2},
        {"checksum": "trust"},
    ],
)
def test_only_hugging_face_is_asked(changes):
    entry = {"path": "x", "checksum": "huggingface", "mirrors": ["https://huggingface.co/a/b/resolve/main/x"]}
    assert FileEntry(**entry).checksum == "huggingface"
    with pytest.raises(ValidationError):
        FileEntry(**entry | changes)


def test_the_entry_without_a_published_checksum_asks():
    files = remote_files(read_model(entries_folder() / "grelu-human-atac-catlas"))
    assert list(files) == ["checkpoint"]
    assert files["checkpoint"].asks_hub and files["checkpoint"].key is None
    assert files["checkpoint"].hosts == "huggingface.co"
