"""Settings from flags, the environment and pyproject.toml: read and checked once, then passed on as a value."""

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
# Up to the last @: a password that is not percent-encoded may contain @, or a character that would end the host.
_PASSWORD = re.compile(r"(?<=//)([^/@:]*):.*@")
_FILE = "file:"
_FLAG = "flag"
_AUTH_MODES = ("auto", "sigv4", "none")
PROJECT_FILE = "pyproject.toml"
_MAY_BE_ZERO = ("max_clock_skew_seconds", "worker_batch_window_seconds")


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """How the commands and the Lambda functions run, as opposed to what a Sync declares.

    Each field's docstring names its environment variable, and is the source of docs/settings.md.
    """

    opensearch_url: str = "http://127.0.0.1:9200"
    """OPENSEARCH_URL: URL of the search cluster, for every command and function. Plain HTTP only on this machine."""
    opensearch_auth: str = "auto"
    """DYNADEX_OPENSEARCH_AUTH: Whether requests to the search cluster are signed with the AWS credentials (SigV4).
    `sigv4`: always. `none`: never. `auto`: for hosts of Amazon OpenSearch Service, unless the URL contains a user
    name."""
    dynamodb_url: str | None = None
    """DYNADEX_DYNAMODB_URL: Endpoint of DynamoDB, its streams, SQS, S3 and CloudWatch, for an emulator. Unset: the
    endpoints of AWS."""
    region: str | None = None
    """AWS_REGION, else AWS_DEFAULT_REGION: AWS region of the table. Unset: `us-east-1` for a loopback endpoint,
    otherwise the region of the AWS profile."""
    state_table: str | None = None
    """DYNADEX_STATE_TABLE: Name of the DynamoDB table that keeps checkpoints, leases and the state of backfills.
    Unset: `TABLE-dynadex`."""
    dead_letters: str = "file:dead-letters.jsonl"
    """DYNADEX_DEAD_LETTERS: Where the keys of items that cannot be indexed are dead-lettered: `file:PATH`, or the URL
    of an SQS queue. A relative path starts at the current folder."""
    stream_granularity_seconds: float = 1.0
    """DYNADEX_STREAM_GRANULARITY_SECONDS: Granularity, in seconds, to which the stream rounds down the times of its
    records: 1 on AWS, 60 in DynamoDB Local. If the value is too low, a backfill could overwrite a newer document."""
    max_clock_skew_seconds: float = 1.0
    """DYNADEX_MAX_CLOCK_SKEW_SECONDS: Maximum difference, in seconds, between the clock of this machine and that of
    DynamoDB. If the value is too low, a backfill could overwrite a newer document."""
    worker_batch_size: int = 1000
    """DYNADEX_WORKER_BATCH_SIZE: Maximum number of stream records in a batch of the worker."""
    worker_batch_window_seconds: float = 0.0
    """DYNADEX_WORKER_BATCH_WINDOW_SECONDS: Maximum time, in seconds, that the worker waits for a batch to fill.
    0: it does not wait."""
    max_batch_seconds: float = 60.0
    """DYNADEX_MAX_BATCH_SECONDS: Maximum time, in seconds, that a writer may take with a batch of changes: the timeout
    of the Lambda function of the stream, and a limit that the worker keeps itself. A rebuild waits this long before it
    scans."""
    worker_lease_seconds: float = 10.0
    """DYNADEX_WORKER_LEASE_SECONDS: Time, in seconds, without a heartbeat from the leading worker after which a standby
    takes over."""
    max_bulk_bytes: int = 5 * 1024 * 1024
    """DYNADEX_MAX_BULK_BYTES: Maximum size, in bytes, of a bulk request to the search cluster."""
    refill_page_size: int = 2000
    """DYNADEX_REFILL_PAGE_SIZE: Maximum number of items that a backfill reads, writes and checkpoints together."""
    refill_slice_seconds: float = 240.0
    """DYNADEX_REFILL_SLICE_SECONDS: Time, in seconds, that one invocation of the backfill function scans before the
    state machine starts the next one."""
    opensearch_timeout_seconds: float = 30.0
    """DYNADEX_OPENSEARCH_TIMEOUT_SECONDS: Timeout, in seconds, of a request to the search cluster."""
    worker_poll_seconds: float = 0.25
    """DYNADEX_WORKER_POLL_SECONDS: Pause of the worker, in seconds, after it reads a shard that has no new records."""
    max_ready_lag_seconds: float = 60.0
    """DYNADEX_MAX_READY_LAG_SECONDS: Maximum lag of the index, in seconds, with which `/health/ready` of the search
    service returns 200. An idle worker reports its lag up to eight seconds late, so use at least 15."""

    max_client_requests_per_second: int = 30
    """DYNADEX_MAX_CLIENT_REQUESTS_PER_SECOND: Maximum number of searches, completions and documents that one client may
    request in a second. Each process of the search service counts separately. On AWS there is no such
    limit: the API gateway throttles."""
    cors_origins: str | None = None
    """DYNADEX_CORS_ORIGINS: Other websites whose pages may call the search service and, with a token, write through it:
    origins such as `https://example.org`, separated by commas. Unset: none."""

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins in ``cors_origins``."""
        return tuple(origin.strip() for origin in (self.cors_origins or "").split(",") if origin.strip())

    @property
    def dead_letters_location(self) -> str:
        """``dead_letters`` for messages: a file with its absolute path, since a relative one depends on the folder."""
        if not self.dead_letters.startswith(_FILE):
            return self.dead_letters
        return _FILE + str(Path(self.dead_letters.removeprefix(_FILE)).absolute())

    @property
    def timing(self) -> Timing:
        """Granularity and clock skew, for the version rule."""
        return Timing(
            granularity_us=round(self.stream_granularity_seconds * MICROSECONDS),
            clock_skew_us=round(self.max_clock_skew_seconds * MICROSECONDS),
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> RuntimeSettings:
        """Read and check the settings of this process.

        Args:
            environment: Environment variables; by default those of the process. If passed, pyproject.toml is not read.
            **overrides: Values of flags by field name. They take precedence over the environment, unless None.

        Returns:
            The settings, each from the first source that has it: flag, environment, pyproject.toml, default.

        Raises:
            DeclarationError: If a value is unusable; it names the flag, the variable or the key.
        """
        sources = sourced(environment, **overrides)
        subjects = {source.name: source.where for source in sources if source.project}
        subjects |= {
            source.name: f"{variables(source.name)[0]}, set by its flag" for source in sources if source.where == _FLAG
        }
        return cls(**{source.name: source.value for source in sources}).checked(subjects)

    def checked(self, subjects: Mapping[str, str] | None = None) -> RuntimeSettings:
        """Return these settings if each is usable.

        Raises DeclarationError otherwise. Its subject is the variable of the setting, or what ``subjects`` has for it.
        """
        subjects = subjects or {}
        self._check_locations(subjects)
        for origin in self.origins:
            if not _is_web_address(origin) or urlsplit(origin).path or urlsplit(origin).query:
                reason = f"{without_password(origin)!r} is not an origin of the form https://host or https://host:port"
                raise _unusable(subjects.get("cors_origins", "cors_origins"), reason)
        if self.opensearch_auth not in _AUTH_MODES:
            reason = f"{self.opensearch_auth!r} is not one of {', '.join(_AUTH_MODES)}"
            raise _unusable(subjects.get("opensearch_auth", "opensearch_auth"), reason)
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float):
                continue
            if not isfinite(value) or value < 0:
                raise _unusable(subjects.get(field.name, field.name), f"{value} is not a finite number of at least 0")
            if value == 0 and field.name not in _MAY_BE_ZERO:
                raise _unusable(subjects.get(field.name, field.name), f"{value} is not greater than 0")
        return self

    def _check_locations(self, subjects: Mapping[str, str]) -> None:
        for name in ("opensearch_url", "dynamodb_url"):
            url = getattr(self, name)
            # An empty URL is not an unset one: `--opensearch "$URL"` with URL unset must not connect to the default.
            if url is not None and not _is_web_address(url):
                raise _unusable(subjects.get(name, name), f"{without_password(url)!r} is not an http or https URL")
        is_file = self.dead_letters.startswith(_FILE) and self.dead_letters != _FILE
        if not is_file and not _is_web_address(self.dead_letters):
            reason = f"{without_password(self.dead_letters)!r} is neither file:PATH nor the URL of an SQS queue"
            raise _unusable(subjects.get("dead_letters", "dead_letters"), reason)


@dataclass(frozen=True, slots=True)
class Sourced:
    """A setting with its source: ``where`` names it there, and ``project`` is true if that is pyproject.toml."""

    name: str
    value: Any
    where: str
    project: bool = False


def sourced(
    environment: Mapping[str, str] | None = None, project: Mapping[str, Any] | None = None, **overrides: Any
) -> list[Sourced]:
    """Return every setting with its source, unchecked.

    The value is the first of: the flag (an override that is not None), the environment variable, the key in the table
    ``[tool.dynadex]`` of pyproject.toml in the current folder, the default. If an ``environment`` is passed, no file
    is read, and ``project`` replaces it. Raises DeclarationError for a value of the wrong type.
    """
    if project is None:
        project = project_settings() if environment is None else {}
    env = os.environ if environment is None else environment
    return [
        _sourced(field.name, type(field.default), field.default, overrides, env, project)
        for field in fields(RuntimeSettings)
    ]


def project_settings(folder: Path | None = None) -> Mapping[str, Any]:
    """Return the table ``[tool.dynadex]`` of the pyproject.toml in ``folder``, by default the current folder.

    Parent folders are not searched. Empty if there is no such file. Raises DeclarationError for a file that is not
    TOML, and for a key that is not a setting.
    """
    path = (folder or Path()) / PROJECT_FILE
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    import tomllib

    hint = "Correct the file; dynadex reads its settings from it."
    try:
        table: Mapping[str, Any] = tomllib.loads(content.decode())
    except ValueError as error:
        raise DeclarationError("read", str(path.absolute()), str(error), hint) from error
    for name in ("tool", "dynadex"):
        table = table.get(name, {})
        if not isinstance(table, Mapping):
            reason = f"its key {name} is not a table"
            raise DeclarationError("read", str(path.absolute()), reason, hint)
    names = [field.name for field in fields(RuntimeSettings)]
    for name in table:
        if name not in names:
            from difflib import get_close_matches

            near = get_close_matches(name, names, 1)
            hint = f"Did you mean {near[0]}?" if near else "`dynadex config` lists all settings."
            raise DeclarationError("use the setting", _in_project(name), "it is not a setting of dynadex", hint)
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
            expected = "text" if kind not in (int, float) else "a whole number" if kind is int else "a number"
            raise _unusable(_in_project(name), f"{value!r} is not {expected}")
        return Sourced(name, kind(value) if kind is float else value, _in_project(name), project=True)
    return Sourced(name, default, "default")


def _in_project(name: str) -> str:
    return f"{name} in [tool.dynadex] of {PROJECT_FILE}"


def variables(field_name: str) -> tuple[str, ...]:
    """Return the environment variables of a setting; the first that is set takes precedence."""
    if field_name == "opensearch_url":
        return ("OPENSEARCH_URL",)
    if field_name == "region":
        return ("AWS_REGION", "AWS_DEFAULT_REGION")
    return (_PREFIX + field_name.upper(),)


def without_password(text: str) -> str:
    """Return a URL for messages, with its password masked, even if the URL is malformed."""
    return _PASSWORD.sub(r"\1:***@", text)


def is_loopback(url: str | None) -> bool:
    """Return whether the host of the URL is a loopback address."""
    host = urlsplit(url or "").hostname or ""
    try:
        # Parsed as an address, because 127.example.org is an ordinary name.
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
    """``name`` is the field of a setting, or a description of where it is set."""
    subject = variables(name)[0] if name in RuntimeSettings.__slots__ else name
    return DeclarationError("use the setting", subject, reason, "Set it to a valid value, or unset it.")
