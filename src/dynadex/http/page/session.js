// Who may change things: a token, kept for as long as the tab is open.
import { sender } from "./api.js";
import { $ } from "./dom.js";

const KEPT = "dynadex-token";
let waiting = null;

export const token = () => sessionStorage.getItem(KEPT);

// A token in the address (#token=...) is taken out of it, so that it stays neither there nor in the history.
export function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  keep(given);
  history.replaceState(null, "", location.pathname + location.search);
}

// Does what needs a token, asking for one first, and again when it is refused. Undefined: nobody signed in.
export async function authorised(action) {
  let reason = "";
  while (token() || (await ask(reason))) {
    try {
      return await action();
    } catch (error) {
      if (error.status !== 401) throw error;
      forget();
      reason = "This token is wrong, or it has expired.";
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
    const given = $("token").value.trim();
    if (given) end(given);
    else tell("The token is missing.");
  });
  $("sign-in-cancel").addEventListener("click", () => $("sign-in").close());
  $("sign-in").addEventListener("close", () => end(null));
  show();
}

function ask(reason) {
  $("token").value = "";
  tell(reason);
  $("sign-in").showModal();
  return new Promise((resolve) => (waiting = resolve));
}

function end(given) {
  const resolve = waiting;
  waiting = null;
  if (given) keep(given);
  $("sign-in").close();
  resolve?.(given !== null);
}

function tell(reason) {
  $("sign-in-trouble").textContent = reason;
  $("sign-in-trouble").hidden = !reason;
}

function keep(given) {
  sessionStorage.setItem(KEPT, given);
  show();
}

function forget() {
  sessionStorage.removeItem(KEPT);
  show();
}

function show() {
  $("sign").textContent = token() ? "Sign out" : "Sign in";
}
