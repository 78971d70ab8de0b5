"""The page in a real browser: sorting, filters, downloads, the other strand, the view; nothing overlaps."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from interpret.motifs.exports import motifs_tsv
from interpret.motifs.grades import grade_patterns
from interpret.motifs.motifs_file import Views
from interpret.report.compare import compare_text
from interpret.report.numbers import order_of, row_of
from interpret.report.page import render

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def rows_by_drive(asked):
    """Index of the pattern that drives most of those that earned a name."""
    names = grade_patterns(asked)
    order = order_of([row_of(asked, i, name) for i, name in enumerate(names)])
    return next(i for i in order if names[i].known)


def test_what_a_page_does_wrong_is_on_the_console(open_page):
    """Of scripts and of frames, at once and after two seconds; the next page has nothing of it."""
    frame = "&lt;script&gt;throw Error('in a frame')&lt;/script&gt;"
    policy = '<meta http-equiv="Content-Security-Policy" content="img-src data:">'
    late = "<script>console.warn('by a script'); setTimeout(() => { document.title = 'late'; nosuch() }, 2000)</script>"
    dom, console = open_page(f'{policy}<iframe srcdoc="{frame}"></iframe>{late}<img src="https://a.example/x.png">')
    assert "<title>late</title>" in dom and len(console) == 4
    for words in ("by a script", "in a frame", "nosuch is not defined", "Content Security Policy"):
        assert sum(words in line for line in console) == 1, words
    assert open_page("<p>nothing</p>")[1] == []


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
        type('nothing of the kind'); out.none = shown(); type('\u2212' + '1'); out.minus = shown(); type('');
        kind.value = 'lowers'; kind.onchange(); out.lowers = shown(); return out;"""
    )
    assert answer == {"abf1": [0], "count": "1 of 3 patterns", "none": [], "minus": [2], "lowers": [2]}
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
        document.querySelector('#whole').click();
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
    document.querySelector('#region').value = 0; document.querySelector('#region').onchange({target: {value: 0}});
    const LEFT = 58;
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
        const out = {whole, tall, track: count('bar', 40, 86), blue: count('link', tall - 28, tall),
          raises: count('raises', 250, tall - 30), A: count('A', 100, 250), items: first.items.length};
        click('#closer'); click('#closer'); out.near = said(); return out;"""
    )
    window = f"{found.regions.chrom[found.views.sequence[0]]}:"
    assert answer["whole"].startswith(window)
    assert f"{answer['items']} instances of patterns, genes: 1, " in answer["whole"]
    assert "8 bins of the predicted track" in answer["whole"]
    # bins of 16 of 160 bp on 1,292 px right of the axis: the eight rise to 1/8 .. 8/8 of 46 px, in all 4.5 x 46 x 129
    assert answer["track"] == pytest.approx(4.5 * 46 * 1292 / 10, rel=0.15)
    assert answer["blue"] >= 70 * 7 * 1292 / 160 * 0.9  # exons of 30 and 40 bp, 7 px high
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
        const box = canvas.getBoundingClientRect(), wide = box.width - 2 - LEFT;
        canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: -1, ctrlKey: true, clientX: box.left, clientY: box.top,
          cancelable: true, bubbles: true})); out.push(where());
        const drag = (kind, x) => canvas.dispatchEvent(
          new PointerEvent(kind, {clientX: box.left + x, clientY: box.top + 90}));
        drag('pointerdown', 800); drag('pointermove', 800 - wide / 4); drag('pointerup', 0); out.push(where());
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
        const box = canvas.getBoundingClientRect(), wide = box.width - 2 - LEFT;
        canvas.dispatchEvent(new PointerEvent('pointermove',
          {clientX: box.left + LEFT + 40.5 / 160 * wide, clientY: box.top + 90}));
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
        const rows = [...document.querySelectorAll('#motifs tbody tr')];
        rows.sort((a, b) => a.dataset.pattern - b.dataset.pattern);
        const out = rows.map(row => {
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


def test_a_page_of_180_logos_is_drawn_from_few_elements(open_page, many):
    """What makes a page slow is what is drawn at once: about ten references a logo, no picture, no copied glyph."""
    script = """<script>
      const count = selector => document.querySelectorAll(selector).length, out = document.createElement('pre');
      out.id = 'answer'; out.textContent = [count('.logo'), count('.logo use'), count('.logo path:not(.axis)'),
        count('*'), count('img[src^="data:"]'), count('img')]; document.body.append(out);</script></body>"""
    dom, console = open_page(many.replace("</body>", script))
    logos, letters, paths, everything, embedded, images = map(
        int, dom.split('id="answer">')[1].split("</pre>")[0].split(",")
    )
    assert logos >= 180 and letters <= 40 * logos and paths == 0 and everything <= 20_000 and images == embedded
    assert console == []


def test_a_track_of_more_bins_than_a_call_has_arguments(asked, open_page):
    """Of 200,000 bins of 1 bp, the largest 3 and the smallest -1."""
    length = 200_000
    values = np.zeros((1, length), np.float32)
    values[0, [5, 9]] = 3, -1
    views = Views(
        asked.views.sequence[:1],
        np.zeros((1, length), np.uint8),
        np.ones((1, length), np.float32),
        track=values,
        track_bin=1,
        track_name="fine",
    )
    text = render(replace(asked, length=length, views=views))
    dom, console = open_page(
        text.replace("</body>", "<script>document.querySelector('#whole').click()</script></body>")
    )
    assert "200000 bins of the predicted track" in re.search(r'<canvas[^>]*aria-label="([^"]*)"', dom).group(1)
    assert console == []


def test_every_minus_is_a_real_one(asked, open_page):
    """A number with a sign and a negative power has two of them."""
    prediction = np.full_like(asked.prediction, -1.25e-9)
    dom, console = open_page(render(replace(asked, prediction=prediction)))
    where = re.search(r'<p id="where">(.*?)</p>', dom).group(1)
    assert "explained value −1.250e−9 " in where
    assert console == []


@pytest.mark.parametrize("width", [1400, 1150, 820, 390])
def test_nothing_overlaps(browse, width):
    """No cell's contents pass the page's edge or another cell, all unfolded; no name is cut, however long."""
    answer, console = browse(
        """
        const name = 'NR1H4::RXRA(var.2)', row = document.querySelector('#motifs tbody tr');
        row.querySelector('th a').textContent = name;
        row.querySelector('figure:nth-of-type(3) figcaption').textContent = name;
        row.querySelector('th').append('subpatterns: ' + Array(6).fill(name).join(', '));
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
        // what scrolls by itself may be wider: the navigation, and the strip on a phone
        const past = [...document.querySelectorAll('body *:not(script, use, path, pre)')].filter(
          item => item.getBoundingClientRect().right > innerWidth && !item.closest('nav, .strip')
          ).map(item => item.outerHTML.slice(0, 80));
        const cut = [...document.querySelectorAll('figcaption, td, th')].filter(
          item => item.scrollWidth > item.clientWidth + 1 && getComputedStyle(item).overflowX !== 'visible').length;
        return {cut, overlaps: out, past, over: wide > innerWidth, inner: innerWidth};""",
        width,
    )
    assert answer == {"cut": 0, "overlaps": [], "past": [], "over": False, "inner": width}
    assert console == []


# ---------------- what opens, what is labelled, what is saved, what is told


def test_the_view_opens_on_the_strongest_instance_of_what_drives_most(browse, asked, rows_by_drive):
    """Of the first pattern in the table that earned a name: its largest hit in the views lies in the middle."""
    answer, console = browse("""
        const data = JSON.parse(document.querySelector('#data').textContent);
        return {where: document.querySelector('#where').textContent, opening: data.opening,
          name: document.querySelector('#region').value, label: document.querySelector('#view').ariaLabel};""")
    hits = asked.hits
    shown = [
        i for i in range(len(hits)) if hits.sequence[i] in asked.views.sequence and hits.pattern[i] == rows_by_drive
    ]
    best = max(shown, key=lambda i: abs(float(f"{hits.contribution[i]:.3g}")))
    assert asked.views.sequence[int(answer["name"])] == hits.sequence[best]
    left, right = (int(text.replace(",", "")) for text in answer["where"].split(" ")[0].split(":")[1].split("–"))
    assert left <= answer["opening"]["start"] + 1 and answer["opening"]["end"] <= right and right - left + 1 <= 130
    assert console == []


def test_the_strongest_are_labelled_where_there_is_no_room_for_all(open_page, asked):
    """Thirty hits on 30 of 160 bp, the strongest the sixth of them; the saved picture tells what is labelled."""
    sequence = int(asked.views.sequence[0])
    n = 30
    hits = replace(
        asked.hits,
        pattern=np.zeros(n, np.int64), sequence=np.full(n, sequence), start=60 + np.arange(n),
        end=61 + np.arange(n), reverse=np.zeros(n, bool), similarity=np.ones(n, np.float32),
        match=np.ones(n, np.float32),
        contribution=np.where(np.arange(n) == 5, 50, np.arange(n) + 1.0).astype(np.float32),
    )  # fmt: skip
    views = replace(
        asked.views, **{name: getattr(asked.views, name)[:1] for name in ("sequence", "letters", "projected")}
    )
    text = render(replace(asked, hits=hits, views=replace(views, track=None), explained=None))
    script = """<script>
      document.querySelector('#whole').click();
      const labels = [], Real = Blob;
      window.Blob = function (parts, options) { labels.push(parts.join('')); return new Real(parts, options); };
      URL.createObjectURL = () => '#'; HTMLAnchorElement.prototype.click = () => {};
      document.querySelector('#regionsvg').click();
      const out = document.createElement('pre'); out.id = 'answer'; out.textContent = labels[0];
      document.body.append(out);</script></body>"""
    dom, console = open_page(text.replace("</body>", script), 500)
    svg = unescape(dom.split('id="answer">')[1].split("</pre>")[0])
    root = ElementTree.fromstring(svg)
    words = [item for item in root.iter("{http://www.w3.org/2000/svg}text") if "ABF1" in (item.text or "")]
    bars = [item for item in root.iter("{http://www.w3.org/2000/svg}rect") if item.get("height") == "4"]
    assert len(bars) == n and 1 <= len(words) < n
    # 160 bp on 956 px right of the axis, as narrow as on a phone; the strongest hit is base 65, of a reversed window 94
    at = 65 if not asked.regions.reverse[sequence] else 160 - 66
    assert min(abs(float(item.get("x")) - (44 + at * 956 / 160)) for item in words) < 2
    assert console == []


SAVED = """
    const saved = {}; let kept;
    const Real = Blob;
    window.Blob = function (parts, options) { kept = parts.join(''); return new Real(parts, options); };
    URL.createObjectURL = () => '#';
    HTMLAnchorElement.prototype.click = function () { saved[this.download] = kept; };
