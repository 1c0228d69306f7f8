"""Stacks synthesized for the tests, and their templates as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks
from dynadex_infra.settings import Address, Alarms, Deployment, StreamOptions, SyncCode
from dynadex_infra.stacks import add_stacks

ACCOUNT = "000000000000"
REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
REFERENCE = "deployed_lessons:sync"
# Regions that support strong consistency together.
STRONG_REGIONS = ("us-east-1", "us-east-2", "us-west-2")
CONTINENTS = {"eu-west-1": ("EU", "AF"), "ap-northeast-1": ("AS",)}

Resource = dict[str, Any]


@dataclass(frozen=True)
class Assembly:
    """Output folder of a synthesis, with a template per stack."""

    folder: Path

    @property
    def names(self) -> list[str]:
        return sorted(path.name.removesuffix(".template.json") for path in self.paths())

    def paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.template.json"))

    def template(self, stack: str) -> Resource:
        content: Resource = json.loads((self.folder / f"{stack}.template.json").read_text(encoding="utf-8"))
        return content

    def of_type(self, kind: str, stack: str | None = None) -> list[Resource]:
        """Return every resource of a type, in one stack or all."""
        return [resource for _, resource in self.named_of_type(kind, stack)]

    def named_of_type(self, kind: str, stack: str | None = None) -> Iterator[tuple[str, Resource]]:
        for name in [stack] if stack else self.names:
            for logical_id, resource in self.template(name)["Resources"].items():
                if resource["Type"] == kind:
                    yield logical_id, resource


def deployment(
    package: Path, regions: Sequence[str], *, strong: bool = False, stream: StreamOptions | None = None
) -> Deployment:
    """Return a deployment with every option in use."""
    continents = {region: CONTINENTS[region] for region in regions if region in CONTINENTS}
    return Deployment(
        code=SyncCode(REFERENCE, "lessons", "lessons", package),
        regions=tuple(regions),
        account=ACCOUNT,
        strong=strong,
        stream=stream or StreamOptions(),
        alarms=Alarms({region: f"arn:aws:sns:{region}:{ACCOUNT}:alarms" for region in regions}),
        address=Address("search.example.org", "Z0123456789", "example.org", continents),
    )


@cache
def synthesized(
    package: Path,
    folder: Path,
    regions: tuple[str, ...],
    *,
    strong: bool = False,
    nag: bool = True,
    stream: StreamOptions | None = None,
) -> Assembly:
    """Return all stacks for these regions. With ``nag``, raise the unacknowledged findings of AwsSolutions."""
    return synthesize(folder, deployment(package, regions, strong=strong, stream=stream), nag=nag)


def synthesize(folder: Path, deployed: Deployment, *, nag: bool = True) -> Assembly:
    """Return all stacks of a deployment."""
    app = App(outdir=str(folder), context={"aws:cdk:version-reporting": False})
    if nag:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    add_stacks(app, deployed)
    app.synth()
    return Assembly(folder)
