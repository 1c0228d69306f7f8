"""Output of the commands: lines for the user and log lines, as text and as JSON, on standard error."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from dynadex.cli.output import LogFormat, aligned, json_line, log_to_terminal, printable, redirect_lines, say
from dynadex.cli.progress import progress_bar

LOG = logging.getLogger("dynadex.part")


@pytest.fixture(autouse=True)
def dynadex_logger() -> Iterator[logging.Logger]:
    """The logger that `log_to_terminal` configures, restored afterwards."""
    logger = logging.getLogger("dynadex")
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)
    log_to_terminal()
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_line_for_the_user_is_printed_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("created index lessons")
    assert capsys.readouterr() == ("", "dynadex: created index lessons\n")


def test_log_record_is_a_line_without_its_fields_in_text(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_terminal()
    LOG.info("read %d items", 5, extra={"items": 5})
    assert capsys.readouterr() == ("", "dynadex: read 5 items\n")


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_warnings_and_errors_are_marked_in_text(capsys: pytest.CaptureFixture[str], level: int) -> None:
    log_to_terminal()
    LOG.log(level, "the cluster is unavailable")
    assert capsys.readouterr().err == "dynadex: ! the cluster is unavailable\n"


def test_debug_records_and_other_loggers_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_terminal()
    LOG.debug("detail")
    logging.getLogger("botocore").warning("retrying")
    assert capsys.readouterr() == ("", "")


def test_log_record_is_an_object_with_its_fields_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_terminal(LogFormat.JSON)
    LOG.warning("waiting: %s", "503 busy", extra={"operation": "read index", "sample_percent": None})
    record = json.loads(capsys.readouterr().err)
    assert record.pop("time").startswith("20")
    assert record == {
        "level": "WARNING", "message": "waiting: 503 busy", "operation": "read index", "sample_percent": None,
    }  # fmt: skip


@pytest.mark.parametrize("log_format", LogFormat)
def test_traceback_is_printed(capsys: pytest.CaptureFixture[str], log_format: LogFormat) -> None:
    log_to_terminal(log_format)
    try:
        raise ValueError("wrong")
    except ValueError:
        LOG.exception("operation failed")
    printed = capsys.readouterr().err
    if log_format is LogFormat.JSON:
        assert json.loads(printed)["exception"].endswith("ValueError: wrong")
    else:
        assert printed.startswith("dynadex: ! operation failed\nTraceback")
        assert printed.endswith("ValueError: wrong\n")


def test_second_call_changes_the_format_and_prints_each_record_once(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_terminal()
    log_to_terminal(LogFormat.JSON)
    LOG.info("ready")
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "ready"


def test_json_line_contains_values_that_json_cannot_represent_as_text() -> None:
    record = json.loads(json_line("größer", fields={"error": ValueError("wrong")}))
    assert (record["level"], record["message"], record["error"]) == ("INFO", "größer", "wrong")


def test_lines_are_redirected_within_the_block(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_terminal()
    lines: list[str] = []
    with redirect_lines(lines.append):
        say("created index lessons")
        LOG.warning("waiting")
    say("done")
    assert lines == ["dynadex: created index lessons", "dynadex: ! waiting"]
    assert capsys.readouterr() == ("", "dynadex: done\n")


def test_lines_are_printed_above_a_progress_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    log_to_terminal()
    with progress_bar() as bar:
        assert bar.live
        bar.update(1, 4, "0 differences")
        LOG.info("waiting for [bold]index[/bold]")
        say("created index lessons")
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.index("dynadex: waiting for [bold]index[/bold]") < errors.index("dynadex: created index lessons")
    assert "dynadex: 1 of about 4 items, " in errors.splitlines()[-1]


def test_progress_without_a_terminal_is_one_line_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as bar:
        assert not bar.live
        bar.update(0, None, "0 differences")
        bar.update(3, None, "1 difference")
        bar.close("stopped before its end")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("dynadex: 3 items, ")
    assert first.endswith(" items/s: 1 difference")
    assert second == "dynadex: stopped before its end"


def test_rows_are_aligned_without_trailing_spaces() -> None:
    assert aligned([("kind", "found"), ("missing", "12"), ("orphan", "")]) == [
        "kind     found",
        "missing  12",
        "orphan",
    ]


@pytest.mark.parametrize(("text", "shown"), [("a b", "a b"), ("two\nlines\x1b[2J", '"two\\nlines\\u001b[2J"')])
def test_text_with_control_characters_is_printed_as_a_json_string(text: str, shown: str) -> None:
    assert printable(text) == shown
