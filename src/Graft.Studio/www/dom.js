/** An element with its properties, listeners (onclick…) and children; what is null or false is left out. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  set(made, properties);
  made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return made;
}

/** Puts children into an element, and leaves those in place that look the same: a click or the focus on them is not lost. */
export function refill(element, ...children) {
  const made = [...el('div', {}, ...children).childNodes], look = node => node.outerHTML ?? node.data;
  made.forEach((node, index) => {
    const old = element.childNodes[index];
    if (!old) element.append(node);
    else if (look(old) !== look(node)) old.replaceWith(node);
  });
  while (element.childNodes.length > made.length) element.lastChild.remove();
}

const svgNamespace = 'http://www.w3.org/2000/svg';

export function svg(tag, properties = {}, ...children) {
  const made = document.createElementNS(svgNamespace, tag);
  set(made, properties);
  made.append(...children.flat());
  return made;
}

function set(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
}

/** A bar of a share from 0 to 1, without inline styles, which the page's policy forbids. */
export const bar = (share, few = false) => svg('svg', { class: few ? 'bar few' : 'bar', viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
  svg('rect', { width: Math.max(0, Math.min(100, 100 * share)), height: 6 }));

export const percent = share => `${Math.round(100 * share)} %`;

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

/** Rows of class, bar and per cent, the most probable first. */
export const probabilities = classes => el('table', { class: 'probabilities' }, el('tbody', {}, classes.map(entry =>
  el('tr', {}, el('th', { scope: 'row' }, entry.class), el('td', {}, bar(entry.probability)), el('td', {}, percent(entry.probability))))));

export const progressOf = step => step && el('p', { class: 'row' },
  el('progress', { max: Math.max(1, step.total), value: step.done, 'aria-label': step.step }), `${step.step}: ${step.done.toLocaleString('en')} of ${count(step.total, step.unit, step.unit)}${step.note ? `; ${step.note}` : ''}`);
