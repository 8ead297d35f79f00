// A table of rows that the server sends as plain data. Texts are only ever set as texts.
import { ago, clock, moment, span } from "sampan-times";

const ICONS = { ok: "check_circle", bad: "error", busy: "pending", warn: "warning", idle: "remove_circle_outline" };
const icon = (name) => Vue.h("i", { class: "material-icons", "aria-hidden": "true" }, name);
const second = (text) => (text ? Vue.h("span", { class: "sp-second" }, text) : null);

function drawn(cell, row, act) {
  const h = Vue.h;
  if (cell === null || cell === undefined) return "";
  if (typeof cell !== "object") return String(cell);
  switch (cell.t) {
    case "link": return [h("a", { href: cell.href }, [cell.icon ? icon(cell.icon) : null, cell.text]), second(cell.second)];
    case "lines": return [cell.text, second(cell.second)];
    case "state": return [h("span", { class: ["sp-state", "sp-tone-" + cell.tone], title: cell.title || undefined }, [icon(cell.icon || ICONS[cell.tone] || "circle"), cell.text]), second(cell.second)];
    case "moment": return cell.at ? h("time", { datetime: cell.at }, [moment(cell.at), second(ago(cell.at, clock.now))]) : "";
    case "strip": return h("span", { class: "sp-strip" }, cell.items.map((each) => h("a", { href: each.href, title: each.title, "aria-label": each.title, class: "sp-tone-" + each.tone })));
    case "time": return cell.at ? h("time", { datetime: cell.at, title: moment(cell.at) }, ago(cell.at, clock.now)) : "";
    case "duration": return cell.start ? span(cell.start, cell.end, clock.now) : "";
    case "mono": return h("span", { class: "sp-mono" }, cell.text);
    case "number": return cell.text || (cell.value === null || cell.value === undefined ? "" : String(cell.value));
    case "tags": return cell.items.map((each) => h("span", { class: "sp-tag" }, each));
    case "marks": return h("span", { class: "sp-marks" }, cell.items.map((each) => h("a", { href: each.href, class: "sp-tone-" + each.tone, title: each.title, "aria-label": each.title }, icon(each.icon || ICONS[each.tone] || "circle"))));
    case "bar": return h("span", { class: "sp-bar", style: { "--sp-part": Math.min(1, Math.max(0, cell.value)) } }, cell.text);
    case "actions": return cell.items.map((each) => h("button", { type: "button", class: "sp-icon-button", title: each.label, "aria-label": each.label + " " + (row.name || row.id), onClick: () => act(row.id, each.name) }, icon(each.icon)));
    default: return "";
  }
}

export default {
  props: { columns: Array, rows: Array, label: String, pickable: Boolean, sort: String, descending: Boolean },
  data() {
    return { shown: this.rows || [], picked: new Set(), by: this.sort, down: this.descending, last: -1 };
  },
  watch: {
    rows(rows) {
      this.shown = rows;
      const there = new Set(rows.map((row) => row.id));
      const kept = [...this.picked].filter((id) => there.has(id));
      if (kept.length !== this.picked.size) this.setPicked(kept);
    },
    sort(value) { this.by = value; },
    descending(value) { this.down = value; },
  },
  methods: {
    change(rows) {
      const fresh = new Map(rows.map((row) => [row.id, row]));
      this.shown = this.shown.map((row) => fresh.get(row.id) || row);
    },
    unpick() { this.picked = new Set(); },
    setPicked(ids) {
      this.picked = new Set(ids);
      this.$emit("pick", [...this.picked]);
    },
    toggle(index, event) {
      const ids = new Set(this.picked), id = this.shown[index].id, on = !ids.has(id);
      const from = event.shiftKey && this.last >= 0 ? Math.min(this.last, index) : index;
      const to = event.shiftKey && this.last >= 0 ? Math.max(this.last, index) : index;
      for (let each = from; each <= to; each++) on ? ids.add(this.shown[each].id) : ids.delete(this.shown[each].id);
      this.last = index;
      this.setPicked(ids);
    },
    toggleAll() {
      this.setPicked(this.picked.size === this.shown.length ? [] : this.shown.map((row) => row.id));
    },
    sortBy(column) {
      this.down = this.by === column.sort ? !this.down : true;
      this.by = column.sort;
      this.$emit("sort", { sort: this.by, descending: this.down });
    },
    act(id, name) { this.$emit("action", { id, name }); },
  },
  render() {
    const h = Vue.h;
    const head = (this.columns || []).map((column) => {
      const isSorted = column.sort && column.sort === this.by;
      const attributes = { key: column.key, scope: "col", class: { "sp-number": column.number, "sp-narrow": column.narrow }, "aria-sort": isSorted ? (this.down ? "descending" : "ascending") : undefined };
      if (!column.sort) return h("th", attributes, column.label || h("span", { class: "sp-unseen" }, "Actions"));
      return h("th", attributes, h("button", { type: "button", onClick: () => this.sortBy(column) }, [column.label, isSorted ? icon(this.down ? "arrow_downward" : "arrow_upward") : null]));
    });
    if (this.pickable) {
      const all = this.shown.length > 0 && this.picked.size === this.shown.length;
      head.unshift(h("th", { scope: "col", class: "sp-narrow" }, h("input", { type: "checkbox", "aria-label": "Pick all", checked: all, onChange: this.toggleAll })));
    }
    const body = this.shown.map((row, index) => {
      const cells = this.columns.map((column) => h("td", { key: column.key, class: { "sp-number": column.number, "sp-narrow": column.narrow } }, drawn(row.cells[column.key], row, this.act)));
      if (this.pickable) cells.unshift(h("td", { class: "sp-narrow" }, h("input", { type: "checkbox", "aria-label": "Pick " + (row.name || row.id), checked: this.picked.has(row.id), onClick: (event) => this.toggle(index, event) })));
      return h("tr", { key: row.id, "data-id": row.id, class: { "sp-picked": this.picked.has(row.id) } }, cells);
    });
    return h("div", { class: "sp-table-box", tabindex: 0, role: "region", "aria-label": this.label }, h("table", { class: "sp-table", "aria-label": this.label }, [h("thead", h("tr", head)), h("tbody", body)]));
  },
};
