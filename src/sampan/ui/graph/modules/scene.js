// What is drawn where: boxes that are in sight as elements, those too small to read as a few paths, all edges as paths.
import { TONES, arrow, fill, made, madeSvg, path, rectangle } from "sampan-graph/drawing.js";
import { PAGE } from "sampan-graph/structure.js";

export const READABLE = 0.4;
const MOST_LABELS = 14, MINIMAP = [176, 116];

export class Scene {
  constructor(view, uid) {
    this.view = view;
    this.uid = uid;
    this.world = made("div", "sp-g-world", view);
    const svg = madeSvg("svg", "sp-g-lines", this.world);
    svg.setAttribute("aria-hidden", "true");
    this.far = Object.fromEntries(["open", ...TONES].map((tone) => [tone, madeSvg("path", "sp-far" + (tone ? " sp-tone-" + tone : ""), svg)]));
    this.far.open.setAttribute("class", "sp-far-open");
    this.lines = {};
    for (const part of ["", " sp-lit"]) for (const kind of ["order", "parameter", "artifact", "arrow"]) this.lines[kind + part] = madeSvg("path", `sp-line sp-line-${kind}${part}`, svg);
    this.frames = madeSvg("path", "sp-frames", svg);
    this.elements = new Map();
    this.labels = [];
    this.minimap = this.newMinimap();
    this.at = { x: 0, y: 0, k: 1 };
    this.layout = { boxes: [], edges: [], frames: [], width: 0, height: 0 };
    this.boxes = new Map();
    this.lit = null;
    this.marks = { selected: "", active: "", found: new Set() };
    this.drawn = null;
    this.numbers = new Map();
  }

  newMinimap() {
    const found = made("div", "sp-g-minimap", this.view);
    found.setAttribute("aria-hidden", "true");
    const svg = madeSvg("svg", "", found);
    this.small = Object.fromEntries(TONES.map((tone) => [tone, madeSvg("path", "sp-far" + (tone ? " sp-tone-" + tone : ""), svg)]));
    this.window = madeSvg("rect", "sp-g-window", svg);
    return found;
  }

  show(index, folding, layout) {
    this.index = index;
    this.folding = folding;
    this.layout = layout;
    this.isRight = index.direction === "right";
    this.boxes = new Map(layout.boxes.map((box) => [box.id, box]));
    for (const edge of layout.edges) edge.box = bounds(edge.points);
    this.frames.setAttribute("d", layout.frames.map(rectangle).join(""));
    this.elements.forEach((element, id) => { if (!this.boxes.has(id)) { element.remove(); this.elements.delete(id); } else element.dataset.stale = "1"; });
    this.redraw();
  }

  // Nodes say something new of themselves; nothing moves.
  patch(ids) {
    for (const id of ids) if (this.elements.has(id)) this.elements.get(id).dataset.stale = "1";
    this.redraw();
  }

  redraw() { this.drawn = null; this.isMapStale = true; this.draw(); }

  get size() { return [this.view.clientWidth, this.view.clientHeight]; }

  // Called for each frame in which something moved.
  draw() {
    const { x, y, k } = this.at, [width, height] = this.size;
    this.world.style.transform = `translate(${x}px,${y}px) scale(${k})`;
    const sight = { x: -x / k, y: -y / k, w: width / k, h: height / k }, isFar = k < READABLE;
    const known = this.drawn;
    if (!known || known.isFar !== isFar || !holds(known.area, sight) || known.area.w > 5 * sight.w) {
      const area = { x: sight.x - sight.w / 2, y: sight.y - sight.h / 2, w: 2 * sight.w, h: 2 * sight.h };
      this.drawn = { area, isFar };
      // Lines as thin as they can be seen, whatever the scale.
      this.world.style.setProperty("--sp-thin", `${isFar ? 1 / k : 1}px`);
      this.drawBoxes(area, isFar);
      this.drawLines(area);
    }
    this.drawMap(sight);
  }

  drawBoxes(area, isFar) {
    this.world.classList.toggle("sp-g-far", isFar);
    const wanted = new Set(), far = Object.fromEntries(["open", ...TONES].map((tone) => [tone, ""]));
    for (const box of this.layout.boxes) {
      if (isFar) far[box.isOpen ? "open" : this.index.nodes.get(box.id).tone || ""] += rectangle(box);
      if (meets(area, box) && !isFar) wanted.add(box.id);
    }
    for (const id of [this.marks.active, this.marks.selected, ...(isFar ? [...this.marks.found].slice(0, 200) : [])]) if (this.boxes.has(id)) wanted.add(id);
    if (!wanted.size && this.layout.boxes.length) wanted.add(this.layout.boxes[0].id);
    for (const [tone, d] of Object.entries(far)) this.far[tone].setAttribute("d", d);
    this.elements.forEach((element, id) => { if (!wanted.has(id)) { element.remove(); this.elements.delete(id); } });
    for (const id of wanted) this.drawBox(id);
    this.mark();
  }

  drawBox(id) {
    let element = this.elements.get(id);
    const box = this.boxes.get(id);
    if (element && !element.dataset.stale) return;
    if (!element) {
      element = made("div", "", this.world);
      element.setAttribute("role", "treeitem");
      element.dataset.id = id;
      element.id = this.elementId(id);
      this.elements.set(id, element);
    }
    delete element.dataset.stale;
    fill(element, this.index.nodes.get(id), box, this.about(id));
  }

