"""A gallery of the bundled entries, one of a source of foreign models, and a browser that opens their pages."""

from __future__ import annotations

import json
import re
import shutil
import sys
from html import escape, unescape
from pathlib import Path

import pytest
from toys import make_toy_entry

import zoo
from zoo.store.sources import add_source

sys.path.insert(0, str(Path(__file__).resolve().parent))

#: Frames of 390 pixels are files of their own; bars beside a page would take some of them.
FLAGS = ["--hide-scrollbars", "--allow-file-access-from-files"]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The gallery of the bundled entries, with a motif report of one of them."""
    reports = tmp_path_factory.mktemp("reports")
    (reports / "yeast-atac.html").write_text("<!doctype html><title>motifs</title><p>a motif report</p>")
    made = zoo.gallery(tmp_path_factory.mktemp("gallery") / "site", reports=reports)
    return made.folder


HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
PROSE = """
## What it predicts <script>document.title = 1</script>

A paragraph with <img src="https://evil.example/x.png" onerror="document.title=1"> and <iframe src="//evil.example">.

[run](javascript:alert(1)) [data](data:text/html,<script>alert(1)</script>) [file](file:///etc/passwd)
[vb](vbscript:x) [other](../../secret.html) [tab](java\tscript:alert(1)) [mail](mailto:a@b.example)
[good](https://example.org/a?b=1&c="d") ![picture](https://evil.example/beacon.png) ![near](chrI.png)

<style>body{display:none}</style>

| a | b |
|---|---|
| `<b>` | <b onclick="x()">c</b> |
"""


@pytest.fixture(scope="session")
def foreign(tmp_path_factory):
    """A source whose entries try to run something in the page that shows them; one is withdrawn, one has versions."""
    tmp_path = tmp_path_factory.mktemp("foreign")
    folder = tmp_path / "models"
    metric = {"metric": f'r"><{HOSTILE}', "value": 0.5, "split": f"'\"{HOSTILE}", "output": "g_per_bin"}
    metric["baseline"] = {"name": HOSTILE, "value": -0.25}
    data = [{"name": HOSTILE, "accession": '"><svg onload=x()>', "licence": HOSTILE}]
    toy = make_toy_entry(
        folder / "hostile",
        "profile",
        card={
            "summary": f"A toy. {HOSTILE} \u2028 </p></main>",
            "evaluation": [metric],
            "training": {"data": data, "base_model": '"><script>document.title=1</script>', "code": "javascript:x()"},
            "licence_note": HOSTILE,
            "deprecated": {"replacement": "other", "reason": HOSTILE},
        },
    )
    readme = toy.folder / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8") + PROSE, encoding="utf-8")
    model = toy.folder / "model.yaml"
    text = model.read_text().replace("\ninfo:", "\ninfo:\n  tags: ['\"><script>document.title=1</script>']", 1)
    model.write_text(text.replace("doc:", "cite_as: 'javascript:alert(1)'\n  doc:", 1))
    # A name that is no path of a web page as it stands; another that differs from the first in case alone.
    for name in ("a b#c?d&e", "A B#C?D&E", "%2e%2e", "ünï"):
        make_toy_entry(folder / "plain" / "x", "gc", card=False)
        (folder / "plain" / "x").rename(folder / "plain" / name)
    make_toy_entry(folder / "gone", "gc", card={"withdrawn": "Its weights were of another model."})
    make_toy_entry(folder / "kept", "gc", card={"version": "1.1.0"})
    older = make_toy_entry(tmp_path / "kept", "gc").folder
    shutil.copytree(older, folder / "kept" / "versions" / "1.0.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CONFIG", str(tmp_path / "config"))
        add_source("evil", str(folder), trust=False)
        return zoo.gallery(tmp_path / "site", source=["evil"]).folder


@pytest.fixture(scope="session")
def open_page(browser, tmp_path_factory):
    """Open a page of a site, run a script in it, and return what it returned and the lines of the console."""
    folder = tmp_path_factory.mktemp("browser")

    def run(
        site: Path, page: str, script: str, width: int = 1280, *more: str, address: str = "", real_time: bool = False
    ) -> tuple:
        copy = folder / "site"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(site, copy)
        # A script of the page's own folder: the pages' policy lets no other run.
        probe = (
            "addEventListener('load', async () => { let answer; try { answer = await (async () => {"
            f"{script}"
            "})(); } catch (error) { answer = {error: String(error)}; }"
            "top.document.body.append(Object.assign(top.document.createElement('pre'),"
            "{id: 'answer', textContent: JSON.stringify(answer === undefined ? null : answer)})); });"
        )
        (copy / "assets" / "probe.js").write_text(probe, encoding="utf-8")
        root = "../" * page.count("/")
        path = copy / page
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("</head>", f'<script src="{root}assets/probe.js" defer></script></head>'))
        url = path.as_uri() + address
        if width < 500:  # a window cannot be narrower, a frame can
            frame = copy / "frame.html"
            style = f"border:0;width:{width}px;height:900px"
            frame.write_text(f'<body style="margin:0"><iframe style="{style}" src="{escape(url)}"></iframe></body>')
            url = frame.as_uri()
        dom, console = browser(*FLAGS, *more).open(url, max(width, 500), budget=None if real_time else 5000)
        answer = re.search(r'<pre id="answer">(.*?)</pre>', dom, re.S)
        assert answer, console or dom[:2000]
        text = answer[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        return json.loads(text), console

    return run


@pytest.fixture(scope="session")
def open_pages(browser, tmp_path_factory):
    """Open pages of a site one after another in a frame of one browser; what a script returned in each, by page."""
    folder = tmp_path_factory.mktemp("frames")

    def run(site: Path, pages: list[str], script: str, width: int = 1280, *more: str) -> tuple[dict, list[str]]:
        copy = folder / "site"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(site, copy)
        probe = (
            "addEventListener('load', async () => { let answer; try { answer = await (async () => {"
            f"{script}"
            "})(); } catch (error) { answer = {error: String(error)}; } parent.next(answer); });"
        )
        (copy / "assets" / "probe.js").write_text(probe, encoding="utf-8")
        for page in pages:
            root, path = "../" * page.count("/"), copy / page
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("</head>", f'<script src="{root}assets/probe.js" defer></script></head>'))
        (copy / "frame.html").write_text(
            f'<body style="margin:0"><iframe style="border:0;width:{width}px;height:1200px"></iframe><script>'
            f"const pages = {json.dumps(pages)}, answers = {{}}, frame = document.querySelector('iframe'); let at = 0;"
            "const open = () => { frame.src = pages[at]; };"
            "window.next = (answer) => { answers[pages[at]] = answer; at += 1; if (at < pages.length) return open();"
            "document.body.append(Object.assign(document.createElement('pre'),"
            "{id: 'answer', textContent: JSON.stringify(answers)})); }; open();</script></body>"
        )
        page = (copy / "frame.html").as_uri()
        dom, console = browser(*FLAGS, *more).open(page, max(width, 500), budget=30_000)
        answer = re.search(r'<pre id="answer">(.*?)</pre>', dom, re.S)
        assert answer, console or dom[:2000]
        found = json.loads(unescape(answer[1]))
        assert list(found) == pages
        return found, console

    return run
