// From one box to the next by arrow keys. Pure.

// `way` is left, right, up or down. Along the direction of the edges those come first that an edge leads to; else the
// nearest box on that side.
export function next(layout, id, way, isRight) {
  const boxes = layout.boxes, here = boxes.find((box) => box.id === id);
  if (!here) return boxes[0]?.id || "";
  const ahead = isRight ? "right" : "down", back = isRight ? "left" : "up";
  if (way === ahead || way === back) {
    const [own, other] = way === ahead ? ["source", "target"] : ["target", "source"];
    const ends = new Set(layout.edges.flatMap((edge) => edge.of.filter((each) => each[own] === id).map((each) => each[other])));
    const found = nearest(here, boxes.filter((box) => ends.has(box.id)), "");
    if (found) return found.id;
  }
  return (nearest(here, boxes, way) || here).id;
}

function nearest(here, boxes, way) {
  let found = null, least = Infinity;
  for (const box of boxes) {
    if (box.id === here.id) continue;
    const dx = centre(box)[0] - centre(here)[0], dy = head(box) - head(here);
    const [along, aside] = { left: [-dx, dy], right: [dx, dy], up: [-dy, dx], down: [dy, dx] }[way] || [Math.abs(dy) + Math.abs(dx), 0];
    if (way && along <= 4) continue;
    const far = along + 2.5 * Math.abs(aside);
    if (far < least) { least = far; found = box; }
  }
  return found;
}

const centre = (box) => [box.isOpen ? box.x + 106 : box.x + box.w / 2, head(box)];
// Of an open group its header counts, so that one can step into it and out of it.
const head = (box) => (box.isOpen ? box.y + 18 : box.y + box.h / 2);
