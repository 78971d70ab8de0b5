"""A lock file between processes and threads."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time

import pytest

from zoo import files as lock
from zoo.files import hold_lock, is_locked


def never(holder):
    pytest.fail(f"had to wait for {holder}")


def test_a_lock_is_there_while_it_is_held(tmp_path):
    path = tmp_path / "x.lock"
    assert not is_locked(path)
    with hold_lock(path, never) as held:
        assert held and is_locked(path)
        assert path.read_text() == f"process {os.getpid()} on {os.uname().nodename}"
    assert not path.exists() and not is_locked(path)


def test_a_failure_frees_it(tmp_path):
    with pytest.raises(ValueError, match="inside"), hold_lock(tmp_path / "x", never):
        raise ValueError("inside")
    with hold_lock(tmp_path / "x", never):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_a_dead_process_left_is_no_lock(tmp_path):
    path = tmp_path / "x.lock"
    path.write_text("process 1 on a machine that is gone, with a name that is longer than ours")
    assert not is_locked(path)
    with hold_lock(path, never):
        assert path.read_text() == f"process {os.getpid()} on {os.uname().nodename}"


def test_who_waits_is_told_once_by_whom_and_then_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "POLL_SECONDS", 0.001)
    path, told, order = tmp_path / "x.lock", [], []
    first_has_it, second_waits = threading.Event(), threading.Event()

    def first():
        with hold_lock(path, never):
            first_has_it.set()
            assert second_waits.wait(30)
            time.sleep(0.02)  # some polls
            order.append("first")

    def waiting(holder):
        told.append(holder)
        second_waits.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert first_has_it.wait(30)
    with hold_lock(path, waiting) as held:
        order.append("second")
        assert held
    thread.join()
    assert order == ["first", "second"]
    assert told == [f"process {os.getpid()} on {os.uname().nodename}"]


def test_what_the_one_that_waits_raises_ends_the_wait(tmp_path):
    class Refused(Exception):
        pass

    def refuse(holder):
        raise Refused(holder)

    with hold_lock(tmp_path / "x", never):
        with pytest.raises(Refused, match=str(os.getpid())), hold_lock(tmp_path / "x", refuse):
            pytest.fail("entered")
        assert is_locked(tmp_path / "x")  # and is still the first one's
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_has_not_written_its_name_yet(tmp_path):
    path, told = tmp_path / "x", []
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)

        def waiting(holder):
            told.append(holder)
            fcntl.flock(handle, fcntl.LOCK_UN)

        with hold_lock(path, waiting):
            pass
    assert told == ["another process"]


def test_threads_take_turns(tmp_path, monkeypatch):
    """The file is removed and made again meanwhile: nobody may hold the lock of a file that is gone."""
    monkeypatch.setattr(lock, "POLL_SECONDS", 0)
    path, inside, seen = tmp_path / "x", [], []

    def work():
        for _ in range(25):
            with hold_lock(path, lambda holder: None):
                inside.append(1)
                seen.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 100 and not path.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, number):
    def no_locks(handle, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with hold_lock(tmp_path / "x", never) as held:
        assert held is False


def test_another_error_of_the_file_system_is_none_of_ours(tmp_path, monkeypatch):
    def broken(handle, how):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="Input/output"), hold_lock(tmp_path / "x", never):
        pytest.fail("entered")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError), hold_lock(tmp_path / "no" / "x", never):
        pytest.fail("entered")
