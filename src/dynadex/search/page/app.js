// The page: what is asked for, when it is asked again, and the keys.
import * as api from "./api.js";
import * as editor from "./editor.js";
import { $, hitButtons, hitWithId, showCount, showFacets, showHits, showNothing } from "./view.js";

const TYPING_MS = 120;
const QUIET_MS = 2000;
const WATCH_MS = 150;
const WATCH_AT_MOST_MS = 5000;
const SIZES = [20, 50, 100];

const asked = { q: "", filters: new Map(), size: SIZES[0] };
let config;
let typing = null;
let running = null;
let last = null;
let facets = {};

async function refresh({ quiet = false } = {}) {
  if (quiet && (running || typing)) return;
  running?.abort();
  const mine = (running = new AbortController());
  const started = performance.now();
  try {
    const answer = await api.search(asked.q, asked.filters, asked.size, mine.signal);
    if (mine === running) show(answer, performance.now() - started);
  } catch (error) {
    if (mine === running && error.name !== "AbortError") showTrouble(error);
  } finally {
    if (mine === running) running = null;
  }
}

function show(answer, milliseconds) {
  $("trouble").hidden = true;
  $("hits").classList.remove("stale");
  const state = JSON.stringify([answer, asked.q, [...asked.filters].map(([name, values]) => [name, [...values]])]);
  if (state === last) return;
  last = state;
  facets = answer.facets;
  showHits(answer.hits, config);
  showCount(answer.total, answer.hits.length, milliseconds);
  showFacets(answer.facets, asked.filters, config, choose);
  $("nothing").hidden = true;
  if (answer.total === 0) showNothing(asked.q, asked.filters.size > 0);
  $("more").hidden = answer.hits.length >= answer.total || asked.size === SIZES.at(-1);
}

function showTrouble(error) {
  const passing = ["unreachable", "index_unavailable", "table_unavailable"].includes(error.code);
  $("trouble").textContent = passing ? `${error.message} Trying again…` : error.message;
  $("trouble").hidden = false;
  $("hits").classList.add("stale");
  last = null;
}

function ask(changes = {}) {
  clearTimeout(typing);
  typing = null;
  Object.assign(asked, { size: SIZES[0] }, changes);
  const parameters = api.toParameters(asked.q, asked.filters).toString();
  history.replaceState(null, "", parameters ? `?${parameters}` : location.pathname);
  return refresh();
}

function choose(name, value, chosen) {
  if (name !== undefined) {
    const values = asked.filters.get(name) ?? new Set();
    if (chosen) values.add(value);
    else values.delete(value);
    if (values.size) asked.filters.set(name, values);
    else asked.filters.delete(name);
  }
  last = null;
  ask();
}

async function open(id) {
  try {
    await editor.edit(id);
  } catch (error) {
    notice(error.code === "not_found" ? "It has just been deleted." : error.message);
  }
}

// Follows a write until searches show it: the table is written, the index comes by itself.
async function follow({ id, words, item }) {
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  notice(item ? "Saved" : "Deleted");
  let shown = await isShown(id, words, item);
  while (!shown && elapsed() < WATCH_AT_MOST_MS) {
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    shown = await isShown(id, words, item);
  }
  const after = `after ${(elapsed() / 1000).toFixed(1)} s`;
  if (shown) notice(item ? `Saved, and found by searches ${after}` : `Deleted, and gone from searches ${after}`);
  else notice(`${item ? "Saved" : "Deleted"}. Searches do not show it yet.`);
  await refresh();
  hitWithId(id)?.classList.add("fresh");
}

async function isShown(id, words, item) {
  try {
    const answer = await api.search(words.slice(0, 512), new Map(), SIZES.at(-1));
    const found = answer.hits.find((hit) => hit.id === id);
    return item ? found !== undefined && agrees(found.document, item) : found === undefined;
  } catch {
    return false;
  }
}

function agrees(document, item) {
  return config.fields.every(({ name }) => {
    const [there, here] = [document[name], item[name]];
    return api.isNumber(here) ? Number(api.shown(there)) === Number(api.shown(here)) : JSON.stringify(there) === JSON.stringify(here);
  });
}

const usualValues = (name) => (facets[name] ?? []).map(({ value }) => api.shown(value));

let noticeTimer = null;
function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => ($("notice").hidden = true), 5000);
}

function onKey(event) {
  if (editor.isOpen() || event.ctrlKey || event.metaKey || event.altKey) return;
  const here = document.activeElement;
  const inSearch = here === $("q");
  const place = hitButtons().indexOf(here);
  if (event.key === "/" && !inSearch && here?.type !== "text") focusSearch();
  else if (event.key === "Escape") escape(inSearch);
  else if (event.key === "ArrowDown" && (inSearch || place >= 0)) hitButtons()[inSearch ? 0 : place + 1]?.focus();
  else if (event.key === "ArrowUp" && place >= 0) (hitButtons()[place - 1] ?? $("q")).focus();
  else return;
  event.preventDefault();
}

function focusSearch() {
  $("q").focus();
  $("q").select();
}

function escape(inSearch) {
  if (inSearch && $("q").value === "") $("q").blur();
  else {
    $("q").value = "";
    ask({ q: "" });
    $("q").focus();
  }
}

function listen() {
  $("q").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => ask({ q: $("q").value }), TYPING_MS);
  });
  $("q").addEventListener("keydown", (event) => event.key === "Enter" && ask({ q: $("q").value }));
  $("hits").addEventListener("click", (event) => {
    const hit = event.target.closest(".hit");
    if (hit) open(hit.dataset.id);
  });
  $("more").addEventListener("click", () => {
    asked.size = SIZES[SIZES.indexOf(asked.size) + 1];
    refresh();
  });
  $("clear").addEventListener("click", () => {
    asked.filters.clear();
    ask();
  });
  $("add").addEventListener("click", () => editor.add());
  document.addEventListener("keydown", onKey);
  const wide = matchMedia("(min-width: 761px)");
  const fold = () => ($("filters").open = wide.matches);
  wide.addEventListener("change", fold);
  fold();
  setInterval(() => document.visibilityState === "visible" && refresh({ quiet: true }), QUIET_MS);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh({ quiet: true }));
}

function readAddress() {
  const parameters = new URLSearchParams(location.search);
  asked.q = $("q").value = (parameters.get("q") ?? "").slice(0, 512);
  for (const name of config.facets) {
    const values = parameters.getAll(name);
    if (values.length) asked.filters.set(name, new Set(values));
  }
}

async function start() {
  try {
    config = await api.config();
  } catch (error) {
    showTrouble(error);
    setTimeout(start, QUIET_MS);
    return;
  }
  document.title = $("title").textContent = config.title;
  $("q").placeholder = `Search ${config.title.toLowerCase()}`;
  readAddress();
  editor.start(config, follow, usualValues);
  listen();
  await refresh();
}

start();
