"""Settings from the environment: how they are read and checked, and errors that name the variable."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dynadex.errors import DeclarationError
from dynadex.settings import RuntimeSettings, is_loopback, variables

SET: dict[str, tuple[dict[str, str], Any]] = {
    "opensearch_url": ({"OPENSEARCH_URL": "https://search.example.org"}, "https://search.example.org"),
    "opensearch_auth": ({"DYNADEX_OPENSEARCH_AUTH": "sigv4"}, "sigv4"),
    "dynamodb_url": ({"DYNADEX_DYNAMODB_URL": "http://127.0.0.1:8000"}, "http://127.0.0.1:8000"),
    "region": ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"}, "eu-west-1"),
    "state_table": ({"DYNADEX_STATE_TABLE": "state"}, "state"),
    "dead_letters": ({"DYNADEX_DEAD_LETTERS": "file:/tmp/dead-letters"}, "file:/tmp/dead-letters"),
    "stream_granularity_seconds": ({"DYNADEX_STREAM_GRANULARITY_SECONDS": "60"}, 60.0),
    "max_clock_skew_seconds": ({"DYNADEX_MAX_CLOCK_SKEW_SECONDS": "0.5"}, 0.5),
    "worker_batch_size": ({"DYNADEX_WORKER_BATCH_SIZE": "100"}, 100),
    "worker_batch_window_seconds": ({"DYNADEX_WORKER_BATCH_WINDOW_SECONDS": "2.5"}, 2.5),
    "worker_lease_seconds": ({"DYNADEX_WORKER_LEASE_SECONDS": "30"}, 30.0),
    "max_bulk_bytes": ({"DYNADEX_MAX_BULK_BYTES": "1000000"}, 1_000_000),
    "max_batch_seconds": ({"DYNADEX_MAX_BATCH_SECONDS": "90"}, 90.0),
    "refill_page_size": ({"DYNADEX_REFILL_PAGE_SIZE": "500"}, 500),
    "refill_slice_seconds": ({"DYNADEX_REFILL_SLICE_SECONDS": "60"}, 60.0),
    "opensearch_timeout_seconds": ({"DYNADEX_OPENSEARCH_TIMEOUT_SECONDS": "5"}, 5.0),
    "worker_poll_seconds": ({"DYNADEX_WORKER_POLL_SECONDS": "0.1"}, 0.1),
    "max_ready_lag_seconds": ({"DYNADEX_MAX_READY_LAG_SECONDS": "15"}, 15.0),
    "max_client_requests_per_second": ({"DYNADEX_MAX_CLIENT_REQUESTS_PER_SECOND": "5"}, 5),
    "cors_origins": ({"DYNADEX_CORS_ORIGINS": "https://example.org"}, "https://example.org"),
}
NUMBERS = [field.name for field in fields(RuntimeSettings) if isinstance(field.default, int | float)]
MAY_BE_ZERO = {"max_clock_skew_seconds", "worker_batch_window_seconds"}


def test_empty_environment_gives_the_defaults() -> None:
    assert RuntimeSettings.from_environment({}) == RuntimeSettings()


@pytest.mark.parametrize("name", [field.name for field in fields(RuntimeSettings)])
def test_each_setting_is_read_from_its_variable(name: str) -> None:
    environment, expected = SET[name]
    setting = getattr(RuntimeSettings.from_environment(environment), name)
    assert setting == expected
    assert type(setting) is type(expected)
    assert setting != getattr(RuntimeSettings(), name)
    assert set(environment) == set(variables(name))


@pytest.mark.parametrize("where", ["nonsense", "file:", "/var/dead-letters.jsonl", "s3://dead-letters/here"])
def test_dead_letters_must_be_a_file_or_a_queue(where: str) -> None:
    with pytest.raises(DeclarationError, match="neither file:PATH nor the URL of an SQS queue"):
        RuntimeSettings.from_environment({"DYNADEX_DEAD_LETTERS": where})


def test_dead_letters_location_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert RuntimeSettings().dead_letters_location == f"file:{tmp_path}/dead-letters.jsonl"
    queue = "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters"
    assert RuntimeSettings(dead_letters=queue).dead_letters_location == queue


def test_region_falls_back_to_the_default_region() -> None:
    assert RuntimeSettings.from_environment({"AWS_DEFAULT_REGION": "us-west-2"}).region == "us-west-2"
    assert RuntimeSettings.from_environment({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}).region == "us-west-2"


def test_empty_variable_counts_as_unset() -> None:
    assert (
        RuntimeSettings.from_environment(dict.fromkeys(("DYNADEX_WORKER_BATCH_SIZE", "OPENSEARCH_URL"), ""))
        == RuntimeSettings()
    )


def test_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNADEX_WORKER_BATCH_SIZE", "7")
    assert RuntimeSettings.from_environment().worker_batch_size == 7


def test_override_takes_precedence_over_the_environment_unless_it_is_none() -> None:
    environment = {"DYNADEX_WORKER_BATCH_SIZE": "7", "DYNADEX_STATE_TABLE": "state"}
    settings = RuntimeSettings.from_environment(environment, worker_batch_size=9, state_table=None)
    assert (settings.worker_batch_size, settings.state_table) == (9, "state")


def test_origins_are_separated_by_commas() -> None:
    settings = RuntimeSettings(cors_origins="https://example.org, http://127.0.0.1:8000,").checked()
    assert settings.origins == ("https://example.org", "http://127.0.0.1:8000")
    assert RuntimeSettings().origins == ()


@pytest.mark.parametrize("origin", ["*", "example.org", "https://example.org/", "https://example.org/page", "null"])
def test_invalid_origin_is_rejected(origin: str) -> None:
    with pytest.raises(DeclarationError, match="DYNADEX_CORS_ORIGINS"):
        RuntimeSettings.from_environment({"DYNADEX_CORS_ORIGINS": origin})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["many", "1,5", "-1", "0", "nan", "inf", "-inf", "1e999"])
def test_error_names_the_variable_of_an_unusable_number(name: str, text: str) -> None:
    [variable] = variables(name)
    if text == "0" and name in MAY_BE_ZERO:
        assert getattr(RuntimeSettings.from_environment({variable: text}), name) == 0
        return
    with pytest.raises(DeclarationError, match=rf"Cannot use the setting {variable}: .*Set it to a valid value"):
        RuntimeSettings.from_environment({variable: text})


@pytest.mark.parametrize("name", ["opensearch_url", "dynamodb_url"])
@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:9200", "ftp://x", "localhost", "http://", "https:///path", "http://[::1", "http://host:port", "//host"],
)
def test_error_names_the_variable_of_an_unusable_url(name: str, url: str) -> None:
    [variable] = variables(name)
    with pytest.raises(DeclarationError, match=re.escape(f"Cannot use the setting {variable}: {url!r}")):
        RuntimeSettings.from_environment({variable: url})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9200", "https://h.example.org/path", "http://[::1]:9200", "https://u:p@h"]
)
def test_http_and_https_urls_are_accepted(url: str) -> None:
    assert RuntimeSettings.from_environment({"OPENSEARCH_URL": url}).opensearch_url == url


def test_error_names_the_variable_of_an_unknown_auth_mode() -> None:
    with pytest.raises(DeclarationError, match=r"DYNADEX_OPENSEARCH_AUTH: 'basic' is not one of auto, sigv4, none"):
        RuntimeSettings.from_environment({"DYNADEX_OPENSEARCH_AUTH": "basic"})


def test_overrides_are_checked_like_the_environment() -> None:
    with pytest.raises(DeclarationError, match="DYNADEX_WORKER_BATCH_SIZE"):
        RuntimeSettings.from_environment({}, worker_batch_size=0)


def test_timing_is_in_microseconds() -> None:
    timing = RuntimeSettings(stream_granularity_seconds=60, max_clock_skew_seconds=0.5).timing
    assert (timing.granularity_us, timing.clock_skew_us) == (60_000_000, 500_000)
    assert (RuntimeSettings().timing.margin_us, RuntimeSettings().timing.window_us) == (2_000_000, 5_000_000)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000", True),
        ("http://LOCALHOST", True),
        ("http://127.0.0.1:8000", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:8000", True),
        ("http://127.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost.example.org", False),
        ("https://search.example.org", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("", False),
        (None, False),
    ],
)
def test_only_loopback_addresses_are_loopback(url: str | None, expected: bool) -> None:
    assert is_loopback(url) is expected
