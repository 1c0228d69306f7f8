"""The files in `.github`: valid by GitHub's schemas, pinned, with few permissions, and without a stored credential."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.cli import main as check_jsonschema
from click.testing import CliRunner

from tests.docs.blocks import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*"))
SCHEMAS = {
    **dict.fromkeys(WORKFLOWS, "github-workflows"),
    GITHUB / "dependabot.yml": "dependabot",
    GITHUB / "ISSUE_TEMPLATE/bug.yml": "github-issue-forms",
    GITHUB / "ISSUE_TEMPLATE/feature.yml": "github-issue-forms",
    GITHUB / "ISSUE_TEMPLATE/config.yml": "github-issue-config",
}
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
# A workflow of this repository, at the same commit.
OWN = re.compile(r"\./\.github/workflows/\w+\.yml")
OF_A_WORKFLOW = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def read(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file with literal values: `on` is a key here, not true."""
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
    return content


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = read(path)["jobs"]
    return content


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


def unpinned(text: str) -> list[str]:
    """Actions that a workflow uses by something other than a commit, or without naming its version."""
    used = re.findall(r"^[ -]*uses: *(.+?) *$", text, re.MULTILINE)
    return [action for action in used if not PINNED.fullmatch(action) and not OWN.fullmatch(action)]


def violations(path: Path, schema: str) -> str:
    """What the schema finds wrong with a file; empty if nothing."""
    result = CliRunner().invoke(check_jsonschema, ["--builtin-schema", f"vendor.{schema}", str(path)])
    return "" if result.exit_code == 0 else result.output


def test_every_yaml_file_has_a_schema() -> None:
    assert {path for path in GITHUB.rglob("*") if path.suffix in (".yml", ".yaml")} == SCHEMAS.keys()
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


