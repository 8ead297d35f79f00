// From nodes and edges to elements and paths. Texts are only ever set as texts.
const ICONS = { ok: "check_circle", bad: "error", busy: "pending", warn: "warning", idle: "remove_circle_outline", "": "radio_button_unchecked" };
const TONES = ["ok", "bad", "busy", "warn", "idle", ""];
const WORDS = { ok: "done", bad: "failed", busy: "running", warn: "stopped", idle: "skipped", "": "waiting" };
const SVG = "http://www.w3.org/2000/svg";

export function made(tag, name, holder) {
  const found = document.createElement(tag);
  if (name) found.className = name;
  if (holder) holder.append(found);
  return found;
}

export function madeSvg(tag, name, holder) {
  const found = document.createElementNS(SVG, tag);
  if (name) found.setAttribute("class", name);
  if (holder) holder.append(found);
  return found;
}

export function icon(name, holder) {
  const found = made("i", "material-icons", holder);
  found.setAttribute("aria-hidden", "true");
  found.dataset.icon = name;
  return found;
}

export const iconOf = (node) => ICONS[node.tone || ""] || "circle";

export function summary(counts) {
  return TONES.filter((tone) => counts?.[tone]).map((tone) => `${counts[tone]} ${WORDS[tone]}`).join(", ");
}

// What stands below the name.
function second(node, size, isOpen) {
  if (node.state) return isOpen && node.detail ? `${node.state} · ${node.detail}` : node.state;
  return node.detail || (node.holds ? `${node.holds}, ${size} inside` : "");
}

// What a reader of the page says: what is to be seen first, in its order.
export function spoken(node, about, isOpen) {
  const line = node.kind !== "artifact" || node.state ? [second(node, about.size, isOpen), node.badge] : [];
  const parts = [node.label, ...line, isOpen && about.pages > 1 ? about.range : ""];
  if (node.holds && node.state) parts.push(`${node.holds}, ${about.size} inside`);
  parts.push(summary(node.counts));
  if (node.progress >= 0) parts.push(Math.round(node.progress * 100) + " percent");
  return parts.filter(Boolean).join(", ");
}

// Fills a box anew. `about`: {size, isOpen, depth, page, pages}.
export function fill(element, node, box, about) {
  const tone = node.tone ? " sp-tone-" + node.tone : node.state || node.holds ? "" : " sp-plain";
  const shape = box.isOpen ? "sp-g-open" : node.holds ? "sp-g-node sp-g-folded" : node.kind === "artifact" ? "sp-g-node sp-g-artifact" : "sp-g-node";
  element.className = `${shape}${tone}${node.state && !node.tone ? " sp-g-ahead" : ""}`;
  element.style.cssText = `left:${box.x}px;top:${box.y}px;width:${box.w}px;height:${box.h}px`;
  element.setAttribute("aria-label", spoken(node, about, box.isOpen));
  element.setAttribute("aria-level", String(box.depth + 1));
  if (node.holds) element.setAttribute("aria-expanded", String(box.isOpen));
  else element.removeAttribute("aria-expanded");
  element.title = node.title || node.label;
  element.replaceChildren();
  const head = made("div", "sp-g-head", element);
  if (node.holds && about.size) toggle(head, node, box.isOpen);
  else if (node.icon) icon(node.icon, head).classList.add("sp-g-kind");
  const words = made("div", "sp-g-words", head);
  made("div", "sp-g-label", words).textContent = node.label;
  words.append(" ");
  if (node.kind !== "artifact" || node.state) line(words, node, about, box.isOpen);
  if (box.isOpen && about.pages > 1) pager(head, about);
  if (node.holds && Object.keys(node.counts || {}).length) counted(element, node.counts);
  else if (node.progress >= 0) made("div", "sp-g-progress", element).style.setProperty("--sp-part", String(Math.min(1, node.progress)));
}

function line(holder, node, about, isOpen) {
  const found = made("div", "sp-g-line", holder);
  if (node.state) icon(iconOf(node), found).classList.add("sp-g-state");
  const text = second(node, about.size, isOpen);
  if (text) made("span", "", found).textContent = text;
  found.append(" ");
  if (node.badge) made("span", "sp-g-badge", found).textContent = node.badge;
}

function button(holder, name, act, label) {
  const found = made("button", "sp-g-button", holder);
  found.type = "button";
  found.tabIndex = -1;
  found.dataset.act = act;
  found.title = label;
  found.setAttribute("aria-label", label);
  icon(name, found);
  return found;
}

function toggle(holder, node, isOpen) {
  button(holder, isOpen ? "unfold_less" : "unfold_more", "toggle", (isOpen ? "Fold " : "Unfold ") + node.label);
}

function pager(holder, about) {
  holder.append(" ");
  const found = made("div", "sp-g-pager", holder);
  button(found, "chevron_left", "back", "Those before").disabled = about.page === 0;
  made("span", "", found).textContent = about.range;
  button(found, "chevron_right", "on", "Those after").disabled = about.page + 1 >= about.pages;
}

function counted(holder, counts) {
  const found = made("div", "sp-g-counts", holder);
  found.title = summary(counts);
  for (const tone of TONES) {
    if (counts[tone]) made("span", tone ? "sp-tone-" + tone : "", found).style.flexGrow = String(counts[tone]);
  }
}

// A line through its points that leaves and enters along the direction.
export function path(points, isRight) {
  let found = `M${n(points[0][0])} ${n(points[0][1])}`;
  for (let index = 1; index < points.length; index++) {
    const [x0, y0] = points[index - 1], [x, y] = points[index];
    if (x === x0 || y === y0) found += `L${n(x)} ${n(y)}`;
    else if (isRight) found += `C${n((x0 + x) / 2)} ${n(y0)} ${n((x0 + x) / 2)} ${n(y)} ${n(x)} ${n(y)}`;
    else found += `C${n(x0)} ${n((y0 + y) / 2)} ${n(x)} ${n((y0 + y) / 2)} ${n(x)} ${n(y)}`;
  }
  return found;
}

export function arrow(points, isRight) {
  const [x, y] = points[points.length - 1], [x0, y0] = points[points.length - 2];
  const back = (isRight ? x < x0 : y < y0) ? 7 : -7;
  return isRight ? `M${n(x)} ${n(y)}l${back} -4v8z` : `M${n(x)} ${n(y)}l-4 ${back}h8z`;
}

export const rectangle = (box) => `M${n(box.x)} ${n(box.y)}h${n(box.w)}v${n(box.h)}h${n(-box.w)}z`;
const n = (value) => Math.round(value * 10) / 10;
export { TONES };
