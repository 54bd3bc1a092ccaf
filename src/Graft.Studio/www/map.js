import { el, svg } from './dom.js';

const width = 1000, height = 185, edge = 12;

const inside = (polygon, x, y) => polygon.reduce((is, [x1, y1], index) => {
  const [x2, y2] = polygon[(index + 1) % polygon.length];
  return (y1 > y) !== (y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1 ? !is : is;
}, false);

/** The map of features: a lasso with the pointer; with keys, a circle that arrows move, + and − resize and Enter takes. */
export class Map {
  constructor(chosen) {
    this.chosen = chosen;
    this.circle = { x: width / 2, y: height / 2, radius: 40 };
    this.drawing = svg('svg', {
      class: 'map', viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: 'application',
      'aria-label': 'Map of the photos. Arrow keys move a circle, plus and minus change its size, Enter shows the photos in it.',
      onpointerdown: event => this.start(event), onpointermove: event => this.move(event), onpointerup: () => this.end(), onkeydown: event => this.key(event),
    });
    this.legend = el('p', { class: 'soft' });
    this.element = el('div', {}, this.drawing, this.legend);
    this.points = [];
  }

  show(points, classes) {
    const [xs, ys] = [points.map(point => point[1]), points.map(point => point[2])];
    const scale = (value, values, size) => edge + (size - 2 * edge) * (value - Math.min(...values)) / (Math.max(...values) - Math.min(...values) || 1);
    const styleOf = name => name === null ? 'none' : `c${classes.indexOf(name) % 8}`;
    this.points = points.map(([id, x, y, label]) => ({ id, x: scale(x, xs, width), y: scale(y, ys, height), style: styleOf(label) }));
    this.lasso = svg('polygon', { points: '' });
    this.cross = svg('ellipse', { class: 'cross', rx: 0, ry: 0 });
    this.drawing.replaceChildren(...this.points.map(point => svg('circle', { cx: point.x.toFixed(1), cy: point.y.toFixed(1), r: 3.5, class: point.style })), this.lasso, this.cross);
    this.legend.replaceChildren(...points.length === 0 ? ['There is no map yet.'] : [...classes.slice(0, 8), null].map(name =>
      el('span', {}, svg('svg', { class: 'key', viewBox: '0 0 10 10', 'aria-hidden': 'true' }, svg('circle', { cx: 5, cy: 5, r: 5, class: styleOf(name) })), `${name ?? 'no class'} `)));
  }

  place(event) {
    const box = this.drawing.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * width, (event.clientY - box.top) / box.height * height];
  }

  start(event) {
    this.path = [this.place(event)];
    this.drawing.setPointerCapture(event.pointerId);
  }

  move(event) {
    if (!this.path) return;
    this.path.push(this.place(event));
    this.lasso.setAttribute('points', this.path.map(point => point.join(',')).join(' '));
  }

  end() {
    const path = this.path;
    this.path = null;
    if (path?.length > 2) this.take(point => inside(path, point.x, point.y));
  }

  key(event) {
    const circle = this.circle, step = { ArrowLeft: [-15, 0], ArrowRight: [15, 0], ArrowUp: [0, -15], ArrowDown: [0, 15] }[event.key];
    if (step) {
      circle.x = Math.max(0, Math.min(width, circle.x + step[0]));
      circle.y = Math.max(0, Math.min(height, circle.y + step[1]));
    } else if (event.key === '+' || event.key === '-') circle.radius = Math.max(10, circle.radius + (event.key === '+' ? 10 : -10));
    else if (event.key === 'Enter') this.take(point => Math.hypot(point.x - circle.x, point.y - circle.y) <= circle.radius);
    else return;
    event.preventDefault();
    for (const [name, value] of Object.entries({ cx: circle.x, cy: circle.y, rx: circle.radius, ry: circle.radius })) this.cross.setAttribute(name, value);
  }

  take(isIn) {
    const ids = this.points.filter(isIn).map(point => point.id);
    if (ids.length > 0) this.chosen(ids);
  }
}
