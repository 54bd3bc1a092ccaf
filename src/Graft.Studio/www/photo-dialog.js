import { attempt, get, post } from './api.js';
import { el, probabilities } from './dom.js';

const dialog = document.getElementById('photo');
dialog.addEventListener('click', event => event.target === dialog && dialog.close());

/** A photo large, beside it as the network sees it and what speaks for its class; labels under it. */
export async function openPhoto(id, page) {
  const photo = await attempt(() => get(`/api/photo/${id}`));
  if (!photo) return;
  const label = name => attempt(async () => {
    await post('/api/label', { ids: [id], class: name });
    dialog.close();
  });
  const classes = page.state.classes.map(entry => entry.name);
  const place = (source, words) => {
    const image = el('img', { src: source, alt: words });
    const caption = el('figcaption', {}, `${words} …`), figure = el('figure', { class: 'wait' }, image, caption);
    image.addEventListener('load', () => {
      figure.className = '';
      caption.textContent = words;
    });
    image.addEventListener('error', () => figure.replaceChildren(el('figcaption', {}, `${words}: cannot be shown.`)));
    return figure;
  };
  dialog.replaceChildren(el('div', {},
    el('h1', {}, photo.name),
    el('p', { class: 'soft' }, photo.place),
    photo.problem && el('p', { class: 'warn' }, photo.problem),
    el('div', { class: 'pictures' },
      place(`/photos/${id}/large`, 'The photo'),
      place(`/photos/${id}/seen`, 'As the network sees it'),
      photo.probabilities.length > 0 && place(`/photos/${id}/heat`, 'What speaks for its guess')),
    photo.probabilities.length > 0 && probabilities([...photo.probabilities].sort((a, b) => b.probability - a.probability)),
    el('div', { class: 'row tools' },
      ...classes.slice(0, 30).map((name, index) => el('button', { type: 'button', 'aria-pressed': String(name === photo.label), onclick: () => label(name) }, index < 9 ? `${index + 1} ${name}` : name)),
      el('button', { type: 'button', onclick: () => label(null) }, '0 no class'),
      el('button', { type: 'button', class: 'main', onclick: () => dialog.close() }, 'Close'))));
  dialog.onkeydown = event => {
    if (/^[1-9]$/.test(event.key) && classes[event.key - 1]) label(classes[event.key - 1]);
    else if (event.key === '0') label(null);
  };
  dialog.showModal();
}
