// Completions while one types: a combobox as ARIA describes it. The focus stays in the input.
import * as api from "./api.js";
import { $, element } from "./dom.js";

const input = $("q");
const list = $("suggestions");
let active = -1;
let running = null;
let onChosen;

export function start(chosen) {
  onChosen = chosen;
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => choose(event.target.closest("[role=option]")));
  input.addEventListener("blur", close);
}

export const isOpen = () => !list.hidden;

export async function ask(q) {
  running?.abort();
  if (!q.trim()) return close();
  const mine = (running = new AbortController());
  try {
    const { suggestions } = await api.suggest(q, mine.signal);
    if (mine === running && document.activeElement === input && input.value === q) open(suggestions, q);
  } catch {
    // Whoever types goes on without.
    if (mine === running) close();
  }
}

export function close() {
  running?.abort();
  running = null;
  list.hidden = true;
  input.ariaExpanded = "false";
  move(-1);
}

// Whether the key was for the list.
export function onKey(key) {
  if (!isOpen()) return false;
  const options = list.children;
  if (key === "ArrowDown") move(active + 1 < options.length ? active + 1 : -1);
  else if (key === "ArrowUp") move(active < 0 ? options.length - 1 : active - 1);
  else if (key === "Enter" && active >= 0) choose(options[active]);
  else if (key === "Escape") close();
  else return false;
  return true;
}

function open(suggestions, q) {
  const typed = q.trim().toLowerCase();
  const others = suggestions.filter(({ text }) => text.toLowerCase() !== typed);
  list.replaceChildren(...others.map(option));
  list.hidden = others.length === 0;
  input.ariaExpanded = String(!list.hidden);
  move(-1);
}

function option({ text, highlight }, place) {
  // The service escapes highlights: they are safe as HTML.
  const made = element("li", { role: "option", id: `suggestion-${place}`, innerHTML: highlight });
  made.ariaSelected = "false";
  Object.assign(made.dataset, { text, testid: "suggestion" });
  return made;
}

function move(place) {
  active = place;
  [...list.children].forEach((one, index) => (one.ariaSelected = String(index === place)));
  if (place < 0) input.removeAttribute("aria-activedescendant");
  else {
    input.setAttribute("aria-activedescendant", list.children[place].id);
    list.children[place].scrollIntoView({ block: "nearest" });
  }
}

function choose(chosen) {
  if (!chosen) return;
  close();
  onChosen(chosen.dataset.text);
}
