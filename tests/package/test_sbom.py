"""The software bill of materials of a release: complete, and with the tested versions."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import dynadex
from tests.docs.scripts import loaded
from tests.package.environments import ROOT, build, constraints

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sbom")
    loaded("sbom").write(build(folder / "dist"), folder / "out" / "dynadex.cdx.json")
    return folder / "out" / "dynadex.cdx.json"


@pytest.fixture(scope="module")
def sbom(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_main_component_is_this_version_of_dynadex(sbom: dict[str, Any]) -> None:
    component = sbom["metadata"]["component"]
    assert sbom["bomFormat"] == "CycloneDX"
    assert (component["name"], component["version"], component["type"]) == ("dynadex", dynadex.__version__, "library")
    assert component["licenses"][0]["license"]["id"] == PROJECT["license"]


def test_sbom_covers_every_extra_for_production() -> None:
    assert {*loaded("sbom").EXTRAS, "local", "opensearch"} == PROJECT["optional-dependencies"].keys()


def test_every_dependency_is_one_of_the_main_component(sbom: dict[str, Any]) -> None:
    extras = [PROJECT["optional-dependencies"][extra] for extra in loaded("sbom").EXTRAS]
    declared = {
        normal(re.split(r"[^\w.-]", requirement)[0])
        for group in [PROJECT["dependencies"], *extras]
        for requirement in group
    }
    [depends_on] = [entry["dependsOn"] for entry in sbom["dependencies"] if entry["ref"] == "root-component"]
    assert {normal(reference.split("==")[0]) for reference in depends_on} == declared


def test_versions_are_those_of_the_tests(sbom: dict[str, Any], tmp_path: Path) -> None:
    pins = dict(line.split("==") for line in constraints(tmp_path).read_text().splitlines() if ";" not in line)
    listed = {normal(component["name"]): component["version"] for component in sbom["components"]}
    assert len(listed) > len(PROJECT["dependencies"])
    assert {name: version for name, version in listed.items() if pins.get(name, version) != version} == {}
    assert listed.keys() <= {line.split("==")[0] for line in constraints(tmp_path).read_text().splitlines()}


def test_sbom_does_not_identify_the_machine_that_built_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "file:" not in text
    assert str(path.parents[1]) not in text
    assert str(ROOT) not in text
