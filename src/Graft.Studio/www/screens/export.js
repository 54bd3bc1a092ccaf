import { attempt, get, post } from '../api.js';
import { el, progressOf, refill } from '../dom.js';

const cards = [
  ['onnx', 'A model file (ONNX)', 'One file that takes a photo and gives probabilities, for any program with ONNX Runtime.'],
  ['csharp', 'For a C# program', 'The same file, and the lines of code that use it.'],
  ['server', 'A server', 'The same file, and the command that answers over HTTP.'],
  ['web', 'A web page', 'A folder that predicts in the browser, for any web server.'],
  ['card', 'Model card', 'The file with a page for people: what it was trained on, how good it is, its limits.'],
  ['csv', 'Labels as a table', 'A .csv file of path and label.'],
  ['folders', 'Labels as folders', 'Copies of the photos in a folder for each class.'],
];

export function screen(place, page) {
  const progress = el('div', { role: 'status' }), tuned = el('label', { hidden: true });
  const fineTuned = el('input', { type: 'checkbox' });
  tuned.append(fineTuned, ' Export the last finished training instead of the model that learns along');
  const buttons = [];
  place.append(el('h1', {}, 'Export'), el('p', {}, 'Everything is written to this computer. Each export is checked before it counts; nothing is overwritten.'), tuned, progress, el('div', { class: 'cards' }, cards.map(card)));

  function card([target, title, words]) {
    const path = el('input', { type: 'text', id: `to-${target}`, spellcheck: 'false' }), result = el('div', { role: 'status' });
    const fill = async () => path.value = (await attempt(() => get(`/api/export?target=${target}`)))?.path ?? '';
    const button = el('button', { type: 'button', class: 'main', onclick: () => attempt(async () => {
      for (const each of buttons) each.disabled = true;
      result.replaceChildren(el('p', {}, 'Working …'));
      try {
        const written = await post('/api/export', { target, path: path.value, is_fine_tuned: fineTuned.checked });
        result.replaceChildren(el('p', { class: 'verified' }, written.verified), el('p', { class: 'written' }, `Written: ${written.path}`), ...written.next ? [el('pre', { tabindex: 0 }, written.next)] : []);
        await fill();
      } catch (problem) {
        result.replaceChildren(el('p', { class: 'warn' }, problem.message));
      } finally {
        for (const each of buttons) each.disabled = false;
      }
    }) }, 'Export');
    buttons.push(button);
    fill();
    return el('section', { class: 'card', 'aria-label': title, 'data-target': target }, el('h2', {}, title), el('p', {}, words), el('label', { for: `to-${target}` }, 'Where to'), path, el('p', {}, button), result);
  }

  return {
    update(state) {
      refill(progress, [progressOf(state.export)].filter(part => part));
      tuned.hidden = !state.job.has_finished;
    },
  };
}
