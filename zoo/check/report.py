"""A check as a page, as Markdown for a comment, or as JSON.

Texts of an entry are somebody else's: HTML escapes them, and Markdown puts them into code, where no mention, link or
picture works.
"""

from __future__ import annotations

import html
import json
from pathlib import Path

from zoo.check.findings import LEVELS, Finding
from zoo.check.results import CheckReport, EntryResult
from zoo.results.check_out import check_out
from zoo.results.whole import replacing

__all__ = ["SUFFIXES", "as_html", "as_markdown", "check_report_out", "write_report"]

SUFFIXES = (".html", ".json", ".md")
MARKS = {"error": "✗", "warning": "!", "note": "·"}


def check_report_out(out: Path) -> Path:
    """The place of a report, asked before the work.

    Raises:
        UsageError: another suffix, or the file cannot be written.
    """
    return check_out(out, inputs=[], suffixes=SUFFIXES, what="the report", option="--report")


def write_report(report: CheckReport, out: Path) -> Path:
    """Write the report in the format of the suffix.

    Raises:
        UsageError: another suffix, or the file cannot be written.
    """
    out = check_report_out(out)
    if out.suffix == ".json":
        text = json.dumps(report.as_dict(), indent=1, default=str) + "\n"
    else:
        text = as_html(report) if out.suffix == ".html" else as_markdown(report)
    with replacing(out) as partial:
        partial.write_text(text, encoding="utf-8")
    return out


def verdict(result: EntryResult, level: str) -> str:
    """One word or two on a level of an entry."""
    if LEVELS.index(level) > LEVELS.index(result.level):
        return "not asked"
    errors, warnings = result.count("error", level), result.count("warning", level)
    if errors:
        return f"{errors} {'error' if errors == 1 else 'errors'}"
    if any(one.rule in ("run", "fetch") and one.what.startswith("was not run") for one in result.findings):
        return "ok" if level == "valid" else "not run"
    return "ok" if not warnings else f"ok, {warnings} {'warning' if warnings == 1 else 'warnings'}"


def place_of(finding: Finding, result: EntryResult | None) -> str:
    """``file:line`` below the entry's folder where it is there."""
    if result is None or finding.path is None:
        return finding.place
    try:
        inside = Path(finding.path).relative_to(result.folder)
    except ValueError:
        return finding.place
    return f"{inside}" + (f":{finding.line}" if finding.line else "")


def as_markdown(report: CheckReport) -> str:
    """A table of entries and a list of findings; safe to post as a comment."""
    lines = [f"### zoo check: {'passed' if report.ok else 'failed'}", "", _code_free(report.summary()), ""]
    lines += [f"- {MARKS[one.severity]} {_code(one.what)}" for one in report.general]
    if report.results:
        lines += ["", "| entry | version | valid | runs | reproduces |", "|---|---|---|---|---|"]
        for one in report.results:
            cells = " | ".join(verdict(one, level) for level in LEVELS)
            lines.append(f"| {_code(one.name)} | {_code(one.version or '-')} | {cells} |")
    for result in report.results:
        shown = [one for one in result.findings if one.severity != "note"]
        notes = [one for one in result.findings if one.severity == "note"]
        if shown:
            lines += ["", f"**{_code(result.name)}**", ""]
            lines += [_item(one, result) for one in shown]
        if notes:
            lines += ["", f"<details><summary>{len(notes)} notes on {_code_free(result.name)}</summary>", ""]
            lines += [*(_item(one, result) for one in notes), "", "</details>"]
    return "\n".join(lines) + "\n"


def _item(finding: Finding, result: EntryResult) -> str:
    place = place_of(finding, result)
    where = f"{_code(place)}: " if place else ""
    fix = f"<br>Fix: {_code(finding.fix)}" if finding.fix else ""
    return f"- {MARKS[finding.severity]} **{finding.severity}** ({finding.rule}) {where}{_code(finding.what)}{fix}"


def _code(text: str) -> str:
    """Text as Markdown code in a table or list; nothing of it is read as Markdown."""
    return "`" + " ".join(str(text).split()).replace("`", "'").replace("|", "¦")[:600] + "`"


def _code_free(text: str) -> str:
    return html.escape(text).replace("@", "&#64;").replace("`", "'")


STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #bbb}
li{margin:.5rem 0}code{font-size:.9em;overflow-wrap:anywhere}
.error{color:#a40000}.warning{color:#7a4b00}.note{color:#444}
@media(prefers-color-scheme:dark){body{color:#eee;background:#151515}.error{color:#ff9a9a}.warning{color:#ffc56b}
.note{color:#bbb}}
"""


def as_html(report: CheckReport) -> str:
    """One page without scripts."""
    rows = "".join(
        f"<tr><th scope=row><a href='#{html.escape(one.name)}'>{html.escape(one.name)}</a></th>"
        f"<td>{html.escape(one.version or '-')}</td>" + "".join(f"<td>{verdict(one, level)}</td>" for level in LEVELS)
        for one in report.results
    )
    parts = "".join(_section(one) for one in report.results)
    general = "".join(f"<li class={one.severity}>{html.escape(one.what)}</li>" for one in report.general)
    title = f"zoo check: {'passed' if report.ok else 'failed'}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{STYLE}</style><h1>{title}</h1><p>{html.escape(report.summary())}</p>"
        + (f"<ul>{general}</ul>" if general else "")
        + "<table><tr><th>entry<th>version<th>valid<th>runs<th>reproduces</tr>"
        + f"{rows}</table>{parts}</html>\n"
    )


def _section(result: EntryResult) -> str:
    items = "".join(
        f"<li class={one.severity}><b>{one.severity}</b> ({html.escape(one.rule)}) "
        f"<code>{html.escape(place_of(one, result))}</code> "
        f"{html.escape(one.what)}" + (f"<br>Fix: {html.escape(one.fix)}" if one.fix else "") + "</li>"
        for one in result.findings
    )
    name = html.escape(result.name)
    return f"<h2 id='{name}'>{name}</h2><ul>{items or '<li>nothing found</li>'}</ul>"