  elementId(id) {
    if (!this.numbers.has(id)) this.numbers.set(id, this.numbers.size);
    return `${this.uid}-${this.numbers.get(id)}`;
  }

  about(id) {
    const size = this.index.children.get(id)?.length || 0, page = this.folding.page(this.index, id);
    const isPaged = this.index.nodes.get(id).holds === "iterations" && size > PAGE;
    return { size, page, pages: isPaged ? Math.ceil(size / PAGE) : 1, range: `${page * PAGE + 1}–${Math.min(size, (page + 1) * PAGE)} of ${size}` };
  }

  drawLines(area) {
    const d = {};
    const add = (key, text) => (d[key] = (d[key] || "") + text);
    for (const edge of this.layout.edges) {
      if (!meets(area, edge.box)) continue;
      const part = this.isLit(edge) ? " sp-lit" : "";
      add(edge.kind + part, path(edge.points, this.isRight));
      add("arrow" + part, arrow(edge.points, this.isRight));
    }
    for (const [key, element] of Object.entries(this.lines)) element.setAttribute("d", d[key] || "");
  }

  isLit(edge) { return this.lit !== null && edge.of.some(({ source, target }) => this.lit.has(source) && this.lit.has(target)); }

  // `ids` are emphasised, with what leads from one to the other; null for none. Labels are those at `centre`.
  light(ids, centre) {
    this.lit = ids;
    this.world.classList.toggle("sp-g-lit", ids !== null);
    if (this.drawn) this.drawLines(this.drawn.area);
    this.mark();
    this.labels.forEach((label) => label.remove());
    this.labels = [];
    if (ids === null || this.at.k < READABLE) return;
    for (const edge of this.layout.edges) {
      const texts = [...new Set(edge.of.filter((each) => each.label && (each.source === centre || each.target === centre)).map((each) => each.label))];
      if (!texts.length || this.labels.length >= MOST_LABELS) continue;
      const [x, y] = middle(edge.points), label = made("div", "sp-g-edge-label", this.world);
      label.style.cssText = `left:${x}px;top:${y}px`;
      label.textContent = texts.slice(0, 4).join(", ") + (texts.length > 4 ? " …" : "");
      this.labels.push(label);
    }
  }

  mark() {
    const { selected, active, found } = this.marks;
    this.elements.forEach((element, id) => {
      element.classList.toggle("sp-g-on", this.lit !== null && (this.lit.has(id) || this.boxes.get(id)?.isOpen === true));
      element.classList.toggle("sp-g-selected", id === selected);
      element.classList.toggle("sp-g-active", id === active);
      element.classList.toggle("sp-g-found", found.has(id));
      element.setAttribute("aria-selected", String(id === selected));
    });
  }

  drawMap(sight) {
    const { width, height, boxes } = this.layout;
    const isShown = boxes.length > 12 && (width > sight.w * 1.25 || height > sight.h * 1.25);
    this.minimap.classList.toggle("sp-g-shown", isShown);
    if (!isShown) return;
    const scale = Math.min(MINIMAP[0] / width, MINIMAP[1] / height), svg = this.minimap.firstChild;
    if (this.isMapStale) {
      this.isMapStale = false;
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.minimap.style.width = Math.max(24, width * scale) + 12 + "px";
      this.minimap.style.height = Math.max(24, height * scale) + 12 + "px";
      const d = Object.fromEntries(TONES.map((tone) => [tone, ""]));
      for (const box of boxes) if (!box.isOpen) d[this.index.nodes.get(box.id).tone || ""] += rectangle(box);
      for (const tone of TONES) this.small[tone].setAttribute("d", d[tone]);
    }
    for (const [name, value] of [["x", sight.x], ["y", sight.y], ["width", sight.w], ["height", sight.h]]) this.window.setAttribute(name, String(value));
  }

  // Where in the world a point of the minimap is.
  mapped(event) {
    const frame = this.minimap.firstChild.getBoundingClientRect(), { width, height } = this.layout;
    const scale = Math.min(frame.width / width, frame.height / height) || 1;
    return [(event.clientX - frame.left - (frame.width - width * scale) / 2) / scale, (event.clientY - frame.top - (frame.height - height * scale) / 2) / scale];
  }

  // The box under a point of the world that is too small to be an element.
  boxAt(x, y) {
    let found = null;
    for (const box of this.layout.boxes) if (x >= box.x && x <= box.x + box.w && y >= box.y && y <= box.y + box.h) found = box;
    return found;
  }
}

function bounds(points) {
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const x = Math.min(...xs), y = Math.min(...ys);
  return { x, y, w: Math.max(...xs) - x, h: Math.max(...ys) - y };
}

const meets = (area, box) => box.x <= area.x + area.w && box.x + box.w >= area.x && box.y <= area.y + area.h && box.y + box.h >= area.y;
const holds = (area, box) => box.x >= area.x && box.y >= area.y && box.x + box.w <= area.x + area.w && box.y + box.h <= area.y + area.h;

function middle(points) {
  const at = (points.length - 1) / 2, [x0, y0] = points[Math.floor(at)], [x1, y1] = points[Math.ceil(at)];
  return [(x0 + x1) / 2, (y0 + y1) / 2];
}
