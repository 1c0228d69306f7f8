"""The CDK app that `dynadex init` generates synthesizes the stacks of a deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from dynadex.document.identity import KeySchema
from dynadex.scaffold.files import write
from dynadex.scaffold.project import from_table
from dynadex.scaffold.render import project_files
from dynadex.scaffold.sample import Sample
from dynadex.settings import RuntimeSettings
from dynadex.source.table import TableDescription


def test_app_of_a_new_project_uses_the_existing_table(tmp_path: Path) -> None:
    table = TableDescription("Birds-prod", KeySchema(("station", "noted"), ("S", "N")), None, None, 0)
    write(tmp_path, project_files(from_table(Sample(table, (), whole=True), RuntimeSettings(region="eu-west-1"), {})))
    code = tmp_path / "build" / "lambda" / "function-arm64.zip"
    code.parent.mkdir(parents=True)
    # The templates do not depend on its content.
    with zipfile.ZipFile(code, "w") as package:
        package.writestr("birds_prod.py", "")
    out = tmp_path / "cdk.out"
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path / "infra", env=os.environ | {"CDK_OUTDIR": str(out)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [path.name for path in out.glob("*.template.json")] == ["BirdsProdCore-eu-west-1.template.json"]
    template = json.loads((out / "BirdsProdCore-eu-west-1.template.json").read_text())
    names = {resource["Type"] for resource in template["Resources"].values()}
    assert {"AWS::Lambda::Function", "AWS::OpenSearchService::Domain", "AWS::Lambda::EventSourceMapping"} <= names
    assert "birds_prod:sync" in json.dumps(template)
