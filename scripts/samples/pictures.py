"""Pictures of parts of a page: Chromium takes them, Pillow crops and packs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from html import escape
from pathlib import Path

__all__ = ["BROWSER_OPTIONS", "Picture", "take"]

BROWSER_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
TALLEST = 2600
COLOURS = 256
MARGIN = 16

# Leaves in the page what the picture shows.
PREPARE = """
const hide = selectors => document.querySelectorAll(selectors).forEach(item => { item.hidden = true; });
const keep = id => hide(`nav, .save, .copy, #main > :not(#${id}), #each > :not(details), #patterns > :not(.bar, div)`);
const ask = %s;
const rows = [...document.querySelectorAll('#motifs tbody tr')], name = ask.motif.toLowerCase();
const row = ask.motif && (rows.find(r => r.dataset.name === name)  // else one with a subpattern of that name
  || rows.find(r => r.dataset.words.split(' ').includes(name)) || rows[0]);
const section = row && document.getElementById(row.querySelector('th a').hash.slice(1));
document.body.style.paddingTop = document.body.style.paddingBottom = '16px';
if (ask.what === 'head') keep('top');
if (ask.what === 'table') { rows.slice(ask.rows).forEach(r => r.remove()); keep('patterns'); }
if (ask.what === 'motif') {
  section.open = true; keep('each'); hide(`#each > details:not(#${section.id})`);
}
if (ask.what === 'region') {
  const link = section.querySelector('a[data-view]'); keep('regions'); link.click();
  document.querySelector('#wider').click();
}
"""


@dataclass(frozen=True)
class Picture:
    """A part of a page: ``head``, ``table`` (its first rows), ``motif`` or ``region`` (of the named motif)."""

    file: str
    what: str
    motif: str = ""
    rows: int = 5
    width: int = 1200
    dark: bool = False


def take(page: Path, picture: Picture, folder: Path) -> Path:
    """Write one picture; returns its path."""
    ask = json.dumps({"what": picture.what, "motif": picture.motif, "rows": picture.rows})
    text = page.read_text(encoding="utf-8").replace("</body>", f"<script>{PREPARE % ask}</script></body>")
    path = folder / picture.file
    with tempfile.TemporaryDirectory() as scratch:
        html, shot = Path(scratch) / "page.html", Path(scratch) / "shot.png"
        width = max(picture.width, 500)
        if width > picture.width:  # a window cannot be narrower, a frame can
            style = f"border:0;width:{picture.width}px;height:{TALLEST}px"
            text = f'<body style="margin:0"><iframe style="{style}" srcdoc="{escape(text)}"></iframe></body>'
        html.write_text(text, encoding="utf-8")
        subprocess.run(
            [
                _browser(),
                *BROWSER_OPTIONS,
                "--hide-scrollbars",
                "--virtual-time-budget=4000",
                *(["--blink-settings=preferredColorScheme=0"] if picture.dark else []),
                f"--user-data-dir={scratch}/profile",
                f"--window-size={width},{TALLEST}",
                f"--screenshot={shot}",
                html.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        _crop(shot, path, picture.width)
    return path


def _browser() -> str:
    names = (os.environ.get("ZOO_BROWSER"), "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, (shutil.which(name) for name in names if name)), None)
    if found is None:
        raise SystemExit("no Chromium or Chrome: the pictures need one (apt-get install chromium)")
    return found


def _crop(shot: Path, path: Path, width: int) -> None:
    """Cut off the empty page above and below, and keep 256 colours: a quarter of the bytes."""
    from PIL import Image, ImageChops

    image = Image.open(shot).convert("RGB").crop((0, 0, width, TALLEST))
    background = Image.new("RGB", image.size, image.getpixel((1, 1)))
    box = ImageChops.difference(image, background).getbbox()
    top, bottom = (box[1], box[3]) if box else (0, TALLEST)
    image = image.crop((0, max(0, top - MARGIN), width, min(TALLEST, bottom + MARGIN)))
    image.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
