// The browser's own list of options, which the server sends as plain data: one element, however many there are.
export default {
  props: { options: Array, value: String, label: String },
  data() {
    return { chosen: this.value, offered: this.options || [] };
  },
  methods: {
    offer(options, value) {
      this.offered = options;
      this.chosen = value;
    },
    choose(event) {
      this.chosen = event.target.value;
      this.$emit("choose", this.chosen);
    },
  },
  render() {
    const h = Vue.h;
    const options = this.offered.map(([key, text]) => h("option", { key, value: key, selected: key === this.chosen }, text));
    return h("label", { class: "sp-choice" }, [h("span", { "aria-hidden": "true" }, this.label), h("select", { class: "sp-input", "aria-label": this.label, value: this.chosen, onChange: this.choose }, options)]);
  },
};
