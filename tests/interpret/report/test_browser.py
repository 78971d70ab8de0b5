"""The page in a real browser: sorting, filters, downloads, the other strand, the view; nothing overlaps."""

from __future__ import annotations

import re

import pytest

from interpret.motifs.exports import motifs_tsv

pytestmark = pytest.mark.browser

SHOWN = """const shown = () => [...document.querySelectorAll('#motifs tbody tr')]
    .filter(row => !row.hidden).map(row => +row.dataset.pattern);"""


def test_sorting(browse, found):
    answer, console = browse(
        SHOWN
        + """
        const click = key => document.querySelector(`[data-key=${key}] button`).click();
        const out = {}; click('seqlets'); out.up = shown(); click('seqlets'); out.down = shown();
        click('q'); out.q = shown(); out.aria = document.querySelector('[data-key=q]').ariaSort; return out;"""
    )
    sizes = [len(pattern.seqlets) for pattern in found.patterns]
    qs = [found.matches[pattern.name][0].q for pattern in found.patterns]
    assert answer["up"] == sorted(range(3), key=lambda i: sizes[i])
    assert answer["down"] == sorted(range(3), key=lambda i: -sizes[i])
    assert answer["q"] == sorted(range(3), key=lambda i: qs[i])
    assert answer["aria"] == "ascending"
    assert console == []


def test_search_and_filter(browse):
    answer, console = browse(
        SHOWN
        + """
        const box = document.querySelector('#search'), kind = document.querySelector('#kind'), out = {};
        const type = text => { box.value = text; box.oninput(); };
        type('abf1'); out.abf1 = shown(); out.count = document.querySelector('#count').textContent;
        type('nothing of the kind'); out.none = shown(); type('');
        kind.value = 'lowers'; kind.onchange(); out.lowers = shown(); return out;"""
    )
    assert answer == {"abf1": [0], "count": "1 of 3 patterns", "none": [], "lowers": [2]}
    assert console == []


def test_sorting_by_effect(browse):
    """Means 2 and -1.5; what was not measured is last either way."""
    answer, console = browse(
        SHOWN
        + """
        const click = () => document.querySelector('[data-key=effect] button').click();
        const out = {}; click(); out.up = shown(); click(); out.down = shown(); return out;"""
    )
    assert answer == {"up": [2, 0, 1], "down": [0, 2, 1]}
    assert console == []


def test_downloads_are_the_files_beside_the_page(browse, found, asked):
    """Saved under their names, byte by byte; the table is that of the file with the effects that the page shows."""
    answer, console = browse("""
        const out = {}, made = URL.createObjectURL, Real = Blob; let kept;
        window.Blob = function (parts, options) { kept = parts.join(''); return new Real(parts, options); };
        URL.createObjectURL = b => '#';
        HTMLAnchorElement.prototype.click = function () { out[this.download] = kept; };
        document.querySelectorAll('[data-download]').forEach(b => b.click());
        URL.createObjectURL = made; return out;""")
    assert answer == {
        "motifs.meme": found.path.with_name("motifs.meme").read_text(),
        "motifs.tsv": "".join(motifs_tsv(asked)),
        "seqlets.bed": found.path.with_name("motifs.seqlets.bed").read_text(),
    }
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
    left, right = (int(text.replace(",", "")) for text in answer["where"].split(":")[1].split(" ")[0].split("–"))
    assert left - 1 <= answer["at"] < right
    assert right - left + 1 <= 90
    assert console == []


VIEW = """
    const canvas = document.querySelector('#view'), pen = canvas.getContext('2d');
    const said = () => canvas.getAttribute('aria-label'), where = () => document.querySelector('#where').textContent;
    const click = id => document.querySelector(id).click();
    const colour = name => { const probe = document.createElement('i'); probe.style.color = `var(--${name})`;
        document.body.append(probe); const found = getComputedStyle(probe).color.match(/[0-9]+/g).map(Number);
        probe.remove(); return found; };
    const image = pen.getImageData(0, 0, canvas.width, canvas.height).data;
    const count = (name, y0, y1) => { const [r, g, b] = colour(name), row = 4 * canvas.width; let n = 0;
        for (let i = y0 * row; i < y1 * row; i += 4)
            n += image[i] === r && image[i + 1] === g && image[i + 2] === b && image[i + 3] === 255;
        return n; };
    const data = JSON.parse(document.querySelector('#data').textContent), first = data.views[0];
"""


