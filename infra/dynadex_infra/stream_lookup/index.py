"""A custom resource: the ARN of the stream that a table has now, as its attribute ``StreamArn``."""

import json
import urllib.request
from typing import Any

import boto3


def handler(event: dict[str, Any], context: Any) -> None:
    answer: dict[str, Any] = {
        "Status": "SUCCESS",
        "PhysicalResourceId": event["ResourceProperties"]["TableName"],
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    try:
        if event["RequestType"] != "Delete":
            answer["Data"] = {"StreamArn": stream_arn(answer["PhysicalResourceId"])}
    except Exception as error:  # noqa: BLE001 - CloudFormation must be answered, whatever it was
        answer |= {"Status": "FAILED", "Reason": f"{error} (log stream {context.log_stream_name})"}
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=20).close()


def stream_arn(name: str) -> str:
    table = boto3.client("dynamodb").describe_table(TableName=name)["Table"]
    stream = table.get("StreamSpecification", {})
    if not stream.get("StreamEnabled") or stream["StreamViewType"] not in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        raise ValueError(f"table {name} has no stream with new images: enable one, with NEW_AND_OLD_IMAGES")
    return str(table["LatestStreamArn"])
