// What an answer looks like: hits, facets, counts.
import { isNumber, shown } from "./api.js";

const FEW_VALUES = 8;
const expanded = new Set();

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// "note_count" is called "Note count".
export function label(name) {
  const words = name.split(".")[0].replaceAll(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function showHits(hits, config) {
  const focused = document.activeElement?.closest?.(".hit")?.dataset.id;
  $("hits").replaceChildren(...hits.map((hit) => element("li", {}, hitButton(hit, config))));
  if (focused !== undefined) hitWithId(focused)?.focus();
}

export const hitButtons = () => [...$("hits").querySelectorAll(".hit")];
export const hitWithId = (id) => hitButtons().find((button) => button.dataset.id === id);

export function showCount(total, shownCount, milliseconds) {
  const results = `${total.toLocaleString("en")} ${total === 1 ? "result" : "results"}`;
  const part = shownCount < total ? `, first ${shownCount}` : "";
  $("count").textContent = `${results}${part} · ${Math.max(1, Math.round(milliseconds))} ms`;
}

export function showNothing(q, filtered) {
  $("nothing").hidden = false;
  $("nothing-words").textContent = q.trim() ? `Nothing found for “${q.trim()}”` : filtered ? "Nothing found" : "Nothing here yet";
  const hints = { words: "Check the spelling, or try fewer words.", filters: "Take away a filter to see more." };
  $("nothing-hint").textContent = filtered ? hints.filters : q.trim() ? hints.words : "";
}

export function showFacets(facets, filters, config, onChange) {
  const focused = document.activeElement?.closest?.("#facets [data-value]")?.dataset;
  $("facets").replaceChildren(
    ...config.facets.map((name) => facetGroup(name, facets[name], filters.get(name) ?? new Set(), onChange)).filter(Boolean),
  );
  if (focused) facetInputs().find((one) => one.dataset.facet === focused.facet && one.dataset.value === focused.value)?.focus();
  const chosen = [...filters.values()].reduce((count, values) => count + values.size, 0);
  $("chosen").hidden = $("clear").hidden = chosen === 0;
  $("chosen").textContent = chosen;
}

const facetInputs = () => [...$("facets").querySelectorAll("[data-value]")];

function hitButton(hit, config) {
  const button = element("button", { type: "button", className: "hit" });
  button.dataset.id = hit.id;
  button.dataset.testid = "hit";
  const name = marked("span", hit, config.headline);
  name.className = "name";
  name.dataset.testid = "hit-title";
  if (!name.hasChildNodes()) name.textContent = hit.id;
  button.append(name, about(hit, config), element("span", { className: "edit", ariaHidden: "true", textContent: "Edit" }));
  return button;
}

function about(hit, config) {
  const line = element("span", { className: "about" });
  for (const name of config.facets) {
    const value = hit.document[name];
    if (value === undefined || value === null || value === "") continue;
    const text = asText(value);
    // "G" alone says little; "Key G" does.
    line.append(element("span", { textContent: text.length < 3 ? `${label(name)} ${text}` : text }));
  }
  const others = config.searched.filter((name) => name !== config.headline && !config.facets.includes(name));
  for (const name of others) {
    const value = marked("span", hit, name);
    if (value.hasChildNodes()) line.append(value);
  }
  return line;
}

// The service escapes highlights: they are safe as HTML. Everything else goes in as text.
function marked(tag, hit, name) {
  const value = hit.document[name];
  const highlight = hit.highlight[name];
  if (typeof value === "string" && highlight?.length === 1) return element(tag, { innerHTML: highlight[0] });
  return element(tag, { textContent: value === undefined || value === null ? "" : asText(value) });
}

function asText(value) {
  if (Array.isArray(value)) return value.map(asText).join(", ");
  return typeof value === "object" && !isNumber(value) ? JSON.stringify(value) : shown(value);
}

function facetGroup(name, counts, chosen, onChange) {
  const values = counts.map(({ value, count }) => ({ value: shown(value), count, numeric: isNumber(value) }));
  const missing = [...chosen].filter((value) => !values.some((one) => one.value === value));
  values.push(...missing.map((value) => ({ value, count: 0, numeric: false })));
  if (values.length === 0) return null;
  if (values.every((one) => one.numeric)) values.sort((a, b) => a.value - b.value);
  const few = values.filter((one, place) => place < FEW_VALUES || chosen.has(one.value));
  const visible = expanded.has(name) || few.length === values.length ? values : few;
  const group = element("fieldset", {}, element("legend", { textContent: label(name) }));
  group.dataset.testid = `facet-${name}`;
  group.append(...visible.map((one) => facetValue(name, one, chosen.has(one.value), onChange)));
  if (visible.length < values.length) group.append(moreValues(name, values.length - visible.length, onChange));
  return group;
}

function facetValue(name, { value, count }, checked, onChange) {
  const input = element("input", { type: "checkbox", checked });
  Object.assign(input.dataset, { facet: name, value });
  input.addEventListener("change", () => onChange(name, value, input.checked));
  const text = element("span", { className: "value", textContent: value, title: value });
  const number = element("span", { className: "number", textContent: count.toLocaleString("en") });
  return element("label", { className: count === 0 ? "none" : "" }, input, text, number);
}

function moreValues(name, count, onChange) {
  const button = element("button", { type: "button", className: "plain", textContent: `${count} more` });
  button.addEventListener("click", () => {
    expanded.add(name);
    onChange();
  });
  return button;
}
