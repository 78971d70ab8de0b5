// The table: sorting, filters, the other strand, downloads, help, sections that unfold.
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
      for (const one of $$('#motifs th[aria-sort]')) {
        one.removeAttribute('aria-sort');
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
        row.dataset.grade === kind;
      row.hidden = !(fits && words.every((word) => row.dataset.words.includes(word)));
      shown += !row.hidden;
    }
    $('#count').textContent = `${shown === rows.length ? '' : `${shown} of `}${rows.length} pattern${rows.length === 1 ? '' : 's'}`;
  }
  if ($('#search')) {
    $('#search').oninput = $('#kind').onchange = filter;
    filter();
  }

  const other = (text) =>
    [...text]
      .reverse()
      .map((base) => 'TGCAtgca'['ACGTacgt'.indexOf(base)] || base)
      .join('');
  if ($('#turn')) {
    $('#turn').onclick = (event) => {
      const on = document.body.classList.toggle('turned');
      for (const item of $$('.seq')) {
        item.textContent = other(item.textContent);
      }
      for (const item of $$('.strand')) {
        item.textContent = item.textContent === '+' ? '\u2212' : '+';
      }
      dispatchEvent(new Event('turned'));
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
      const text = $(`#${button.dataset.download}`).content.textContent;
      window.pictures.save(new Blob([text], { type: 'text/plain' }), button.dataset.file);
    };
  }

  // What an element is described by, beside it while the pointer or the focus is there. The words stand once in the page.
  const tip = $('#tip');
  function show(item) {
    const text = item.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id));
    tip.textContent = text.map((part) => (part ? part.textContent : '')).join(' ');
    tip.hidden = !tip.textContent;
    const at = item.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - size.width - 8))}px`;
    tip.style.top = `${at.bottom + size.height + 12 < innerHeight ? at.bottom + 6 : at.top - size.height - 6}px`;
  }
  const hide = () => {
    tip.hidden = true;
  };
  for (const item of $$('[aria-describedby]')) {
    // A link's own focus shows what its words are described by.
    const focused = item.closest('a') || item;
    item.addEventListener('mouseenter', () => show(item));
    item.addEventListener('mouseleave', hide);
    focused.addEventListener('focus', () => show(item));
    focused.addEventListener('blur', hide);
  }
  addEventListener('keydown', (event) => event.key === 'Escape' && hide());
  addEventListener('scroll', hide, { passive: true });

  function unfold() {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === 'DETAILS') {
      target.open = true;
      target.scrollIntoView();
    }
  }
  addEventListener('hashchange', unfold);
  for (const link of $$('a[data-section], a[href="#card"], .looked a')) {
    link.addEventListener('click', () => setTimeout(unfold));
  }
  unfold();

  // Lines break between words, not behind a hyphen: that of an option, of poly-A, of a motif's name.
  const word = (text) => Object.assign(document.createElement('span'), { textContent: text });
  for (const item of $$('.line, .command, .lead, #motifs th .weak')) {
    item.classList.add('words');
    item.replaceChildren(...item.textContent.split(/(\s+)/).map((text) => (text.trim() ? word(text) : text)));
  }

  // Commands are copied where the browser lets a page do so.
  for (const line of $$('.line, .command')) {
    const command = line.textContent;
    if (navigator.clipboard) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'copy';
      button.textContent = 'Copy';
      button.onclick = async () => {
        try {
          await navigator.clipboard.writeText(command);
          button.textContent = 'Copied';
        } catch {
          getSelection().selectAllChildren(line); // to be copied by hand
        }
        setTimeout(() => {
          button.textContent = 'Copy';
        }, 1500);
      };
      line.append(button);
    }
  }

  // The part of the page that is being read.
  const places = $$('nav a').map((link) => [link, document.getElementById(link.hash.slice(1))]);
  const seen = () => {
    const passed = places.filter(([, part]) => part.getBoundingClientRect().top < 120);
    for (const [link] of places) {
      link.removeAttribute('aria-current');
    }
    (passed.at(-1) || places[0])[0].setAttribute('aria-current', 'true');
  };
  addEventListener('scroll', seen, { passive: true });
  seen();

  // Folded sections are printed open.
  let opened = [];
  addEventListener('beforeprint', () => {
    opened = $$('details.motif:not([open]), #columns:not([open]), #rule:not([open])');
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
