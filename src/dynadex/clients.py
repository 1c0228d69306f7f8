"""The only place with endpoints, signing and time-outs. Imports its SDKs when a client is first wanted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dynadex.document import body
from dynadex.errors import DeclarationError
from dynadex.settings import Settings, is_loopback

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sqs import SQSClient
    from opensearchpy import OpenSearch

_CONNECT_SECONDS = 3.0
_READ_SECONDS = 20.0
_POOL = 16


def dynamodb(settings: Settings) -> DynamoDBClient:
    """A DynamoDB client."""
    client: DynamoDBClient = _aws("dynamodb", settings)
    return client


def dynamodb_streams(settings: Settings) -> DynamoDBStreamsClient:
    """A DynamoDB Streams client."""
    client: DynamoDBStreamsClient = _aws("dynamodbstreams", settings)
    return client


def sqs(settings: Settings) -> SQSClient:
    """An SQS client."""
    client: SQSClient = _aws("sqs", settings)
    return client


def opensearch(settings: Settings) -> OpenSearch:
    """An OpenSearch client: never retries by itself (the writer does), reads numbers exactly.

    Raises DeclarationError for plain HTTP to anything but this machine.
    """
    from opensearchpy import JSONSerializer, OpenSearch

    class ExactSerializer(JSONSerializer):
        def loads(self, s: str) -> Any:
            return body.decode(s)

    url = settings.opensearch_url
    if url.startswith("http://") and not is_loopback(url):
        raise DeclarationError(
            "connect to", url, "plain HTTP would send data over the network unencrypted", "Use https://."
        )
    return OpenSearch(
        [url],
        serializer=ExactSerializer(),
        max_retries=0,
        retry_on_timeout=False,
        timeout=settings.request_timeout_seconds,
        pool_maxsize=_POOL,
        http_compress=not is_loopback(url),
        verify_certs=True,
    )


def _aws(service: str, settings: Settings) -> Any:
    import boto3
    from botocore.config import Config

    local = is_loopback(settings.dynamodb_url or os.environ.get("AWS_ENDPOINT_URL"))
    arguments: dict[str, Any] = {"endpoint_url": settings.dynamodb_url}
    if local and not os.environ.get("AWS_ACCESS_KEY_ID"):
        # A local emulator takes any credentials, but botocore insists on having some.
        arguments |= {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.session.Session().client(
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
