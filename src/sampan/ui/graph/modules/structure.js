// The graph as data: what holds what, what is open, which edges are to be seen. Pure; knows no document.
export const PAGE = 60;
const TWINS = 9;

// Of the parsed graph: nodes by id, children in their order, edges by their ends.
export function indexed(graph) {
  const nodes = new Map(), children = new Map([["", []]]), after = new Map(), before = new Map();
  for (const node of graph.nodes || []) if (!nodes.has(node.id)) nodes.set(node.id, node);
  for (const node of nodes.values()) {
    const holder = holderOf(node, nodes);
    if (!children.has(holder)) children.set(holder, []);
    children.get(holder).push(node.id);
  }
  const edges = (graph.edges || []).filter((edge) => nodes.has(edge.source) && nodes.has(edge.target));
  const add = (map, key, edge) => (map.has(key) ? map.get(key).push(edge) : map.set(key, [edge]));
  for (const edge of edges) { add(after, edge.source, edge); add(before, edge.target, edge); }
  return { nodes, children, edges, after, before, direction: graph.direction || "down" };
}

// The graph that comes of one by a growth (`ui/graph/model.py`): what goes, then what comes, by its place in the whole.
export function grown(graph, { removed = [], added = [], changed = [], lost = [], edges = [] }) {
  const gone = new Set(removed), news = new Map(changed.map((node) => [node.id, node]));
  const said = (edge) => JSON.stringify([edge.source, edge.target, edge.kind || "order", edge.label || ""]), ended = new Set(lost.map(said));
  const insert = (list, items) => { for (const [at, item] of items) list.splice(at, 0, item); return list; };
  return {
    ...graph,
    nodes: insert(graph.nodes.filter((node) => !gone.has(node.id)).map((node) => news.get(node.id) || node), added),
    edges: insert(graph.edges.filter((edge) => !ended.has(said(edge))), edges),
  };
}

// Empty where the group is not there, or would hold itself.
function holderOf(node, nodes) {
  const seen = new Set([node.id]);
  for (let at = node.group; at; at = nodes.get(at)?.group) {
    if (seen.has(at) || !nodes.has(at)) return "";
    seen.add(at);
  }
  return node.group || "";
}

export function isGroup(index, id) {
  return Boolean(index.nodes.get(id)?.holds) || (index.children.get(id)?.length || 0) > 0;
}

// From the outermost group to the one that holds `id`.
export function holders(index, id) {
  const found = [];
  for (let at = index.nodes.get(id)?.group; at && index.nodes.has(at) && !found.includes(at); at = index.nodes.get(at).group) found.unshift(at);
  return found;
}

export class Folding {
  constructor() { this.chosen = new Map(); this.pages = new Map(); }
  isOpen(index, id) {
    const node = index.nodes.get(id);
    if (!node || !index.children.get(id)?.length) return false;
    return this.chosen.has(id) ? this.chosen.get(id) : Boolean(node.open);
  }
  set(id, open) { this.chosen.set(id, open); }
  // Of a group whose children come by pages: which of them are shown.
  shown(index, id) {
    const all = index.children.get(id) || [];
    if (index.nodes.get(id)?.holds !== "iterations" || all.length <= PAGE) return all;
    const page = this.page(index, id);
    return all.slice(page * PAGE, page * PAGE + PAGE);
  }
  page(index, id) {
    return Math.min(this.pages.get(id) || 0, Math.max(0, Math.ceil((index.children.get(id) || []).length / PAGE) - 1));
  }
  reveal(index, id) {
    const path = [...holders(index, id), id];
    path.forEach((each, step) => {
      if (step + 1 < path.length) this.chosen.set(each, true);
      const holder = step ? path[step - 1] : "";
      if (holder && index.nodes.get(holder).holds === "iterations") this.pages.set(holder, Math.floor(index.children.get(holder).indexOf(each) / PAGE));
    });
  }
}

// What is to be laid out: for each open group (and "" for all) its visible children and the edges between them.
export function visible(index, folding) {
  const levels = new Map(), shownAs = new Map();
  const walk = (holder) => {
    const ids = holder ? folding.shown(index, holder) : index.children.get("") || [];
    levels.set(holder, { ids, edges: [] });
    for (const id of ids) {
      shownAs.set(id, holder);
      if (folding.isOpen(index, id)) walk(id);
    }
  };
  walk("");
  const seen = new Map();
  for (const edge of index.edges) {
    const pair = siblings(index, shownAs, edge.source, edge.target);
    if (!pair) continue;
    const [from, to, holder] = pair, key = from + "\n" + to;
    const known = seen.get(key);
    if (known) { known.of.push(edge); if (rankOf(edge) > rankOf(known.of[0])) known.kind = edge.kind; continue; }
    const drawn = { from, to, kind: edge.kind || "order", of: [edge] };
    seen.set(key, drawn);
    levels.get(holder).edges.push(drawn);
  }
  return levels;
}

const rankOf = (edge) => ({ artifact: 2, parameter: 1 })[edge.kind] || 0;

// The two that stand side by side and hold, or are, the ends.
function siblings(index, shownAs, source, target) {
  const chain = (id) => {
    const found = [];
    for (let at = id; at; at = index.nodes.get(at)?.group) if (shownAs.has(at)) found.push(at);
    return found;
  };
  const one = chain(source), other = chain(target);
  const places = new Map(one.map((id) => [shownAs.get(id), id]));
  for (const id of other) {
    const holder = shownAs.get(id), from = places.get(holder);
    if (from !== undefined) return from === id ? null : [from, id, holder];
  }
  return null;
}

// Sets of nodes with the same before and the same after, too many for one row: each becomes one block.
export function twins(ids, edges, isSmall) {
  const before = new Map(), after = new Map();
  for (const { from, to } of edges) {
    (before.get(to) || before.set(to, []).get(to)).push(from);
    (after.get(from) || after.set(from, []).get(from)).push(to);
  }
  const sets = new Map();
  for (const id of ids) {
    if (!isSmall(id)) continue;
    const key = (before.get(id) || []).sort().join("\n") + "\n\n" + (after.get(id) || []).sort().join("\n");
    (sets.get(key) || sets.set(key, []).get(key)).push(id);
  }
  return [...sets.values()].filter((set) => set.length >= TWINS);
}

// All that leads to `id` and all that it leads to, itself too.
export function paths(index, id) {
  const found = new Set([id]);
  for (const [next, end] of [["after", "target"], ["before", "source"]]) {
    const waiting = [id], seen = new Set([id]);
    while (waiting.length) {
      const at = waiting.pop();
      for (const edge of index[next].get(at) || []) {
        if (seen.has(edge[end])) continue;
        seen.add(edge[end]); found.add(edge[end]); waiting.push(edge[end]);
      }
    }
  }
  return found;
}
