import { attempt, explain, post } from './api.js';
import { el, refill } from './dom.js';
import { screen as open } from './screens/open.js';
import { screen as photos } from './screens/photos.js';
import { screen as train } from './screens/train.js';
import { screen as look } from './screens/look.js';
import { screen as next } from './screens/next.js';
import { screen as use } from './screens/use.js';
import { screen as exports } from './screens/export.js';

const screens = { open, photos, train, look, next, use, export: exports };
const names = { open: 'Open', photos: 'Photos', train: 'Train', look: 'Look', next: 'Label next', use: 'Use', export: 'Export' };

/** What all windows know: the newest state that the server has sent. */
let state = null, current = null;

const place = document.getElementById('screen'), steps = document.getElementById('steps'), undo = document.getElementById('undo');

/** What a screen may ask of the page around it. */
const page = {
  get state() { return state; },
  go: name => location.hash = name,
  undo: takeBack,
};

async function takeBack() {
  if (!state?.undo) return undefined;
  return attempt(() => post('/api/undo'));
}

function route() {
  const wanted = location.hash.slice(1).split('?')[0];
  const name = state.project && screens[wanted] ? wanted : state.project && !wanted ? 'photos' : 'open';
  if (current?.name === name) return;
  current?.close?.();
  place.replaceChildren();
  place.className = '';
  current = { name, ...screens[name](place, page) };
  place.focus({ preventScroll: true });
  document.title = `${names[name]} – ${state.project?.name ?? 'Graft Studio'}`;
  update();
}

function update() {
  document.getElementById('name').textContent = state.project?.name ?? 'Graft Studio';
  refill(steps, Object.entries(names).filter(([name]) => state.project || name === 'open').map(([name, words]) =>
    el('li', {}, el('a', { href: `#${name}`, 'aria-current': current.name === name && 'page' }, words))));
  undo.disabled = !state.undo;
  undo.textContent = undo.title = state.undo ? `Undo: ${state.undo}` : 'Undo';
  document.getElementById('said').textContent = sentence();
  current.update?.(state);
}

function sentence() {
  if (!state.project) return '';
  if (state.learner.problem) return state.learner.problem;
  const { learned, learner } = state;
  if (learner.progress) return `${learner.progress.step}: ${learner.progress.done.toLocaleString('en')} of ${learner.progress.total.toLocaleString('en')} …`;
  if (learned) return learned.is_current || learner.is_busy === false ? learned.sentence : `${learned.sentence} Learning from the new labels …`;
  if (learner.waiting) return `${learner.waiting.toLocaleString('en')} photos have not been looked at yet. Open Train to begin.`;
  return learner.is_busy ? 'Learning …' : 'Give at least two photos to each of two classes, and it begins to learn.';
}

undo.addEventListener('click', takeBack);
document.addEventListener('keydown', event => {
  if (event.key.toLowerCase() !== 'z' || !(event.ctrlKey || event.metaKey) || event.target.matches('input[type=text], textarea')) return;
  event.preventDefault();
  takeBack();
});
addEventListener('hashchange', () => state && route());

let opened;
const events = new EventSource('/api/events');
events.onmessage = message => {
  state = JSON.parse(message.data);
  // Another window has opened another project: this one shows the same.
  if (opened !== state.project?.folder) {
    opened = state.project?.folder;
    current?.close?.();
    current = null;
  }
  route();
  update();
};
events.onerror = () => {
  if (events.readyState === EventSource.CLOSED) explain('The studio was closed. All labels are saved. Start it again in the terminal, and open the new address.');
};