"""


def test_every_logo_is_saved_as_svg_of_its_own(browse, found):
    """As many letters as the page has, drawn as paths, and nothing that a viewer would have to look up."""
    answer, console = browse(
        SAVED
        + """
        const figures = [...document.querySelectorAll('#motifs tr > td.logos > figure')];
        for (const figure of figures) figure.querySelector('.save button').click();
        return {saved, letters: figures.map(f => f.querySelectorAll('use').length),
          sections: document.querySelectorAll('.whole .save button').length};"""
    )
    assert answer["sections"] == 2 * 2 * len(found.patterns)
    for text, letters in zip(answer["saved"].values(), answer["letters"], strict=True):
        root = ElementTree.fromstring(text)
        paths = [item for item in root.iter("{http://www.w3.org/2000/svg}path") if item.get("stroke") is None]
        assert len(paths) == letters > 0 and all(item.get("fill").startswith("#") for item in paths)
        assert "href" not in text and "var(" not in text and "style" not in text
    assert all(re.fullmatch(r"(pos|neg)_patterns-pattern_\d-[\w.-]+\.svg", name) for name in answer["saved"])
    assert console == []


def test_a_turned_logo_is_saved_turned(browse):
    """A at the left of one strand is T at the right of the other."""
    answer, console = browse(
        SAVED
        + """
        const button = document.querySelector('.whole .save button'), out = [];
        const take = () => { button.click(); return Object.values(saved).at(-1); };
        out.push(take()); document.querySelector('#turn').click(); out.push(take());
        document.querySelector('#turn').click(); out.push(take()); return out;"""
    )
    assert answer[0] == answer[2] != answer[1]
    assert "matrix(-1 0 0 1" in answer[1] and "matrix(-1 0 0 1" not in answer[0]
    colours = [re.findall(r'fill="(#\w+)"/>', text) for text in answer[:2]]
    other = dict(
        zip(("#1a8a3c", "#1f5fd0", "#e08a00", "#d0302f"), ("#d0302f", "#e08a00", "#1f5fd0", "#1a8a3c"), strict=True)
    )
    assert [other[colour] for colour in colours[0]] == colours[1]
    assert console == []


def test_a_region_is_saved_with_its_axis_and_names(browse, asked):
    answer, console = browse(
        SAVED
        + VIEW
        + """
        document.querySelector('#regionsvg').click(); return saved;"""
    )
    ((name, text),) = answer.items()
    root = ElementTree.fromstring(text)
    words = [item.text for item in root.iter("{http://www.w3.org/2000/svg}text")]
    assert name.endswith(".svg") and name.startswith(str(asked.regions.name[asked.views.sequence[0]]))
    assert "contribution (logits, summed over 8 bins)" in words and "predicted score: all" in words
    # the axes: numbers left of the lanes, nought among them
    numbers = [item.text for item in root.iter("{http://www.w3.org/2000/svg}text") if float(item.get("x")) < 55]
    assert numbers.count("0") + numbers.count("0.0") == 2 and len(numbers) >= 5
    assert console == []


def test_help_is_shown_to_pointer_and_keyboard(browse):
    """The words of the list below the table, beside the column; gone by Escape."""
    answer, console = browse("""
        const tip = document.querySelector('#tip'), button = document.querySelector('[data-key=hits] button');
        const said = document.querySelector('#help-hits').textContent, out = [tip.hidden];
        button.dispatchEvent(new MouseEvent('mouseenter')); out.push(tip.textContent === said && !tip.hidden);
        button.dispatchEvent(new MouseEvent('mouseleave')); out.push(tip.hidden);
        button.dispatchEvent(new FocusEvent('focus')); out.push(!tip.hidden);
        dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'})); out.push(tip.hidden);
        const lost = [...document.querySelectorAll('[aria-describedby]')].filter(
          item => !document.getElementById(item.getAttribute('aria-describedby')));
        return [...out, lost.length];""")
    assert answer == [True, True, True, True, True, 0]
    assert console == []


def test_the_navigation_stays_and_leads_to_every_part(browse):
    answer, console = browse("""
        const links = [...document.querySelectorAll('nav a')];
        return {position: getComputedStyle(document.querySelector('nav')).position,
          lost: links.filter(a => !document.querySelector(a.hash)).length, names: links.map(a => a.textContent),
          current: document.querySelectorAll('nav [aria-current]').length};""")
    assert answer["position"] == "sticky" and answer["lost"] == 0 and answer["current"] == 1
    assert answer["names"] == ["Overview", "Table", "Each pattern", "Regions", "How it was made"]
    assert console == []


def test_everything_that_can_be_pressed_or_read_has_a_name(browse):
    answer, console = browse("""
        const named = item => (item.textContent.trim() || item.getAttribute('aria-label') || item.placeholder);
        return [[...document.querySelectorAll('button, a, select, input, summary')].filter(i => !named(i)).length,
          [...document.images].filter(i => !i.alt).length,
          [...document.querySelectorAll('svg')].filter(s => !s.getAttribute('aria-label') && !s.ariaHidden).length,
          document.querySelector('#view').getAttribute('aria-label').length > 20];""")
    assert answer == [0, 0, 0, True]
    assert console == []


# ---------------- nothing is cut in two, and pictures fill their place


def _answer(open_page, text, script, width=1400):
    """What a script returns in a page of its own."""
    tail = f"<script>document.body.append(Object.assign(document.createElement('pre'), {{id: 'answer',\
      textContent: JSON.stringify((() => {{{script}}})())}}))</script></body>"
    dom, console = open_page(text.replace("</body>", tail), width)
    assert console == []
    return json.loads(unescape(dom.split('<pre id="answer">')[1].split("</pre>")[0]))


BROKEN = """
    const broken = selector => {
      const items = [...document.querySelectorAll(selector)], out = [];
      for (const item of items) {
        const walk = document.createTreeWalker(item, NodeFilter.SHOW_TEXT);
        for (let node; (node = walk.nextNode());) for (const word of node.data.matchAll(/[^\\s-]+/g)) {
          const range = document.createRange();
          range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
          if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) out.push(word[0]);
        }
      }
      return [items.length, out];
    };
