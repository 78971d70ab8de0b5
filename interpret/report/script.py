"""The page's script: sorting, filters, downloads, and the view of regions on a canvas."""
# ruff: noqa: E501 - rules of a style and of a script read better unbroken

__all__ = ["SCRIPT"]

SCRIPT = r"""
(() => {
'use strict';
const $ = s => document.querySelector(s), $$ = s => [...document.querySelectorAll(s)];
const data = JSON.parse($('#data').textContent);
const rows = $$('#motifs tbody tr');
const shapes = Object.fromEntries([...'ACGT'].map(base => [base, $(`#g${base} path`).getAttribute('d')]));

for (const head of $$('#motifs th[data-key]')) head.firstElementChild.onclick = () => {
  const key = head.dataset.key, number = head.dataset.kind === 'number';
  const up = head.getAttribute('aria-sort') !== 'ascending';
  for (const other of $$('#motifs th[aria-sort]')) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
  const value = row => number ? +row.dataset[key] : row.dataset[key];
  const order = (a, b) => { const x = value(a), y = value(b); return x < y ? -1 : x > y ? 1 : 0; };
  rows.sort((a, b) => (up ? order(a, b) : order(b, a)) || a.dataset.pattern - b.dataset.pattern);
  $('#motifs tbody').append(...rows);
};

function filter() {
  const words = $('#search').value.trim().toLowerCase().split(/\s+/), kind = $('#kind').value;
  let shown = 0;
  for (const row of rows) {
    const fits = kind === 'all' || row.dataset.sign === kind || (kind === 'matched' && row.dataset.matched === '1')
      || (kind === 'unmatched' && row.dataset.matched === '0');
    row.hidden = !(fits && words.every(word => row.dataset.words.includes(word)));
    shown += !row.hidden;
  }
  $('#count').textContent = shown === rows.length ? `${shown} patterns` : `${shown} of ${rows.length} patterns`;
}
if ($('#search')) { $('#search').oninput = $('#kind').onchange = filter; filter(); }

if ($('#turn')) $('#turn').onclick = event => {
  const on = document.body.classList.toggle('turned');
  event.target.setAttribute('aria-pressed', on);
  const drawn = $$('.glyphs path');
  for (const [i, base] of [...'ACGT'].entries()) {
    const path = drawn[i].cloneNode();
    path.setAttribute('d', shapes[on ? 'TGCA'[i] : base]);
    path.setAttribute('class', 'n' + (on ? 'TGCA'[i] : base));
    if (on) path.setAttribute('transform', 'matrix(-1 0 0 1 1 0)'); else path.removeAttribute('transform');
    $('#g' + base).replaceChildren(path);
  }
};

for (const button of $$('[data-download]')) button.onclick = () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([$('#' + button.dataset.download).textContent], {type: 'text/plain'}));
  link.download = button.dataset.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

function unfold() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === 'DETAILS') { target.open = true; target.scrollIntoView(); }
}
addEventListener('hashchange', unfold);
for (const link of $$('#motifs tbody th a')) link.addEventListener('click', () => setTimeout(unfold));
unfold();

const canvas = $('#view');
if (!canvas) return;
const glyphs = {};
for (const base of 'ACGT') glyphs[base] = new Path2D(shapes[base]);
const pen = canvas.getContext('2d');
let view, from, to;

function load(index, at) {
  const item = data.views[index];
  if (!item.numbers) {
    const bytes = Uint8Array.from(atob(item.values), c => c.charCodeAt(0)), raw = new DataView(bytes.buffer);
    item.numbers = Float32Array.from({length: bytes.length / 2}, (_, i) => raw.getInt16(2 * i, true) * item.scale);
  }
  view = item; from = 0; to = item.numbers.length;
  if (at !== undefined) { from = Math.max(0, at - item.start - 40); to = Math.min(item.numbers.length, from + 90); }
  $('#region').value = index; draw();
}

function draw() {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio; canvas.height = height * ratio; pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const css = getComputedStyle(document.documentElement), colour = name => css.getPropertyValue('--' + name).trim();
  const first = Math.floor(from), last = Math.min(view.numbers.length, Math.ceil(to)), step = width / (to - from);
  let high = 0, low = 0;
  for (let i = first; i < last; i++) { high = Math.max(high, view.numbers[i]); low = Math.min(low, view.numbers[i]); }
  const tall = height - 62, scale = tall / Math.max(high - low, 1e-30), zero = 10 + high * scale;
  const x = i => (i - from) * step;
  pen.clearRect(0, 0, width, height);
  for (let i = first; i < last; i++) {
    const size = view.numbers[i] * scale, base = view.letters[i];
    if (Math.abs(size) < .3 || base === 'N') continue;
    pen.fillStyle = colour(base);
    if (step < 5) { pen.fillRect(x(i), zero - Math.max(size, 0), Math.max(step, 1), Math.abs(size)); continue; }
    pen.save(); pen.translate(x(i) + .4, zero - size); pen.scale(step - .8, size); pen.fill(glyphs[base]); pen.restore();
  }
  pen.fillStyle = colour('line'); pen.fillRect(0, zero, width, 1);
  pen.font = '12px system-ui, sans-serif'; pen.textBaseline = 'top';
  const ends = [-1e9, -1e9];
  for (const [start, end, pattern, strand] of view.items) {
    const a = x(start - view.start), b = x(end - view.start);
    if (b < 0 || a > width) continue;
    const lane = a > ends[0] ? 0 : a > ends[1] ? 1 : -1;
    pen.fillStyle = colour('bar'); pen.fillRect(a, height - 46, Math.max(b - a, 2), 4);
    if (lane < 0) continue;
    const text = data.patterns[pattern] + (strand === '-' ? ' \u2190' : ' \u2192');
    pen.fillStyle = colour('ink'); pen.fillText(text, Math.max(a, 2), height - 38 + 17 * lane);
    ends[lane] = a + pen.measureText(text).width + 8;
  }
  const place = n => (view.start + n + 1).toLocaleString('en');
  $('#where').textContent = `${view.chrom}:${place(Math.round(from))}\u2013${(view.start + Math.round(to)).toLocaleString('en')}`
    + ` \u00b7 explained value ${view.prediction.toPrecision(4)} \u00b7 sum of contributions ${view.total.toPrecision(4)}`;
}

function zoom(factor, centre) {
  const length = view.numbers.length, span = Math.min(length, Math.max(20, (to - from) * factor));
  const middle = centre === undefined ? (from + to) / 2 : from + (to - from) * centre;
  const share = centre === undefined ? .5 : centre;
  from = Math.min(Math.max(0, middle - span * share), length - span); to = from + span; draw();
}
function move(bases) {
  const span = to - from;
  from = Math.min(Math.max(0, from + bases), view.numbers.length - span); to = from + span; draw();
}
$('#region').onchange = event => load(+event.target.value);
$('#closer').onclick = () => zoom(.5); $('#wider').onclick = () => zoom(2);
$('#left').onclick = () => move((from - to) / 3); $('#right').onclick = () => move((to - from) / 3);
canvas.addEventListener('wheel', event => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault(); zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, event.offsetX / canvas.clientWidth);
}, {passive: false});
let grip = null;
canvas.onpointerdown = event => { grip = event.clientX; canvas.setPointerCapture(event.pointerId); };
canvas.onpointermove = event => {
  if (grip === null) return;
  move((grip - event.clientX) * (to - from) / canvas.clientWidth); grip = event.clientX;
};
canvas.onpointerup = canvas.onpointercancel = () => { grip = null; };
canvas.onkeydown = event => {
  const act = {ArrowLeft: () => move((from - to) / 10), ArrowRight: () => move((to - from) / 10),
    '+': () => zoom(.5), '-': () => zoom(2)}[event.key];
  if (act) { event.preventDefault(); act(); }
};
for (const link of $$('a[data-view]')) link.addEventListener('click', () => load(+link.dataset.view, +link.dataset.at));
addEventListener('resize', draw);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
load(0);
})();
"""
