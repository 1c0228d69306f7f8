// Suggestions while typing: an ARIA combobox. The focus stays in the input.
import * as api from "./api.js";
import { $, element } from "./dom.js";

const input = $("q");
const list = $("suggestions");
let active = -1;
let running = null;
let onChosen;

export function start(textChosen) {
  onChosen = textChosen;
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => choose(event.target.closest("[role=option]")));
  input.addEventListener("blur", close);
}

export const isOpen = () => !list.hidden;

export async function update(q) {
  running?.abort();
  if (!q.trim()) return close();
  const current = (running = new AbortController());
  try {
    const { suggestions } = await api.suggest(q, current.signal);
    if (current === running && document.activeElement === input && input.value === q) open(suggestions, q);
  } catch {
    // Typing works without suggestions.
    if (current === running) close();
  }
}

export function close() {
  running?.abort();
  running = null;
  list.hidden = true;
  input.ariaExpanded = "false";
  move(-1);
}

// Handles a key if the list is open, and returns whether it did.
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

function option({ text, highlight }, index) {
  // The service escapes highlights, so they are safe as HTML.
  const item = element("li", { role: "option", id: `suggestion-${index}`, innerHTML: highlight });
  item.ariaSelected = "false";
  Object.assign(item.dataset, { text, testid: "suggestion" });
  return item;
}

function move(to) {
  active = to;
  [...list.children].forEach((item, index) => (item.ariaSelected = String(index === to)));
  if (to < 0) input.removeAttribute("aria-activedescendant");
  else {
    input.setAttribute("aria-activedescendant", list.children[to].id);
    list.children[to].scrollIntoView({ block: "nearest" });
  }
}

function choose(chosen) {
  if (!chosen) return;
  close();
  onChosen(chosen.dataset.text);
}
