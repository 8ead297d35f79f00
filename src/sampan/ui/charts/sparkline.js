// A few values as a small line; a gap where there is none.
const WIDTH = 96, HEIGHT = 24, EDGE = 2.5;

export function path(values) {
  const known = values.filter((value) => typeof value === "number" && Number.isFinite(value));
  if (known.length === 0) return { line: "", last: null };
  const low = Math.min(...known), high = Math.max(...known), step = values.length > 1 ? (WIDTH - 2 * EDGE) / (values.length - 1) : 0;
  let line = "", isOn = false, last = null;
  values.forEach((value, index) => {
    if (typeof value !== "number" || !Number.isFinite(value)) { isOn = false; return; }
    const x = EDGE + index * step, y = high > low ? EDGE + (1 - (value - low) / (high - low)) * (HEIGHT - 2 * EDGE) : HEIGHT / 2;
    line += (isOn ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1);
    isOn = true;
    last = [x, y];
  });
  return { line, last };
}

export default {
  props: { values: Array, label: String },
  data() { return { shown: Vue.markRaw(this.values || []) }; },
  methods: { draw(values) { this.shown = Vue.markRaw(values); } },
  render() {
    const h = Vue.h, { line, last } = path(this.shown);
    return h("svg", { class: "sp-sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", "aria-label": this.label }, [
      h("path", { d: line }),
      last ? h("circle", { cx: last[0], cy: last[1], r: 2.5 }) : null,
    ]);
  },
};
