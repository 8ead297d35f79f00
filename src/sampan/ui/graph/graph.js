// A graph that the server sends as plain data. What it looks like, and what is folded, is decided here.
import { arranged } from "sampan-graph/arrange.js";
import { Camera } from "sampan-graph/camera.js";
import { drawn } from "sampan-graph/outline.js";
import { READABLE, Scene } from "sampan-graph/scene.js";
import { Folding, grown, holders, indexed, isGroup, paths, visible } from "sampan-graph/structure.js";
import { next } from "sampan-graph/walking.js";

const NARROW = 560, HOVER_MILLISECONDS = 90, LEAST_HEIGHT = 180;
const WAYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
let views = 0;

const h = (...args) => Vue.h(...args);
const icon = (name) => h("i", { class: "material-icons", "aria-hidden": "true" }, name);
const tool = (name, label, act, extra) => h("button", { type: "button", class: "sp-icon-button", title: label, "aria-label": label, onClick: act, ...extra }, icon(name));

export default {
  props: { graph: String, label: String, height: String, selected: String },
  emits: ["select", "toggle"],
  data() {
    return { text: "", matches: [], at: -1, isList: false, chosen: this.selected || "", count: 0, groups: 0, version: 0, tall: LEAST_HEIGHT };
  },
  watch: {
    graph(text) { this.replace(text); },
    selected(id) { if (id !== this.chosen) this.choose(id, true); },
  },
  created() {
    // Not reactive: thousands of nodes.
    this.index = indexed({});
    this.folding = Vue.markRaw(new Folding());
    this.uid = "sp-graph-" + ++views;
  },
  mounted() {
    this.scene = Vue.markRaw(new Scene(this.$refs.view, this.uid));
    this.camera = Vue.markRaw(new Camera(this.scene, { click: (event) => this.clicked(event), hover: (element) => this.hovered(element), moved: () => {} }));
    this.isList = this.$el.clientWidth > 0 && this.$el.clientWidth < NARROW;
    this.watching = new ResizeObserver(() => this.resized());
    this.watching.observe(this.$refs.view);
    this.replace(this.graph);
  },
  beforeUnmount() {
    this.watching.disconnect();
    clearTimeout(this.hovering);
  },
  methods: {
    // From the server
    replace(text) { this.take(text ? JSON.parse(text) : {}); },
    grow(text) { this.take(grown({ nodes: [...this.index.nodes.values()], edges: this.edges, direction: this.index.direction }, JSON.parse(text))); },
    take(graph) {
      const isFirst = !this.index.nodes.size;
      this.edges = graph.edges || [];
      this.index = indexed(graph);
      this.arrange();
      this.search(this.text);
      // When the view is as high as the graph wants it.
      if (isFirst) this.$nextTick(() => this.start());
    },
    patch(text) {
      const nodes = JSON.parse(text);
      for (const node of nodes) if (this.index.nodes.has(node.id)) this.index.nodes.set(node.id, node);
      this.scene.patch(nodes.map((node) => node.id));
      this.version++;
    },
    choose(id, reveal) {
      this.chosen = id;
      if (id && reveal && this.index.nodes.has(id)) this.goTo(id);
      this.mark();
    },

    // Layout
    arrange(anchor) {
      const held = this.camera.isFitted ? null : this.anchor(anchor);
      const layout = arranged(this.index, visible(this.index, this.folding), this.index.direction);
      this.count = this.index.nodes.size;
      this.groups = [...this.index.nodes.keys()].filter((id) => isGroup(this.index, id)).length;
      this.tall = Math.max(LEAST_HEIGHT, layout.height + 48);
      this.version++;
      this.scene.layout = layout;
      if (held) {
        const box = layout.boxes.find((each) => each.id === held.id), { x, y, k } = this.scene.at;
        if (box) this.scene.at = { x: x + (held.x - box.x) * k, y: y + (held.y - box.y) * k, k };
      }
      this.scene.show(this.index, this.folding, layout);
      if (this.camera.isFitted) this.$nextTick(() => this.camera.fit(READABLE + 0.1));
      this.mark();
    },
    // What stays where it is while all else moves.
    anchor(id) {
      const { x, y, k } = this.scene.at, [width, height] = this.scene.size;
      const boxes = this.scene.layout.boxes;
      const wanted = boxes.find((box) => box.id === id) || boxes.find((box) => box.id === this.chosen);
      if (wanted) return wanted;
      const [cx, cy] = [(width / 2 - x) / k, (height / 2 - y) / k];
      let found = null, least = Infinity;
      for (const box of boxes) {
        const far = Math.hypot(box.x + box.w / 2 - cx, box.y + box.h / 2 - cy);
        if (far < least && !box.isOpen) { least = far; found = box; }
      }
      return found;
    },
    // At first: all of it if that can be read; else what failed or runs, or the beginning.
    start() {
      this.isWaiting = !this.scene.size[0];
      if (this.isWaiting) return;
      if (this.chosen && this.index.nodes.has(this.chosen)) { this.goTo(this.chosen); this.mark(); return; }
      if (this.camera.fitScale() >= READABLE) return;
      const boxes = this.scene.layout.boxes.filter((box) => !box.isOpen);
      const toned = (tone) => boxes.find((box) => this.index.nodes.get(box.id).tone === tone);
      const box = toned("bad") || toned("busy");
      const first = boxes.reduce((one, other) => (!one || other.y < one.y - 1 ? other : one), null);
      if (box) this.camera.lookAt(box.x + box.w / 2, box.y + box.h / 2, 0.8, true);
      else if (first) this.camera.lookAt(first.x + first.w / 2, first.y, 0.8, true);
    },
    resized() {
      if (!this.scene.size[0]) return;
      if (this.isWaiting) { this.camera.isFitted = true; this.start(); }
      if (this.camera.isFitted) this.camera.fit(READABLE + 0.1); else { this.scene.redraw(); }
    },
    toggle(id) {
      const open = !this.folding.isOpen(this.index, id);
      this.folding.set(id, open);
      this.arrange(id);
      this.$emit("toggle", { id, open });
    },
    toggleAll(open) {
      for (const id of this.index.nodes.keys()) if (isGroup(this.index, id)) this.folding.set(id, open);
      this.camera.isFitted = true;
      this.arrange();
    },
    page(id, by) {
      this.folding.pages.set(id, Math.max(0, this.folding.page(this.index, id) + by));
      this.arrange(id);
    },

    // Choosing and looking for
    goTo(id) {
      if (!this.scene.boxes.has(id)) { this.folding.reveal(this.index, id); this.arrange(id); }
      const box = this.scene.boxes.get(id);
      if (box) this.camera.reveal(box, 0.7);
    },
    pick(id) {
      this.chosen = id;
      this.scene.marks.active = id || this.scene.marks.active;
      this.mark();
      this.$emit("select", id);
    },
    mark() {
      const { marks } = this.scene;
      marks.selected = this.chosen;
      marks.found = new Set(this.text ? this.matches : []);
      if (!this.scene.boxes.has(marks.active)) marks.active = this.scene.boxes.has(this.chosen) ? this.chosen : "";
      this.light(this.chosen);
      this.version++;
    },
    light(id) {
      if (!id || !this.scene.boxes.has(id)) { this.scene.light(null, ""); return; }
      const lit = paths(this.index, id), within = [...this.index.nodes.keys()].filter((each) => holders(this.index, each).some((holder) => lit.has(holder)));
      for (const each of [...lit]) for (const holder of holders(this.index, each)) lit.add(holder);
      for (const each of within) lit.add(each);
      this.scene.light(lit, id);
    },
    hovered(element) {
      clearTimeout(this.hovering);
      this.hovering = setTimeout(() => this.light(element?.dataset.id || this.chosen), HOVER_MILLISECONDS);
    },
    clicked(event) {
      const element = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-id]");
      if (element && this.$refs.view.contains(element)) { this.pick(element.dataset.id === this.chosen ? "" : element.dataset.id); return; }
      const frame = this.$refs.view.getBoundingClientRect(), { x, y, k } = this.scene.at;
      const box = k < READABLE && this.scene.boxAt((event.clientX - frame.left - x) / k, (event.clientY - frame.top - y) / k);
      if (box && !box.isOpen) { this.pick(box.id); this.camera.reveal(box, 0.7); } else if (this.chosen) this.pick("");
    },
    acted(event) {
      const button = event.target.closest("[data-act]"), id = button?.closest("[data-id]")?.dataset.id;
      if (!id) return;
      event.stopPropagation();
      if (button.dataset.act === "toggle") this.toggle(id); else this.page(id, button.dataset.act === "on" ? 1 : -1);
    },
    search(text) {
      this.text = text;
      const wanted = text.trim().toLowerCase();
      this.matches = wanted ? [...this.index.nodes.values()].filter((node) => node.label.toLowerCase().includes(wanted) || node.id.toLowerCase() === wanted).map((node) => node.id) : [];
      this.at = -1;
      this.mark();
      this.scene.redraw();
    },
    step(by) {
      if (!this.matches.length) return;
      this.at = (this.at + by + this.matches.length) % this.matches.length;
      const id = this.matches[this.at];
      this.scene.marks.active = id;
      this.goTo(id);
      this.mark();
      this.scene.redraw();
    },
    key(event) {
      if (event.target !== this.$refs.view || event.altKey || event.ctrlKey || event.metaKey) return;
      const { marks, layout } = this.scene, active = marks.active;
      if (WAYS[event.key]) {
        if (event.shiftKey) this.camera.moveBy({ left: 60, right: -60 }[WAYS[event.key]] || 0, { up: 60, down: -60 }[WAYS[event.key]] || 0);
        else this.activate(active ? next(layout, active, WAYS[event.key], this.index.direction === "right") : layout.boxes[0]?.id);
      } else if (event.key === "Home") this.activate(layout.boxes[0]?.id);
      else if (event.key === "End") this.activate(layout.boxes[layout.boxes.length - 1]?.id);
      else if (event.key === "Enter" && active) this.pick(active);
      else if (event.key === " " && active && isGroup(this.index, active)) this.toggle(active);
      else if (event.key === "Escape" && this.chosen) this.pick("");
      else if (event.key === "+" || event.key === "=") this.camera.zoom(1.25);
      else if (event.key === "-") this.camera.zoom(0.8);
      else if (event.key === "0") this.camera.fit();
      else return;
      event.preventDefault();
    },
    activate(id) {
      if (!id) return;
      this.scene.marks.active = id;
      const box = this.scene.boxes.get(id);
      this.camera.reveal(box.isOpen ? { ...box, h: 40, w: Math.min(box.w, 220) } : box, READABLE + 0.1);
      this.scene.redraw();
      this.$refs.view.setAttribute("aria-activedescendant", this.scene.elementId(id));
    },
    // By the keyboard: what was clicked stays where it is.
    focused() { if (this.$refs.view.matches(":focus-visible") && !this.scene.marks.active) this.activate(this.chosen || this.scene.layout.boxes[0]?.id); },
    found(event) {
      if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
      else if (event.key === "Escape") this.search("");
    },
    // Where there are several kinds of lines.
    legend() {
      const kinds = ["artifact", "parameter", "order"].filter((kind) => this.index.edges.some((edge) => (edge.kind || "order") === kind));
      const line = (kind) => h("svg", { width: 26, height: 8, "aria-hidden": "true" }, h("path", { class: "sp-line sp-line-" + kind, d: "M1 4H25" }));
      return kinds.length > 1 && !this.isList ? h("span", { class: "sp-g-legend" }, kinds.map((kind) => h("span", { key: kind }, [line(kind), kind]))) : null;
    },
    toolbar() {
      const count = this.text ? (this.matches.length ? (this.at >= 0 ? `${this.at + 1} of ${this.matches.length}` : `${this.matches.length} found`) : "none found") : `${this.count} ${this.count === 1 ? "node" : "nodes"}`;
      const folds = this.groups ? [tool("unfold_more", "Unfold all", () => this.toggleAll(true)), tool("unfold_less", "Fold all", () => this.toggleAll(false))] : [];
      const zooms = this.isList ? [] : [tool("zoom_out", "Zoom out", () => this.camera.zoom(0.8)), tool("zoom_in", "Zoom in", () => this.camera.zoom(1.25)), tool("fit_screen", "Show all", () => this.camera.fit())];
      return h("div", { class: "sp-g-tools" }, [
        h("input", { class: "sp-input", type: "search", placeholder: "Find by name", "aria-label": "Find by name in " + this.label, value: this.text, onInput: (event) => this.search(event.target.value), onKeydown: this.found }),
        h("span", { class: "sp-g-count", "aria-live": "polite" }, count),
        this.matches.length > 1 ? [tool("keyboard_arrow_up", "The match before", () => this.step(-1)), tool("keyboard_arrow_down", "The next match", () => this.step(1))] : null,
        h("span", { class: "sp-space" }),
        this.legend(),
        ...folds,
        ...zooms,
        tool(this.isList ? "account_tree" : "list", this.isList ? "Show as a graph" : "Show as a list", () => { this.isList = !this.isList; }),
      ]);
    },
  },
  render() {
    void this.version;
    const view = h("div", {
      ref: "view", class: "sp-g-view", tabindex: 0, role: "tree", "aria-label": this.label, "aria-describedby": this.uid + "-keys",
      style: { height: `min(${this.height}, ${this.tall}px)`, display: this.isList ? "none" : "block" },
      onKeydown: this.key, onFocus: this.focused, onClick: this.acted,
    });
    const list = this.isList ? drawn(this.index, this.folding, this.chosen, new Set(this.text ? this.matches : []), this.label, { choose: (id) => this.pick(id === this.chosen ? "" : id), toggle: (id) => this.toggle(id), page: (id, by) => this.page(id, by) }) : null;
    return h("div", { class: "sp-graph" }, [
      this.toolbar(),
      view,
      this.count ? null : h("p", { class: "sp-g-empty" }, "Nothing to draw yet."),
      list,
      h("span", { id: this.uid + "-keys", class: "sp-unseen" }, "Arrow keys move, Enter chooses, Space folds, plus and minus zoom, 0 shows all."),
    ]);
  },
};
