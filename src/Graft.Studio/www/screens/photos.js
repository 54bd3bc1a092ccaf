import { attempt, post } from '../api.js';
import { bar, count, el, progressOf, refill } from '../dom.js';
import { Grid } from '../grid.js';
import { openPhoto } from '../photo-dialog.js';
import { add, choose, recorder, takesDrops } from '../photos-in.js';

/** Enough photos of a class to learn well from. */
const enough = 50;

export function screen(place, page) {
  place.className = 'full';
  let view = 'all', known = '', className = null;
  const target = () => view.startsWith('class:') ? view.slice(6) : null;
  const said = el('p', { class: 'soft', role: 'status' });
  const say = words => said.textContent = words;
  const camera = recorder(target, say);
  const classes = el('ul', { class: 'classes' }), selection = el('span', { class: 'soft' }), labels = el('span', { class: 'row' }), into = el('p', {}), notes = el('div'), check = el('div'), apply = el('div');
  const name = el('input', { type: 'text', id: 'class', autocomplete: 'off', maxlength: 100 });
  const grid = new Grid({
    open: photo => openPhoto(photo.id, page),
    label: number => number === 0 ? label(null) : page.state.classes[number - 1] && label(page.state.classes[number - 1].name),
    selected: number => selection.textContent = grid.isEmpty ? 'No photos here.' : number === 0 ? 'Click photos to select them; shift-click for a range.' : `${count(number, 'photo')} selected.`,
  });
  const label = className => attempt(async () => {
    const ids = await grid.ids();
    if (ids.length === 0) return;
    await post('/api/label', { ids, class: className });
    grid.element.focus();
  });
  const show = wanted => {
    view = wanted;
    if (wanted === 'problems' && page.state.check.problems === null) attempt(() => post('/api/check'));
    grid.show(view);
    draw(page.state);
  };
  const drop = takesDrops(el('div', { class: 'drop' },
    into,
    el('div', { class: 'row' }, choose('Choose photos', files => add(files, target(), say)), choose('Choose a folder', files => add(files, target(), say), true)),
    camera.element, said), target, say);
  place.append(
    el('aside', {},
      el('h1', {}, 'Photos'),
      notes,
      classes, check,
      el('form', { onsubmit: event => {
        event.preventDefault();
        attempt(async () => {
          const given = name.value.trim(), { class: taken } = await post('/api/class', { class: given });
          show(`class:${taken}`);
          name.value = '';
          say(taken === given ? '' : `${taken} differs from ${given} in upper and lower case only, so it was taken.`);
        });
      } }, el('label', { for: 'class' }, 'New class'), el('div', { class: 'row' }, name, el('button', { type: 'submit' }, 'Add'))),
      el('h2', {}, 'Add photos'), drop, apply),
    el('section', { class: 'fill', 'aria-label': 'Photos of the view' }, el('div', { class: 'tools' }, el('div', { class: 'row' }, selection), labels), grid.element));
  grid.show(view);
  selection.textContent = 'Click photos to select them; shift-click for a range.';

  function draw(state) {
    const entry = (key, words, number, note, share = null, few = false) => {
      const button = el('button', { type: 'button', 'aria-pressed': String(view === key), onclick: () => show(key) }, el('span', { class: 'count' }, number === null ? 'not checked' : number.toLocaleString('en')), words,
        share !== null && bar(share, few), note && el('span', { class: 'warn' }, note));
      return el('li', {}, key.startsWith('class:') ? takesDrops(button, () => key.slice(6), say) : button);
    };
    classes.replaceChildren(
      entry('all', 'All photos', state.photos),
      ...state.classes.map(one => entry(`class:${one.name}`, one.name, one.photos, one.too_few ? 'too few' : null, one.photos / enough, one.too_few)),
      entry('unlabeled', 'Unlabeled', state.unlabeled),
      entry('problems', 'Problems', state.check.problems));
    labels.replaceChildren(...state.classes.slice(0, 30).map((one, index) => el('button', { type: 'button', onclick: () => label(one.name) }, index < 9 ? `${index + 1} ${one.name}` : one.name)),
      el('button', { type: 'button', onclick: () => label(null) }, '0 no class'));
    into.textContent = target() ? `Drop photos here: they become ${target()}.` : 'Drop photos or folders here. A folder\'s name becomes the class.';
  }

  return {
    update(state) {
      // Its class was undone.
      if (target() && !state.classes.some(one => one.name === target())) show('all');
      const focused = document.activeElement?.closest?.('.classes, .row') ? document.activeElement.textContent : null;
      const drawn = JSON.stringify([state.classes, state.photos, state.unlabeled, state.check.problems]);
      if (drawn !== className) {
        className = drawn;
        draw(state);
        if (focused) [...place.querySelectorAll('.classes button, .row button')].find(button => button.textContent === focused)?.focus();
      }
      refill(notes, state.project.notes.slice(0, 3).map(note => el('p', { class: 'warn' }, note)));
      refill(check, [state.check.is_busy && progressOf(state.check.progress), state.check.problem && el('p', { class: 'warn' }, state.check.problem)].filter(part => part));
      refill(apply, applying(state));
      const key = `${state.version}/${state.learned?.version}/${state.learned?.has_insights}/${state.check.problems}`;
      if (key !== known) {
        known = key;
        grid.refresh();
      }
    },
    close() {
      camera.close();
      grid.close();
    },
  };

  function applying(state) {
    const parts = [];
    if (state.to_apply > 0) {
      parts.push(el('h2', {}, 'Folders'), el('p', {}, `${count(state.to_apply, 'photo lies', 'photos lie')} in another folder than that of its class. Nothing moves until you say so.`),
        el('button', { type: 'button', onclick: () => attempt(async () => {
          const { moved, left } = await post('/api/apply');
          say(`${count(moved, 'photo')} moved.${left.length > 0 ? ` ${left.length} stay: ${left[0]}` : ''}`);
        }) }, 'Move them into the folders of their classes'));
    }
    if (state.can_undo_apply) parts.push(el('p', {}, el('button', { type: 'button', onclick: () => attempt(async () => say(`${count((await post('/api/apply/undo')).moved, 'photo')} moved back.`)) }, 'Move back what was moved last')));
    return parts;
  }
}
