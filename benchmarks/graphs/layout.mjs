// What it costs to lay out 2,000 nodes, in milliseconds of processor, and whether boxes overlap: `node benchmarks/graphs/layout.mjs`.
import { register } from "node:module";

const modules = new URL("../../src/sampan/ui/graph/modules/", import.meta.url).href;
const hooks = `
export async function resolve(name, context, next) {
  if (!name.startsWith("sampan-graph/")) return next(name, context);
  return { url: ${JSON.stringify(modules)} + name.slice(13), format: "module", shortCircuit: true };
}
export async function load(url, context, next) {
  return next(url, { ...context, format: url.endsWith(".js") ? "module" : context.format });
}`;
register("data:text/javascript," + encodeURIComponent(hooks));
const { Folding, indexed, visible } = await import("sampan-graph/structure.js");
const { arranged } = await import("sampan-graph/arrange.js");

const COUNT = 2000;
let seed = 1;
const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
const nodes = Array.from({ length: COUNT }, (_, each) => ({ id: "n" + each }));
const edge = (source, target) => ({ source: "n" + source, target: "n" + target });
const each = (from, to, make) => Array.from({ length: to - from }, (_, index) => make(index + from)).flat();

const GRAPHS = {
  "a chain": each(1, COUNT, (at) => [edge(at - 1, at)]),
  "a fan": each(1, COUNT - 1, (at) => [edge(0, at), edge(at, COUNT - 1)]),
  "nothing between them": [],
  "200 chains of ten": each(1, COUNT, (at) => (at % 10 ? [edge(at - 1, at)] : [])),
  "a tree": each(1, COUNT, (at) => [edge(Math.max(0, at - 1 - Math.floor(random() * 40)), at)]),
  "50 layers of 40, three edges each": each(0, COUNT - 40, (at) => [0, 1, 2].map(() => edge(at, (Math.floor(at / 40) + 1) * 40 + Math.floor(random() * 40)))),
  "any two of the last 40": each(1, COUNT, (at) => [0, 1].map(() => edge(Math.max(0, at - 1 - Math.floor(random() * 40)), at))),
};

for (const [name, edges] of Object.entries(GRAPHS)) {
  for (const direction of ["down", "right"]) {
    const times = [];
    let layout;
    for (let turn = 0; turn < 5; turn++) {
      const started = process.cpuUsage();
      const index = indexed({ nodes, edges });
      layout = arranged(index, visible(index, new Folding()), direction);
      const spent = process.cpuUsage(started);
      times.push((spent.user + spent.system) / 1000);
    }
    const median = times.sort((a, b) => a - b)[2];
    console.log(`${name}, ${direction}: ${median.toFixed(1)} ms (at most ${times[4].toFixed(1)}), ${layout.edges.length} edges, ${overlaps(layout)} overlaps`);
  }
}

function overlaps({ boxes }) {
  const sorted = [...boxes].sort((a, b) => a.x - b.x);
  let found = 0;
  sorted.forEach((box, at) => {
    for (let next = at + 1; next < sorted.length && sorted[next].x < box.x + box.w - 0.01; next++) {
      const other = sorted[next];
      if (other.y < box.y + box.h - 0.01 && box.y < other.y + other.h - 0.01) found++;
    }
  });
  return found;
}
