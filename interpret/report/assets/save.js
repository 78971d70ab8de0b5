// Buttons that save each logo. Those in the table are for the pointer alone, so that the keyboard reaches the next row;
// a section has the same logos, whole, with buttons for both.
(() => {
  'use strict';
  const { logoAsSvg, saveSvg, savePng } = window.pictures;
  for (const figure of document.querySelectorAll('figure')) {
    const logo = figure.querySelector('.logo');
    const section = figure.closest('.motif');
    const row = figure.closest('tr');
    if (!logo || !(section || row)) {
      continue;
    }
    const owner = section ? section.id : row.querySelector('th a').hash.slice(1);
    const what = figure.querySelector('figcaption').textContent.split(',')[0].replace(/[^\w.]+/g, '-');
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
      button.tabIndex = section ? 0 : -1;
      button.onclick = () => write(logoAsSvg(logo), `${owner}-${what}${section ? '-whole' : ''}`);
      buttons.append(button);
    }
    figure.append(buttons);
  }
})();
