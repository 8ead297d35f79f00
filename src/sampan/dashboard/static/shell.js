// What the shell needs of the browser: addresses and history, keys, words said for some seconds.
// Links to pages of ours go to the server, which builds the page into the frame; all others are the browser's own.
const ROOT = "/ui";

function target() {
  const path = window.location.pathname.slice(ROOT.length) || "/";
  return path + window.location.search;
}

function isTyping(event) {
  const where = event.target;
  return where.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(where.tagName);
}

export default {
  template: `
    <div>
      <a class="sp-skip" href="#sp-content" @click.prevent="focusContent">Skip to content</a>
      <div class="sp-progress" v-if="busy" role="progressbar" aria-label="Loading"></div>
      <div class="sp-said" role="status" aria-live="polite">
        <div v-for="each in said" :key="each.key" :class="['sp-toast', 'sp-tone-' + each.tone]">
          <span>{{ each.text }}</span>
          <button type="button" aria-label="Dismiss" @click="forget(each.key)">×</button>
        </div>
      </div>
    </div>`,
  data() {
    return { said: [], busy: false, shown: target() };
  },
  mounted() {
    document.addEventListener("click", this.onClick);
    document.addEventListener("keydown", this.onKey);
    window.addEventListener("popstate", this.onPop);
    if (window.location.hash.startsWith("#/")) this.$emit("upstream", window.location.hash.slice(1));
  },
  unmounted() {
    document.removeEventListener("click", this.onClick);
    document.removeEventListener("keydown", this.onKey);
    window.removeEventListener("popstate", this.onPop);
  },
  methods: {
    onClick(event) {
      if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      const link = event.target.closest("a[href]");
      if (!link || link.target === "_blank" || link.hasAttribute("download")) return;
      const url = new URL(link.href);
      if (url.origin !== window.location.origin) return;
      if (url.pathname !== ROOT && !url.pathname.startsWith(ROOT + "/")) return;
      event.preventDefault();
      this.go(url.pathname + url.search);
    },
    onKey(event) {
      const isSearch = (event.key === "/" && !isTyping(event)) || (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey));
      if (!isSearch) return;
      event.preventDefault();
      document.querySelector(".sp-search-button")?.click();
    },
    onPop() {
      if (target() === this.shown) return;
      this.shown = target();
      this.busy = true;
      this.$emit("navigate", this.shown);
    },
    go(address) {
      document.body.classList.remove("sp-nav-open");
      if (address !== window.location.pathname + window.location.search) history.pushState({}, "", address);
      this.shown = target();
      this.busy = true;
      this.$emit("navigate", this.shown);
    },
    replace(address) {
      history.replaceState({}, "", address);
      this.shown = target();
    },
    arrived(title) {
      const isNew = this.busy;
      this.busy = false;
      document.title = title;
      if (isNew) {
        window.scrollTo({ top: 0 });
        this.focusContent();
      }
    },
    focusContent() {
      const content = document.querySelector(".sp-content");
      content?.setAttribute("tabindex", "-1");
      content?.focus({ preventScroll: true });
    },
    say(text, tone) {
      const key = Math.random();
      this.said.push({ key, text, tone });
      setTimeout(() => this.forget(key), tone === "bad" ? 12000 : 6000);
    },
    forget(key) {
      this.said = this.said.filter((each) => each.key !== key);
    },
  },
};
