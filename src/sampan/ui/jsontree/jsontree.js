// JSON that folds. Keys and texts are only ever set as texts, and never used as names of properties of ours.
const AT_ONCE = 100;
const LONG = 2000;
const OPEN = 40; // Entries of what is unfolded by itself.

const Node = {
  name: "SpJsonNode",
  props: { name: {}, value: {}, depth: Number, openLevels: Number },
  data() { return { open: this.depth === 0 || (this.depth < this.openLevels && Object.keys(this.value ?? {}).length <= OPEN), most: AT_ONCE, whole: false }; },
  computed: {
    isArray() { return Array.isArray(this.value); },
    isBranch() { return this.value !== null && typeof this.value === "object"; },
    entries() { return this.isArray ? this.value : Object.entries(this.value); },
  },
  render() {
    const h = Vue.h, isNamed = this.name !== undefined && this.name !== null;
    const name = isNamed ? [h("span", { class: "sp-json-key" }, String(this.name)), ": "] : [];
    if (!this.isBranch) return h("li", { class: "sp-json-leaf" }, [...name, this.leaf()]);
    const count = this.entries.length, size = this.isArray ? `[ ${count} ]` : `{ ${count} }`;
    const head = h("button", { type: "button", class: "sp-json-fold", "aria-expanded": String(this.open), disabled: !count, onClick: () => (this.open = !this.open) }, [
      h("i", { class: "material-icons", "aria-hidden": "true" }, !count ? "remove" : this.open ? "expand_more" : "chevron_right"), ...name, h("span", { class: "sp-muted" }, size),
    ]);
    if (!this.open) return h("li", head);
    const shown = this.entries.slice(0, this.most).map((each, at) => h(Node, { key: at, name: this.isArray ? at : each[0], value: this.isArray ? each : each[1], depth: this.depth + 1, openLevels: this.openLevels }));
    if (count > this.most) shown.push(h("li", h("button", { type: "button", class: "sp-json-more", onClick: () => (this.most += 10 * AT_ONCE) }, `${(count - this.most).toLocaleString()} more`)));
    return h("li", [head, h("ul", shown)]);
  },
  methods: {
    leaf() {
      const h = Vue.h, value = this.value;
      if (typeof value !== "string") return h("span", { class: "sp-json-" + (value === null ? "null" : typeof value) }, String(value));
      if (value.length <= LONG || this.whole) return h("span", { class: "sp-json-string" }, JSON.stringify(value));
      return [h("span", { class: "sp-json-string" }, JSON.stringify(value.slice(0, LONG))), h("button", { type: "button", class: "sp-json-more", onClick: () => (this.whole = true) }, `${(value.length - LONG).toLocaleString()} more characters`)];
    },
  },
};

export default {
  props: { value: {}, label: String, openLevels: Number },
  render() {
    return Vue.h("ul", { class: "sp-json", "aria-label": this.label }, Vue.h(Node, { value: this.value, depth: 0, openLevels: this.openLevels }));
  },
};
