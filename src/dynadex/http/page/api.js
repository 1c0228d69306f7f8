// Requests to the service. Numbers keep all digits: one that JavaScript cannot represent keeps its JSON text.

export class ServiceError extends Error {
  constructor(code, message, status = 0, details = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.details = details;
  }

  // Whether the error may be temporary, so that a retry can succeed.
  get transient() {
    return this.code === "unreachable" || this.status === 429 || this.status >= 502;
  }
}

// Properties of every request: the location of its sender and the token. onRegion receives the name of the region that
// responded.
export const sender = { location: "", token: () => null, onRegion: () => {} };

export const config = () => call("GET", "api/config");
export const suggest = (q, signal) => call("GET", `api/suggest?${new URLSearchParams({ q })}`, { signal });
export const live = (signal) => call("GET", "api/live", { signal, read: JSON.parse });
export const operate = (name) => call("POST", `api/operations/${name}`, { authorised: true });
export const regions = (signal) => call("GET", "regions", { signal, read: JSON.parse });
export const changeRegion = (name, what) => call("POST", `regions/${encodeURIComponent(name)}/${what}`);

export function search({ q = "", filters = new Map(), sort = "", size, cursor = "", after = "" }, signal) {
  const parameters = toParameters(q, filters, sort);
  parameters.set("size", size);
  if (cursor) parameters.set("cursor", cursor);
  if (after) parameters.set("after", after);
  return call("GET", `api/search?${parameters}`, { signal });
}

export function toParameters(q, filters, sort) {
  const parameters = new URLSearchParams(q ? { q } : {});
  for (const [name, values] of filters) for (const value of values) parameters.append(name, value);
  if (sort) parameters.set("sort", sort);
  return parameters;
}

// Returns the item in the table, and the version that a change must name (null: items have no version).
export async function read(id) {
  let version = null;
  const item = await call("GET", documentPath(id), { onAnswer: (response) => (version = versionOf(response)) });
  return { item, version };
}

// version undefined: the item is new; null: items have no version.
export function write(id, item, version) {
  return call("PUT", documentPath(id), { body: JSON.stringify(item), headers: condition(version), authorised: true });
}

export function remove(id, version) {
  return call("DELETE", documentPath(id), { headers: condition(version), authorised: true });
}

// Returns the number in a text, or undefined if it is not a number.
export function toNumber(text) {
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return undefined;
  return parse(text);
}

export const isNumber = (value) => typeof value === "number" || (JSON.isRawJSON?.(value) ?? false);
export const shown = (value) => (JSON.isRawJSON?.(value) ? value.rawJSON : String(value));

const documentPath = (id) => `api/documents/${encodeURIComponent(id)}`;
const versionOf = (response) => response.headers.get("ETag")?.replace(/^W\//, "").replaceAll('"', "") ?? null;

function condition(version) {
  if (version === undefined) return { "If-None-Match": "*" };
  return version === null ? {} : { "If-Match": `"${version}"` };
}

async function call(method, path, { authorised = false, onAnswer, read = parse, headers = {}, ...options } = {}) {
  let response;
  let text;
  try {
    response = await fetch(path, { method, headers: { ...headers, ...senderHeaders(authorised) }, ...options });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("unreachable", "The service is not responding.");
  }
  const region = response.headers.get("X-Dynadex-Region");
  if (region) sender.onRegion(region);
  onAnswer?.(response);
  if (response.ok) return text ? read(text) : null;
  const problem = parseOr(text, {}).error ?? {};
  throw new ServiceError(problem.code ?? "unknown", problem.message ?? `The service returned status ${response.status}.`, response.status, problem);
}

function senderHeaders(authorised) {
  const headers = {};
  if (sender.location) headers["X-Location"] = sender.location;
  if (authorised && sender.token()) headers.Authorization = `Bearer ${sender.token()}`;
  return headers;
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
