// A terminal in a container: a WebSocket of our own API, as kubectl exec speaks it (v5.channel.k8s.io), same origin.
// Each message begins with the number of its channel. What the container prints goes to the terminal, never to the page.
const STDIN = 0, STDOUT = 1, STDERR = 2, STATUS = 3, RESIZE = 4;
const MOST_LINES = 5000;

export default {
  props: { path: String, label: String },
  template: `<div class="kc-terminal" role="group" :aria-label="label"><div ref="place"></div></div>`,
  async mounted() {
    const { Terminal, FitAddon } = await import("nicegui-xterm");
    if (this.gone) return;
    const font = getComputedStyle(document.body).getPropertyValue("--sp-mono").trim();
    this.terminal = new Terminal({ cursorBlink: true, fontFamily: font, fontSize: 13, scrollback: MOST_LINES, screenReaderMode: true, theme: { background: "#0b1015", foreground: "#e6ebf0" } });
    this.fit = new FitAddon();
    this.terminal.loadAddon(this.fit);
    this.terminal.open(this.$refs.place);
    this.fit.fit();
    this.sized = new ResizeObserver(() => this.fit.fit());
    this.sized.observe(this.$refs.place);
    this.connect();
  },
  unmounted() {
    this.gone = true;
    this.sized?.disconnect();
    this.socket?.close();
    this.terminal?.dispose();
  },
  methods: {
    connect() {
      const origin = window.location.origin.replace(/^http/, "ws");
      const socket = (this.socket = new WebSocket(origin + this.path, ["v5.channel.k8s.io", "v4.channel.k8s.io"]));
      socket.binaryType = "arraybuffer";
      const encoder = new TextEncoder(), decoder = new TextDecoder();
      const send = (channel, bytes) => {
        if (socket.readyState !== WebSocket.OPEN) return;
        const message = new Uint8Array(bytes.length + 1);
        message[0] = channel;
        message.set(bytes, 1);
        socket.send(message);
      };
      const size = () => send(RESIZE, encoder.encode(JSON.stringify({ Width: this.terminal.cols, Height: this.terminal.rows })));
      this.terminal.onData((text) => send(STDIN, encoder.encode(text)));
      this.terminal.onResize(size);
      let wasOpen = false, said = "";
      socket.onopen = () => {
        wasOpen = true;
        size();
        this.terminal.focus();
      };
      socket.onmessage = (event) => {
        const message = new Uint8Array(event.data), body = message.subarray(1);
        if (message[0] === STDOUT || message[0] === STDERR) this.terminal.write(body);
        if (message[0] === STATUS) said += decoder.decode(body);
      };
      socket.onclose = () => {
        if (this.gone) return;
        this.terminal.options.disableStdin = true;
        this.$emit("closed", { opened: wasOpen, status: said.slice(0, 4000) });
      };
    },
  },
};
