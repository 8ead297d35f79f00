// Names and values in cards, sent as plain data and kept current; times count on in the browser. Texts are only texts.
import { ago, clock, moment } from "sampan-times";

const ICONS = { ok: "check_circle", bad: "error", busy: "pending", warn: "warning", idle: "remove_circle_outline" };

export default {
  props: { sections: Array },
  data() {
    return { shown: this.sections || [] };
  },
  watch: { sections(value) { this.shown = value; } },
  methods: {
    change(sections) { this.shown = sections; },
    value(each) {
      const h = Vue.h;
      if (typeof each !== "object" || each === null) return h("span", String(each ?? ""));
      switch (each.t) {
        case "link": return h("a", { href: each.href }, each.text);
        case "time": return h("time", { datetime: each.at, title: moment(each.at) }, ago(each.at, clock.now));
        case "state": return h("span", { class: ["sp-state", "sp-tone-" + each.tone], title: each.title || undefined }, [h("i", { class: "material-icons", "aria-hidden": "true" }, each.icon || ICONS[each.tone] || "circle"), each.text]);
        case "mono": return h("span", { class: "sp-mono sp-pre" }, each.text);
        case "tag": return each.href ? h("a", { class: "kc-tag", href: each.href, title: each.text }, each.text) : h("span", { class: "kc-tag", title: each.text }, each.text);
        case "hidden": return h("span", { class: "kc-hidden" }, [each.text === null ? h("span", { class: "sp-muted" }, each.size) : h("span", { class: "sp-mono sp-pre" }, each.text), h("button", { type: "button", class: "kc-reveal", "aria-label": (each.text === null ? "Show " : "Hide ") + each.key, onClick: () => this.$emit("reveal", each.key) }, each.text === null ? "Show" : "Hide")]);
        default: return null;
      }
    },
  },
  render() {
    const h = Vue.h;
    return h("div", { class: "kc-facts" }, this.shown.map((section) => h("section", { class: ["sp-card", section.wide ? "kc-wide" : ""], key: section.title }, [
      h("h2", section.title),
      h("dl", { class: "sp-pairs" }, section.rows.flatMap((row) => [h("dt", { key: "n" + row.name }, row.name), h("dd", { key: "v" + row.name }, h("span", { class: "kc-values" }, row.values.map(this.value)))])),
    ])));
  },
};
