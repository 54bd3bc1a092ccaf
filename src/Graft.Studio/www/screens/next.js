import { attempt, get, post } from '../api.js';
import { count, el, percent } from '../dom.js';

export function screen(place, page) {
  let next = null, known = null, isBatch = false, asking = false, batch = null;
  const advice = el('p', { class: 'big', id: 'advice' }), estimate = el('p', { class: 'soft' }), work = el('div'), keys = el('p', { class: 'soft' });
  const mode = el('button', { type: 'button', onclick: () => {
    isBatch = !isBatch;
    mode.textContent = isBatch ? 'One photo at a time' : 'Photos that look alike, at once';
    ask();
  } }, 'Photos that look alike, at once');
  place.append(el('h1', {}, 'Label next'), advice, estimate, el('p', {}, mode), work, keys);
  const listen = event => {
    if (!next?.photo || isBatch || event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input, dialog *')) return;
    if (event.key === 'Enter' && !event.target.matches('button, a, summary')) give(next.classes[0].class);
    else if (/^[1-9]$/.test(event.key) && next.classes[event.key - 1]) give(next.classes[event.key - 1].class);
    else if (event.key === '0') give(null);
    else if (event.key.toLowerCase() === 's') skip();
    else if (event.key === 'Backspace') {
      event.preventDefault();
      page.undo().then(answer => ask(answer?.undone?.[0]));
    } else return;
    event.preventDefault();
  };
  document.addEventListener('keydown', listen);

  async function give(className) {
    if (asking || !next?.photo) return;
    asking = true;
    const answer = { ids: [next.photo], class: className, guess: next.classes[0].class, is_random: next.is_random };
    await attempt(() => post('/api/label', answer));
    asking = false;
    await ask();
  }

  const skip = () => attempt(async () => {
    await post('/api/skip', { ids: [next.photo] });
    await ask();
  });

  async function ask() {
    if (isBatch) return askBatch();
    next = await attempt(() => get('/api/next'));
    if (!next) return;
    keys.replaceChildren(...next.photo ? [el('kbd', {}, 'Enter'), ' accepts the guess, ', el('kbd', {}, '1'), '–', el('kbd', {}, '9'), ' choose, ', el('kbd', {}, '0'), ' for none of these, ', el('kbd', {}, 'S'), ' skips, ', el('kbd', {}, 'Backspace'), ' undoes.'] : []);
    if (!next.photo) {
      work.replaceChildren(el('p', {}, page.state.unlabeled === 0 ? 'Every photo has a class.' : page.state.learned ? 'No photo without a class is left to ask about.' : 'First give at least two photos to each of two classes.'));
      return;
    }
    const others = next.classes.slice(1, 30);
    work.replaceChildren(el('div', { class: 'next' },
      el('img', { src: `/photos/${next.photo}/large`, alt: next.name }),
      el('div', { class: 'answers fill' },
        next.is_random && el('p', { class: 'soft' }, 'Drawn at random, to measure.'),
        el('button', { type: 'button', class: 'main', onclick: () => give(next.classes[0].class) }, `1 ${next.classes[0].class} · ${percent(next.classes[0].probability)}`),
        ...others.map((one, index) => el('button', { type: 'button', onclick: () => give(one.class) }, `${index < 8 ? `${index + 2} ` : ''}${one.class} · ${percent(one.probability)}`)),
        el('button', { type: 'button', onclick: () => give(null) }, '0 none of these'),
        el('button', { type: 'button', onclick: skip }, 'Skip'))));
  }

  async function askBatch() {
    batch = await attempt(() => get('/api/batch'));
    if (!batch) return;
    keys.replaceChildren();
    if (batch.photos.length === 0) {
      work.replaceChildren(el('p', {}, 'No photos without a class are left.'));
      return;
    }
    const chosen = new Set(batch.photos.map(photo => photo.id));
    const accept = el('button', { type: 'button', class: 'main', onclick: () => attempt(async () => {
      await post('/api/label', { ids: [...chosen], class: batch.class });
      await ask();
    }) });
    const say = () => accept.textContent = chosen.size === batch.photos.length ? `All ${chosen.size} are ${batch.class}` : `All ${batch.class} except ${count(batch.photos.length - chosen.size, 'photo')}`;
    say();
    work.replaceChildren(el('p', {}, `These look alike. Click those that are not ${batch.class}.`), el('div', { class: 'choice' }, batch.photos.map(photo => {
      const button = el('button', { type: 'button', 'aria-pressed': 'true', 'aria-label': `${photo.name} is ${batch.class}`, onclick: () => {
        if (!chosen.delete(photo.id)) chosen.add(photo.id);
        button.setAttribute('aria-pressed', String(chosen.has(photo.id)));
        say();
      } }, el('img', { src: `/photos/${photo.id}/thumb`, alt: '' }));
      return button;
    })), el('p', { class: 'accept' }, accept));
  }

  return {
    update(state) {
      advice.textContent = state.labeling.advice;
      estimate.textContent = state.labeling.estimate ?? 'One photo in ten is drawn at random: those tell honestly how good the guesses are.';
      // A photo that is being looked at stays, however often it learns again meanwhile.
      const key = `${state.project.folder}/${Boolean(state.learned?.has_insights)}`;
      if (key !== known || (!next?.photo && !isBatch && state.unlabeled > 0)) {
        known = key;
        ask();
      }
    },
    close: () => document.removeEventListener('keydown', listen),
  };
}
