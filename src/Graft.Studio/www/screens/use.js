import { attempt, send } from '../api.js';
import { el, probabilities } from '../dom.js';
import { add, Camera, choose, takesDrops } from '../photos-in.js';

export function screen(place, page) {
  const answers = el('div', { class: 'fill', 'aria-live': 'polite' }), said = el('p', { class: 'soft', role: 'status' }), camera = new Camera(), live = el('div', { hidden: true }, camera.video), liveAnswer = el('div');
  let isLive = false;
  const say = words => said.textContent = words;
  const ask = files => attempt(async () => {
    for (const { file } of files.slice(0, 20)) await show(file);
  });
  const open = el('button', { type: 'button', onclick: () => isLive ? stop() : attempt(start) }, 'Use the camera');
  const target = el('div', { class: 'drop' }, el('p', {}, 'Drop a photo here: it is not kept unless you say so.'), el('div', { class: 'row' }, choose('Choose photos', ask), open), live, liveAnswer);
  target.addEventListener('dragover', event => {
    event.preventDefault();
    target.classList.add('over');
  });
  target.addEventListener('dragleave', () => target.classList.remove('over'));
  target.addEventListener('drop', event => {
    event.preventDefault();
    target.classList.remove('over');
    ask([...event.dataTransfer.files].map(file => ({ file })));
  });
  place.append(el('h1', {}, 'Use'), el('div', { class: 'row' }), target, said, answers);

  async function start() {
    await camera.start();
    isLive = true;
    live.hidden = false;
    open.textContent = 'Close the camera';
    while (isLive) {
      const photo = await camera.photo();
      const answer = await attempt(() => send('/api/use?heat=false', photo));
      if (!answer) break;
      liveAnswer.replaceChildren(...card(photo, answer, false));
      await new Promise(wait => setTimeout(wait, 300));
    }
    stop();
  }

  function stop() {
    isLive = false;
    camera.stop();
    live.hidden = true;
    open.textContent = 'Use the camera';
  }

  async function show(file) {
    say(`Looking at ${file.name} …`);
    const answer = await send('/api/use', file).finally(() => say(''));
    const picture = el('img', { alt: file.name, src: URL.createObjectURL(file) });
    answers.prepend(el('section', { class: 'card', 'aria-label': file.name }, el('div', { class: 'pictures' }, el('figure', {}, picture, el('figcaption', {}, file.name)),
      answer.heat && el('figure', {}, el('img', { src: answer.heat, alt: `What speaks for ${answer.classes[0].class}` }), el('figcaption', {}, `What speaks for ${answer.classes[0].class}`))), ...card(file, answer, true)));
  }

  function card(file, answer, isTold) {
    const keep = name => attempt(() => add([{ file, folder: null }], name, say));
    const cross = el('div', { class: 'row', hidden: true }, page.state.classes.map(one => el('button', { type: 'button', onclick: () => keep(one.name) }, one.name)));
    return [
      answer.is_unlike && el('p', { class: 'warn' }, 'Like none of your photos: do not trust this answer.'),
      probabilities(answer.classes.slice(0, 8)),
      el('div', { class: 'row' }, el('button', { type: 'button', onclick: () => keep(answer.classes[0].class) }, `✓ It is ${answer.classes[0].class}`),
        isTold && el('button', { type: 'button', onclick: () => cross.hidden = false }, '✗ It is something else')),
      isTold && cross,
    ].filter(part => part);
  }

  return { close: stop };
}
