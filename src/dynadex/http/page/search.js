// Search view: the current query, when it is repeated, and keyboard shortcuts.
import * as api from "./api.js";
import { $, asText, element, fillSorts, isEmpty, label, hiddenNames, showError } from "./dom.js";
import { hitButtons, hitWithId, showCount, showFacets, showHits, showNothing } from "./results.js";
import * as suggest from "./suggest.js";
import * as writes from "./writes.js";

const TYPING_MS = 120;
const REFRESH_MS = 2000;
const PAGE = 20;
// The largest page of the service. A longer list is not refreshed automatically.
const MAX_REFRESHED = 100;

const query = { q: "", filters: new Map(), sort: "" };
let config;
let active = false;
let typing = null;
let running = null;
let hits = [];
let cursor = null;
let last = null;

export function start(serviceConfig) {
  config = serviceConfig;
  $("q").placeholder = `Search ${config.title.toLowerCase()}`;
  readAddress();
  fillSorts($("sort"), $("sort-line"), config.sorts, query.sort);
  suggest.start((text) => take(text));
  listen();
}

export function show() {
  active = true;
  refresh();
  if (matchMedia("(hover: hover)").matches) $("q").focus();
}

export function hide() {
  active = false;
  suggest.close();
}

export const address = () => api.toParameters(query.q, query.filters, query.sort).toString();

// background: only if no other request is running; keep: request as many hits as are shown.
export async function refresh({ background = false, keep = background } = {}) {
  if (background && (running || typing || hits.length > MAX_REFRESHED)) return;
  running?.abort();
  const current = (running = new AbortController());
  const started = performance.now();
  const size = keep ? Math.min(MAX_REFRESHED, Math.max(PAGE, Math.ceil(hits.length / PAGE) * PAGE)) : PAGE;
  try {
    const answer = await api.search({ ...query, size }, current.signal);
    if (current === running) display(answer, performance.now() - started);
  } catch (error) {
    if (current === running && error.name !== "AbortError") displayTrouble(error);
  } finally {
    if (current === running) running = null;
  }
}

function display(answer, milliseconds) {
  $("trouble").hidden = true;
  $("hits").classList.remove("outdated");
  const state = JSON.stringify([answer, query.q, [...query.filters].map(([name, values]) => [name, [...values]])]);
  if (state === last) return;
  last = state;
  ({ hits, cursor } = answer);
  showHits(hits, config);
  showCount(answer.total, milliseconds);
  showFacets(answer.facets, query.filters, config, choose);
  $("nothing").hidden = true;
  if (answer.total === 0) showNothing(query.q, query.filters.size > 0, answer.did_you_mean);
  $("more").hidden = !cursor;
}

function displayTrouble(error) {
  showError($("trouble"), error);
  $("hits").classList.add("outdated");
  last = null;
}

async function showMore() {
  const before = last;
  $("more").disabled = true;
  try {
    const answer = await api.search({ ...query, size: PAGE, cursor });
    if (last !== before) return;
    const first = hits.length;
    hits = [...hits, ...answer.hits];
    cursor = answer.cursor;
    last = null;
    showHits(hits, config);
    $("more").hidden = !cursor;
    hitButtons()[first]?.focus();
  } catch (error) {
    displayTrouble(error);
  } finally {
    $("more").disabled = false;
  }
}

function setQuery(changes = {}) {
  clearTimeout(typing);
  typing = null;
  Object.assign(query, changes);
  $("wipe").hidden = $("q").value === "";
  history.replaceState(null, "", (address() ? `?${address()}` : location.pathname) + location.hash);
  return refresh();
}

function take(text) {
  $("q").value = text;
  setQuery({ q: text });
  $("q").focus();
}

// Changes a filter. name null: clear all filters; name undefined: only draw the facets again.
function choose(name, value, chosen) {
  if (name === null) query.filters.clear();
  else if (name !== undefined) {
    const values = query.filters.get(name) ?? new Set();
    if (chosen) values.add(value);
    else values.delete(value);
    if (values.size) query.filters.set(name, values);
    else query.filters.delete(name);
  }
  last = null;
  setQuery();
}

