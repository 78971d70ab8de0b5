// The view of regions: track, contributions, instances and genes on one canvas. A small one of our own rather than
// igv.js: that is 1.5 MB for a page of which all else is below 1 MB, reads its tracks from files or addresses, and draws
// no letters of contributions.
(() => {
  'use strict';
  const $ = (s) => document.querySelector(s);
  const canvas = $('#view');
  if (!canvas) {
    return;
  }
  const data = JSON.parse($('#data').textContent);
  const pen = canvas.getContext('2d');
  const glyphs = Object.fromEntries(
    Object.entries(JSON.parse($('#shapes').textContent)).map(([base, path]) => [base, new Path2D(path)]),
  );
  const RULER = 22;
  const TRACK = 64;
  const BASES = 150;
  const LANE = 20;
  const GENE = 22;
  const GAP = 14;
  const ROWS = 3;
  let view;
  let from;
  let to;
  let drawn = {};

  const numbers = (packed) => {
    const bytes = Uint8Array.from(atob(packed.values), (c) => c.charCodeAt(0));
    const raw = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 2 }, (_, i) => raw.getInt16(2 * i, true) * packed.scale);
  };
  const digits = (value, n) => (value ? value.toPrecision(n) : '0').replaceAll('-', '\u2212');
  const place = (n) => Math.round(n).toLocaleString('en');
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  function load(index, at) {
    view = data.views[index];
    view.numbers = view.numbers || numbers(view);
    if (view.track) {
      view.track.numbers = view.track.numbers || numbers(view.track);
    }
    from = 0;
    to = view.numbers.length;
    if (at !== undefined) {
      from = Math.max(0, Math.min(at - view.start - 40, to - 90));
      to = Math.min(to, from + 90);
    }
    $('#region').value = index;
    draw();
  }

  // Intervals into as few rows as they need, ROWS at most; what finds no room shares the first.
  function rowsOf(items, x, room) {
    const ends = [];
    return items.map(([start, end, ...rest]) => {
      const a = x(start - view.start);
      const b = Math.max(x(end - view.start), a + 2);
      let row = ends.findIndex((last) => last <= a);
      if (row < 0 && ends.length < ROWS) {
        row = ends.length;
      }
      const fits = row >= 0;
      if (fits) {
        ends[row] = Math.max(b, a + room(rest)) + 6;
      } else {
        row = 0;
      }
      return { a, b, row, fits, start, end, rest };
    });
  }

  function draw() {
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const step = width / (to - from);
    const x = (i) => (i - from) * step;
    const colour = Object.fromEntries(
      ['A', 'C', 'G', 'T', 'ink', 'soft', 'line', 'bar', 'panel', 'link', 'raises', 'lowers', 'bg'].map((name) => [
        name,
        css(name),
      ]),
    );
    pen.font = '12px system-ui, sans-serif';
    const seen = (list) => (list || []).filter(([start, end]) => end > view.start + from && start < view.start + to);
    const items = rowsOf(seen(view.items), x, (rest) => pen.measureText(label(rest)).width);
    const genes = rowsOf(seen(view.genes), x, (rest) => pen.measureText(rest[0]).width + 14);
    const high = (list) => Math.max(1, ...list.map((item) => item.row + 1));
    const top = { track: RULER, bases: RULER + (view.track ? TRACK + GAP : 0) };
    top.items = top.bases + BASES + GAP;
    top.genes = top.items + LANE * high(items) + (view.genes ? GAP : 0);
    const height = top.genes + (view.genes ? GENE * high(genes) : 0) + 6;
    canvas.style.height = `${height}px`;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = '12px system-ui, sans-serif';
    pen.textBaseline = 'top';
    drawn = { letters: 0, bars: 0, items, genes, top, bins: 0 };
    ruler(width, height, step, colour);
    if (view.track) {
      track(top.track, width, x, colour);
    }
    contributions(top.bases, width, step, x, colour);
    for (const item of items) {
      instance(item, top.items, colour);
    }
    for (const gene of genes) {
      drawGene(gene, top.genes, width, x, colour);
    }
    tell(items, genes);
  }

  function ruler(width, height, step, colour) {
    const least = 90 / step;
    const power = 10 ** Math.floor(Math.log10(least));
    const size = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= least);
    for (let n = Math.ceil((view.start + from + 1) / size) * size; n <= view.start + to; n += size) {
      const at = (n - 0.5 - view.start - from) * step;
      const text = place(n);
      const half = pen.measureText(text).width / 2;
      pen.fillStyle = colour.line;
      pen.fillRect(at, RULER - 4, 1, height - RULER);
      pen.fillStyle = colour.soft;
      if (at > half && at < width - half) {
        pen.fillText(text, at - half, 3);
      }
    }
  }

  function title(text, y, colour) {
    pen.font = '11px system-ui, sans-serif';
    pen.fillStyle = colour.bg;
    pen.globalAlpha = 0.8;
    pen.fillRect(0, y, pen.measureText(text).width + 10, 15);
    pen.globalAlpha = 1;
    pen.fillStyle = colour.soft;
    pen.fillText(text, 6, y + 2);
    pen.font = '12px system-ui, sans-serif';
  }

  function track(y, width, x, colour) {
    const { numbers: values, bin, offset, name } = view.track;
    const shown = [...values.keys()].filter((k) => x(offset + (k + 1) * bin) > 0 && x(offset + k * bin) < width);
    let high = 0;
    let low = 0;
    // Not Math.max(...values): a call takes no more than about 100,000 arguments.
    for (const k of shown) {
      high = Math.max(high, values[k]);
      low = Math.min(low, values[k]);
    }
    const tall = TRACK - 16;
    const scale = tall / Math.max(high - low, 1e-30);
    const zero = y + 16 + high * scale;
    pen.fillStyle = colour.bar;
    for (const k of shown) {
      const a = Math.max(x(offset + k * bin), 0);
      const b = Math.min(x(offset + (k + 1) * bin), width);
      const size = values[k] * scale;
      pen.fillRect(a, zero - Math.max(size, 0), b - a + 0.5, Math.max(Math.abs(size), 0.5));
    }
    drawn.bins = shown.length;
    title(`predicted ${name}, ${digits(low, 2)} to ${digits(high, 2)}`, y, colour);
  }

  function contributions(y, width, step, x, colour) {
    const first = Math.floor(from);
    const last = Math.min(view.numbers.length, Math.ceil(to));
    let high = 0;
    let low = 0;
    for (let i = first; i < last; i++) {
      high = Math.max(high, view.numbers[i]);
      low = Math.min(low, view.numbers[i]);
    }
    const scale = (BASES - 16) / Math.max(high - low, 1e-30);
    const zero = y + 16 + high * scale;
    for (let i = first; i < last; i++) {
      const size = view.numbers[i] * scale;
      const base = view.letters[i];
      if (Math.abs(size) < 0.3 || base === 'N') {
        continue;
      }
      pen.fillStyle = colour[base];
      if (step < 5) {
        drawn.bars++;
        pen.fillRect(x(i), zero - Math.max(size, 0), Math.max(step, 1), Math.abs(size));
        continue;
      }
      drawn.letters++;
      pen.save();
      pen.translate(x(i) + 0.4, zero - size);
      pen.scale(step - 0.8, size);
      pen.fill(glyphs[base]);
      pen.restore();
    }
    pen.fillStyle = colour.soft;
    pen.fillRect(0, zero, width, 1);
    title(`contribution, ${digits(low, 2)} to ${digits(high, 2)}`, y, colour);
  }

  const label = ([pattern, strand]) => data.patterns[pattern].name + (strand === '-' ? ' \u2190' : ' \u2192');

  function instance({ a, b, row, fits, rest }, y, colour) {
    const at = y + LANE * row;
    pen.fillStyle = data.patterns[rest[0]].raises ? colour.raises : colour.lowers;
    pen.fillRect(a, at, b - a, 4);
    if (fits) {
      pen.fillStyle = colour.ink;
      pen.fillText(label(rest), Math.max(a, 1), at + 5);
    }
  }

  function drawGene({ a, b, row, fits, rest: [name, strand, exons] }, y, width, x, colour) {
    const at = y + GENE * row;
    const left = Math.max(a, 0);
    const right = Math.min(b, width);
    pen.fillStyle = colour.link;
    pen.fillRect(left, at + 4, right - left, 1);
    for (const [start, end] of exons) {
      pen.fillRect(x(start - view.start), at + 1, Math.max(x(end - view.start) - x(start - view.start), 1), 7);
    }
    if (!exons.length) {
      pen.fillRect(left, at + 2, right - left, 5);
    }
    if (!fits) {
      return;
    }
    const text = strand === '-' ? `\u2190 ${name}` : name + (strand === '+' ? ' \u2192' : '');
    pen.fillStyle = colour.ink;
    pen.fillText(text, Math.min(left + 1, width - pen.measureText(text).width), at + 9);
  }

  function tell(items, genes) {
    const where = `${view.chrom}:${place(view.start + Math.round(from) + 1)}\u2013${place(view.start + Math.round(to))}`;
    const said = [
      where,
      `explained value ${digits(view.prediction, 4)}`,
      `sum of contributions ${digits(view.total, 4)}`,
    ];
    if (view.more_genes) {
      said.push(`${view.genes.length} of ${view.genes.length + view.more_genes} genes`);
    }
    $('#where').textContent = said.join(' \u00b7 ');
    const counts = [`${items.length} instances of patterns`];
    if (view.genes) {
      counts.push(`genes: ${genes.length}`);
    }
    counts.push(`${drawn.letters} letters`, `${drawn.bins} bins of the predicted track`);
    canvas.setAttribute('aria-label', `${where}: ${counts.join(', ')}`);
  }

  // What lies under the pointer, in words.
  function under(px) {
    const i = Math.floor(from + (px * (to - from)) / canvas.clientWidth);
    const parts = [];
    if (!(i >= 0 && i < view.numbers.length)) {
      return '';
    }
    parts.push(
      `${view.chrom}:${place(view.start + i + 1)} ${view.letters[i]} contribution ${digits(view.numbers[i], 3)}`,
    );
    if (view.track) {
      const k = Math.floor((i - view.track.offset) / view.track.bin);
      const value = view.track.numbers[k];
      if (value !== undefined) {
        parts.push(`predicted ${digits(value, 3)}`);
      }
    }
    for (const item of [...drawn.items, ...drawn.genes]) {
      if (item.start - view.start <= i && i < item.end - view.start) {
        parts.push(item.rest.length > 2 ? item.rest[0] : label(item.rest));
      }
    }
    return parts.join(' \u00b7 ');
  }

  function zoom(factor, centre = 0.5) {
    const length = view.numbers.length;
    const span = Math.min(length, Math.max(20, (to - from) * factor));
    const middle = from + (to - from) * centre;
    from = Math.min(Math.max(0, middle - span * centre), length - span);
    to = from + span;
    draw();
  }
  function move(bases) {
    const span = to - from;
    from = Math.min(Math.max(0, from + bases), view.numbers.length - span);
    to = from + span;
    draw();
  }
  $('#region').onchange = (event) => load(+event.target.value);
  $('#closer').onclick = () => zoom(0.5);
  $('#wider').onclick = () => zoom(2);
  $('#whole').onclick = () => zoom(Infinity);
  $('#left').onclick = () => move((from - to) / 3);
  $('#right').onclick = () => move((to - from) / 3);
  canvas.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey && !event.metaKey) {
        return;
      }
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, event.offsetX / canvas.clientWidth);
    },
    { passive: false },
  );
  let grip = null;
  canvas.onpointerdown = (event) => {
    grip = event.clientX;
    if (event.isTrusted) {
      canvas.setPointerCapture(event.pointerId);
    }
  };
  canvas.onpointermove = (event) => {
    const box = canvas.getBoundingClientRect();
    $('#under').textContent = under(event.clientX - box.left);
    if (grip === null) {
      return;
    }
    move(((grip - event.clientX) * (to - from)) / canvas.clientWidth);
    grip = event.clientX;
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    grip = null;
  };
  canvas.onpointerleave = () => {
    $('#under').textContent = '';
  };
  canvas.onkeydown = (event) => {
    const act = {
      ArrowLeft: () => move((from - to) / 10),
      ArrowRight: () => move((to - from) / 10),
      '+': () => zoom(0.5),
      '-': () => zoom(2),
    }[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  };
  for (const link of document.querySelectorAll('a[data-view]')) {
    link.addEventListener('click', () => load(+link.dataset.view, +link.dataset.at));
  }
  addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  matchMedia('print').addEventListener('change', draw);
  load(0);
})();
