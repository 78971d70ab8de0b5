"""The line that says how far something is, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from zoo import progress
from zoo.progress import Progress, StatusLine, StderrListener, TransferState, duration, rewritten


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is told."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (7.4, "0:07"),
        (59.6, "1:00"),
        (67, "1:07"),
        (3599.6, "1:00:00"),
        (7209, "2:00:09"),
        (360000, "100:00:00"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_terminal_is_rewritten_five_times_a_second(clock):
    stream = Terminal()
    bar = Progress(1000, stream=stream)
    bar.advance(10)
    assert stream.getvalue() == ""
    clock[0] += 0.5
    bar.advance(90)
    clock[0] += 0.1
    bar.advance(100)
    assert stream.getvalue() == "zoo: 100 of 1,000 windows (10%), 200/s, 0:04 left\x1b[K\r"
    bar.clear()
    bar.clear()
    assert stream.getvalue().endswith("\r\x1b[2K\r") and stream.getvalue().count("\x1b[2K") == 1
    assert bar.done == 200 and bar.seconds == pytest.approx(0.6)


def test_a_file_gets_a_line_every_half_minute(clock):
    stream = io.StringIO()
    bar = Progress(100, 40, stream)
    for _ in range(6):
        clock[0] += 10
        bar.advance(5)
    bar.clear()
    # 15 windows in 30 s, 45 left; then 30 in 60 s, 30 left: what an earlier run did counts for no rate
    assert stream.getvalue().splitlines() == [
        "zoo: 55 of 100 windows (55%), 0/s, 1:30 left",
        "zoo: 70 of 100 windows (70%), 0/s, 1:00 left",
    ]


def test_no_rate_gives_no_time_left(clock):
    stream = Terminal()
    bar = Progress(10, stream=stream)
    clock[0] += 1
    bar.advance(0)
    assert stream.getvalue() == "zoo: 0 of 10 windows (0%), 0/s, ? left\x1b[K\r"


def test_an_empty_run_and_a_silent_one(clock):
    stream = Terminal()
    bar, silent = Progress(0, stream=stream), Progress(5)
    clock[0] += 1
    bar.advance(0)
    silent.advance(5)
    silent.clear()
    assert "0 of 0 windows (0%)" in stream.getvalue() and silent.done == 5


def test_windows_and_downloads_draw_the_same_line(clock):
    """One rule for both: where the line goes, how often, and that a note takes its place."""
    stream = Terminal()
    listener, line = StderrListener(stream), StatusLine(stream)
    state = TransferState("w.pth", 1000, 4000, 1000, 2.0)
    listener.progress(state)
    assert not line.due() and stream.getvalue() == ""
    clock[0] += 0.2
    assert line.due() and not line.due()
    listener.progress(state)
    listener.note("done")
    text = "w.pth: 1.0 kB of 4.0 kB (25%), 500 bytes/s, 0:06 left"
    assert stream.getvalue() == f"{rewritten(text)}\x1b[2K\rzoo: done\n"


def test_elsewhere_nothing_is_removed(clock):
    stream = io.StringIO()
    line = StatusLine(stream)
    clock[0] += 29
    assert not line.due()
    clock[0] += 1
    assert line.due()
    line.show("x")
    line.clear()
    assert stream.getvalue() == "zoo: x\n"
