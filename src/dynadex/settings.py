"""Settings from the environment: read once, checked once, passed on as a value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from ipaddress import ip_address
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from dynadex.document.versioning import MICROSECONDS, Timing
from dynadex.errors import DeclarationError

_PREFIX = "DYNADEX_"
_AUTH = ("auto", "sigv4", "none")
_MAY_BE_ZERO = ("clock_skew_seconds", "batch_window_seconds")


@dataclass(frozen=True, slots=True)
class Settings:
    """How dynadex runs, as opposed to what a Sync declares. Each field says its environment variable and unit."""

    opensearch_url: str = "http://127.0.0.1:9200"
    """OPENSEARCH_URL: where the search cluster answers."""
    opensearch_auth: str = "auto"
    """DYNADEX_OPENSEARCH_AUTH: sigv4 signs each request to the search cluster with the AWS credentials, none does not;
    auto signs for hosts of Amazon OpenSearch Service, unless the URL holds a user."""
    dynamodb_url: str | None = None
    """DYNADEX_DYNAMODB_URL: endpoint of the DynamoDB API, its streams, SQS and CloudWatch; unset means AWS."""
    region: str | None = None
    """AWS_REGION, else AWS_DEFAULT_REGION: region of the table; us-east-1 for a loopback endpoint."""
    state_table: str | None = None
    """DYNADEX_STATE_TABLE: table that keeps checkpoints and leases; default is TABLE-dynadex."""
    dead_letters: str = "file:dead-letters.jsonl"
    """DYNADEX_DEAD_LETTERS: where keys are parked that cannot be indexed: file:PATH or the URL of an SQS queue."""
    stream_granularity_seconds: float = 1.0
    """DYNADEX_STREAM_GRANULARITY_SECONDS: what the stream rounds times down to; AWS 1, DynamoDB Local 60."""
    clock_skew_seconds: float = 1.0
    """DYNADEX_CLOCK_SKEW_SECONDS: how far this machine's clock may be from DynamoDB's."""
    batch_size: int = 1000
    """DYNADEX_BATCH_SIZE: most records per batch of the worker."""
    batch_window_seconds: float = 0.0
    """DYNADEX_BATCH_WINDOW_SECONDS: how long the worker lets a batch fill up."""
    longest_invocation_seconds: float = 60.0
    """DYNADEX_LONGEST_INVOCATION_SECONDS: how long a writer of changes may take with one batch: the time-out of the
    stream's Lambda function, and the worker's own limit. A rebuild waits for it once."""
    lease_seconds: float = 10.0
    """DYNADEX_LEASE_SECONDS: silence of a worker after which one that stands by takes over."""
    bulk_bytes: int = 5 * 1024 * 1024
    """DYNADEX_BULK_BYTES: largest bulk request."""
    page_items: int = 2000
    """DYNADEX_PAGE_ITEMS: most items that a refill reads, writes and acknowledges together."""
    slice_seconds: float = 240.0
    """DYNADEX_SLICE_SECONDS: how long one invocation of the refill Lambda scans."""
    request_timeout_seconds: float = 30.0
    """DYNADEX_REQUEST_TIMEOUT_SECONDS: longest wait for one answer of the search cluster."""
    poll_seconds: float = 0.25
    """DYNADEX_POLL_SECONDS: the worker's pause after an empty read of a shard."""
    ready_lag_seconds: float = 60.0
    """DYNADEX_READY_LAG_SECONDS: largest lag with which `/health/ready` of the search service answers 200. With nothing
    to do a worker notes up to eight seconds: no less than 15 makes sense."""

    @property
    def timing(self) -> Timing:
        """The clocks' worth, for the version rule."""
        return Timing(
            granularity_us=round(self.stream_granularity_seconds * MICROSECONDS),
            clock_skew_us=round(self.clock_skew_seconds * MICROSECONDS),
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Settings of this process; ``overrides`` that are not None win over the environment.

        Raises DeclarationError naming the variable that holds something unusable.
        """
        env = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = next((env[name] for name in variables(field.name) if env.get(name)), None)
            if text is not None:
                values[field.name] = _parse(field.name, type(field.default), text)
        chosen = {name: value for name, value in overrides.items() if value is not None}
        return replace(cls(**values), **chosen).checked()

    def checked(self) -> Settings:
        """These settings, once it is certain that they make sense; raises DeclarationError otherwise."""
        for name in ("opensearch_url", "dynamodb_url"):
            url = getattr(self, name)
            if url and not _is_web_address(url):
                raise _unusable(name, f"{url!r} is no http or https URL")
        if self.opensearch_auth not in _AUTH:
            raise _unusable("opensearch_auth", f"{self.opensearch_auth!r} is none of {', '.join(_AUTH)}")
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float):
                continue
            if not isfinite(value) or value < 0:
                raise _unusable(field.name, f"{value} is no amount")
            if value == 0 and field.name not in _MAY_BE_ZERO:
                raise _unusable(field.name, f"{value} is not above zero")
        return self


def variables(field_name: str) -> tuple[str, ...]:
    """The environment variables a setting is read from, the first that is set wins."""
    if field_name == "opensearch_url":
        return ("OPENSEARCH_URL",)
    if field_name == "region":
        return ("AWS_REGION", "AWS_DEFAULT_REGION")
    return (_PREFIX + field_name.upper(),)


def is_loopback(url: str | None) -> bool:
    """Whether the URL stays on this machine."""
    host = urlsplit(url or "").hostname or ""
    try:
        # As an address: 127.example.org is a name like any other.
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _parse(name: str, kind: type, text: str) -> Any:
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise _unusable(name, f"{text!r} is not a number") from None
    return text


def _unusable(name: str, reason: str) -> DeclarationError:
    return DeclarationError("use the setting", variables(name)[0], reason, "Set it to a usable value, or unset it.")
