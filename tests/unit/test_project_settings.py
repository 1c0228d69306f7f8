"""Settings from pyproject.toml, and the source of each setting."""

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
    """A folder with a pyproject.toml, as the current one; no setting is in the environment."""
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
def test_project_takes_precedence_over_defaults() -> None:
    settings = RuntimeSettings.from_environment()
    assert (settings.opensearch_url, settings.worker_batch_size) == ("https://project.example.org", 10)
    assert (settings.worker_lease_seconds, type(settings.worker_lease_seconds)) == (5.0, float)
    assert settings.refill_page_size == RuntimeSettings().refill_page_size


@pytest.mark.usefixtures("folder")
def test_flag_takes_precedence_over_environment_and_environment_over_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNADEX_WORKER_BATCH_SIZE", "20")
    monkeypatch.setenv("OPENSEARCH_URL", "https://environment.example.org")
    sources = {
        source.name: (source.value, source.where) for source in sourced(opensearch_url="https://flag.example.org")
    }
    assert sources["opensearch_url"] == ("https://flag.example.org", "flag")
    assert sources["worker_batch_size"] == (20, "DYNADEX_WORKER_BATCH_SIZE")
    assert sources["dead_letters"] == ("file:project.jsonl", "dead_letters in [tool.dynadex] of pyproject.toml")
    assert sources["region"] == (None, "default")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["opensearch_url", "dynamodb_url"])
def test_empty_url_is_an_error_and_not_an_unset_one(name: str) -> None:
    with pytest.raises(DeclarationError, match="_URL, set by its flag: '' is not an http or https URL"):
        RuntimeSettings.from_environment(None, **{name: ""})


@pytest.mark.parametrize("text", [b"tool = 3", b"[tool]\ndynadex = 3", b"[tool]\ndynadex = []", b"\xff\xfe", b"["])
def test_error_names_the_malformed_file(folder: Path, text: bytes) -> None:
    (folder / "pyproject.toml").write_bytes(text)
    with pytest.raises(DeclarationError, match=re.escape(f"read {folder / 'pyproject.toml'}: ")):
        project_settings()


def test_parent_folders_are_not_searched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = folder / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    assert project_settings() == {}


@pytest.mark.usefixtures("folder")
def test_project_is_not_read_if_an_environment_is_passed() -> None:
    assert RuntimeSettings.from_environment({}) == RuntimeSettings()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "batchsize = 1",
            r"batchsize in .*it is not a setting of dynadex. Did you mean worker_batch_size\?",
        ),
        ("nonsense = 1", r"nonsense in .*it is not a setting of dynadex. `dynadex config` lists"),
        (
            'worker_batch_size = "10"',
            r"worker_batch_size in \[tool.dynadex\] of pyproject.toml: '10' is not a whole number",
        ),
        ("worker_batch_size = 1.5", "1.5 is not a whole number"),
        ("worker_batch_size = true", "True is not a whole number"),
        ("worker_batch_size = 0", r"worker_batch_size in \[tool.dynadex\] of pyproject.toml: 0 is not greater than 0"),
        ("worker_lease_seconds = nan", "worker_lease_seconds in .*nan is not a finite number"),
        ("state_table = 5", "state_table in .*5 is not text"),
        ('opensearch_url = "localhost:9200"', "opensearch_url in .*is not an http or https URL"),
        ('opensearch_auth = "basic"', "opensearch_auth in .*is not one of"),
        ('cors_origins = "*"', "cors_origins in .*is not an origin"),
        ("worker_batch_size = ", "Cannot read .*pyproject.toml: .*Correct the file"),
    ],
)
def test_unusable_setting_is_named_by_its_key(folder: Path, line: str, message: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.dynadex]\n{line}\n")
    with pytest.raises(DeclarationError, match=message):
        RuntimeSettings.from_environment()


@pytest.mark.usefixtures("folder")
def test_config_shows_each_setting_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_config_fails_on_an_unusable_value(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.dynadex]\nworker_batch_size = 0\n")
    shown = CliRunner().invoke(app, ["config"])
    assert isinstance(shown.exception, DeclarationError)
    assert "worker_batch_size" in shown.stdout
