// Diagram of table, stream, and index, with a moving dot for each change since the last update.
import { drawing } from "./dom.js";

const NODES = [
  { name: "Table", about: "written", at: 76 },
  { name: "Stream", about: "read in order", at: 360 },
  { name: "Index", about: "searchable", at: 644 },
];
const [NODE_WIDTH, MIDDLE] = [140, 46];
const MAX_DOTS = 24;
const TRAVEL_MS = 1400;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

let dots;
let last = null;

export function start(svg) {
  const edges = [0, 1].map((from) =>
    drawing("line", { class: "edge", x1: NODES[from].at + NODE_WIDTH / 2, x2: NODES[from + 1].at - NODE_WIDTH / 2, y1: MIDDLE, y2: MIDDLE }),
  );
  dots = drawing("g");
  svg.append(...edges, dots, ...NODES.map(node));
}

export function display({ changes, applied_total: total }) {
  const fresh = last === null ? 0 : Math.min(MAX_DOTS, total - last);
  last = total;
  if (reducedMotion.matches) return;
  changes.slice(0, fresh).forEach((change, index) => travel(change.outcome, index * (900 / Math.max(1, fresh))));
}

function travel(outcome, delay) {
  const dot = drawing("circle", { class: `dot ${outcome}`, r: 5, cx: 0, cy: MIDDLE });
  dots.append(dot);
  const [from, to] = [NODES[0].at, NODES[2].at];
  const moves = dot.animate(
    [
      { transform: `translateX(${from}px)`, opacity: 0 },
      { opacity: 1, offset: 0.1 },
      { opacity: 1, offset: 0.9 },
      { transform: `translateX(${to}px)`, opacity: 0 },
    ],
    { duration: TRAVEL_MS, delay, easing: "ease-in-out", fill: "both" },
  );
  moves.onfinish = () => dot.remove();
}

function node({ name, about, at }) {
  const box = drawing("rect", { class: "node", x: at - NODE_WIDTH / 2, y: 12, width: NODE_WIDTH, height: 68, rx: 12 });
  const text = (content, y, kind) => drawing("text", { class: kind, x: at, y, "text-anchor": "middle" }, content);
  return drawing("g", {}, box, text(name, 42, "node-name"), text(about, 62, "node-about"));
}
