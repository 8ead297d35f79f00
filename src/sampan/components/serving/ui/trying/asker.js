// Asks an endpoint from the browser, as any client would, and shows what it answers. Texts are only ever set as texts.
const MOST_SHOWN = 200000; // characters
const MOST_TOLD = 60000; // characters that the page itself is told of
const PRETTY = 500000; // characters up to which JSON is laid out

const pretty = (text) => {
  if (text.length > PRETTY) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

// Of one event of a stream, or of a whole answer: what the model has said.
export function said(line) {
  try {
    const choice = (JSON.parse(line).choices || [])[0] || {};
    return (choice.delta && choice.delta.content) || (choice.message && choice.message.content) || choice.text || "";
  } catch {
    return "";
  }
}

// Why a stream that has begun does not go on.
export function broken(line) {
  try {
    const error = JSON.parse(line).error;
    return error ? error.message || JSON.stringify(error) : "";
  } catch {
    return "";
  }
}

export default {
  props: { label: String, quiet: Boolean },
  data() {
    return { busy: false, answer: null, talk: [], stop: null };
  },
  beforeUnmount() {
    this.cancel();
  },
  methods: {
    cancel() {
      if (this.stop) this.stop.abort();
    },
    begin() {
      this.cancel();
      this.stop = new AbortController();
      return { signal: this.stop.signal, began: performance.now(), mine: this.stop };
    },
    // What is asked for quietly is told to the page alone.
    async ask(key, path, body, quiet) {
      const own = quiet ? { signal: undefined, began: performance.now(), mine: null } : this.begin();
      if (!quiet) [this.busy, this.answer] = [true, null];
      const told = { key, status: 0, milliseconds: 0, body: "", problem: "" };
      let text = "";
      try {
        const init = { signal: own.signal, cache: "no-store" };
        if (body !== null) Object.assign(init, { method: "POST", body, headers: { "content-type": "application/json" } });
        const reply = await fetch(path, init);
        text = await reply.text();
        told.status = reply.status;
      } catch (error) {
        if (own.signal && own.signal.aborted && own.mine !== this.stop) return;
        told.problem = error.name === "AbortError" ? "It was cancelled." : "The server was not reached: " + error.message;
      }
      told.milliseconds = performance.now() - own.began;
      told.body = text.slice(0, MOST_TOLD);
      if (!quiet) {
        this.busy = false;
        this.answer = { ...told, size: text.length, text: pretty(text).slice(0, MOST_SHOWN), cut: text.length > MOST_SHOWN };
      }
      this.$emit("answered", told);
    },
    // As `stream: true` of OpenAI's API has it: events, each a piece of what the model says.
    async chat(path, request, text) {
      const own = this.begin();
      const messages = [...this.talk.filter((each) => !each.problem), { role: "user", content: text }];
      const turn = Vue.reactive({ role: "assistant", content: "", first: 0, milliseconds: 0, problem: "" });
      this.talk = [...messages, turn];
      this.busy = true;
      try {
        const sent = { ...request, stream: true, messages: messages.map(({ role, content }) => ({ role, content })) };
        const init = { method: "POST", signal: own.signal, headers: { "content-type": "application/json" }, body: JSON.stringify(sent) };
        const reply = await fetch(path, init);
        if (!reply.ok) throw new Error(reply.status + " " + (await reply.text()).slice(0, 2000));
        const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let rest = ""; ; ) {
          const { done, value } = await reader.read();
          rest += value || "";
          const lines = rest.split("\n");
          rest = done ? "" : lines.pop();
          for (const line of lines) {
            const event = line.startsWith("data:") ? line.slice(5) : line;
            const piece = said(event);
            turn.problem = turn.problem || broken(event);
            if (piece && !turn.first) turn.first = performance.now() - own.began;
            turn.content += piece;
          }
          if (done) break;
        }
      } catch (error) {
        turn.problem = error.name === "AbortError" ? "It was cancelled." : error.message;
      }
      turn.milliseconds = performance.now() - own.began;
      if (own.mine === this.stop) this.busy = false;
    },
    forget() {
      this.cancel();
      this.talk = [];
    },
    drawn() {
      const h = Vue.h, found = this.answer;
      if (!found) return [];
      const good = found.status >= 200 && found.status < 300;
      const icon = h("i", { class: "material-icons", "aria-hidden": "true" }, good ? "check_circle" : "error");
      const head = [h("span", { class: "sp-state sp-tone-" + (good ? "ok" : "bad") }, [icon, h("span", found.status ? "HTTP " + found.status : "No answer")])];
      head.push(h("span", { class: "sp-muted" }, Math.round(found.milliseconds * 10) / 10 + " ms, " + found.size.toLocaleString() + " characters"));
      const parts = [h("div", { class: "sp-row" }, head)];
      if (found.problem) parts.push(h("p", { class: "sp-pre" }, found.problem));
      if (found.text) parts.push(h("pre", { class: "sv-answer", tabindex: 0, role: "group", "aria-label": "Answer" }, found.text));
      if (found.cut) parts.push(h("p", { class: "sp-muted" }, "It goes on: this is its beginning."));
      return parts;
    },
    spoken(turn) {
      const h = Vue.h;
      if (turn.role === "user") return [h("p", { class: "sv-said sv-user" }, turn.content)];
      const parts = [];
      if (turn.content || !turn.problem) parts.push(h("p", { class: "sv-said" }, turn.content || "…"));
      if (turn.problem) parts.push(h("p", { class: "sp-pre", role: "alert" }, turn.problem));
      if (turn.milliseconds && !turn.problem) parts.push(h("span", { class: "sp-muted sp-small" }, "first word after " + Math.round(turn.first) + " ms, all after " + Math.round(turn.milliseconds) + " ms"));
      return parts;
    },
  },
  render() {
    const h = Vue.h;
    if (this.quiet) return h("span", { hidden: true });
    const parts = [...this.drawn(), ...(this.talk.length ? [h("div", { class: "sv-chat" }, this.talk.flatMap(this.spoken))] : [])];
    if (!parts.length && !this.busy) parts.push(h("p", { class: "sp-muted" }, "Nothing has been asked yet."));
    if (this.busy) parts.push(h("div", { class: "sp-row" }, [h("span", { class: "sp-muted" }, "Waiting for the answer …"), h("button", { type: "button", class: "sp-button", onClick: this.cancel }, "Cancel")]));
    return h("div", { class: "sp-stack", role: "region", "aria-label": this.label, "aria-live": "polite" }, parts);
  },
};
