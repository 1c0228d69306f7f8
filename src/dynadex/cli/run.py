"""`dynadex run`: run a worker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from dynadex.cli.options import DeadLetters, DynamoDbUrl, OpenSearchUrl, SyncReference
from dynadex.cli.output import LogFormat, json_line, log_to_terminal
from dynadex.cli.stopping import stop_on_signals
from dynadex.errors import DynadexError
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync

if TYPE_CHECKING:
    from dynadex.runtime import Runtime
    from dynadex.worker.event_source_mapping import Limits
    from dynadex.worker.metrics import WorkerMetrics

_log = logging.getLogger(__name__)

FAILED = 1
_MAX_PORT = 65535
_LOOPBACK = "127.0.0.1"
# Docker sends SIGKILL ten seconds after SIGTERM. The worker stops its threads earlier; this limit is for a backend that
# does not respond while the worker starts.
_STOP_SECONDS = 9.0


def run(
    sync: SyncReference,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: DeadLetters = None,
    batch_size: Annotated[int | None, typer.Option(help="Maximum number of stream records per batch.")] = None,
    batch_window: Annotated[float | None, typer.Option(help="Seconds to wait for a batch to fill.")] = None,
    max_retries: Annotated[
        int | None,
        typer.Option(min=0, help="Retries of a failed batch before its records are dead-lettered. Default: no limit."),
    ] = None,
    max_age: Annotated[
        float | None,
        typer.Option(min=1, help="Age in seconds above which a record is dead-lettered. Default: no limit."),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(metavar="[HOST:]PORT", help="Serve /metrics, /health/live and /health/ready on this address."),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="Format of log lines: text, or one JSON object per line.")
    ] = LogFormat.TEXT,
) -> None:
    """Run a worker that keeps the index in step.

    Applies the changes of the table's stream to the index until Ctrl-C or SIGTERM. Creates the index and the state
    table TABLE-dynadex if they do not exist. Of several workers for one Sync, one is the leader and the others are
    standbys. Safe to interrupt and to kill: the next worker continues at the last checkpoint. Examples:

        dynadex run lessons:sync --opensearch http://127.0.0.1:9200

        dynadex run lessons:sync --http 0.0.0.0:9464 --log-format json
    """
    from dynadex.worker.event_source_mapping import Limits

    limits = Limits(maximum_retry_attempts=max_retries, maximum_record_age_seconds=max_age)
    log_to_terminal(log_format)
    try:
        settings = RuntimeSettings.from_environment(
            opensearch_url=opensearch,
            dynamodb_url=dynamodb,
            dead_letters=dead_letters,
            worker_batch_size=batch_size,
            worker_batch_window_seconds=batch_window,
        )
        _run(sync, settings, limits, http, "dynadex: {}".format if log_format is LogFormat.TEXT else json_line)
    except DynadexError as error:
        if log_format is LogFormat.TEXT:
            raise
        # As a log record, so that a log collector can parse it.
        _log.error(str(error), extra=error.fields)
        raise typer.Exit(FAILED) from None


def _run(sync: str, settings: RuntimeSettings, limits: Limits, http: str | None, as_line: Callable[[str], str]) -> None:
    from dynadex.worker.follow import follow

    with stop_on_signals(_STOP_SECONDS, as_line) as stop, ExitStack() as parts:
        if http is None:
            follow(load_sync(sync), settings, stop, limits)
            return
        host, port = _address(http)
        metrics = _metrics(load_sync(sync).index)
        from dynadex.http.server import listening, serving, url_of
        from dynadex.worker.http import worker_app

        sock = parts.enter_context(listening(port, host, "--http [HOST:]PORT"))

        def on_connected(runtime: Runtime) -> None:
            parts.enter_context(serving(worker_app(runtime, metrics), sock))
            _log.info(f"metrics and health on {url_of(sock)}", extra={"url": url_of(sock)})

        follow(
            load_sync(sync), settings, stop, limits,
            observer=metrics, on_bulk=metrics.on_bulk, on_connected=on_connected,
        )  # fmt: skip


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > _MAX_PORT:
        raise DynadexError(
            "serve on", text, "it is not a valid port", "For example: --http 9464, or --http 0.0.0.0:9464."
        )
    return host or _LOOPBACK, int(port)


def _metrics(index: str) -> WorkerMetrics:
    try:
        import dynadex.worker.http  # noqa: F401 - the service needs more than the metrics
        from dynadex.worker.metrics import WorkerMetrics
    except ModuleNotFoundError as missing:
        raise DynadexError(
            "serve", "metrics", f"{missing.name} is not installed", "Install it: pip install 'dynadex[worker]'."
        ) from missing
    return WorkerMetrics(index)
