// Elements of the page, and values as text.
import { isNumber, shown } from "./api.js";

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

export function drawing(tag, attributes = {}, ...children) {
  const created = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  created.append(...children);
  return created;
}

export function button(text, className, onClick, testid) {
  const created = element("button", { type: "button", className, textContent: text });
  created.addEventListener("click", onClick);
  if (testid) created.dataset.testid = testid;
  return created;
}

// Returns the label of a field: "note_count" becomes "Note count".
export function label(name) {
  const words = name.split(".")[0].replaceAll(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function asText(value) {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(asText).join(", ");
  return typeof value === "object" && !isNumber(value) ? JSON.stringify(value) : shown(value);
}

// The form generates a key that is a single text, and does not show it. Any other key is entered by the user.
export const isKeyGenerated = (config) => config.key.length === 1 && config.key_types[0] === "S";
export const hiddenNames = (config) => [config.version, ...(isKeyGenerated(config) ? config.key : [])];

export const isEmpty = (value) => value === undefined || value === null || value === "";

// The service escapes highlights, so they are safe as HTML. Everything else is inserted as text.
export function marked(tag, hit, name) {
  const value = hit.document[name];
  const highlight = hit.highlight?.[name];
  if (typeof value === "string" && highlight?.length === 1) return element(tag, { innerHTML: highlight[0] });
  return element(tag, { textContent: asText(value) });
}

export function showError(target, error, { retries = true } = {}) {
  target.textContent = retries && error.transient ? `${error.message} Trying again…` : error.message;
  target.hidden = false;
}

export function fillSorts(select, line, sorts, selected) {
  line.hidden = sorts.length < 2;
  select.replaceChildren(...sorts.map((sort) => element("option", { value: sort.name, textContent: sort.label })));
  select.value = selected || sorts[0]?.name || "";
}

let timer = null;
// Shows one line at the bottom of the page; an action is a button next to it: { text, run }.
export function notice(text, { action = null, seconds = 5 } = {}) {
  const [line, actionButton] = [$("notice"), $("notice-action")];
  $("notice-text").textContent = text;
  actionButton.hidden = action === null;
  actionButton.textContent = action?.text ?? "";
  actionButton.onclick = () => {
    line.hidden = true;
    action?.run();
  };
  line.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (line.hidden = true), seconds * 1000);
}
