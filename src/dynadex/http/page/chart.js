// Small charts of the last minute with one value per second, redrawn on each update.
import { drawing, element } from "./dom.js";

const [WIDTH, HEIGHT] = [600, 120];

// `least`: the minimum upper end of the scale, so that small values look small.
export function line(target, values, { unit = "", least }) {
  const max = scaleOf(values, least);
  const points = values.map((value, at) => `${x(at, values).toFixed(1)},${y(value, max).toFixed(1)}`);
  draw(target, values, max, unit, [
    drawing("path", { class: "area", d: `M0,${HEIGHT} L${points.join(" L")} L${WIDTH},${HEIGHT} Z` }),
    drawing("path", { class: "stroke", d: `M${points.join(" L")}` }),
  ]);
}

export function bars(target, values, { unit = "", least }) {
  const max = scaleOf(values, least);
  const step = WIDTH / values.length;
  const columns = values.map((value, at) =>
    drawing("rect", { class: "column", x: at * step + 1, width: step - 2, y: y(value, max), height: HEIGHT - y(value, max), rx: 1.5 }),
  );
  draw(target, values, max, unit, columns);
}

const x = (at, values) => (at / (values.length - 1)) * WIDTH;
const y = (value, max) => HEIGHT - (Math.min(value, max) / max) * HEIGHT;

// Returns the next of 1, 2, 5, 10, 20, 50 and so on.
function scaleOf(values, least) {
  const max = Math.max(least, ...values);
  const power = 10 ** Math.floor(Math.log10(max));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= max);
}

function draw(target, values, max, unit, shapes) {
  const text = (value) => `${value.toLocaleString("en", { maximumFractionDigits: 1 })}${unit && ` ${unit}`}`;
  const label = `At most ${text(Math.max(...values))}, ${text(values.at(-1))} now`;
  const grid = [0, 0.5, 1].map((part) => drawing("line", { class: "grid", x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part }));
  const svg = drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...grid, ...shapes);
  const scale = element("div", { className: "scale" }, ...[max, max / 2, 0].map((value) => element("span", { textContent: text(value) })));
  const times = element("div", { className: "times" }, ...["60 s ago", "30 s", "now"].map((time) => element("span", { textContent: time })));
  target.replaceChildren(scale, svg, times);
}
