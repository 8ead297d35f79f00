// Untrusted content, from a host of its own. The frame's rights are these, whatever its answer says.
const RIGHTS = { html: "allow-scripts", markdown: "allow-popups allow-popups-to-escape-sandbox" };
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

const icon = (name) => Vue.h("i", { class: "material-icons", "aria-hidden": "true" }, name);

export default {
  props: { address: String, kind: String, title: String, download: String },
  data() { return { state: "asking", broken: false }; },
  computed: {
    host() { return this.address.slice(2).split("/")[0]; },
    origin() {
      // The port that the browser uses, which a tunnel may have changed.
      const port = this.host.includes(":") || !location.port ? "" : ":" + location.port;
      return location.protocol + "//" + this.host + port;
    },
    source() { return this.origin + this.address.slice(2 + this.host.length); },
  },
  watch: { address() { this.broken = false; } },
  mounted() {
    // `NAME.localhost` is this computer for every browser; from another computer it would be that one.
    const isElsewhere = this.host.split(":")[0].endsWith(".localhost") && !LOOPBACK.includes(location.hostname) && !location.hostname.endsWith(".localhost");
    if (isElsewhere) { this.state = "unreachable"; return; }
    const probe = new Image();
    probe.onload = () => (this.state = "reached");
    probe.onerror = () => (this.state = "unreachable");
    probe.src = this.origin + "/content/probe.gif";
  },
  methods: {
    link(label, href, name, more) { return Vue.h("a", { class: "sp-button", href, ...more }, [icon(name), Vue.h("span", label)]); },
    saving() { return this.download ? this.link("Download", this.download, "download", { download: "" }) : null; },
    trouble(title, detail) {
      const h = Vue.h;
      return h("div", { class: "sp-empty", role: "status" }, [h("h2", title), h("p", detail), h("div", { class: "sp-row" }, [this.saving()])]);
    },
  },
  render() {
    const h = Vue.h;
    if (this.state === "asking") return h("div", { class: "sp-sandbox sp-muted", "aria-busy": "true" }, "Loading …");
    if (this.state === "unreachable") {
      return h("div", { class: "sp-sandbox" }, this.trouble("This is not shown here", `It would be shown from the host ${this.host}, apart from these pages, but your browser does not reach that. Set server.content_host to a name that leads to this server.`));
    }
    if (this.broken) return h("div", { class: "sp-sandbox" }, this.trouble("This cannot be shown", "The file is gone, or is not the picture that its name says."));
    const open = this.kind === "picture" ? null : h("button", { type: "button", class: "sp-icon-button", title: "Show it afresh", "aria-label": "Show it afresh", onClick: () => this.$emit("fresh") }, icon("refresh"));
    const shown = this.kind === "picture"
      ? h("img", { key: this.source, class: "sp-picture", src: this.source, alt: this.title, referrerpolicy: "no-referrer", onError: () => (this.broken = true) })
      : h("iframe", { key: this.source, class: "sp-frame", src: this.source, title: this.title, sandbox: RIGHTS[this.kind] ?? "", referrerpolicy: "no-referrer", allow: "", loading: "lazy" });
    return h("div", { class: "sp-sandbox" }, [
      this.kind === "picture" ? null : h("div", { class: "sp-sandbox-bar" }, [icon("shield"), h("span", { class: "sp-muted sp-small" }, "Shown apart from these pages, without network"), open]),
      shown,
    ]);
  },
};
