"""The line that says how far something is, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from zoo import progress
from zoo.progress import (
    Progress,
    StatusLine,
    StderrListener,
    TransferState,
    columns_of,
    duration,
    pace,
    rewritten,
)


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


@pytest.mark.parametrize(
    ("windows", "seconds", "text"),
    [
        (0, 0, "0/s"),
        (0, 10, "0/s"),
        (5, 0, "0/s"),
        (12_345, 1, "12,345/s"),
        (10, 1, "10/s"),
        (994, 100, "9.9/s"),
        (14, 10, "1.4/s"),
        (1, 1, "1.0/s"),
        (99, 100, "1.0 s a window"),
        (10, 25, "2.5 s a window"),
        (1, 9.94, "9.9 s a window"),
        (1, 9.96, "10 s a window"),
        (2, 198, "99 s a window"),
        (3, 300, "1:40 a window"),
        (1, 4000, "1:06:40 a window"),
    ],
)
def test_pace(windows, seconds, text):
    assert pace(windows, seconds) == text


@pytest.mark.parametrize("columns", [0, 20, 40, 60, 80, 200])
def test_a_line_fits_the_terminal_and_keeps_how_much_is_left(columns):
    text = "1,234 of 5,000 windows (25%), 2.5 s a window, 2:36:55 left"
    line = rewritten(text, columns).removesuffix("\x1b[K\r")
    assert line.startswith("zoo: ") and line.endswith("55 left")
    assert len(line) < columns or not columns
    assert (line == f"zoo: {text}") == (columns == 0 or columns > len(text) + 5)


def test_the_width_is_that_of_the_terminal_now(clock):
    """A pseudo-terminal of 40 columns, made 100 wide in between, and one that does not say."""
    import fcntl
    import os
    import struct
    import termios

    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream:
        line, text = StatusLine(stream), "x" * 60
        for columns, shown in ((40, 39), (100, 65), (0, 65)):
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            assert columns_of(theirs) == columns
            line.show(text)
            assert len(os.read(ours, 1000).decode().removesuffix("\x1b[K\r")) == shown
    os.close(ours)


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
        "zoo: 55 of 100 windows (55%), 2.0 s a window, 1:30 left",
        "zoo: 70 of 100 windows (70%), 2.0 s a window, 1:00 left",
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
