// Frequent values of fields, from the facets of all items: suggestions in the edit form.
import * as api from "./api.js";

let facets = {};

export const values = (name) => (facets[name] ?? []).map(({ value }) => api.shown(value));

export async function load() {
  try {
    ({ facets } = await api.search({ size: 0 }));
  } catch {
    // The form works without suggestions.
  }
}
