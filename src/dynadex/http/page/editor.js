// Form that adds, changes, or deletes one item. It returns the user's decision; its caller carries it out.
import { isNumber, shown, toNumber } from "./api.js";
import { $, asText, element, isKeyGenerated, label } from "./dom.js";

const dialog = $("editor");
let config;
let suggestedValues;
// The item being edited: its id (null for a new one), its stored values, its inputs, and the resolver of open().
let editing = null;

// valuesOf(name) returns frequent values of a field, offered as suggestions.
export function start(serviceConfig, valuesOf) {
  config = serviceConfig;
  suggestedValues = valuesOf;
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  $("delete").addEventListener("click", () => end({ remove: true }));
  $("cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => end(null));
}

// Resolves to { item }, { remove: true }, or null if the form was closed.
export function open({ id, item }, draft = {}) {
  const values = draft.item ?? item;
  const fields = id === null ? newFields() : knownFields(item);
  const inputs = fields.map((field) => input(field, values[field.name]));
  editing = { id, item, inputs, resolve: null };
  $("editor-title").textContent = id === null ? `Add to ${config.title}` : `Edit ${asText(item[config.headline]) || id}`;
  $("inputs").replaceChildren(...inputs.map(({ row }) => row));
  $("delete").hidden = id === null;
  dialog.showModal();
  inputs[0]?.control.focus();
  showProblems(draft.problem ?? "", draft.fields ?? []);
  const opened = editing;
  return new Promise((resolve) => (opened.resolve = resolve));
}

export function newId(item) {
  if (!isKeyGenerated(config)) {
    const parts = config.key.map((name) => asText(item[name]));
    return parts.length === 1 ? parts[0] : parts.map((part) => part.replaceAll("%", "%25").replaceAll("|", "%7C")).join("|");
  }
  const words = asText(item[config.headline]).normalize("NFKD").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  const unique = crypto.getRandomValues(new Uint32Array(1))[0].toString(36).padStart(7, "0");
  return `${words.slice(0, 60) || "item"}-${unique}`;
}

const isEditable = (name) => !config.key.includes(name) && name !== config.version;

function newFields() {
  const keys = isKeyGenerated(config) ? [] : config.key.map((name, index) => ({ name, kind: config.key_types[index] === "N" ? "number" : "text" }));
  return [...keys, ...config.fields.filter((field) => isEditable(field.name))];
}

function knownFields(item) {
  const known = config.fields.filter(({ name }) => isEditable(name));
  const others = Object.keys(item).filter((name) => isEditable(name) && !known.some((field) => field.name === name));
  const fields = [...known, ...others.map((name) => ({ name, kind: "text" }))];
  return fields.map((field) => ({ ...field, kind: kindOf(item[field.name], field.kind) })).filter((field) => field.kind);
}

// The stored value determines the kind of input, then the mapping. Lists and objects cannot be edited and stay unchanged.
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
  if (isRequired(name)) text.append(element("span", { className: "required", textContent: "required" }));
  const row = element("div", { className: `field${name === config.headline ? " long" : ""}` }, text, control, problem);
  const suggestions = kind === "text" ? suggestedValues(name) : [];
  if (suggestions.length) {
    row.append(element("datalist", { id: `values-${name}` }, ...suggestions.map((value) => element("option", { value }))));
    control.setAttribute("list", `values-${name}`);
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
  const problems = inputs.map((field) => ({ name: field.name, message: problemOf(field) })).filter(({ message }) => message);
  showProblems("", problems);
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
  return kind === "number" && toNumber(text) === undefined ? `${label(name)} must be a number.` : "";
}

function toValue(kind, text) {
  if (kind === "boolean") return text === "true";
  return kind === "number" ? toNumber(text) : text;
}

function mark({ control, problem }, reason) {
  problem.textContent = reason;
  control.ariaInvalid = reason ? "true" : null;
}

// Shows problems at their fields, or above the form if it has none of the fields.
function showProblems(problem, fields) {
  const { inputs } = editing;
  const messages = new Map(fields.map(({ name, message }) => [name, message]));
  for (const field of inputs) mark(field, messages.get(field.name) ?? "");
  const first = inputs.find(({ name }) => messages.has(name));
  first?.control.focus();
  $("editor-trouble").textContent = problem;
  $("editor-trouble").hidden = !problem || first !== undefined;
}

function end(decision) {
  const { resolve } = editing ?? {};
  if (editing) editing.resolve = null;
  dialog.close();
  resolve?.(decision);
}
