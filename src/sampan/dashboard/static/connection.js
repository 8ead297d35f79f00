// Says when the connection to the server is lost, and mends it. Nothing that a user asks for meanwhile is sent later:
// what is clicked when nobody answers is not done, and that is said.
const PATIENCE_MS = 700, LONG_MS = 3000;
const LOST = "sampan.lost";

export default {
  template: `
    <div class="sp-offline" role="alert" v-show="isShown">
      <template v-if="isShown">
        <i class="material-icons" aria-hidden="true">cloud_off</i>
        <span><strong>The connection to the server is lost.</strong> What is shown is as of {{ since }}; nothing can be changed until it is back. Trying again …</span>
        <button type="button" class="sp-button" @click="retry">Try now</button>
      </template>
    </div>`,
  data() {
    return { isShown: false, since: "" };
  },
  mounted() {
    this.edited = false;
    document.addEventListener("input", this.onInput, true);
    document.addEventListener("click", this.onClick, true);
    window.addEventListener("pagehide", this.onHide);
    this.lineUp();
    // The socket is made by what is mounted last, a moment after this.
    queueMicrotask(this.attach);
    this.tellOfReload();
  },
  unmounted() {
    document.removeEventListener("input", this.onInput, true);
    document.removeEventListener("click", this.onClick, true);
    window.removeEventListener("pagehide", this.onHide);
    clearTimeout(this.timer);
  },
  methods: {
    // Until the server has answered, NiceGUI tries each event again by a timer of its own, and then sends them in any order:
    // letters that were typed meanwhile, and the click after them. Here they stand in line.
    lineUp() {
      this.line = [];
      const release = () => {
        const line = this.line || [];
        this.line = null;
        line.forEach((each) => window.socket.emit(...each));
      };
      const has = { get: () => Boolean(window.socket), set: (done) => done && release() };
      Object.defineProperty(window, "did_handshake", { configurable: true, ...has });
    },
    attach() {
      if (!window.socket) {
        this.timer = setTimeout(this.attach, 50);
        return;
      }
      const socket = window.socket, send = socket.emit.bind(socket);
      socket.on("disconnect", this.lost);
      socket.on("connect", this.found);
      // The library keeps what is emitted and sends it once it can. That is right for what is typed, and not for a click.
      socket.emit = (name, ...rest) => {
        if (name === "event" && this.line) {
          this.line.push([name, ...rest]);
          return socket;
        }
        const isAsked = ["click", "change", "submit", "keydown", "popstate"].includes(window.event?.type);
        if (name === "event" && !socket.connected && this.lostAt && isAsked) {
          this.say();
          return socket;
        }
        return send(name, ...rest);
      };
    },
    lost() {
      this.lostAt = Date.now();
      this.since = new Date().toLocaleTimeString();
      this.timer = setTimeout(() => (this.isShown = true), PATIENCE_MS);
    },
    found() {
      clearTimeout(this.timer);
      const wasLong = this.lostAt && Date.now() - this.lostAt > LONG_MS;
      this.lostAt = 0;
      this.isShown = false;
      if (wasLong) window.dispatchEvent(new CustomEvent("sampan-say", { detail: { text: "Connected again.", tone: "ok" } }));
    },
    retry() {
      window.socket.connect();
    },
    // Addresses are pages that the server makes: a link is not followed to where nothing would be shown.
    onClick(event) {
      if (!this.lostAt || event.target.closest(".sp-offline")) return;
      const link = event.target.closest("a[href]");
      if (!link || link.target === "_blank" || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.say();
    },
    say() {
      const text = "Not connected: this was not done. Try again when the connection is back.";
      window.dispatchEvent(new CustomEvent("sampan-say", { detail: { text, tone: "warn" } }));
    },
    onInput(event) {
      if (event.target.closest(".sp-content, .q-dialog")) this.edited = true;
    },
    // A server that was started anew knows no open windows: the page is loaded again, without what stood in its fields.
    onHide() {
      try {
        if (this.lostAt) sessionStorage.setItem(LOST, this.edited ? "edited" : "seen");
      } catch {
        // Then nothing is said.
      }
    },
    tellOfReload() {
      let was = "";
      try {
        was = sessionStorage.getItem(LOST) || "";
        sessionStorage.removeItem(LOST);
      } catch {
        return;
      }
      if (!was) return;
      const text = was === "edited" ? "The server was restarted and this page loaded again. What you had typed and not sent is gone." : "The server was restarted; this page was loaded again.";
      const tone = was === "edited" ? "warn" : "info";
      this.$nextTick(() => window.dispatchEvent(new CustomEvent("sampan-say", { detail: { text, tone } })));
    },
  },
};
