// The search over everything, and the keys that work anywhere. Pages are matched here; all else the server finds.
const RECENT = "sampan.recent", KEYS_OFF = "sampan.keys.off", MOST_RECENT = 6;
const PAUSE_MS = 120, CHORD_MS = 1500;

function isTyping(target) {
  // A dialog that was closed has the focus until the window is drawn again.
  if (target.closest("dialog:not([open])")) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

function stored(key, fallback) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Private windows may keep nothing.
  }
}

export default {
  template: `
    <div>
      <dialog ref="search" class="sp-palette" aria-label="Search" @close="closed" @click.self="close">
        <div class="sp-palette-head">
          <i class="material-icons" aria-hidden="true">search</i>
          <input ref="input" type="text" role="combobox" aria-label="Search for anything" aria-autocomplete="list"
            aria-expanded="true" aria-controls="sp-hits" :aria-activedescendant="hits.length ? 'sp-hit-' + at : undefined"
            placeholder="A name, an id, a label, or a page" autocomplete="off" spellcheck="false"
            :value="text" @input="typed" @keydown="onListKey">
          <kbd class="sp-kbd">Esc</kbd>
        </div>
        <div id="sp-hits" ref="list" class="sp-hits" role="listbox" aria-label="Found" :aria-busy="isAsking">
          <div v-for="group in groups" :key="group.kind" role="group" :aria-label="group.kind">
            <div class="sp-hits-heading" aria-hidden="true">{{ group.kind }}</div>
            <a v-for="hit in group.hits" :key="hit.index" :id="'sp-hit-' + hit.index" role="option" tabindex="-1"
              :href="hit.href" :aria-selected="hit.index === at ? 'true' : 'false'" class="sp-hit"
              @mousemove="at = hit.index" @click="took(hit)">
              <i class="material-icons" aria-hidden="true">{{ hit.icon }}</i>
              <span class="sp-hit-name">{{ hit.name }}</span>
              <span class="sp-hit-detail">{{ hit.detail }}</span>
              <span v-if="hit.keys" class="sp-hit-keys"><kbd v-for="key in hit.keys" :key="key" class="sp-kbd">{{ key }}</kbd></span>
            </a>
          </div>
        </div>
        <div class="sp-palette-foot">
          <span role="status">{{ status }}</span>
          <span class="sp-space"></span>
          <span class="sp-palette-keys"><kbd class="sp-kbd">↑</kbd><kbd class="sp-kbd">↓</kbd> choose <kbd class="sp-kbd">Enter</kbd> open</span>
        </div>
      </dialog>
      <dialog ref="help" class="sp-palette sp-keys" aria-labelledby="sp-keys-title" @click.self="$refs.help.close()">
        <div class="sp-keys-body">
          <h2 id="sp-keys-title">Keyboard shortcuts</h2>
          <dl class="sp-keys-list">
            <div v-for="each in shortcuts" :key="each.label">
              <dt><kbd v-for="key in each.keys" :key="key" class="sp-kbd">{{ key }}</kbd></dt><dd>{{ each.label }}</dd>
            </div>
          </dl>
          <label class="sp-row"><input type="checkbox" :checked="!keysOff" @change="setKeys($event.target.checked)"> Shortcuts of a single key are on</label>
          <div class="sp-dialog-actions"><button type="button" class="sp-button sp-primary" @click="$refs.help.close()">Close</button></div>
        </div>
      </dialog>
    </div>`,
  props: { places: Array, namespace: String },
  data() {
    return { text: "", at: 0, number: 0, found: [], isAsking: false, isSlow: false, recent: [], keysOff: stored(KEYS_OFF, false) };
  },
  computed: {
    matches() {
      const words = this.text.trim().toLowerCase().split(/\s+/).filter(Boolean);
      if (!words.length) return this.places || [];
      return (this.places || []).filter((each) => {
        const all = (each.name + " " + each.detail + " " + each.words).toLowerCase();
        return words.every((word) => all.includes(word));
      });
    },
    groups() {
      const groups = new Map(), hits = [];
      const add = (kind, hit) => {
        if (!groups.has(kind)) groups.set(kind, []);
        groups.get(kind).push({ ...hit });
      };
      if (!this.text.trim()) this.recent.forEach((hit) => add("Recent", hit));
      const pages = () => this.matches.forEach((hit) => add("Go to", hit));
      // A page's own name is what is meant by it: it comes before things that have it in theirs.
      const isPage = this.matches.some((each) => each.name.toLowerCase().startsWith(this.text.trim().toLowerCase()));
      if (isPage) pages();
      // Kinds of which something has the text as its name come first; the best stand first within a kind as they come.
      const best = new Map(this.kinds.map((kind) => [kind, Math.min(...this.found.filter((hit) => hit.kind === kind).map(this.distance))]));
      [...this.kinds].sort((a, b) => best.get(a) - best.get(b)).forEach((kind) => this.found.filter((hit) => hit.kind === kind).forEach((hit) => add(kind, hit)));
      if (!isPage) pages();
      const drawn = [...groups].map(([kind, each]) => ({ kind, hits: each }));
      drawn.forEach((group) => group.hits.forEach((hit) => (hit.index = hits.push(hit) - 1)));
      return drawn;
    },
    kinds() {
      return [...new Set(this.found.map((hit) => hit.kind))];
    },
    hits() {
      return this.groups.flatMap((group) => group.hits);
    },
    status() {
      if (this.isAsking) return "Searching …";
      if (!this.text.trim()) return "";
      const slow = this.isSlow ? " Some of it took too long to search." : "";
      if (this.hits.length) return (this.hits.length === 1 ? "1 found." : this.hits.length + " found.") + slow;
      return `Nothing in ${this.namespace} has “${this.text.trim()}” in its name, id or labels. Try fewer letters, or another namespace.` + slow;
    },
    shortcuts() {
      const pages = (this.places || []).filter((each) => each.keys);
      return [
        { keys: ["/"], label: "Search" },
        { keys: ["Ctrl", "K"], label: "Search, also while typing" },
        ...pages.map((each) => ({ keys: each.keys, label: each.name })),
        { keys: ["t"], label: "Light, dark, or as the system" },
        { keys: ["?"], label: "These shortcuts" },
        { keys: ["Esc"], label: "Close what is open" },
      ];
    },
  },
  watch: {
    hits(hits) {
      if (this.at >= hits.length) this.at = Math.max(0, hits.length - 1);
    },
  },
  mounted() {
    document.addEventListener("keydown", this.onKey);
  },
  unmounted() {
    document.removeEventListener("keydown", this.onKey);
    clearTimeout(this.timer);
  },
  methods: {
    open() {
      if (this.$refs.search.open) return;
      this.recent = stored(RECENT, []).slice(0, MOST_RECENT);
      this.text = "";
      this.found = [];
      this.at = 0;
      this.$refs.search.showModal();
      this.$refs.input.focus();
    },
    close() {
      this.$refs.search.close();
    },
    closed() {
      clearTimeout(this.timer);
      this.isAsking = false;
      this.number += 1;
      this.$emit("ask", { number: this.number, text: "" });
    },
    showKeys() {
      this.$refs.help.showModal();
    },
    typed(event) {
      this.text = event.target.value;
      this.at = 0;
      this.number += 1;
      clearTimeout(this.timer);
      this.isAsking = Boolean(this.text.trim());
      if (!this.isAsking) this.found = [];
      const { number, text } = this;
      this.timer = setTimeout(() => this.$emit("ask", { number, text: text.trim() }), PAUSE_MS);
    },
    // What one of the searches has found, or that all are done.
    take(number, hits, state) {
      if (number !== this.number) return;
      if (this.shownNumber !== number) this.found = [];
      this.shownNumber = number;
      this.found = [...this.found, ...hits];
      if (state === "done" || state === "slow") {
        this.isAsking = false;
        this.isSlow = state === "slow";
      }
    },
    distance(hit) {
      const name = hit.name.toLowerCase(), text = this.text.trim().toLowerCase();
      return name === text ? 0 : name.startsWith(text) ? 1 : name.includes(text) ? 2 : 3;
    },
    took(hit) {
      const kept = { name: hit.name, detail: hit.kind ? `${hit.kind} · ${hit.detail}` : hit.detail, icon: hit.icon, href: hit.href };
      store(RECENT, [kept, ...stored(RECENT, []).filter((each) => each.href !== hit.href)].slice(0, MOST_RECENT));
      this.close();
    },
    onListKey(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && this.hits.length) {
        event.preventDefault();
        this.at = (this.at + step + this.hits.length) % this.hits.length;
        this.$nextTick(() => document.getElementById("sp-hit-" + this.at)?.scrollIntoView({ block: "nearest" }));
      } else if (event.key === "Enter") {
        event.preventDefault();
        document.getElementById("sp-hit-" + this.at)?.click();
      }
    },
    onKey(event) {
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
        event.preventDefault();
        this.open();
        return;
      }
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (this.keysOff || document.querySelector("dialog[open], .q-dialog__inner, :popover-open")) return;
      if (this.onSingleKey(event.key)) event.preventDefault();
    },
    onSingleKey(key) {
      const isSecond = this.chordAt && Date.now() - this.chordAt < CHORD_MS;
      this.chordAt = 0;
      if (isSecond) return this.follow(["g", key]);
      if (key === "g") {
        this.chordAt = Date.now();
        return true;
      }
      if (key === "/") this.open();
      else if (key === "?") this.showKeys();
      else if (key === "t") document.querySelector(".sp-theme")?.click();
      else return this.follow([key]);
      return true;
    },
    follow(keys) {
      const place = (this.places || []).find((each) => each.keys && each.keys.join() === keys.join());
      if (!place) return false;
      // As a click on a link to it, which the shell answers.
      const link = Object.assign(document.createElement("a"), { href: place.href, hidden: true });
      document.body.append(link);
      link.click();
      link.remove();
      return true;
    },
    setKeys(on) {
      this.keysOff = !on;
      store(KEYS_OFF, this.keysOff);
    },
  },
};
