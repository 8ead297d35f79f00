// A log of any length: only the lines in sight are elements, those around them are held, others are asked for.
// Texts are only ever set as texts; looks are classes, or colours of the form that `lookOf` lets through.
const LINE = 19;
const TALLEST = 6_000_000; // Pixels. Browsers know no element of a million lines' height: then the bar is a scale.
const HELD = 3000;
const AROUND = 40;
const COLOR = /^#[0-9a-f]{6}$/;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

const icon = (name) => Vue.h("i", { class: "material-icons", "aria-hidden": "true" }, name);

function lookOf(look, hit) {
  const [letters, ink, ground] = look.split("|");
  const classes = [...letters].filter((each) => each !== "v").map((each) => "sp-log-" + each), style = {};
  const paint = (color, kind) => {
    if (COLOR.test(color)) { classes.push("sp-log-" + kind + "x"); style["--sp-log-" + kind] = color; }
    else if (color) classes.push("sp-log-" + kind + color);
  };
  const isTurned = letters.includes("v");
  paint(isTurned ? ground || "v" : ink, "f");
  paint(isTurned ? ink || "v" : ground, "g");
  return { class: hit ? [...classes, "sp-log-hit"] : classes, style };
}

function timeOf(at, format) {
  const moment = Date.parse(at);
  return Number.isNaN(moment) ? "" : format.format(moment);
}

