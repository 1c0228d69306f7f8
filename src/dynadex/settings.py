"""Settings from flags, the environment and pyproject.toml: read once, checked once, passed on as a value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dynadex.document.versioning import MICROSECONDS, Timing
from dynadex.errors import DeclarationError

_PREFIX = "DYNADEX_"
# To the last @: one that is not percent-encoded may hold one, or what ends a host elsewhere.
_PASSWORD = re.compile(r"(?<=//)([^/@:]*):.*@")
_FILE = "file:"
_FLAG = "flag"
_AUTH = ("auto", "sigv4", "none")
PROJECT_FILE = "pyproject.toml"
_MAY_BE_ZERO = ("max_clock_skew_seconds", "worker_batch_window_seconds")


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
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
    """DYNADEX_DEAD_LETTERS: where keys are dead-lettered that cannot be indexed: file:PATH or the URL of an SQS
    queue."""
    stream_granularity_seconds: float = 1.0
    """DYNADEX_STREAM_GRANULARITY_SECONDS: what the stream rounds times down to; AWS 1, DynamoDB Local 60."""
    max_clock_skew_seconds: float = 1.0
    """DYNADEX_MAX_CLOCK_SKEW_SECONDS: how far this machine's clock may be from DynamoDB's."""
    worker_batch_size: int = 1000
    """DYNADEX_WORKER_BATCH_SIZE: most records per batch of the worker."""
    worker_batch_window_seconds: float = 0.0
    """DYNADEX_WORKER_BATCH_WINDOW_SECONDS: how long the worker lets a batch fill up."""
    max_batch_seconds: float = 60.0
    """DYNADEX_MAX_BATCH_SECONDS: how long a writer of changes may take with one batch: the time-out of the
    stream's Lambda function, and the worker's own limit. A rebuild waits for it once."""
    worker_lease_seconds: float = 10.0
    """DYNADEX_WORKER_LEASE_SECONDS: silence of a worker after which one that stands by takes over."""
    max_bulk_bytes: int = 5 * 1024 * 1024
    """DYNADEX_MAX_BULK_BYTES: largest bulk request."""
    refill_page_size: int = 2000
    """DYNADEX_REFILL_PAGE_SIZE: most items that a refill reads, writes and acknowledges together."""
    refill_slice_seconds: float = 240.0
    """DYNADEX_REFILL_SLICE_SECONDS: how long one invocation of the refill Lambda scans."""
    opensearch_timeout_seconds: float = 30.0
    """DYNADEX_OPENSEARCH_TIMEOUT_SECONDS: longest wait for one answer of the search cluster."""
    worker_poll_seconds: float = 0.25
    """DYNADEX_WORKER_POLL_SECONDS: the worker's pause after an empty read of a shard."""
    max_ready_lag_seconds: float = 60.0
    """DYNADEX_MAX_READY_LAG_SECONDS: largest lag with which `/health/ready` of the search service answers 200. With
    nothing to do a worker notes up to eight seconds: no less than 15 makes sense."""

    max_client_requests_per_second: int = 30
    """DYNADEX_MAX_CLIENT_REQUESTS_PER_SECOND: how many searches, completions and documents one client may ask for in
    any second,
    counted in the process of the search service. Behind the gateway on AWS, which throttles, nothing is counted."""
    cors_origins: str | None = None
    """DYNADEX_CORS_ORIGINS: other sites whose pages may ask the search service and, with a token, write: origins such
    as `https://example.org`, separated by commas. Unset means none."""

    @property
    def origins(self) -> tuple[str, ...]:
        """The sites of ``cors_origins``, one by one."""
        return tuple(one.strip() for one in (self.cors_origins or "").split(",") if one.strip())

    @property
    def dead_letters_location(self) -> str:
        """``dead_letters`` for people: a file by its absolute path, since it differs from folder to folder."""
        if not self.dead_letters.startswith(_FILE):
            return self.dead_letters
        return _FILE + str(Path(self.dead_letters.removeprefix(_FILE)).absolute())

    @property
    def timing(self) -> Timing:
        """The clocks' worth, for the version rule."""
        return Timing(
            granularity_us=round(self.stream_granularity_seconds * MICROSECONDS),
            clock_skew_us=round(self.max_clock_skew_seconds * MICROSECONDS),
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> RuntimeSettings:
        """Settings of this process: ``overrides`` that are not None, else the environment, else pyproject.toml.

        Raises DeclarationError naming the variable, or the key, that holds something unusable.
        """
        found = sourced(environment, **overrides)
        named = {one.name: one.where for one in found if one.project or one.where == _FLAG}
        named |= {name: f"{variables(name)[0]}, given by its flag" for name, where in named.items() if where == _FLAG}
        return cls(**{one.name: one.value for one in found}).checked(named)

    def checked(self, named: Mapping[str, str] | None = None) -> RuntimeSettings:
        """These settings, once it is certain that they make sense; raises DeclarationError otherwise, which calls a
        setting by its variable unless ``named`` has another name for it."""
        named = named or {}
        self._check_places(named)
        for origin in self.origins:
            if not _is_web_address(origin) or urlsplit(origin).path or urlsplit(origin).query:
                reason = f"{without_password(origin)!r} is no origin of the form https://host or https://host:port"
                raise _unusable(named.get("cors_origins", "cors_origins"), reason)
        if self.opensearch_auth not in _AUTH:
            reason = f"{self.opensearch_auth!r} is none of {', '.join(_AUTH)}"
            raise _unusable(named.get("opensearch_auth", "opensearch_auth"), reason)
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float):
                continue
            if not isfinite(value) or value < 0:
                raise _unusable(named.get(field.name, field.name), f"{value} is no amount")
            if value == 0 and field.name not in _MAY_BE_ZERO:
                raise _unusable(named.get(field.name, field.name), f"{value} is not above zero")
        return self

    def _check_places(self, named: Mapping[str, str]) -> None:
        for name in ("opensearch_url", "dynamodb_url"):
            url = getattr(self, name)
            # Empty is not unset: `--opensearch "$URL"` without URL must not go somewhere else, or nowhere.
            if url is not None and not _is_web_address(url):
                raise _unusable(named.get(name, name), f"{without_password(url)!r} is no http or https URL")
        in_file = self.dead_letters.startswith(_FILE) and self.dead_letters != _FILE
        if not in_file and not _is_web_address(self.dead_letters):
            reason = f"{without_password(self.dead_letters)!r} is neither file:PATH nor the URL of an SQS queue"
            raise _unusable(named.get("dead_letters", "dead_letters"), reason)


