// Around a code editor: gives its text field a name, and saves on Ctrl+S. The editor itself loads later than this.
export default {
  template: `<div class="sp-editor" @keydown="onKey"><slot></slot></div>`,
  props: { label: String },
  mounted() {
    this.look = new MutationObserver(this.name);
    this.look.observe(this.$el, { childList: true, subtree: true });
    this.name();
  },
  unmounted() { this.look.disconnect(); },
  methods: {
    name() {
      const field = this.$el.querySelector(".cm-content");
      if (!field) return;
      field.setAttribute("aria-label", this.label);
      this.$el.querySelector(".cm-scroller")?.setAttribute("tabindex", "0");
      this.look.disconnect();
    },
    onKey(event) {
      if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.$emit("save");
    },
  },
};
