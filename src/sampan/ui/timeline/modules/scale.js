// From moments to places and back, the ticks of the axis, and which rows are shown. Pure.
const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS = [10, 20, 50, 100, 200, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 28 * DAY];

// About one for each `gap` pixels; offsets from the start, with what stands beside them.
export function ticks(from, to, perPixel, gap = 110) {
  const step = STEPS.find((each) => each / perPixel >= gap) || STEPS[STEPS.length - 1];
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to && found.length < 200; at += step) found.push([at, offset(at, step)]);
  return found;
}

function offset(at, step) {
  if (step < SECOND) return (at / SECOND).toFixed(step < 100 ? 2 : 1) + " s";
  if (at < MINUTE) return at / SECOND + " s";
  const parts = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [SECOND, "s"]], words = [];
  for (const [size, word] of parts) {
    const count = Math.floor(at / size);
    at -= count * size;
    if (count) words.push(count + " " + word);
  }
  return words.slice(0, 2).join(" ");
}

// Rows that no folded row hides, with their depth and whether they hold others.
export function shown(rows, isOpen) {
  const holders = new Set(rows.map((row) => row.parent).filter(Boolean)), depths = new Map(), found = [];
  for (const row of rows) {
    const above = row.parent ? depths.get(row.parent) : { depth: -1, isOpen: true };
    if (row.parent && !above) { depths.set(row.id, { depth: 0, isOpen: true }); found.push({ row, depth: 0, holds: holders.has(row.id) }); continue; }
    if (!above.isOpen) { depths.set(row.id, { depth: above.depth + 1, isOpen: false }); continue; }
    const depth = above.depth + 1, holds = holders.has(row.id);
    depths.set(row.id, { depth, isOpen: !holds || isOpen(row) });
    found.push({ row, depth, holds });
  }
  return found;
}

// How long a row's spans of each kind were, in milliseconds.
export function sums(row, now) {
  const found = { queue: 0, prepare: 0, run: 0, group: 0 };
  for (const span of row.spans || []) found[span.kind] += Math.max(0, (span.end || now) - span.start);
  return found;
}
