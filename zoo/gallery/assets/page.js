// A model's page: texts to copy, and the filter of a group's table. Without this all of it can be read.
(() => {
  'use strict';

  // Clipboards of pages on disk are closed to scripts in some browsers: then the text is marked, and Ctrl-C copies it.
  const select = (text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };

  for (const button of document.querySelectorAll('.copy')) {
    const text = document.getElementById(button.dataset.copy);
    const label = button.firstChild.textContent;
    button.hidden = false;
    button.addEventListener('click', async () => {
      let said = 'Copied';
      try {
        await navigator.clipboard.writeText(text.textContent);
      } catch {
        select(text);
        said = document.execCommand('copy') ? 'Copied' : 'Marked: press Ctrl-C';
      }
      button.firstChild.textContent = said;
      setTimeout(() => {
        button.firstChild.textContent = label;
      }, 2000);
    });
  }

  const box = document.getElementById('filter');
  if (!box) {
    return;
  }
  const table = document.getElementById('members');
  const rows = [...table.querySelectorAll('tbody tr')];

  // Commands for another model of the group: the one that is typed, or whose row the address names.
  const which = document.getElementById('which');
  const names = new Map(rows.map((row) => [row.id, table.dataset.prefix + row.cells[0].textContent]));
  const codes = [...document.querySelectorAll('.snippets code')].map((code) => [code, code.textContent]);
  const first = which.value;
  const use = (name) => {
    which.value = name;
    codes.forEach(([code, text]) => {
      code.textContent = text.replaceAll(first, name);
    });
  };
  const follow = () => {
    const name = names.get(decodeURIComponent(location.hash.slice(1)));
    if (name) {
      use(name);
    }
  };
  const known = new Set(names.values());
  which.addEventListener('input', () => known.has(which.value) && use(which.value));
  which.addEventListener('change', () => known.has(which.value) || use(first));
  document.getElementById('names').append(...[...known].map((value) => Object.assign(new Option(), { value })));
  document.getElementById('which-bar').hidden = false;
  addEventListener('hashchange', follow);
  follow();
  const texts = rows.map((row) => row.textContent.toLowerCase().replace(/_/g, ' '));
  const shown = document.getElementById('shown');
  const draw = () => {
    const words = box.value.toLowerCase().replace(/_/g, ' ').split(/\s+/).filter(Boolean);
    let n = 0;
    rows.forEach((row, i) => {
      const found = words.every((word) => texts[i].includes(word));
      row.hidden = !found;
      n += found ? 1 : 0;
    });
    shown.textContent = words.length ? `${n.toLocaleString('en')} of ${rows.length.toLocaleString('en')}` : '';
  };
  box.addEventListener('input', draw);
  document.getElementById('filter-bar').hidden = false;
})();
