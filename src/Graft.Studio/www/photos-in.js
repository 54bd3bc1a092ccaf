import { attempt, explain, send } from './api.js';
import { count, el } from './dom.js';

const isHidden = name => name.startsWith('.') || name === 'Thumbs.db' || name === 'desktop.ini';

/** Photos of dropped files and folders; the folder that a photo lies in names its class. */
async function filesOf(transfer) {
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(entry => entry);
  if (entries.length === 0) return [...transfer.files].map(file => ({ file, folder: null }));
  const found = [];
  async function walk(entry, folder) {
    if (isHidden(entry.name)) return;
    if (entry.isFile) {
      found.push({ file: await new Promise((done, failed) => entry.file(done, failed)), folder });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (some.length === 0) break;
      for (const inner of some) await walk(inner, entry.name);
    }
  }
  for (const entry of entries) await walk(entry, null);
  return found;
}

/** Sends photos one after the other, so that one that cannot be read stops none. */
export async function add(files, className, say = () => {}) {
  const refused = [];
  let done = 0;
  for (const { file, folder } of files) {
    say(`${(++done).toLocaleString('en')} of ${count(files.length, 'photo')}`);
    const name = className ?? folder ?? '';
    try {
      await send(`/api/drop?name=${encodeURIComponent(file.name ?? 'photo.jpg')}&class=${encodeURIComponent(name)}`, file);
    } catch (problem) {
      refused.push(`${file.name}: ${problem.message}`);
    }
  }
  say(`${count(files.length - refused.length, 'photo')} added.`);
  if (refused.length > 0) explain(`${count(refused.length, 'file was', 'files were')} left out. ${refused.slice(0, 3).join(' ')}`);
}

/** Makes an element take dropped photos. */
export function takesDrops(element, className, say) {
  const over = isOver => event => {
    event.preventDefault();
    event.stopPropagation();
    element.classList.toggle('over', isOver);
  };
  element.addEventListener('dragover', over(true));
  element.addEventListener('dragleave', over(false));
  element.addEventListener('drop', async event => {
    over(false)(event);
    const files = await filesOf(event.dataTransfer);
    await attempt(() => add(files, className(), say));
  });
  return element;
}

let fields = 0;

/** A button that chooses photos, or a folder of them. */
export function choose(words, onFiles, isFolder = false) {
  const id = `file${++fields}`;
  const input = el('input', { type: 'file', id, multiple: true, accept: isFolder ? null : 'image/*', webkitdirectory: isFolder });
  input.addEventListener('change', () => {
    const files = [...input.files].filter(file => !isHidden(file.name)).map(file => ({ file, folder: isFolder ? file.webkitRelativePath.split('/').at(-2) : null }));
    input.value = '';
    attempt(() => onFiles(files));
  });
  return el('span', {}, input, el('label', { class: 'button', for: id }, words));
}

/** The camera: shows what it sees, and gives a photo of it. */
export class Camera {
  constructor() {
    this.video = el('video', { muted: true, playsinline: true, 'aria-label': 'What the camera sees' });
    this.video.muted = true;
  }

  async start() {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    } catch (problem) {
      throw new Error(problem.name === 'NotAllowedError' ? 'The browser may not use the camera. Allow it in the address bar.' : 'There is no camera that the browser can use.');
    }
    this.video.srcObject = this.stream;
    await this.video.play();
  }

  async photo() {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [this.video.videoWidth, this.video.videoHeight];
    canvas.getContext('2d').drawImage(this.video, 0, 0);
    const blob = await new Promise(done => canvas.toBlob(done, 'image/jpeg', .9));
    return new File([blob], `camera-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.jpg`, { type: 'image/jpeg' });
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }
}

/** A camera with a button that records while it is held down, with the pointer or the space bar. */
export function recorder(className, say) {
  const camera = new Camera();
  let isHeld = false;
  const open = el('button', { type: 'button', onclick: () => camera.stream ? close() : attempt(show) }, 'Use the camera');
  const hold = el('button', { type: 'button', class: 'main', onpointerdown: start, onpointerup: end, onpointerleave: end, onkeydown: event => event.key === ' ' && !event.repeat && start(event), onkeyup: end }, 'Hold to record');
  const place = el('div', { hidden: true }, camera.video, el('p', {}, hold));
  async function show() {
    await camera.start();
    place.hidden = false;
    open.textContent = 'Close the camera';
  }
  function close() {
    camera.stop();
    place.hidden = true;
    open.textContent = 'Use the camera';
  }
  async function start(event) {
    event.preventDefault();
    if (isHeld) return;
    isHeld = true;
    while (isHeld && camera.stream) {
      const photo = await camera.photo();
      await attempt(() => add([{ file: photo, folder: null }], className(), say));
      await new Promise(wait => setTimeout(wait, 150));
    }
  }
  function end() {
    isHeld = false;
  }
  return { element: el('div', {}, open, place), close };
}