@pytest.mark.parametrize(("path", "schema"), SCHEMAS.items(), ids=lambda value: getattr(value, "name", value))
def test_files_are_valid_by_the_schemas_of_github(path: Path, schema: str) -> None:
    assert violations(path, schema) == ""


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("github-workflows", "on: push\njobs: {test: {steps: [{run: make}]}}\n"),
        ("dependabot", "version: 2\nupdates: [{package-ecosystem: pip, directory: /}]\n"),
        ("github-issue-forms", "name: Bug\ndescription: A bug\nbody: [{type: picture}]\n"),
        ("github-issue-config", "blank_issues_enabled: never\n"),
    ],
)
def test_schemas_find_an_error(schema: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yml"
    path.write_text(text)
    assert "Schema validation errors were encountered" in violations(path, schema)


@OF_A_WORKFLOW
def test_actions_are_pinned_by_commit_and_name_their_version(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("uses:") > 1
    assert unpinned(text) == []


@pytest.mark.parametrize(
    "action",
    [
        "actions/checkout@v7",
        "actions/checkout@main # v7.0.1",
        f"actions/checkout@{'a' * 40}",
        f"actions/checkout@{'a' * 40} # v7",
        f"actions/checkout@{'a' * 39} # v7.0.1",
        "docker://alpine:3",
        "owner/name/.github/workflows/ci.yml@main",
    ],
)
def test_an_action_that_is_not_pinned_is_reported(action: str) -> None:
    assert unpinned(f"      - uses: {action}\n") == [action]
    assert unpinned(f"        uses: {action}\n") == [action]


def test_one_version_of_each_action_is_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    used = set(re.findall(r"uses: ([\w./-]+)@(.+)$", text, re.MULTILINE))
    assert len({name for name, _ in used}) == len(used)


@OF_A_WORKFLOW
def test_jobs_have_a_time_limit_and_name_their_permissions(path: Path) -> None:
    assert read(path)["permissions"] == {}, "a job has the permissions that it names, and no other"
    assert read(path)["concurrency"]["group"]
    for name, job in jobs(path).items():
        assert job["permissions"], name
        # A job that calls a workflow has the limits of that workflow's jobs.
        assert "uses" in job or 0 < int(job["timeout-minutes"]) <= 90, name


@OF_A_WORKFLOW
def test_checkouts_leave_no_credential_behind(path: Path) -> None:
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [step for step in checkouts if step["with"]["persist-credentials"] != "false"] == []


@OF_A_WORKFLOW
def test_no_expression_is_pasted_into_a_shell_script(path: Path) -> None:
    scripts = [step["run"] for step in steps(path) if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def test_ci_runs_the_one_command_and_unit_tests_on_every_supported_python() -> None:
    ci = GITHUB / "workflows/ci.yml"
    assert {"push", "pull_request"} <= read(ci)["on"].keys()
    assert ".ci/run" in [step.get("run") for step in jobs(ci)["all"]["steps"]]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert jobs(ci)["unit"]["strategy"]["matrix"]["python"] == pythons
    assert any("pytest tests/unit" in step.get("run", "") for step in jobs(ci)["unit"]["steps"])


def test_a_release_starts_from_a_version_tag_and_publishes_only_what_was_tested_and_attested() -> None:
    release = GITHUB / "workflows/release.yml"
    assert read(release)["on"] == {"push": {"tags": ["v*"]}}
    needs = {name: set(job.get("needs", [])) for name, job in jobs(release).items()}
    assert needs == {
        "test": set(),
        "build": set(),
        "attest": {"test", "build"},
        "publish": {"attest"},
        "github-release": {"publish"},
    }
    assert jobs(release)["test"]["uses"] == "./.github/workflows/ci.yml"
    assert "workflow_call" in read(GITHUB / "workflows/ci.yml")["on"]
    build = "\n".join(step.get("run", "") for step in jobs(release)["build"]["steps"])
    assert 'scripts/release_notes.py --tag "$GITHUB_REF_NAME"' in build
    assert "make dist sbom" in build


def test_a_release_is_published_by_trusted_publishing_without_a_stored_secret() -> None:
    release = GITHUB / "workflows/release.yml"
    publish = jobs(release)["publish"]
    [step] = [one for one in publish["steps"] if one["uses"].startswith("pypa/gh-action-pypi-publish@")]
    assert "with" not in step
    assert (publish["environment"], publish["permissions"]) == ({"name": "pypi"}, {"id-token": "write"})
    assert "secrets" not in release.read_text(encoding="utf-8")


def test_only_the_jobs_that_sign_publish_or_release_may_write() -> None:
    writing = {
        name: {right for right, level in job["permissions"].items() if level == "write"}
        for path in WORKFLOWS
        for name, job in jobs(path).items()
    }
    assert {name: rights for name, rights in writing.items() if rights} == {
        "attest": {"attestations", "id-token"},
        "publish": {"id-token"},
        "github-release": {"contents"},
    }


def test_provenance_and_sbom_of_every_distribution_are_attested() -> None:
    attest = jobs(GITHUB / "workflows/release.yml")["attest"]
    inputs = [step["with"] for step in attest["steps"] if step["uses"].startswith("actions/attest@")]
    assert inputs == [
        {"subject-path": "dist/*"},
        {"subject-path": "dist/*", "sbom-path": "description/dynadex.cdx.json"},
    ]


def test_dependencies_of_every_kind_are_updated() -> None:
    updates = read(GITHUB / "dependabot.yml")["updates"]
    folders = {one["package-ecosystem"]: one.get("directories", [one.get("directory")]) for one in updates}
    assert folders == {"pip": ["/", "/infra"], "github-actions": ["/"], "docker": ["/ops"]}
    assert (ROOT / "ops/Dockerfile").exists()
    assert (ROOT / "infra/pyproject.toml").exists()


def test_bug_report_requires_what_is_needed_to_reproduce_it() -> None:
    form = read(GITHUB / "ISSUE_TEMPLATE/bug.yml")["body"]
    required = {one["id"] for one in form if one.get("validations", {}).get("required") == "true"}
    assert required == {"version", "command", "expected", "actual"}
    assert "SECURITY.md" in form[0]["attributes"]["value"]
    [settings] = [one["attributes"]["description"] for one in form if one.get("id") == "config"]
    assert "`dynadex config`" in settings
    assert "secrets" in settings
