import { attempt, get } from './api.js';
import { el, percent } from './dom.js';

const width = 146, height = 166, page = 200, beyond = 3;

/**
 * Photos of a view in a grid that holds only those that are seen, so that a hundred thousand scroll as smoothly as a hundred. One photo is active (arrow keys);
 * several may be selected (click, shift, control, space).
 */
export class Grid {
  /** @param on open(photo), label(photos, number), hover(photo or null), selected(count) */
  constructor(on) {
    this.on = on;
    this.space = el('div', { class: 'space', role: 'presentation' });
    this.element = el('div', {
      class: 'grid', role: 'listbox', tabindex: 0, 'aria-label': 'Photos', 'aria-multiselectable': 'true', onscroll: () => this.draw(), onkeydown: event => this.key(event),
      onpointerleave: () => this.on.hover?.(null),
    }, this.space);
    this.cells = new Map();
    this.spare = [];
    this.reset();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
  }

  reset() {
    this.pages = new Map();
    this.selected = new Set();
    this.active = 0;
    this.anchor = 0;
    this.total = 0;
  }

  /** Shows a view from its beginning. */
  async show(view) {
    this.view = view;
    this.reset();
    this.element.scrollTop = 0;
    // Photos of the view before go at once: what is selected among them would be lost when the others come.
    this.draw();
    await this.refresh();
  }

  /** Reads the photos anew where they are. */
  async refresh() {
    const reading = this.reading = {};
    const first = Math.floor(this.firstSeen() / page);
    const read = await attempt(() => this.read(first));
    if (!read || this.reading !== reading) return;
    // What was selected stays so, wherever it stands now; a selection beyond what was read stays if nothing came or went.
    const ids = new Set([...this.selected].map(index => this.known(index)?.id));
    if (this.selected.size <= page || read.total !== this.total)
      this.selected = new Set(read.photos.flatMap((photo, index) => ids.has(photo.id) ? [first * page + index] : []));
    this.pages = new Map([[first, read.photos]]);
    this.total = read.total;
    this.active = Math.max(0, Math.min(this.active, this.total - 1));
    this.on.selected?.(this.selected.size);
    this.element.setAttribute('aria-label', `${this.total.toLocaleString('en')} photos`);
    this.draw();
  }

  async read(number) {
    const where = this.view.ids ? `ids=${this.view.ids.slice(0, 400).join(',')}` : `view=${encodeURIComponent(this.view)}`;
    return get(`/api/photos?${where}&offset=${number * page}&count=${page}`);
  }

  columns() {
    return Math.max(1, Math.floor((this.element.clientWidth - 4) / width));
  }

  /** Whether it is known that the view has no photos. */
  get isEmpty() {
    return this.pages.size > 0 && this.total === 0;
  }

  firstSeen() {
    return Math.floor(this.element.scrollTop / height) * this.columns();
  }

  known(index) {
    const photos = this.pages.get(Math.floor(index / page));
    return photos instanceof Array ? photos[index % page] : null;
  }

  photo(index) {
    const number = Math.floor(index / page);
    const known = this.pages.get(number);
    if (known instanceof Array) return known[index % page];
    if (!known) {
      const [pages, view] = [this.pages, this.view];
      pages.set(number, attempt(() => this.read(number)).then(read => {
        if (pages !== this.pages || view !== this.view) return;
        if (!read) return void pages.delete(number);
        pages.set(number, read.photos);
        this.draw();
      }));
    }
    return null;
  }

  draw() {
    const columns = this.columns(), pitch = Math.floor((this.element.clientWidth - 4) / columns);
    this.element.style.setProperty('--cell', `${pitch - 8}px`);
    // A style sheet of numbers: the page's policy forbids style attributes, not the style object.
    this.space.style.height = `${Math.ceil(this.total / columns) * height}px`;
    const first = Math.max(0, Math.floor(this.element.scrollTop / height) - beyond) * columns;
    const last = Math.min(this.total, (Math.ceil((this.element.scrollTop + this.element.clientHeight) / height) + beyond) * columns);
    for (const [index, cell] of this.cells) {
      if (index >= first && index < last) continue;
      this.cells.delete(index);
      cell.remove();
      this.spare.push(cell);
    }
    for (let index = first; index < last; index++) this.place(index, columns, pitch);
    if (this.spare.length > 60) this.spare.length = 60;
    const active = this.cells.get(this.active);
    if (active) this.element.setAttribute('aria-activedescendant', active.id);
    else this.element.removeAttribute('aria-activedescendant');
  }

