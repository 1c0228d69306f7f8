"""Every stack synthesizes for one, two and three regions; cdk-nag and cfn-lint report no open finding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aws_cdk import Validations
from dynadex_infra.settings import DomainSize, Jwt, ServiceOptions

from tests.infra.conftest import ROOT, Assemblies, Figure, Zip
from tests.infra.synthesis import REGIONS, Assembly, deployment, synthesize, synthesized

# CDK adds a DependsOn next to each reference to a role.
CFN_LINT_IGNORED = ["W3005"]


@pytest.fixture(scope="module", params=[1, 2, 3], ids=lambda count: f"{count}-regions")
def assembly(request: pytest.FixtureRequest, assemblies: Assemblies) -> Assembly:
    return assemblies(request.param)


def test_every_region_has_its_stacks_without_open_findings_of_nag(assembly: Assembly, figure: Figure) -> None:
    regions = REGIONS[: sum("Core" in name for name in assembly.names)]
    per_region = [f"Dynadex{part}-{region}" for part in ("Core", "Edge") for region in regions]
    figure(f"{len(assembly.names)} stacks for {len(regions)} regions")
    assert assembly.names == sorted(["DynadexData", "DynadexGlobal", *per_region])


def test_cfn_lint_has_no_finding(assembly: Assembly) -> None:
    templates = [str(path) for path in assembly.paths()]
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "--ignore-checks", *CFN_LINT_IGNORED, "--template", *templates]
    lint = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (lint.stdout, lint.returncode) == ("", 0)


def test_every_acknowledged_finding_has_a_reason(assembly: Assembly, figure: Figure) -> None:
    reasons = dict(acknowledged(assembly))
    assert {finding.split("[")[0] for finding in reasons} == {
        "AwsSolutions-APIG4", "AwsSolutions-DDB3", "AwsSolutions-IAM5", "AwsSolutions-L1", "AwsSolutions-OS1",
        "AwsSolutions-OS3", "AwsSolutions-OS4", "AwsSolutions-SF2", "AwsSolutions-SQS3",
    }  # fmt: skip
    figure(f"{len(reasons)} findings of cdk-nag acknowledged with a reason, none open")
    assert [finding for finding, reason in reasons.items() if len(reason.split()) < 5] == []


def acknowledged(assembly: Assembly) -> Iterator[tuple[str, str]]:
    for path in assembly.folder.glob("*.metadata.json"):
        for entries in json.loads(path.read_text(encoding="utf-8")).values():
            for entry in entries:
                if entry["type"] == Validations.ACKNOWLEDGED_RULES_METADATA_KEY:
                    yield from ((rule.removeprefix("Annotation::"), reason) for rule, reason in entry["data"].items())


def test_synthesis_is_reproducible(assemblies: Assemblies, zips: Zip, tmp_path: Path) -> None:
    first, second = assemblies(1), synthesized(zips("arm64"), tmp_path, REGIONS[:1])
    assert [path.read_bytes() for path in first.paths()] == [path.read_bytes() for path in second.paths()]


def test_other_settings_have_no_open_findings(zips: Zip, tmp_path: Path) -> None:
    everything = deployment(zips("arm64"), REGIONS[:1])
    chosen = replace(
        everything,
        code=replace(everything.code, package=zips("x86_64"), architecture="x86_64"),
        address=None,
        existing_table=True,
        domain=DomainSize("t3.small.search", nodes=1),
        service=ServiceOptions(
            writers=Jwt("https://issuer.example.org", ("lessons",), scopes=("lessons/write",)),
            origins=("https://lessons.example.org",),
        ),
    )
    assembly = synthesize(tmp_path, chosen)
    assert assembly.names == ["DynadexCore-us-east-1"]
    routes = [route["Properties"] for route in assembly.of_type("AWS::ApiGatewayV2::Route")]
    writes = [route for route in routes if route["RouteKey"].startswith(("PUT", "DEL"))]
    assert {route["AuthorizationType"] for route in writes} == {"JWT"}
    assert [route["AuthorizationScopes"] for route in writes] == [["lessons/write"]] * 2
    [api] = [api["Properties"] for api in assembly.of_type("AWS::ApiGatewayV2::Api")]
    assert api["CorsConfiguration"]["AllowOrigins"] == ["https://lessons.example.org"]
    assert "If-Match" in api["CorsConfiguration"]["AllowHeaders"]
    functions = [function["Properties"] for function in assembly.of_type("AWS::Lambda::Function")]
    environments = [function.get("Environment", {}).get("Variables", {}) for function in functions]
    assert sum("DYNADEX_CORS_ORIGINS" in variables for variables in environments) == 1
    assert {function["Architectures"][0] for function in functions if "Architectures" in function} == {"x86_64"}


def test_regions_refer_to_each_other_by_name_only(assembly: Assembly) -> None:
    for name in assembly.names:
        text = json.dumps(assembly.template(name))
        assert "CrossRegionExport" not in text
        if "Core" in name or name in ("DynadexData", "DynadexGlobal"):
            assert "Fn::ImportValue" not in text


@pytest.mark.parametrize(("regions", "strong"), [((), False), (("a", "a"), False), (("us-east-1",), True)])
def test_contradictory_settings_are_rejected(regions: tuple[str, ...], strong: bool, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="region"):
        deployment(tmp_path, regions, strong=strong)


def test_app_and_documented_example_synthesize(zips: Zip, tmp_path: Path) -> None:
    package = ROOT / "build" / "lambda" / "function-arm64.zip"
    if not package.exists():
        package.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(zips("arm64"), package)
    scripts = {"app": ROOT / "infra" / "app.py", "example": ROOT / "infra" / "examples" / "existing.py"}
    running = [
        subprocess.Popen([sys.executable, str(script)], env={**os.environ, "CDK_OUTDIR": str(tmp_path / name)})
        for name, script in scripts.items()
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert Assembly(tmp_path / "app").names == ["DynadexCore-us-east-1", "DynadexData"]
    example = Assembly(tmp_path / "example")
    assert example.of_type("AWS::Lambda::EventSourceMapping", "SongSearch")
    assert not example.of_type("AWS::OpenSearchService::Domain")
    assert not example.of_type("AWS::DynamoDB::Table")


def test_docs_contain_the_example() -> None:
    document = (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
    example = (ROOT / "infra" / "examples" / "existing.py").read_text(encoding="utf-8")
    assert example.split('"""\n', 1)[1].strip() in document
