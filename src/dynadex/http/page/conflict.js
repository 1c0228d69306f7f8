// Dialog for a write conflict: two versions of an item side by side, and a choice between them for each field.
import { $, asText, element, label } from "./dom.js";

let resolve = null;
// Returns the item with the versions selected so far.
let selected = () => null;

export function start() {
  $("conflict-mine").addEventListener("click", () => end({ save: selected() }));
  $("conflict-edit").addEventListener("click", () => end({ edit: selected() }));
  $("conflict-theirs").addEventListener("click", () => end({}));
  $("conflict").addEventListener("close", () => end({}));
}

// Resolves to { save: item }, { edit: item }, or {}. `base` is the item that was edited, `current` the item in the table
// (null if it was deleted).
export function ask(config, base, yours, current) {
  const gone = current === null;
  $("conflict-title").textContent = gone ? "Someone else deleted this item" : "Someone else changed this item";
  $("conflict-words").textContent = gone
    ? "The item was deleted while you edited it. Restore it with your changes, or keep it deleted."
    : "Another version was saved while you edited it. Select a version of each field that differs:";
  $("conflict-theirs").textContent = gone ? "Keep it deleted" : "Keep the current version";
  $("conflict-mine").textContent = gone ? "Restore with my changes" : "Save the selection";
  const differing = namesIn(config, yours, current ?? {}).filter(
    (name) => name !== config.version && asText(current?.[name]) !== asText(yours[name]),
  );
  const rows = differing.map((name) => fieldRow(name, { base: base[name], current: current?.[name], yours: yours[name] }, gone));
  $("versions").replaceChildren(...(rows.length ? rows.map((row) => row.element) : [sameRow()]));
  selected = () => {
    const item = { ...(current ?? yours) };
    for (const { name, mine } of rows) {
      const value = mine() ? yours[name] : current[name];
      if (value === undefined) delete item[name];
      else item[name] = value;
    }
    return item;
  };
  $("conflict").showModal();
  return new Promise((settle) => (resolve = settle));
}

const namesIn = (config, ...items) => [...new Set([...config.fields.map((field) => field.name), ...items.flatMap(Object.keys)])];

// Preselects the user's version of fields that the user changed, and the current version of all others.
function fieldRow(name, { base, current, yours }, gone) {
  const proposed = gone || asText(base) !== asText(yours);
  const [theirs, mine] = [option(name, "current", current, !proposed, gone), option(name, "mine", yours, proposed, gone)];
  const row = element("tr", {}, element("th", { scope: "row", textContent: label(name) }), theirs.cell, mine.cell);
  return { name, element: row, mine: () => mine.control.checked };
}

function option(name, side, value, checked, gone) {
  const control = element("input", { type: "radio", name: `choice-${name}`, checked, hidden: gone });
  control.dataset.testid = `${side}-${name}`;
  return { control, cell: element("td", {}, element("label", {}, control, element("span", { textContent: asText(value) || "–" }))) };
}

const sameRow = () => element("tr", {}, element("td", { colSpan: 3, textContent: "The two differ only in their version." }));

function end(choice) {
  const settle = resolve;
  resolve = null;
  $("conflict").close();
  settle?.(choice);
}
