// Rows of bars on an axis of time. Only rows in sight are elements; what has not ended grows with the clock.
import { clock, moment, span } from "sampan-times";
import { shown, sums, ticks } from "sampan-timeline/scale.js";

const ROW = 30, AXIS = 30, MARGIN = 8, WIDEST = 4e6, KINDS = { queue: "Waited for its turn", prepare: "Prepared", run: "Ran", group: "Took" };
const ICONS = { ok: "check_circle", bad: "error", busy: "pending", warn: "warning", idle: "remove_circle_outline", "": "radio_button_unchecked" };
let views = 0;

const h = (...args) => Vue.h(...args);
const icon = (name, type = "") => h("i", { class: ["material-icons", type], "aria-hidden": "true" }, name);
const tool = (name, label, act) => h("button", { type: "button", class: "sp-icon-button", title: label, "aria-label": label, onClick: act }, icon(name));
const lasted = (milliseconds) => span(new Date(0).toISOString(), new Date(Math.max(1, milliseconds)).toISOString(), 0);

export default {
  props: { timeline: String, label: String, height: String, selected: String },
  emits: ["select"],
  data() {
    return { version: 0, chosen: this.selected || "", active: "", zoom: 1, scroll: { top: 0, left: 0, width: 800, height: 400 }, tip: null, isOnlyCritical: false };
  },
  watch: {
    timeline(text) { this.replace(text); },
    selected(id) { if (id !== this.chosen) this.choose(id); },
    zoom() { this.$nextTick(this.measure); },
  },
  created() {
    this.folds = new Map();
    this.uid = "sp-timeline-" + ++views;
    this.replace(this.timeline);
  },
  mounted() {
    this.watching = new ResizeObserver(this.measure);
    this.watching.observe(this.$refs.box);
    this.measure();
    this.$refs.box.addEventListener("wheel", this.wheel, { passive: false });
    if (this.chosen) this.choose(this.chosen);
  },
  beforeUnmount() { this.watching.disconnect(); },
  methods: {
    replace(text) {
      const found = text ? JSON.parse(text) : {};
      this.set(found.rows || [], found.start || 0, found.end || 0);
    },
    patch(text) {
      const { start = 0, end = 0, removed = [], added = [], changed = [] } = JSON.parse(text);
      const gone = new Set(removed), news = new Map(changed.map((row) => [row.id, row]));
      const rows = this.rows.filter((row) => !gone.has(row.id)).map((row) => news.get(row.id) || row);
      for (const [at, row] of added) rows.splice(at, 0, row);
      this.set(rows, start, end);
    },
    set(rows, start, end) {
      this.rows = rows;
      this.start = start;
      this.end = end;
      this.places = new Map(rows.map((row, at) => [row.id, at]));
      this.version++;
    },
    choose(id) {
      this.chosen = id;
      for (let at = this.row(id)?.parent; at; at = this.row(at)?.parent) this.folds.set(at, true);
      this.version++;
      this.$nextTick(() => this.reveal(id));
    },
    row(id) { return this.rows[this.places.get(id)]; },
    isOpen(row) { return this.folds.has(row.id) ? this.folds.get(row.id) : row.open !== false; },
    toggle(row) { this.folds.set(row.id, !this.isOpen(row)); this.version++; },
    toggleAll(open) { for (const row of this.rows) if (row.parent) this.folds.set(row.parent, open); this.version++; },
    visible() {
      const rows = this.isOnlyCritical ? this.rows.filter((row) => row.critical) : this.rows;
      return shown(rows, this.isOpen);
    },
    measure() {
      const box = this.$refs.box;
      if (box) this.scroll = { top: box.scrollTop, left: box.scrollLeft, width: box.clientWidth, height: box.clientHeight };
    },
    names() { return Math.min(300, Math.max(120, Math.round(this.scroll.width * 0.26))); },
    pick(id) {
      this.chosen = id;
      this.$emit("select", id);
    },
    reveal(id) {
      const at = this.visible().findIndex(({ row }) => row.id === id), box = this.$refs.box;
      if (at < 0 || !box) return;
      const top = at * ROW;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + ROW + AXIS > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW + AXIS - box.clientHeight;
    },
    setZoom(factor, clientX) {
      const box = this.$refs.box, names = this.names(), frame = box.getBoundingClientRect();
      const at = clientX === undefined ? (this.scroll.width - names) / 2 : Math.max(0, clientX - frame.left - names);
      const inner = this.scroll.width - names - 2 * MARGIN, before = this.zoom;
      this.zoom = Math.min(Math.max(1, this.zoom * factor), Math.max(1, WIDEST / inner));
      const left = (box.scrollLeft + at) * (this.zoom / before) - at;
      this.$nextTick(() => { box.scrollLeft = left; this.measure(); });
    },
    wheel(event) {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.setZoom(Math.exp(-event.deltaY * 0.004), event.clientX);
    },
    key(event) {
      if (event.target !== this.$refs.box) return;
      const rows = this.visible(), at = rows.findIndex(({ row }) => row.id === this.active), row = rows[at]?.row;
      const go = (index) => { if (!rows.length) return; this.active = rows[Math.min(rows.length - 1, Math.max(0, index))].row.id; this.reveal(this.active); };
      if (event.key === "ArrowDown") go(at + 1);
      else if (event.key === "ArrowUp") go(at - 1);
      else if (event.key === "Home") go(0);
      else if (event.key === "End") go(rows.length - 1);
      else if (event.key === "ArrowRight" && row && rows[at].holds && !this.isOpen(row)) this.toggle(row);
      else if (event.key === "ArrowLeft" && row && rows[at].holds && this.isOpen(row)) this.toggle(row);
      else if (event.key === "ArrowLeft" && row?.parent) go(rows.findIndex((each) => each.row.id === row.parent));
      else if (event.key === "Enter" && row) this.pick(row.id === this.chosen ? "" : row.id);
      else if (event.key === "+" || event.key === "=") this.setZoom(1.5);
      else if (event.key === "-") this.setZoom(1 / 1.5);
      else if (event.key === "0") this.zoom = 1;
      else return;
      event.preventDefault();
    },
    focused() { if (!this.active && this.$refs.box.matches(":focus-visible")) this.active = this.chosen || this.rows[0]?.id || ""; },
    spoken(row, now) {
      const times = sums(row, now), parts = Object.entries(KINDS).filter(([kind]) => times[kind] > 0).map(([kind, word]) => word.toLowerCase() + " " + lasted(times[kind]));
      return [row.label, row.badge, row.state, ...parts, row.critical ? "on the critical path" : ""].filter(Boolean).join(", ");
    },
    hint(event, row) {
      const width = 260, x = Math.min(event.clientX + 14, window.innerWidth - width - 12);
      this.tip = { id: row.id, x, y: Math.min(event.clientY + 16, window.innerHeight - 190) };
    },

    // Drawing
    bars(row, scale, now) {
      const from = this.scroll.left - 200, to = this.scroll.left + this.scroll.width + 200;
      return (row.spans || []).map((each, at) => {
        const left = MARGIN + (each.start - this.start) * scale, right = MARGIN + ((each.end || now) - this.start) * scale;
        if (right < from || left > to) return null;
        return h("span", { key: at, class: ["sp-t-bar", "sp-t-" + each.kind, each.tone ? "sp-tone-" + each.tone : "", each.end ? "" : "sp-t-going"], style: { left: left + "px", width: Math.max(each.kind === "run" ? 3 : 1, right - left) + "px" } });
      });
    },
    line({ row, depth, holds }, at, names, scale, now) {
      const fold = holds ? h("button", { type: "button", tabindex: -1, class: "sp-g-button", "aria-label": (this.isOpen(row) ? "Fold " : "Unfold ") + row.label, onClick: (event) => { event.stopPropagation(); this.toggle(row); } }, icon(this.isOpen(row) ? "expand_more" : "chevron_right")) : h("span", { class: "sp-t-none" });
      const name = h("div", { class: "sp-t-name", style: { width: names + "px", paddingLeft: 6 + depth * 14 + "px" } }, [
        fold,
        icon(row.state ? ICONS[row.tone || ""] : row.icon || "circle", row.tone ? "sp-t-state sp-tone-" + row.tone : "sp-t-state"),
        h("span", { class: "sp-t-label", title: row.label }, row.label),
        " ",
        row.badge ? h("span", { class: "sp-g-badge" }, row.badge) : null,
      ]);
      return h("div", {
        key: row.id, id: this.uid + "-" + this.places.get(row.id), role: "treeitem", "aria-level": depth + 1, "aria-label": this.spoken(row, now), "aria-selected": row.id === this.chosen, "aria-expanded": holds ? this.isOpen(row) : undefined,
        class: ["sp-t-row", { "sp-t-selected": row.id === this.chosen, "sp-t-active": row.id === this.active, "sp-t-critical": row.critical }], style: { top: AXIS + at * ROW + "px" },
        onClick: () => this.pick(row.id === this.chosen ? "" : row.id), onMousemove: (event) => this.hint(event, row), onMouseleave: () => { this.tip = null; },
      }, [name, h("div", { class: "sp-t-bars", style: { left: names + "px" } }, this.bars(row, scale, now))]);
    },
    axis(names, scale, now, wide) {
      const from = (this.scroll.left - MARGIN) / scale, to = Math.min(now - this.start, (this.scroll.left + this.scroll.width) / scale);
      const marks = this.start ? ticks(Math.max(0, from), to, 1 / scale) : [];
      const line = ([at]) => h("span", { key: at, class: "sp-t-line", style: { left: names + MARGIN + at * scale + "px" } });
      const word = ([at, text]) => h("span", { key: at, class: "sp-t-tick", title: moment(new Date(this.start + at).toISOString()), style: { left: names + MARGIN + at * scale + "px" } }, text);
      const corner = h("span", { class: "sp-t-corner", style: { width: names + "px" } }, `${this.rows.length} ${this.rows.length === 1 ? "row" : "rows"}, ${lasted(now - this.start)}`);
      return [
        h("div", { class: "sp-t-lines", "aria-hidden": "true", style: { width: wide + "px" } }, marks.map(line)),
        h("div", { class: "sp-t-axis", "aria-hidden": "true", style: { width: wide + "px" } }, [corner, ...marks.filter(([at]) => names + at * scale < wide - 50).map(word)]),
      ];
    },
    bubble(now) {
      const row = this.tip && this.row(this.tip.id);
      if (!row) return null;
      const times = sums(row, now), first = row.spans?.[0], last = row.spans?.[row.spans.length - 1];
      const part = (kind) => (times[kind] > 0 ? h("div", { class: "sp-t-part" }, [h("span", { class: ["sp-t-key", "sp-t-" + kind] }), KINDS[kind], h("b", lasted(times[kind]))]) : null);
      return h("div", { class: "sp-t-tip", "aria-hidden": "true", style: { left: this.tip.x + "px", top: this.tip.y + "px" } }, [
        h("div", { class: "sp-t-head" }, row.label),
        h("div", { class: "sp-t-sub" }, [row.state, row.badge, row.critical ? "on the critical path" : ""].filter(Boolean).join(" · ")),
        ...Object.keys(KINDS).map(part),
        first ? h("div", { class: "sp-t-sub" }, `from ${moment(new Date(first.start).toISOString())}`) : null,
        last?.end ? h("div", { class: "sp-t-sub" }, `to ${moment(new Date(last.end).toISOString())}`) : null,
      ]);
    },
    toolbar() {
      const key = (kind, word) => h("span", { class: "sp-t-part" }, [h("span", { class: ["sp-t-key", "sp-t-" + kind] }), word]);
      const hasFolds = this.rows.some((row) => row.parent), hasCritical = this.rows.some((row) => row.critical);
      return h("div", { class: "sp-g-tools" }, [
        h("div", { class: "sp-t-legend" }, [key("queue", "waits"), key("prepare", "prepares"), key("run", "runs")]),
        hasCritical ? h("label", { class: "sp-t-check" }, [h("input", { type: "checkbox", checked: this.isOnlyCritical, onChange: (event) => { this.isOnlyCritical = event.target.checked; } }), "Critical path only"]) : null,
        h("span", { class: "sp-space" }),
        ...(hasFolds ? [tool("unfold_more", "Unfold all", () => this.toggleAll(true)), tool("unfold_less", "Fold all", () => this.toggleAll(false))] : []),
        tool("zoom_out", "Zoom out", () => this.setZoom(1 / 1.5)), tool("zoom_in", "Zoom in", () => this.setZoom(1.5)), tool("fit_screen", "Show all of the time", () => { this.zoom = 1; }),
      ]);
    },
  },
  render() {
    void this.version;
    const now = this.end || Math.max(clock.now, this.start + 1000), rows = this.visible(), names = this.names();
    const inner = Math.max(50, (this.scroll.width - names - 2 * MARGIN)) * this.zoom, scale = inner / Math.max(1, now - this.start), wide = names + inner + 2 * MARGIN;
    const first = Math.max(0, Math.floor(this.scroll.top / ROW) - 6), count = Math.ceil(this.scroll.height / ROW) + 12;
    const lines = rows.slice(first, first + count).map((each, at) => this.line(each, first + at, names, scale, now));
    const box = h("div", {
      ref: "box", class: "sp-t-box", tabindex: 0, role: "tree", "aria-label": this.label, "aria-activedescendant": this.active && this.places.has(this.active) ? this.uid + "-" + this.places.get(this.active) : undefined,
      style: { height: `min(${this.height}, ${AXIS + rows.length * ROW + 18}px)` }, onScroll: this.measure, onKeydown: this.key, onFocus: this.focused,
    }, h("div", { class: "sp-t-space", style: { width: wide + "px", height: AXIS + rows.length * ROW + "px" } }, [...this.axis(names, scale, now, wide), ...lines]));
    return h("div", { class: "sp-graph sp-timeline" }, [this.toolbar(), box, this.bubble(now)]);
  },
};
