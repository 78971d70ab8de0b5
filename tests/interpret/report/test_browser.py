"""The page in a real browser: sorting, filters, downloads, the other strand, the view; nothing overlaps."""

from __future__ import annotations

import pytest

SHOWN = """const shown = () => [...document.querySelectorAll('#motifs tbody tr')]
    .filter(row => !row.hidden).map(row => +row.dataset.pattern);"""


def test_sorting(browse, found):
    answer, console = browse(SHOWN + """
        const click = key => document.querySelector(`[data-key=${key}] button`).click();
        const out = {}; click('seqlets'); out.up = shown(); click('seqlets'); out.down = shown();
        click('q'); out.q = shown(); out.aria = document.querySelector('[data-key=q]').ariaSort; return out;""")
    sizes = [len(pattern.seqlets) for pattern in found.patterns]
    qs = [found.matches[pattern.name][0].q for pattern in found.patterns]
    assert answer["up"] == sorted(range(3), key=lambda i: sizes[i])
    assert answer["down"] == sorted(range(3), key=lambda i: -sizes[i])
    assert answer["q"] == sorted(range(3), key=lambda i: qs[i])
    assert answer["aria"] == "ascending"
    assert console == []


def test_search_and_filter(browse):
    answer, console = browse(SHOWN + """
        const box = document.querySelector('#search'), kind = document.querySelector('#kind'), out = {};
        const type = text => { box.value = text; box.oninput(); };
        type('abf1'); out.abf1 = shown(); out.count = document.querySelector('#count').textContent;
        type('nothing of the kind'); out.none = shown(); type('');
        kind.value = 'lowers'; kind.onchange(); out.lowers = shown(); return out;""")
    assert answer == {"abf1": [0], "count": "1 of 3 patterns", "none": [], "lowers": [2]}
    assert console == []


def test_downloads_are_the_files_beside_the_page(browse, found):
    answer, console = browse("""
        const out = {}, made = URL.createObjectURL; let blob;
        URL.createObjectURL = b => { blob = b; return '#'; };
        HTMLAnchorElement.prototype.click = function () { out[this.download] = blob.size; };
        document.querySelectorAll('[data-download]').forEach(b => b.click()); 
        URL.createObjectURL = made; return out;""")
    size = {name: found.path.with_name(file).stat().st_size for name, file in (
        ("motifs.meme", "motifs.meme"), ("motifs.tsv", "motifs.motifs.tsv"), ("seqlets.bed", "motifs.seqlets.bed"))}
    assert answer == size
    assert console == []


def test_the_other_strand_exchanges_the_glyphs(browse):
    answer, console = browse("""
        const path = base => document.querySelector(`#g${base} path`);
        const before = 'ACGT'.split('').map(b => path(b).getAttribute('d'));
        const turn = document.querySelector('#turn'); turn.click();
        const on = 'ACGT'.split('').map(b => before.indexOf(path(b).getAttribute('d')));
        const colour = path('A').className.baseVal;
        const mirrored = getComputedStyle(document.querySelector('.logo')).transform;
        turn.click(); const off = 'ACGT'.split('').map(b => before.indexOf(path(b).getAttribute('d')));
        return {on, off, colour, mirrored};""")
    assert answer == {"on": [3, 2, 1, 0], "off": [0, 1, 2, 3], "colour": "nT", "mirrored": "matrix(-1, 0, 0, 1, 0, 0)"}
    assert console == []


def test_a_link_opens_the_view_at_the_instance(browse):
    answer, console = browse("""
        const canvas = document.querySelector('#view'), pixels = () => canvas.toDataURL();
        const link = document.querySelector('a[data-view]'), before = pixels();
        link.click(); const near = pixels(), where = document.querySelector('#where').textContent;
        document.querySelector('#wider').click();
        return {drawn: before !== near && near !== pixels(), where, at: +link.dataset.at};""")
    assert answer["drawn"]
    left, right = (int(text.replace(",", "")) for text in answer["where"].split(":")[1].split(" ")[0].split("–"))  # noqa: RUF001
    assert left - 1 <= answer["at"] < right
    assert right - left + 1 <= 90
    assert console == []


@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_overlaps(browse, width):
    """No cell's contents pass the page's edge or another cell, sections open."""
    answer, console = browse("""
        document.querySelectorAll('details.motif').forEach(d => { d.open = true; });
        const wide = document.documentElement.scrollWidth, out = [];
        for (const row of document.querySelectorAll('#motifs tbody tr')) {
          const boxes = [...row.children].map(cell => {
            const range = document.createRange(); range.selectNodeContents(cell);
            return range.getBoundingClientRect(); });
          for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
            const a = boxes[i], b = boxes[j];
            if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
                && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1) out.push([i, j]);
          }
        }
        const past = [...document.querySelectorAll('body *:not(script, use, path, pre)')].filter(
          item => item.getBoundingClientRect().right > innerWidth).map(item => item.outerHTML.slice(0, 80));
        return {overlaps: out, past, over: wide > innerWidth, inner: innerWidth};""", width)
    assert answer == {"overlaps": [], "past": [], "over": False, "inner": width}
    assert console == []
