// What differs between two texts: rows of a mark, two line numbers and a text, which is only ever set as a text.
const NAMES = { "+": "added", "-": "removed" };

function paired(rows) {
  const found = [];
  for (let at = 0; at < rows.length; ) {
    if (rows[at][0] === " " || rows[at][0] === "@") {
      found.push([rows[at], rows[at]]);
      at++;
      continue;
    }
    const gone = [], come = [];
    while (at < rows.length && (rows[at][0] === "-" || rows[at][0] === "+")) (rows[at][0] === "-" ? gone : come).push(rows[at++]);
    for (let each = 0; each < Math.max(gone.length, come.length); each++) found.push([gone[each] || null, come[each] || null]);
  }
  return found;
}

export default {
  props: { rows: Array, label: String, split: Boolean, height: String },
  data() { return { isSplit: this.split }; },
  methods: {
    setSplit(isSplit) { this.isSplit = isSplit; },
    cell(row, side) {
      const h = Vue.h;
      if (!row) return [h("span", { class: "sp-code-number" }), h("span", { class: "sp-code-text sp-diff-none" })];
      const mark = row[0] === " " ? "" : row[0] === "-" ? "sp-diff-gone" : "sp-diff-come";
      const number = side === 0 ? row[1] : row[2];
      const sign = row[0] === " " ? " " : row[0];
      return [h("span", { class: ["sp-code-number", mark], "data-number": number || "", "aria-hidden": "true" }),
        h("span", { class: ["sp-code-text", mark] }, [h("span", { class: "sp-diff-sign", "aria-label": NAMES[row[0]] }, sign), row[3]])];
    },
    together(row) {
      const h = Vue.h;
      const mark = row[0] === " " ? "" : row[0] === "-" ? "sp-diff-gone" : "sp-diff-come";
      return h("div", { class: "sp-diff-row" }, [
        h("span", { class: ["sp-code-number", mark], "data-number": row[1] || "", "aria-hidden": "true" }), h("span", { class: ["sp-code-number", mark], "data-number": row[2] || "", "aria-hidden": "true" }),
        h("span", { class: ["sp-code-text", mark] }, [h("span", { class: "sp-diff-sign", "aria-label": NAMES[row[0]] }, row[0]), row[3]])]);
    },
  },
  render() {
    const h = Vue.h, gap = (row) => h("div", { class: "sp-diff-gap" }, row[3]);
    const lines = this.isSplit
      ? paired(this.rows).map(([left, right]) => (left && left[0] === "@" ? gap(left) : h("div", { class: "sp-diff-row sp-split-row" }, [...this.cell(left, 0), ...this.cell(right, 1)])))
      : this.rows.map((row) => (row[0] === "@" ? gap(row) : this.together(row)));
    return h("div", { class: "sp-lines sp-diff", tabindex: 0, role: "region", "aria-label": this.label, style: this.height ? { maxHeight: this.height } : undefined }, lines);
  },
};
