"""What correctness, safety and operation stand on, asserted on the synthesised templates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.conftest import Assemblies, Zip
from tests.infra.synthesis import STRONG_REGIONS, Assembly, Resource, synthesised

CORE = "DynadexCore-us-east-1"
DAY_SECONDS = 24 * 3600
HOUR_MILLISECONDS = 3_600_000
# Left of an invocation for dead-lettering and answering, as in dynadex.aws.steps.
RESERVE_SECONDS = 3


@pytest.fixture(scope="module")
def assembly(assemblies: Assemblies) -> Assembly:
    return assemblies(2)


def only(assembly: Assembly, kind: str, stack: str = CORE) -> Resource:
    [found] = assembly.of_type(kind, stack)
    properties: Resource = found["Properties"]
    return properties


def functions(assembly: Assembly) -> dict[str, Resource]:
    """Properties of the functions that run dynadex, by handler."""
    found = (one["Properties"] for one in assembly.of_type("AWS::Lambda::Function", CORE))
    prefix = "dynadex.aws.deployed."
    return {one["Handler"].removeprefix(prefix): one for one in found if one["Handler"].startswith(prefix)}


def test_the_table_has_a_stream_of_images_and_can_be_recovered(assembly: Assembly) -> None:
    [table] = assembly.of_type("AWS::DynamoDB::GlobalTable", "DynadexData")
    properties = table["Properties"]
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert [one["Region"] for one in properties["Replicas"]] == ["eu-west-1", "us-east-1"]
    for replica in properties["Replicas"]:
        assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert replica["DeletionProtectionEnabled"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_three_regions_can_be_strongly_consistent(zips: Zip, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("strong")
    three = synthesised(zips("arm64"), folder, STRONG_REGIONS, strong=True, nag=False)
    table = only(three, "AWS::DynamoDB::GlobalTable", "DynadexData")
    assert table["MultiRegionConsistency"] == "STRONG"
    assert len(table["Replicas"]) == len(STRONG_REGIONS)


def test_no_change_is_lost_between_stream_and_function(assembly: Assembly) -> None:
    mapping = only(assembly, "AWS::Lambda::EventSourceMapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert 100 <= mapping["BatchSize"] <= 1000
    assert 0 < mapping["MaximumRecordAgeInSeconds"] < DAY_SECONDS
    # Until it is too old, a batch is tried again; only then is it given up, and told of.
    assert mapping.get("MaximumRetryAttempts", -1) == -1
    [given_up] = [name for name, _ in assembly.named_of_type("AWS::SQS::Queue", CORE) if "GivenUp" in name]
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [given_up, "Arn"]}


def test_no_request_outlives_its_invocation(assembly: Assembly) -> None:
    for handler, function in functions(assembly).items():
        request = int(function["Environment"]["Variables"]["DYNADEX_OPENSEARCH_TIMEOUT_SECONDS"])
        assert 3 * request + RESERVE_SECONDS <= function["Timeout"], handler
    # A rebuild waits until no invocation can still be under way that does not know the new index.
    prepared = functions(assembly)["prepare"]["Environment"]["Variables"]
    assert int(prepared["DYNADEX_MAX_BATCH_SECONDS"]) >= functions(assembly)["stream"]["Timeout"]
    # A slice is four minutes of scanning and half a minute of flushing.
    assert functions(assembly)["refill"]["Timeout"] >= 240 + 30
    # An HTTP API waits for no answer longer than 30 seconds.
    assert functions(assembly)["search"]["Timeout"] < 30


def test_every_function_serves_the_sync_with_signed_requests(assembly: Assembly) -> None:
    assert set(functions(assembly)) == {"stream", "prepare", "refill", "finish", "search"}
    for function in functions(assembly).values():
        variables = function["Environment"]["Variables"]
        assert variables["DYNADEX_SYNC"] == "deployed_lessons:sync"
        assert variables["DYNADEX_OPENSEARCH_AUTH"] == "sigv4"
        assert variables["DYNADEX_OPENSEARCH_ENDPOINT"]["Fn::GetAtt"][1] == "DomainEndpoint"
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    for handler in ("stream", "refill", "finish"):
        assert "DYNADEX_DEAD_LETTERS" in functions(assembly)[handler]["Environment"]["Variables"]


def test_logs_outlive_their_stack_and_end_some_day(assembly: Assembly) -> None:
    groups = assembly.of_type("AWS::Logs::LogGroup", CORE)
    assert {one["DeletionPolicy"] for one in groups} == {"Retain"}
    assert all(one["Properties"]["RetentionInDays"] > 0 for one in groups)
    for function in assembly.of_type("AWS::Lambda::Function", CORE):
        assert "LogGroup" in function["Properties"]["LoggingConfig"]


def test_logs_of_routes_and_executions_hold_no_keys(assembly: Assembly) -> None:
    stage = only(assembly, "AWS::ApiGatewayV2::Stage")
    assert "path" not in stage["AccessLogSettings"]["Format"].lower()
    machine = only(assembly, "AWS::StepFunctions::StateMachine")
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_the_domain_is_encrypted_and_closed_to_the_anonymous(assembly: Assembly) -> None:
    domain = only(assembly, "AWS::OpenSearchService::Domain")
    assert domain["EncryptionAtRestOptions"]["Enabled"]
    assert domain["NodeToNodeEncryptionOptions"]["Enabled"]
    assert domain["DomainEndpointOptions"]["EnforceHTTPS"]
    assert "TLS-1-2" in domain["DomainEndpointOptions"]["TLSSecurityPolicy"]
    [statement] = domain["AccessPolicies"]["Statement"]
    assert "iam::" in json.dumps(statement["Principal"])
    assert ":root" in json.dumps(statement["Principal"])
    assert set(domain["LogPublishingOptions"]) == {"ES_APPLICATION_LOGS", "SEARCH_SLOW_LOGS", "INDEX_SLOW_LOGS"}
    # Otherwise a bulk request could name, in its body, an index that its path and so its policy does not.
    assert domain["AdvancedOptions"]["rest.action.multi.allow_explicit_index"] == "false"


def test_queues_are_encrypted_and_kept_for_two_weeks(assembly: Assembly) -> None:
    for queue in assembly.of_type("AWS::SQS::Queue", CORE):
        assert queue["Properties"]["SqsManagedSseEnabled"]
        assert queue["Properties"]["MessageRetentionPeriod"] == 14 * DAY_SECONDS


def test_reads_are_open_and_writes_are_not(assembly: Assembly) -> None:
    routes = {one["Properties"]["RouteKey"]: one["Properties"] for one in assembly.of_type("AWS::ApiGatewayV2::Route")}
    assert {key: route["AuthorizationType"] for key, route in routes.items()} == {
        "GET /": "NONE",
        "GET /{proxy+}": "NONE",
        "PUT /api/documents/{proxy+}": "AWS_IAM",
        "DELETE /api/documents/{proxy+}": "AWS_IAM",
    }
    assert "CorsConfiguration" not in only(assembly, "AWS::ApiGatewayV2::Api")
    throttle = only(assembly, "AWS::ApiGatewayV2::Stage")["DefaultRouteSettings"]
    assert throttle["ThrottlingRateLimit"] > 0
    assert throttle["ThrottlingBurstLimit"] > 0


def test_the_state_machine_is_the_one_that_ships(assembly: Assembly) -> None:
    from dynadex_infra.refill import STATE_MACHINE

    machine = only(assembly, "AWS::StepFunctions::StateMachine")
    assert json.loads(machine["DefinitionString"]) == json.loads(STATE_MACHINE.read_text(encoding="utf-8"))
    called = {name: value["Fn::GetAtt"][0] for name, value in machine["DefinitionSubstitutions"].items()}
    assert set(called) == {"PrepareFunctionArn", "RefillFunctionArn", "FinishFunctionArn"}
    for name in called:
        assert f"${{{name}}}" in machine["DefinitionString"]


def alarms(assembly: Assembly) -> dict[str, Resource]:
    return {
        name.split("Alarm")[0]: one["Properties"]
        for name, one in assembly.named_of_type("AWS::CloudWatch::Alarm", CORE)
    }


def test_every_trouble_has_its_alarm_and_its_words(assembly: Assembly) -> None:
    found = alarms(assembly)
    assert set(found) == {
        "ClusterRed", "ClusterYellow", "DiskFull", "WritesBlocked", "StreamLate", "StreamVeryLate", "StreamErrors",
        "StreamThrottles", "DeadLetters", "GivenUp", "RefillFailed", "RefillTimedOut", "ServiceErrors", "ServiceSlow",
    }  # fmt: skip
    for one in found.values():
        assert one["AlarmDescription"]
        assert one["AlarmActions"] == ["arn:aws:sns:us-east-1:000000000000:alarms"]


@pytest.mark.parametrize(("name", "hours"), [("StreamLate", 3.6), ("StreamVeryLate", 12)])
def test_waiting_changes_ring_long_before_the_stream_forgets_them(assembly: Assembly, name: str, hours: float) -> None:
    alarm = alarms(assembly)[name]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("IteratorAge", "Maximum")
    assert alarm["Threshold"] == pytest.approx(hours * HOUR_MILLISECONDS)


@pytest.mark.parametrize("name", ["DeadLetters", "GivenUp"])
def test_one_dead_letter_is_enough_to_ring(assembly: Assembly, name: str) -> None:
    alarm = alarms(assembly)[name]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)


def test_the_dashboard_shows_the_metrics_that_the_function_prints(assembly: Assembly) -> None:
    from dynadex.aws.observation import NAMESPACE, counts
    from dynadex.index.results import ApplyResult, BulkStats

    body = json.dumps(only(assembly, "AWS::CloudWatch::Dashboard")["DashboardBody"])
    for metric in counts(ApplyResult(newest_change_us=1), BulkStats(max_seconds=1.0), 1.0):
        assert f'\\\\\\"{NAMESPACE}\\\\\\",\\\\\\"{metric}\\\\\\"' in json.dumps(body)


def test_users_go_to_the_nearest_region_that_is_ready(assembly: Assembly) -> None:
    checks = [one["Properties"]["HealthCheckConfig"] for one in assembly.of_type("AWS::Route53::HealthCheck")]
    assert {one["FullyQualifiedDomainName"] for one in checks} == {
        "us-east-1.search.example.org",
        "eu-west-1.search.example.org",
    }
    assert {(one["Type"], one["ResourcePath"]) for one in checks} == {("HTTPS", "/health/ready")}
    records = [one["Properties"] for one in assembly.of_type("AWS::Route53::RecordSet", "DynadexGlobal")]
    geographic = [one for one in records if one["Name"] == "search.example.org."]
    assert {one["SetIdentifier"]: one["GeoLocation"] for one in geographic} == {
        "us-east-1-default": {"CountryCode": "*"},
        "eu-west-1-EU": {"ContinentCode": "EU"},
        "eu-west-1-AF": {"ContinentCode": "AF"},
    }
    assert all(one["AliasTarget"]["EvaluateTargetHealth"] for one in records)


def test_each_region_answers_to_its_own_name_and_to_the_one_of_all(assembly: Assembly) -> None:
    names: list[Any] = [
        one["Properties"]["DomainName"]
        for one in assembly.of_type("AWS::ApiGatewayV2::DomainName", "DynadexEdge-eu-west-1")
    ]
    assert names == ["eu-west-1.search.example.org", "search.example.org"]
