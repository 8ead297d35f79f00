// What happened lately, by day, in the user's zone. Texts are only ever set as texts.
import { ago, clock, moment } from "sampan-times";

const DAY_MS = 86400000;
const dayName = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

function day(at) {
  const then = new Date(at).setHours(0, 0, 0, 0), today = new Date().setHours(0, 0, 0, 0);
  const days = Math.round((today - then) / DAY_MS);
  return days <= 0 ? "Today" : days === 1 ? "Yesterday" : dayName.format(then);
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
    if (!this.shown.length) {
      return h("div", { class: "sp-empty" }, [
        h("i", { class: "material-icons sp-large", "aria-hidden": "true" }, "history"),
        h("h2", "Nothing has happened yet"),
        h("p", "Runs that start and end, and pipelines that are uploaded, appear here by themselves."),
      ]);
    }
    const days = [];
    for (const item of this.shown) {
      const name = day(item.at);
      if (!days.length || days[days.length - 1].name !== name) days.push({ name, items: [] });
      days[days.length - 1].items.push(item);
    }
    return h("div", { class: "sp-feed" }, days.map((each) => [
      h("h3", { class: "sp-feed-day" }, each.name),
      h("ul", each.items.map((item) => h("li", { key: item.at + item.text, class: "sp-feed-item sp-tone-" + item.tone }, [
        h("i", { class: "material-icons", "aria-hidden": "true" }, item.icon),
        item.href ? h("a", { href: item.href }, item.text) : h("span", item.text),
        h("time", { datetime: item.at, title: moment(item.at) }, ago(item.at, clock.now)),
      ]))),
    ]));
  },
};
