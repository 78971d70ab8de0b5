"""One writer at a time; whole or not at all; what an earlier run left."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
from types import SimpleNamespace

import pytest

from zoo.errors import UsageError
from zoo.results import whole
from zoo.results.whole import put_folder, replacing, replacing_all, replacing_folder, sole_writer


def test_the_steps_of_a_command_may_ask_again_and_another_thread_may_not(tmp_path):
    out, met = tmp_path / "x.h5", []

    def other():
        try:
            with sole_writer(out):
                met.append("entered")
        except UsageError as error:
            met.append(error.extent)

    (tmp_path / "sub").mkdir()
    with sole_writer(out), sole_writer(tmp_path / "sub" / ".." / "x.h5"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert met == [f"process {os.getpid()} on {os.uname().nodename} holds its lock"]
    assert not list(tmp_path.glob("*.lock"))
    other()
    assert met[1:] == ["entered"]


def test_a_failed_run_frees_its_lock(tmp_path):
    with pytest.raises(KeyError), sole_writer(tmp_path / "x"):
        raise KeyError
    with sole_writer(tmp_path / "x"):
        assert [path.name for path in tmp_path.iterdir()] == ["x.partial.lock"]


def test_standard_output_has_no_lock(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with sole_writer("-"), sole_writer("-"):
        assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- whole or not at all


@pytest.mark.parametrize("shared", [False, True])
def test_a_file_gets_its_name_at_the_end(tmp_path, shared):
    path = tmp_path / "x"
    path.write_text("old")
    with replacing(path, shared=shared) as partial:
        partial.write_text("new")
        assert path.read_text() == "old" and partial.parent == tmp_path
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("begun", [False, True])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, shared, error, begun):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(error), replacing(path, shared=shared) as partial:
        if begun:
            partial.write_text("half")
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_those_who_share_a_name_do_not_share_what_is_unfinished(tmp_path):
    path = tmp_path / "index.json"
    with replacing(path, shared=True) as first, replacing(path, shared=True) as second:
        assert first != second and first.name.startswith(".")
        first.write_text("a")
        second.write_text("b")
    assert path.read_text() == "a"  # the block that ended last
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_many_threads_write_one_index(tmp_path):
    """Each reader finds one whole text, whoever was last."""
    path, texts, seen = tmp_path / "index", [f"{i}" * 5000 for i in range(8)], []

    def write(text: str) -> None:
        for _ in range(20):
            with replacing(path, shared=True) as partial:
                partial.write_text(text)
            seen.append(path.read_text() in texts)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 160 and list(tmp_path.iterdir()) == [path]


def test_the_files_of_a_result_get_their_names_together(tmp_path):
    finals = [tmp_path / "x.meme", tmp_path / "x.h5"]
    (tmp_path / "x.h5.partial").mkdir()
    (tmp_path / "x.h5.partial" / "left").write_text("by a process that was killed")
    with replacing_all(finals) as parts:
        assert [part.suffix for part in parts] == [".meme", ".h5"]
        for part in parts:
            part.write_text(part.suffix)
        assert not any(final.exists() for final in finals)
    assert [final.read_text() for final in finals] == [".meme", ".h5"]
    with pytest.raises(OSError), replacing_all(finals) as parts:
        parts[0].write_text("half")
        raise OSError
    assert sorted(tmp_path.iterdir()) == sorted(finals) and finals[0].read_text() == ".meme"


def test_a_folder_gets_its_name_at_the_end(tmp_path):
    path = tmp_path / "above" / "x"
    for text in ("old", "new"):
        with replacing_folder(path) as made:
            (made.parent / "scratch").write_text("")
            made.mkdir()
            (made / text).write_text(text)
        assert [p.name for p in path.iterdir()] == [text]
    with pytest.raises(ZeroDivisionError), replacing_folder(path) as made:
        made.mkdir()
        raise ZeroDivisionError
    assert [p.name for p in path.iterdir()] == ["new"] and list(path.parent.iterdir()) == [path]


def test_an_older_folder_comes_back_where_the_new_one_cannot_be_named(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(FileNotFoundError):
        put_folder(tmp_path / "never made", tmp_path / "x", tmp_path / "older")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_room_is_asked_for_one_file_or_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    monkeypatch.setattr(whole, "_file_size_limit", lambda: 100)
    whole.require_room(tmp_path, 100)
    whole.require_room(tmp_path, 1000, one_file=False)
    for n, options, number in ((101, {}, errno.EFBIG), (1001, {}, errno.ENOSPC), (1001, {"one_file": False}, 28)):
        with pytest.raises(OSError) as caught:
            whole.require_room(tmp_path, n, **options)
        assert caught.value.errno == number


def test_files_of_an_earlier_run_are_those_of_its_record_that_are_still_there(tmp_path):
    import json

    from zoo.results.record import left_behind

    out, other, gone = (tmp_path / name for name in ("s.bw", "s.minus.bw", "s.plus.bw"))
    record = tmp_path / "s.bw.run.json"
    for text in ("[]", "no json", '{"files": 3}', '{"files": [null]}'):
        record.write_text(text)
        assert left_behind(out, [out]) == []
    record.write_text(json.dumps({"files": [str(other), str(gone), str(tmp_path / "elsewhere" / "x.bw")]}))
    out.write_text("")
    other.write_text("")
    assert left_behind(out, [out]) == [
        "of an earlier run, not of this one: s.minus.bw beside s.bw (delete what is not needed)"
    ]
    assert left_behind(out, [out, other]) == []
    record.unlink()
    assert left_behind(out, [out]) == [] and "s.minus.bw" in left_behind(out, [out], [other, gone])[0]
