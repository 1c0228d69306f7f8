// Two versions of an item side by side, and the choice between them, field by field.
import { $, asText, element, label } from "./dom.js";

let resolve = null;
// The item that the choices made so far come to.
let chosen = () => null;

export function start() {
  $("conflict-mine").addEventListener("click", () => end({ save: chosen() }));
  $("conflict-edit").addEventListener("click", () => end({ edit: chosen() }));
  $("conflict-theirs").addEventListener("click", () => end({}));
  $("conflict").addEventListener("close", () => end({}));
}

// { save: item }, { edit: item } or neither. `base` is what was edited, `current` what is there now: null if nothing.
export function ask(config, base, yours, current) {
  const gone = current === null;
  $("conflict-title").textContent = gone ? "Somebody else deleted it" : "Somebody else changed it";
  $("conflict-words").textContent = gone
    ? "While you edited, it was deleted. Save yours as a new one, or leave it deleted."
    : "While you edited, another version was saved. Where the two differ, choose:";
  $("conflict-theirs").textContent = gone ? "Leave it deleted" : "Keep what is there";
  $("conflict-mine").textContent = gone ? "Save mine again" : "Save the choice";
  const differing = namesIn(config, yours, current ?? {}).filter(
    (name) => name !== config.version && asText(current?.[name]) !== asText(yours[name]),
  );
  const rows = differing.map((name) => row(name, { base: base[name], there: current?.[name], yours: yours[name] }, gone));
  $("versions").replaceChildren(...(rows.length ? rows.map((one) => one.row) : [same()]));
  chosen = () => {
    const item = { ...(current ?? yours) };
    for (const one of rows) {
      const value = one.mine() ? yours[one.name] : current[one.name];
      if (value === undefined) delete item[one.name];
      else item[one.name] = value;
    }
    return item;
  };
  $("conflict").showModal();
  return new Promise((given) => (resolve = given));
}

const namesIn = (config, ...items) => [...new Set([...config.fields.map((field) => field.name), ...items.flatMap(Object.keys)])];

// Mine is proposed where I changed something, theirs everywhere else.
function row(name, { base, there, yours }, gone) {
  const proposed = gone || asText(base) !== asText(yours);
  const [theirs, mine] = [option(name, "there", there, !proposed, gone), option(name, "mine", yours, proposed, gone)];
  const made = element("tr", {}, element("th", { scope: "row", textContent: label(name) }), theirs.cell, mine.cell);
  return { name, row: made, mine: () => mine.control.checked };
}

function option(name, side, value, checked, gone) {
  const control = element("input", { type: "radio", name: `choice-${name}`, checked, hidden: gone });
  control.dataset.testid = `${side}-${name}`;
  return { control, cell: element("td", {}, element("label", {}, control, element("span", { textContent: asText(value) || "–" }))) };
}

const same = () => element("tr", {}, element("td", { colSpan: 3, textContent: "They are the same, but for the version." }));

function end(choice) {
  const given = resolve;
  resolve = null;
  $("conflict").close();
  given?.(choice);
}
