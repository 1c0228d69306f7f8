"""The search service: an HTTP API in front of one function that serves searches, documents and the page."""

from __future__ import annotations

import json

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from dynadex_infra.acknowledged import acknowledge
from dynadex_infra.alarm_set import MINUTE, AlarmSet
from dynadex_infra.functions import Sizing, allow, allow_reading, sync_function
from dynadex_infra.log_groups import log_group
from dynadex_infra.search_domain import DomainReference, alias_paths, index_paths
from dynadex_infra.settings import ServiceOptions, SyncCode

# An HTTP API waits at most 30 s for a response.
SIZING = Sizing(timeout_seconds=20, request_seconds=5)
# Without the path, which may contain the key of an item.
_LOGGED = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "route": "$context.routeKey",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "error": "$context.error.message",
}
_SLOW_RESPONSE_MILLISECONDS = 2000
# Headers with which a page signs a request, sends a token, and states its preconditions.
_ALLOWED_HEADERS = [
    "Authorization",
    "Content-Type",
    "If-Match",
    "If-None-Match",
    "X-Amz-Date",
    "X-Amz-Security-Token",
]


class SearchService(Construct):
    """HTTP API that anyone may read. Writes go to the table and require IAM authorization or a token of an issuer."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        code: SyncCode,
        table: dynamodb.ITable,
        domain: DomainReference,
        state: dynamodb.ITable | None = None,
        options: ServiceOptions | None = None,
    ) -> None:
        super().__init__(scope, name)
        self.options = options or ServiceOptions()
        environment = {"DYNADEX_STATE_TABLE": state.table_name} if state else {}
        if self.options.origins:
            environment["DYNADEX_CORS_ORIGINS"] = ",".join(self.options.origins)
        self.function = sync_function(self, "Search", code, "search", SIZING, domain, environment)
        self._allow(code, table, domain, state)
        self.api = apigateway.HttpApi(self, "Api", create_default_stage=False, cors_preflight=self._cors())
        self._add_routes()
        self.stage = self._stage()

    @property
    def url(self) -> str:
        """URL of the API."""
        return self.api.api_endpoint

    def add_alarms(self, alarms: AlarmSet) -> None:
        """Add alarms for errors and slow responses."""
        errors = self.api.metric_server_error(period=MINUTE, statistic="Sum")
        alarms.add(
            "ServiceErrors", errors, 5,
            "The search API returned five or more 5xx responses within a minute. Check the log of the search function "
            "and the health of the search domain.",
        )  # fmt: skip
        latency = self.api.metric_latency(period=MINUTE, statistic="p95")
        alarms.add(
            "ServiceSlow", latency, _SLOW_RESPONSE_MILLISECONDS,
            f"For five minutes, 5 % of the responses of the search API took {_SLOW_RESPONSE_MILLISECONDS:,} ms or "
            "more. Check the CPU and memory pressure of the search domain.", periods=5,
        )  # fmt: skip

    def _allow(
        self, code: SyncCode, table: dynamodb.ITable, domain: DomainReference, state: dynamodb.ITable | None
    ) -> None:
        role = self.function.role
        allow_reading(self.function, table)
        allow(role, ["dynamodb:PutItem", "dynamodb:DeleteItem"], [table.table_arn])
        domain.allow(role, ["GET", "POST"], [f"{path}/_search" for path in (code.index, f"{code.index}-*")])
        domain.allow(role, ["GET"], [*index_paths(code.index), *alias_paths(code.index)])
        if state:
            allow(role, ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query"], [state.table_arn])

    def _add_routes(self) -> None:
        integration = integrations.HttpLambdaIntegration("Search", self.function)
        method = apigateway.HttpMethod
        for path in ("/", "/{proxy+}"):
            for route in self.api.add_routes(path=path, methods=[method.GET], integration=integration):
                acknowledge(route, "AwsSolutions-APIG4", "Searches are public: the route only reads, and is throttled.")
        self.api.add_routes(
            path="/api/documents/{proxy+}",
            methods=[method.PUT, method.DELETE],
            integration=integration,
            authorizer=self._writers(),
            authorization_scopes=list(self.options.writers.scopes) if self.options.writers else None,
        )

    def _writers(self) -> apigateway.IHttpRouteAuthorizer:
        jwt = self.options.writers
        if jwt is None:
            return authorizers.HttpIamAuthorizer()
        return authorizers.HttpJwtAuthorizer("Writers", jwt.issuer, jwt_audience=list(jwt.audience))

    def _cors(self) -> apigateway.CorsPreflightOptions | None:
        """Return the CORS options; the gateway responds to preflights and replaces the function's CORS headers."""
        if not self.options.origins:
            return None
        method = apigateway.CorsHttpMethod
        return apigateway.CorsPreflightOptions(
            allow_origins=list(self.options.origins),
            allow_methods=[method.GET, method.PUT, method.DELETE],
            allow_headers=_ALLOWED_HEADERS,
            expose_headers=["ETag"],
            max_age=Duration.minutes(10),
        )

    def _stage(self) -> apigateway.HttpStage:
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=self.options.requests_per_second, burst_limit=self.options.burst
            ),
        )
        resource = stage.node.default_child
        assert isinstance(resource, apigateway.CfnStage)
        resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log_group(self, "AccessLogs").log_group_arn, format=json.dumps(_LOGGED)
        )
        return stage
