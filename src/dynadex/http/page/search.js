// The search view: what is asked for, when it is asked again, and the keys.
import * as api from "./api.js";
import { $, asText, element, fillSorts, isEmpty, label, ownNames, showError } from "./dom.js";
import { hitButtons, hitWithId, showCount, showFacets, showHits, showNothing } from "./results.js";
import * as suggest from "./suggest.js";
import * as writes from "./writes.js";

const TYPING_MS = 120;
const QUIET_MS = 2000;
const PAGE = 20;
// The service's largest page: a longer list is not asked for again by itself.
const MOST_AT_ONCE = 100;

const asked = { q: "", filters: new Map(), sort: "" };
let config;
let active = false;
let typing = null;
let running = null;
let hits = [];
let cursor = null;
let last = null;

export function start(given) {
  config = given;
  $("q").placeholder = `Search ${config.title.toLowerCase()}`;
  readAddress();
  fillSorts($("sort"), $("sort-line"), config.sorts, asked.sort);
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

export const address = () => api.toParameters(asked.q, asked.filters, asked.sort).toString();

// quiet: only if nothing else is under way; keep: as many hits as are shown.
export async function refresh({ quiet = false, keep = quiet } = {}) {
  if (quiet && (running || typing || hits.length > MOST_AT_ONCE)) return;
  running?.abort();
  const mine = (running = new AbortController());
  const started = performance.now();
  const size = keep ? Math.min(MOST_AT_ONCE, Math.max(PAGE, Math.ceil(hits.length / PAGE) * PAGE)) : PAGE;
  try {
    const answer = await api.search({ ...asked, size }, mine.signal);
    if (mine === running) display(answer, performance.now() - started);
  } catch (error) {
    if (mine === running && error.name !== "AbortError") displayTrouble(error);
  } finally {
    if (mine === running) running = null;
  }
}

function display(answer, milliseconds) {
  $("trouble").hidden = true;
  $("hits").classList.remove("stale");
  const state = JSON.stringify([answer, asked.q, [...asked.filters].map(([name, values]) => [name, [...values]])]);
  if (state === last) return;
  last = state;
  ({ hits, cursor } = answer);
  showHits(hits, config);
  showCount(answer.total, milliseconds);
  showFacets(answer.facets, asked.filters, config, choose);
  $("nothing").hidden = true;
  if (answer.total === 0) showNothing(asked.q, asked.filters.size > 0, answer.did_you_mean);
  $("more").hidden = !cursor;
}

function displayTrouble(error) {
  showError($("trouble"), error);
  $("hits").classList.add("stale");
  last = null;
}

async function showMore() {
  const before = last;
  $("more").disabled = true;
  try {
    const answer = await api.search({ ...asked, size: PAGE, cursor });
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

function ask(changes = {}) {
  clearTimeout(typing);
  typing = null;
  Object.assign(asked, changes);
  $("wipe").hidden = $("q").value === "";
  history.replaceState(null, "", (address() ? `?${address()}` : location.pathname) + location.hash);
  return refresh();
}

function take(text) {
  $("q").value = text;
  ask({ q: text });
  $("q").focus();
}

// onChange of a facet: no name for all of them, none at all to draw them anew.
function choose(name, value, chosen) {
  if (name === null) asked.filters.clear();
  else if (name !== undefined) {
    const values = asked.filters.get(name) ?? new Set();
    if (chosen) values.add(value);
    else values.delete(value);
    if (values.size) asked.filters.set(name, values);
    else asked.filters.delete(name);
  }
  last = null;
  ask();
}

// One hit in full; it is there already.
function openItem(id) {
  const found = hits.find((hit) => hit.id === id);
  if (!found) return;
  const names = [...new Set([...config.key, ...config.fields.map((field) => field.name), ...Object.keys(found.document)])];
  const own = [config.headline, ...ownNames(config)];
  const told = names.filter((name) => !own.includes(name) && !isEmpty(found.document[name]));
  const facts = told.flatMap((name) => [
    element("dt", { textContent: label(name) }),
    element("dd", { textContent: asText(found.document[name]) }),
  ]);
  $("item-title").textContent = asText(found.document[config.headline]) || id;
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
  const here = document.activeElement;
  const inSearch = here === $("q");
  const place = hitButtons().indexOf(here);
  if (inSearch && suggest.onKey(event.key)) event.preventDefault();
  else if (event.key === "Enter" && inSearch) finish();
  else if (event.key === "/" && !inSearch) focusSearch();
  else if (event.key === "Escape") escape(inSearch);
  else if (event.key === "ArrowDown" && (inSearch || place >= 0)) hitButtons()[inSearch ? 0 : place + 1]?.focus();
  else if (event.key === "ArrowUp" && place >= 0) (hitButtons()[place - 1] ?? $("q")).focus();
  else return;
  event.preventDefault();
}

function finish() {
  suggest.close();
  ask({ q: $("q").value });
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
      ask({ q: $("q").value });
      if (config.suggest) suggest.ask($("q").value);
    }, TYPING_MS);
  });
  $("wipe").addEventListener("click", () => take(""));
  $("meant").addEventListener("click", () => take($("meant").textContent));
  $("sort").addEventListener("change", () => ask({ sort: $("sort").value === config.sorts[0].name ? "" : $("sort").value }));
  $("hits").addEventListener("click", (event) => {
    const hit = event.target.closest(".hit");
    if (hit) openItem(hit.dataset.id);
  });
  $("more").addEventListener("click", showMore);
  $("item-close").addEventListener("click", () => $("item").close());
  writes.events.addEventListener("found", async ({ detail }) => {
    if (!active) return;
    await refresh({ keep: true });
    hitWithId(detail.id)?.classList.add("fresh");
  });
  const wide = matchMedia("(min-width: 761px)");
  const fold = () => ($("filters").open = wide.matches);
  wide.addEventListener("change", fold);
  fold();
  const quietly = () => active && document.visibilityState === "visible" && refresh({ quiet: true });
  setInterval(quietly, QUIET_MS);
  document.addEventListener("visibilitychange", quietly);
}

function readAddress() {
  const parameters = new URLSearchParams(location.search);
  asked.q = $("q").value = (parameters.get("q") ?? "").slice(0, 512);
  $("wipe").hidden = asked.q === "";
  const sort = parameters.get("sort") ?? "";
  asked.sort = config.sorts.some((one) => one.name === sort) ? sort : "";
  for (const name of config.facets) {
    const values = parameters.getAll(name);
    if (values.length) asked.filters.set(name, new Set(values));
  }
}
