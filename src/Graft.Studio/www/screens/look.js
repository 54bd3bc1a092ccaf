import { attempt, get, post } from '../api.js';
import { count, el } from '../dom.js';
import { Grid } from '../grid.js';
import { Map as FeatureMap } from '../map.js';
import { openPhoto } from '../photo-dialog.js';

const tabs = { wrong: 'Wrong', unsure: 'Unsure', mislabeled: 'Likely mislabeled', copies: 'Copies', unlike: 'Unlike anything', kept: 'Kept as hard' };

export function screen(place, page) {
  place.className = 'full';
  let view = 'wrong', known = '', looked = null, hovering;
  const sentences = el('ul', { class: 'classes' }), matrix = el('div'), bar = el('div', { class: 'row tools' }), actions = el('div', { class: 'row actions' }), said = el('p', { class: 'soft' }), title = el('h2', {});
  const heat = el('img', { alt: '', hidden: true }), heatWords = el('p', { class: 'soft' }, 'Rest the pointer on a photo, or select one, to see what speaks for its guess.');
  heat.addEventListener('error', () => {
    heat.hidden = true;
    heatWords.textContent = 'There is no heat map of this photo.';
  });
  const map = new FeatureMap(ids => show({ ids, words: `${count(ids.length, 'photo')} on the map` }));
  const grid = new Grid({
    open: photo => openPhoto(photo.id, page),
    label: number => number === 0 ? label(null) : page.state.classes[number - 1] && label(page.state.classes[number - 1].name),
    selected: number => {
      said.textContent = number === 0 ? '' : `${count(number, 'photo')} selected.`;
      if (number === 1) explainSoon(grid.photo([...grid.selected][0]));
      drawActions();
    },
    hover: explainSoon,
  });
  const label = className => attempt(async () => {
    const ids = await grid.ids();
    if (ids.length > 0) await post('/api/label', { ids, class: className });
  });
  place.append(
    el('aside', { class: 'parts' }, el('div', {}, el('h1', {}, 'Look'), el('h2', {}, 'Confusions'), sentences, matrix), el('section', { class: 'heat', 'aria-label': 'Heat map' }, el('h2', {}, 'Heat map'), heat, heatWords)),
    el('section', { class: 'fill', 'aria-label': 'Photos of the view' }, bar, el('details', { open: true }, el('summary', {}, 'Map: photos that look alike to the network lie together. Draw around some to see them.'), map.element), title, actions, grid.element));
  grid.show(view);

  function explainSoon(photo) {
    clearTimeout(hovering);
    if (!photo || !page.state.learned) return;
    hovering = setTimeout(() => {
      heat.hidden = false;
      heat.src = `/photos/${photo.id}/heat`;
      heat.alt = `What speaks for ${photo.guess ?? 'its guess'} on ${photo.name}`;
      heatWords.textContent = photo.guess ? `Guess: ${photo.guess}. Yellow places speak for it.` : photo.name;
    }, 250);
  }

  function show(wanted) {
    view = wanted;
    grid.show(view);
    draw();
  }

  const nothing = () => view === 'copies' && page.state.check.is_busy ? 'Looking for copies …' : 'No photos here.';

  function drawActions() {
    const photos = [...grid.selected].map(index => grid.photo(index)).filter(photo => photo);
    const likely = [...new Set([...photos.map(photo => photo.label), ...photos.map(photo => photo.guess), ...page.state.classes.map(one => one.name)].filter(name => name))].slice(0, 5);
    actions.replaceChildren(...photos.length === 0 ? [el('span', { class: 'soft' }, grid.isEmpty ? nothing() : 'Select photos to put them right.')] : [
      ...likely.map(name => el('button', { type: 'button', onclick: () => label(name) }, `It is ${name}`)),
      el('button', { type: 'button', onclick: () => label(null) }, 'Neither'),
      el('button', { type: 'button', onclick: () => attempt(async () => post('/api/keep', { ids: await grid.ids() })) }, 'Keep as hard'), said]);
  }

  function draw() {
    if (!looked) return;
    const pressed = key => String(view === key);
    bar.replaceChildren(...Object.entries(tabs).map(([key, words]) => el('button', { type: 'button', 'aria-pressed': pressed(key), class: view === key && 'main', onclick: () => {
      if (key === 'copies' && page.state.check.problems === null) attempt(() => post('/api/check'));
      show(key);
    } }, `${words} ${key === 'copies' && page.state.check.problems === null ? '' : looked.tabs?.[key] ?? 0}`)));
    sentences.replaceChildren(...looked.confusions.length === 0 ? [el('li', {}, 'No photo was taken for another class.')] : looked.confusions.slice(0, 12).map(one =>
      el('li', {}, el('button', { type: 'button', 'aria-pressed': pressed(one.view), onclick: () => show(one.view) }, one.sentence))));
    matrix.replaceChildren(...looked.classes.length > 8 ? [] : [el('table', { class: 'matrix' }, el('caption', { class: 'soft' }, 'Rows: what it is. Columns: the guess.'),
      el('thead', {}, el('tr', {}, el('td', {}), looked.classes.map(name => el('th', { scope: 'col', title: name }, name)))),
      el('tbody', {}, looked.classes.map((name, label) => el('tr', {}, el('th', { scope: 'row', title: name }, name), looked.classes.map((guess, index) =>
        el('td', { class: label === index && 'right' }, el('button', { type: 'button', 'aria-label': `${looked.matrix[label][index]} ${name}, guess ${guess}`, 'aria-pressed': pressed(`cell:${label}:${index}`), onclick: () => show(`cell:${label}:${index}`) }, String(looked.matrix[label][index]))))))))]);
    title.textContent = view.words ?? looked.confusions.find(one => one.view === view)?.sentence ?? tabs[view] ?? 'Photos of this cell';
    drawActions();
  }

  return {
    async update(state) {
      const key = `${state.version}/${state.learned?.version}/${state.learned?.has_insights}/${state.check.problems}`;
      if (key === known) return;
      known = key;
      looked = await attempt(() => get('/api/look'));
      if (!looked) return;
      looked.confusions ??= [];
      // Its class was undone.
      if (String(view).startsWith('cell:') && view.split(':').slice(1).some(number => number >= looked.classes.length)) view = 'wrong';
      map.show(looked.map ?? [], state.classes.map(one => one.name));
      draw();
      if (grid.view === view) grid.refresh();
      else grid.show(view);
    },
    close() {
      clearTimeout(hovering);
      grid.close();
    },
  };
}
