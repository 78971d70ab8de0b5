"""Downloads from a server that misbehaves: the right bytes or a clear error, never anything else."""

from __future__ import annotations

import email.utils
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

from zoo.errors import FetchError
from zoo.files import is_offline
from zoo.progress import StderrListener, TransferState, human_bytes
from zoo.store.fetch import FetchSettings, Redirects, fetch

NOW = 1_700_000_000.0


@pytest.fixture
def partial(tmp_path):
    return tmp_path / "partial"


@pytest.fixture
def waits(monkeypatch):
    """The seconds that a download would sleep, none of which pass; its clock stands at NOW."""
    found: list[float] = []
    monkeypatch.setattr(
        "zoo.store.fetch.time", SimpleNamespace(sleep=found.append, time=lambda: NOW, monotonic=time.monotonic)
    )
    return found


def test_a_download_is_the_file_and_tells_its_progress(server, remote_of, partial, quick, notes, body):
    url = server.add("/w", body)
    digests, source = fetch(remote_of(url), partial, notes, quick)
    assert partial.read_bytes() == body and source == url
    assert digests.bytes == 300_000
    done = [state.done for state in notes.states]
    assert done == sorted(done) and done[-1] == 300_000
    assert {state.total for state in notes.states} == {300_000} and notes.ended == 1


def test_the_size_need_not_be_known(server, remote_of, partial, quick, notes, body):
    url = server.add("/w", body, length=0)  # no Content-Length either
    fetch(remote_of(url, size=False, known="md5"), partial, notes, quick)
    assert partial.read_bytes() == body
    assert notes.states[-1].total is None and notes.states[-1].remaining is None


def test_a_cut_connection_is_gone_on_with(server, remote_of, partial, quick, notes, body):
    url = server.add("/w", body, cut=100_000, cuts=2, etag='"one"')
    fetch(remote_of(url), partial, notes, quick)
    assert partial.read_bytes() == body
    assert server.requests["/w"] == 3 and server.sent["/w"] == 300_000  # nothing was sent twice
    assert [headers.get("Range") for headers in server.received] == [None, "bytes=100000-", "bytes=200000-"]
    assert server.received[1]["If-Range"] == '"one"'


def test_cuts_without_end_are_no_failure_as_long_as_bytes_come(server, remote_of, partial, quick, notes, body):
    url = server.add("/w", body, cut=30_000)
    fetch(remote_of(url), partial, notes, quick)
    assert partial.read_bytes() == body and server.requests["/w"] == 10  # more than quick.attempts


def test_a_stalled_connection_is_given_up_and_gone_on_with(server, remote_of, partial, impatient, notes, body):
    url = server.add("/w", body, cut=120_000, cuts=1, stall=3)
    fetch(remote_of(url), partial, notes, impatient)
    assert partial.read_bytes() == body and server.requests["/w"] >= 2
    assert any("no answer in time" in note for note in notes.notes)


def test_a_server_that_always_stalls_is_left(server, remote_of, partial, impatient, notes, body):
    slow, good = server.add("/slow", body, cut=0, stall=3), server.add("/good", body)
    fetch(remote_of(slow, good), partial, notes, impatient)
    assert partial.read_bytes() == body
    assert server.requests["/slow"] == impatient.attempts and server.requests["/good"] == 1


def test_wrong_bytes_are_not_kept_and_the_next_mirror_is_used(server, remote_of, partial, quick, notes, body):
    wrong = server.add("/wrong", b"x" * len(body))
    good = server.add("/good", body)
    assert fetch(remote_of(wrong, good), partial, notes, quick)[1] == good
    assert partial.read_bytes() == body and server.requests["/wrong"] == 1


def test_a_web_page_in_place_of_the_file_is_called_so(server, remote_of, partial, quick, notes):
    url = server.add("/login", b"<html>please log in</html>", headers={"Content-Type": "text/html"})
    with pytest.raises(FetchError) as caught:
        fetch(remote_of(url, size=False), partial, notes, quick)
    assert "it sent a web page" in caught.value.extent and not partial.exists()


def test_another_length_is_seen_before_the_download(server, remote_of, partial, quick, notes, body):
    url = server.add("/long", body + b"!")
    with pytest.raises(FetchError) as caught:
        fetch(remote_of(url), partial, notes, quick)
    assert "offers 300,001 bytes instead of 300,000" in caught.value.extent
    assert notes.states == [] and not partial.exists()


def test_more_bytes_than_the_card_says_are_not_taken(server, remote_of, partial, quick, notes, body):
    url = server.add("/long", body * 3, length=0)
    with pytest.raises(FetchError, match="could not be fetched"):
        fetch(remote_of(url), partial, notes, quick)
    assert not partial.exists()


