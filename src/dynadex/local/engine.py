"""The search engines of a local stack."""

from __future__ import annotations

import logging
from enum import StrEnum

_log = logging.getLogger(__name__)


class Engine(StrEnum):
    """A search engine: a node of OpenSearch, or osmem-server, which imitates one in memory and ranks differently."""

    OPENSEARCH = "opensearch"
    MEMORY = "memory"


def available(engine: Engine) -> Engine:
    """Return the engine, after fetching its files; return MEMORY, with a warning, if they cannot be fetched.

    Raises LocalStackError if a package of the engine is not installed.
    """
    from dynadex.opensearch.install import FetchError, install

    if engine is Engine.OPENSEARCH:
        try:
            install()
        except FetchError as error:
            _log.warning(f"{error} Continuing with the memory engine, which ranks differently.", extra=error.fields)
            return Engine.MEMORY
    return engine
