// How full each kind of room is: a bar with what is used and what is requested, and the last hour as a line.
import { clock, span } from "sampan-times";

const WIDTH = 120, HEIGHT = 36;

function area(values) {
  const step = WIDTH / Math.max(1, values.length - 1);
  let line = "", isOn = false;
  values.forEach((value, index) => {
    if (value === null) { isOn = false; return; }
    line += `${isOn ? "L" : "M"}${(index * step).toFixed(1)} ${(HEIGHT - 1 - value * (HEIGHT - 2)).toFixed(1)}`;
    isOn = true;
  });
  return line;
}

export default {
  props: { items: Array },
  data() {
    return { shown: this.items || [] };
  },
  watch: {
    items(items) { this.shown = items; },
  },
  methods: {
    show(items) { this.shown = items; },
  },
  render() {
    const h = Vue.h;
    return h("div", { class: "sp-meters" }, this.shown.map((each) => h("div", { key: each.key, class: "sp-meter sp-tone-" + each.tone }, [
      h("div", { class: "sp-meter-text" }, [
        h("span", { class: "sp-meter-label" }, each.label),
        h("span", { class: "sp-meter-percent" }, each.percent),
        h("span", { class: "sp-meter-words" }, each.words.join(" · ")),
      ]),
      h("svg", { class: "sp-meter-history", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${each.label} over the last ${span(each.since, "", clock.now)}` }, [
        h("path", { d: area(each.history), "vector-effect": "non-scaling-stroke" }),
      ]),
      h("div", { class: "sp-meter-bar", role: "meter", "aria-label": each.label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(each.part * 100), "aria-valuetext": each.words.join(", ") }, [
        h("div", { class: "sp-meter-used", style: { width: `${Math.min(1, each.part) * 100}%` } }),
        each.requested === null ? null : h("div", { class: "sp-meter-requested", title: "requested by pods", style: { left: `${Math.min(1, each.requested) * 100}%` } }),
      ]),
    ])));
  },
};