"""


@pytest.mark.parametrize("patterns", [1, 2, 3])
def test_logos_fill_the_cards_of_the_first_screen_however_few_there_are(open_page, asked, patterns):
    """ABF1's core has 12 columns: of one card it fills three fifths, of two and of three nearly all; 70 px a column."""
    lacks = {"explained": None, "enrichment": None, "hits": None}
    text = render(replace(asked, patterns=asked.patterns[:patterns], **lacks))
    found = _answer(
        open_page,
        text,
        """return [...document.querySelectorAll('.card .logo')].map(logo => {
          const style = getComputedStyle(logo.parentElement), card = logo.parentElement.clientWidth;
          const inner = card - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
          const columns = +logo.style.getPropertyValue('--c'), {width, height} = logo.getBoundingClientRect();
          return {share: width / inner, columns, wide: width / columns, height, past: width > inner + 1}; })""",
    )
    assert len(found) == patterns and not any(card["past"] for card in found)
    (abf1,) = (card for card in found if card["columns"] == 12)
    assert abf1["share"] >= {1: 0.6, 2: 0.9, 3: 0.9}[patterns] and abf1["height"] >= 110
    assert all(card["wide"] <= 70.5 for card in found)


@pytest.mark.parametrize("width", [1400, 390])
def test_commands_break_between_words_only(browse, width):
    """Not behind the hyphen of ``--motif`` or ``-o``; what is copied is the command as it is."""
    answer, console = browse(
        """
        const lines = [...document.querySelectorAll('.line')];
        const words = lines.flatMap(line => [...line.querySelectorAll('span')]);
        const height = Math.min(...words.map(word => word.offsetHeight));
        const room = word => word.parentElement.clientWidth - 80;
        return {lines: lines.map(line => line.firstChild.parentElement.textContent.replace(/Copy$/, '')),
          broken: words.filter(word => word.offsetHeight > 1.5 * height && word.offsetWidth < room(word)).length,
          flags: words.filter(word => /^--?[a-z]/.test(word.textContent)).length};""",
        width,
    )
    assert answer["broken"] == 0 and answer["flags"] >= 3
    assert any(line.startswith("zoo report motifs.h5 --region ") for line in answer["lines"])
    assert console == []


