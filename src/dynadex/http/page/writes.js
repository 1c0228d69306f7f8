// Changes of the table, told before they are so: shown at once, taken back when they fail, followed until searches
// find them.
import * as api from "./api.js";
import * as conflict from "./conflict.js";
import { asText, notice } from "./dom.js";
import * as editor from "./editor.js";
import { authorised } from "./session.js";

const UNDO_SECONDS = 12;
// What is shown before searches know it: id -> { item (null: deleted), state: saving, saved, late or found }.
export const pending = new Map();
// "changed": pending is another; "found": searches show what was written to detail.id.
export const events = new EventTarget();
let config;

export function start(given) {
  config = given;
}

export async function add(draft) {
  await change({ id: null, item: {}, version: undefined }, draft);
}

export async function edit(id, draft) {
  try {
    await change({ id, ...(await api.read(id)) }, draft);
  } catch (error) {
    notice(error.code === "not_found" ? "It has just been deleted." : error.message);
  }
}

export async function remove(id) {
  let before;
  try {
    before = await api.read(id);
  } catch (error) {
    notice(error.code === "not_found" ? "It has been deleted already." : error.message);
    return;
  }
  await destroy({ id, ...before });
}

// What the form is for: `draft` is what it was left with, and why it did not do: { item, problem, fields }.
async function change(before, draft) {
  const wanted = await editor.open(before, draft);
  if (!wanted) return;
  if (wanted.remove) await destroy(before);
  else await save({ ...before, id: before.id ?? editor.newId(wanted.item) }, wanted.item);
}

async function save(before, item) {
  const { id, version } = before;
  const again = (problem = "", fields = []) => change(version === undefined ? { ...before, id: null } : before, { item, problem, fields });
  put(id, item, "saving");
  try {
    const answer = await authorised(() => api.write(id, item, version));
    if (!answer) return takeBack(id, "Not saved: you are not signed in.", { text: "Edit again", run: () => again() });
    put(id, answer.item, "saved");
    await follow(id, answer.change, { words: ["Saved", "found by searches"] });
  } catch (error) {
    drop(id);
    if (error.code === "version_conflict") await settle(before, item, error.told);
    else if (error.status === 400 || error.status === 422) await again(error.message, error.told.fields);
    else notice(`Not saved: ${error.message}`, { action: { text: "Edit again", run: () => again() }, seconds: UNDO_SECONDS });
  }
}

async function settle(before, item, told) {
  const { id } = before;
  const current = told.current ?? null;
  const version = current === null ? undefined : versionIn(current);
  const choice = await conflict.ask(config, before.item, told.yours ?? item, current);
  const now = { id, item: current ?? {}, version };
  if (choice.save) await save(now, choice.save);
  else if (choice.edit) await change(now, { item: choice.edit });
  else events.dispatchEvent(new CustomEvent("found", { detail: { id } }));
}

const versionIn = (item) => (config.version ? api.shown(item[config.version] ?? 0) : null);

async function destroy({ id, item, version }) {
  const name = asText(item[config.headline]) || id;
  const undo = { text: "Undo", run: () => save({ id, item: {}, version: undefined }, item) };
  put(id, null, "saving");
  try {
    const answer = await authorised(() => api.remove(id, version));
    if (!answer) return takeBack(id, "Not deleted: you are not signed in.");
    put(id, null, "saved");
    await follow(id, answer.change, { words: [`Deleted “${name}”`, "gone from searches"], action: undo });
  } catch (error) {
    if (error.code === "not_found") {
      // Somebody else was faster: what was wanted is so.
      put(id, null, "found");
      notice("It has been deleted already.");
      return;
    }
    drop(id);
    if (error.code === "version_conflict") notice("Not deleted: somebody else changed it meanwhile.", { action: { text: "Look", run: () => edit(id) } });
    else notice(`Not deleted: ${error.message}`);
  }
}

// Waits, a few seconds at most, until a search shows what was written: the index comes by itself.
async function follow(id, token, { words: [done, searches], action = null }) {
  const started = performance.now();
  const seconds = action ? UNDO_SECONDS : 5;
  notice(done, { action, seconds });
  let reached = false;
  try {
    ({ after_reached: reached } = await api.search({ size: 0, after: token }));
  } catch {
    // It is written; only when searches show it is not known.
  }
  const after = `after ${((performance.now() - started) / 1000).toFixed(1)} s`;
  notice(reached ? `${done}, and ${searches} ${after}` : `${done}. Searches do not show it yet.`, { action, seconds });
  const there = pending.get(id);
  if (there?.state === "saved") put(id, there.item, reached ? "found" : "late");
  events.dispatchEvent(new CustomEvent("found", { detail: { id } }));
}

function put(id, item, state) {
  pending.set(id, { item, state });
  events.dispatchEvent(new Event("changed"));
}

function drop(id) {
  pending.delete(id);
  events.dispatchEvent(new Event("changed"));
}

function takeBack(id, words, action = null) {
  drop(id);
  notice(words, { action, seconds: UNDO_SECONDS });
}
