// Moving and zooming: pointer, wheel, pinch. Tells `scene` where the world is, and the owner what was clicked.
const LEAST = 0.02, MOST = 2, CLICK = 4;

export class Camera {
  // `on`: click(target, event), hover(element or null), moved().
  constructor(scene, on) {
    this.scene = scene;
    this.on = on;
    this.isFitted = true;
    this.pointers = new Map();
    this.dragged = 0;
    const view = scene.view;
    view.addEventListener("pointerdown", (event) => this.down(event));
    view.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) view.addEventListener(name, (event) => this.up(event));
    view.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    view.addEventListener("pointerover", (event) => { if (!this.pointers.size) on.hover(event.target.closest("[data-id]")); });
    view.addEventListener("pointerleave", () => on.hover(null));
  }

  down(event) {
    if (event.button !== 0 || event.target.closest("button")) return;
    this.isMapping = Boolean(event.target.closest(".sp-g-minimap"));
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.dragged = 0;
    if (this.isMapping) this.lookAt(...this.scene.mapped(event));
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY], dx = now[0] - before[0], dy = now[1] - before[1];
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.dragged += Math.abs(dx) + Math.abs(dy);
    if (this.dragged < CLICK) return;
    this.pointers.set(event.pointerId, now);
    if (!this.scene.view.hasPointerCapture(event.pointerId)) this.scene.view.setPointerCapture(event.pointerId);
    if (this.isMapping) { this.lookAt(...this.scene.mapped(event)); return; }
    if (other) {
      const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
      this.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else this.moveBy(dx, dy);
  }

  up(event) {
    const was = this.pointers.delete(event.pointerId);
    if (was && this.dragged < CLICK && !this.isMapping && event.type === "pointerup") this.on.click(event);
  }

  wheel(event) {
    const page = document.scrollingElement, isFixed = page.scrollHeight <= page.clientHeight + 1;
    // Until it is chosen, the wheel scrolls a page that is longer than the window.
    if (!event.ctrlKey && !event.metaKey && !isFixed && !this.scene.view.contains(document.activeElement)) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : event.ctrlKey ? 0.008 : 0.0016)), event.clientX, event.clientY);
  }

  zoom(factor, clientX, clientY) {
    const frame = this.scene.view.getBoundingClientRect(), at = this.scene.at;
    const px = clientX === undefined ? frame.width / 2 : clientX - frame.left, py = clientY === undefined ? frame.height / 2 : clientY - frame.top;
    const k = Math.min(MOST, Math.max(LEAST, at.k * factor)), real = k / at.k;
    this.put(px - (px - at.x) * real, py - (py - at.y) * real, k);
  }

  moveBy(dx, dy) { this.put(this.scene.at.x + dx, this.scene.at.y + dy, this.scene.at.k); }

  // `isWithin`: not so that what is beside the graph is seen where the graph itself could be.
  lookAt(x, y, k = this.scene.at.k, isWithin = false) {
    const { width, height } = this.scene.layout, [w, h] = this.scene.size, edge = 28;
    const held = (at, size, seen) => (size * k + 2 * edge <= seen ? (seen - size * k) / 2 : Math.max(seen - edge - size * k, Math.min(edge, at)));
    const left = w / 2 - x * k, top = h / 2 - y * k;
    this.put(isWithin ? held(left, width, w) : left, isWithin ? held(top, height, h) : top, k);
  }

  put(x, y, k) {
    this.isFitted = false;
    this.scene.at = { x, y, k };
    this.later();
  }

  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.scene.draw(); this.on.moved(); });
  }

  fitScale() {
    const { width, height } = this.scene.layout, [w, h] = this.scene.size;
    return Math.min(1, (w - 40) / Math.max(1, width), (h - 40) / Math.max(1, height));
  }

  fit(least = LEAST) {
    const { width, height } = this.scene.layout, [w, h] = this.scene.size, k = Math.max(least, this.fitScale());
    this.put((w - width * k) / 2, Math.max((h - height * k) / 2, 20), k);
    this.isFitted = true;
  }

  // So that a box is in sight, moved no further than is needed.
  reveal(box, readable) {
    const at = this.scene.at, [w, h] = this.scene.size, k = Math.max(at.k, readable), edge = 24;
    if (k !== at.k) { this.lookAt(box.x + box.w / 2, box.y + Math.min(box.h, h / k) / 2, k); return; }
    const x = box.x * k + at.x, y = box.y * k + at.y;
    const dx = x < edge ? edge - x : Math.min(0, Math.max(w - edge - (x + box.w * k), edge - x));
    const dy = y < edge ? edge - y : Math.min(0, Math.max(h - edge - (y + box.h * k), edge - y));
    if (dx || dy) this.moveBy(dx, dy);
  }
}
