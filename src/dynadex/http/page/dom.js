// Elements, and values as text.
import { isNumber, shown } from "./api.js";

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function button(text, className, onClick, testid) {
  const made = element("button", { type: "button", className, textContent: text });
  made.addEventListener("click", onClick);
  if (testid) made.dataset.testid = testid;
  return made;
}

// "note_count" is called "Note count".
export function label(name) {
  const words = name.split(".")[0].replaceAll(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function asText(value) {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(asText).join(", ");
  return typeof value === "object" && !isNumber(value) ? JSON.stringify(value) : shown(value);
}

// A key that is one text is made up by the form that adds an item, and says nothing; any other was chosen by somebody.
export const keyIsMadeUp = (config) => config.key.length === 1 && config.key_types[0] === "S";
export const ownNames = (config) => [config.version, ...(keyIsMadeUp(config) ? config.key : [])];

export const isEmpty = (value) => value === undefined || value === null || value === "";

// The service escapes highlights: they are safe as HTML. Everything else goes in as text.
export function marked(tag, hit, name) {
  const value = hit.document[name];
  const highlight = hit.highlight?.[name];
  if (typeof value === "string" && highlight?.length === 1) return element(tag, { innerHTML: highlight[0] });
  return element(tag, { textContent: asText(value) });
}

export function showError(place, error, { again = true } = {}) {
  place.textContent = again && error.passing ? `${error.message} Trying again…` : error.message;
  place.hidden = false;
}

export function fillSorts(select, line, sorts, chosen) {
  line.hidden = sorts.length < 2;
  select.replaceChildren(...sorts.map((one) => element("option", { value: one.name, textContent: one.label })));
  select.value = chosen || sorts[0]?.name || "";
}

let timer = null;
// One line at the foot of the page; an action is a button beside it: { text, run }.
export function notice(text, { action = null, seconds = 5 } = {}) {
  const [place, act] = [$("notice"), $("notice-action")];
  $("notice-text").textContent = text;
  act.hidden = action === null;
  act.textContent = action?.text ?? "";
  act.onclick = () => {
    place.hidden = true;
    action?.run();
  };
  place.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (place.hidden = true), seconds * 1000);
}
