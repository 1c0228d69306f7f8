// The page: its views, which of them is shown, and the keys.
import * as api from "./api.js";
import * as conflict from "./conflict.js";
import { $, showError } from "./dom.js";
import * as editor from "./editor.js";
import * as live from "./live.js";
import * as manage from "./manage.js";
import * as regions from "./regions.js";
import * as search from "./search.js";
import * as session from "./session.js";
import * as usual from "./usual.js";
import * as writes from "./writes.js";

const AGAIN_MS = 2000;
const views = { search };
let current = null;

function show() {
  const wanted = location.hash.slice(1);
  const name = wanted in views ? wanted : "search";
  if (name === current) return;
  if (current) views[current].hide();
  current = name;
  for (const one of Object.keys(views)) $(`view-${one}`).hidden = one !== name;
  for (const tab of $("tabs").children) {
    if (tab.dataset.view === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  views[name].show();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const here = document.activeElement;
  const typing = here?.matches?.("input:not([type=checkbox]), select, textarea");
  // Letters typed into a field are text; only the keys that move or leave are ours there.
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
    setTimeout(start, AGAIN_MS);
    return;
  }
  $("start-trouble").hidden = true;
  document.title = $("title").textContent = config.title;
  if (config.writes) {
    views.manage = manage;
    usual.learn();
  }
  if (config.live) views.live = live;
  $("tabs").hidden = Object.keys(views).length < 2;
  for (const tab of $("tabs").children) tab.hidden = !(tab.dataset.view in views);
  session.start(config.writes);
  if (config.regions) regions.start(() => views[current]?.refresh?.());
  conflict.start();
  editor.start(config, usual.usualValues);
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
