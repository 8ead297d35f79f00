// The same graph as a list, level by level: for readers of the page, and where the window is narrow.
import { iconOf, summary } from "sampan-graph/drawing.js";
import { PAGE, isGroup } from "sampan-graph/structure.js";

const MOST = 3000;

export function rows(index, folding) {
  const found = [];
  const walk = (holder, level) => {
    for (const id of holder ? folding.shown(index, holder) : index.children.get("") || []) {
      if (found.length >= MOST) return;
      const isOpen = folding.isOpen(index, id);
      found.push({ id, level, isOpen, isGroup: isGroup(index, id) });
      if (isOpen) walk(id, level + 1);
    }
    const size = index.children.get(holder)?.length || 0, page = folding.page(index, holder);
    if (holder && folding.shown(index, holder).length < size) found.push({ holder, level, page, range: `${page * PAGE + 1}–${Math.min(size, (page + 1) * PAGE)} of ${size}`, isLast: (page + 1) * PAGE >= size });
  };
  walk("", 1);
  return found;
}

const icon = (name, type = "") => Vue.h("i", { class: ["material-icons", type], "aria-hidden": "true" }, name);

// Where the children of a group come by pages.
function pager({ holder, level, page, range, isLast }, index, on) {
  const label = index.nodes.get(holder).label;
  const turn = (by, name, word, isEnd) => Vue.h("button", { type: "button", class: "sp-g-button", "aria-label": `${word}, ${label}`, disabled: isEnd, onClick: () => on.page(holder, by) }, icon(name));
  return Vue.h("li", { key: holder + "\npages", style: { "--sp-level": level - 1 } }, [Vue.h("span", { class: "sp-g-none" }), turn(-1, "chevron_left", "The page before", page === 0), range, turn(1, "chevron_right", "The page after", isLast)]);
}

// `on`: choose(id), toggle(id), page(id, by).
export function drawn(index, folding, selected, found, label, on) {
  const h = Vue.h;
  const items = rows(index, folding).map((row) => {
    const { id, level, isOpen, isGroup } = row;
    if (row.holder !== undefined) return pager(row, index, on);
    const node = index.nodes.get(id);
    const before = [...new Set((index.before.get(id) || []).map((edge) => index.nodes.get(edge.source).label))];
    const after = before.length ? "after " + before.slice(0, 3).join(", ") + (before.length > 3 ? ` and ${before.length - 3} more` : "") : "";
    const tone = node.tone ? "sp-tone-" + node.tone : "";
    return h("li", { key: id, style: { "--sp-level": level - 1 }, class: { "sp-g-selected": id === selected, "sp-g-found": found.has(id) } }, [
      isGroup ? h("button", { type: "button", class: "sp-g-button", "aria-expanded": isOpen, "aria-label": (isOpen ? "Fold " : "Unfold ") + node.label, onClick: () => on.toggle(id) }, icon(isOpen ? "expand_more" : "chevron_right")) : h("span", { class: "sp-g-none" }),
      h("button", { type: "button", class: "sp-g-name", title: node.title || undefined, "aria-pressed": id === selected, onClick: () => on.choose(id) }, [node.icon ? icon(node.icon, "sp-g-kind") : null, node.label]),
      node.state ? h("span", { class: ["sp-state", tone] }, [icon(iconOf(node)), node.state]) : null,
      node.badge ? h("span", { class: "sp-g-badge" }, node.badge) : null,
      h("span", { class: "sp-g-note" }, summary(node.counts) || node.detail || after),
    ]);
  });
  return h("ul", { class: "sp-g-list", "aria-label": label + ", as a list" }, items);
}
