"""Clients of AWS and OpenSearch: the only module with endpoints, signing and timeouts.

It imports an SDK when the first client that needs it is created, so that importing dynadex stays cheap.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from dynadex.document import body
from dynadex.errors import DeclarationError
from dynadex.settings import RuntimeSettings, is_loopback, without_password

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sqs import SQSClient
    from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth

_CONNECT_SECONDS = 3.0
_READ_SECONDS = 20.0
# A refill has at most this many segments, each with its own connection.
_POOL = 32
_MAX_CLIENTS = 32
# Operations whose items or records botocore passes on unparsed.
_UNPARSED = {"dynamodb": "dynamodb.Scan", "dynamodbstreams": "dynamodb-streams.GetRecords"}
# Hosts of Amazon OpenSearch Service and Serverless; the second form supports IPv6.
_AMAZON = re.compile(
    r"\.(?P<region>[a-z0-9-]+)\.(?P<service>es|aoss)\.amazonaws\.com(\.cn)?$|\.aos\.(?P<dual_region>[a-z0-9-]+)\.on\.aws$"
)


def dynamodb(settings: RuntimeSettings) -> DynamoDBClient:
    """Return a DynamoDB client. Clients with equal settings and credentials are shared, and safe to use in threads."""
    client: DynamoDBClient = _aws_client("dynamodb", settings)
    return client


def dynamodb_streams(settings: RuntimeSettings) -> DynamoDBStreamsClient:
    """Return a DynamoDB Streams client, shared as in `dynamodb`."""
    client: DynamoDBStreamsClient = _aws_client("dynamodbstreams", settings)
    return client


def _keep_typed_json(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Pass items and stream records on as DynamoDB sent them, which is also their form in a Lambda event.

    Binary values stay base64 text, and times stay numbers. botocore's own parser checks each value against the
    service model, which takes longer than all of dynadex's work on it.
    """
    if response_dict["status_code"] != 200:
        return
    try:
        reply = orjson.loads(response_dict["body"])
    except ValueError:
        # botocore parses the body after this, and raises its own error.
        return
    for name in ("Items", "Records"):
        if name in reply:
            customized_response_dict[name] = reply.pop(name)
    response_dict["body"] = orjson.dumps(reply)


def sqs(settings: RuntimeSettings) -> SQSClient:
    """Return an SQS client, shared as in `dynamodb`."""
    client: SQSClient = _aws_client("sqs", settings)
    return client


def s3(settings: RuntimeSettings) -> Any:
    """Return an S3 client, which reads exports; shared as in `dynamodb`."""
    return _aws_client("s3", settings)


def cloudwatch(settings: RuntimeSettings) -> Any:
    """Return a CloudWatch client, which reads the metrics of the Lambda functions; shared as in `dynamodb`."""
    return _aws_client("cloudwatch", settings)


def opensearch(settings: RuntimeSettings) -> OpenSearch:
    """Return an OpenSearch client that keeps every digit of a number and signs requests if the settings require it.

    It never retries: the writer does. Raises DeclarationError for plain HTTP to a host other than a loopback address,
    and when requests must be signed but the region or the credentials are missing.
    """
    from opensearchpy import JSONSerializer, OpenSearch

    class ExactSerializer(JSONSerializer):
        def loads(self, s: str) -> Any:
            return body.decode(s)

    url = settings.opensearch_url
    if url.startswith("http://") and not is_loopback(url):
        raise DeclarationError(
            "connect to",
            without_password(url),
            "plain HTTP would send data over the network unencrypted",
            "Use an https:// URL.",
        )
    return OpenSearch(
        [url],
        serializer=ExactSerializer(),
        http_auth=_signer(settings),
        max_retries=0,
        retry_on_timeout=False,
        timeout=settings.opensearch_timeout_seconds,
        pool_maxsize=_POOL,
        http_compress=not is_loopback(url),
        verify_certs=True,
    )


def _signer(settings: RuntimeSettings) -> Urllib3AWSV4SignerAuth | None:
    """Return the SigV4 signer of requests to the search cluster, or None if they are not to be signed."""
    parts = urlsplit(settings.opensearch_url)
    amazon = _AMAZON.search(parts.hostname or "")
    if settings.opensearch_auth == "none" or (settings.opensearch_auth == "auto" and (parts.username or not amazon)):
        return None
    # The host only: the URL may contain a password.
    subject = parts.hostname or ""
    if parts.username:
        hint = "Remove the user name from OPENSEARCH_URL, or unset DYNADEX_OPENSEARCH_AUTH."
        reason = "a request is either signed or sent with a user name, not both"
        raise DeclarationError("connect to", subject, reason, hint)
    import boto3
    from opensearchpy import Urllib3AWSV4SignerAuth

    session = boto3.session.Session()
    region = (amazon and (amazon["region"] or amazon["dual_region"])) or settings.region or session.region_name
    if not region:
        raise DeclarationError("sign requests to", subject, "the AWS region is not set", "Set AWS_REGION.")
    # The signer reads the current keys at each request, so credentials that expire are refreshed.
    credentials = session.get_credentials()
    if credentials is None:
        raise DeclarationError(
            "sign requests to", subject, "there are no AWS credentials", "Configure them: see `aws configure`."
        )
    return Urllib3AWSV4SignerAuth(credentials, region, (amazon and amazon["service"]) or "es")


def _aws_client(service: str, settings: RuntimeSettings) -> Any:
    """Return the shared client of these settings and of the AWS_ variables in the environment.

    Creating a client takes longer than most of its calls.
    """
    return _new_aws_client(service, settings, tuple(sorted(_aws_variables())))


def _aws_variables() -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))


@lru_cache(_MAX_CLIENTS)
def _new_aws_client(service: str, settings: RuntimeSettings, environment: Sequence[tuple[str, str]]) -> Any:
    import boto3
    from botocore.config import Config

    variables = dict(environment)
    local = is_loopback(settings.dynamodb_url or variables.get("AWS_ENDPOINT_URL"))
    arguments: dict[str, Any] = {"endpoint_url": settings.dynamodb_url}
    if local and not variables.get("AWS_ACCESS_KEY_ID"):
        # A local emulator accepts any credentials, but botocore does not work without them.
        arguments |= {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    client = boto3.session.Session().client(
        service,  # type: ignore[call-overload]
        region_name=settings.region or ("us-east-1" if local else None),
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=_POOL,
            retries={"mode": "standard", "max_attempts": 3},
        ),
        **arguments,
    )
    if service in _UNPARSED:
        client.meta.events.register(f"before-parse.{_UNPARSED[service]}", _keep_typed_json)
    return client
