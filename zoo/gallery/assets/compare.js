// The comparison: of the tables that stand in the page, those rows, tables and metrics that were asked for.
(() => {
  'use strict';
  const box = document.getElementById('choose');
  if (!box) {
    return;
  }
  const metric = document.getElementById('metric');
  const sections = [...document.querySelectorAll('section.shared')];
  const rows = [...document.querySelectorAll('tr[data-model]')]; // of the charts, and of the table of facts
  const names = [...new Set(rows.map((row) => row.dataset.model))].sort();
  const chosen = new Set();

  const options = names.map((name) => {
    const input = Object.assign(document.createElement('input'), { type: 'checkbox' });
    const label = document.createElement('label');
    label.append(input, Object.assign(document.createElement('span'), { textContent: name }));
    input.addEventListener('change', () => {
      chosen[input.checked ? 'add' : 'delete'](name);
      draw();
      remember();
    });
    document.getElementById('options').append(label);
    return { name, input };
  });

  const draw = () => {
    const all = chosen.size === names.length;
    rows.forEach((row) => {
      row.hidden = !chosen.has(row.dataset.model);
    });
    let n = 0;
    for (const section of sections) {
      const here = new Set();
      for (const figure of section.querySelectorAll('figure')) {
        const left = [...figure.querySelectorAll('tr[data-model]')].filter((row) => !row.hidden);
        figure.hidden = left.length === 0;
        left.forEach((row) => here.add(row.dataset.model));
      }
      section.hidden = here.size < 2 || (metric.value !== '' && metric.value !== section.querySelector('h2').id);
      n += section.hidden ? 0 : 1;
    }
    options.forEach(({ name, input }) => {
      input.checked = chosen.has(name);
    });
    document.getElementById('said').textContent = all ? `(all ${names.length})` : `(${chosen.size} of ${names.length})`;
    document.getElementById('none').hidden = n > 0;
  };

  const remember = () => {
    const address = new URLSearchParams(chosen.size === names.length ? [] : [...chosen].map((name) => ['m', name]));
    if (metric.value) {
      address.set('metric', metric.value);
    }
    history.replaceState(null, '', `#${address}`);
  };

  const recall = () => {
    const hash = location.hash.slice(1);
    const address = new URLSearchParams(hash.includes('=') ? hash : '');
    const asked = address.getAll('m').filter((name) => names.includes(name));
    chosen.clear();
    // Nothing was asked for by name, or nothing that is here: all.
    (address.has('m') ? asked : names).forEach((name) => chosen.add(name));
    metric.value = address.get('metric') || '';
    draw();
  };

  const choose = (wanted) => {
    chosen.clear();
    wanted.forEach((name) => chosen.add(name));
    draw();
    remember();
  };

  metric.addEventListener('change', () => {
    draw();
    remember();
  });
  document.getElementById('every').addEventListener('click', () => choose(names));
  document.getElementById('nobody').addEventListener('click', () => choose([]));
  addEventListener('hashchange', recall);
  box.hidden = false;
  recall();
})();
