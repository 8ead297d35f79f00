// Ranks, order and places of one level of a graph. Pure: numbers in, numbers out, the same for the same.
//
// The method of K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system structures",
// IEEE Trans. SMC 11(2), 1981: layers, barycentres against crossings; places within a layer are the least squares
// that keep the distances, by pooling adjacent violators (R. Barlow et al., 1972).
const SWEEPS = 10, PLACINGS = [14, 8], MANY = 600, MOST_BENDS = 40000, BEND = 14;

// `across` and `along` are the sizes of the boxes; `edges` is [[from, to], …] without repetitions or loops onto oneself.
// Answers centres, the size of all, and for each edge its points, from the box it leaves to the box it enters.
export function layered(across, along, edges, gaps) {
  const count = across.length;
  if (!count) return { x: [], y: [], width: 0, height: 0, routes: [] };
  const directed = withoutCircles(count, edges);
  const rank = ranks(count, directed);
  const net = network(count, across, rank, directed, gaps);
  order(net);
  place(net, gaps);
  return drawn(count, net, rank, along, edges, directed, gaps);
}

// Edges that lead back are turned round: [from, to, isTurned].
function withoutCircles(count, edges) {
  const out = Array.from({ length: count }, () => []);
  edges.forEach(([from], index) => out[from].push(index));
  const seen = new Uint8Array(count), turned = new Uint8Array(edges.length);
  for (let start = 0; start < count; start++) {
    if (seen[start]) continue;
    const stack = [[start, 0]];
    seen[start] = 1;
    while (stack.length) {
      const top = stack[stack.length - 1];
      if (top[1] === out[top[0]].length) { seen[top[0]] = 2; stack.pop(); continue; }
      const index = out[top[0]][top[1]++], to = edges[index][1];
      if (seen[to] === 1) turned[index] = 1;
      else if (!seen[to]) { seen[to] = 1; stack.push([to, 0]); }
    }
  }
  return edges.map(([from, to], index) => (turned[index] ? [to, from] : [from, to]));
}

// The longest way from a source; then what has more after it than before it moves down to what comes after.
function ranks(count, edges) {
  const out = Array.from({ length: count }, () => []), waiting = new Int32Array(count), before = new Int32Array(count);
  for (const [from, to] of edges) { out[from].push(to); waiting[to]++; before[to]++; }
  const rank = new Int32Array(count), sorted = [];
  for (let each = 0; each < count; each++) if (!waiting[each]) sorted.push(each);
  for (let index = 0; index < sorted.length; index++) {
    for (const to of out[sorted[index]]) {
      rank[to] = Math.max(rank[to], rank[sorted[index]] + 1);
      if (!--waiting[to]) sorted.push(to);
    }
  }
  for (let index = sorted.length - 1; index >= 0; index--) {
    const each = sorted[index], after = out[each];
    if (after.length > before[each]) rank[each] = Math.min(...after.map((to) => rank[to])) - 1;
  }
  return rank;
}

// Layers of boxes and of the bends of edges that are longer than one rank.
function network(count, across, rank, edges, gaps) {
  let bends = 0;
  for (const [from, to] of edges) bends += rank[to] - rank[from] - 1;
  const isBent = bends <= MOST_BENDS;
  const width = Array.from(across), level = Array.from(rank), up = [], down = [], chains = [];
  for (let each = 0; each < count; each++) { up.push([]); down.push([]); }
  const join = (from, to) => { down[from].push(to); up[to].push(from); };
  for (const [from, to] of edges) {
    const chain = [from];
    for (let at = rank[from] + 1; isBent && at < rank[to]; at++) {
      const bend = width.length;
      width.push(BEND); level.push(at); up.push([]); down.push([]);
      join(chain[chain.length - 1], bend);
      chain.push(bend);
    }
    if (isBent || rank[to] === rank[from] + 1) join(chain[chain.length - 1], to);
    chain.push(to);
    chains.push(chain);
  }
  const layers = Array.from({ length: Math.max(...rank) + 1 }, () => []);
  return { count, width, level, up, down, chains, layers: firstOrder(layers, level, down, up, width.length), at: new Float64Array(width.length) };
}

// As a walk from the sources meets them, so that what belongs together starts together.
function firstOrder(layers, level, down, up, count) {
  const seen = new Uint8Array(count);
  for (let start = 0; start < count; start++) {
    if (seen[start] || up[start].length) continue;
    const stack = [start];
    while (stack.length) {
      const each = stack.pop();
      if (seen[each]) continue;
      seen[each] = 1;
      layers[level[each]].push(each);
      for (let index = down[each].length - 1; index >= 0; index--) if (!seen[down[each][index]]) stack.push(down[each][index]);
    }
  }
  for (let each = 0; each < count; each++) if (!seen[each]) layers[level[each]].push(each);
  return layers;
}