@dataclass(frozen=True, slots=True)
class Sourced:
    """A setting, and where it came from: ``where`` names it there; ``project``, if that is pyproject.toml."""

    name: str
    value: Any
    where: str
    project: bool = False


def sourced(
    environment: Mapping[str, str] | None = None, project: Mapping[str, Any] | None = None, **overrides: Any
) -> list[Sourced]:
    """Every setting, unchecked, from the first of: flags (``overrides`` that are not None), the environment, the table
    ``[tool.dynadex]`` of the current folder's pyproject.toml, the defaults.

    With an ``environment`` given, no file is read; ``project`` stands for it. Raises DeclarationError for what cannot
    be read as the kind of value it should be.
    """
    if project is None:
        project = project_settings() if environment is None else {}
    env = os.environ if environment is None else environment
    return [
        _sourced(one.name, type(one.default), one.default, overrides, env, project) for one in fields(RuntimeSettings)
    ]


def project_settings(folder: Path | None = None) -> Mapping[str, Any]:
    """The table ``[tool.dynadex]`` of the pyproject.toml in ``folder``, by default the current one, and in no other.

    Raises DeclarationError for a file that is not TOML and for a key that is no setting.
    """
    path = (folder or Path()) / PROJECT_FILE
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    import tomllib

    hint = "Mend it; dynadex reads its settings there."
    try:
        table: Mapping[str, Any] = tomllib.loads(content.decode())
    except ValueError as error:
        raise DeclarationError("read", str(path.absolute()), str(error), hint) from error
    for name in ("tool", "dynadex"):
        table = table.get(name, {})
        if not isinstance(table, Mapping):
            reason = f"{name} in it is no table"
            raise DeclarationError("read", str(path.absolute()), reason, hint)
    names = [one.name for one in fields(RuntimeSettings)]
    for name in table:
        if name not in names:
            from difflib import get_close_matches

            near = get_close_matches(name, names, 1)
            hint = f"Did you mean {near[0]}?" if near else "`dynadex config` shows those there are."
            raise DeclarationError("use the setting", _in_project(name), "there is no such setting", hint)
    return table


def _sourced(
    name: str, kind: type, default: Any, flags: Mapping[str, Any], env: Mapping[str, str], project: Mapping[str, Any]
) -> Sourced:
    if flags.get(name) is not None:
        return Sourced(name, flags[name], _FLAG)
    variable = next((variable for variable in variables(name) if env.get(variable)), None)
    if variable:
        return Sourced(name, _parse(variables(name)[0], kind, env[variable]), variable)
    if name in project:
        value = project[name]
        fits = isinstance(value, str) if kind not in (int, float) else type(value) in (int, kind)
        if not fits:
            wanted = "text" if kind not in (int, float) else "a whole number" if kind is int else "a number"
            raise _unusable(_in_project(name), f"{value!r} is not {wanted}")
        return Sourced(name, kind(value) if kind is float else value, _in_project(name), project=True)
    return Sourced(name, default, "default")


def _in_project(name: str) -> str:
    return f"{name} in [tool.dynadex] of {PROJECT_FILE}"


def variables(field_name: str) -> tuple[str, ...]:
    """The environment variables a setting is read from, the first that is set wins."""
    if field_name == "opensearch_url":
        return ("OPENSEARCH_URL",)
    if field_name == "region":
        return ("AWS_REGION", "AWS_DEFAULT_REGION")
    return (_PREFIX + field_name.upper(),)


def without_password(text: str) -> str:
    """A URL for people: without the password that it may hold, whether or not that is written as it should be."""
    return _PASSWORD.sub(r"\1:***@", text)


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
    """``name`` is the setting's, or says where it was set."""
    subject = variables(name)[0] if name in RuntimeSettings.__slots__ else name
    return DeclarationError("use the setting", subject, reason, "Set it to a usable value, or unset it.")
