// Live view: the changes that flow from the table through the stream to the index, and buttons for operations.
import * as api from "./api.js";
import { bars, line } from "./chart.js";
import { $, button, element, notice, showError } from "./dom.js";
import * as flow from "./flow.js";
import { authorised } from "./session.js";

const POLL_MS = 1000;
const OPERATIONS = [
  { name: "verify", text: "Verify", about: "Compare every item with its document" },
  { name: "redrive", text: "Redrive", about: "Retry dead-lettered keys" },
  { name: "refill", text: "Refill", about: "Backfill the whole index from the table" },
  { name: "rebuild", text: "Rebuild", about: "Build a new index next to the current one, then switch searches to it" },
  { name: "rollback", text: "Roll back", about: "Switch searches back to the index from before the last rebuild" },
];
const STATES = { running: "Running", done: "Done", failed: "Failed" };

let active = false;
let timer = null;
let shownOperation = "";
let shownChanges = "";

export function start(config) {
  $("operations").hidden = !config.writes;
  $("operation-buttons").append(...OPERATIONS.map(operationButton));
  flow.start($("flow"));
}

export function show() {
  active = true;
  poll();
}

export function hide() {
  active = false;
  clearTimeout(timer);
}

async function poll() {
  clearTimeout(timer);
  if (document.visibilityState === "visible") {
    try {
      const status = await api.live();
      $("live-trouble").hidden = true;
      if (active) display(status);
    } catch (error) {
      showError($("live-trouble"), error);
    }
  }
  if (active) timer = setTimeout(poll, POLL_MS);
}

function display(status) {
  displayState(status);
  displayTiles(status);
  line($("lag-chart"), status.lag_series, { unit: "s", least: 2 });
  bars($("rate-chart"), status.per_second, { least: 5 });
  flow.display(status);
  displayChanges(status);
  displayLetters(status.dead_letters);
  displayIndexes(status.indexes);
  displayOperation(status.operation);
}

function displayState({ ready, reasons, stale }) {
  $("ready").className = `state ${ready ? "good" : "bad"}`;
  $("ready").textContent = ready ? "Ready" : `Not ready: ${reasons.join("; ")}`;
  $("stale").hidden = !stale;
  $("stale").textContent = stale ? `The index is declared stale: ${stale}. A complete backfill repairs it.` : "";
}

function displayTiles({ lag_seconds: lag, per_second: rates, applied_total: total, dead_letters: deadLetters }) {
  $("tile-lag").textContent = lag === null ? "unknown" : seconds(lag);
  // The current second is not over.
  $("tile-rate").textContent = (rates.at(-2) ?? 0).toLocaleString("en");
  $("tile-applied").textContent = total.toLocaleString("en");
  $("tile-dead-letters").textContent = deadLetters.total.toLocaleString("en");
  $("tile-dead-letters").classList.toggle("bad", deadLetters.total > 0);
}

const seconds = (value) => (value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value).toLocaleString("en")} s`);
const clock = (us) => new Date(us / 1000).toLocaleTimeString("en-GB");

function displayChanges({ changes }) {
  $("changes-nothing").hidden = changes.length > 0;
  const state = JSON.stringify(changes);
  if (state === shownChanges) return;
  const before = new Set(shownChanges ? JSON.parse(shownChanges).map(changeKey) : changes.map(changeKey));
  shownChanges = state;
  $("changes").replaceChildren(...changes.map((change) => changeRow(change, !before.has(changeKey(change)))));
}

const changeKey = (change) => `${change.id}\n${change.applied_us}`;

function changeRow({ id, kind, written_us: written, applied_us: applied, outcome }, fresh) {
  const row = element(
    "tr",
    { className: fresh ? "fresh" : "" },
    element("td", { className: "time", textContent: clock(applied) }),
    element("th", { scope: "row", textContent: id, title: id }),
    element("td", { textContent: kind }),
    element("td", {}, element("span", { className: `outcome ${outcome}`, textContent: outcome.replaceAll("_", "-") })),
    element("td", { className: "right", textContent: seconds(Math.max(0, applied - written) / 1e6) }),
  );
  row.dataset.testid = "change";
  return row;
}

function displayLetters({ total, letters }) {
  const rows = letters.map(({ id, reason, dead_lettered_at: at }) =>
    element(
      "li",
      {},
      element("span", { className: "strong", textContent: id || "no key" }),
      element("span", { className: "quiet", textContent: ` since ${new Date(at).toLocaleTimeString("en-GB")}` }),
      element("p", { textContent: reason }),
    ),
  );
  if (total > letters.length) rows.push(element("li", { className: "quiet", textContent: `and ${total - letters.length} more` }));
  if (!total) rows.push(element("li", { className: "quiet", textContent: "None: every change was applied." }));
  $("letters").replaceChildren(...rows);
}

function displayIndexes(indexes) {
  const rows = indexes.map(({ name, role, documents }) =>
    element(
      "li",
      {},
      element("span", { className: "strong", textContent: name }),
      element("span", { className: `role${role === "searched" ? " good" : ""}`, textContent: role }),
      element("span", { className: "quiet", textContent: `${documents.toLocaleString("en")} documents` }),
    ),
  );
  $("indexes").replaceChildren(...rows);
}

function displayOperation(operation) {
  const state = JSON.stringify(operation);
  if (state === shownOperation) return;
  shownOperation = state;
  $("operation").hidden = operation === null;
  for (const control of $("operation-buttons").children) control.disabled = operation?.state === "running";
  if (operation === null) return;
  const { name, state: now, done, total, message } = operation;
  $("operation-name").textContent = OPERATIONS.find((known) => known.name === name)?.text ?? name;
  $("operation-state").textContent = STATES[now];
  $("operation-state").className = `state ${{ running: "", done: "good", failed: "bad" }[now]}`;
  $("operation-message").textContent = message;
  const bar = $("operation-progress");
  bar.hidden = now !== "running";
  bar.max = Math.max(total ?? 1, done, 1);
  // Without a value, the bar shows activity but no progress.
  if (total === null || done === 0) bar.removeAttribute("value");
  else bar.value = done;
}

function operationButton({ name, text, about }) {
  const control = button(text, "button", () => operate(name), `operation-${name}`);
  control.title = about;
  return control;
}

async function operate(name) {
  try {
    await authorised(() => api.operate(name));
  } catch (error) {
    notice(error.message);
  }
  poll();
}
