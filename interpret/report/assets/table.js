// The table: sorting, filters, the other strand, downloads, sections that unfold.
(() => {
  'use strict';
  const $ = (s) => document.querySelector(s);
  const $$ = (s) => [...document.querySelectorAll(s)];
  const rows = $$('#motifs tbody tr');
  const shapes = Object.fromEntries([...'ACGT'].map((base) => [base, $(`#g${base} path`).getAttribute('d')]));

  for (const head of $$('#motifs th[data-key]')) {
    head.firstElementChild.onclick = () => {
      const key = head.dataset.key;
      const number = head.dataset.kind === 'number';
      const up = head.getAttribute('aria-sort') !== 'ascending';
      for (const other of $$('#motifs th[aria-sort]')) {
        other.removeAttribute('aria-sort');
      }
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const value = (row) => (number ? +row.dataset[key] : row.dataset[key]);
      const order = (a, b) => {
        const x = value(a);
        const y = value(b);
        return x < y ? -1 : x > y ? 1 : 0;
      };
      const lacks = (row) => number && isNaN(value(row));
      rows.sort(
        (a, b) => lacks(a) - lacks(b) || (up ? order(a, b) : order(b, a)) || a.dataset.pattern - b.dataset.pattern,
      );
      $('#motifs tbody').append(...rows);
    };
  }

  function filter() {
    // Names are shown with a real minus sign.
    const words = $('#search').value.trim().toLowerCase().replaceAll('\u2212', '-').split(/\s+/);
    const kind = $('#kind').value;
    let shown = 0;
    for (const row of rows) {
      const fits =
        kind === 'all' ||
        row.dataset.sign === kind ||
        (kind === 'matched' && row.dataset.matched === '1') ||
        (kind === 'unmatched' && row.dataset.matched === '0');
      row.hidden = !(fits && words.every((word) => row.dataset.words.includes(word)));
      shown += !row.hidden;
    }
    $('#count').textContent = shown === rows.length ? `${shown} patterns` : `${shown} of ${rows.length} patterns`;
  }
  if ($('#search')) {
    $('#search').oninput = $('#kind').onchange = filter;
    filter();
  }

  if ($('#turn')) {
    $('#turn').onclick = (event) => {
      const on = document.body.classList.toggle('turned');
      event.target.setAttribute('aria-pressed', on);
      const drawn = $$('.glyphs path');
      for (const [i, base] of [...'ACGT'].entries()) {
        const path = drawn[i].cloneNode();
        path.setAttribute('d', shapes[on ? 'TGCA'[i] : base]);
        path.setAttribute('class', `n${on ? 'TGCA'[i] : base}`);
        if (on) {
          path.setAttribute('transform', 'matrix(-1 0 0 1 1 0)');
        } else {
          path.removeAttribute('transform');
        }
        $(`#g${base}`).replaceChildren(path);
      }
    };
  }

  for (const button of $$('[data-download]')) {
    button.onclick = () => {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(
        new Blob([$(`#${button.dataset.download}`).content.textContent], { type: 'text/plain' }),
      );
      link.download = button.dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    };
  }

  function unfold() {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === 'DETAILS') {
      target.open = true;
      target.scrollIntoView();
    }
  }
  addEventListener('hashchange', unfold);
  for (const link of $$('#motifs tbody th a, a[href="#card"]')) {
    link.addEventListener('click', () => setTimeout(unfold));
  }
  unfold();

  // Folded sections are printed open.
  let opened = [];
  addEventListener('beforeprint', () => {
    opened = $$('details.motif:not([open])');
    for (const section of opened) {
      section.open = true;
    }
  });
  addEventListener('afterprint', () => {
    for (const section of opened) {
      section.open = false;
    }
  });
})();
