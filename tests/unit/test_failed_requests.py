"""Failed requests are freed immediately, with their bodies."""

from __future__ import annotations

import gc
import logging
import socket
import sys
from contextlib import suppress

import pytest

from dynadex import clients
from dynadex.errors import SearchUnavailable
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.settings import RuntimeSettings


def test_body_of_a_failed_request_is_freed_without_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest keeps log records, with their tracebacks.
    monkeypatch.setattr(logging.getLogger("opensearch"), "disabled", True)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    index = OpenSearchIndex(clients.opensearch(RuntimeSettings(opensearch_url=url)))
    body = b"x" * 1_000_000
    gc.disable()
    try:
        before = sys.getrefcount(body)
        for _ in range(3):
            with suppress(SearchUnavailable):
                index.bulk("songs", body, 1.0)
        assert sys.getrefcount(body) == before
    finally:
        gc.enable()
