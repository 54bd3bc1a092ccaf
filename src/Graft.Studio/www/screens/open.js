import { attempt, post } from '../api.js';
import { el, refill } from '../dom.js';

export function screen(place, page) {
  const folder = el('input', { type: 'text', id: 'folder', autocomplete: 'off', spellcheck: 'false', placeholder: '/home/me/photos' });
  const name = el('input', { type: 'text', id: 'project', autocomplete: 'off' });
  const problem = el('p', { class: 'warn' }), recent = el('ul', { class: 'classes' }), recentCard = el('section', { class: 'card', hidden: true }, el('h2', {}, 'Recent projects'), recent), home = el('p', { class: 'soft' });
  const open = source => attempt(async () => {
    await post('/api/open', { folder: source });
    page.go('photos');
  });
  place.append(
    el('h1', {}, 'Your photos stay on this computer.'),
    el('p', {}, 'Teach this computer to tell your photos apart: give it some of each kind, see what it has understood, and put it right.'),
    problem,
    el('div', { class: 'cards' },
      el('section', { class: 'card' },
        el('h2', {}, 'Start with new photos'),
        el('p', {}, 'Then drop photos or whole folders, or hold them before the camera.'),
        el('form', { onsubmit: event => {
          event.preventDefault();
          attempt(async () => {
            await post('/api/new', { name: name.value });
            page.go('photos');
          });
        } }, el('label', { for: 'project' }, 'A name for the project'), name, home, el('button', { type: 'submit', class: 'main' }, 'Start')),
      ),
      el('section', { class: 'card' },
        el('h2', {}, 'Open a folder'),
        el('p', {}, 'A folder for each class, train and val folders of such, unsorted photos, or a table (.csv) of path and label. It is opened where it lies; nothing is copied.'),
        el('form', { onsubmit: event => {
          event.preventDefault();
          open(folder.value);
        } }, el('label', { for: 'folder' }, 'Where the folder is'), folder, el('p', {}, el('button', { type: 'submit', class: 'main' }, 'Open'))),
      ),
      recentCard,
    ),
  );
  return {
    update(state) {
      problem.textContent = state.opening ? `Opening ${state.opening} …` : state.problem ?? '';
      home.textContent = `It is made in ${state.home}.`;
      recentCard.hidden = state.recent.length === 0;
      refill(recent, state.recent.map(source => el('li', {}, el('button', { type: 'button', onclick: () => open(source) }, source))));
    },
  };
}
