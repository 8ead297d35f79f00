// A text with a button that copies it. With `local`, the address that the browser has of this server stands before it.
export default {
  props: { text: String, label: String, local: Boolean, mark: String },
  data() { return { done: false }; },
  computed: {
    shown() { return this.local ? this.text.replaceAll(this.mark, location.origin) : this.text; },
  },
  methods: {
    async copy() {
      try {
        await navigator.clipboard.writeText(this.shown);
      } catch {
        getSelection().selectAllChildren(this.$refs.text);
        return;
      }
      this.done = true;
      setTimeout(() => (this.done = false), 1500);
    },
  },
  render() {
    const h = Vue.h, label = this.done ? "Copied" : "Copy " + this.label;
    return h("div", { class: "sp-copied" }, [
      h("pre", { ref: "text", tabindex: 0, role: "group", "aria-label": this.label }, this.shown),
      h("button", { type: "button", class: "sp-icon-button", "aria-label": label, title: label, onClick: this.copy }, h("i", { class: "material-icons", "aria-hidden": "true" }, this.done ? "check" : "content_copy")),
    ]);
  },
};
