"""What a download tells: notes, progress on a terminal and in a log, sizes and times; and who is told."""

from __future__ import annotations

import io
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.progress import Silent, StderrListener, TransferState, current_listener, human_bytes, listening


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time that passes as told: ``clock(5)`` is five seconds later."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def later(seconds):
        now[0] += seconds

    return later


def state(done=500_000, total=1_000_000, fetched=None, seconds=2.0):
    return TransferState("w.pth", done, total, done if fetched is None else fetched, seconds)


def test_a_line_on_a_terminal_is_rewritten_and_wiped(clock):
    stream = Terminal()
    listener = StderrListener(stream)
    listener.progress(state())
    assert stream.getvalue() == "", "nothing is drawn for what takes a moment"
    clock(1)
    listener.progress(state())
    assert stream.getvalue() == "zoo: w.pth: 500.0 kB of 1.0 MB (50%), 250.0 kB/s, 0:02 left\x1b[K\r"
    listener.progress(state())
    assert stream.getvalue().count("\r") == 1, "thousands of blocks a second are not thousands of lines"
    listener.finished()
    listener.finished()
    assert stream.getvalue().count("\x1b[2K\r") == 1


def test_a_log_gets_a_plain_line_now_and_then(clock):
    stream = io.StringIO()
    listener = StderrListener(stream)
    for _ in range(10):
        clock(10)
        listener.progress(state())
    listener.finished()
    assert stream.getvalue() == "zoo: w.pth: 500.0 kB of 1.0 MB (50%), 250.0 kB/s, 0:02 left\n" * 3


def test_a_note_does_not_stand_in_the_line_of_progress(clock):
    stream = Terminal()
    listener = StderrListener(stream)
    clock(1)
    listener.progress(state())
    listener.note("trying the next mirror")
    assert stream.getvalue().endswith("\x1b[2K\rzoo: trying the next mirror\n")


@pytest.mark.parametrize(
    ("given_state", "text"),
    [
        (state(total=None), "w.pth: 500.0 kB, 250.0 kB/s"),
        (state(done=0, fetched=0), "w.pth: 0 bytes of 1.0 MB (0%), 0 bytes/s"),
        (state(done=900_000, fetched=100_000), "w.pth: 900.0 kB of 1.0 MB (90%), 50.0 kB/s, 0:02 left"),
        (
            state(done=1, total=5_000_000_000, seconds=1.0),
            "w.pth: 1 bytes of 5.00 GB (0%), 1 bytes/s, 1388888:53:19 left",
        ),
    ],
)
def test_lines_of_progress(clock, given_state, text):
    stream = io.StringIO()
    listener = StderrListener(stream)
    clock(31)
    listener.progress(given_state)
    assert stream.getvalue() == f"zoo: {text}\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00 left"), (59, "0:59 left"), (61, "1:01 left"), (3600, "1:00:00 left"), (86_399, "23:59:59 left")],
)
def test_time_that_is_left(clock, seconds, text):
    stream = io.StringIO()
    listener = StderrListener(stream)
    clock(31)
    listener.progress(TransferState("w", 1, 1 + seconds, 1, 1.0))
    assert stream.getvalue().endswith(f", {text}\n")


def test_the_rate_is_of_this_run_and_not_of_what_was_there():
    later = TransferState("w", done=900, total=1000, fetched=100, seconds=10)
    assert (later.rate, later.remaining) == (10, 10)
    assert TransferState("w", 900, 1000, 0, 10).remaining is None
    assert TransferState("w", 900, None, 100, 10).remaining is None
    assert TransferState("w", 5, 10, 5, 0.0).rate > 0, "a run that has just begun divides by nothing"


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (13_249_000, "13.2 MB"),
        (2_500_000_000, "2.50 GB"),
        (1e13, "10000.00 GB"),
    ],
)
def test_sizes_by_hand(n, text):
    assert human_bytes(n) == text


@given(st.integers(0, 10**12))
def test_a_size_reads_back_to_within_its_digits(n):
    number, unit = human_bytes(n).split()
    factor = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}[unit]
    assert float(number) * factor == pytest.approx(n, rel=0.051)


# Who is told


def test_a_listener_is_told_within_its_block_and_not_after():
    one, other = Silent(), Silent()
    with listening(one):
        assert current_listener() is one
        with listening(other):
            assert current_listener() is other
        assert current_listener() is one
    assert isinstance(current_listener(), StderrListener)


def test_a_block_that_fails_gives_the_listener_back():
    with pytest.raises(RuntimeError), listening(Silent()):
        raise RuntimeError
    assert isinstance(current_listener(), StderrListener)


def test_another_thread_is_not_silenced_by_ours():
    found = []
    with listening(Silent()):
        thread = threading.Thread(target=lambda: found.append(current_listener()))
        thread.start()
        thread.join()
    assert isinstance(found[0], StderrListener)


def test_silence_is_silent(capfd):
    silent = Silent()
    silent.note("x")
    silent.progress(state())
    silent.finished()
    assert capfd.readouterr() == ("", "")