  place(index, columns, pitch) {
    let cell = this.cells.get(index);
    if (!cell) {
      cell = this.spare.pop() ?? this.make();
      this.cells.set(index, cell);
      cell.index = index;
      cell.id = `photo${index}`;
      this.element.append(cell);
    }
    cell.style.transform = `translate(${(index % columns) * pitch}px, ${Math.floor(index / columns) * height}px)`;
    const photo = this.photo(index);
    const key = photo ? `${this.view}/${photo.id}/${photo.label}/${photo.guess}/${photo.probability}/${photo.problem}` : '';
    if (cell.key !== key) {
      cell.key = key;
      this.fill(cell, photo);
    }
    cell.setAttribute('aria-selected', this.selected.has(index));
    cell.classList.toggle('active', index === this.active && this.selected.size > 0);
  }

  make() {
    const [image, label, guess] = [el('img', { alt: '', draggable: 'false', decoding: 'async' }), el('span'), el('span', { class: 'soft' })];
    const cell = el('div', { class: 'cell', role: 'option' }, image, label, guess);
    image.addEventListener('error', () => {
      cell.classList.add('broken');
      guess.textContent ||= 'cannot be shown';
    });
    cell.addEventListener('click', event => this.click(cell.index, event));
    cell.addEventListener('dblclick', () => this.open(cell.index));
    cell.addEventListener('pointerenter', () => this.on.hover?.(this.photo(cell.index)));
    return Object.assign(cell, { parts: { image, label, guess } });
  }

  fill(cell, photo) {
    const { image, label, guess } = cell.parts;
    cell.classList.remove('broken', 'told');
    if (!photo) {
      image.removeAttribute('src');
      label.textContent = guess.textContent = '';
      image.alt = 'Photo';
      return;
    }
    image.src = `/photos/${photo.id}/thumb`;
    label.textContent = photo.label ?? 'no class';
    const isWrong = photo.guess && photo.label && photo.guess !== photo.label;
    const guessed = photo.guess && (isWrong || !photo.label) ? `${photo.guess}? ${percent(photo.probability)}` : '';
    // Where problems are looked for, the whole sentence; elsewhere the guess comes first.
    const isTold = photo.problem && (!guessed || this.view === 'problems' || this.view === 'copies');
    guess.className = isTold ? 'warn' : isWrong ? 'wrong' : 'soft';
    guess.textContent = isTold ? photo.problem : guessed;
    cell.classList.toggle('told', Boolean(isTold));
    cell.title = photo.problem ?? photo.name;
    image.alt = `${photo.name}, `;
  }

  click(index, event) {
    if (event.shiftKey) this.range(index);
    else {
      if (!event.ctrlKey && !event.metaKey) this.selected.clear();
      if (this.selected.has(index)) this.selected.delete(index);
      else this.selected.add(index);
      this.anchor = index;
    }
    this.active = index;
    this.changed();
  }

  range(to) {
    this.selected.clear();
    for (let index = Math.min(this.anchor, to); index <= Math.max(this.anchor, to); index++) this.selected.add(index);
  }

  changed() {
    this.on.selected?.(this.selected.size);
    this.draw();
  }

  key(event) {
    const columns = this.columns(), rows = Math.max(1, Math.floor(this.element.clientHeight / height));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: rows * columns, PageUp: -rows * columns, Home: -this.total, End: this.total }[event.key];
    if (step) {
      event.preventDefault();
      this.active = Math.max(0, Math.min(this.total - 1, this.selected.size === 0 && event.key !== 'End' ? this.active : this.active + step));
      if (event.shiftKey) this.range(this.active);
      else {
        this.selected = new Set([this.active]);
        this.anchor = this.active;
      }
      this.reveal();
      this.changed();
    } else if (event.key === ' ') {
      event.preventDefault();
      if (this.selected.has(this.active)) this.selected.delete(this.active);
      else this.selected.add(this.active);
      this.changed();
    } else if (event.key === 'Enter') {
      this.open(this.active);
    } else if (event.key === 'Escape') {
      this.selected.clear();
      this.changed();
    } else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.anchor = 0;
      this.range(this.total - 1);
      this.changed();
    } else if (/^[0-9]$/.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) {
      this.on.label?.(Number(event.key));
    }
  }

  reveal() {
    const top = Math.floor(this.active / this.columns()) * height;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + height > this.element.scrollTop + this.element.clientHeight) this.element.scrollTop = top + height - this.element.clientHeight;
  }

  async open(index) {
    const photo = this.photo(index);
    if (photo) this.on.open?.(photo);
  }

  /** The ids of the selected photos, those included that were not seen yet. */
  async ids() {
    const numbers = new Set([...this.selected].map(index => Math.floor(index / page)));
    for (const number of numbers) {
      if (!(this.pages.get(number) instanceof Array)) this.pages.set(number, (await this.read(number)).photos);
    }
    return [...this.selected].sort((a, b) => a - b).map(index => this.photo(index)?.id).filter(id => id);
  }

  close() {
    this.observer.disconnect();
  }
}
