// Runs side by side: a column for each, rows in sections that fold. Plain data from the server, texts as texts.
import { ago, clock, moment, span } from "sampan-times";

const ICONS = { ok: "check_circle", bad: "error", busy: "pending", warn: "warning", idle: "remove_circle_outline" };
// As ECharts draws the same runs.
const SHAPES = ["M7 1a6 6 0 1 0 .01 0z", "M1.5 2.5h11v9h-11z", "M7 1.5l6 11H1z", "M7 .5L12 7l-5 6.5L2 7z"];
const icon = (name) => Vue.h("i", { class: "material-icons", "aria-hidden": "true" }, name);

export function mark(look) {
  const shape = look % 8, tone = `var(--sp-series-${(look % 10) + 1})`;
  return Vue.h("svg", { class: "sp-mark", viewBox: "0 0 14 14", width: 13, height: 13, "aria-hidden": "true" }, Vue.h("path", { d: SHAPES[shape % 4], fill: shape < 4 ? tone : "none", stroke: tone, "stroke-width": shape < 4 ? 0 : 2 }));
}

function content(cell) {
  const h = Vue.h;
  let text = cell.text;
  if (cell.at) text = h("time", { datetime: cell.at, title: moment(cell.at) }, ago(cell.at, clock.now));
  else if (cell.since) text = h("span", { class: "sp-going-on" }, span(cell.since, "", clock.now));
  else if (cell.href) text = h("a", { href: cell.href, title: cell.title || undefined }, cell.text);
  else if (cell.tone && cell.tone !== "muted" && !cell.note) text = h("span", { class: ["sp-state", "sp-tone-" + cell.tone] }, [icon(cell.icon || ICONS[cell.tone] || "circle"), cell.text]);
  const note = cell.note ? h("span", { class: "sp-note" }, [cell.tone && cell.icon ? icon(cell.icon) : null, cell.note]) : null;
  const best = cell.mark ? h("span", { class: "sp-mark-" + cell.mark }, [cell.mark === "best" ? icon("star") : null, cell.mark]) : null;
  return [h("span", { class: { "sp-mono": cell.mono, "sp-muted": cell.tone === "muted" } }, [text]), best, note];
}

export default {
  props: { columns: Array, sections: Array, label: String, base: String, fixed: Boolean },
  data() { return { heads: Vue.markRaw(this.columns), parts: Vue.markRaw(this.sections), against: this.base, folded: new Set() }; },
  methods: {
    draw(columns, sections, base) {
      this.heads = Vue.markRaw(columns);
      this.parts = Vue.markRaw(sections);
      this.against = base;
    },
    fold(key) {
      const folded = new Set(this.folded);
      folded.has(key) ? folded.delete(key) : folded.add(key);
      this.folded = folded;
    },
    tool(name, glyph, label, column, off) {
      return Vue.h("button", { type: "button", class: "sp-icon-button", title: label, "aria-label": label + ": " + column.name, disabled: off || undefined, onClick: () => this.$emit("act", { name, id: column.id }) }, icon(glyph));
    },
    head(column, index) {
      const h = Vue.h, isBase = column.id === this.against, last = this.heads.length - 1;
      const tools = this.fixed ? null : h("div", { class: "sp-matrix-tools" }, [
        this.tool("left", "chevron_left", "Move to the left", column, index === 0),
        this.tool("right", "chevron_right", "Move to the right", column, index === last),
        this.tool("base", isBase ? "flag" : "outlined_flag", isBase ? "Baseline. Click to compare with none" : "Make it the baseline", column),
        this.tool("remove", "close", "Leave out", column),
        isBase ? h("span", { class: "sp-tag" }, "Baseline") : null,
      ]);
      return h("th", { scope: "col", key: column.id, class: { "sp-base": isBase } }, [
        h("div", { class: "sp-matrix-run" }, [mark(column.look), h("a", { href: column.href, title: column.name }, column.name), isBase && this.fixed ? h("span", { class: "sp-tag" }, "Baseline") : null]),
        tools,
      ]);
    },
    section(part) {
      const h = Vue.h, isFolded = this.folded.has(part.key), width = this.heads.length + 1;
      const title = h("tr", { class: "sp-matrix-section" }, h("th", { colspan: width, scope: "rowgroup" }, h("button", { type: "button", "aria-expanded": isFolded ? "false" : "true", onClick: () => this.fold(part.key) }, [icon(isFolded ? "chevron_right" : "expand_more"), part.label])));
      const rows = isFolded ? [] : part.rows.map((row) => h("tr", { key: row.key, class: { "sp-same": !row.differs } }, [
        h("th", { scope: "row" }, h("span", { class: "sp-matrix-label" }, [row.label, row.action ? h("button", { type: "button", class: "sp-icon-button", title: row.action.label, "aria-label": row.label + ": " + row.action.label, onClick: () => this.$emit("act", { name: row.action.name, id: "" }) }, icon(row.action.icon)) : null])),
        ...row.cells.map((cell, index) => h("td", { key: this.heads[index]?.id, title: cell.href ? undefined : cell.title || undefined, class: { ["sp-is-" + cell.mark]: cell.mark, "sp-base": this.heads[index]?.id === this.against } }, content(cell))),
      ]));
      const note = part.note && !isFolded ? [h("tr", { class: "sp-matrix-note" }, h("td", { colspan: width }, part.note))] : [];
      return h("tbody", { key: part.key }, [title, ...rows, ...note]);
    },
  },
  render() {
    const h = Vue.h;
    const head = h("thead", h("tr", [h("th", { scope: "col" }, h("span", { class: "sp-unseen" }, "What")), ...this.heads.map((column, index) => this.head(column, index))]));
    return h("div", { class: "sp-table-box sp-matrix-box", tabindex: 0, role: "region", "aria-label": this.label }, h("table", { class: "sp-table sp-matrix", "aria-label": this.label }, [head, ...this.parts.map((part) => this.section(part))]));
  },
};
