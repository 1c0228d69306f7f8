// The dialog that adds, changes and deletes one item of the table.
import { ServiceError, isNumber, read, remove, shown, toNumber, write } from "./api.js";
import { $, element, label } from "./view.js";

const dialog = $("editor");
let config;
let onChanged;
let usualValues;
// What is being edited: its id (null for a new one), the item as the table holds it, and one entry per input.
let editing = null;

// changed({ id, words, item }) is called after each write; item is null after a delete.
// usual(name) lists values that a field often has, to choose from.
export function start(given, changed, usual) {
  config = given;
  onChanged = changed;
  usualValues = usual;
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(save);
  });
  $("delete").addEventListener("click", () => (editing.sure ? attempt(destroy) : askAgain()));
  $("cancel").addEventListener("click", () => dialog.close());
}

export const isOpen = () => dialog.open;

export function add() {
  const keys = generatesId() ? [] : config.key.map((name, place) => ({ name, kind: config.key_types[place] === "N" ? "number" : "text" }));
  open(null, {}, [...keys, ...config.fields.filter((field) => !config.key.includes(field.name))]);
}

export async function edit(id) {
  const item = await read(id);
  const known = config.fields.filter(({ name }) => !config.key.includes(name));
  const others = Object.keys(item).filter((name) => !config.key.includes(name) && !known.some((field) => field.name === name));
  const fields = [...known, ...others.map((name) => ({ name, kind: "text" }))];
  open(id, item, fields.map((field) => ({ ...field, kind: kindOf(item[field.name], field.kind) })).filter((field) => field.kind));
}

function open(id, item, fields) {
  editing = { id, item, sure: false, inputs: fields.map((field) => input(field, item[field.name])) };
  $("editor-title").textContent = id === null ? `Add to ${config.title}` : `Edit ${textOf(item[config.headline]) || id}`;
  $("inputs").replaceChildren(...editing.inputs.map((one) => one.row));
  $("delete").hidden = id === null;
  $("delete").textContent = "Delete";
  $("editor-trouble").hidden = true;
  dialog.showModal();
  editing.inputs[0]?.control.focus();
}

// The value there is decides, then the mapping. What is no single value is left as it is.
function kindOf(value, mapped) {
  if (value === undefined || value === null) return mapped;
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "boolean";
  return isNumber(value) ? "number" : null;
}

function input({ name, kind }, value) {
  const control = kind === "boolean" ? choice() : element("input", { type: "text", autocomplete: "off" });
  if (kind === "number") control.inputMode = "decimal";
  control.name = name;
  control.value = textOf(value);
  control.dataset.testid = `field-${name}`;
  const row = element("label", { className: name === config.headline ? "long" : "" }, label(name), control);
  const usual = kind === "text" ? usualValues(name) : [];
  if (usual.length) {
    row.append(element("datalist", { id: `usual-${name}` }, ...usual.map((one) => element("option", { value: one }))));
    control.setAttribute("list", `usual-${name}`);
  }
  return { name, kind, control, row };
}

function choice() {
  return element("select", {}, ...["", "true", "false"].map((value) => element("option", { value, textContent: value || "–" })));
}

const textOf = (value) => (value === undefined || value === null ? "" : shown(value));

async function save() {
  const item = { ...editing.item };
  for (const { name, kind, control } of editing.inputs) {
    const text = control.value.trim();
    if (text === "") delete item[name];
    else if (text !== textOf(item[name])) item[name] = toValue(name, kind, text);
  }
  if (item[config.headline] === undefined) throw new ServiceError("missing", `${label(config.headline)} is missing.`);
  const id = editing.id ?? newId(item);
  const stored = await write(id, item);
  dialog.close();
  onChanged({ id, words: textOf(stored[config.headline]), item: stored });
}

async function destroy() {
  const { id, item } = editing;
  await remove(id).catch((error) => {
    // Somebody else was faster: what was wanted is so.
    if (error.code !== "not_found") throw error;
  });
  dialog.close();
  onChanged({ id, words: textOf(item[config.headline]), item: null });
}

function askAgain() {
  editing.sure = true;
  $("delete").textContent = "Really delete?";
}

async function attempt(action) {
  const buttons = [$("save"), $("delete")];
  buttons.forEach((button) => (button.disabled = true));
  $("editor-trouble").hidden = true;
  try {
    await action();
  } catch (error) {
    $("editor-trouble").textContent = error.message;
    $("editor-trouble").hidden = false;
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

function toValue(name, kind, text) {
  if (kind === "boolean") return text === "true";
  if (kind !== "number") return text;
  const number = toNumber(text);
  if (number === undefined) throw new ServiceError("no_number", `${label(name)} is not a number.`);
  return number;
}

const generatesId = () => config.key.length === 1 && config.key_types[0] === "S";

function newId(item) {
  if (!generatesId()) {
    const parts = config.key.map((name) => textOf(item[name]));
    return parts.length === 1 ? parts[0] : parts.map((part) => part.replaceAll("%", "%25").replaceAll("|", "%7C")).join("|");
  }
  const words = textOf(item[config.headline]).normalize("NFKD").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  const unique = crypto.getRandomValues(new Uint32Array(1))[0].toString(36).padStart(7, "0");
  return `${words.slice(0, 60) || "item"}-${unique}`;
}
