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
  const { CanvasPen, SvgPen, colours, measure, savePng, saveSvg } = window.pictures;
  const RULER = 22;
  const TRACK = 64;
  const BASES = 150;
  const LANE = 20;
  const GENE = 22;
  const GAP = 14;
  const ROWS = 4;
  const HEAD = 18; // of a lane: its title
  const NEAR = 90; // bp around an instance
  const OPENING = 130;
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
  // Room for the numbers of the axes.
  const margin = () => (canvas.clientWidth < 600 ? 44 : 58);

  function load(index, at, span = NEAR) {
    view = data.views[index];
    view.numbers = view.numbers || numbers(view);
    if (view.track) {
      view.track.numbers = view.track.numbers || numbers(view.track);
    }
    from = 0;
    to = view.numbers.length;
    if (at !== undefined) {
      from = Math.max(0, Math.min(at - view.start - Math.round(0.45 * span), to - span));
      to = Math.min(to, from + span);
    }
    $('#region').value = index;
    draw();
  }

  const turned = () => document.body.classList.contains('turned');
  const label = ([pattern, strand]) =>
    data.patterns[pattern].name.replace(/^-/, '\u2212') + ((strand === '-') !== turned() ? ' \u2190' : ' \u2192');

  // Each interval with a row for its words, the first ones of the list first; what finds no room has none.
  function placed(list, x, width, words) {
    const rows = Array.from({ length: ROWS }, () => []);
    return list.map(([start, end, ...rest]) => {
      const a = Math.max(x(start - view.start), margin());
      const b = Math.max(Math.min(x(end - view.start), width), a + 2);
      const room = measure(words(rest), 12, true);
      const left = Math.max(margin(), Math.min(a, width - room - 2));
      const row = rows.findIndex((taken) => taken.every(([l, r]) => left > r + 6 || left + room < l - 6));
      const fits = row >= 0;
      if (fits) {
        rows[row].push([left, Math.max(left + room, b)]);
      }
      return { a, b, left, row: Math.max(row, 0), fits, start, end, rest };
    });
  }

  function layout(width) {
    const step = (width - margin()) / (to - from);
    const x = (i) => margin() + (i - from) * step;
    const seen = (list) => (list || []).filter(([start, end]) => end > view.start + from && start < view.start + to);
    const strongest = seen(view.items).sort((a, b) => Math.abs(b[4]) - Math.abs(a[4]));
    const items = placed(strongest, x, width, (rest) => label(rest));
    const genes = placed(seen(view.genes), x, width, (rest) => `${rest[0]} \u2192`);
    const high = (list) => Math.max(1, ...list.map((item) => item.row + 1));
    const top = { track: RULER, bases: RULER + (view.track ? TRACK + GAP : 0) };
    top.items = top.bases + BASES + GAP;
    top.genes = top.items + LANE * high(items) + (view.genes ? GAP : 0);
    const height = top.genes + (view.genes ? GENE * high(genes) : 0) + 6;
    return { width, height, step, x, items, genes, top };
  }

  function draw() {
    const plan = layout(canvas.clientWidth);
    canvas.style.height = `${plan.height}px`;
    paint(new CanvasPen(canvas, plan.height, devicePixelRatio || 1), plan, colours());
    tell(plan.items, plan.genes);
  }

  function paint(pen, plan, colour) {
    const { width, height, items, genes, top } = plan;
    pen.rect(0, 0, width, height, colour.bg);
    drawn = { letters: 0, bars: 0, items, genes, top, bins: 0 };
    ruler(pen, plan, colour);
    if (view.track) {
      track(pen, top.track, plan, colour);
    }
    contributions(pen, top.bases, plan, colour);
    for (const item of items) {
      instance(pen, item, top.items, colour);
    }
    for (const gene of genes) {
      drawGene(pen, gene, top.genes, plan, colour);
    }
  }

  function ruler(pen, { width, height, step }, colour) {
    const least = 90 / step;
    const power = 10 ** Math.floor(Math.log10(least));
    const size = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= least);
    for (let k = Math.ceil((view.start + from + 1) / size) * size; k <= view.start + to; k += size) {
      const at = margin() + (k - 0.5 - view.start - from) * step;
      const text = place(k);
      const half = measure(text) / 2;
      pen.rect(at, RULER - 4, 1, height - RULER, colour.line);
      if (at > half && at < width - half) {
        pen.text(text, at - half, 3, colour.soft);
      }
    }
  }

  // The scale of a lane: lines at round numbers, and the numbers beside them; the unit stands in the title.
  function axis(pen, y, tall, low, high, { width }, colour) {
    const lines = tall > 100 ? 5 : 3;
    const span = Math.max(high - low, 1e-30);
    const power = 10 ** Math.floor(Math.log10(span / lines));
    const size = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= span / lines);
    const at = (value) => y + HEAD + ((high - value) / span) * (tall - HEAD);
    for (let k = Math.ceil(low / size); k * size <= high; k++) {
      const digit = Math.max(0, -Math.floor(Math.log10(size)));
      const value = k * size;
      const text = (digit > 4 ? value.toExponential(0) : value.toFixed(digit)).replace('-', '\u2212');
      pen.rect(margin() - 4, at(value), width - margin() + 4, 1, k ? colour.line : colour.soft);
      pen.text(text, margin() - 8 - measure(text, 11), at(value) - 6, colour.soft, 11);
    }
    return at;
  }

  function title(pen, text, unit, y, { width }, colour) {
    const whole = unit ? `${text} (${unit})` : text;
    const said = measure(whole, 11) < width - margin() - 12 ? whole : text;
    pen.rect(margin(), y, measure(said, 11) + 8, 15, colour.bg, 0.85);
    pen.text(said, margin() + 4, y + 2, colour.soft, 11);
  }

  function track(pen, y, plan, colour) {
    const { numbers: values, bin, offset, name } = view.track;
    const { x, width } = plan;
    const shown = [...values.keys()].filter((k) => x(offset + (k + 1) * bin) > margin() && x(offset + k * bin) < width);
    let high = 0;
    let low = 0;
    // Not Math.max(...values): a call takes no more than about 100,000 arguments.
    for (const k of shown) {
      high = Math.max(high, values[k]);
      low = Math.min(low, values[k]);
    }
    const at = axis(pen, y, TRACK, low, high, plan, colour);
    for (const k of shown) {
      const a = Math.max(x(offset + k * bin), margin());
      const b = Math.min(x(offset + (k + 1) * bin), width);
      const size = at(0) - at(values[k]);
      pen.rect(a, at(0) - Math.max(size, 0), b - a + 0.5, Math.max(Math.abs(size), 0.5), colour.bar);
    }
    drawn.bins = shown.length;
    title(pen, `predicted ${name}`, '', y, plan, colour);
  }

  function contributions(pen, y, plan, colour) {
    const { step, x } = plan;
    const first = Math.floor(from);
    const last = Math.min(view.numbers.length, Math.ceil(to));
    let high = 0;
    let low = 0;
    for (let i = first; i < last; i++) {
      high = Math.max(high, view.numbers[i]);
      low = Math.min(low, view.numbers[i]);
    }
    const at = axis(pen, y, BASES, low, high, plan, colour);
    for (let i = first; i < last; i++) {
      const size = at(0) - at(view.numbers[i]);
      const base = view.letters[i];
      if (Math.abs(size) < 0.3 || base === 'N') {
        continue;
      }
      if (step < 5) {
        drawn.bars++;
        pen.rect(x(i), at(0) - Math.max(size, 0), Math.max(step, 1), Math.abs(size), colour[base]);
        continue;
      }
      drawn.letters++;
      pen.letter(base, x(i) + 0.4, at(0) - size, step - 0.8, size, colour[base]);
    }
    title(pen, 'contribution', data.units, y, plan, colour);
  }

  function instance(pen, { a, b, left, row, fits, rest }, y, colour) {
    const at = y + LANE * row;
    const { raises, known } = data.patterns[rest[0]];
    pen.rect(a, at, b - a, 4, raises ? colour.raises : colour.lowers, known ? 1 : 0.55);
    if (fits) {
      pen.text(label(rest), left, at + 5, known ? colour.ink : colour.soft, 12, known);
    }
  }

  function drawGene(pen, { a, b, left, row, fits, rest: [name, strand, exons] }, y, { x, width }, colour) {
    const at = y + GENE * row;
    pen.rect(a, at + 4, b - a, 1, colour.link);
    for (const [start, end] of exons) {
      const l = Math.max(x(start - view.start), margin());
      const r = Math.min(x(end - view.start), width);
      if (r > l) {
        pen.rect(l, at + 1, Math.max(r - l, 1), 7, colour.link);
      }
    }
    if (!exons.length) {
      pen.rect(a, at + 2, b - a, 5, colour.link);
    }
    if (!fits) {
      return;
    }
    const text = strand === '-' ? `\u2190 ${name}` : name + (strand === '+' ? ' \u2192' : '');
    pen.text(text, left, at + 9, colour.soft);
  }

  // The picture as a file: 1,000 wide, in the colours of a light page.
  function picture() {
    const plan = layout(Math.max(canvas.clientWidth, 1000));
    const pen = new SvgPen();
    const kept = drawn;
    paint(pen, plan, colours($('#light')));
    drawn = kept;
    return pen.done(plan.width, plan.height);
  }
  const called = () => `${view.name}-${view.chrom}-${view.start + Math.round(from) + 1}`.replace(/[^\w.-]+/g, '-');
  $('#regionsvg').onclick = () => saveSvg(picture(), called());
  $('#regionpng').onclick = () => savePng(picture(), called());

  const counted = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;

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
    const counts = [`${counted(items.length, 'instance')} of patterns`];
    if (view.genes) {
      counts.push(`genes: ${genes.length}`);
    }
    counts.push(counted(drawn.letters, 'letter'), `${counted(drawn.bins, 'bin')} of the predicted track`);
    canvas.setAttribute('aria-label', `${where}: ${counts.join(', ')}`);
  }

  // What lies under the pointer, in words.
  function under(px) {
    const wide = canvas.clientWidth - margin();
    const i = Math.floor(from + ((px - margin()) * (to - from)) / wide);
    const parts = [];
    if (px < margin() || !(i >= 0 && i < view.numbers.length)) {
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
      const wide = canvas.clientWidth - margin();
      zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, Math.max(0, event.offsetX - margin()) / wide);
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
    move(((grip - event.clientX) * (to - from)) / (canvas.clientWidth - margin()));
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
  addEventListener('turned', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  matchMedia('print').addEventListener('change', draw);
  const opening = data.opening;
  if (opening) {
    load(opening.view, Math.round((opening.start + opening.end) / 2), canvas.clientWidth < 600 ? 60 : OPENING);
  } else {
    load(0);
  }
})();
