"""Whatever a BED, a card, a database or a foreign file calls its things, the page shows it and runs nothing of it."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from interpret.motifs.exports import meme, motifs_tsv, seqlets_bed
from interpret.report.card import find_card
from interpret.report.genes import Gene
from interpret.report.page import render

# What ends an attribute, an element, a script, a comment, a template and a string; {{ }} would be jinja's.
HOSTILE = (
    "\"'><img src=x onerror=hit()></script></template></style></title></pre><!-- <script>hit()</script>"
    "&amp;&#60; {{ 7*7 }}{% raw %} \u2028\u2029 \\u003c \\"
)


class Page(HTMLParser):
    """Elements with the names of their attributes, the values of the attributes, text, and text of scripts by id."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.values, self.texts, self.raw = [], [], [], {}
        self._inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, tuple(name for name, _ in attributes)))
        self.values += [value for _, value in attributes]
        self._inside = dict(attributes).get("id", tag) if tag in ("script", "style", "template") else None

    def handle_endtag(self, tag):
        if tag in ("script", "style", "template"):
            self._inside = None
        self.elements.append(("/" + tag, ()))

    def handle_data(self, data):
        if self._inside:
            self.raw[self._inside] = self.raw.get(self._inside, "") + data
        else:
            self.texts.append(data)


def named(asked, name):
    """The file, a card and genes, in which everything that can be called something is called ``name``."""
    regions = asked.regions
    called = replace(
        regions,
        chrom=np.full(len(regions), name, object),
        name=np.array([f"{name}{i}" for i in range(len(regions))], object),
    )
    matches = {
        key: [replace(item, motif=replace(item.motif, name=name, id=name)) for item in items]
        for key, items in asked.matches.items()
    }
    run = {
        **asked.run,
        "database": name,
        "versions": {name: name},
        "command": ["zoo", name],
        "contributions": {
            **asked.run["contributions"],
            "model": {"name": name.replace("/", ""), "version": name, "sha256": {name: name}},
            "output": name,
            "tracks": [name],
            "reduction": name,
            "explained": name,
            "method": name,
            "references": {"kind": name, "n": 2},
            "genome": {"path": name.replace("/", ""), "total_bp": 9},
            "assembly": name,
            "regions": {"path": name.replace("/", ""), "sha256": name},
            "notes": [name],
            "seed": name,
            "versions": {name: name},
        },
    }
    effects = {key: replace(effect, consensus=name) for key, effect in asked.effects.items()}
    card = find_card({"model": {"name": "yeast-atac", "version": "1.0.0"}})
    metric = card.evaluation[0]
    metric = metric.model_copy(
        update={"metric": name, "split": name, "baseline": metric.baseline.model_copy(update={"name": name})}
    )
    prose = f"## {name}\n\n{name}\n- {name}\n\n```\n{name}\n```\n"
    card = replace(card, version=name, summary=name, facts=((name, name),), prose=prose, evaluation=(metric,))
    genes = [Gene(name, 0, 10**7, name, "+")]
    file = replace(
        asked,
        path=Path("/data") / name.replace("/", ""),
        run=run,
        regions=called,
        matches=matches,
        effects=effects,
        views=replace(asked.views, track_name=name),
    )
    return file, card, genes, [f"{name}=TATAAAG", f"{name}=CCCCCCCCCC"]


@pytest.fixture(scope="module")
def hostile(asked):
    return named(asked, HOSTILE)


@pytest.fixture(scope="module")
def hostile_text(hostile):
    return render(*hostile)


def test_names_add_no_element_and_no_attribute(asked, hostile_text):
    """The page has the same elements with the same attributes as one of plain names."""
    assert Page(hostile_text).elements == Page(render(*named(asked, "pl/ain"))).elements


def test_names_are_shown_as_they_are(hostile_text):
    """In the words of the page, in attributes, and in the data of the view."""
    page = Page(hostile_text)
    text, data = "".join(page.texts), json.loads(page.raw["data"])
    # name of known motifs, ids, card, notes, versions, regions, chromosomes, ...
    assert text.count(HOSTILE) >= 100
    assert any(HOSTILE.lower() in value for value in page.values if value)
    assert {view["chrom"] for view in data["views"]} == {HOSTILE}
    assert data["views"][0]["track"]["name"] == HOSTILE and data["views"][0]["genes"][0][2] == HOSTILE
    assert data["patterns"][1]["name"] == HOSTILE  # the one that is strong


def test_data_cannot_end_their_script(hostile_text):
    """Not even what is special to some parsers alone: < and line separators are written as escapes."""
    data = hostile_text.split('id="data">')[1].split("</script>")[0]
    assert not set("<>&'\u2028\u2029") & set(data)


def test_downloads_hold_the_names_byte_by_byte(hostile, hostile_text):
    page = Page(hostile_text)
    assert page.raw["bed"] == "".join(seqlets_bed(hostile[0]))
    assert page.raw["tsv"] == "".join(motifs_tsv(hostile[0]))
    assert page.raw["meme"] == "".join(meme(hostile[0])) and HOSTILE in page.raw["bed"]


def test_what_was_looked_for_is_said_as_typed(hostile_text):
    text = "".join(Page(hostile_text).texts)
    assert f"Looked for and found: {HOSTILE} (+1)" in text and f"Looked for and not found: {HOSTILE}." in text


@pytest.mark.browser
def test_a_browser_runs_nothing_of_it(hostile, hostile_text, open_page):
    """Not one element more than ours, no line on the console, and the view is drawn with the names."""
    tail = """<script>
      const out = document.createElement('pre'); out.id = 'answer';
      out.textContent = JSON.stringify([document.images.length, document.scripts.length, typeof window.hurt,
        document.querySelector('#where').textContent.length > 100,
        document.querySelector('#bed').content.textContent.length]);
      document.body.append(out);</script></body>"""
    text = hostile_text.replace("hit()", "hurt=1").replace("</script></body>", "</script>" + tail)
    dom, console = open_page(text)
    bed = "".join(seqlets_bed(hostile[0])).replace("hit()", "hurt=1")
    answer = json.loads(dom.split('id="answer">')[1].split("</pre>")[0])
    assert answer == [len(hostile[0].patterns), 4, "undefined", True, len(bed)]
    assert console == []
