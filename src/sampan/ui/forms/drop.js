// A place to drop one file, or to pick it; the file goes to the server at once.
export default {
  props: { url: String, label: String, hint: String, accept: String, most: Number },
  data() {
    return { over: false, name: "", trouble: "", busy: false };
  },
  methods: {
    async take(files) {
      const file = files && files[0];
      if (!file) return;
      this.name = file.name;
      this.trouble = "";
      if (file.size > this.most) {
        this.trouble = file.name + " is larger than " + Math.round(this.most / 1048576) + " MiB.";
        return;
      }
      const form = new FormData();
      form.append(file.name, file, file.name);
      this.busy = true;
      try {
        const answer = await fetch(window.path_prefix + this.url, { method: "POST", body: form });
        if (!answer.ok) this.trouble = "The server did not take the file (" + answer.status + "). Try it again.";
      } catch {
        this.trouble = "The file could not be sent. Is the server there? Try it again.";
      }
      this.busy = false;
      this.$refs.input.value = "";
    },
    drop(event) {
      event.preventDefault();
      this.over = false;
      this.take(event.dataTransfer.files);
    },
  },
  render() {
    const h = Vue.h;
    return h("div", { class: ["sp-drop", { "sp-over": this.over }], onDragover: (event) => { event.preventDefault(); this.over = true; }, onDragleave: () => (this.over = false), onDrop: this.drop }, [
      h("i", { class: "material-icons", "aria-hidden": "true" }, "upload_file"),
      h("label", { class: "sp-drop-label" }, [
        h("input", { ref: "input", type: "file", class: "sp-unseen", accept: this.accept, onChange: (event) => this.take(event.target.files) }),
        h("span", { class: "sp-button" }, this.label),
      ]),
      h("span", { class: "sp-hint" }, this.busy ? "Sending " + this.name + " …" : this.name && !this.trouble ? this.name : this.hint),
      this.trouble ? h("span", { class: "sp-field-error", role: "alert" }, this.trouble) : null,
    ]);
  },
};
