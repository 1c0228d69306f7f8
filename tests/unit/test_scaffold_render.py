"""Files of a new project: they run, are formatted, and hold no value of the table."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dynadex import Sync
from dynadex.document.identity import KeySchema
from dynadex.scaffold.files import write
from dynadex.scaffold.project import from_nothing, from_table
from dynadex.scaffold.render import Project, index_name, literal, module_name, project_files
from dynadex.scaffold.sample import Sample
from dynadex.settings import RuntimeSettings, project_settings
from dynadex.source.table import TableDescription
from tests.stranger.observations import observations
from tests.waiting import HANG_SECONDS

KEYS = KeySchema(("station", "noted"), ("S", "N"))
URLS = {"opensearch_url": "https://search.example.org", "dynamodb_url": "http://127.0.0.1:8000"}
SETTINGS = RuntimeSettings(region="eu-west-1", dynamodb_url="http://127.0.0.1:8000")


def of_observations(items: bool = True) -> Project:
    sampled = tuple(observations()) if items else ()
    table = TableDescription("Birds-prod", KEYS, None, None, 0)
    return from_table(Sample(table, sampled, whole=False), SETTINGS, URLS)


PROJECTS: dict[str, Callable[[], Project]] = {
    "from a table": of_observations,
    "from an empty table": lambda: of_observations(items=False),
    "from nothing": lambda: from_nothing(RuntimeSettings(), {}),
    "from nothing, with a name": lambda: from_nothing(RuntimeSettings(), {}, "json"),
}


@pytest.fixture(params=PROJECTS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    write(tmp_path, project_files(PROJECTS[request.param]()))
    return tmp_path


def run(folder: Path, *command: str) -> str:
    # The pytest plugins of this environment are slow to load, and the project does not need them.
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_generated_tests_pass(folder: Path) -> None:
    assert "3 passed" in run(folder, "pytest", "-q", "-p", "no:cacheprovider")


def test_generated_code_is_formatted_and_passes_the_linter(folder: Path) -> None:
    options = ("--isolated", "--no-cache", "--line-length", "120")
    run(folder, "ruff", "format", "--check", *options, ".")
    run(folder, "ruff", "check", "--select", "E,F,I,UP,B", *options, ".")


def test_compose_runs_the_worker_in_the_network_of_opensearch(folder: Path) -> None:
    services = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    worker = services["worker"]
    [module] = [path.stem for path in folder.glob("*.py")]
    assert worker["command"] == ["run", f"{module}:sync"]
    assert f"COPY {module}.py ." in worker["build"]["dockerfile_inline"]
    assert worker["network_mode"] == "service:opensearch"
    assert worker["environment"]["OPENSEARCH_URL"] == "http://127.0.0.1:9200"
    assert services["opensearch"]["ports"] == ["127.0.0.1:9200:9200"], "reachable from this machine only"


def test_urls_of_the_command_are_saved_in_pyproject(tmp_path: Path) -> None:
    write(tmp_path, project_files(of_observations()))
    assert project_settings(tmp_path) == URLS
    write(tmp_path, project_files(from_nothing(RuntimeSettings(), {})), force=True)
    assert project_settings(tmp_path) == {}
    assert tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["name"] == "songs-search"


def test_generated_files_hold_no_value_of_the_table() -> None:
    text = "\n".join(project_files(of_observations()).values())
    for value in ("watcher", "Larus", "harbour", "st|", "R1", "about a dozen", "-3."):
        assert value not in text


def test_readme_starts_with_the_table_and_the_conflicts() -> None:
    readme = project_files(of_observations())["README.md"]
    assert "aws dynamodb update-table --table-name Birds-prod --endpoint-url http://127.0.0.1:8000" in readme
    assert "`weather`: text in 200, map in 40: no field type accepts both" in readme
    assert (
        "aws dynamodb create-table --table-name songs"
        in project_files(from_nothing(RuntimeSettings(), {}))["README.md"]
    )


def test_readme_searches_the_cluster_of_the_commands() -> None:
    """Also if the reader has set no variable."""
    readmes = [
        project_files(project)["README.md"] for project in (of_observations(), from_nothing(RuntimeSettings(), {}))
    ]
    urls = (URLS["opensearch_url"], RuntimeSettings().opensearch_url)
    assert [f'curl "${{OPENSEARCH_URL:-{url}}}/' in readme for readme, url in zip(readmes, urls, strict=True)] == [
        True
    ] * 2


def test_cdk_app_keeps_an_existing_table() -> None:
    assert "existing_table=True" in project_files(of_observations())["infra/app.py"]
    assert "existing_table=False" in project_files(from_nothing(RuntimeSettings(), {}))["infra/app.py"]
    assert '"eu-west-1"' in project_files(of_observations())["infra/app.py"]


@pytest.mark.parametrize(
    ("table", "module", "index"),
    [
        ("songs", "songs", "songs"),
        ("Orders-prod.v2", "orders_prod_v2", "orders-prod.v2"),
        ("2024-log", "table_2024_log", "2024-log"),
        ("json", "json_sync", "json"),
        ("class", "class_sync", "class"),
        ("tests", "tests_sync", "tests"),
        ("_hidden-sync", "hidden_sync", "hidden-sync-index"),
        ("---", "table_", "table-index"),
        ("x" * 255, "x" * 100, "x" * 200),
    ],
)
def test_valid_names_are_derived_from_any_table_name(table: str, module: str, index: str) -> None:
    assert (module_name(table), index_name(table)) == (module, index)
    Sync(table=table, index=index)


def test_long_literal_is_wrapped() -> None:
    value = {"a": {"long enough to be wrapped" * 3: [1, 2.5, None, True]}, "b": ("x" * 60,), "c": {}}
    text = literal(value)
    assert eval(text) == value
    assert max(map(len, text.splitlines())) <= 120
    assert len(text.splitlines()) == 5
