"""Custom resource whose attribute ``StreamArn`` is the ARN of a table's current stream."""

import json
import urllib.request
from typing import Any

import boto3


def handler(event: dict[str, Any], context: Any) -> None:
    """Look up the stream; report success or failure to CloudFormation."""
    response: dict[str, Any] = {
        "Status": "SUCCESS",
        "PhysicalResourceId": event["ResourceProperties"]["TableName"],
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    try:
        if event["RequestType"] != "Delete":
            response["Data"] = {"StreamArn": stream_arn(response["PhysicalResourceId"])}
    except Exception as error:  # noqa: BLE001 - without a response, CloudFormation waits for an hour
        response |= {"Status": "FAILED", "Reason": f"{error} (log stream {context.log_stream_name})"}
    body = json.dumps(response).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=20).close()


def stream_arn(name: str) -> str:
    """Return the ARN of a table's stream; raise ValueError if it has none with new images."""
    table = boto3.client("dynamodb").describe_table(TableName=name)["Table"]
    stream = table.get("StreamSpecification", {})
    if not stream.get("StreamEnabled") or stream["StreamViewType"] not in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        raise ValueError(f"Table {name} has no stream with new images. Enable one with NEW_AND_OLD_IMAGES.")
    return str(table["LatestStreamArn"])