def test_no_line_of_the_sentence_ends_with_a_hyphen(open_page, asked):
    """At any width: "CG-" and "rich" stood in two lines on a phone."""
    flat = replace(
        asked.patterns[0], probability=np.full((len(asked.patterns[0].probability), 4), [0.1, 0.4, 0.4, 0.1])
    )
    text = render(replace(asked, patterns=(flat, *asked.patterns[1:]), explained=None))
    assert "CG-rich sequence" in text
    script = (
        BROKEN.replace("[^\\s-]+", "\\S+")
        + """
        const lead = document.querySelector('.lead'), out = [lead.textContent];
        for (const name of document.querySelectorAll('#motifs th .weak')) name.style.width = '9ch';
        for (let width = 150; width < 500; width += 10) {
          lead.style.width = `${width}px`; out.push(...broken('.lead, #motifs th .weak')[1]);
        }
        return out;"""
    )
    said, *cut = _answer(open_page, text, script)
    assert cut == [] and said in unescape(text)


def test_words_beside_a_subpattern_are_whole(open_page, including):
    """However wide its logo: of "25 seqlets, ABF1, q 0.001" no word is broken."""
    first = including.patterns[0]
    (child,) = first.subpatterns
    wide = replace(child, name=f"{child.name}9", core=(0, len(child.contribution)))
    both = (replace(first, subpatterns=(child, wide)), *including.patterns[1:])
    matches = including.matches | {wide.name: including.matches[child.name]}
    for width in (1400, 500):
        found = _answer(
            open_page,
            render(replace(including, patterns=both, matches=matches)),
            BROKEN + "document.querySelector('.subs').open = true; return broken('.subs figcaption')",
            width,
        )
        assert found[0] >= 2 and found[1] == []


