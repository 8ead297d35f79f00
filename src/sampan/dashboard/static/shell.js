// What the shell needs of the browser: addresses and history, the menu on small screens, words said for some seconds.
// Links to pages of ours go to the server, which builds the page into the frame; all others are the browser's own.
const ROOT = "/ui";

function target() {
  const path = window.location.pathname.slice(ROOT.length) || "/";
  return path + window.location.search;
}

export default {
  template: `
    <div>
      <a class="sp-skip" href="#sp-content" @click.prevent="focusContent">Skip to content</a>
      <div class="sp-nav-shade" v-show="isNavOpen" @click="showNav(false)"></div>
      <div class="sp-progress" v-if="busy" role="progressbar" aria-label="Loading"></div>
      <div class="sp-said" role="status" aria-live="polite">
        <div v-for="each in said" :key="each.key" :class="['sp-toast', 'sp-tone-' + each.tone]">
          <span>{{ each.text }}</span>
          <button type="button" aria-label="Dismiss" @click="forget(each.key)">×</button>
        </div>
      </div>
    </div>`,
  data() {
    return { said: [], busy: false, shown: target(), isNavOpen: false };
  },
  mounted() {
    document.addEventListener("click", this.onClick);
    document.addEventListener("keydown", this.onKey);
    window.addEventListener("popstate", this.onPop);
    window.addEventListener("sampan-say", this.onSay);
    window.addEventListener("sampan-menu", this.toggleNav);
    this.markMenu();
    if (window.location.hash.startsWith("#/")) this.$emit("upstream", window.location.hash.slice(1));
  },
  unmounted() {
    document.removeEventListener("click", this.onClick);
    document.removeEventListener("keydown", this.onKey);
    window.removeEventListener("popstate", this.onPop);
    window.removeEventListener("sampan-say", this.onSay);
    window.removeEventListener("sampan-menu", this.toggleNav);
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
      if (event.key === "Escape" && this.isNavOpen) this.showNav(false);
    },
    onSay(event) {
      this.say(event.detail.text, event.detail.tone);
    },
    // On small screens the navigation is a drawer: whoever opens it is in it, and back at the button once it closes.
    toggleNav() {
      this.showNav(!this.isNavOpen);
    },
    showNav(open, keepFocus = false) {
      this.isNavOpen = open;
      document.body.classList.toggle("sp-nav-open", open);
      this.markMenu();
      if (keepFocus) return;
      if (open) this.$nextTick(() => document.querySelector("#sp-nav .sp-current, #sp-nav a")?.focus());
      else document.querySelector(".sp-menu")?.focus();
    },
    markMenu() {
      document.querySelector(".sp-menu")?.setAttribute("aria-expanded", String(this.isNavOpen));
    },
    onPop() {
      if (target() === this.shown) return;
      this.shown = target();
      this.busy = true;
      this.$emit("navigate", this.shown);
    },
    go(address) {
      if (this.isNavOpen) this.showNav(false, true);
      document.querySelectorAll(":popover-open").forEach((each) => each.hidePopover());
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
