// The form that adds, changes and deletes one item. It only asks: what is wanted is for others to do.
import { isNumber, shown, toNumber } from "./api.js";
import { $, asText, element, keyIsMadeUp, label } from "./dom.js";

const dialog = $("editor");
let config;
let usualValues;
// What is being edited: its id (null for a new one), the item as it is, one entry per input, who waits.
let editing = null;

// usual(name) lists values that a field often has, to choose from.
export function start(given, usual) {
  config = given;
  usualValues = usual;
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  $("delete").addEventListener("click", () => end({ remove: true }));
  $("cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => end(null));
}

// { item } or { remove: true }, or null when the form was left.
export function open({ id, item }, draft = {}) {
  const values = draft.item ?? item;
  const fields = id === null ? newFields() : knownFields(item);
  const inputs = fields.map((field) => input(field, values[field.name]));
  editing = { id, item, inputs, resolve: null };
  $("editor-title").textContent = id === null ? `Add to ${config.title}` : `Edit ${asText(item[config.headline]) || id}`;
  $("inputs").replaceChildren(...inputs.map((one) => one.row));
  $("delete").hidden = id === null;
  dialog.showModal();
  inputs[0]?.control.focus();
  refuse(draft.problem ?? "", draft.fields ?? []);
  const mine = editing;
  return new Promise((resolve) => (mine.resolve = resolve));
}

export function newId(item) {
  if (!keyIsMadeUp(config)) {
    const parts = config.key.map((name) => asText(item[name]));
    return parts.length === 1 ? parts[0] : parts.map((part) => part.replaceAll("%", "%25").replaceAll("|", "%7C")).join("|");
  }
  const words = asText(item[config.headline]).normalize("NFKD").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  const unique = crypto.getRandomValues(new Uint32Array(1))[0].toString(36).padStart(7, "0");
  return `${words.slice(0, 60) || "item"}-${unique}`;
}

const isAsked = (name) => !config.key.includes(name) && name !== config.version;

function newFields() {
  const keys = keyIsMadeUp(config) ? [] : config.key.map((name, place) => ({ name, kind: config.key_types[place] === "N" ? "number" : "text" }));
  return [...keys, ...config.fields.filter((field) => isAsked(field.name))];
}

function knownFields(item) {
  const known = config.fields.filter(({ name }) => isAsked(name));
  const others = Object.keys(item).filter((name) => isAsked(name) && !known.some((field) => field.name === name));
  const fields = [...known, ...others.map((name) => ({ name, kind: "text" }))];
  return fields.map((field) => ({ ...field, kind: kindOf(item[field.name], field.kind) })).filter((field) => field.kind);
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
  Object.assign(control, { name, id: `field-${name}`, value: textOf(value), required: isRequired(name) });
  control.dataset.testid = `field-${name}`;
  const problem = element("span", { className: "problem", id: `problem-${name}` });
  control.setAttribute("aria-describedby", problem.id);
  const text = element("label", { htmlFor: control.id, textContent: label(name) });
  if (isRequired(name)) text.append(element("span", { className: "required", textContent: "needed" }));
  const row = element("div", { className: `field${name === config.headline ? " long" : ""}` }, text, control, problem);
  const usual = kind === "text" ? usualValues(name) : [];
  if (usual.length) {
    row.append(element("datalist", { id: `usual-${name}` }, ...usual.map((one) => element("option", { value: one }))));
    control.setAttribute("list", `usual-${name}`);
  }
  control.addEventListener("input", () => mark({ control, problem }, ""));
  return { name, kind, control, row, problem };
}

const isRequired = (name) => name === config.headline || config.key.includes(name);

function choice() {
  return element("select", {}, ...["", "true", "false"].map((value) => element("option", { value, textContent: value || "–" })));
}

const textOf = (value) => (value === undefined || value === null ? "" : shown(value));

function submit() {
  const { inputs, item } = editing;
  const problems = inputs.map((one) => ({ name: one.name, message: problemOf(one) })).filter(({ message }) => message);
  refuse("", problems);
  if (problems.length) return;
  const changed = { ...item };
  for (const { name, kind, control } of inputs) {
    const text = control.value.trim();
    if (text === "") delete changed[name];
    else if (text !== textOf(item[name])) changed[name] = toValue(kind, text);
  }
  end({ item: changed });
}

function problemOf({ name, kind, control }) {
  const text = control.value.trim();
  if (text === "") return isRequired(name) ? `${label(name)} is missing.` : "";
  return kind === "number" && toNumber(text) === undefined ? `${label(name)} is not a number.` : "";
}

function toValue(kind, text) {
  if (kind === "boolean") return text === "true";
  return kind === "number" ? toNumber(text) : text;
}

function mark({ control, problem }, reason) {
  problem.textContent = reason;
  control.ariaInvalid = reason ? "true" : null;
}

// What is wrong: at the fields that it is about, or above them all when the form has none of these.
function refuse(problem, fields) {
  const { inputs } = editing;
  const wrong = new Map(fields.map(({ name, message }) => [name, message]));
  for (const one of inputs) mark(one, wrong.get(one.name) ?? "");
  const first = inputs.find((one) => wrong.has(one.name));
  first?.control.focus();
  $("editor-trouble").textContent = problem;
  $("editor-trouble").hidden = !problem || first !== undefined;
}

function end(wanted) {
  const { resolve } = editing ?? {};
  if (editing) editing.resolve = null;
  dialog.close();
  resolve?.(wanted);
}
