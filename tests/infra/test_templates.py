"""Properties of the synthesized templates that correctness, security and operations depend on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.conftest import Assemblies, Zip
from tests.infra.synthesis import STRONG_REGIONS, Assembly, Resource, synthesized

CORE = "DynadexCore-us-east-1"
DAY_SECONDS = 24 * 3600
HOUR_MILLISECONDS = 3_600_000
# Reserved in each invocation for dead letters and the response, as in dynadex.aws.steps.
RESERVE_SECONDS = 3


@pytest.fixture(scope="module")
def assembly(assemblies: Assemblies) -> Assembly:
    return assemblies(2)


def only(assembly: Assembly, kind: str, stack: str = CORE) -> Resource:
    [resource] = assembly.of_type(kind, stack)
    properties: Resource = resource["Properties"]
    return properties


def functions(assembly: Assembly) -> dict[str, Resource]:
    """Properties of the functions that run dynadex, by handler."""
    properties = [function["Properties"] for function in assembly.of_type("AWS::Lambda::Function", CORE)]
    prefix = "dynadex.aws.deployed."
    return {
        function["Handler"].removeprefix(prefix): function
        for function in properties
        if function["Handler"].startswith(prefix)
    }


def test_table_has_a_stream_with_images_and_can_be_recovered(assembly: Assembly) -> None:
    [table] = assembly.of_type("AWS::DynamoDB::GlobalTable", "DynadexData")
    properties = table["Properties"]
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert [replica["Region"] for replica in properties["Replicas"]] == ["eu-west-1", "us-east-1"]
    for replica in properties["Replicas"]:
        assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert replica["DeletionProtectionEnabled"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_three_regions_can_be_strongly_consistent(zips: Zip, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("strong")
    three = synthesized(zips("arm64"), folder, STRONG_REGIONS, strong=True, nag=False)
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
    # Lambda retries a batch until it is too old, then discards it and reports it.
    assert mapping.get("MaximumRetryAttempts", -1) == -1
    [discarded] = [name for name, _ in assembly.named_of_type("AWS::SQS::Queue", CORE) if "DiscardedBatches" in name]
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [discarded, "Arn"]}


def test_no_request_outlives_its_invocation(assembly: Assembly) -> None:
    for handler, function in functions(assembly).items():
        request = int(function["Environment"]["Variables"]["DYNADEX_OPENSEARCH_TIMEOUT_SECONDS"])
        assert 3 * request + RESERVE_SECONDS <= function["Timeout"], handler
    # A rebuild waits until no invocation can run that does not know the new index.
    prepared = functions(assembly)["prepare"]["Environment"]["Variables"]
    assert int(prepared["DYNADEX_MAX_BATCH_SECONDS"]) >= functions(assembly)["stream"]["Timeout"]
    # A slice scans for 240 seconds and flushes for 30.
    assert functions(assembly)["refill"]["Timeout"] >= 240 + 30
    # An HTTP API waits for a response for at most 30 seconds.
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


def test_logs_outlive_their_stack_and_expire(assembly: Assembly) -> None:
    groups = assembly.of_type("AWS::Logs::LogGroup", CORE)
    assert {group["DeletionPolicy"] for group in groups} == {"Retain"}
    assert all(group["Properties"]["RetentionInDays"] > 0 for group in groups)
    for function in assembly.of_type("AWS::Lambda::Function", CORE):
        assert "LogGroup" in function["Properties"]["LoggingConfig"]


def test_logs_of_routes_and_executions_hold_no_keys(assembly: Assembly) -> None:
    stage = only(assembly, "AWS::ApiGatewayV2::Stage")
    assert "path" not in stage["AccessLogSettings"]["Format"].lower()
    machine = only(assembly, "AWS::StepFunctions::StateMachine")
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_domain_is_encrypted_and_rejects_anonymous_requests(assembly: Assembly) -> None:
    domain = only(assembly, "AWS::OpenSearchService::Domain")
    assert domain["EncryptionAtRestOptions"]["Enabled"]
    assert domain["NodeToNodeEncryptionOptions"]["Enabled"]
    assert domain["DomainEndpointOptions"]["EnforceHTTPS"]
    assert "TLS-1-2" in domain["DomainEndpointOptions"]["TLSSecurityPolicy"]
    [statement] = domain["AccessPolicies"]["Statement"]
    assert "iam::" in json.dumps(statement["Principal"])
    assert ":root" in json.dumps(statement["Principal"])
    assert set(domain["LogPublishingOptions"]) == {"ES_APPLICATION_LOGS", "SEARCH_SLOW_LOGS", "INDEX_SLOW_LOGS"}
    # Otherwise the body of a bulk request could name an index that the policy of its path does not allow.
    assert domain["AdvancedOptions"]["rest.action.multi.allow_explicit_index"] == "false"


def test_queues_are_encrypted_and_retain_messages_for_two_weeks(assembly: Assembly) -> None:
    for queue in assembly.of_type("AWS::SQS::Queue", CORE):
        assert queue["Properties"]["SqsManagedSseEnabled"]
        assert queue["Properties"]["MessageRetentionPeriod"] == 14 * DAY_SECONDS


def test_reads_are_public_and_writes_require_authorization(assembly: Assembly) -> None:
    routes = {
        route["Properties"]["RouteKey"]: route["Properties"] for route in assembly.of_type("AWS::ApiGatewayV2::Route")
    }
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


def test_state_machine_is_the_one_in_the_package(assembly: Assembly) -> None:
    from dynadex_infra.refill import STATE_MACHINE

    machine = only(assembly, "AWS::StepFunctions::StateMachine")
    assert json.loads(machine["DefinitionString"]) == json.loads(STATE_MACHINE.read_text(encoding="utf-8"))
    called = {name: value["Fn::GetAtt"][0] for name, value in machine["DefinitionSubstitutions"].items()}
    assert set(called) == {"PrepareFunctionArn", "RefillFunctionArn", "FinishFunctionArn"}
    for name in called:
        assert f"${{{name}}}" in machine["DefinitionString"]


def alarms(assembly: Assembly) -> dict[str, Resource]:
    return {
        name.split("Alarm")[0]: alarm["Properties"]
        for name, alarm in assembly.named_of_type("AWS::CloudWatch::Alarm", CORE)
    }


def test_every_alarm_has_a_description_and_a_topic(assembly: Assembly) -> None:
    by_name = alarms(assembly)
    assert set(by_name) == {
        "ClusterRed", "ClusterYellow", "StorageLow", "WritesBlocked", "StreamLag", "StreamLagCritical",
        "StreamErrors", "StreamThrottles", "DeadLetters", "DiscardedBatches", "RefillFailed", "RefillTimedOut",
        "ServiceErrors", "ServiceSlow",
    }  # fmt: skip
    for alarm in by_name.values():
        assert alarm["AlarmDescription"]
        assert alarm["AlarmActions"] == ["arn:aws:sns:us-east-1:000000000000:alarms"]


@pytest.mark.parametrize(("name", "hours"), [("StreamLag", 3.6), ("StreamLagCritical", 12)])
def test_lag_raises_an_alarm_long_before_the_stream_drops_changes(assembly: Assembly, name: str, hours: float) -> None:
    alarm = alarms(assembly)[name]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("IteratorAge", "Maximum")
    assert alarm["Threshold"] == pytest.approx(hours * HOUR_MILLISECONDS)


@pytest.mark.parametrize("name", ["DeadLetters", "DiscardedBatches"])
def test_one_dead_letter_raises_an_alarm(assembly: Assembly, name: str) -> None:
    alarm = alarms(assembly)[name]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)


def test_dashboard_shows_the_metrics_of_the_stream_function(assembly: Assembly) -> None:
    from dynadex.aws.observation import NAMESPACE, counts
    from dynadex.index.results import ApplyResult, BulkStats

    body = json.dumps(only(assembly, "AWS::CloudWatch::Dashboard")["DashboardBody"])
    for metric in counts(ApplyResult(newest_change_us=1), BulkStats(max_seconds=1.0), 1.0):
        assert f'\\\\\\"{NAMESPACE}\\\\\\",\\\\\\"{metric}\\\\\\"' in json.dumps(body)


def test_clients_are_routed_to_the_nearest_healthy_region(assembly: Assembly) -> None:
    checks = [check["Properties"]["HealthCheckConfig"] for check in assembly.of_type("AWS::Route53::HealthCheck")]
    assert {check["FullyQualifiedDomainName"] for check in checks} == {
        "us-east-1.search.example.org",
        "eu-west-1.search.example.org",
    }
    assert {(check["Type"], check["ResourcePath"]) for check in checks} == {("HTTPS", "/health/ready")}
    records = [record["Properties"] for record in assembly.of_type("AWS::Route53::RecordSet", "DynadexGlobal")]
    geographic = [record for record in records if record["Name"] == "search.example.org."]
    assert {record["SetIdentifier"]: record["GeoLocation"] for record in geographic} == {
        "us-east-1-default": {"CountryCode": "*"},
        "eu-west-1-EU": {"ContinentCode": "EU"},
        "eu-west-1-AF": {"ContinentCode": "AF"},
    }
    assert all(record["AliasTarget"]["EvaluateTargetHealth"] for record in records)


def test_each_region_has_its_name_and_the_global_name(assembly: Assembly) -> None:
    names: list[Any] = [
        domain["Properties"]["DomainName"]
        for domain in assembly.of_type("AWS::ApiGatewayV2::DomainName", "DynadexEdge-eu-west-1")
    ]
    assert names == ["eu-west-1.search.example.org", "search.example.org"]
