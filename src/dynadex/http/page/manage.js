// Manage view: a searchable table of items. Writes appear in it immediately, before searches show them.
import * as api from "./api.js";
import { $, asText, button, element, fillSorts, label, hiddenNames, showError } from "./dom.js";
import * as writes from "./writes.js";

const TYPING_MS = 150;
const REFRESH_MS = 3000;
const PAGE = 25;
const MAX_REFRESHED = 100;
const MAX_COLUMNS = 6;
const STATES = { saving: "Saving…", saved: "Saved", late: "Saved, not searchable yet", searchable: "Searchable" };

const query = { q: "", sort: "" };
let config;
let columns = [];
let active = false;
let hits = [];
let cursor = null;
let total = 0;
let running = null;
let typing = null;
let drawn = null;

export function start(serviceConfig) {
  config = serviceConfig;
  columns = [...new Set([config.headline, ...config.key, ...config.facets, ...config.fields.map((field) => field.name)])]
    .filter((name) => name === config.headline || !hiddenNames(config).includes(name))
    .slice(0, MAX_COLUMNS);
  const heads = columns.map((name) => element("th", { scope: "col", textContent: label(name) }));
  $("items-head").append(element("tr", {}, ...heads, element("th", { scope: "col" }, element("span", { className: "unseen", textContent: "Status and actions" }))));
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

async function refresh({ background = false } = {}) {
  if (background && (running || typing || hits.length > MAX_REFRESHED)) return;
  running?.abort();
  const current = (running = new AbortController());
  const size = background ? Math.max(PAGE, Math.ceil(hits.length / PAGE) * PAGE) : PAGE;
  try {
    const answer = await api.search({ ...query, size }, current.signal);
    if (current !== running) return;
    ({ hits, cursor, total } = answer);
    $("manage-trouble").hidden = true;
    settle();
    draw();
  } catch (error) {
    if (current === running && error.name !== "AbortError") showError($("manage-trouble"), error);
  } finally {
    if (current === running) running = null;
  }
}

async function showMore() {
  const from = hits;
  try {
    const answer = await api.search({ ...query, size: PAGE, cursor });
    if (hits !== from) return;
    hits = [...hits, ...answer.hits];
    cursor = answer.cursor;
    draw();
  } catch (error) {
    showError($("manage-trouble"), error, { retries: false });
  }
}

function setQuery(changes) {
  clearTimeout(typing);
  typing = null;
  Object.assign(query, changes);
  // Rows kept on top belong to the previous list.
  for (const [id, { state }] of writes.pending) if (state === "searchable") writes.pending.delete(id);
  return refresh();
}

// Drops writes that searches show: from then on the search results are current, including changes by others.
function settle() {
  const known = new Map(hits.map((hit) => [hit.id, hit.document]));
  for (const [id, write] of writes.pending) {
    const document = known.get(id);
    if (write.state === "late" && (write.item ? document && agree(document, write.item) : !document)) writes.pending.delete(id);
    if (write.state !== "searchable") continue;
    if (write.seen && (document || write.item === null)) writes.pending.delete(id);
    write.seen = true;
  }
}

const agree = (document, item) => config.fields.every(({ name }) => asText(document[name]) === asText(item[name]));

// Returns the search results with pending writes applied: new items first, deleted items removed.
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
  $("manage-nothing").textContent = query.q.trim() ? `Nothing found for “${query.q.trim()}”` : "Nothing here yet";
  const now = JSON.stringify(all);
  if (now === drawn) return;
  drawn = now;
  const focused = document.activeElement?.closest?.("[data-do]")?.dataset;
  $("items").replaceChildren(...all.map(rowOf));
  if (focused) [...$("items").querySelectorAll("[data-do]")].find(({ dataset }) => dataset.do === focused.do && dataset.id === focused.id)?.focus();
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
  const status = element("span", { className: `state ${state ?? ""}`, textContent: state ? STATES[state] : "" });
  status.dataset.testid = "item-state";
  const row = element("tr", { className: state ?? "" }, ...cells, element("td", { className: "acts" }, status, destroy));
  row.dataset.testid = "item-row";
  return row;
}

function labelled(cell, column) {
  cell.dataset.label = label(column);
  return cell;
}

export function onKey(event) {
  const focused = document.activeElement;
  const names = [...$("items").querySelectorAll(".name-button")];
  const index = names.indexOf(focused);
  const inSearch = focused === $("manage-q");
  if (event.key === "/" && !inSearch) $("manage-q").focus();
  else if (event.key === "n" && !inSearch) writes.add();
  else if (event.key === "Escape" && inSearch) {
    $("manage-q").value = "";
    setQuery({ q: "" });
  } else if (event.key === "ArrowDown" && (inSearch || index >= 0)) names[inSearch ? 0 : index + 1]?.focus();
  else if (event.key === "ArrowUp" && index >= 0) (names[index - 1] ?? $("manage-q")).focus();
  else return;
  event.preventDefault();
}

function listen() {
  $("manage-q").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => setQuery({ q: $("manage-q").value }), TYPING_MS);
  });
  $("manage-sort").addEventListener("change", () => setQuery({ sort: $("manage-sort").value }));
  $("manage-more").addEventListener("click", showMore);
  $("add").addEventListener("click", () => writes.add());
  writes.events.addEventListener("changed", () => active && draw());
  writes.events.addEventListener("settled", () => active && refresh({ background: true }));
  setInterval(() => active && document.visibilityState === "visible" && refresh({ background: true }), REFRESH_MS);
}
