// Small charts of the last minute, a value a second, drawn anew each time.
import { drawing, element } from "./dom.js";

const [WIDTH, HEIGHT] = [600, 120];

// `least`: the smallest value that the scale reaches to, so that next to nothing looks like it.
export function line(place, values, { unit = "", least }) {
  const most = scaleOf(values, least);
  const points = values.map((value, at) => `${x(at, values).toFixed(1)},${y(value, most).toFixed(1)}`);
  draw(place, values, most, unit, [
    drawing("path", { class: "area", d: `M0,${HEIGHT} L${points.join(" L")} L${WIDTH},${HEIGHT} Z` }),
    drawing("path", { class: "stroke", d: `M${points.join(" L")}` }),
  ]);
}

export function bars(place, values, { unit = "", least }) {
  const most = scaleOf(values, least);
  const step = WIDTH / values.length;
  const made = values.map((value, at) =>
    drawing("rect", { class: "column", x: at * step + 1, width: step - 2, y: y(value, most), height: HEIGHT - y(value, most), rx: 1.5 }),
  );
  draw(place, values, most, unit, made);
}

const x = (at, values) => (at / (values.length - 1)) * WIDTH;
const y = (value, most) => HEIGHT - (Math.min(value, most) / most) * HEIGHT;

// The next of 1, 2, 5, 10, 20, 50 and so on.
function scaleOf(values, least) {
  const most = Math.max(least, ...values);
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most);
}

function draw(place, values, most, unit, shapes) {
  const told = (value) => `${value.toLocaleString("en", { maximumFractionDigits: 1 })}${unit && ` ${unit}`}`;
  const label = `At most ${told(Math.max(...values))}, ${told(values.at(-1))} now`;
  const grid = [0, 0.5, 1].map((part) => drawing("line", { class: "grid", x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part }));
  const svg = drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...grid, ...shapes);
  const scale = element("div", { className: "scale" }, ...[most, most / 2, 0].map((value) => element("span", { textContent: told(value) })));
  const times = element("div", { className: "times" }, ...["60 s ago", "30 s", "now"].map((text) => element("span", { textContent: text })));
  place.replaceChildren(scale, svg, times);
}
