// The list: search as `zoo search` ranks, and filters. Cards stand in the page; this puts the found ones first.
(() => {
  'use strict';
  const data = window.GALLERY;
  const $ = (id) => document.getElementById(id);
  const plain = (text) => text.toLowerCase().replace(/_/g, ' ');
  const count = (n, thing) => `${n.toLocaleString('en')} ${thing}${n === 1 ? '' : 's'}`;
  const FIRST = 60; // cards that are shown before somebody asks for all
  const LISTED = 8; // models of a group that a card names
  const OPEN = 6; // values of a filter before "more"

  const cards = [...$('cards').children];
  const models = data.models.map(([item, name, texts, facets, rank], i) => ({
    i, item, name, plain: plain(name), texts: data.texts[texts], facets: data.facets[facets], rank,
  }));
  const facets = data.facetNames.map(([key, label, rule, values]) => ({ key, label, rule, values, chosen: new Set() }));
  let shown = FIRST;

  // ---- worth of a model for the words that were typed, as zoo/store/search.py has it

  const isLetter = (code) => (code > 47 && code < 58) || (code > 96 && code < 123);

  // 0: a whole word of the text, 1: at an end of one, 2: within one; -1: not in it
  const fit = (word, text) => {
    let best = -1;
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
      const before = at > 0 && isLetter(text.charCodeAt(at - 1));
      const after = at + word.length < text.length && isLetter(text.charCodeAt(at + word.length));
      const now = before && after ? 2 : before || after ? 1 : 0;
      if (now === 0) {
        return 0;
      }
      best = best < 0 ? now : Math.min(best, now);
    }
    return best;
  };

  const known = new Map(); // word -> its fit in each of the strings
  const fits = (word) => {
    let found = known.get(word);
    if (!found) {
      found = Int8Array.from(data.strings, (text) => fit(word, text));
      if (known.size > 200) {
        known.clear();
      }
      known.set(word, found);
    }
    return found;
  };

  const formsOf = (word) =>
    [word, ...(Object.hasOwn(data.also, word) ? data.also[word] : [])].map((form) => ({ form, fits: fits(form) }));

  const best = (found, row) => {
    let least = -1;
    for (const string of row) {
      const now = found[string];
      if (now >= 0 && (least < 0 || now < least)) {
        least = now;
      }
    }
    return least;
  };

  const worthOf = (model, word) => {
    const [own, ...others] = word.forms;
    const inName = fit(own.form, model.plain);
    let worth = inName < 0 ? 0 : data.worth.name[inName];
    if (inName >= 0 && model.plain.split('/').some((part) => part.startsWith(own.form))) {
      worth = Math.max(worth, data.beginning);
    }
    data.places.forEach((place, p) => {
      const found = best(own.fits, model.texts[p]);
      if (found >= 0) {
        worth = Math.max(worth, data.worth[place][found]);
      }
    });
    if (worth < data.alike && others.some((one) => fit(one.form, model.plain) >= 0 ||
        model.texts.some((row) => best(one.fits, row) >= 0))) {
      worth = data.alike;
    }
    return worth;
  };

  const whole = (word, of) => {
    const present = word.forms.map(of).filter((found) => found >= 0);
    return present.length > 0 && present.includes(0);
  };

  const TARGET = data.places.indexOf('target');
  const together = (model, words) =>
    words.every((word) => whole(word, (one) => fit(one.form, model.plain))) ||
    model.texts[TARGET].some((string) => words.every((word) => whole(word, (one) => one.fits[string])));

  const worth = (model, words) => {
    let total = 0;
    for (const word of words) {
      const now = worthOf(model, word);
      if (!now) {
        return 0;
      }
      total += now;
    }
    return words.length > 1 && together(model, words) ? total + data.together : total;
  };

  // ---- what is found

  const wordsOf = (text) => text.split(/\s+/).filter(Boolean).map((word) => ({ forms: formsOf(plain(word)) }));

  const find = () => {
    const words = wordsOf($('search').value);
    const counts = facets.map((facet) => new Int32Array(facet.values.length));
    const found = [];
    for (const model of models) {
      const now = words.length ? worth(model, words) : 1;
      if (!now) {
        continue;
      }
      let misses = 0;
      let missed = -1;
      facets.forEach((facet, f) => {
        if (facet.chosen.size && !model.facets[f].some((value) => facet.chosen.has(value))) {
          misses += 1;
          missed = f;
        }
      });
      if (misses === 0) {
        found.push({ model, worth: now });
      }
      if (misses <= 1) {
        for (let f = 0; f < facets.length; f += 1) {
          if (misses === 0 || f === missed) {
            for (const value of model.facets[f]) {
              counts[f][value] += 1;
            }
          }
        }
      }
    }
    if (words.length) {
      found.sort((a, b) => b.worth - a.worth || a.model.rank - b.model.rank);
    }
    return { found: found.map((one) => one.model), counts, words };
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

  const drawFacets = (counts) => {
    facets.forEach((facet, f) => {
      const rows = facet.rows.map((row, v) => ({ ...row, v, n: counts[f][v], on: facet.chosen.has(v) }));
      let used = 0;
      rows.forEach((row) => {
        const some = row.n > 0 || row.on;
        used += some ? 1 : 0;
        row.label.hidden = !some || (used > OPEN && !facet.open && !row.on);
        row.number.textContent = row.n.toLocaleString('en');
        row.box.checked = row.on;
      });
      facet.more.hidden = used <= OPEN;
      facet.more.textContent = facet.open ? 'fewer' : `${used - OPEN} more`;
      facet.more.setAttribute('aria-expanded', String(Boolean(facet.open)));
      facet.field.hidden = used < 2 && !facet.chosen.size;
    });
    const n = facets.reduce((sum, facet) => sum + facet.chosen.size, 0);
    $('chosen').textContent = n ? `(${n})` : '';
    $('clear').hidden = n === 0;
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
    $('cards').replaceChildren(...order.slice(0, shown).map((item) => cards[item]));
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
        return { box, number, label };
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
})();
