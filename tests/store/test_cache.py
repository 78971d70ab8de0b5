"""The cache: by content, checked, once a file, also with many processes."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from zoo.errors import FetchError, ModelError, SystemStateError
from zoo.files import cache_folder, digests_of, sha256_of, verify
from zoo.genome.fasta_index import _cached_index_paths
from zoo.store.cache import Cache, blob_sha256
from zoo.store.sources import Source

HERE = Path(__file__).resolve().parent

GET = textwrap.dedent("""
    import sys
    from pathlib import Path
    from zoo.store.cache import Cache
    from zoo.store.fetch import FetchSettings
    from zoo.store.remote import RemoteFile
    folder, url, sha256, size = sys.argv[1:5]
    remote = RemoteFile("weights.pth", (url,), sha256=sha256, bytes=int(size) or None)
    print(Cache(Path(folder)).get(remote, "toy", settings=FetchSettings(timeout=120, backoff=0.05)))
""")


def start(cache, url, body, known_size=True, **options):
    arguments = [str(cache.folder), url, hashlib.sha256(body).hexdigest(), str(len(body) if known_size else 0)]
    return subprocess.Popen(
        [sys.executable, "-c", GET, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def unfinished(cache):
    folder = cache.folder / "partial"
    return [path for path in folder.iterdir() if path.suffix != ".json"] if folder.is_dir() else []


def test_a_file_is_fetched_once_and_found_by_its_content(server, cache, remote_of, notes, quick, body):
    url = server.add("/w", body)
    path = cache.get(remote_of(url), "toy", notes, quick)
    sha256 = hashlib.sha256(body).hexdigest()
    assert path == cache.folder / "blobs" / sha256 / "weights.pth" and path.read_bytes() == body
    assert Cache(cache.folder).get(remote_of("http://elsewhere.invalid/w"), "other", notes, quick) == path
    assert server.requests["/w"] == 1 and unfinished(cache) == []
    (blob,) = cache.blobs()
    assert (blob.users, blob.url, blob.bytes) == (("toy", "other"), url, 300_000)
    assert blob.md5 == hashlib.md5(body).hexdigest()


def test_what_md5_fetched_is_found_by_sha256_and_the_reverse(server, cache, remote_of, notes, quick, body):
    url = server.add("/w", body)
    first = cache.get(remote_of(url, known="md5"), "toy", notes, quick)
    assert first.parent.name == hashlib.sha256(body).hexdigest()
    assert cache.get(remote_of(url, known="sha256"), "toy", notes, quick) == first
    assert cache.get(remote_of(url, known="md5"), "toy", notes, quick) == first
    assert server.requests["/w"] == 1


def test_a_second_name_keeps_its_suffix_and_costs_no_room(server, cache, remote_of, notes, quick, body):
    url = server.add("/w", body)
    first = cache.get(remote_of(url), "toy", notes, quick)
    second = cache.get(remote_of(url, name="model.safetensors"), "toy", notes, quick)
    assert second.suffix == ".safetensors" and second.samefile(first) and server.requests["/w"] == 1


@pytest.mark.parametrize("known", ["sha256", "md5"])
def test_a_damaged_copy_is_fetched_again(server, cache, remote_of, notes, quick, body, known):
    url = server.add("/w", body)
    path = cache.get(remote_of(url, known=known), "toy", notes, quick)
    path.write_bytes(b"x" + body[1:])
    assert cache.get(remote_of(url, known=known), "toy", notes, quick).read_bytes() == body
    assert server.requests["/w"] == 2 and any("damaged" in note for note in notes.notes)


def test_nothing_that_is_wrong_becomes_visible(server, cache, remote_of, notes, quick, body):
    url = server.add("/w", b"!" * len(body))
    with pytest.raises(FetchError):
        cache.get(remote_of(url), "toy", notes, quick)
    assert cache.blobs() == [] and unfinished(cache) == [] and list((cache.folder / "locks").iterdir()) == []


def test_offline_uses_what_is_there_and_names_what_is_not(server, cache, remote_of, notes, quick, body, monkeypatch):
    url = server.add("/w", body)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FetchError) as caught:
        cache.get(remote_of(url), "toy", notes, quick)
    assert caught.value.exit_code == 5 and "weights.pth is not in the cache" in caught.value.what
    assert "zoo pull toy" in caught.value.fix and server.requests["/w"] == 0
    monkeypatch.delenv("HF_HUB_OFFLINE")
    path = cache.get(remote_of(url), "toy", notes, quick)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert cache.get(remote_of(url), "toy", notes, quick) == path


def test_two_processes_fetch_once(server, cache, body):
    url = server.add("/w", body, block=20_000, hold=200_000)
    first = start(cache, url, body)
    wait_for(lambda: server.requests["/w"] == 1)
    second = start(cache, url, body)
    assert f"waiting for process {first.pid} on " in second.stderr.readline()
    server.pages["/w"].go.set()
    out = [process.communicate(timeout=300) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert out[0][0] == out[1][0] and Path(out[0][0].strip()).read_bytes() == body
    assert server.requests["/w"] == 1


def test_many_processes_at_once_fetch_once(server, cache, body):
    url = server.add("/w", body, block=100_000, hold=200_000)
    processes = [start(cache, url, body) for _ in range(4)]
    # Three have said something: at least two of them that they wait.
    saying = [threading.Thread(target=process.stderr.readline) for process in processes]
    for thread in saying:
        thread.start()
    wait_for(lambda: sum(not thread.is_alive() for thread in saying) >= 3)
    server.pages["/w"].go.set()
    for thread in saying:
        thread.join(300)
    assert [process.communicate(timeout=300) and process.returncode for process in processes] == [0] * 4
    assert server.requests["/w"] == 1


def test_a_killed_download_is_gone_on_with_and_its_lock_is_free(server, cache, remote_of, notes, quick, body):
    url = server.add("/w", body, block=20_000, hold=200_000, etag='"one"')
    process = start(cache, url, body)
    wait_for(lambda: unfinished(cache) and unfinished(cache)[0].stat().st_size >= 100_000)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = unfinished(cache)[0].stat().st_size
    assert cache.blobs() == [] and 100_000 <= left < 300_000
    server.pages["/w"].go.set()
    assert cache.get(remote_of(url), "toy", notes, quick).read_bytes() == body
    last = server.received[-1]
    assert (last["Range"], last["If-Range"]) == (f"bytes={left}-", '"one"')
    assert unfinished(cache) == []


def test_the_waiting_process_goes_on_when_the_first_is_killed(server, cache, body):
    url = server.add("/w", body, block=20_000, hold=200_000)
    first = start(cache, url, body)
    wait_for(lambda: unfinished(cache) and unfinished(cache)[0].stat().st_size >= 60_000)
    second = start(cache, url, body)
    assert "waiting" in second.stderr.readline()
    first.kill()
    first.communicate()
    server.pages["/w"].go.set()
    out, _ = second.communicate(timeout=300)
    assert second.returncode == 0 and Path(out.strip()).read_bytes() == body


def test_a_full_disk_is_an_error_that_frees_the_room(server, cache, body):
    url = server.add("/w", body)

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = start(cache, url, body, preexec_fn=small_files)
    _, err = process.communicate(timeout=300)
    assert "SystemStateError" in err and "the disk is full" in err
    assert unfinished(cache) == [] and cache.blobs() == []


def test_too_little_room_is_seen_before_the_download(server, cache, remote_of, notes, quick, body, monkeypatch):
    url = server.add("/w", body)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(SystemStateError, match="not enough room"):
        cache.get(remote_of(url), "toy", notes, quick)
    assert server.requests["/w"] == 0


def test_a_cache_that_cannot_be_written_is_an_error_of_the_machine(tmp_path, server, remote_of, notes, quick, body):
    (tmp_path / "file").touch()
    with pytest.raises(SystemStateError) as caught:
        Cache(tmp_path / "file" / "cache").get(remote_of(server.add("/w", body)), "toy", notes, quick)
    assert caught.value.exit_code == 7 and "ZOO_CACHE" in caught.value.fix


def test_a_read_only_cache_serves_what_it_has(server, cache, remote_of, notes, quick, body, monkeypatch):
    path = cache.get(remote_of(server.add("/w", body)), "toy", notes, quick)

    def refuse(*args, **kwargs):
        raise PermissionError(30, "Read-only file system")

    for name in ("os.replace", "os.link", "os.utime"):
        monkeypatch.setattr(name, refuse)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert cache.get(remote_of("http://x.invalid/w"), "another", notes, quick) == path
    assert cache.get(remote_of("http://x.invalid/w", name="other.pth"), "another", notes, quick) == path


def test_verify_names_and_removes_what_is_damaged(server, cache, remote_of, notes, quick, body):
    path = cache.get(remote_of(server.add("/w", body)), "toy", notes, quick)
    assert [intact for _, intact in cache.verify()] == [True]
    path.write_bytes(body[:-1])
    assert [(blob.path, intact) for blob, intact in cache.verify()] == [(path, False)]
    assert path.exists()
    list(cache.verify(repair=True))
    assert cache.blobs() == [] and not path.exists() and list((cache.folder / "md5").iterdir()) == []


def test_prune_goes_by_the_last_use(server, cache, remote_of, notes, quick, body):
    path = cache.get(remote_of(server.add("/w", body)), "toy", notes, quick)
    record = cache.folder / "records" / f"{path.parent.name}.json"
    days_ago = time.time() - 10 * 86400
    os.utime(record, (days_ago, days_ago))
    assert cache.prune(older_than_days=11) == ([], [])
    old, _ = cache.prune(older_than_days=9, dry_run=True)
    assert [blob.path for blob in old] == [path] and path.exists()
    cache.get(remote_of("http://x.invalid/w"), "toy", notes, quick)  # a use counts
    assert cache.prune(older_than_days=9) == ([], []) and path.exists()
    assert len(cache.prune(older_than_days=0)[0]) == 1 and not path.exists()


def test_prune_leaves_a_running_download_alone(server, cache, body):
    url = server.add("/w", body, block=20_000, hold=200_000)
    process = start(cache, url, body)
    wait_for(lambda: unfinished(cache) and unfinished(cache)[0].stat().st_size > 0)
    assert cache.prune() == ([], [])
    process.kill()
    process.communicate()
    _, (leftover,) = cache.prune()
    assert leftover.bytes > 0 and unfinished(cache) == [] and list((cache.folder / "partial").iterdir()) == []


def test_only_checked_blobs_are_vouched_for(server, cache, remote_of, notes, quick, body, tmp_path):
    path = cache.get(remote_of(server.add("/w", body)), "toy", notes, quick)
    assert blob_sha256(path) == hashlib.sha256(body).hexdigest()
    forged = tmp_path / "blobs" / ("0" * 64) / "weights.pth"
    forged.parent.mkdir(parents=True)
    forged.write_bytes(b"x")
    assert blob_sha256(forged) is None and blob_sha256(tmp_path) is None
    path.write_bytes(b"other")
    assert blob_sha256(path) is None


def test_the_folder_is_that_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here" == Cache().folder
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZOO_CACHE", "~/fetched")  # as written in quotes or in a file of settings
    (tmp_path / "x.fa").write_text(">a\nACGT\n")
    index, _ = _cached_index_paths(tmp_path / "x.fa")
    places = Cache().folder, Source("x", "git", "").folder.parents[1], index.parents[1]
    assert set(places) == {tmp_path / "home" / "fetched"}
    monkeypatch.delenv("ZOO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / "xdg" / "seqzoo"


def test_checksums_known_by_hand(tmp_path):
    # The published test vectors of "abc" (RFC 1321 and FIPS 180-2).
    (tmp_path / "abc").write_bytes(b"abc")
    found = digests_of(tmp_path / "abc")
    assert found.bytes == 3 and found.md5 == "900150983cd24fb0d6963f7d28e17f72"
    assert found.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    verify(tmp_path / "abc", found.md5)
    verify(tmp_path / "abc", found.sha256)
    with pytest.raises(FetchError, match="checksum is not the one"):
        verify(tmp_path / "abc", "0" * 32)


def test_a_second_name_where_there_are_no_hard_links(tmp_path, monkeypatch):
    """It is a copy when the suffix matters, else the first name; nothing half-copied is left."""
    from zoo.store import cache as module

    def no_links(*args):
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    first = tmp_path / "w.pth"
    first.write_bytes(b"weights")
    assert module._also_named(first, tmp_path / "v.pth") == first
    second = module._also_named(first, tmp_path / "w.h5")
    assert second == tmp_path / "w.h5" and second.read_bytes() == b"weights"

    def full(source, target):
        Path(target).write_bytes(b"wei")
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("shutil.copyfile", full)
    assert module._also_named(first, tmp_path / "w.ckpt") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.h5", "w.pth"]


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
    ],
)
def test_a_checksum_that_is_right_says_nothing_and_one_that_is_wrong_names_both(tmp_path, algorithm, digest):
    """Of "abc", as in FIPS 180-2 and RFC 1321."""
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert verify(path, digest) is None
    wrong = "0" * len(digest)
    with pytest.raises(FetchError, match="the checksum is not the one on the card") as caught:
        verify(path, wrong)
    assert caught.value.extent == f"expected {algorithm} {wrong[:16]}..., found {digest[:16]}..."
    assert caught.value.exit_code == 5


def test_checksums_of_what_cannot_be_read(tmp_path):
    for path, words in ((tmp_path / "none", "no such file"), (tmp_path, "Is a directory")):
        for function in (digests_of, sha256_of):
            with pytest.raises(ModelError, match=words) as caught:
                function(path)
            assert caught.value.what.startswith(str(path)) and caught.value.fix.startswith("Fix: ")


def test_checksums_of_a_file_longer_than_a_block(tmp_path):
    body = bytes(range(256)) * 9_000  # 2.3 MB
    (tmp_path / "x").write_bytes(body)
    found = digests_of(tmp_path / "x")
    assert (found.bytes, found.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert found.md5 == hashlib.md5(body).hexdigest() and sha256_of(tmp_path / "x") == found.sha256


def test_a_record_that_cannot_be_read_is_no_reason_to_fetch_again(server, cache, remote_of, notes, quick, body):
    url = server.add("/w", body)
    path = cache.get(remote_of(url), "toy", notes, quick)
    for content in ("{not json", "[1, 2]", ""):
        (cache.folder / "records" / f"{path.parent.name}.json").write_text(content)
        (blob,) = cache.blobs()
        assert (blob.users, blob.url, blob.md5) == ((), None, None)
        assert cache.get(remote_of(url), "again", notes, quick) == path
        assert cache.blobs()[0].users == ("again",)
    assert server.requests["/w"] == 1


def test_an_md5_that_points_nowhere_is_fetched(server, cache, remote_of, notes, quick, body):
    """A note of an md5 whose blob was removed by hand, and one that is no checksum."""
    url = server.add("/w", body)
    md5 = hashlib.md5(body).hexdigest()
    (cache.folder / "md5").mkdir(parents=True)
    for content in ("a" * 64, "../../etc/passwd", ""):
        (cache.folder / "md5" / md5).write_text(content)
        path = cache.get(remote_of(url, known="md5"), "toy", notes, quick)
        assert path.read_bytes() == body and path.is_relative_to(cache.folder / "blobs")
    assert server.requests["/w"] == 3
    assert cache.get(remote_of(url, known="md5"), "toy", notes, quick) == path and server.requests["/w"] == 3


def test_blobs_are_listed_by_their_last_use(server, cache, remote_of, notes, quick, body):
    paths = {}
    for i, name in enumerate(("one", "two", "three")):
        content = body + name.encode()
        remote = type(remote_of("x"))(
            f"{name}.pth", (server.add(f"/{name}", content),), sha256=hashlib.sha256(content).hexdigest()
        )
        paths[name] = cache.get(remote, name, notes, quick)
        os.utime(cache.folder / "records" / f"{paths[name].parent.name}.json", (1000 + i, 1000 + i))
    assert [blob.users for blob in cache.blobs()] == [("three",), ("two",), ("one",)]
    assert [blob.used for blob in cache.blobs()] == [1002, 1001, 1000]
    assert sum(blob.bytes for blob in cache.blobs()) == 3 * len(body) + 11


def test_a_dry_run_of_prune_names_what_would_go_and_removes_nothing(server, cache, remote_of, notes, quick, body):
    path = cache.get(remote_of(server.add("/w", body)), "toy", notes, quick)
    (cache.folder / "partial" / "half").write_bytes(b"12345")
    blobs, leftovers = cache.prune(older_than_days=0, dry_run=True)
    assert [blob.path for blob in blobs] == [path] and [left.bytes for left in leftovers] == [5]
    assert path.exists() and (cache.folder / "partial" / "half").exists()
    assert cache.prune(dry_run=True)[0] == [], "without an age only unfinished downloads go"
    blobs, leftovers = cache.prune(older_than_days=0)
    assert len(blobs) == len(leftovers) == 1
    assert cache.blobs() == [] and cache.leftovers() == []


def test_a_cache_that_was_never_used_is_empty(tmp_path):
    cache = Cache(tmp_path / "never")
    assert cache.blobs() == [] and cache.leftovers() == [] and list(cache.verify()) == []
    assert cache.prune(older_than_days=0) == ([], [])
    assert not (tmp_path / "never").exists(), "looking makes no folders"
