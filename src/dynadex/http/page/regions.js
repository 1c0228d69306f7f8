// The regions behind this page: which of them answers, how each of them is, and buttons to cut one off.
import * as api from "./api.js";
import { $, button, element, notice } from "./dom.js";

const POLL_MS = 1000;
const KEPT = "dynadex-location";
let onMoved;
let answering = "";
let shown = "";
let last = null;

// moved() is called when requests come from another place.
export function start(moved) {
  onMoved = moved;
  api.sender.location = sessionStorage.getItem(KEPT) ?? "";
  api.sender.onRegion = noteAnswer;
  $("regions").hidden = false;
  $("location").addEventListener("change", () => move($("location").value));
  poll();
}

// "north-america" is called "North America".
const called = (location) => location.replaceAll(/(^|-)(.)/g, (_, dash, letter) => (dash && " ") + letter.toUpperCase());

function move(location) {
  sessionStorage.setItem(KEPT, location);
  api.sender.location = location;
  onMoved();
}

function noteAnswer(region) {
  if (region === answering) return;
  answering = region;
  $("answered").hidden = false;
  $("answered").textContent = `Answered by ${region}`;
  if (last) display(last);
}

async function poll() {
  if (document.visibilityState === "visible") {
    try {
      display(await api.regions());
      $("regions-trouble").textContent = "";
    } catch (error) {
      $("regions-trouble").textContent = error.message;
    }
  }
  setTimeout(poll, POLL_MS);
}

function display(told) {
  last = told;
  const state = JSON.stringify([told, answering]);
  if (state === shown) return;
  shown = state;
  displayLocations(told.locations, told.default);
  const focused = document.activeElement?.closest?.("[data-region]")?.dataset.region;
  $("region-list").replaceChildren(...told.regions.map(card));
  if (focused) $("region-list").querySelector(`[data-region="${CSS.escape(focused)}"]`)?.focus();
}

function displayLocations(locations, home) {
  const select = $("location");
  if (select.options.length === locations.length + 1) return;
  const anywhere = element("option", { value: "", textContent: `anywhere (${home})` });
  select.replaceChildren(anywhere, ...locations.map((one) => element("option", { value: one, textContent: called(one) })));
  select.value = api.sender.location;
}

function card({ name, state, healthy, reasons, lag_seconds: lag, locations }) {
  const [kind, words] = state === "cut" ? ["bad", "Cut off"] : healthy ? ["good", "Healthy"] : ["warn", "Not ready"];
  const behind = lag === null || lag === undefined ? "lag not known" : `${lag.toFixed(1)} s behind`;
  const told = state === "cut" ? "on purpose, until you bring it back" : reasons.length ? reasons.join("; ") : behind;
  const act = state === "cut" ? { what: "restore", text: "Bring back" } : { what: "cut", text: "Cut off" };
  const pushed = button(act.text, "button small", () => change(name, act.what), `region-${act.what}-${name}`);
  pushed.ariaLabel = `${act.text} ${name}`;
  pushed.dataset.region = name;
  const made = element(
    "li",
    { className: `region${name === answering ? " answering" : ""}` },
    element("div", { className: "region-name" }, element("span", { className: "strong", textContent: name }), element("span", { className: `state ${kind}`, textContent: words })),
    element("p", { className: "quiet", textContent: told }),
    element("p", { className: "quiet", textContent: `serves ${locations.map(called).join(", ") || "nobody by itself"}` }),
    pushed,
  );
  made.dataset.testid = `region-${name}`;
  return made;
}

async function change(name, what) {
  try {
    await api.changeRegion(name, what);
  } catch (error) {
    notice(error.message);
  }
}
