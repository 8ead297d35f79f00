// A moment or a span of time within a line of text, in the browser's zone; a span without an end grows.
import { ago, clock, moment, span } from "sampan-times";

export default {
  props: { start: String, end: String, kind: String },
  render() {
    if (!this.start) return Vue.h("span");
    if (this.kind === "span") return Vue.h("span", { class: "sp-time" }, span(this.start, this.end, this.end ? 0 : clock.now));
    return Vue.h("time", { datetime: this.start, title: moment(this.start), class: "sp-time" }, ago(this.start, clock.now));
  },
};
