"""CDK app: run `cdk deploy --all`; for another Sync, add `-c sync=lessons:sync -c regions=us-east-1,eu-west-1`."""

from __future__ import annotations

import os

from aws_cdk import App
from dynadex_infra.settings import Deployment, SyncCode
from dynadex_infra.stacks import add_stacks


def context_value(app: App, name: str, default: str) -> str:
    """Return a context value, from -c on the command line or from cdk.json."""
    return str(app.node.try_get_context(name) or default)


app = App()
deployment = Deployment(
    code=SyncCode.of(context_value(app, "sync", "dynadex.demo.lessons:sync")),
    regions=tuple(context_value(app, "regions", "us-east-1").split(",")),
    account=os.environ.get("CDK_DEFAULT_ACCOUNT"),
    existing_table=context_value(app, "existing_table", "no") == "yes",
)
add_stacks(app, deployment)
app.synth()
