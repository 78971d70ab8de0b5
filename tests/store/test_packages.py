"""Files in wheels: pip fetches them, from the user's wheelhouse or index, and only what was asked for is kept."""

from __future__ import annotations

import hashlib
import io
import stat
import subprocess
import sys
import tempfile
import venv
import zipfile

import numpy as np
import pytest
import torch
from wheels import make_wheel

from zoo.convert.readers import read_tensors
from zoo.entries.pull import pull
from zoo.errors import FetchError
from zoo.models import files
from zoo.store import cache as store_cache
from zoo.store import packages
from zoo.store.cache import Cache
from zoo.store.packages import PackageError, member_of, take_member, wheels_kept
from zoo.store.registry import entries
from zoo.store.remote import RemoteFile

# ../shared/data/SOURCES.tsv
DONOR = ("d1e17b9fd7462e492d2c520af539d93e092527ba19d835cd8602f376912ff5c6", 268_760)
EXON = ("aea7f0aff45e14e81c6c79bac0dad488721882c45fb39f6c66e4182a5d033c94", 45_248)
MMSPLICE = "pypi:mmsplice==2.4.0/mmsplice/models"
WEIGHTS = b"weights of a toy" * 1000


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A folder of wheels, which is all that pip knows here."""
    folder = tmp_path / "house"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return folder


@pytest.fixture
def pip_calls(monkeypatch):
    """Each call of pip: what it was asked for."""
    calls, run = [], subprocess.run
    monkeypatch.setattr(
        packages.subprocess, "run", lambda command, **options: calls.append(command[-1]) or run(command, **options)
    )
    return calls


def wanted(mirror, body=WEIGHTS, name="weights.h5", size=True):
    return RemoteFile(name, (mirror,), hashlib.sha256(body).hexdigest(), bytes=len(body) if size else None)


def refused(cache, file):
    with pytest.raises(FetchError) as caught:
        cache.get(file, "toy")
    assert caught.value.exit_code == 5 and len(str(caught.value).splitlines()) == 3
    assert not cache.blobs() and not cache.leftovers()
    return caught.value


def test_what_a_mirror_names():
    member = member_of("pypi:some-package==1.2.post3/a/b c.h5".replace(" ", "_"))
    assert (member.package, member.version, member.path) == ("some-package", "1.2.post3", "a/b_c.h5")
    assert member.release == "some-package==1.2.post3"
    assert member_of("https://host/pypi:a==1/b") is None and member_of("pypi:a/b") is None


def test_only_the_member_enters_the_cache_and_a_wheel_is_fetched_once(house, cache, pip_calls, tmp_path):
    other = WEIGHTS[::-1]
    make_wheel(house, "toypack", "1.0", {"toypack/a.h5": WEIGHTS, "toypack/b.h5": other, "toypack/__init__.py": b"1/0"})
    with wheels_kept():
        first = cache.get(wanted("pypi:toypack==1.0/toypack/a.h5"), "toy")
        second = cache.get(wanted("pypi:toypack==1.0/toypack/b.h5", other), "toy")
    assert first.read_bytes() == WEIGHTS and second.read_bytes() == other and first.name == "weights.h5"
    assert pip_calls == ["toypack==1.0"]
    assert {path.name for path in cache.folder.rglob("*") if path.is_file()} >= {"weights.h5"}
    assert not [path for path in cache.folder.rglob("*.whl")] and not list((tmp_path / "temporary").iterdir())
    assert "toypack" not in sys.modules


def test_the_next_mirror_is_tried(house, cache, server, notes):
    url = server.add("/w", WEIGHTS)
    file = RemoteFile("w.h5", ("pypi:absent==1.0/w.h5", url), hashlib.sha256(WEIGHTS).hexdigest())
    assert cache.get(file, "toy", notes).read_bytes() == WEIGHTS
    assert any("has no package absent; trying the next mirror" in note for note in notes.notes)


def test_a_wheel_serves_where_a_server_does_not(house, cache, server, notes, quick):
    make_wheel(house, "toypack", "1.0", {"w.h5": WEIGHTS})
    url = server.add("/w", b"other bytes", cut=4, cuts=99)  # which leaves an unfinished download
    file = RemoteFile("w.h5", (url, "pypi:toypack==1.0/w.h5"), hashlib.sha256(WEIGHTS).hexdigest())
    assert cache.get(file, "toy", notes, quick).read_bytes() == WEIGHTS and not cache.leftovers()


def test_what_pip_cannot_give_is_told_apart(house, cache):
    make_wheel(house, "toypack", "1.0", {"w.h5": WEIGHTS})
    make_wheel(house, "native", "1.0", {"w.h5": WEIGHTS}, tag="cp27-cp27m-win32")
    (house / "built-1.0.tar.gz").write_bytes(b"")
    for mirror, reason in {
        "pypi:toypack==2.0/w.h5": "the package index has no toypack==2.0, but 1.0",
        "pypi:nowhere==1.0/w.h5": "has no package nowhere",
        "pypi:native==1.0/w.h5": "native==1.0 has no wheel for this Python and machine; pip looked at cp27-cp27m-win32",
        "pypi:built==1.0/w.h5": "built==1.0 is published as source only",
    }.items():
        error = refused(cache, wanted(mirror))
        assert reason in error.extent and error.fix.startswith("Fix: "), mirror
        assert "zoo cache add" in error.fix


def test_a_yanked_release_is_refused(house, cache, tmp_path, monkeypatch):
    folder = tmp_path / "simple/toypack"
    folder.mkdir(parents=True)
    wheel = make_wheel(folder, "toypack", "1.0", {"w.h5": WEIGHTS})
    (folder / "index.html").write_text(f'<a href="{wheel.name}" data-yanked="wrong weights">{wheel.name}</a>')
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    error = refused(cache, wanted("pypi:toypack==1.0/w.h5"))
    assert "toypack==1.0 was yanked by its authors (wrong weights)" in error.extent


def test_an_index_that_is_not_reached(house, cache, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    error = refused(cache, wanted("pypi:toypack==1.0/w.h5"))
    assert "pip does not reach its package index http://127.0.0.1:9/simple/toypack/" in error.extent
    assert "pip config list" in error.fix


def test_an_environment_without_pip(house, cache, tmp_path, monkeypatch):
    venv.create(tmp_path / "bare", with_pip=False)
    python = str(tmp_path / "bare/bin/python")
    monkeypatch.setattr(sys, "executable", python)
    error = refused(cache, wanted("pypi:toypack==1.0/w.h5"))
    assert "no pip" in error.extent and "-m ensurepip" in error.fix and "uv pip install pip" in error.fix


def test_a_pip_of_the_folder_one_works_in_is_not_called(house, cache, tmp_path, monkeypatch):
    make_wheel(house, "toypack", "1.0", {"w.h5": WEIGHTS})
    (tmp_path / "pip.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    assert cache.get(wanted("pypi:toypack==1.0/w.h5"), "toy").read_bytes() == WEIGHTS


def test_offline_nothing_is_asked(house, cache, pip_calls, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    error = refused(cache, wanted("pypi:toypack==1.0/w.h5"))
    assert "the network is switched off" in error.what and "the wheel of toypack 1.0" in error.extent and not pip_calls


def test_wrong_bytes_are_not_kept(house, cache):
    make_wheel(house, "toypack", "1.0", {"w.h5": WEIGHTS[:-1] + b"?"})
    error = refused(cache, wanted("pypi:toypack==1.0/w.h5"))
    assert "wrong bytes: sha256" in error.extent and "in the wheel of toypack==1.0" in error.extent


def test_an_interrupted_download_leaves_nothing(house, cache, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(packages.subprocess, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.get(wanted("pypi:toypack==1.0/w.h5"), "toy")
    assert not cache.blobs() and not list((tmp_path / "temporary").iterdir())


# ---------------------------------------------------------------- one member of a zip


def zipped(tmp_path, *items):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, data in items:
            archive.writestr(info, data)
    return path


def taken(path, name, size=None):
    take_member(path, name, out := io.BytesIO(), size)
    return out.getvalue()


def test_a_member_is_found_by_its_whole_name(tmp_path):
    path = zipped(tmp_path, ("x/w.h5", b"one"), ("../w.h5", b"evil"), ("/w.h5", b"absolute"))
    assert taken(path, "x/w.h5", 3) == b"one"
    for name in ("w.h5", "x", "W.h5"):
        with pytest.raises(PackageError, match="has no file"):
            taken(path, name)
    with pytest.raises(PackageError, match=r"near names: x/w\.h5"):
        taken(path, "x/W.h5")
    assert [one.name for one in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_are_no_plain_files_are_refused(tmp_path):
    link = zipfile.ZipInfo("link.h5")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path, (link, b"/etc/passwd"), ("folder/", b""), ("twice.h5", b"1"), ("twice.h5", b"2"))
    for name, reason in {"link.h5": "is a link", "folder/": "is a link or folder", "twice.h5": "2 times"}.items():
        with pytest.raises(PackageError, match=reason):
            taken(path, name)


def test_a_member_that_is_too_large_is_not_written(tmp_path):
    path = zipped(tmp_path, ("w.h5", bytes(5_000_000)))
    with pytest.raises(PackageError, match=r"has 5,000,000 bytes instead of 100"):
        taken(path, "w.h5", 100)
    # The directory of the zip says less than the member holds.
    data = bytearray(path.read_bytes())
    at = data.rindex((5_000_000).to_bytes(4, "little"))
    data[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(PackageError, match=r"damaged|more than the 100 bytes"):
        taken(path, "w.h5", 100)


def test_a_damaged_zip(tmp_path):
    path = zipped(tmp_path, ("w.h5", WEIGHTS))
    data = bytearray(path.read_bytes())
    data[40:60] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(PackageError, match="damaged"):
        taken(path, "w.h5")
    path.write_bytes(b"no zip")
    with pytest.raises(PackageError, match="damaged"):
        taken(path, "w.h5")


# ---------------------------------------------------------------- the package index itself


@pytest.mark.pypi
def test_two_files_of_a_published_wheel(package_index, cache, pip_calls):
    with wheels_kept():
        for name, (sha256, size) in {"Donor.h5": DONOR, "Exon.h5": EXON}.items():
            path = cache.get(RemoteFile(name, (f"{MMSPLICE}/{name}",), sha256, bytes=size), "mmsplice")
            assert path.stat().st_size == size and path.name == name
    assert pip_calls == ["mmsplice==2.4.0"] and len(cache.blobs()) == 2


@pytest.mark.pypi
def test_a_release_that_the_index_lacks(package_index, cache):
    error = refused(cache, wanted("pypi:mmsplice==0.0.1/w.h5"))
    assert "the package index has no mmsplice==0.0.1, but " in error.extent and "2.4.0" in error.extent


@pytest.mark.pypi
@pytest.mark.shared
def test_the_published_graph_holds_the_converted_networks(package_index, shared_data, cache):
    """Every weight and running mean of the five networks of CI-SpliceAI, converted elsewhere with TensorFlow."""
    mirror = "pypi:cispliceai==1.2.2/cispliceai/data/CI-SpliceAI.pb"
    sha256 = "34330c2fd844f73cbf2f8acef85f519cabc4350016e6f19ac2b935aa53b43d06"
    graph = cache.get(RemoteFile("CI-SpliceAI.pb", (mirror,), sha256), "ci-spliceai")
    constants = read_tensors(graph, "tensorflow-graph")
    # Convolutions of TensorFlow are (width, in, out), torch's (out, in, width).
    turned = (one.permute(2, 1, 0) if one.ndim == 3 else one for one in constants.values())
    known = {one.contiguous().numpy().tobytes() for one in turned}
    compared = 0
    for number in range(1, 6):
        state = torch.load(shared_data / f"m07_cispliceai/cispliceai_{number}.pt", weights_only=True)
        arrays = {name: np.ascontiguousarray(one.numpy()) for name, one in state.items() if "batches" not in name}
        assert [name for name, one in arrays.items() if one.tobytes() not in known] == []
        compared += len(arrays)
    assert compared == 1030 and len(Cache(cache.folder).blobs()) == 1


# ---------------------------------------------------------------- a wheel of which several models take files

OTHER = WEIGHTS[::-1]


@pytest.fixture
def toypack(house, tmp_path, monkeypatch):
    """A wheel of files that two entries name, and of some that they do not."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    as_large = bytes(len(WEIGHTS))  # as many bytes, other ones
    wheel = make_wheel(house, "toypack", "1.0", {"a.h5": WEIGHTS, "b.h5": OTHER, "c.h5": as_large, "run.py": b"1/0"})
    known = [
        {"name": f"toy-{name}", "wheels": {"toypack==1.0": 1}, "remote": [record(f"{name}.h5", body)]}
        for name, body in {"a": WEIGHTS, "b": OTHER}.items()
    ]
    elsewhere = {"name": "elsewhere", "wheels": {}, "remote": [record("c.h5", as_large)]}
    monkeypatch.setattr(files, "entries", lambda: [*known, elsewhere])
    return wheel


