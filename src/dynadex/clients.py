"""The only place with endpoints, signing and time-outs. Imports its SDKs when a client is first wanted."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
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
# As many as a refill has parts of its table at most.
_POOL = 32
_MAX_CLIENTS = 32
# Replies whose items or records are handed on as they were sent.
_HANDED_ON = {"dynamodb": "dynamodb.Scan", "dynamodbstreams": "dynamodb-streams.GetRecords"}
# Hosts of Amazon OpenSearch Service and Serverless; the second form answers over IPv6, too.
_AMAZON = re.compile(
    r"\.(?P<region>[a-z0-9-]+)\.(?P<service>es|aoss)\.amazonaws\.com(\.cn)?$|\.aos\.(?P<dual_region>[a-z0-9-]+)\.on\.aws$"
)


def dynamodb(settings: RuntimeSettings) -> DynamoDBClient:
    """A DynamoDB client."""
    client: DynamoDBClient = _aws("dynamodb", settings)
    return client


def dynamodb_streams(settings: RuntimeSettings) -> DynamoDBStreamsClient:
    """A DynamoDB Streams client."""
    client: DynamoDBStreamsClient = _aws("dynamodbstreams", settings)
    return client


def _as_sent(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Hand on items and stream records as DynamoDB sent them, which is how a Lambda function gets them: binary values
    as base64 text, times as numbers. To check each value against its model takes botocore longer than all we do."""
    if response_dict["status_code"] != 200:
        return
    try:
        reply = orjson.loads(response_dict["body"])
    except ValueError:
        # botocore will say what it thinks of it.
        return
    for name in ("Items", "Records"):
        if name in reply:
            customized_response_dict[name] = reply.pop(name)
    response_dict["body"] = orjson.dumps(reply)


def sqs(settings: RuntimeSettings) -> SQSClient:
    """An SQS client."""
    client: SQSClient = _aws("sqs", settings)
    return client


def s3(settings: RuntimeSettings) -> Any:
    """An S3 client, for exports."""
    return _aws("s3", settings)


def cloudwatch(settings: RuntimeSettings) -> Any:
    """A CloudWatch client, for what the functions have reported."""
    return _aws("cloudwatch", settings)


def opensearch(settings: RuntimeSettings) -> OpenSearch:
    """An OpenSearch client: never retries by itself (the writer does), reads numbers exactly, signs where it must.

    Raises DeclarationError for plain HTTP to anything but this machine, and when it cannot sign.
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
            "Use https://.",
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
    """What signs requests to the search cluster with SigV4, or None where a user or nobody is asked for."""
    parts = urlsplit(settings.opensearch_url)
    amazon = _AMAZON.search(parts.hostname or "")
    if settings.opensearch_auth == "none" or (settings.opensearch_auth == "auto" and (parts.username or not amazon)):
        return None
    # The URL may hold a password, so it is not named.
    subject = parts.hostname or ""
    if parts.username:
        hint = "Remove one of them: the user from OPENSEARCH_URL, or DYNADEX_OPENSEARCH_AUTH."
        raise DeclarationError("connect to", subject, "requests are either signed or sent as a user", hint)
    import boto3
    from opensearchpy import Urllib3AWSV4SignerAuth

    session = boto3.session.Session()
    region = (amazon and (amazon["region"] or amazon["dual_region"])) or settings.region or session.region_name
    if not region:
        raise DeclarationError("sign requests to", subject, "the region is not known", "Set AWS_REGION.")
    # Refreshable: the signer asks them for the current keys at every request.
    credentials = session.get_credentials()
    if credentials is None:
        raise DeclarationError("sign requests to", subject, "there are no AWS credentials", "Set them up.")
    return Urllib3AWSV4SignerAuth(credentials, region, (amazon and amazon["service"]) or "es")


def _aws(service: str, settings: RuntimeSettings) -> Any:
    """One client for all who ask: they may share it, and making one takes longer than most of what it is made for."""
    return _made(service, settings, tuple(sorted(one for one in os.environ.items() if one[0].startswith("AWS_"))))


@lru_cache(_MAX_CLIENTS)
def _made(service: str, settings: RuntimeSettings, environment: Sequence[tuple[str, str]]) -> Any:
    import boto3
    from botocore.config import Config

    known = dict(environment)
    local = is_loopback(settings.dynamodb_url or known.get("AWS_ENDPOINT_URL"))
    arguments: dict[str, Any] = {"endpoint_url": settings.dynamodb_url}
    if local and not known.get("AWS_ACCESS_KEY_ID"):
        # A local emulator takes any credentials, but botocore insists on having some.
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
    if service in _HANDED_ON:
        client.meta.events.register(f"before-parse.{_HANDED_ON[service]}", _as_sent)
    return client
