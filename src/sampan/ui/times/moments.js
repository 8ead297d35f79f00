// A list of moments in the user's zone.
import { ago, clock } from "sampan-times";

const told = new Intl.DateTimeFormat(undefined, { weekday: "short", year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });

export default {
  props: { label: String, moments: Array },
  render() {
    const h = Vue.h;
    return h("ol", { class: "sp-moments", "aria-label": this.label }, (this.moments || []).map((at) =>
      h("li", { key: at }, [h("time", { datetime: at }, told.format(new Date(at))), h("span", { class: "sp-muted" }, " " + ago(at, clock.now))])));
  },
};
