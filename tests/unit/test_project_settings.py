"""Settings from pyproject.toml, and where each came from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dynadex.cli import app
from dynadex.errors import DeclarationError
from dynadex.settings import RuntimeSettings, project_settings, sourced

PROJECT = """
[tool.dynadex]
opensearch_url = "https://project.example.org"
worker_batch_size = 10
worker_lease_seconds = 5
dead_letters = "file:project.jsonl"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pyproject.toml, as the current one; the environment says nothing."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    for name in (
        "OPENSEARCH_URL",
        "DYNADEX_WORKER_BATCH_SIZE",
        "DYNADEX_DEAD_LETTERS",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_project_wins_over_the_defaults() -> None:
    settings = RuntimeSettings.from_environment()
    assert (settings.opensearch_url, settings.worker_batch_size) == ("https://project.example.org", 10)
    assert (settings.worker_lease_seconds, type(settings.worker_lease_seconds)) == (5.0, float)
    assert settings.refill_page_size == RuntimeSettings().refill_page_size


@pytest.mark.usefixtures("folder")
def test_the_environment_wins_over_the_project_and_a_flag_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNADEX_WORKER_BATCH_SIZE", "20")
    monkeypatch.setenv("OPENSEARCH_URL", "https://environment.example.org")
    found = {one.name: (one.value, one.where) for one in sourced(opensearch_url="https://flag.example.org")}
    assert found["opensearch_url"] == ("https://flag.example.org", "flag")
    assert found["worker_batch_size"] == (20, "DYNADEX_WORKER_BATCH_SIZE")
    assert found["dead_letters"] == ("file:project.jsonl", "dead_letters in [tool.dynadex] of pyproject.toml")
    assert found["region"] == (None, "default")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["opensearch_url", "dynamodb_url"])
def test_an_empty_url_is_told_and_not_taken_for_none(name: str) -> None:
    with pytest.raises(DeclarationError, match="_URL, given by its flag: '' is no http or https URL"):
        RuntimeSettings.from_environment(None, **{name: ""})


@pytest.mark.parametrize("text", [b"tool = 3", b"[tool]\ndynadex = 3", b"[tool]\ndynadex = []", b"\xff\xfe", b"["])
def test_a_file_that_holds_no_settings_but_something_else_in_their_place_is_named(folder: Path, text: bytes) -> None:
    (folder / "pyproject.toml").write_bytes(text)
    with pytest.raises(DeclarationError, match=re.escape(f"read {folder / 'pyproject.toml'}: ")):
        project_settings()


def test_only_the_current_folder_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = folder / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    assert project_settings() == {}


@pytest.mark.usefixtures("folder")
def test_a_given_environment_is_all_there_is() -> None:
    assert RuntimeSettings.from_environment({}) == RuntimeSettings()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("batchsize = 1", r"batchsize in \[tool.dynadex\] .*no such setting. Did you mean worker_batch_size\?"),
        ("nonsense = 1", r"nonsense in .*no such setting. `dynadex config` shows"),
        (
            'worker_batch_size = "10"',
            r"worker_batch_size in \[tool.dynadex\] of pyproject.toml: '10' is not a whole number",
        ),
        ("worker_batch_size = 1.5", "1.5 is not a whole number"),
        ("worker_batch_size = true", "True is not a whole number"),
        ("worker_batch_size = 0", r"worker_batch_size in \[tool.dynadex\] of pyproject.toml: 0 is not above zero"),
        ("worker_lease_seconds = nan", "worker_lease_seconds in .*nan is no amount"),
        ("state_table = 5", "state_table in .*5 is not text"),
        ('opensearch_url = "localhost:9200"', "opensearch_url in .*is no http or https URL"),
        ('opensearch_auth = "basic"', "opensearch_auth in .*is none of"),
        ('cors_origins = "*"', "cors_origins in .*is no origin"),
        ("worker_batch_size = ", "Cannot read .*pyproject.toml: .*Mend it"),
    ],
)
def test_what_cannot_be_used_is_told_by_its_key(folder: Path, line: str, complaint: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.dynadex]\n{line}\n")
    with pytest.raises(DeclarationError, match=complaint):
        RuntimeSettings.from_environment()


@pytest.mark.usefixtures("folder")
def test_config_shows_each_setting_with_where_it_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSEARCH_URL", "https://me:secret@search.example.org/path")
    shown = CliRunner().invoke(app, ["config"])
    assert shown.exit_code == 0
    lines = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert re.search(r"https://me:\*\*\*@search\.example\.org/path +OPENSEARCH_URL", lines["opensearch_url"])
    assert "secret" not in shown.output
    assert "worker_batch_size in [tool.dynadex] of pyproject.toml" in lines["worker_batch_size"]
    as_json = json.loads(CliRunner().invoke(app, ["config", "--json"]).stdout)
    assert as_json["worker_batch_size"] == {
        "value": 10,
        "source": "worker_batch_size in [tool.dynadex] of pyproject.toml",
    }
    assert set(as_json) == set(RuntimeSettings.__slots__)


def test_config_fails_where_a_value_cannot_be_used(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.dynadex]\nworker_batch_size = 0\n")
    shown = CliRunner().invoke(app, ["config"])
    assert isinstance(shown.exception, DeclarationError)
    assert "worker_batch_size" in shown.stdout
