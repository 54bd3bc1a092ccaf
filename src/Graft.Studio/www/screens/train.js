import { attempt, post } from '../api.js';
import { count, el, progressOf, refill, svg } from '../dom.js';

const strategies = [['finetune', 'fine-tune: the new head, then the upper layers too'], ['head', 'only a new head, on varied photos'], ['partial', 'all but the lowest layers'], ['full', 'the whole network']];

export function screen(place, page) {
  const said = el('p', { class: 'big' }), details = el('p', { class: 'soft' }), begin = el('div'), job = el('div');
  const backbone = el('input', { type: 'text', id: 'backbone', value: page.state.name, spellcheck: 'false' });
  const strategy = el('select', { id: 'strategy' }, strategies.map(([value, words]) => el('option', { value }, words)));
  const epochs = el('input', { type: 'number', id: 'epochs', min: 1, max: 1000, placeholder: 'usual' });
  place.append(
    el('h1', {}, 'Train'), said, details, begin,
    el('details', {}, el('summary', {}, 'Train the network itself: better with many photos, and takes minutes'),
      el('form', { class: 'card', onsubmit: event => {
        event.preventDefault();
        attempt(() => post('/api/train', { backbone: backbone.value, strategy: strategy.value, epochs: epochs.value ? Number(epochs.value) : null }));
      } },
      el('p', {}, el('label', { for: 'backbone' }, 'Network (backbone)'), backbone),
      el('p', {}, el('label', { for: 'strategy' }, 'What is trained (strategy) '), strategy),
      el('p', {}, el('label', { for: 'epochs' }, 'How many times it sees each photo (epochs) '), epochs),
      el('button', { type: 'submit', class: 'main' }, 'Start training')),
      job));
  return {
    update(state) {
      const { learned, learner } = state;
      said.textContent = learned?.sentence ?? 'Nothing has been learned yet. Give at least two photos to each of two classes.';
      details.textContent = learned ? `Each of ${learned.count.toLocaleString('en')} photos was judged by a model that had not seen it; the numbers in brackets say how far chance may have moved the result. It learned in ${learned.seconds.toFixed(1)} seconds${learned.is_current ? '' : ', from earlier labels'}. It learns again by itself whenever you change a label.${learned.is_part ? ' To be quick it learns from a part of your photos, evenly spread; an export learns from all of them.' : ''}` : '';
      refill(begin, [
        learner.problem && el('p', { class: 'warn' }, learner.problem),
        learner.waiting > 0 && el('p', {}, `${learner.waiting.toLocaleString('en')} photos have not been looked at yet. That takes about ${Math.max(1, Math.round(learner.waiting / 3000))} minutes, once. `,
          el('button', { type: 'button', class: 'main', onclick: () => attempt(() => post('/api/learn')) }, 'Look at them')),
        progressOf(learner.progress)].filter(part => part));
      refill(job, jobOf(state.job));
      if (state.job.is_busy || state.job.interrupted) place.querySelector('details').open = true;
    },
  };
}

function jobOf(job) {
  return [
    job.is_busy && el('p', {}, job.time_left ? `Training. About ${job.time_left} left, at most.` : 'Training …'),
    progressOf(job.progress),
    job.curve.length > 0 && curve(job.curve),
    job.sentence && el('p', { class: 'big' }, job.sentence),
    job.problem && el('p', { class: 'warn' }, job.problem),
    job.is_busy && el('button', { type: 'button', onclick: () => attempt(() => post('/api/train/cancel')) }, 'Cancel'),
    !job.is_busy && job.interrupted && el('p', {}, `${job.interrupted} was interrupted. `, el('button', { type: 'button', onclick: () => attempt(() => post('/api/train/resume')) }, 'Resume it')),
    job.has_finished && el('p', {}, 'The last finished training can be exported.'),
  ].filter(part => part);
}

function curve(points) {
  const [width, height, edge] = [640, 190, 30], most = Math.max(...points.map(point => point.loss), .01);
  const x = index => edge + (width - 2 * edge) * (points.length === 1 ? .5 : index / (points.length - 1));
  const y = value => height - edge - (height - 2 * edge) * value;
  const last = points.at(-1);
  // The dot is all there is after one epoch.
  const line = (name, value) => [
    svg('polyline', { class: name, points: points.map((point, index) => `${x(index)},${y(value(point))}`).join(' ') }), svg('circle', { class: name, cx: x(points.length - 1), cy: y(value(last)), r: 4 })];
  return svg('svg', { class: 'curve', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `After ${count(points.length, 'epoch')}: ${Math.round(100 * last.validation)} of 100 photos held out named correctly, loss ${last.loss.toFixed(3)}` },
    line('right', point => point.validation), line('loss', point => point.loss / most),
    svg('text', { x: edge, y: 16 }, 'Named correctly (line), training loss (dashed)'), svg('text', { x: width - edge, y: height - 8, 'text-anchor': 'end' }, count(points.length, 'epoch')));
}
