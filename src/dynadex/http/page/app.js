// Entry point of the page: its views, navigation, and keyboard shortcuts.
import * as api from "./api.js";
import * as conflict from "./conflict.js";
import { $, showError } from "./dom.js";
import * as editor from "./editor.js";
import * as fieldValues from "./field_values.js";
import * as live from "./live.js";
import * as manage from "./manage.js";
import * as regions from "./regions.js";
import * as search from "./search.js";
import * as session from "./session.js";
import * as writes from "./writes.js";

const RETRY_MS = 2000;
const views = { search };
let current = null;

function show() {
  const requested = location.hash.slice(1);
  const name = requested in views ? requested : "search";
  if (name === current) return;
  if (current) views[current].hide();
  current = name;
  for (const view of Object.keys(views)) $(`view-${view}`).hidden = view !== name;
  for (const tab of $("tabs").children) {
    if (tab.dataset.view === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  views[name].show();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const focused = document.activeElement;
  const typing = focused?.matches?.("input:not([type=checkbox]), select, textarea");
  // In a field, characters are text; only navigation keys are shortcuts.
  if (typing && event.key.length === 1) return;
  views[current].onKey?.(event);
}

async function start() {
  session.takeFromAddress();
  let config;
  try {
    config = await api.config();
  } catch (error) {
    showError($("start-trouble"), error);
    setTimeout(start, RETRY_MS);
    return;
  }
  $("start-trouble").hidden = true;
  document.title = $("title").textContent = config.title;
  if (config.writes) {
    views.manage = manage;
    fieldValues.load();
  }
  if (config.live) views.live = live;
  $("tabs").hidden = Object.keys(views).length < 2;
  for (const tab of $("tabs").children) tab.hidden = !(tab.dataset.view in views);
  session.start(config.writes);
  if (config.regions) regions.start(() => views[current]?.refresh?.());
  conflict.start();
  editor.start(config, fieldValues.values);
  writes.start(config);
  for (const view of Object.values(views)) view.start(config);
  addEventListener("hashchange", () => {
    session.takeFromAddress();
    show();
  });
  document.addEventListener("keydown", onKey);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("main").focus();
  });
  show();
}

start();