export default {
  props: { sources: Array, chosen: String, label: String, download: String, fileName: String, line: Number, wrap: Boolean, times: Boolean },
  data() {
    return {
      reading: 0, first: 0, total: 0, state: "reading", message: "",
      top: 0, rows: 20, height: 0, following: !this.line, isWrapped: this.wrap, hasTimes: this.times,
      goal: this.line || 0, mark: this.line || 0, turn: 0,
      text: "", regex: false, ignore: true, hits: [], hit: -1, searching: false, full: false, wrong: "",
    };
  },
  created() {
    this.held = new Map();
    this.asked = 0;
    this.widest = 0;
  },
  mounted() {
    this.watcher = new ResizeObserver(() => this.measure());
    this.watcher.observe(this.$refs.box);
    this.measure();
    this.$emit("ready");
  },
  unmounted() {
    this.watcher.disconnect();
    clearTimeout(this.typing);
  },
  updated() { this.settle(); },
  computed: {
    count() { return this.total - this.first; },
    range() { return this.isWrapped ? this.count - 1 + this.rows : this.count; },
    tall() { return Math.min(Math.max(0, this.range) * LINE, TALLEST); },
    isScaled() { return this.range * LINE > TALLEST; },
    farthest() { return Math.max(0, this.range - this.height / LINE); },
    status() {
      if (this.message && !this.total) return "";
      const lines = this.total.toLocaleString() + (this.total === 1 ? " line" : " lines");
      return this.state === "reading" ? lines + ", live" : lines;
    },
    finding() {
      if (!this.text) return "";
      if (this.wrong) return "";
      if (!this.hits.length) return this.searching ? "Searching …" : "Not found";
      return (this.hit + 1).toLocaleString() + " of " + this.hits.length.toLocaleString() + (this.full || this.searching ? "+" : "");
    },
  },
  methods: {
    grown(news) {
      if (news.reading !== this.reading) this.restart(news.reading);
      if (news.from > this.total - 1 && this.total) this.held.delete(this.total - 1);
      Object.assign(this, { first: news.first, total: news.total, state: news.state, message: news.message });
      this.hold(news.from, news.lines);
      if (this.goal && (this.total >= this.goal || this.state !== "reading")) {
        const goal = Math.min(this.goal, this.total);
        this.goal = 0;
        this.$nextTick(() => this.goTo(goal - 1));
      }
      this.ask();
    },
    restart(reading) {
      this.held.clear();
      Object.assign(this, { reading, first: 0, total: 0, hits: [], hit: -1, top: 0 });
      this.asked = 0;
      this.widest = 0;
      if (!this.goal) this.following = true;
      if (this.text) this.find();
    },
    take(answer) {
      if (answer.reading !== this.reading) return;
      this.asked = 0;
      this.hold(answer.from, answer.lines);
      if (answer.lines.length) this.ask();
    },
    hold(from, lines) {
      lines.forEach((line, at) => this.held.set(from + at, line));
      if (this.held.size > HELD) {
        const [low, high] = this.inSight();
        for (const number of this.held.keys()) if (number < low - HELD / 3 || number > high + HELD / 3) this.held.delete(number);
      }
      this.turn++;
    },
    inSight() {
      if (this.following) return [Math.max(this.first, this.total - this.rows - 1), this.total];
      const low = Math.min(this.total, this.first + Math.floor(this.top));
      return [low, Math.min(this.total, low + this.rows + 2)];
    },
    ask() {
      if (this.asked && Date.now() - this.asked < 5000) return;
      const [low, high] = this.inSight();
      let from = -1, to = -1;
      for (let number = Math.max(this.first, low - AROUND); number < Math.min(this.total, high + AROUND); number++) {
        if (this.held.has(number)) continue;
        if (from < 0) from = number;
        to = number + 1;
      }
      if (from < 0) return;
      // Near ones first: what is in sight matters most.
      if (from < low && !this.held.has(low)) from = low;
      this.asked = Date.now();
      this.$emit("want", { reading: this.reading, from, to });
    },
    measure() {
      const box = this.$refs.box;
      if (!box) return;
      this.height = box.clientHeight;
      this.rows = Math.max(1, Math.ceil(this.height / LINE));
      this.ask();
    },
    settle() {
      // After each drawing: the bar stands where the lines in sight are.
      const box = this.$refs.box;
      if (!box) return;
      const room = box.scrollHeight - box.clientHeight;
      const wanted = this.following ? room : this.farthest ? Math.round((this.top / this.farthest) * room) : 0;
      if (Math.abs(box.scrollTop - wanted) > 1) {
        this.isOwn = true;
        box.scrollTop = wanted;
      }
      const width = this.$refs.lines?.scrollWidth || 0;
      if (!this.isWrapped && width > this.widest) this.widest = width;
    },
    onScroll() {
      const box = this.$refs.box;
      if (this.isOwn) { this.isOwn = false; return; }
      const room = box.scrollHeight - box.clientHeight;
      if (room <= 0) return;
      const up = room - box.scrollTop;
      if (!this.following) this.scrollTo((box.scrollTop / room) * this.farthest, up <= 2);
      // A little is meant in lines, also where the bar is a scale.
      else if (up > 2) this.scrollTo(up < 2 * this.height ? this.firstSeen() - up / LINE : (box.scrollTop / room) * this.farthest);
    },
    firstSeen() {
      // Of lines that are wrapped, fewer are seen than would fit.
      if (!this.isWrapped) return this.farthest;
      const box = this.$refs.box.getBoundingClientRect();
      const seen = [...this.$refs.lines.children].find((each) => each.getBoundingClientRect().bottom > box.top + 2);
      return seen ? Number(seen.dataset.line) - this.first : this.farthest;
    },
    scrollTo(top, follow = false) {
      this.following = follow && (!this.isWrapped || this.state === "reading" || top >= this.farthest);
      this.top = Math.min(Math.max(0, top), this.farthest);
      this.ask();
    },
    goTo(number) {
      this.following = false;
      this.scrollTo(number - this.first - Math.floor(this.rows / 3));
    },
    step(lines) {
      const from = this.following ? this.firstSeen() : this.top;
      if (this.following && lines > 0) return;
      this.scrollTo(from + lines, from + lines >= this.farthest);
    },
    onWheel(event) {
      if (!this.isScaled || event.shiftKey || !event.deltaY) return;
      event.preventDefault();
      this.step(event.deltaMode === 1 ? event.deltaY : event.deltaY / LINE);
    },
    onKey(event) {
      if (event.key.toLowerCase() === "f" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
        this.$refs.search.focus();
        this.$refs.search.select();
        return event.preventDefault();
      }
      if (event.target !== this.$refs.box || event.ctrlKey || event.metaKey || event.altKey) return;
      const moves = { ArrowUp: -1, ArrowDown: 1, PageUp: 2 - this.rows, PageDown: this.rows - 2 };
      if (event.key in moves) this.step(moves[event.key]);
      else if (event.key === "Home") this.scrollTo(0);
      else if (event.key === "End") this.follow();
      else return;
      event.preventDefault();
    },
    follow() {
      this.following = true;
      this.ask();
    },
    choose(event) {
      this.goal = this.mark = 0;
      this.$emit("mark", 0);
      this.$emit("choose", event.target.value);
    },
    pick(number) {
      this.mark = this.mark === number + 1 ? 0 : number + 1;
      this.$emit("mark", this.mark);
    },
    look(change) {
      const seen = this.following ? this.total : this.firstSeenNow();
      Object.assign(this, change);
      this.widest = 0;
      if (!this.following) this.top = seen;
      this.$emit("look", { wrap: this.isWrapped, times: this.hasTimes });
    },
    firstSeenNow() { return Math.floor(this.top); },
    type(event) {
      this.text = event.target.value;
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.find(), 200);
    },
    option(change) {
      Object.assign(this, change);
      this.find();
    },
    find() {
      Object.assign(this, { hits: [], hit: -1, wrong: "", full: false, searching: Boolean(this.text) });
      this.$emit("find", { text: this.text, regex: this.regex, ignore: this.ignore });
    },
    found(answer) {
      if (answer.reading !== this.reading) return;
      if (answer.wrong) {
        Object.assign(this, { wrong: answer.wrong, searching: false });
        return;
      }
      if (answer.fresh) {
        // Marks are the server's: the lines come again.
        this.hits = [];
        this.held.clear();
        this.asked = 0;
      }
      this.hits = [...this.hits, ...answer.hits];
      Object.assign(this, { searching: !answer.done, full: Boolean(answer.full) });
      if (this.hit < 0 && this.hits.length) {
        const [low] = this.inSight();
        const next = this.hits.findIndex((number) => number >= low);
        this.toHit(next < 0 ? this.hits.length - 1 : next);
      }
      this.ask();
    },
    toHit(index) {
      this.hit = index;
      const [low, high] = this.inSight(), number = this.hits[index];
      if (number < low || number >= high - 2) this.goTo(number);
      else this.following = false, this.top = Math.min(this.farthest, low - this.first);
    },
    move(by) {
      if (this.hits.length) this.toHit((this.hit + by + this.hits.length) % this.hits.length);
    },
    onSearchKey(event) {
      if (event.key === "Enter") { this.move(event.shiftKey ? -1 : 1); event.preventDefault(); }
      if (event.key === "Escape") { this.text = ""; this.find(); this.$refs.box.focus(); }
    },
    async copied(text) {
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        // Without https the browser has no other way.
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
    },
    button(name, label, act, pressed, disabled) {
      return Vue.h("button", { type: "button", class: ["sp-icon-button", { "sp-log-on": pressed }], title: label, "aria-label": label, "aria-pressed": pressed === undefined ? undefined : String(pressed), disabled, onClick: act }, icon(name));
    },
    bar() {
      const h = Vue.h;
      const sources = (this.sources || []).map((each) => h("option", { value: each.key, selected: each.key === this.chosen }, each.label));
      const search = h("input", { ref: "search", type: "search", class: "sp-input", placeholder: "Find in the log", "aria-label": "Find in the log", "aria-invalid": this.wrong ? "true" : undefined, spellcheck: false, value: this.text, onInput: this.type, onKeydown: this.onSearchKey });
      const none = !this.hits.length;
      return h("div", { class: "sp-log-bar" }, [
        sources.length > 1 ? h("select", { class: "sp-input", "aria-label": "Which log", value: this.chosen, onChange: this.choose }, sources) : null,
        h("div", { class: "sp-log-search", role: "search" }, [
          search,
          h("button", { type: "button", class: ["sp-icon-button sp-log-letter", { "sp-log-on": !this.ignore }], title: "Match case", "aria-label": "Match case", "aria-pressed": String(!this.ignore), onClick: () => this.option({ ignore: !this.ignore }) }, "Aa"),
          h("button", { type: "button", class: ["sp-icon-button sp-log-letter", { "sp-log-on": this.regex }], title: "Regular expression", "aria-label": "Regular expression", "aria-pressed": String(this.regex), onClick: () => this.option({ regex: !this.regex }) }, ".*"),
          this.button("keyboard_arrow_up", "Previous (Shift+Enter)", () => this.move(-1), undefined, none),
          this.button("keyboard_arrow_down", "Next (Enter)", () => this.move(1), undefined, none),
          h("span", { class: "sp-muted sp-small", role: "status" }, this.finding),
        ]),
        h("span", { class: "sp-log-space" }),
        h("span", { class: ["sp-muted sp-small", { "sp-log-live": this.state === "reading" && this.total }] }, this.status),
        this.button("schedule", "Times", () => this.look({ hasTimes: !this.hasTimes }), this.hasTimes),
        this.button("wrap_text", "Wrap lines", () => this.look({ isWrapped: !this.isWrapped }), this.isWrapped),
        this.button("vertical_align_bottom", "Follow the end", () => (this.following ? this.scrollTo(this.firstSeen()) : this.follow()), this.following),
        this.button("content_copy", "Copy", () => this.$emit("copy"), undefined, !this.total),
        h("a", { class: "sp-icon-button", href: this.download, download: this.fileName, title: "Download", "aria-label": "Download" }, icon("download")),
      ]);
    },
    run(run) {
      if (typeof run === "string") return run;
      return Vue.h("span", lookOf(run[1], run[2]), run[0]);
    },
    row(number, digits) {
      const h = Vue.h, line = this.held.get(number), isHit = this.hit >= 0 && this.hits[this.hit] === number;
      const parts = [h("button", { type: "button", class: "sp-log-number", tabindex: -1, style: { width: digits + 2 + "ch" }, "aria-label": "Mark line " + (number + 1), onClick: () => this.pick(number) }, String(number + 1))];
      if (line && this.hasTimes) parts.push(h("time", { class: "sp-log-time", datetime: line[0], title: timeOf(line[0], exact) }, timeOf(line[0], clock)));
      parts.push(h("span", { class: "sp-log-text" }, line ? line[1].map(this.run) : ""));
      return h("div", { key: number, class: ["sp-log-line", { "sp-log-mark": this.mark === number + 1, "sp-log-current": isHit }], "data-line": number }, parts);
    },
  },
  render() {
    const h = Vue.h;
    this.turn; // Lines that have come.
    const [low, high] = this.inSight(), digits = String(this.total).length, lines = [];
    for (let number = low; number < high; number++) lines.push(this.row(number, digits));
    const part = this.following ? 0 : this.top - Math.floor(this.top);
    const shift = this.following ? {} : { transform: `translateY(${-Math.round(part * LINE)}px)` };
    const layer = h("div", { class: ["sp-log-layer", { "sp-log-end": this.following && this.count >= this.rows - 1 }], style: { height: this.height + "px" } }, h("div", { ref: "lines", class: "sp-log-lines", style: shift }, lines));
    const sizer = h("div", { class: "sp-log-sizer", style: { height: Math.max(this.tall, this.height) + "px", minWidth: this.isWrapped ? "100%" : `max(100%, ${this.widest}px)` } }, layer);
    const said = this.wrong ? "This is no regular expression: " + this.wrong : this.message;
    return h("div", { class: ["sp-log", { "sp-log-wrap": this.isWrapped }], onKeydown: this.onKey }, [
      this.bar(),
      said ? h("div", { class: "sp-log-said", role: "alert" }, [icon(this.wrong ? "error_outline" : "info"), h("span", said), this.state === "broken" && !this.wrong ? h("button", { type: "button", class: "sp-button", onClick: () => this.$emit("again") }, "Read again") : null]) : null,
      this.first ? h("div", { class: "sp-log-said" }, [icon("info"), h("span", `The first ${this.first.toLocaleString()} lines are in the download only.`)]) : null,
      h("div", { ref: "box", class: "sp-log-box", tabindex: 0, role: "log", "aria-label": this.label, "aria-live": "off", onScroll: this.onScroll, onWheel: this.onWheel }, [
        this.total ? sizer : h("p", { class: "sp-log-none" }, this.state === "reading" ? "Nothing has been printed yet." : this.state === "over" ? "Nothing was printed." : ""),
      ]),
    ]);
  },
};
