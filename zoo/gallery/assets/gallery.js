// The list: search as `zoo search` ranks, and filters. Cards stand in the page; this puts the found ones first.
(() => {
  'use strict';
  const data = window.GALLERY;
  const $ = (id) => document.getElementById(id);
  const plain = (text) => text.toLowerCase().replace(/_/g, ' ');
  const count = (n, thing) => `${n.toLocaleString('en')} ${thing}${n === 1 ? '' : 's'}`;
  const FIRST = 30; // cards that are shown before somebody asks for all
  const LISTED = 8; // models of a group that a card names
  const OPEN = 6; // values of a filter before "more"

  const cards = [...$('cards').children];
  const models = data.models.map(([item, name, texts, facetRow, rank]) => ({
    item, name, plain: plain(name), texts, facetRow, rank, worth: 0,
  }));
  const facets = data.facetNames.map(([key, label, rule, values]) => ({ key, label, rule, values, chosen: new Set() }));
  let shown = FIRST;

  // ---- worth of a model for the words that were typed, as zoo/store/search.py has it

  const isLetter = (code) => (code > 47 && code < 58) || (code > 96 && code < 123);

  // 0: a whole word of the text, 1: at an end of one, 2: within one; 3: not in it
  const fit = (word, text) => {
    let best = 3;
    for (let at = text.indexOf(word); at >= 0 && best > 0; at = text.indexOf(word, at + 1)) {
      const before = at > 0 && isLetter(text.charCodeAt(at - 1));
      const end = at + word.length;
      const after = end < text.length && isLetter(text.charCodeAt(end));
      best = Math.min(best, before && after ? 2 : before || after ? 1 : 0);
    }
    return best;
  };

  // A word costs a look at each text, and each row of texts, once; models share rows.
  const known = new Map();
  const remembered = (word, make) => {
    let found = known.get(word);
    if (!found) {
      if (known.size > 300) {
        known.clear();
      }
      found = make();
      known.set(word, found);
    }
    return found;
  };

  const worths = data.places.map((place) => [...data.worth[place], 0]);
  const TARGET = data.places.indexOf('target');

  const worthOfRows = (fits) => {
    const found = new Uint8Array(data.texts.length);
    for (let r = 0; r < found.length; r += 1) {
      const row = data.texts[r];
      let worth = 0;
      for (let p = 0; p < row.length; p += 1) {
        for (let i = 0; i < row[p].length; i += 1) {
          const now = worths[p][fits[row[p][i]]];
          if (now > worth) {
            worth = now;
          }
        }
      }
      found[r] = worth;
    }
    return found;
  };

  const form = (word) =>
    remembered(word, () => {
      const strings = data.strings;
      const fits = new Uint8Array(strings.length);
      for (let i = 0; i < fits.length; i += 1) {
        fits[i] = fit(word, strings[i]);
      }
      return { text: word, fits, rows: worthOfRows(fits) };
    });

  const worthOf = (model, [own, ...others]) => {
    const inName = fit(own.text, model.plain);
    let worth = own.rows[model.texts];
    if (inName < 3) {
      worth = Math.max(worth, data.worth.name[inName]);
      if (model.plain.startsWith(own.text) || model.plain.includes(`/${own.text}`)) {
        worth = Math.max(worth, data.beginning);
      }
    }
    if (worth < data.alike && others.some((one) => one.rows[model.texts] > 0 || model.plain.includes(one.text))) {
      worth = data.alike;
    }
    return worth;
  };

  // Whether one text has all words, each whole: in one of its forms, as it is or as others write it.
  const hasAll = (words, fitOf) => words.every((forms) => forms.some((one) => fitOf(one) === 0));
  const together = (model, words) =>
    hasAll(words, (one) => fit(one.text, model.plain)) ||
    data.texts[model.texts][TARGET].some((string) => hasAll(words, (one) => one.fits[string]));

  const worth = (model, words) => {
    let total = 0;
    for (const forms of words) {
      const now = worthOf(model, forms);
      if (!now) {
        return 0;
      }
      total += now;
    }
    return words.length > 1 && together(model, words) ? total + data.together : total;
  };

  // ---- what is found

  const wordsOf = (text) =>
    text.split(/\s+/).filter(Boolean).map(plain).map((word) =>
      [word, ...(Object.hasOwn(data.also, word) ? data.also[word] : [])].map(form));

  // Of each row of facets: how many of the filters it does not pass, and which is the last of those.
  const missesOf = () => {
    const chosen = facets.map((facet) => (facet.chosen.size ? facet.chosen : null));
    return data.facets.map((row) => {
      let n = 0;
      let last = -1;
      chosen.forEach((wanted, f) => {
        if (wanted && !row[f].some((value) => wanted.has(value))) {
          n += 1;
          last = f;
        }
      });
      return { n, last };
    });
  };

  const countsOf = (perRow, misses) => {
    const counts = facets.map((facet) => new Int32Array(facet.values.length));
    data.facets.forEach((row, r) => {
      if (!perRow[r] || misses[r].n > 1) {
        return;
      }
      row.forEach((values, f) => {
        if (misses[r].n === 0 || f === misses[r].last) {
          values.forEach((value) => {
            counts[f][value] += perRow[r];
          });
        }
      });
    });
    return counts;
  };

  const find = () => {
    const words = wordsOf($('search').value);
    const misses = missesOf();
    const perRow = new Int32Array(data.facets.length);
    const found = [];
    for (const model of models) {
      model.worth = words.length ? worth(model, words) : 1;
      if (model.worth) {
        perRow[model.facetRow] += 1;
        if (misses[model.facetRow].n === 0) {
          found.push(model);
        }
      }
    }
    if (words.length) {
      found.sort((a, b) => b.worth - a.worth || a.rank - b.rank);
    }
    return { found, counts: countsOf(perRow, misses), words };
  };

  const byItem = (found) => {
    const items = new Map();
    for (const model of found) {
      if (!items.has(model.item)) {
        items.set(model.item, []);
      }
      items.get(model.item).push(model);
    }
    return items;
  };

  // ---- the page

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  const restOf = (model) => {
    const group = data.items[model.item][0];
    return model.name.startsWith(group) ? model.name.slice(group.length + 1) : model.name;
  };

  const linkTo = (model) => {
    const rest = restOf(model);
    const href = `${data.items[model.item][1]}#m-${rest.replace(/[^A-Za-z0-9._-]/g, '-')}`;
    return element('a', { href, textContent: rest });
  };

  const listed = (box, group) => {
    box.replaceChildren(...group.map((model) => element('li', {}, linkTo(model))));
  };

  // A card of a group: the first that were found, and all of them in a list that opens.
  const openGroup = (card, item, group, narrowed) => {
    const box = card.querySelector('.members');
    const [, href, n] = data.items[item];
    const parts = [];
    if (narrowed && group.length < n) {
      parts.push(element('p', { textContent: `${count(group.length, 'model')} of ${n.toLocaleString('en')} found:` }));
      const first = element('ul', { className: 'found' });
      listed(first, group.slice(0, LISTED));
      parts.push(first);
    }
    if (!narrowed || group.length > LISTED || group.length === n) {
      const all = element('ul', { className: 'all', tabIndex: 0 });
      const details = element(
        'details', {}, element('summary', { textContent: `List all ${count(group.length, 'model')}` }), all,
      );
      details.addEventListener('toggle', () => details.open && !all.children.length && listed(all, group));
      parts.push(details);
    }
    parts.push(element('a', { href: `${href}#models`, textContent: `Table of its ${count(n, 'model')}` }));
    box.replaceChildren(...parts);
  };

  // What has not changed is left alone: each change costs the browser a new layout.
  const set = (node, key, value) => {
    if (node[key] !== value) {
      node[key] = value;
    }
  };

  const drawFacets = (counts) => {
    facets.forEach((facet, f) => {
      let used = 0;
      facet.rows.forEach((row, v) => {
        const n = counts[f][v];
        const on = facet.chosen.has(v);
        used += n > 0 || on ? 1 : 0;
        set(row.label, 'hidden', !(n > 0 || on) || (used > OPEN && !facet.open && !on));
        set(row.box, 'checked', on);
        if (row.n !== n) {
          row.n = n;
          row.number.textContent = n.toLocaleString('en');
        }
      });
      set(facet.more, 'hidden', used <= OPEN);
      set(facet.more, 'textContent', facet.open ? 'fewer' : `${used - OPEN} more`);
      facet.more.setAttribute('aria-expanded', String(Boolean(facet.open)));
      set(facet.field, 'hidden', used < 2 && !facet.chosen.size);
    });
    const n = facets.reduce((sum, facet) => sum + facet.chosen.size, 0);
    set($('chosen'), 'textContent', n ? `(${n})` : '');
    set($('clear'), 'hidden', n === 0);
  };

  const draw = () => {
    const { found, counts, words } = find();
    const items = byItem(found);
    const narrowed = words.length > 0 || facets.some((facet) => facet.chosen.size > 0);
    const order = [...items.keys()];
    for (const item of order.slice(0, shown)) {
      if (data.items[item][3]) {
        openGroup(cards[item], item, items.get(item), narrowed);
      }
    }
    const wanted = order.slice(0, shown).map((item) => cards[item]);
    const there = $('cards').children;
    if (there.length !== wanted.length || wanted.some((card, i) => there[i] !== card)) {
      $('cards').replaceChildren(...wanted);
    }
    $('count').textContent = narrowed
      ? `${count(found.length, 'model')} on ${count(order.length, 'card')}`
      : `${count(models.length, 'model')} on ${count(order.length, 'card')}`;
    $('none').hidden = found.length > 0;
    $('more').hidden = order.length <= shown;
    $('more').textContent = `Show all ${count(order.length, 'card')}`;
    drawFacets(counts);
  };

  const makeFacets = () => {
    for (const facet of facets) {
      const list = element('div', { className: 'options' });
      facet.rows = facet.values.map((value, v) => {
        const box = element('input', { type: 'checkbox' });
        const number = element('span', { className: 'number' });
        const label = element('label', {}, box, element('span', { textContent: value }), number);
        box.addEventListener('change', () => {
          facet.chosen[box.checked ? 'add' : 'delete'](v);
          changed();
        });
        list.append(label);
        return { box, number, label, n: -1 };
      });
      facet.more = element('button', { type: 'button', className: 'quiet' });
      facet.more.addEventListener('click', () => {
        facet.open = !facet.open;
        draw();
      });
      facet.field = element(
        'fieldset', { title: facet.rule }, element('legend', { textContent: facet.label }), list, facet.more,
      );
      $('facets').append(facet.field);
    }
  };

  // ---- the address: a search can be sent to somebody

  const remember = () => {
    const address = new URLSearchParams();
    if ($('search').value.trim()) {
      address.set('q', $('search').value.trim());
    }
    for (const facet of facets) {
      for (const v of facet.chosen) {
        address.append(facet.key, facet.values[v]);
      }
    }
    const hash = address.toString();
    history.replaceState(null, '', hash ? `#${hash}` : `${location.pathname}${location.search}`);
  };

  const recall = () => {
    const address = new URLSearchParams(location.hash.slice(1));
    $('search').value = address.get('q') || '';
    for (const facet of facets) {
      facet.chosen = new Set(address.getAll(facet.key).map((value) => facet.values.indexOf(value)).filter((v) => v >= 0));
    }
  };

  let waiting = 0;
  const changed = () => {
    shown = FIRST;
    draw();
    clearTimeout(waiting); // browsers allow an address to change only so often
    waiting = setTimeout(remember, 300);
  };

  const clearFilters = () => {
    facets.forEach((facet) => facet.chosen.clear());
    changed();
  };

  // ---- what is chosen to be compared

  const picks = cards.map((card) => card.querySelector('.pick input')).filter(Boolean);
  const drawTray = () => {
    const chosen = picks.filter((box) => box.checked).map((box) => box.value);
    const address = new URLSearchParams(chosen.map((name) => ['m', name]));
    $('tray').hidden = !chosen.length;
    $('compare').href = `compare.html#${address}`;
    $('compare').textContent = `Compare ${count(chosen.length, 'model')}`;
  };

  makeFacets();
  recall();
  $('search').addEventListener('input', changed);
  $('clear').addEventListener('click', () => {
    clearFilters();
    $('search').focus();
  });
  $('reset').addEventListener('click', () => {
    $('search').value = '';
    clearFilters();
    $('search').focus();
  });
  $('more').addEventListener('click', () => {
    const next = shown;
    shown = cards.length;
    draw();
    const first = $('cards').children[next];
    (first && first.querySelector('a'))?.focus();
  });
  addEventListener('hashchange', () => {
    recall();
    shown = FIRST;
    draw();
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest && event.target.closest('input, textarea, select');
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      $('search').focus();
    }
  });
  picks.forEach((box) => {
    box.closest('.pick').hidden = false;
    box.addEventListener('change', drawTray);
  });
  $('empty').addEventListener('click', () => {
    picks.forEach((box) => {
      box.checked = false;
    });
    drawTray();
    $('search').focus();
  });
  if (matchMedia('(max-width: 900px)').matches) {
    $('narrow').open = false;
  }
  $('find').hidden = false;
  $('filters').hidden = false;
  $('browse').classList.add('with-filters');
  draw();
  drawTray();

  // While nobody types: the first letter of a search is the slowest, since most texts have it.
  const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 50));
  const prepare = () => {
    const letter = letters.shift();
    if (letter) {
      const words = wordsOf(letter);
      models.forEach((model) => worth(model, words));
      idle(prepare);
    }
  };
  idle(prepare);
})();