def test_a_length_that_promises_too_much_is_a_cut_connection(server, remote_of, partial, quick, notes, body):
    url = server.add("/w", body[:1000], length=300_000, ranges=False)
    with pytest.raises(FetchError) as caught:
        fetch(remote_of(url), partial, notes, quick)
    assert "the connection ended after 1.0 kB of 300.0 kB (3 tries)" in caught.value.extent


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_not_repeated(server, remote_of, partial, quick, notes, body, status):
    gone, good = server.add("/gone", body, statuses=[status] * 9), server.add("/good", body)
    fetch(remote_of(gone, good), partial, notes, quick)
    assert partial.read_bytes() == body and server.requests["/gone"] == 1
    assert any(f"HTTP {status}" in note and "next mirror" in note for note in notes.notes)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(server, remote_of, partial, quick, notes, body, status):
    url = server.add("/busy", body, statuses=[status, status])
    fetch(remote_of(url), partial, notes, quick)
    assert partial.read_bytes() == body and server.requests["/busy"] == 3


def test_a_server_that_stays_busy_is_left_after_the_attempts(server, remote_of, partial, quick, notes, body):
    url = server.add("/busy", body, statuses=[503] * 9)
    with pytest.raises(FetchError) as caught:
        fetch(remote_of(url), partial, notes, quick)
    assert server.requests["/busy"] == 3 and "HTTP 503" in caught.value.extent


def test_retry_after_is_honoured(server, remote_of, partial, quick, notes, body, waits):
    url = server.add("/busy", body, statuses=[429], headers={"Retry-After": "1"})
    fetch(remote_of(url), partial, notes, quick)
    assert waits == [1.0] and partial.read_bytes() == body


def test_retry_after_as_a_date(server, remote_of, partial, notes, body, waits):
    date = email.utils.formatdate(NOW + 2, usegmt=True)
    url = server.add("/busy", body, statuses=[503], headers={"Retry-After": date})
    fetch(remote_of(url), partial, notes, FetchSettings(backoff=0.01))
    assert waits == [2.0] and partial.read_bytes() == body


def test_a_retry_after_that_has_passed_is_no_wait(server, remote_of, partial, quick, notes, body, waits):
    date = email.utils.formatdate(NOW - 60, usegmt=True)
    url = server.add("/busy", body, statuses=[503], headers={"Retry-After": date})
    fetch(remote_of(url), partial, notes, quick)
    assert waits == [] and partial.read_bytes() == body


def test_waits_double_where_the_server_names_none(server, remote_of, partial, notes, body, waits):
    url = server.add("/busy", body, statuses=[503] * 3)
    fetch(remote_of(url), partial, notes, FetchSettings(attempts=4, backoff=0.5))
    assert waits == [0.5, 1.0, 2.0] and partial.read_bytes() == body


def test_a_long_retry_after_means_the_next_mirror(server, remote_of, partial, quick, notes, body, waits):
    busy = server.add("/busy", body, statuses=[503] * 9, headers={"Retry-After": "3600"})
    good = server.add("/good", body)
    fetch(remote_of(busy, good), partial, notes, quick)
    assert partial.read_bytes() == body and waits == [] and server.requests["/busy"] == 1
    assert any("asks to wait 3,600 s" in note for note in notes.notes)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_also_when_resuming(server, remote_of, partial, quick, notes, body, status):
    server.add("/file", body, cut=200_000, cuts=1)
    url = server.add("/moved", b"", statuses=[status] * 9, headers={"Location": "/file"})
    fetch(remote_of(url), partial, notes, quick)
    assert partial.read_bytes() == body and server.sent["/file"] == 300_000


def test_a_circle_of_redirects_is_left(server, remote_of, partial, quick, notes, body):
    url = server.add("/a", b"", statuses=[302] * 99, headers={"Location": "/b"})
    server.add("/b", b"", statuses=[302] * 99, headers={"Location": "/a"})
    with pytest.raises(FetchError) as caught:
        fetch(remote_of(url), partial, notes, quick)
    assert "redirects in a circle" in caught.value.extent


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("https", "http", False),
        ("https", "file", False),
        ("http", "ftp", False),
        ("http", "https", True),
        ("https", "https", True),
    ],
)
def test_redirects_do_not_leave_https_or_http(old, new, allowed):
    request = urllib.request.Request(f"{old}://a.example/x")
    target = f"{new}://b.example/etc/passwd"
    if allowed:
        assert Redirects().redirect_request(request, None, 302, "Found", {}, target).full_url == target
        return
    with pytest.raises(urllib.error.HTTPError, match=f"refused: redirects from {old} to {new}"):
        Redirects().redirect_request(request, None, 302, "Found", {}, target)


def test_a_redirect_to_a_local_file_is_refused(server, remote_of, partial, quick, notes, tmp_path, body):
    (tmp_path / "secret").write_bytes(body)  # even the right bytes
    url = server.add("/a", b"", statuses=[302] * 9, headers={"Location": f"file://{tmp_path}/secret"})
    with pytest.raises(FetchError):
        fetch(remote_of(url), partial, notes, quick)
    assert not partial.exists()


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://a.example/w", "data:,x", "/etc/hostname"])
def test_only_http_addresses_are_opened(remote_of, partial, quick, notes, url):
    with pytest.raises(FetchError) as caught:
        fetch(remote_of(url), partial, notes, quick)
    assert "not an http or https address" in caught.value.extent


