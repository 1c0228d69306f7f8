"""Properties of all commands: consistent options, examples, color only on terminals, shell completion."""

from __future__ import annotations

import inspect
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from dynadex.cli import app
from dynadex.cli.options import _syncs_here
from tests.waiting import HANG_SECONDS

_COLOR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
# Commands that start their own backends unless a URL is given.
STARTING = ("local ", "demo")
# Commands with a result, which a program must be able to read.
PRINTING = {"check", "config", "indexes", "init", "redrive", "resync", "status", "local status", "verify"}


def commands(group: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    group = group or get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


COMMANDS = dict(commands())


def flags(command: Any) -> dict[str, Any]:
    return {flag: option for option in command.params for flag in getattr(option, "opts", ()) if flag.startswith("-")}


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_an_example(name: str) -> None:
    text = inspect.cleandoc(COMMANDS[name].help)
    assert re.search(r"Examples?:", text)
    assert f"    dynadex {name}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_option_has_a_help_text(name: str) -> None:
    assert [flag for flag, option in flags(COMMANDS[name]).items() if not option.help] == []


def test_option_has_the_same_help_text_everywhere() -> None:
    for flag in ("--opensearch", "--dynamodb", "--sample", "--yes", "--segments", "--resume"):
        helps = {option.help for name, command in COMMANDS.items() for f, option in flags(command).items()
                 if f == flag and not name.startswith(STARTING) and (flag, name) != ("--sample", "verify")}  # fmt: skip
        assert len(helps) == 1, flag


@pytest.mark.parametrize("limit", [("--max-age", "-5"), ("--max-age", "0"), ("--max-retries", "-1")])
def test_limit_that_would_dead_letter_every_change_is_rejected(limit: tuple[str, str]) -> None:
    answer = CliRunner().invoke(app, ["run", "nobody:nothing", *limit])
    assert answer.exit_code == 2
    assert limit[0] in answer.output


def test_command_with_a_result_prints_json() -> None:
    assert {name for name, command in COMMANDS.items() if "--json" in flags(command)} == PRINTING


def on_a_terminal(*arguments: str, **variables: str) -> str:
    """Run a command on a terminal and return its output."""
    leader, follower = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "dynadex", *arguments],
        stdin=follower, stdout=follower, stderr=follower, env=env | {"TERM": "xterm-256color"} | variables,
    )  # fmt: skip
    os.close(follower)
    shown = b""
    try:
        while part := os.read(leader, 4096):
            shown += part
    except OSError:
        # Linux raises it when the other side of a terminal is closed.
        pass
    os.close(leader)
    process.wait(HANG_SECONDS)
    return shown.decode()


def test_color_appears_only_on_a_terminal_without_no_color() -> None:
    assert _COLOR.search(on_a_terminal("--help"))
    assert not _COLOR.search(on_a_terminal("--help", NO_COLOR="1"))
    piped = subprocess.run([sys.executable, "-m", "dynadex", "--help"], capture_output=True, text=True, check=True)
    assert "\x1b" not in piped.stdout


def test_exit_codes_are_documented() -> None:
    assert "Exit codes: 0 for success; 1" in str(get_command(app).epilog)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "songs.py").write_text("import sys\nsync: Sync = Sync(\n    table='songs')\nother = dynadex.Sync(x)\n")
    (tmp_path / "broken.py").write_bytes(b"\xff no Python\nsync = Sync(\n")
    (tmp_path / "none.py").write_text("# sync = Sync(\nthing = 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [("", ["broken:sync", "songs:sync", "songs:other"]), ("songs:s", ["songs:sync"]), ("x", [])],
)
def test_syncs_of_this_folder_are_completed(typed: str, offered: list[str]) -> None:
    assert _syncs_here(typed) == offered


def test_shell_receives_the_completions(folder: Path) -> None:
    words = {"_DYNADEX_COMPLETE": "complete_bash", "COMP_WORDS": "dynadex verify so", "COMP_CWORD": "2"}
    command = [str(Path(sys.executable).with_name("dynadex"))]
    done = subprocess.run(command, cwd=folder, env=os.environ | words, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["songs:sync", "songs:other"]


@pytest.mark.parametrize("wrong", [("--http", "nonsense"), ("--dead-letters", "nonsense"), ("--opensearch", "")])
def test_worker_with_json_logs_reports_an_error_as_json(wrong: tuple[str, str]) -> None:
    answer = CliRunner().invoke(app, ["run", "dynadex.demo.lessons:sync", "--log-format", "json", *wrong])
    assert answer.exit_code == 1
    [line] = answer.output.splitlines()
    assert json.loads(line)["message"].startswith("Cannot ")


def test_password_is_not_written_to_the_project(tmp_path: Path) -> None:
    url = "https://admin:secret@search.example.org"
    answer = CliRunner().invoke(app, ["init", "--dir", str(tmp_path / "new"), "--opensearch", url])
    assert answer.exit_code == 0
    assert "set OPENSEARCH_URL for the commands that follow" in answer.output
    written = [path.read_text() for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert written
    assert not any("secret" in text for text in written)