def test_four_runs_beside_each_other_break_no_button(open_page, asked):
    """A logo gives way to what saves it: "SVG" was three lines in a column of 260 px; printed, all is of one size."""
    paths = [asked.path.with_name(f"{name}.h5") for name in "abcd"]
    text = compare_text([replace(asked, path=path) for path in paths])
    assert _answer(open_page, text, BROKEN + "return broken('.save button')") == [24, []]
    script = """return [...document.querySelectorAll('.entry p, .runs td, .runs tbody th, .runs thead th')].map(
      item => getComputedStyle(item).fontSize)"""
    assert set(_answer(open_page, text.replace("@media print", "@media screen"), script)) == {"10px"}


def test_no_word_of_a_name_is_broken_in_print_and_heads_are_no_larger_than_what_they_head(open_page, asked):
    """On A4's 718 px; "composition" was "compositio" and "n"."""
    flat = replace(asked.patterns[0], probability=np.full_like(asked.patterns[0].probability, 0.25))
    text = render(replace(asked, patterns=(flat, *asked.patterns[1:]), explained=None))
    assert "composition only" in text
    found = _answer(
        open_page,
        text.replace("@media print", "@media screen"),
        BROKEN
        + """
        for (const item of document.querySelectorAll('details')) item.open = true;
        const size = selector => parseFloat(getComputedStyle(document.querySelector(selector)).fontSize);
        return {names: broken("#motifs tbody th[scope='row']"),
          sizes: ['.small thead th', '.small td', '#columns dt', '#columns dd'].map(size)};""",
        766,  # less the page's edges
    )
    assert found["names"] == [3, []]
    assert found["sizes"][0] <= found["sizes"][1] and found["sizes"][2] <= found["sizes"][3]
