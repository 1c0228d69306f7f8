"""The CDK app: `cdk deploy --all`, or with another Sync, `-c sync=lessons:sync -c regions=us-east-1,eu-west-1`."""

from __future__ import annotations

import os

from aws_cdk import App
from dynadex_infra.settings import Deployment, SyncCode
from dynadex_infra.stacks import add_stacks


def chosen(app: App, name: str, otherwise: str) -> str:
    """A value of cdk.json's context, or of -c on the command line."""
    return str(app.node.try_get_context(name) or otherwise)


app = App()
deployment = Deployment(
    code=SyncCode.of(chosen(app, "sync", "dynadex.demo.lessons:sync")),
    regions=tuple(chosen(app, "regions", "us-east-1").split(",")),
    account=os.environ.get("CDK_DEFAULT_ACCOUNT"),
    existing_table=chosen(app, "existing_table", "no") == "yes",
)
add_stacks(app, deployment)
app.synth()
