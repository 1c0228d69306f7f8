"""Permissions: what each role must and must not be allowed, evaluated from the template."""

from __future__ import annotations

import pytest

from tests.infra.conftest import Assemblies, Figure
from tests.infra.policies import Roles

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/lessons"
OTHER_TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/people"
STREAM = "<TableStream>"
STATE = "<StateTable>"
DOMAIN = "<SearchDomain>"
BUILT = f"{DOMAIN}/lessons-20261124054500"
LETTERS, DISCARDED = "<IndexerDeadLetters>", "<IndexerDiscardedBatches>"

MAY = [
    ("stream", "dynamodb:GetRecords", STREAM),
    ("stream", "dynamodb:GetShardIterator", STREAM),
    ("stream", "dynamodb:DescribeStream", STREAM),
    ("stream", "dynamodb:DescribeTable", TABLE),
    ("stream", "dynamodb:BatchGetItem", TABLE),
    ("stream", "sqs:SendMessage", LETTERS),
    ("stream", "sqs:SendMessage", DISCARDED),
    ("stream", "es:ESHttpGet", f"{DOMAIN}/_alias/lessons-sync"),
    ("stream", "es:ESHttpPost", f"{BUILT}-WRITE/_bulk"),
    ("stream", "es:ESHttpPost", f"{BUILT}/_mget"),
    ("stream", "logs:PutLogEvents", "<IndexerStreamLogs>"),
    ("prepare", "dynamodb:DescribeTable", TABLE),
    ("prepare", "es:ESHttpPut", BUILT),
    ("prepare", "es:ESHttpGet", BUILT),
    ("prepare", "es:ESHttpGet", f"{DOMAIN}/lessons"),
    ("prepare", "es:ESHttpGet", f"{DOMAIN}/_alias/lessons"),
    ("prepare", "es:ESHttpGet", f"{DOMAIN}/_alias/lessons-building"),
    ("refill", "dynamodb:Scan", TABLE),
    ("refill", "dynamodb:BatchGetItem", TABLE),
    ("refill", "sqs:SendMessage", LETTERS),
    ("refill", "es:ESHttpPost", f"{BUILT}-WRITE/_bulk"),
    ("refill", "es:ESHttpGet", f"{DOMAIN}/_alias/lessons-sync"),
    ("finish", "dynamodb:BatchGetItem", TABLE),
    ("finish", "es:ESHttpPost", f"{BUILT}/_search"),
    ("finish", "es:ESHttpPost", f"{DOMAIN}/_search/scroll"),
    ("finish", "es:ESHttpDelete", f"{DOMAIN}/_search/scroll"),
    ("finish", "es:ESHttpPut", f"{BUILT}/_settings"),
    ("finish", "es:ESHttpPost", f"{DOMAIN}/_aliases"),
    ("search", "es:ESHttpPost", f"{DOMAIN}/lessons/_search"),
    ("search", "dynamodb:PutItem", TABLE),
    ("search", "dynamodb:DeleteItem", TABLE),
    ("search", "dynamodb:BatchGetItem", TABLE),
    ("search", "dynamodb:GetItem", STATE),
    ("machine", "lambda:InvokeFunction", "<RefillPrepare>"),
    ("machine", "lambda:InvokeFunction", "<Refill>"),
    ("machine", "lambda:InvokeFunction", "<RefillFinish>"),
    ("handler", "dynamodb:DescribeTable", TABLE),
]
MAY_NOT = [
    # Functions that index do not change the table; only those that scan read all of it.
    *[(principal, f"dynamodb:{action}", TABLE) for principal in ("stream", "prepare", "refill", "finish") for action in
      ("PutItem", "DeleteItem", "UpdateItem", "DeleteTable", "UpdateTable")],
    ("stream", "dynamodb:Scan", TABLE),
    ("prepare", "dynamodb:Scan", TABLE),
    ("search", "dynamodb:Scan", TABLE),
    ("search", "dynamodb:DeleteTable", TABLE),
    ("handler", "dynamodb:BatchGetItem", TABLE),
    # No function uses another table, another index, or the cluster itself.
    *[(principal, "dynamodb:DescribeTable", OTHER_TABLE) for principal in ("stream", "refill", "search", "handler")],
    *[(principal, f"es:ESHttp{method}", f"{DOMAIN}/{path}")
      for principal in ("stream", "prepare", "refill", "finish", "search")
      for method in ("Get", "Post", "Put", "Delete") for path in
      ("people", "people/_search", "lessons2/_bulk", "_bulk", "_cluster/settings", "_security/user", "_alias/people")],
    # The search function does not write the index, and writers do not delete it.
    *[("search", f"es:ESHttp{method}", path) for method in ("Put", "Delete") for path in (BUILT, f"{DOMAIN}/lessons")],
    ("search", "es:ESHttpPost", f"{BUILT}-WRITE/_bulk"),
    ("search", "es:ESHttpPost", f"{DOMAIN}/_aliases"),
    *[(principal, "es:ESHttpDelete", BUILT) for principal in ("stream", "refill", "finish")],
    *[(principal, "es:ESHttpPost", f"{DOMAIN}/_aliases") for principal in ("stream", "prepare", "refill")],
    # Only operators, with their own permissions, remove dead letters.
    *[(principal, f"sqs:{action}", LETTERS) for principal in ("stream", "refill", "finish") for action in
      ("ReceiveMessage", "DeleteMessage", "PurgeQueue")],
    ("search", "sqs:SendMessage", LETTERS),
    ("search", "dynamodb:PutItem", STATE),
    *[(principal, "dynamodb:PutItem", STATE) for principal in ("stream", "prepare", "refill", "finish")],
    ("stream", "logs:PutLogEvents", "<ServiceSearchLogs>"),
    ("machine", "lambda:InvokeFunction", "<IndexerStream>"),
    ("machine", "lambda:InvokeFunction", "<ServiceSearch>"),
    *[(principal, "iam:PassRole", "anything")
      for principal in ("stream", "prepare", "refill", "finish", "search", "machine")],
]  # fmt: skip


@pytest.fixture(scope="module")
def roles(assemblies: Assemblies) -> Roles:
    return Roles(assemblies(1).template("DynadexCore-us-east-1"))


@pytest.mark.parametrize(("principal", "action", "resource"), MAY)
def test_role_allows_what_its_function_needs(roles: Roles, principal: str, action: str, resource: str) -> None:
    assert roles.allows(principal, action, resource)


@pytest.mark.parametrize(("principal", "action", "resource"), MAY_NOT)
def test_role_allows_nothing_else(roles: Roles, principal: str, action: str, resource: str) -> None:
    assert not roles.allows(principal, action, resource)


def test_no_role_has_a_managed_policy(roles: Roles, figure: Figure) -> None:
    figure(f"{len(MAY)} required permissions, {len(MAY_NOT)} excluded ones")
    assert roles.managed() == []


def test_wildcards_are_used_only_where_aws_requires_them(roles: Roles) -> None:
    stars = set()
    for _, statement in roles.policies():
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action]
        if statement["Resource"] == "*":
            stars.update(actions)
    # AWS requires the second set for every state machine that logs.
    assert stars == {"dynamodb:ListStreams"} | {
        f"logs:{action}"
        for action in (
            "CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
            "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups",
        )
    }  # fmt: skip
