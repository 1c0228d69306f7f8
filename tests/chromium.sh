#!/usr/bin/env bash
# Makes sure that the browser tests find a Chromium: the one that is there, or the system's package when we may install
# it, or else Playwright's own download. Does nothing when one is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

works() { command -v "$1" >/dev/null && "$1" --version >/dev/null 2>&1; }

if [[ -n "${DYNADEX_CHROMIUM:-}" ]]; then
  works "$DYNADEX_CHROMIUM" && exit
  echo "chromium: DYNADEX_CHROMIUM=$DYNADEX_CHROMIUM does not run" >&2
  exit 1
fi
for browser in chromium google-chrome; do
  if works "$browser"; then exit; fi
done

if [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
  echo "chromium: installing the system's package" >&2
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium >/dev/null || true
  # Ubuntu's package of that name only points to a snap, which does not run in a container.
  if works chromium; then exit; fi
fi

if .venv/bin/python -m playwright install chromium && .venv/bin/python -c '
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    playwright.chromium.launch().close()
'; then exit; fi
cat >&2 <<'END'
chromium: the tests of the page need Chromium, and it could not be installed (see above). Install Chromium or Chrome, or
set DYNADEX_CHROMIUM to its path. All other tests: make test ARGS="tests --ignore tests/browser --ignore tests/infra"
END
exit 1