def record(name, body):
    """What the index says of a file."""
    sha256 = hashlib.sha256(body).hexdigest()
    return {"name": name, "hosts": "the wheel of toypack 1.0", "bytes": len(body), "sha256": sha256, "md5": None}


def everything(folder):
    return [path for path in folder.rglob("*") if path.is_file() and "locks" not in path.parts]


def test_what_other_entries_name_of_a_wheel_is_taken_with_it(toypack, cache, pip_calls, monkeypatch, tmp_path):
    with files.wheels_shared():
        cache.get(wanted("pypi:toypack==1.0/a.h5", name="a.h5"), "toy-a")
    assert pip_calls == ["toypack==1.0"] and not list((tmp_path / "temporary").iterdir())
    assert {blob.path.name: blob.path.read_bytes() for blob in cache.blobs()} == {"a.h5": WEIGHTS, "b.h5": OTHER}
    monkeypatch.setenv("ZOO_OFFLINE", "1")  # what is here needs no network
    with files.wheels_shared():
        assert cache.get(wanted("pypi:toypack==1.0/b.h5", OTHER, "b.h5"), "toy-b").read_bytes() == OTHER
    assert pip_calls == ["toypack==1.0"]


def test_nothing_of_a_wheel_but_what_is_named_enters_the_cache(toypack, cache):
    with files.wheels_shared():
        cache.get(wanted("pypi:toypack==1.0/a.h5", name="a.h5"), "toy-a")
    checksums = {hashlib.sha256(body).hexdigest() for body in (WEIGHTS, OTHER)}
    blobs = [path for path in everything(cache.folder) if "blobs" in path.parts]
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in blobs} == checksums
    # The rest is text that says where they came from.
    assert all(path.stat().st_size < 500 for path in everything(cache.folder) if "blobs" not in path.parts)
    assert not list(cache.folder.rglob("*.whl")) and not cache.leftovers()


