// Results of a search: hits, facets, and counts.
import { isNumber, shown } from "./api.js";
import { $, asText, button, element, isEmpty, label, marked } from "./dom.js";

const FEW_VALUES = 8;
const expanded = new Set();

export function showHits(hits, config) {
  const focused = document.activeElement?.closest?.(".hit")?.dataset.id;
  $("hits").replaceChildren(...hits.map((hit) => element("li", {}, hitButton(hit, config))));
  if (focused !== undefined) hitWithId(focused)?.focus();
}

export const hitButtons = () => [...$("hits").querySelectorAll(".hit")];
export const hitWithId = (id) => hitButtons().find((hit) => hit.dataset.id === id);

export function showCount(total, milliseconds) {
  const results = `${total.toLocaleString("en")} ${total === 1 ? "result" : "results"}`;
  $("count").replaceChildren(results, element("span", { className: "took", textContent: ` · ${Math.max(1, Math.round(milliseconds))} ms` }));
}

export function showNothing(q, filtered, correction) {
  $("nothing").hidden = false;
  const words = q.trim();
  $("nothing-words").textContent = words ? `Nothing found for “${words}”` : filtered ? "Nothing found" : "Nothing here yet";
  $("did-you-mean").hidden = !correction;
  $("meant").textContent = correction ?? "";
  const hint = filtered ? "Remove a filter to see more results." : words && !correction ? "Check the spelling, or try fewer words." : "";
  $("nothing-hint").textContent = hint;
}

export function showFacets(facets, filters, config, onChange) {
  const focused = document.activeElement?.closest?.("#facets [data-value]")?.dataset;
  const groups = config.facets.map((name) => facetGroup(name, facets[name] ?? [], filters.get(name) ?? new Set(), onChange));
  $("facets").replaceChildren(...groups.filter(Boolean));
  if (focused) facetInputs().find(({ dataset }) => dataset.facet === focused.facet && dataset.value === focused.value)?.focus();
  showChips(filters, onChange);
}

const facetInputs = () => [...$("facets").querySelectorAll("[data-value]")];

// Shows the selected filters above the hits: on a phone, the facets are collapsed.
function showChips(filters, onChange) {
  const chosen = [...filters].flatMap(([name, values]) => [...values].map((value) => ({ name, value })));
  const chips = chosen.map(({ name, value }) => {
    const chip = button(value.length < 3 ? `${label(name)} ${value}` : value, "chip", () => onChange(name, value, false));
    chip.ariaLabel = `Remove the filter ${label(name)} ${value}`;
    return chip;
  });
  if (chosen.length) chips.push(button("Clear filters", "plain", () => onChange(null), "clear-filters"));
  $("chips").replaceChildren(...chips);
  $("chosen").hidden = $("chips").hidden = chosen.length === 0;
  $("chosen").textContent = chosen.length;
}

function hitButton(hit, config) {
  const control = element("button", { type: "button", className: "hit" });
  Object.assign(control.dataset, { id: hit.id, testid: "hit" });
  const name = marked("span", hit, config.headline);
  name.className = "name";
  name.dataset.testid = "hit-title";
  if (!name.hasChildNodes()) name.textContent = hit.id;
  control.append(name, about(hit, config));
  return control;
}

function about(hit, config) {
  const line = element("span", { className: "about" });
  for (const name of config.facets) {
    if (isEmpty(hit.document[name])) continue;
    const text = asText(hit.document[name]);
    // "G" alone is not clear; "Key G" is.
    line.append(element("span", { textContent: text.length < 3 ? `${label(name)} ${text}` : text }));
  }
  const others = config.searched.filter((name) => name !== config.headline && !config.facets.includes(name));
  for (const name of others) {
    const value = marked("span", hit, name);
    if (value.hasChildNodes()) line.append(value);
  }
  return line;
}

function facetGroup(name, counts, chosen, onChange) {
  const values = counts.map(({ value, count }) => ({ value: shown(value), count, numeric: isNumber(value) }));
  const missing = [...chosen].filter((value) => !values.some((counted) => counted.value === value));
  values.push(...missing.map((value) => ({ value, count: 0, numeric: false })));
  if (values.length === 0) return null;
  if (values.every(({ numeric }) => numeric)) values.sort((a, b) => a.value - b.value);
  const few = values.filter(({ value }, index) => index < FEW_VALUES || chosen.has(value));
  const visible = expanded.has(name) || few.length === values.length ? values : few;
  const group = element("fieldset", {}, element("legend", { textContent: label(name) }));
  group.dataset.testid = `facet-${name}`;
  group.append(...visible.map((counted) => facetValue(name, counted, chosen.has(counted.value), onChange)));
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
  return button(`${count} more`, "plain", () => {
    expanded.add(name);
    onChange();
  });
}
