// A chart: ECharts draws it, loaded with the page's first one. Texts are drawn as text, in tooltips too.
const TOKEN = /^var\((--[a-z0-9-]+)\)$/;
const REPLACED = ["series", "xAxis", "yAxis", "parallelAxis", "visualMap"];
// Safari has no such callback.
const idle = window.requestIdleCallback ?? ((call) => setTimeout(call, 300));
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

export function number(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  return Number.isInteger(value) ? value.toLocaleString() : String(Number(value.toPrecision(6)));
}

// Braces could begin a style of ECharts' own; kept apart, they are only braces.
const plain = (text) => String(text).replace(/\{/g, "{\u200b");

// Of a dense figure the data has no tokens, and is much: it is not walked through.
function resolved(value, style, dense) {
  if (typeof value === "string") {
    const token = TOKEN.exec(value);
    return token ? style.getPropertyValue(token[1]).trim() : value;
  }
  if (Array.isArray(value)) return value.map((each) => resolved(each, style, dense));
  if (value && typeof value === "object") {
    const part = ([key, each]) => [key, dense && key === "data" && Array.isArray(each) ? packed(each, value.dimensions) : resolved(each, style, dense)];
    return Object.fromEntries(Object.entries(value).map(part));
  }
  return value;
}

// Rows of numbers in one piece: ECharts copies and looks through whatever else it is given.
function packed(rows, dimensions) {
  if (!dimensions || !rows.every((row) => Array.isArray(row) && row.every((each) => each === null || typeof each === "number"))) return rows;
  const width = dimensions.length, made = new Float64Array(rows.length * width);
  rows.forEach((row, at) => row.forEach((each, part) => (made[at * width + part] = each === null ? NaN : each)));
  return made;
}

function tip(params) {
  const one = Array.isArray(params) ? null : params;
  if (one && one.data && one.data.tip !== undefined) return plain(one.data.tip);
  if (one && Array.isArray(one.value) && one.componentSubType === "scatter") {
    const said = one.value.map((value, at) => plain(one.dimensionNames[at] ?? "") + ": " + number(value));
    return [plain(one.seriesName), ...said].join("\n");
  }
  const many = one ? [one] : params;
  const rows = many.map((each) => plain(each.seriesName) + ": " + number(Array.isArray(each.value) ? each.value[1] : each.value));
  const head = many.length ? many[0].axisValueLabel ?? many[0].name : "";
  return [plain(head), ...rows].filter((each) => each !== "").join("\n");
}

export default {
  props: { figure: Object, picks: Boolean, brushes: Boolean },
  // Without what Vue puts around thousands of points to see them change.
  data() { return { shown: Vue.markRaw(Vue.toRaw(this.figure)), open: false, trouble: "" }; },
  async mounted() {
    let echarts;
    try {
      ({ echarts } = await import("nicegui-echart"));
    } catch {
      this.trouble = "The chart could not be loaded. Its numbers are below.";
      this.open = true;
      return;
    }
    if (this.gone) return;
    this.echarts = Vue.markRaw(echarts);
    this.sizes = new ResizeObserver(() => this.chart?.resize());
    this.sizes.observe(this.$refs.box);
    this.themes = new MutationObserver(() => this.paint());
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.awaitTurn();
  },
  beforeUnmount() {
    this.gone = true;
    clearTimeout(this.telling);
    this.views?.disconnect();
    this.sizes?.disconnect();
    this.themes?.disconnect();
    this.chart?.dispose();
  },
  methods: {
    // Thousands of points take a tenth of a second: what is in view comes first, the others when nothing else is to do.
    awaitTurn() {
      const begin = () => {
        this.views.disconnect();
        if (this.hasTurn) return;
        this.hasTurn = true;
        this.paint();
      };
      this.views = new IntersectionObserver((entries) => {
        if (entries.some((entry) => entry.isIntersecting)) begin();
        else idle(begin);
      });
      this.views.observe(this.$refs.box);
    },
    draw(figure) {
      this.shown = Vue.markRaw(Vue.toRaw(figure));
      this.paint();
    },
    begin() {
      const renderer = this.shown.dense ? "canvas" : "svg";
      if (this.chart && this.renderer === renderer) return;
      this.chart?.dispose();
      this.renderer = renderer;
      this.chart = Vue.markRaw(this.echarts.init(this.$refs.box, null, { renderer }));
      if (this.picks) this.chart.on("click", (event) => event.componentType === "series" && this.$emit("pick", { id: event.seriesId, index: event.dataIndex }));
      if (this.brushes) this.chart.on("axisareaselected", () => this.tellBrush());
    },
    paint() {
      if (!this.hasTurn || this.gone) return;
      this.begin();
      const options = resolved(this.shown.options, getComputedStyle(document.body), this.shown.dense);
      options.animation = !calm.matches && !this.shown.dense;
      delete options.toolbox;
      if (options.tooltip) Object.assign(options.tooltip, { renderMode: "richText", formatter: tip });
      this.chart.setOption(options, { replaceMerge: REPLACED });
    },
    tellBrush() {
      clearTimeout(this.telling);
      this.telling = setTimeout(() => {
        const all = this.chart.getModel().getSeries(), kept = [];
        let isBrushed = false;
        for (const series of all) {
          const data = series.getData();
          isBrushed ||= series.getRawIndicesByActiveState("normal").length < data.count();
          for (const index of series.getRawIndicesByActiveState("active")) kept.push(data.getRawDataItem(index).id);
        }
        this.$emit("brush", { ids: isBrushed ? kept : null });
      }, 120);
    },
  },
  render() {
    const h = Vue.h, table = this.shown.table;
    const cells = (tag, row) => row.map((cell, index) => h(index === 0 && tag === "td" ? "th" : tag, { scope: tag === "th" ? "col" : index === 0 ? "row" : undefined }, cell));
    const rows = this.open ? h("div", { class: "sp-chart-table", tabindex: 0, role: "region", "aria-label": this.shown.label + ", as a table" }, h("table", { class: "sp-table" }, [h("thead", h("tr", cells("th", table.columns))), h("tbody", table.rows.map((row) => h("tr", cells("td", row))))])) : null;
    return h("figure", { class: "sp-chart" }, [
      this.trouble ? h("p", { class: "sp-muted", role: "status" }, this.trouble) : h("div", { ref: "box", class: "sp-chart-box", role: "img", "aria-label": this.shown.label, style: { height: this.shown.height + "px" } }),
      h("details", { open: this.open, onToggle: (event) => (this.open = event.target.open) }, [h("summary", "As a table"), rows]),
    ]);
  },
};
