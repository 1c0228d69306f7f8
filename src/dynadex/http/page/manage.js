// The view of those who edit: a table of items, searched within, with what was just written shown at once.
import * as api from "./api.js";
import { $, asText, button, element, fillSorts, label, ownNames, showError } from "./dom.js";
import * as writes from "./writes.js";

const TYPING_MS = 150;
const QUIET_MS = 3000;
const PAGE = 25;
const MOST_AT_ONCE = 100;
const MOST_COLUMNS = 6;
const STATES = { saving: "Saving…", saved: "Saved", late: "Saved, not searchable yet", found: "Searchable" };

const asked = { q: "", sort: "" };
let config;
let columns = [];
let active = false;
let hits = [];
let cursor = null;
let total = 0;
let running = null;
let typing = null;
let drawn = null;

export function start(given) {
  config = given;
  columns = [...new Set([config.headline, ...config.key, ...config.facets, ...config.fields.map((field) => field.name)])]
    .filter((name) => name === config.headline || !ownNames(config).includes(name))
    .slice(0, MOST_COLUMNS);
  const heads = columns.map((name) => element("th", { scope: "col", textContent: label(name) }));
  $("items-head").append(element("tr", {}, ...heads, element("th", { scope: "col" }, element("span", { className: "unseen", textContent: "State and actions" }))));
  fillSorts($("manage-sort"), $("manage-sort-line"), config.sorts, "");
  listen();
}

export function show() {
  active = true;
  refresh();
}

export function hide() {
  active = false;
}

async function refresh({ quiet = false } = {}) {
  if (quiet && (running || typing || hits.length > MOST_AT_ONCE)) return;
  running?.abort();
  const mine = (running = new AbortController());
  const size = quiet ? Math.max(PAGE, Math.ceil(hits.length / PAGE) * PAGE) : PAGE;
  try {
    const answer = await api.search({ ...asked, size }, mine.signal);
    if (mine !== running) return;
    ({ hits, cursor, total } = answer);
    $("manage-trouble").hidden = true;
    settle();
    draw();
  } catch (error) {
    if (mine === running && error.name !== "AbortError") showError($("manage-trouble"), error);
  } finally {
    if (mine === running) running = null;
  }
}

async function showMore() {
  const from = hits;
  try {
    const answer = await api.search({ ...asked, size: PAGE, cursor });
    if (hits !== from) return;
    hits = [...hits, ...answer.hits];
    cursor = answer.cursor;
    draw();
  } catch (error) {
    showError($("manage-trouble"), error, { again: false });
  }
}

function ask(changes) {
  clearTimeout(typing);
  typing = null;
  Object.assign(asked, changes);
  // What is kept on top was for the list before.
  for (const [id, { state }] of writes.pending) if (state === "found") writes.pending.delete(id);
  return refresh();
}

// What searches have shown once, they go on showing: then others may change it again.
function settle() {
  const known = new Map(hits.map((hit) => [hit.id, hit.document]));
  for (const [id, one] of writes.pending) {
    const there = known.get(id);
    if (one.state === "late" && (one.item ? there && agree(there, one.item) : !there)) writes.pending.delete(id);
    if (one.state !== "found") continue;
    if (one.seen && (there || one.item === null)) writes.pending.delete(id);
    one.seen = true;
  }
}

const agree = (document, item) => config.fields.every(({ name }) => asText(document[name]) === asText(item[name]));

// The rows as searches have them, with what was written meanwhile in its place: new ones first, deleted ones away.
function rows() {
  const known = new Set(hits.map((hit) => hit.id));
  const fresh = [...writes.pending].filter(([id, { item }]) => item && !known.has(id)).reverse();
  const all = [...fresh.map(([id]) => ({ id, document: {} })), ...hits];
  return all
    .map(({ id, document }) => ({ id, values: document, ...writes.pending.get(id) }))
    .filter(({ item }) => item !== null)
    .map((row) => ({ ...row, values: row.item ?? row.values }));
}

function draw() {
  const all = rows();
  $("manage-count").textContent = `${total.toLocaleString("en")} ${total === 1 ? "item" : "items"}`;
  $("manage-more").hidden = !cursor;
  $("manage-nothing").hidden = all.length > 0;
  $("manage-nothing").textContent = asked.q.trim() ? `Nothing found for “${asked.q.trim()}”` : "Nothing here yet";
  const now = JSON.stringify(all);
  if (now === drawn) return;
  drawn = now;
  const focused = document.activeElement?.closest?.("[data-do]")?.dataset;
  $("items").replaceChildren(...all.map(rowOf));
  if (focused) [...$("items").querySelectorAll("[data-do]")].find((one) => one.dataset.do === focused.do && one.dataset.id === focused.id)?.focus();
}

function rowOf({ id, values, state }) {
  const name = asText(values[config.headline]) || id;
  const open = button(name, "name-button", () => writes.edit(id), "item-name");
  Object.assign(open.dataset, { do: "edit", id });
  const cells = columns.map((column) =>
    column === config.headline
      ? element("th", { scope: "row" }, open)
      : labelled(element("td", { textContent: asText(values[column]) }), column),
  );
  const destroy = button("Delete", "plain danger", () => writes.remove(id), "item-delete");
  destroy.ariaLabel = `Delete ${name}`;
  Object.assign(destroy.dataset, { do: "delete", id });
  const told = element("span", { className: `state ${state ?? ""}`, textContent: state ? STATES[state] : "" });
  told.dataset.testid = "item-state";
  const row = element("tr", { className: state ?? "" }, ...cells, element("td", { className: "acts" }, told, destroy));
  row.dataset.testid = "item-row";
  return row;
}

function labelled(cell, column) {
  cell.dataset.label = label(column);
  return cell;
}

export function onKey(event) {
  const here = document.activeElement;
  const names = [...$("items").querySelectorAll(".name-button")];
  const place = names.indexOf(here);
  const inSearch = here === $("manage-q");
  if (event.key === "/" && !inSearch) $("manage-q").focus();
  else if (event.key === "n" && !inSearch) writes.add();
  else if (event.key === "Escape" && inSearch) {
    $("manage-q").value = "";
    ask({ q: "" });
  } else if (event.key === "ArrowDown" && (inSearch || place >= 0)) names[inSearch ? 0 : place + 1]?.focus();
  else if (event.key === "ArrowUp" && place >= 0) (names[place - 1] ?? $("manage-q")).focus();
  else return;
  event.preventDefault();
}

function listen() {
  $("manage-q").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => ask({ q: $("manage-q").value }), TYPING_MS);
  });
  $("manage-sort").addEventListener("change", () => ask({ sort: $("manage-sort").value }));
  $("manage-more").addEventListener("click", showMore);
  $("add").addEventListener("click", () => writes.add());
  writes.events.addEventListener("changed", () => active && draw());
  writes.events.addEventListener("found", () => active && refresh({ quiet: true }));
  setInterval(() => active && document.visibilityState === "visible" && refresh({ quiet: true }), QUIET_MS);
}
