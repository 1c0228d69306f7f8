"""Who may do what: a table of what each role must and must not be allowed, evaluated from the template."""

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
LETTERS, GIVEN_UP = "<IndexerDeadLetters>", "<IndexerGivenUp>"

MAY = [
    ("stream", "dynamodb:GetRecords", STREAM),
    ("stream", "dynamodb:GetShardIterator", STREAM),
    ("stream", "dynamodb:DescribeStream", STREAM),
    ("stream", "dynamodb:DescribeTable", TABLE),
    ("stream", "dynamodb:BatchGetItem", TABLE),
    ("stream", "sqs:SendMessage", LETTERS),
    ("stream", "sqs:SendMessage", GIVEN_UP),
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
    # Nobody who only indexes changes the table, nor reads all of it.
    *[(who, f"dynamodb:{action}", TABLE) for who in ("stream", "prepare", "refill", "finish") for action in
      ("PutItem", "DeleteItem", "UpdateItem", "DeleteTable", "UpdateTable")],
    ("stream", "dynamodb:Scan", TABLE),
    ("prepare", "dynamodb:Scan", TABLE),
    ("search", "dynamodb:Scan", TABLE),
    ("search", "dynamodb:DeleteTable", TABLE),
    ("handler", "dynamodb:BatchGetItem", TABLE),
    # Nobody touches another table, another index, or the cluster itself.
    *[(who, "dynamodb:DescribeTable", OTHER_TABLE) for who in ("stream", "refill", "search", "handler")],
    *[(who, f"es:ESHttp{method}", f"{DOMAIN}/{path}") for who in ("stream", "prepare", "refill", "finish", "search")
      for method in ("Get", "Post", "Put", "Delete") for path in
      ("people", "people/_search", "lessons2/_bulk", "_bulk", "_cluster/settings", "_security/user", "_alias/people")],
    # Who reads an index does not write it, and who writes it does not delete it.
    *[("search", f"es:ESHttp{method}", path) for method in ("Put", "Delete") for path in (BUILT, f"{DOMAIN}/lessons")],
    ("search", "es:ESHttpPost", f"{BUILT}-WRITE/_bulk"),
    ("search", "es:ESHttpPost", f"{DOMAIN}/_aliases"),
    *[(who, "es:ESHttpDelete", BUILT) for who in ("stream", "refill", "finish")],
    *[(who, "es:ESHttpPost", f"{DOMAIN}/_aliases") for who in ("stream", "prepare", "refill")],
    # Dead-lettered keys are taken out by a person's own rights.
    *[(who, f"sqs:{action}", LETTERS) for who in ("stream", "refill", "finish") for action in
      ("ReceiveMessage", "DeleteMessage", "PurgeQueue")],
    ("search", "sqs:SendMessage", LETTERS),
    ("search", "dynamodb:PutItem", STATE),
    *[(who, "dynamodb:PutItem", STATE) for who in ("stream", "prepare", "refill", "finish")],
    ("stream", "logs:PutLogEvents", "<ServiceSearchLogs>"),
    ("machine", "lambda:InvokeFunction", "<IndexerStream>"),
    ("machine", "lambda:InvokeFunction", "<ServiceSearch>"),
    *[(who, "iam:PassRole", "anything") for who in ("stream", "prepare", "refill", "finish", "search", "machine")],
]  # fmt: skip


@pytest.fixture(scope="module")
def roles(assemblies: Assemblies) -> Roles:
    return Roles(assemblies(1).template("DynadexCore-us-east-1"))


@pytest.mark.parametrize(("who", "action", "resource"), MAY)
def test_a_role_may_do_what_its_function_does(roles: Roles, who: str, action: str, resource: str) -> None:
    assert roles.allows(who, action, resource)


@pytest.mark.parametrize(("who", "action", "resource"), MAY_NOT)
def test_a_role_may_do_nothing_else(roles: Roles, who: str, action: str, resource: str) -> None:
    assert not roles.allows(who, action, resource)


def test_no_role_has_a_policy_that_somebody_else_writes(roles: Roles, figure: Figure) -> None:
    figure(f"{len(MAY)} rights that must be, {len(MAY_NOT)} that must not")
    assert roles.managed() == []


def test_no_action_is_a_star_and_every_star_resource_is_one_that_aws_takes_nothing_narrower_for(roles: Roles) -> None:
    stars = set()
    for _, statement in roles.policies():
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action]
        if statement["Resource"] == "*":
            stars.update(actions)
    # The second is what AWS asks of every state machine that logs.
    assert stars == {"dynamodb:ListStreams"} | {
        f"logs:{action}"
        for action in (
            "CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
            "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups",
        )
    }  # fmt: skip
