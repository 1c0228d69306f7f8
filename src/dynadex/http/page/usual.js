// Values that a field often has, as the facets of all items tell: what a form offers to choose from.
import * as api from "./api.js";

let facets = {};

export const usualValues = (name) => (facets[name] ?? []).map(({ value }) => api.shown(value));

export async function learn() {
  try {
    ({ facets } = await api.search({ size: 0 }));
  } catch {
    // Nothing to choose from; one can type.
  }
}