function order(net) {
  const { layers, up, down } = net, position = new Int32Array(net.width.length), weight = new Float64Array(net.width.length);
  const note = (layer) => layer.forEach((each, index) => (position[each] = index));
  layers.forEach(note);
  const centre = (each, near) => {
    if (!near.length) return position[each];
    let sum = 0;
    for (const other of near) sum += position[other];
    return sum / near.length;
  };
  let best = layers.map((layer) => layer.slice()), fewest = crossings(layers, down, position), idle = 0;
  for (let sweep = 0; sweep < SWEEPS && fewest && idle < 4; sweep++) {
    const isDown = sweep % 2 === 0, near = isDown ? up : down;
    for (let step = 0; step < layers.length; step++) {
      const layer = layers[isDown ? step : layers.length - 1 - step];
      for (const each of layer) weight[each] = centre(each, near[each]);
      layer.sort((a, b) => weight[a] - weight[b] || position[a] - position[b]);
      note(layer);
    }
    const found = crossings(layers, down, position);
    if (found < fewest) { fewest = found; best = layers.map((layer) => layer.slice()); idle = 0; } else idle++;
  }
  net.layers = best;
}

// By counting, for each edge from left to right, those before it that end further right (a binary indexed tree).
function crossings(layers, down, position) {
  let total = 0;
  for (let index = 0; index + 1 < layers.length; index++) {
    const size = layers[index + 1].length, tree = new Int32Array(size + 1);
    let seen = 0;
    for (const each of layers[index]) {
      const ends = down[each].map((to) => position[to]).sort((a, b) => a - b);
      for (const end of ends) {
        let upTo = 0;
        for (let at = end + 1; at > 0; at -= at & -at) upTo += tree[at];
        total += seen - upTo;
      }
      for (const end of ends) { seen++; for (let at = end + 1; at <= size; at += at & -at) tree[at]++; }
    }
  }
  return total;
}

function place(net, gaps) {
  const { layers, up, down, width, at, count } = net;
  for (const layer of layers) {
    let edge = 0;
    for (const each of layer) { at[each] = edge + width[each] / 2; edge += width[each] + gaps.across; }
    const middle = (edge - gaps.across) / 2;
    for (const each of layer) at[each] -= middle;
  }
  const rounds = PLACINGS[at.length > MANY ? 1 : 0];
  for (let round = 0; round < rounds; round++) {
    const isDown = round % 2 === 0, isLast = round >= rounds - 2;
    for (let step = 0; step < layers.length; step++) {
      settle(layers[isDown ? step : layers.length - 1 - step], (each) => {
        const near = isLast ? [up[each], down[each]] : [isDown ? up[each] : down[each]];
        let sum = 0, weight = 0;
        for (const others of near) {
          for (const other of others) {
            // A bend beside a bend: what makes long edges straight.
            const pull = each >= count && other >= count ? 8 : 1;
            sum += pull * at[other];
            weight += pull;
          }
        }
        return weight ? [sum / weight, weight] : [at[each], 0.05];
      }, width, at, gaps.across);
    }
  }
}

// Each as near as can be to where it is drawn to, none nearer to its neighbour than may be.
function settle(layer, wanted, width, at, gap) {
  const blocks = [];
  let offset = 0;
  layer.forEach((each, index) => {
    if (index) offset += (width[layer[index - 1]] + width[each]) / 2 + gap;
    const [where, weight] = wanted(each);
    let block = { sum: (where - offset) * weight, weight, size: 1 };
    while (blocks.length && blocks[blocks.length - 1].sum / blocks[blocks.length - 1].weight >= block.sum / block.weight) {
      const last = blocks.pop();
      block = { sum: last.sum + block.sum, weight: last.weight + block.weight, size: last.size + block.size };
    }
    blocks.push(block);
  });
  let index = 0;
  offset = 0;
  for (const block of blocks) {
    for (let each = 0; each < block.size; each++, index++) {
      if (index) offset += (width[layer[index - 1]] + width[layer[index]]) / 2 + gap;
      at[layer[index]] = block.sum / block.weight + offset;
    }
  }
}

function drawn(count, net, rank, along, edges, directed, gaps) {
  const { layers, at, width, chains } = net;
  let left = Infinity, right = -Infinity;
  for (let each = 0; each < at.length; each++) { left = Math.min(left, at[each] - width[each] / 2); right = Math.max(right, at[each] + width[each] / 2); }
  const top = [], bottom = [];
  let edge = 0;
  for (const layer of layers) {
    const deep = layer.reduce((most, each) => (each < count ? Math.max(most, along[each]) : most), 0);
    top.push(edge); bottom.push(edge + deep);
    edge += deep + gaps.along;
  }
  const x = [], y = [];
  for (let each = 0; each < count; each++) { x.push(at[each] - left); y.push(top[rank[each]] + along[each] / 2); }
  const routes = chains.map((chain, index) => {
    const [from, to] = directed[index], points = [[x[from], y[from] + along[from] / 2]];
    if (along[from] / 2 + y[from] < bottom[rank[from]]) points.push([x[from], bottom[rank[from]]]);
    for (let step = 1; step + 1 < chain.length; step++) {
      const bend = chain[step], level = rank[from] + step;
      points.push([at[bend] - left, top[level]], [at[bend] - left, bottom[level]]);
    }
    points.push([x[to], y[to] - along[to] / 2]);
    return edges[index][0] === from ? points : points.reverse();
  });
  return { x, y, width: right - left, height: edge - gaps.along, routes };
}
