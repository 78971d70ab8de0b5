"""Reports say what was found, and nothing that an entry says becomes markup, a mention or a link."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from zoo.check.confine import Guards
from zoo.check.findings import Finding, from_error, worst_code
from zoo.check.report import as_html, as_markdown, verdict, write_report
from zoo.check.results import CheckReport, EntryResult
from zoo.cli import run
from zoo.errors import FetchError, ModelError, UsageError

HOSTILE = "`<img src=x onerror=alert(1)>` @everyone | [x](http://evil.example) ``` \n# heading"


def finding(severity="error", what="is wrong", level="valid", rule="licence", code=4, **more):
    return Finding("toy", level, rule, severity, what, "mend it", code=code, **more)


def result(*findings, level="reproduces", name="toy"):
    return EntryResult(name, "1.0.0", Path("/cards/toy"), level, list(findings), {}, {"valid": 0.1})


def test_the_worst_finding_gives_the_exit_code():
    assert worst_code([]) == 0
    assert worst_code([finding("warning"), finding("note")]) == 0
    assert worst_code([finding(code=6), finding(code=5)]) == 5
    assert worst_code([finding(code=6), finding(code=5), finding(code=4)]) == 4
    assert worst_code([finding(code=7)]) == 7


def test_an_error_becomes_a_finding_at_its_place():
    found = from_error(
        "toy", "valid", "schema", ModelError("/a/README.md:7: the card lacks `x`", "2 fields", "Fix: add it")
    )
    assert (found.path, found.line, found.what, found.fix) == (
        "/a/README.md",
        7,
        "the card lacks `x`; 2 fields",
        "add it",
    )
    assert from_error("toy", "valid", "x", FetchError("/a/w.pth: the checksum is not the one")).code == 5
    plain = from_error("toy", "runs", "x", ModelError("running it failed: no"))
    assert (plain.path, plain.what) == (None, "running it failed: no")


def test_a_level_has_a_verdict():
    mixed = result(finding(), finding("warning", level="runs"), level="runs")
    assert [verdict(mixed, level) for level in ("valid", "runs", "reproduces")] == [
        "1 error",
        "ok, 1 warning",
        "not asked",
    ]
    assert verdict(result(finding("warning", "was not run: offline", "runs", "fetch")), "runs") == "not run"


def test_the_summary_counts():
    guards = Guards({"namespaces": "yes", "read_only": "yes", "landlock": "yes", "seccomp": "yes", "limits": "yes"})
    report = CheckReport("runs", [result(finding(), finding("warning")), result(name="other")], guards=guards)
    assert report.summary().startswith(
        "2 entries checked, level runs: 1 error in 1 of them, 1 warning; foreign code ran"
    )
    assert CheckReport("valid", [result()]).summary() == "1 entry checked, level valid: no errors, 0 warnings"


def test_markdown_of_hostile_texts_is_text():
    """Read by a Markdown parser: no link, picture, heading of the entry's or mention outside of code."""
    report = CheckReport("valid", [result(finding(what=HOSTILE), finding("note", HOSTILE), name=HOSTILE)])
    text = as_markdown(report)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or []]
    assert not [one for one in inline if one.type in ("link_open", "image")]
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h3"]
    assert all("@" not in one.content for one in inline if one.type == "text")
    html = [one.content for one in [*inline, *tokens] if one.type in ("html_inline", "html_block")]
    assert all("<img" not in one for one in html)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_html_of_hostile_texts_is_text():
    page = as_html(CheckReport("valid", [result(finding(what=HOSTILE), name=HOSTILE)], [finding(what=HOSTILE)]))
    tags = Tags()
    tags.feed(page)
    assert not tags.found & {"img", "script", "iframe"} and "onerror=alert(1)&gt;" in page


def test_json_is_the_whole(tmp_path):
    report = CheckReport("valid", [result(finding(path="/cards/toy/README.md", line=3))])
    data = json.loads(write_report(report, tmp_path / "check.json").read_text())
    assert (data["exit_code"], data["entries"][0]["exit_code"]) == (4, 4)
    found = data["entries"][0]["findings"][0]
    assert (found["rule"], found["line"], found["path"]) == ("licence", 3, "/cards/toy/README.md")
    with pytest.raises(UsageError, match="--report"):
        write_report(report, tmp_path / "check.pdf")


def test_the_command_prints_and_gives_the_code(tmp_path, capsys):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/README.md").write_text("---\nname: [\n---\n")
    assert (
        run(["check", str(tmp_path / "toy"), "--report", str(tmp_path / "a.md"), "--report", str(tmp_path / "a.html")])
        == 4
    )
    shown = capsys.readouterr().out
    assert "toy -: valid" in shown and "error (schema): README.md:3: YAML does not parse" in shown
    assert "1 entry checked, level valid: 2 errors, 0 warnings" in shown
    assert (tmp_path / "a.md").read_text().startswith("### zoo check: failed") and (tmp_path / "a.html").is_file()
    assert run(["check", "--level", "valid", "--changed", "main", "yeast-atac"]) == 2
    assert run(["check", "yeast-atak"]) == 4
    assert "yeast-atac" in capsys.readouterr().err
