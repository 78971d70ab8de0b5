"""The page of planted motifs, and a browser to open it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html import escape
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "motifs"))

OFFLINE = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=3000", "--enable-logging=stderr",
]


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    """The planted file, before motifs were looked for."""
    from planted import plant

    return plant(tmp_path_factory.mktemp("reported"))


@pytest.fixture(scope="session")
def found(planted):
    """What ``find_motifs`` made of it."""
    from interpret.motifs.find import find_motifs

    return find_motifs(planted.path, planted.path.with_name("motifs.h5"), database="jaspar:fungi")


@pytest.fixture(scope="session")
def page(found):
    """The report's text."""
    from interpret.report.page import write_report

    return write_report(found.path, found.path.with_name("report.html")).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browse(page, tmp_path_factory):
    """Run a script in the page; returns what it returned and the lines of the console."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on this machine: the page is not opened in a browser")
    folder = tmp_path_factory.mktemp("browser")

    def run(script: str, width: int = 1400) -> tuple[object, list[str]]:
        tail = f"<script>top.document.body.append(Object.assign(top.document.createElement('pre'),{{id:'answer'," \
               f"textContent:JSON.stringify((()=>{{{script}}})())}}))</script></body>"
        text = page.replace("</body>", tail)
        if width < 500:  # a window cannot be narrower, a frame can
            style = f"border:0;width:{width}px;height:900px"
            text = f'<body><iframe style="{style}" srcdoc="{escape(text)}"></iframe></body>'
        (folder / "page.html").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [program, *OFFLINE, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},1200", "--dump-dom",
             (folder / "page.html").as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        )
        answer = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.S)
        console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        assert answer, console
        text = answer.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        return json.loads(text), console

    return run
