// Calls to the service. Numbers keep every digit: one that JavaScript cannot hold stays as it was written.

export class ServiceError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export const config = () => call("GET", "api/config");
export const read = (id) => call("GET", documentPath(id));
export const write = (id, item) => call("PUT", documentPath(id), { body: JSON.stringify(item) });
export const remove = (id) => call("DELETE", documentPath(id));

export function search(q, filters, size, signal) {
  const parameters = toParameters(q, filters);
  parameters.set("size", size);
  return call("GET", `api/search?${parameters}`, { signal });
}

export function toParameters(q, filters) {
  const parameters = new URLSearchParams(q ? { q } : {});
  for (const [name, values] of filters) for (const value of values) parameters.append(name, value);
  return parameters;
}

// A number from what was typed, or undefined when that is none.
export function toNumber(text) {
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return undefined;
  return parse(text);
}

function documentPath(id) {
  return `api/documents/${encodeURIComponent(id)}`;
}

async function call(method, path, options = {}) {
  let response;
  let text;
  try {
    response = await fetch(path, { method, ...options });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("unreachable", "The service does not answer.");
  }
  if (response.ok) return text ? parse(text) : null;
  const told = parseOr(text, {}).error ?? {};
  throw new ServiceError(told.code ?? "unknown", told.message ?? `The service answered ${response.status}.`);
}

function parseOr(text, fallback) {
  try {
    return parse(text);
  } catch {
    return fallback;
  }
}

function parse(text) {
  return JSON.parse(text, (_, value, context) => {
    const exact = typeof value !== "number" || !JSON.rawJSON || !context?.source || context.source === String(value);
    return exact ? value : JSON.rawJSON(context.source);
  });
}

export const isNumber = (value) => typeof value === "number" || (JSON.isRawJSON?.(value) ?? false);
export const shown = (value) => (JSON.isRawJSON?.(value) ? value.rawJSON : String(value));