@pytest.mark.parametrize("url", ["http://a b/w", "http://a.example/a b", "http://[broken/w", "http://a.example:x/w"])
def test_an_invalid_address_is_not_tried_again(remote_of, partial, quick, notes, url):
    with pytest.raises(FetchError):
        fetch(remote_of(url), partial, notes, quick)
    assert notes.notes == []


def test_proxies_of_the_environment_are_used(server, remote_of, partial, quick, notes, body, monkeypatch):
    server.add("http://models.invalid/w", body)  # a proxy is asked for the whole address
    monkeypatch.setenv("http_proxy", server.url(""))
    fetch(remote_of("http://models.invalid/w"), partial, notes, quick)
    assert partial.read_bytes() == body


def test_a_server_that_ignores_range_sends_all_again(server, remote_of, partial, quick, notes, body):
    url = server.add("/w", body, ranges=False)
    partial.write_bytes(b"y" * 1000)
    fetch(remote_of(url), partial, notes, quick)
    assert partial.read_bytes() == body and server.requests["/w"] == 1


def test_a_file_that_changes_between_two_requests_is_fetched_whole(server, remote_of, partial, quick, notes, body):
    def change(page):
        if server.requests["/w"] == 2:
            page.body, page.etag = body, '"new"'

    url = server.add("/w", b"o" * len(body), etag='"old"', cut=100_000, cuts=1, before=change)
    fetch(remote_of(url), partial, notes, quick)
    assert partial.read_bytes() == body and server.sent["/w"] == 400_000


def test_a_changed_file_without_etag_is_found_by_its_checksum(server, remote_of, partial, quick, notes, body):
    def change(page):
        if server.requests["/w"] == 2:
            page.body = body

    url = server.add("/w", b"o" * len(body), cut=100_000, cuts=1, before=change)
    fetch(remote_of(url), partial, notes, quick)
    assert partial.read_bytes() == body and server.requests["/w"] == 3
    assert any("do not fit together" in note for note in notes.notes)


def test_leftovers_of_a_longer_file_are_dropped(server, remote_of, partial, quick, notes, body):
    url = server.add("/w", body)
    partial.write_bytes(b"z" * 400_000)
    fetch(remote_of(url), partial, notes, quick)
    assert partial.read_bytes() == body


def test_a_complete_but_unchecked_leftover_is_checked_without_a_request(server, remote_of, partial, quick, notes, body):
    url = server.add("/w", body)
    partial.write_bytes(body)
    fetch(remote_of(url), partial, notes, quick)
    assert server.requests["/w"] == 0


def test_the_next_mirror_goes_on_where_the_first_stopped(server, remote_of, partial, quick, notes, body):
    broken = server.add("/broken", body[:200_000], length=300_000)
    good = server.add("/good", body)
    fetch(remote_of(broken, good), partial, notes, quick)
    assert partial.read_bytes() == body and server.sent["/good"] == 100_000


def test_no_mirror_is_one_error_that_names_each(server, remote_of, partial, quick, notes):
    with pytest.raises(FetchError) as caught:
        fetch(
            remote_of(server.url("/gone"), "http://127.0.0.1:9/w", "http://no-such-host.invalid/w"),
            partial,
            notes,
            quick,
        )
    error = caught.value
    assert error.exit_code == 5 and error.what == "weights.pth could not be fetched from 3 mirrors"
    assert "/gone: HTTP 404 Not Found" in error.extent
    assert "http://127.0.0.1:9/w: connection refused" in error.extent
    assert "http://no-such-host.invalid/w: " in error.extent
    assert error.fix.startswith("Fix: ") and str(error).count("\n") == 2


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False), ("no", False)])
@pytest.mark.parametrize("name", ["ZOO_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_by_environment(monkeypatch, name, value, offline):
    monkeypatch.setenv(name, value)
    assert is_offline() is offline


def test_rate_and_remaining_time_count_only_this_run():
    state = TransferState("w", done=600, total=1000, fetched=200, seconds=4.0)
    assert state.rate == 50 and state.remaining == 8


def test_progress_on_a_terminal_is_one_line(monkeypatch):
    import io

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    listener = StderrListener(stream)
    monkeypatch.setattr("zoo.progress.TERMINAL_SECONDS", 0)
    listener.progress(TransferState("w.pth", 600_000, 1_000_000, 200_000, 4.0))
    listener.finished()
    assert stream.getvalue() == "zoo: w.pth: 600.0 kB of 1.0 MB (60%), 50.0 kB/s, 0:08 left\x1b[K\r\x1b[2K\r"


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 bytes"), (999, "999 bytes"), (13_200_000, "13.2 MB"), (2.5e9, "2.50 GB")]
)
def test_sizes(n, text):
    assert human_bytes(n) == text
