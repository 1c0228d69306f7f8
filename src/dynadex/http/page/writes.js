// Optimistic writes: shown immediately, reverted if they fail, and followed until searches show them.
import * as api from "./api.js";
import * as conflict from "./conflict.js";
import { asText, notice } from "./dom.js";
import * as editor from "./editor.js";
import { authorised } from "./session.js";

const UNDO_SECONDS = 12;
// Writes shown before searches show them: id -> { item (null: deleted), state: saving, saved, late, or searchable }.
export const pending = new Map();
// "changed": pending has changed. "settled": searches show the current state of detail.id, or the wait for it has ended.
export const events = new EventTarget();
let config;

export function start(serviceConfig) {
  config = serviceConfig;
}

export async function add(draft) {
  await change({ id: null, item: {}, version: undefined }, draft);
}

export async function edit(id, draft) {
  try {
    await change({ id, ...(await api.read(id)) }, draft);
  } catch (error) {
    notice(error.code === "not_found" ? "The item has been deleted." : error.message);
  }
}

export async function remove(id) {
  let before;
  try {
    before = await api.read(id);
  } catch (error) {
    notice(error.code === "not_found" ? "The item has already been deleted." : error.message);
    return;
  }
  await destroy({ id, ...before });
}

// Opens the form. `draft` restores what was entered before, and shows why it was rejected: { item, problem, fields }.
async function change(before, draft) {
  const decision = await editor.open(before, draft);
  if (!decision) return;
  if (decision.remove) await destroy(before);
  else await save({ ...before, id: before.id ?? editor.newId(decision.item) }, decision.item);
}

async function save(before, item) {
  const { id, version } = before;
  const editAgain = (problem = "", fields = []) => change(version === undefined ? { ...before, id: null } : before, { item, problem, fields });
  put(id, item, "saving");
  try {
    const answer = await authorised(() => api.write(id, item, version));
    if (!answer) return revert(id, "Not saved: you are not signed in.", { text: "Edit again", run: () => editAgain() });
    put(id, answer.item, "saved");
    await follow(id, answer.change, { words: ["Saved", "found by searches"] });
  } catch (error) {
    drop(id);
    if (error.code === "version_conflict") await resolveConflict(before, item, error.details);
    else if (error.status === 400 || error.status === 422) await editAgain(error.message, error.details.fields);
    else notice(`Not saved: ${error.message}`, { action: { text: "Edit again", run: () => editAgain() }, seconds: UNDO_SECONDS });
  }
}

async function resolveConflict(before, item, details) {
  const { id } = before;
  const current = details.current ?? null;
  const version = current === null ? undefined : versionIn(current);
  const choice = await conflict.ask(config, before.item, details.yours ?? item, current);
  const latest = { id, item: current ?? {}, version };
  if (choice.save) await save(latest, choice.save);
  else if (choice.edit) await change(latest, { item: choice.edit });
  else events.dispatchEvent(new CustomEvent("settled", { detail: { id } }));
}

const versionIn = (item) => (config.version ? api.shown(item[config.version] ?? 0) : null);

async function destroy({ id, item, version }) {
  const name = asText(item[config.headline]) || id;
  const undo = { text: "Undo", run: () => save({ id, item: {}, version: undefined }, item) };
  put(id, null, "saving");
  try {
    const answer = await authorised(() => api.remove(id, version));
    if (!answer) return revert(id, "Not deleted: you are not signed in.");
    put(id, null, "saved");
    await follow(id, answer.change, { words: [`Deleted “${name}”`, "removed from searches"], action: undo });
  } catch (error) {
    if (error.code === "not_found") {
      // Someone else deleted it first, which is the requested result.
      put(id, null, "searchable");
      notice("The item has already been deleted.");
      return;
    }
    drop(id);
    if (error.code === "version_conflict") notice("Not deleted: someone else has changed the item.", { action: { text: "Review", run: () => edit(id) } });
    else notice(`Not deleted: ${error.message}`);
  }
}

// Waits for at most a few seconds until a search shows the write.
async function follow(id, token, { words: [done, searches], action = null }) {
  const started = performance.now();
  const seconds = action ? UNDO_SECONDS : 5;
  notice(done, { action, seconds });
  let reached = false;
  try {
    ({ after_reached: reached } = await api.search({ size: 0, after: token }));
  } catch {
    // The write has succeeded; only its visibility in searches is unknown.
  }
  const after = `after ${((performance.now() - started) / 1000).toFixed(1)} s`;
  notice(reached ? `${done}, and ${searches} ${after}` : `${done}. Searches do not show it yet.`, { action, seconds });
  const write = pending.get(id);
  if (write?.state === "saved") put(id, write.item, reached ? "searchable" : "late");
  events.dispatchEvent(new CustomEvent("settled", { detail: { id } }));
}

function put(id, item, state) {
  pending.set(id, { item, state });
  events.dispatchEvent(new Event("changed"));
}

function drop(id) {
  pending.delete(id);
  events.dispatchEvent(new Event("changed"));
}

function revert(id, words, action = null) {
  drop(id);
  notice(words, { action, seconds: UNDO_SECONDS });
}
