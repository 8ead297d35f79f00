// Places of everything that is visible: groups from the inside out, each level by `layout`. Pure.
import { layered } from "sampan-graph/layout.js";
import { twins } from "sampan-graph/structure.js";

export const SIZES = { step: [212, 54], artifact: [168, 34], group: [212, 62] };
const HEADER = 38, PADDING = 16, GAPS = { across: 26, along: 46 }, TIGHT = 14, FRAME = 12, WIDE = 1.9;

// `levels` as `structure.visible` gives them. Answers boxes ({id, x, y, w, h, isOpen, depth}) from the outside in, edges
// with their points, and frames around blocks of like nodes.
export function arranged(index, levels, direction) {
  const isRight = direction === "right";
  const sizes = new Map(), plans = new Map();
  const plan = (holder) => {
    const { ids, edges } = levels.get(holder);
    for (const id of ids) {
      if (levels.has(id)) {
        plan(id);
        const inner = plans.get(id);
        sizes.set(id, [Math.max(inner.width + 2 * PADDING, SIZES.group[0] + 2 * PADDING), inner.height + HEADER + PADDING]);
      } else sizes.set(id, closed(index, id));
    }
    plans.set(holder, level(ids, edges, sizes, (id) => !levels.has(id), isRight));
  };
  plan("");
  const result = { boxes: [], edges: [], frames: [], width: plans.get("").width, height: plans.get("").height };
  settleLevel(result, plans, sizes, levels, "", 0, 0, 0);
  return result;
}

function closed(index, id) {
  const node = index.nodes.get(id);
  return SIZES[node.holds ? "group" : node.kind || "step"] || SIZES.step;
}

function level(ids, edges, sizes, isSmall, isRight) {
  const place = new Map(), items = [], blocks = [];
  for (const set of twins(ids, edges, isSmall)) {
    const block = gridOf(set, sizes);
    blocks.push(block);
    for (const id of set) place.set(id, block);
  }
  const done = new Set();
  for (const id of ids) {
    const block = place.get(id);
    if (!block) { place.set(id, items.length); items.push({ id, size: sizes.get(id) }); }
    else if (!done.has(block)) { done.add(block); block.at = items.length; items.push({ block, size: block.size }); }
  }
  const where = (id) => (typeof place.get(id) === "number" ? place.get(id) : place.get(id).at);
  const known = new Map(), pairs = [];
  for (const edge of edges) {
    const pair = [where(edge.from), where(edge.to)], key = pair.join();
    if (known.has(key)) { pairs[known.get(key)].edges.push(edge); continue; }
    known.set(key, pairs.length);
    pairs.push({ pair, edges: [edge] });
  }
  return packed(items, pairs, isRight);
}

function gridOf(ids, sizes) {
  const [w, h] = ids.reduce(([w, h], id) => [Math.max(w, sizes.get(id)[0]), Math.max(h, sizes.get(id)[1])], [0, 0]);
  const columns = Math.max(1, Math.round(Math.sqrt((ids.length * (h + TIGHT) * WIDE) / (w + TIGHT))));
  const rows = Math.ceil(ids.length / columns);
  const spots = ids.map((id, index) => ({ id, x: FRAME + (index % columns) * (w + TIGHT), y: FRAME + Math.floor(index / columns) * (h + TIGHT) }));
  return { spots, size: [columns * (w + TIGHT) - TIGHT + 2 * FRAME, rows * (h + TIGHT) - TIGHT + 2 * FRAME] };
}

// Parts without an edge between them stand beside each other, in rows.
function packed(items, pairs, isRight) {
  const part = parts(items.length, pairs.map(({ pair }) => pair));
  const laid = part.map((members) => onePart(members, items, pairs, isRight));
  const area = laid.reduce((sum, each) => sum + (each.width + GAPS.across) * (each.height + GAPS.along), 0);
  const widest = Math.max(0, ...laid.map((each) => each.width), laid.length > 2 ? Math.sqrt(area * WIDE) : Infinity);
  const plan = { spots: [], edges: [], width: 0, height: 0 };
  let x = 0, y = 0, deep = 0;
  for (const each of laid) {
    if (x && x + each.width > widest) { x = 0; y += deep + GAPS.along; deep = 0; }
    for (const spot of each.spots) plan.spots.push({ ...spot, x: spot.x + x, y: spot.y + y });
    for (const edge of each.edges) plan.edges.push({ ...edge, points: edge.points.map(([px, py]) => [px + x, py + y]) });
    plan.width = Math.max(plan.width, x + each.width);
    deep = Math.max(deep, each.height);
    plan.height = Math.max(plan.height, y + deep);
    x += each.width + GAPS.across;
  }
  return plan;
}

function parts(count, pairs) {
  const root = Int32Array.from({ length: count }, (_, index) => index);
  const find = (at) => { while (root[at] !== at) at = root[at] = root[root[at]]; return at; };
  for (const [from, to] of pairs) root[Math.max(find(from), find(to))] = Math.min(find(from), find(to));
  const found = new Map();
  for (let each = 0; each < count; each++) (found.get(find(each)) || found.set(find(each), []).get(find(each))).push(each);
  return [...found.values()];
}

function onePart(members, items, pairs, isRight) {
  const place = new Map(members.map((item, at) => [item, at]));
  const [across, along] = isRight ? [1, 0] : [0, 1];
  const own = pairs.filter(({ pair }) => place.has(pair[0]));
  const found = layered(
    members.map((item) => items[item].size[across]),
    members.map((item) => items[item].size[along]),
    own.map(({ pair }) => pair.map((item) => place.get(item))),
    { across: GAPS.across, along: isRight ? GAPS.along + 24 : GAPS.along },
  );
  const turn = (x, y) => (isRight ? [y, x] : [x, y]);
  const spots = members.map((item, at) => {
    const [w, h] = items[item].size, [x, y] = turn(found.x[at], found.y[at]);
    return { ...items[item], x: x - w / 2, y: y - h / 2 };
  });
  const edges = own.map(({ edges }, at) => ({ edges, points: found.routes[at].map(([x, y]) => turn(x, y)) }));
  const [width, height] = turn(found.width, found.height);
  return { spots, edges, width, height };
}

function settleLevel(result, plans, sizes, levels, holder, left, top, depth) {
  const plan = plans.get(holder);
  const box = (id, x, y) => {
    const [w, h] = sizes.get(id), isOpen = levels.has(id);
    result.boxes.push({ id, x, y, w, h, isOpen, depth });
    if (!isOpen) return;
    const inner = plans.get(id);
    settleLevel(result, plans, sizes, levels, id, x + (w - inner.width) / 2, y + HEADER, depth + 1);
  };
  for (const edge of plan.edges) result.edges.push({ points: edge.points.map(([x, y]) => [x + left, y + top]), kind: heaviest(edge.edges), of: edge.edges.flatMap((each) => each.of) });
  for (const spot of plan.spots) {
    if (!spot.block) { box(spot.id, spot.x + left, spot.y + top); continue; }
    const [w, h] = spot.size;
    result.frames.push({ x: spot.x + left, y: spot.y + top, w, h });
    for (const each of spot.block.spots) box(each.id, spot.x + left + each.x, spot.y + top + each.y);
  }
}

function heaviest(edges) {
  const kinds = new Set(edges.map((edge) => edge.kind));
  return ["artifact", "parameter", "order"].find((kind) => kinds.has(kind)) || "order";
}