def test_other_bytes_under_a_known_name_and_size_are_not_taken(toypack, house, cache):
    make_wheel(house, "toypack", "1.0", {"a.h5": WEIGHTS, "b.h5": OTHER[:-1] + b"?"})
    with files.wheels_shared():
        cache.get(wanted("pypi:toypack==1.0/a.h5", name="a.h5"), "toy-a")
    assert [blob.path.name for blob in cache.blobs()] == ["a.h5"] and not cache.leftovers()


def test_a_link_of_a_known_size_is_not_taken(toypack, cache, tmp_path):
    link = zipfile.ZipInfo("b.h5")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    known = RemoteFile("b.h5", (), hashlib.sha256(OTHER).hexdigest(), bytes=len(OTHER))
    cache.folder.mkdir(exist_ok=True)
    assert cache.take_known(zipped(tmp_path, (link, OTHER)), "toypack==1.0", [known]) == []
    (taken,) = cache.take_known(zipped(tmp_path, ("b.h5", OTHER)), "toypack==1.0", [known])
    assert taken.read_bytes() == OTHER and cache.blobs()[0].url == "pypi:toypack==1.0/b.h5"


def test_no_room_for_what_nobody_waits_for_is_no_error(toypack, cache, monkeypatch):
    monkeypatch.setattr(store_cache, "SPARE_BYTES", 1 << 60)
    known = RemoteFile("b.h5", (), hashlib.sha256(OTHER).hexdigest(), bytes=len(OTHER))
    cache.folder.mkdir(exist_ok=True)
    assert cache.take_known(toypack, "toypack==1.0", [known]) == [] and not cache.blobs()


@pytest.mark.pypi
def test_six_entries_fetch_their_wheel_once(package_index, pip_calls, tmp_path, monkeypatch):
    """One is pulled; the others, pulled afterwards, find their files."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_OFFLINE", raising=False)
    pull("mmsplice-donor")
    assert pip_calls == ["mmsplice==2.4.0"]
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    kinds = ["acceptor", "exon", "intron3", "intron5"]
    others = [file.name for file in pull([*(f"mmsplice-{kind}" for kind in kinds), "mtsplice"])]
    assert len(others) == 5 and len(pip_calls) == 1
    named = {r["sha256"] for one in entries() if "mmsplice==2.4.0" in one["wheels"] for r in one["remote"]}
    fetched = {blob.sha256 for blob in Cache().blobs() if not blob.url.startswith("made for")}
    assert fetched == named and not list((tmp_path / "cache").rglob("*.whl"))
