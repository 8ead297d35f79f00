// A text of many lines, coloured where it is in sight. Texts are only ever set as texts.
const CHUNK = 150; // lines
const LINE = 19; // pixels

const WORDS = {
  python: /(#.*$)|("""(?:.|\n)*?"""|'''(?:.|\n)*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\b(and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|not|or|pass|raise|return|try|while|with|yield|None|True|False)\b|(@[\w.]+)|\b(\d[\d_.eE]*)\b/g,
  yaml: /(^\s*#.*$|\s#.*$)|("(?:\\.|[^"\\])*"(?!\s*:)|'(?:[^']|'')*'(?!\s*:))|^(\s*(?:- )*(?:"[^"]*"|'[^']*'|[\w.$/@{}*-]+)(?=:(?:\s|$)))|(---)$|(?<=[:\-,[]\s)(true|false|null|-?\d[\d.eE+-]*)(?=\s*$|[,\]])/g,
  json: /(\/\/never)|("(?:\\.|[^"\\])*"(?!\s*:))|("(?:\\.|[^"\\])*")(?=\s*:)|(\bnull\b)|\b(true|false|-?\d[\d.eE+-]*)\b/g,
};
const CLASSES = ["sp-t-comment", "sp-t-string", "sp-t-word", "sp-t-mark", "sp-t-value"];

function coloured(line, language) {
  const pattern = WORDS[language];
  if (!pattern || line.length > 2000) return line;
  const parts = [];
  let at = 0;
  pattern.lastIndex = 0;
  for (const found of line.matchAll(pattern)) {
    const index = found.slice(1).findIndex((each) => each !== undefined);
    if (index < 0) continue;
    if (found.index > at) parts.push(line.slice(at, found.index));
    parts.push(Vue.h("span", { class: CLASSES[index] }, found[0]));
    at = found.index + found[0].length;
  }
  if (!parts.length) return line;
  if (at < line.length) parts.push(line.slice(at));
  return parts;
}

const Chunk = {
  props: { lines: Array, first: Number, language: String, numbers: Boolean },
  data() { return { seen: false }; },
  mounted() {
    this.observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) { this.seen = true; this.observer.disconnect(); }
    }, { rootMargin: "400px" });
    this.observer.observe(this.$el);
  },
  beforeUnmount() { this.observer.disconnect(); },
  render() {
    const h = Vue.h;
    if (!this.seen) return h("div", { class: "sp-code-chunk", style: { minHeight: this.lines.length * LINE + "px" } });
    return h("div", { class: "sp-code-chunk" }, this.lines.map((line, index) => h("div", { class: "sp-code-line" }, [
      this.numbers ? h("span", { class: "sp-code-number", "aria-hidden": "true", "data-number": this.first + index }) : null,
      h("span", { class: "sp-code-text" }, coloured(line, this.language)), "\n"])));
  },
};

export default {
  props: { text: String, label: String, language: String, height: String, numbers: Boolean },
  data() { return { copied: false }; },
  computed: {
    chunks() {
      const lines = (this.text || "").replace(/\n$/, "").split("\n"), found = [];
      for (let at = 0; at < lines.length; at += CHUNK) found.push({ first: at + 1, lines: lines.slice(at, at + CHUNK) });
      return found;
    },
  },
  methods: {
    async copy() {
      await navigator.clipboard.writeText(this.text);
      this.copied = true;
      setTimeout(() => (this.copied = false), 1500);
    },
  },
  render() {
    const h = Vue.h;
    return h("div", { class: "sp-code-box" }, [
      h("button", { type: "button", class: "sp-icon-button sp-code-copy", title: "Copy", "aria-label": "Copy " + this.label, onClick: this.copy }, [h("i", { class: "material-icons", "aria-hidden": "true" }, this.copied ? "check" : "content_copy")]),
      h("div", { class: "sp-lines", tabindex: 0, role: "region", "aria-label": this.label, style: this.height ? { maxHeight: this.height } : undefined },
        this.chunks.map((each) => h(Chunk, { key: each.first, ...each, language: this.language, numbers: this.numbers }))),
    ]);
  },
};
