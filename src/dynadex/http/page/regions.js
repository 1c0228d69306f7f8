// Panel of regions: which region serves requests, the health of each, and buttons to cut one off.
import * as api from "./api.js";
import { $, button, element, notice } from "./dom.js";

const POLL_MS = 1000;
const STORAGE_KEY = "dynadex-location";
let onLocationChanged;
let serving = "";
let shown = "";
let last = null;

// locationChanged() is called when requests come from another location.
export function start(locationChanged) {
  onLocationChanged = locationChanged;
  api.sender.location = sessionStorage.getItem(STORAGE_KEY) ?? "";
  api.sender.onRegion = noteRegion;
  $("regions").hidden = false;
  $("location").addEventListener("change", () => move($("location").value));
  poll();
}

// Returns the label of a location: "north-america" becomes "North America".
const locationLabel = (location) => location.replaceAll(/(^|-)(.)/g, (_, dash, letter) => (dash && " ") + letter.toUpperCase());

function move(location) {
  sessionStorage.setItem(STORAGE_KEY, location);
  api.sender.location = location;
  onLocationChanged();
}

function noteRegion(region) {
  if (region === serving) return;
  serving = region;
  $("served").hidden = false;
  $("served").textContent = `Served by ${region}`;
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

function display(status) {
  last = status;
  const state = JSON.stringify([status, serving]);
  if (state === shown) return;
  shown = state;
  displayLocations(status.locations, status.default);
  const focused = document.activeElement?.closest?.("[data-region]")?.dataset.region;
  $("region-list").replaceChildren(...status.regions.map(card));
  if (focused) $("region-list").querySelector(`[data-region="${CSS.escape(focused)}"]`)?.focus();
}

function displayLocations(locations, home) {
  const select = $("location");
  if (select.options.length === locations.length + 1) return;
  const anywhere = element("option", { value: "", textContent: `anywhere (${home})` });
  select.replaceChildren(anywhere, ...locations.map((location) => element("option", { value: location, textContent: locationLabel(location) })));
  select.value = api.sender.location;
}

function card({ name, state, healthy, reasons, lag_seconds: lag, locations }) {
  const [kind, words] = state === "cut" ? ["bad", "Cut off"] : healthy ? ["good", "Healthy"] : ["warn", "Not ready"];
  const behind = lag === null || lag === undefined ? "lag unknown" : `${lag.toFixed(1)} s behind`;
  const details = state === "cut" ? "until you restore it" : reasons.length ? reasons.join("; ") : behind;
  const action = state === "cut" ? { what: "restore", text: "Restore" } : { what: "cut", text: "Cut off" };
  const control = button(action.text, "button small", () => change(name, action.what), `region-${action.what}-${name}`);
  control.ariaLabel = `${action.text} ${name}`;
  control.dataset.region = name;
  const region = element(
    "li",
    { className: `region${name === serving ? " serving" : ""}` },
    element("div", { className: "region-name" }, element("span", { className: "strong", textContent: name }), element("span", { className: `state ${kind}`, textContent: words })),
    element("p", { className: "quiet", textContent: details }),
    element("p", { className: "quiet", textContent: `serves ${locations.map(locationLabel).join(", ") || "no location"}` }),
    control,
  );
  region.dataset.testid = `region-${name}`;
  return region;
}

async function change(name, what) {
  try {
    await api.changeRegion(name, what);
  } catch (error) {
    notice(error.message);
  }
}