// Shows all fields of a hit that is in the list.
function openItem(id) {
  const hit = hits.find((listed) => listed.id === id);
  if (!hit) return;
  const names = [...new Set([...config.key, ...config.fields.map((field) => field.name), ...Object.keys(hit.document)])];
  const hidden = [config.headline, ...hiddenNames(config)];
  const shown = names.filter((name) => !hidden.includes(name) && !isEmpty(hit.document[name]));
  const facts = shown.flatMap((name) => [
    element("dt", { textContent: label(name) }),
    element("dd", { textContent: asText(hit.document[name]) }),
  ]);
  $("item-title").textContent = asText(hit.document[config.headline]) || id;
  $("item-facts").replaceChildren(...facts);
  $("item-edit").hidden = !config.writes;
  $("item-edit").onclick = () => {
    $("item").close();
    writes.edit(id);
  };
  $("item").showModal();
  $("item-close").focus();
}

export function onKey(event) {
  const focused = document.activeElement;
  const inSearch = focused === $("q");
  const index = hitButtons().indexOf(focused);
  if (inSearch && suggest.onKey(event.key)) event.preventDefault();
  else if (event.key === "Enter" && inSearch) finish();
  else if (event.key === "/" && !inSearch) focusSearch();
  else if (event.key === "Escape") escape(inSearch);
  else if (event.key === "ArrowDown" && (inSearch || index >= 0)) hitButtons()[inSearch ? 0 : index + 1]?.focus();
  else if (event.key === "ArrowUp" && index >= 0) (hitButtons()[index - 1] ?? $("q")).focus();
  else return;
  event.preventDefault();
}

function finish() {
  suggest.close();
  setQuery({ q: $("q").value });
}

function focusSearch() {
  $("q").focus();
  $("q").select();
}

function escape(inSearch) {
  if (inSearch && $("q").value === "") $("q").blur();
  else take("");
}

function listen() {
  $("q").addEventListener("input", () => {
    clearTimeout(typing);
    $("wipe").hidden = $("q").value === "";
    typing = setTimeout(() => {
      setQuery({ q: $("q").value });
      if (config.suggest) suggest.update($("q").value);
    }, TYPING_MS);
  });
  $("wipe").addEventListener("click", () => take(""));
  $("meant").addEventListener("click", () => take($("meant").textContent));
  $("sort").addEventListener("change", () => setQuery({ sort: $("sort").value === config.sorts[0].name ? "" : $("sort").value }));
  $("hits").addEventListener("click", (event) => {
    const hit = event.target.closest(".hit");
    if (hit) openItem(hit.dataset.id);
  });
  $("more").addEventListener("click", showMore);
  $("item-close").addEventListener("click", () => $("item").close());
  writes.events.addEventListener("settled", async ({ detail }) => {
    if (!active) return;
    await refresh({ keep: true });
    hitWithId(detail.id)?.classList.add("fresh");
  });
  const wide = matchMedia("(min-width: 761px)");
  const fold = () => ($("filters").open = wide.matches);
  wide.addEventListener("change", fold);
  fold();
  const refreshInBackground = () => active && document.visibilityState === "visible" && refresh({ background: true });
  setInterval(refreshInBackground, REFRESH_MS);
  document.addEventListener("visibilitychange", refreshInBackground);
}

function readAddress() {
  const parameters = new URLSearchParams(location.search);
  query.q = $("q").value = (parameters.get("q") ?? "").slice(0, 512);
  $("wipe").hidden = query.q === "";
  const sort = parameters.get("sort") ?? "";
  query.sort = config.sorts.some(({ name }) => name === sort) ? sort : "";
  for (const name of config.facets) {
    const values = parameters.getAll(name);
    if (values.length) query.filters.set(name, new Set(values));
  }
}
