// What pictures are drawn with and saved by: one pen for the canvas of the page, one that writes SVG, and the way of a
// picture into a file, without a network.
(() => {
  'use strict';
  const $ = (s) => document.querySelector(s);
  const shapes = JSON.parse($('#shapes').textContent);
  const NAMES = ['A', 'C', 'G', 'T', 'ink', 'soft', 'line', 'bar', 'link', 'raises', 'lowers', 'bg'];
  const SCALE = 3;

  // The page's colours; those of an element of class light are the same in the dark: pictures are saved in them.
  function colours(element = document.documentElement) {
    const style = getComputedStyle(element);
    return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  const font = (size) => `${size}px system-ui, sans-serif`;

  class CanvasPen {
    constructor(canvas, height, ratio) {
      this.pen = canvas.getContext('2d');
      canvas.width = canvas.clientWidth * ratio;
      canvas.height = height * ratio;
      this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.pen.textBaseline = 'top';
      this.glyphs = Object.fromEntries(Object.entries(shapes).map(([base, path]) => [base, new Path2D(path)]));
    }
    rect(x, y, width, height, colour, alpha = 1) {
      this.pen.globalAlpha = alpha;
      this.pen.fillStyle = colour;
      this.pen.fillRect(x, y, width, height);
      this.pen.globalAlpha = 1;
    }
    text(text, x, y, colour, size = 12, bold = false) {
      this.pen.font = (bold ? '600 ' : '') + font(size);
      this.pen.fillStyle = colour;
      this.pen.fillText(text, x, y);
    }
    letter(base, x, y, width, height, colour) {
      this.pen.save();
      this.pen.fillStyle = colour;
      this.pen.translate(x, y);
      this.pen.scale(width, height);
      this.pen.fill(this.glyphs[base]);
      this.pen.restore();
    }
  }

  const escaped = (text) =>
    String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
  const end = (tag) => `<${'/'}${tag}>`; // no script may hold what ends one
  const n = (value) => +value.toFixed(2);
  const opened = (width, height, box) =>
    `<svg xmlns="${$('svg').namespaceURI}" width="${n(width)}" height="${n(height)}" viewBox="0 0 ${box}"`;

  class SvgPen {
    constructor() {
      this.parts = [];
    }
    rect(x, y, width, height, colour, alpha = 1) {
      const faint = alpha < 1 ? ` fill-opacity="${alpha}"` : '';
      this.parts.push(
        `<rect x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" fill="${colour}"${faint}/>`,
      );
    }
    text(text, x, y, colour, size = 12, bold = false) {
      this.parts.push(
        `<text x="${n(x)}" y="${n(y + 0.82 * size)}" fill="${colour}" font-family="sans-serif" font-size="${size}"` +
          `${bold ? ' font-weight="600"' : ''}>${escaped(text)}${end('text')}`,
      );
    }
    letter(base, x, y, width, height, colour) {
      const matrix = `matrix(${n(width)} 0 0 ${n(height)} ${n(x)} ${n(y)})`;
      this.parts.push(`<path d="${shapes[base]}" fill="${colour}" transform="${matrix}"/>`);
    }
    done(width, height) {
      return `${opened(width, height, `${n(width)} ${n(height)}`)}>${this.parts.join('')}${end('svg')}`;
    }
  }

  const ruler = document.createElement('canvas').getContext('2d');
  function measure(text, size = 12, bold = false) {
    ruler.font = (bold ? '600 ' : '') + font(size);
    return ruler.measureText(text).width;
  }

  // A logo of the page as a file of its own: letters as paths, no style and no reference.
  function logoAsSvg(logo) {
    const colour = colours($('#light'));
    const { width, height } = logo.viewBox.baseVal;
    const parts = [...logo.children].map((child) => {
      if (child.tagName !== 'use') {
        return `<path d="${child.getAttribute('d')}" stroke="${colour.soft}" stroke-width="0.3" fill="none"/>`;
      }
      const glyph = $(`${child.getAttribute('href')} path`);
      const turned = glyph.getAttribute('transform');
      return (
        `<g transform="${child.getAttribute('transform')}"><path d="${glyph.getAttribute('d')}"` +
        `${turned ? ` transform="${turned}"` : ''} fill="${colour[glyph.className.baseVal[1]]}"/>${end('g')}`
      );
    });
    const mirror = document.body.classList.contains('turned') ? `matrix(-1 0 0 1 ${width} 0)` : 'matrix(1 0 0 1 0 0)';
    const start = opened(width * 2.4, height * 2.4, `${width} ${height}`);
    return `${start} preserveAspectRatio="none"><g transform="${mirror}">${parts.join('')}${end('g')}${end('svg')}`;
  }

  function save(blob, name) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function saveSvg(text, name) {
    save(new Blob([text], { type: 'image/svg+xml' }), `${name}.svg`);
  }

  // The same picture in pixels, three for one, on white.
  function savePng(text, name) {
    const image = new Image();
    const address = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }));
    image.onload = () => {
      const canvas = document.createElement('canvas');
      canvas.width = image.width * SCALE;
      canvas.height = image.height * SCALE;
      const pen = canvas.getContext('2d');
      pen.fillStyle = '#fff';
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(blob, `${name}.png`));
      URL.revokeObjectURL(address);
    };
    image.src = address;
  }

  const safe = (text) => text.replace(/[^\w.]+/g, '-');

  // What a logo's file is called: as its figure says, else by pattern and caption.
  function nameOf(figure, section, row) {
    if (figure.dataset.file) {
      return safe(figure.dataset.file);
    }
    const owner = section ? section.id : row.querySelector('th a').hash.slice(1);
    const what = safe(figure.querySelector('figcaption').textContent.split(',')[0]);
    return `${owner}-${what}${section ? '-whole' : ''}`;
  }

  // Buttons that save each logo. Those of the table of patterns are for the pointer alone, so that the keyboard reaches
  // the next row; a section has the same logos, whole, with buttons for both.
  for (const figure of document.querySelectorAll('figure')) {
    const logo = figure.querySelector('.logo');
    const section = figure.closest('.motif');
    const row = figure.closest('tr');
    if (!logo || !(section || row)) {
      continue;
    }
    const name = nameOf(figure, section, row);
    const buttons = document.createElement('span');
    buttons.className = 'save';
    for (const [kind, write] of [
      ['SVG', saveSvg],
      ['PNG', savePng],
    ]) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = kind;
      button.setAttribute('aria-label', `Save this logo as ${kind}`);
      button.tabIndex = section || figure.dataset.file ? 0 : -1;
      button.onclick = () => write(logoAsSvg(logo), name);
      buttons.append(button);
    }
    figure.append(buttons);
  }

  window.pictures = { CanvasPen, SvgPen, colours, logoAsSvg, measure, save, savePng, saveSvg };
})();
