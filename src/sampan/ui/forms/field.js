// One field of a form: a label, something to fill in, a hint, an error. Texts are only ever set as texts.
const PIECE = 200000; // characters in one message
const REST = 250; // milliseconds after which a long text is sent

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const pad = (number) => String(number).padStart(2, "0");

export function toLocal(at) {
  const moment = new Date(at);
  if (!at || Number.isNaN(moment.getTime())) return "";
  const day = moment.getFullYear() + "-" + pad(moment.getMonth() + 1) + "-" + pad(moment.getDate());
  return day + "T" + pad(moment.getHours()) + ":" + pad(moment.getMinutes());
}

export function fromLocal(text) {
  const moment = new Date(text);
  return Number.isNaN(moment.getTime()) ? "" : moment.toISOString().replace(/\.\d+Z$/, "Z");
}

export default {
  props: {
    kind: String, name: String, label: String, hint: String, required: Boolean, word: String, standard: null, recent: Array,
    value: null, error: String, options: Array, searched: Boolean, free: Boolean, lines: Number, mono: Boolean, json: Boolean,
    placeholder: String, secret: Boolean, inputmode: String, narrow: Boolean, zoned: Boolean,
  },
  data() {
    return { now: this.value, wrong: this.error, offered: this.options || [], open: false, at: -1, typed: null, timer: null, id: "sp-f-" + Math.random().toString(36).slice(2) };
  },
  watch: {
    value(value) { this.now = value; },
    error(value) { this.wrong = value; },
    options(value) { this.offered = value || []; },
  },
  // The one thing that only the browser knows.
  mounted() { if (this.zoned && !this.now) this.send(zone); },
  beforeUnmount() { clearTimeout(this.timer); },
  methods: {
    tell(error) { this.wrong = error; },
    put(value) { this.now = value; this.typed = null; },
    offer(options) { this.offered = options; this.at = options.length ? 0 : -1; },
    focusOn() {
      const input = document.getElementById(this.id);
      input?.focus();
      input?.scrollIntoView({ block: "center" });
    },
    send(value) {
      clearTimeout(this.timer);
      this.timer = null;
      this.now = value;
      if (typeof value !== "string" || value.length <= PIECE) return this.$emit("value", value);
      for (let at = 0; at < value.length; at += PIECE) this.$emit("value", { piece: value.slice(at, at + PIECE), more: at + PIECE < value.length });
    },
    sendSoon(value) {
      this.now = value;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.send(value), REST);
    },
    flush() { if (this.timer) this.send(this.now); },
    leave() { this.flush(); this.$emit("left"); },
    described() {
      const ids = [this.wrong ? this.id + "-e" : "", this.hint || this.kind === "moment" ? this.id + "-h" : ""].filter(Boolean);
      return ids.join(" ") || undefined;
    },
    common() {
      return {
        id: this.id, name: this.name, class: ["sp-input", { "sp-mono": this.mono, "sp-narrow-input": this.narrow }],
        "aria-invalid": this.wrong ? "true" : undefined, "aria-required": this.required ? "true" : undefined, "aria-describedby": this.described(),
        placeholder: this.placeholder || undefined, autocomplete: "off", spellcheck: this.mono || this.inputmode ? "false" : undefined, onBlur: this.leave,
      };
    },
    drawText() {
      return Vue.h("input", { ...this.common(), type: this.secret ? "password" : "text", autocomplete: this.secret ? "new-password" : "off", inputmode: this.inputmode, value: this.now ?? "", onInput: (event) => this.send(event.target.value) });
    },
    drawArea() {
      const lines = String(this.now ?? "").split("\n").length;
      const shown = Math.min(Math.max(this.lines || 3, lines), Math.max(this.lines || 3, 18));
      return Vue.h("textarea", { ...this.common(), rows: shown, value: this.now ?? "", onInput: (event) => this.sendSoon(event.target.value), onKeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.flush(); } });
    },
    drawMoment() {
      return Vue.h("input", { ...this.common(), type: "datetime-local", value: toLocal(this.now), onChange: (event) => this.send(fromLocal(event.target.value)) });
    },
    drawChoice() {
      const known = this.offered.some(([value]) => value === this.now);
      const options = this.offered.map(([value, label]) => Vue.h("option", { value, selected: value === this.now }, label));
      if (!known) options.unshift(Vue.h("option", { value: this.now ?? "", selected: true, disabled: true }, this.placeholder || (this.now ? String(this.now) : "Choose one")));
      return Vue.h("select", { ...this.common(), placeholder: undefined, value: this.now ?? "", onChange: (event) => this.send(event.target.value) }, options);
    },
    drawSwitch() {
      return Vue.h("input", { ...this.common(), class: "sp-switch", type: "checkbox", role: "switch", checked: Boolean(this.now), onChange: (event) => this.send(event.target.checked) });
    },
    drawSegments() {
      return Vue.h("div", { class: "sp-segments", id: this.id, role: "radiogroup", "aria-labelledby": this.id + "-l", tabindex: -1 }, this.offered.map(([value, label]) =>
        Vue.h("label", { key: value, class: { "sp-chosen": value === this.now } }, [Vue.h("input", { type: "radio", name: this.id + "-r", value, checked: value === this.now, onChange: () => this.send(value) }), label])));
    },
    shownOptions() {
      if (this.searched || this.typed === null || !this.typed) return this.offered.slice(0, 200);
      const sought = this.typed.toLowerCase();
      return this.offered.filter(([, label]) => label.toLowerCase().includes(sought)).slice(0, 200);
    },
    labelOf(value) {
      const found = this.offered.find(([each]) => each === value);
      return found ? found[1] : (this.chosenLabel && this.chosenValue === value ? this.chosenLabel : value);
    },
    openList() {
      if (this.open) return;
      this.open = true;
      this.at = -1;
      if (this.searched) this.$emit("look", this.typed || "");
    },
    choose([value, label]) {
      this.chosenValue = value;
      this.chosenLabel = label;
      this.typed = null;
      this.open = false;
      this.send(value);
    },
    typeCombo(text) {
      this.typed = text;
      this.open = true;
      this.at = this.free ? -1 : 0;
      if (this.searched) this.$emit("look", text);
      if (this.free) this.send(text);
    },
    keyCombo(event) {
      const shown = this.shownOptions();
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (!this.open) this.openList();
        else if (shown.length) this.at = (this.at + (event.key === "ArrowDown" ? 1 : shown.length - 1) + (this.at < 0 && event.key === "ArrowUp" ? 1 : 0)) % shown.length;
        this.$nextTick(() => document.getElementById(this.id + "-o" + this.at)?.scrollIntoView({ block: "nearest" }));
      } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && this.open && shown[this.at]) {
        event.preventDefault();
        this.choose(shown[this.at]);
      } else if (event.key === "Escape" && this.open) {
        event.stopPropagation();
        this.open = false;
        this.typed = null;
      }
    },
    drawCombo() {
      const shown = this.open ? this.shownOptions() : [];
      const text = this.typed !== null ? this.typed : this.labelOf(this.now) ?? "";
      return Vue.h("div", { class: "sp-combo" }, [
        Vue.h("input", {
          ...this.common(), type: "text", role: "combobox", "aria-expanded": this.open ? "true" : "false", "aria-controls": this.id + "-o", "aria-autocomplete": "list",
          "aria-activedescendant": this.open && this.at >= 0 ? this.id + "-o" + this.at : undefined, value: text,
          onFocus: (event) => { event.target.select(); }, onClick: this.openList, onInput: (event) => this.typeCombo(event.target.value), onKeydown: this.keyCombo,
          onBlur: () => { this.open = false; if (!this.free) this.typed = null; this.leave(); },
        }),
        Vue.h("i", { class: "material-icons", "aria-hidden": "true" }, "expand_more"),
        Vue.h("ul", { class: "sp-options", role: "listbox", id: this.id + "-o", "aria-labelledby": this.id + "-l", hidden: !this.open || (!shown.length && this.free) }, shown.length ? shown.map((option, index) =>
          Vue.h("li", { key: option[0], id: this.id + "-o" + index, role: "option", "aria-selected": option[0] === this.now ? "true" : "false", class: { "sp-at": index === this.at }, onMousedown: (event) => { event.preventDefault(); this.choose(option); } }, option[1]))
          : [Vue.h("li", { class: "sp-muted", role: "option", "aria-disabled": "true", "aria-selected": "false" }, "Nothing matches")]),
      ]);
    },
    drawPairs() {
      const rows = [...(this.now || []), ["", ""]];
      const change = (index, part, text) => {
        const fresh = rows.map((row) => [...row]);
        fresh[index][part] = text;
        this.send(fresh.filter((row) => row[0] || row[1]));
      };
      const input = (row, index, part, label) => Vue.h("input", { class: "sp-input", value: row[part], placeholder: label, "aria-label": this.label + ", " + label.toLowerCase() + " " + (index + 1), "aria-invalid": this.wrong ? "true" : undefined, onInput: (event) => change(index, part, event.target.value), onBlur: this.leave, id: index === 0 && part === 0 ? this.id : undefined });
      return Vue.h("div", { class: "sp-pair-rows", role: "group", "aria-labelledby": this.id + "-l" }, rows.map((row, index) =>
        Vue.h("div", { key: index, class: "sp-pair-row" }, [input(row, index, 0, "Name"), input(row, index, 1, "Value"),
          index < rows.length - 1 ? Vue.h("button", { type: "button", class: "sp-icon-button", title: "Remove", "aria-label": "Remove " + (row[0] || "row " + (index + 1)), onClick: () => this.send(rows.slice(0, -1).filter((_, each) => each !== index)) }, [Vue.h("i", { class: "material-icons", "aria-hidden": "true" }, "close")]) : null])));
    },
    // The button that was clicked goes away; whoever uses keys goes on in the field.
    takeOver(value) {
      this.send(value);
      document.getElementById(this.id)?.focus();
    },
    format() {
      try { this.send(JSON.stringify(JSON.parse(this.now), null, 2)); } catch { this.leave(); }
    },
    drawExtras() {
      const h = Vue.h, found = [];
      if (this.json && String(this.now ?? "").trim()) found.push(h("button", { type: "button", class: "sp-small-link", onClick: this.format }, "Format"));
      const differs = this.standard !== null && this.standard !== undefined && this.standard !== this.now;
      if (differs) found.push(h("button", { type: "button", class: "sp-small-link", title: "Default: " + String(this.standard), "aria-label": "Reset " + this.label + " to its default", onClick: () => this.takeOver(this.standard) }, "Reset to default"));
      if ((this.recent || []).some((text) => text !== this.now)) found.push(h("span", { class: "sp-hint" }, "Lately:"));
      for (const each of (this.recent || []).filter((text) => text !== this.now).slice(0, 4)) found.push(h("button", { type: "button", class: "sp-recent", title: each, "aria-label": this.label + ": use " + each, onClick: () => this.takeOver(each) }, each.length > 28 ? each.slice(0, 27) + "…" : each));
      return found.length ? h("div", { class: "sp-field-extras" }, found) : null;
    },
  },
  render() {
    const h = Vue.h;
    const draw = { text: this.drawText, area: this.drawArea, moment: this.drawMoment, choice: this.drawChoice, combo: this.drawCombo, switch: this.drawSwitch, segments: this.drawSegments, pairs: this.drawPairs }[this.kind];
    const isGroup = this.kind === "segments" || this.kind === "pairs";
    const label = h("div", { class: "sp-label" }, [
      h(isGroup ? "span" : "label", { id: this.id + "-l", for: isGroup ? undefined : this.id }, this.label), this.required ? h("span", { class: "sp-needed", "aria-hidden": "true" }, "*") : null, this.word ? h("span", { class: "sp-word" }, this.word) : null]);
    const hint = this.kind === "moment" ? [this.hint, zone].filter(Boolean).join(" · ") : this.hint;
    const told = [
      hint ? h("span", { class: "sp-hint", id: this.id + "-h" }, hint) : null,
      h("span", { class: "sp-field-error", id: this.id + "-e", "aria-live": "polite" }, this.wrong || ""),
    ];
    if (this.kind === "switch") return h("div", { class: "sp-field sp-switch-field" }, [h("div", { class: "sp-row" }, [draw(), label]), ...told, this.drawExtras()]);
    return h("div", { class: "sp-field" }, [label, draw(), this.drawExtras(), ...told]);
  },
};