def test_the_view_draws_track_letters_hits_and_genes(browse, found):
    answer, console = browse(
        VIEW
        + """
        const whole = said(), tall = canvas.clientHeight;
        const out = {whole, tall, track: count('bar', 38, 86), blue: count('link', tall - 28, tall),
          raises: count('raises', 250, tall - 30), A: count('A', 100, 250), items: first.items.length};
        click('#closer'); click('#closer'); out.near = said(); return out;"""
    )
    window = f"{found.regions.chrom[found.views.sequence[0]]}:"
    assert answer["whole"].startswith(window)
    assert f"{answer['items']} instances of patterns, genes: 1, " in answer["whole"]
    assert "8 bins of the predicted track" in answer["whole"]
    # bins of 16 of 160 bp on a canvas of 1,270: the eight rise to 1/8 .. 8/8 of 48 px, in all 4.5 x 48 x 127
    assert answer["track"] == pytest.approx(4.5 * 48 * 1270 / 10, rel=0.15)
    assert answer["blue"] >= 70 * 7 * 1270 / 160 * 0.9  # exons of 30 and 40 bp, 7 px high
    assert answer["raises"] > 50 and answer["A"] > 50
    # 40 of 160 bp are left: each base drawn as a letter where it is large enough, none where the picture is wide
    letters = int(re.search(r"(\d+) letters", answer["near"]).group(1))
    assert 10 <= letters <= 41
    assert console == []


def test_zoom_and_pan(browse, found):
    answer, console = browse(
        VIEW
        + """
        const out = [where()];
        click('#closer'); out.push(where()); click('#right'); out.push(where()); click('#left'); out.push(where());
        click('#whole'); out.push(where());
        const box = canvas.getBoundingClientRect();
        canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: -1, ctrlKey: true, clientX: box.left, clientY: box.top,
          cancelable: true, bubbles: true})); out.push(where());
        const drag = (kind, x) => canvas.dispatchEvent(
          new PointerEvent(kind, {clientX: box.left + x, clientY: box.top + 90}));
        drag('pointerdown', 800); drag('pointermove', 800 - box.width / 4); drag('pointerup', 0); out.push(where());
        canvas.dispatchEvent(new KeyboardEvent('keydown', {key: '+'})); out.push(where());
        return out;"""
    )
    start = int(found.regions.window_start[found.views.sequence[0]])
    spans = []
    for text in answer:
        left, right = text.split(" ")[0].split(":")[1].split("–")
        spans.append((int(left.replace(",", "")) - 1 - start, int(right.replace(",", "")) - start))
    # 160 bp; half of it in the middle; a third of 80 to the right and back; all; 1/1.2 from the left end
    assert spans[:5] == [(0, 160), (40, 120), (67, 147), (40, 120), (0, 160)]
    assert spans[5] == (0, 133)
    assert spans[6] == (27, 160)  # a quarter of 133 is 33, but the region ends after 27
    assert spans[7] == (60, 127)
    assert console == []


def test_what_lies_under_the_pointer(browse, asked):
    """At base 40 of the first view: its letter, contribution, bin of the track, gene."""
    answer, console = browse(
        VIEW
        + """
        const box = canvas.getBoundingClientRect();
        canvas.dispatchEvent(new PointerEvent('pointermove',
          {clientX: box.left + 40.5 / 160 * box.width, clientY: box.top + 90}));
        return {text: document.querySelector('#under').textContent, letter: first.letters[40], start: first.start,
          chrom: first.chrom};"""
    )
    sequence = int(asked.views.sequence[0])
    reverse = bool(asked.regions.reverse[sequence])
    # bins lie on 8..136 of the model's window, which is 24..152 of a reversed one, where the last comes first
    value = 8 - (40 - 24) // 16 if reverse else (40 - 8) // 16 + 1
    value_at = asked.views.projected[0][::-1][40] if reverse else asked.views.projected[0][40]
    parts = answer["text"].replace("−", "-").split(" · ")
    assert parts[0].startswith(f"{answer['chrom']}:{answer['start'] + 41:,} {answer['letter']} contribution ")
    assert float(parts[0].rsplit(" ", 1)[1]) == pytest.approx(float(value_at), rel=0.02, abs=1e-4)
    assert parts[1] == f"predicted {value}.00" and f"GEN{sequence}" in parts
    assert console == []


