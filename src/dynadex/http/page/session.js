// Sign-in: a token for changes, stored until the tab is closed.
import { sender } from "./api.js";
import { $ } from "./dom.js";

const STORAGE_KEY = "dynadex-token";
let waiting = null;

export const token = () => sessionStorage.getItem(STORAGE_KEY);

// Moves a token from the URL (#token=...) to the session, so that it stays neither in the URL nor in the history.
export function takeFromAddress() {
  const urlToken = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!urlToken) return;
  store(urlToken);
  history.replaceState(null, "", location.pathname + location.search);
}

// Runs an action that needs a token, and prompts for one if it is missing or rejected. Returns undefined if the user
// cancels.
export async function authorised(action) {
  let reason = "";
  while (token() || (await ask(reason))) {
    try {
      return await action();
    } catch (error) {
      if (error.status !== 401) throw error;
      forget();
      reason = "The token is invalid or has expired.";
    }
  }
  return undefined;
}

export function start(writes) {
  sender.token = token;
  $("sign").hidden = !writes;
  $("sign").addEventListener("click", () => (token() ? forget() : ask("")));
  $("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = $("token").value.trim();
    if (typed) end(typed);
    else showProblem("Enter a token.");
  });
  $("sign-in-cancel").addEventListener("click", () => $("sign-in").close());
  $("sign-in").addEventListener("close", () => end(null));
  show();
}

function ask(reason) {
  $("token").value = "";
  showProblem(reason);
  $("sign-in").showModal();
  return new Promise((resolve) => (waiting = resolve));
}

function end(newToken) {
  const resolve = waiting;
  waiting = null;
  if (newToken) store(newToken);
  $("sign-in").close();
  resolve?.(newToken !== null);
}

function showProblem(reason) {
  $("sign-in-trouble").textContent = reason;
  $("sign-in-trouble").hidden = !reason;
}

function store(newToken) {
  sessionStorage.setItem(STORAGE_KEY, newToken);
  show();
}

function forget() {
  sessionStorage.removeItem(STORAGE_KEY);
  show();
}

function show() {
  $("sign").textContent = token() ? "Sign out" : "Sign in";
}
