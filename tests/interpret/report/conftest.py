"""The page of planted motifs with everything a page can hold, and a browser to open it."""

from __future__ import annotations

import gzip
import json
import re
import sys
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest

from interpret.motifs.pattern import Effect

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "motifs"))


# Effects that were measured: of the first pattern three times, of the second not, of the third twice.
EFFECTS = {
    "pos_patterns.pattern_0": ("CGTATAAAGTGA", [1.0, 2.0, 3.0]),
    "neg_patterns.pattern_0": ("CCTAATTAGG", [-2.0, -1.0]),
}
# A predicted track of eight bins of 16 bp from base 8 of the windows; in view k the values are k + 1 to k + 8.
BINS, BIN, OFFSET = 8, 16, 8


@pytest.fixture(scope="session")
def asked(found):
    """The file of motifs with effects and a predicted track known by hand."""
    effects = {name: Effect(letters, np.array(values, np.float32)) for name, (letters, values) in EFFECTS.items()}
    k = len(found.views.sequence)
    values = (np.arange(k)[:, None] + np.arange(1, BINS + 1)).astype(np.float32)
    track = {"track": values, "track_bin": BIN, "track_offset": OFFSET, "track_name": "score: all"}
    return replace(found, effects=effects, views=replace(found.views, **track))


@pytest.fixture(scope="session")
def including(asked):
    """The same, but what earns ABF1 is a subpattern of 25 seqlets: as REB1's of a CG-rich pattern of yeast."""
    first = asked.patterns[0]
    seqlets = replace(first.seqlets, **{name: values[:25] for name, values in vars(first.seqlets).items()})
    child = replace(first, name=f"{first.name}.subpattern_0", seqlets=seqlets, subpatterns=())
    matches = asked.matches | {first.name: [replace(m, q=0.9) for m in asked.matches[first.name]]}
    matches |= {child.name: asked.matches[first.name]}
    return replace(asked, patterns=(replace(first, subpatterns=(child,)), *asked.patterns[1:]), matches=matches)


@pytest.fixture(scope="session")
def genes_file(planted, tmp_path_factory):
    """BED12: of each window a gene with two exons, ten bases inside the window's ends; every other one on -."""
    import h5py

    path = tmp_path_factory.mktemp("genes") / "genes.bed.gz"
    with h5py.File(planted.path) as file:
        windows = list(zip(file["regions/chrom"].asstr()[:], file["windows/start"][:], strict=True))
    with gzip.open(path, "wt") as handle:
        for i, (chrom, start) in enumerate(windows):
            a, b = int(start) + 10, int(start) + 150
            handle.write(f"{chrom}\t{a}\t{b}\tY{i}|GEN{i}\t0\t{'+-'[i % 2]}\t{a}\t{b}\t0\t2\t30,40,\t0,100,\n")
    return path


@pytest.fixture(scope="session")
def page(asked, genes_file):
    """The report's text."""
    from interpret.report.genes import read_genes
    from interpret.report.page import render

    return render(asked, None, read_genes(genes_file))


@pytest.fixture(scope="session")
def many_patterns(asked):
    """The same motifs over and over, until their table and sections hold 180 logos."""
    patterns, matches, effects = [], {}, {}
    for i in range(28):
        old = asked.patterns[i % len(asked.patterns)]
        new = replace(old, name=f"{old.name.split('.')[0]}.pattern_{i}")
        patterns.append(new)
        matches |= {new.name: asked.matches[old.name], **{c.name: asked.matches[c.name] for c in new.subpatterns}}
        if old.name in asked.effects:
            effects[new.name] = asked.effects[old.name]
    again = np.arange(len(patterns)) % len(asked.patterns)
    enrichment = replace(
        asked.enrichment, **{name: values[again] for name, values in vars(asked.enrichment).items() if np.ndim(values)}
    )
    return replace(
        asked, patterns=tuple(patterns), matches=matches, effects=effects, enrichment=enrichment, explained=None
    )


@pytest.fixture(scope="session")
def many(many_patterns):
    """Their page."""
    from interpret.report.page import render

    return render(many_patterns)


@pytest.fixture(scope="session")
def open_page(browser, tmp_path_factory):
    """Open an HTML text and return its final DOM and the lines of the console."""
    page = tmp_path_factory.mktemp("page") / "page.html"

    def run(text: str, width: int = 1400, *flags: str) -> tuple[str, list[str]]:
        page.write_text(text, encoding="utf-8")
        return browser(*flags).open(page.as_uri(), width)

    return run


@pytest.fixture(scope="session")
def browse(page, open_page):
    """Run a script in the page; returns what it returned and the lines of the console."""

    def run(script: str, width: int = 1400, *more: str) -> tuple[object, list[str]]:
        tail = (
            f"<script>top.document.body.append(Object.assign(top.document.createElement('pre'),{{id:'answer',"
            f"textContent:JSON.stringify((()=>{{{script}}})())}}))</script></body>"
        )
        text = page.replace("</body>", tail)
        if width < 500:  # a window cannot be narrower, a frame can
            style = f"border:0;width:{width}px;height:900px"
            text = f'<body><iframe style="{style}" srcdoc="{escape(text)}"></iframe></body>'
        dom, console = open_page(text, width, *more)
        answer = re.search(r'<pre id="answer">(.*?)</pre>', dom, re.S)
        assert answer, console
        text = answer.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        return json.loads(text), console

    return run