def test_dark(browse):
    """Where the reader's system is dark, so are the page and its canvas, and text stands out from both."""
    answer, console = browse(
        VIEW
        + """
        const luminance = text => { const [r, g, b] = text.match(/[0-9]+/g).map(Number).map(v => { v /= 255;
            return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
            return .2126 * r + .7152 * g + .0722 * b; };
        const style = getComputedStyle(document.body), back = luminance(style.backgroundColor);
        const contrast = name => { const l = luminance('rgb(' + colour(name).join(',') + ')');
            return (Math.max(l, back) + .05) / (Math.min(l, back) + .05); };
        return {back, drawn: count('A', 100, 250),
          contrast: ['ink', 'soft', 'link', 'A', 'C', 'T', 'raises', 'lowers'].map(contrast)};
        """,
        1400,
        "--blink-settings=preferredColorScheme=0",
    )
    assert answer["back"] < 0.02 and answer["drawn"] > 50
    assert min(answer["contrast"]) >= 4.5  # WCAG AA for text
    assert console == []


def test_sections_are_printed_open_and_folded_again(browse, found):
    answer, console = browse("""
        const open = () => document.querySelectorAll('details.motif[open]').length, out = [];
        document.querySelector('details.motif').open = true; out.push(open());
        dispatchEvent(new Event('beforeprint')); out.push(open());
        dispatchEvent(new Event('afterprint')); out.push(open()); return out;""")
    assert answer == [1, len(found.patterns), 1]
    assert console == []


def test_subpatterns_unfold(browse, found):
    answer, console = browse("""
        const out = [...document.querySelectorAll('#motifs tbody tr')].map(row => {
          const folded = row.querySelector('details.subs'); if (!folded) return [0, 0];
          const before = row.offsetHeight; folded.querySelector('summary').click();
          return [folded.querySelectorAll('.logo').length, row.offsetHeight - before]; });
        return out;""")
    sizes = [len(pattern.subpatterns) if len(pattern.subpatterns) > 1 else 0 for pattern in found.patterns]
    assert [count for count, _ in answer] == sizes and max(sizes) > 1
    assert all(grown >= 20 * count for count, grown in answer)
    assert console == []


def test_no_request_leaves_the_file(browse):
    """Whatever is clicked, nothing but data and blobs is loaded."""
    answer, console = browse("""
        for (const item of document.querySelectorAll('summary, a[href^="#"], button:not([data-download])'))
          item.click();
        return performance.getEntriesByType('resource').map(entry => entry.name.slice(0, 30))
          .filter(name => !/^(data|blob):/.test(name));""")
    assert answer == [] and console == []


def test_a_page_of_180_logos_stays_small_when_it_is_open(open_page, many):
    """The number of elements stands for time: these open within a second; scripts add to those of the file."""
    dom, console = open_page(many)
    assert dom.count('class="logo"') >= 180
    assert dom.count("<") <= 20_000
    assert console == []


@pytest.mark.parametrize("width", [1400, 1150, 820, 390])
def test_nothing_overlaps(browse, width):
    """No cell's contents pass the page's edge or another cell, all unfolded; no name is cut, however long."""
    answer, console = browse(
        """
        const name = 'NR1H4::RXRA(var.2)', row = document.querySelector('#motifs tbody tr');
        row.querySelector('b').textContent = name;
        row.querySelector('figure:nth-of-type(3) figcaption').textContent = name;
        row.querySelector('[data-label="Known motif"]').append('subpatterns: ' + Array(6).fill(name).join(', '));
        document.querySelectorAll('details').forEach(d => { d.open = true; });
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
        const cut = [...document.querySelectorAll('figcaption, td, th')].filter(
          item => item.scrollWidth > item.clientWidth + 1 && getComputedStyle(item).overflowX !== 'visible').length;
        return {cut, overlaps: out, past, over: wide > innerWidth, inner: innerWidth};""",
        width,
    )
    assert answer == {"cut": 0, "overlaps": [], "past": [], "over": False, "inner": width}
    assert console == []
