"""Files in wheels: pip fetches them, from the user's wheelhouse or index, and only what was asked for is kept."""

from __future__ import annotations

import hashlib
import io
import os
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
from zoo.errors import FetchError
from zoo.store import packages
from zoo.store.cache import Cache
from zoo.store.packages import PackageError, kept_wheels, member_of, take_member, wheels_kept
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


def several(release):
    return True


@pytest.fixture
def toypack(house, tmp_path, monkeypatch):
    """A wheel of two files, and a cache folder where wheels are kept."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return make_wheel(house, "toypack", "1.0", {"a.h5": WEIGHTS, "b.h5": WEIGHTS[::-1]})


def fetched(cache, name, shared=several):
    body = {"a.h5": WEIGHTS, "b.h5": WEIGHTS[::-1]}[name]
    with wheels_kept(shared):
        return cache.get(wanted(f"pypi:toypack==1.0/{name}", body, name), "toy").read_bytes() == body


def test_a_further_model_of_the_package_asks_pip_for_nothing(toypack, cache, pip_calls, monkeypatch, tmp_path):
    assert fetched(cache, "a.h5") and pip_calls == ["toypack==1.0"]
    (kept,) = kept_wheels()
    assert (kept.release, kept.bytes) == ("toypack==1.0", toypack.stat().st_size)
    assert kept.path == tmp_path / "cache/wheels/toypack==1.0" / toypack.name
    monkeypatch.setenv("ZOO_OFFLINE", "1")  # what is here needs no network
    assert fetched(cache, "b.h5") and pip_calls == ["toypack==1.0"]
    kept.remove()
    assert not kept_wheels() and not list((tmp_path / "cache/wheels").iterdir())


def test_a_wheel_of_one_model_is_not_kept(toypack, cache, pip_calls):
    for name in ("a.h5", "b.h5"):
        assert fetched(cache, name, shared=lambda release: release != "toypack==1.0") and not kept_wheels()
    assert pip_calls == ["toypack==1.0"] * 2


@pytest.mark.parametrize("damage", [b"no zip", None])
def test_a_kept_wheel_that_is_damaged_is_fetched_again(toypack, cache, pip_calls, damage):
    assert fetched(cache, "a.h5")
    (kept,) = kept_wheels()
    if damage is None:  # another release of the same name, which lacks the file
        make_wheel(kept.path.parent, "toypack", "1.0", {"c.h5": WEIGHTS})
    else:
        kept.path.write_bytes(damage)
    assert fetched(cache, "b.h5") and pip_calls == ["toypack==1.0"] * 2
    assert kept_wheels()[0].path.read_bytes() == toypack.read_bytes()


def test_wheels_are_kept_within_a_bound(toypack, cache, monkeypatch, house):
    size = toypack.stat().st_size
    monkeypatch.setattr(packages, "MOST_KEPT", 2 * size + size // 2)
    for number, name in enumerate(("older", "newer", "newest")):
        wheel = make_wheel(house, name, "1.0", {"a.h5": WEIGHTS + name.encode(), "b.h5": WEIGHTS[::-1]})
        path = packages.keep_wheel(f"{name}==1.0", wheel)
        os.utime(path, (1e9 + number, 1e9 + number))
    assert [one.release for one in kept_wheels()] == ["newest==1.0", "newer==1.0"]
    monkeypatch.setattr(packages, "MOST_KEPT", size - 1)
    assert packages.keep_wheel("toypack==1.0", toypack) == toypack and len(kept_wheels()) == 2


def test_a_cache_that_cannot_keep_it_is_no_reason_to_stop(toypack, cache, tmp_path):
    (tmp_path / "cache").mkdir(exist_ok=True)
    (tmp_path / "cache/wheels").write_text("a file in the way")
    assert fetched(cache, "a.h5") and not kept_wheels()
