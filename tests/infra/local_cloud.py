"""Deploys synthesized stacks to the CloudFormation of the local stack, like the CDK CLI does to AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.waiting import HANG_SECONDS, wait_for

ACCOUNT = "000000000000"
REGION = "us-east-1"
_POLL_SECONDS = 0.1


class DeploymentFailed(AssertionError):
    """A stack did not reach the expected status; the message holds its events."""


class Signed(httpx.Auth):
    """Signs a request for an HTTP API with IAM authorization."""

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        url = str(request.url.copy_with(host=request.headers["Host"], port=None))
        signed = AWSRequest(request.method, url, data=request.content)
        SigV4Auth(Credentials("local", "local"), "execute-api", REGION).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request


class LocalCloud:
    """An account in the local stack, bootstrapped for CDK."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._cloudformation = self.client("cloudformation")
        self.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(
                s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=HANG_SECONDS
            ),
        )

    def deploy(self, assembly: Path, name: str) -> dict[str, str]:
        """Upload the assets of a stack, create it, and return its outputs by name."""
        template_url = self._upload(assembly, name)
        self._cloudformation.create_stack(
            StackName=name, TemplateURL=template_url, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
        )
        stack = self._await(name, "CREATE_COMPLETE")
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def resources(self, name: str) -> dict[str, tuple[str, str]]:
        """Return type and physical id of every resource of a stack, by logical id."""
        resources = self._cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return {
            resource["LogicalResourceId"]: (resource["ResourceType"], resource["PhysicalResourceId"])
            for resource in resources
        }

    def remove(self, name: str) -> None:
        """Delete a stack and wait until it is deleted."""
        identity = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self._cloudformation.delete_stack(StackName=name)
        self._await(identity, "DELETE_COMPLETE")

    def run(self, machine: str, arguments: Mapping[str, Any]) -> Any:
        """Run a state machine and return its output; raise AssertionError with its history if it fails."""
        client = self.client("stepfunctions")
        execution = client.start_execution(stateMachineArn=machine, input=json.dumps(arguments))["executionArn"]

        def ended() -> Any:
            state = client.describe_execution(executionArn=execution)
            return state["status"] != "RUNNING" and state

        state = wait_for(ended, "the end of the execution", _POLL_SECONDS)
        history = client.get_execution_history(executionArn=execution)["events"]
        assert state["status"] == "SUCCEEDED", json.dumps([state, history[-5:]], default=str, indent=1)
        return json.loads(state["output"])

    def http(self, api_url: str) -> httpx.Client:
        """Return a client of a deployed HTTP API."""
        [identity] = re.findall(r"//(\w+)\.execute-api", api_url)
        return httpx.Client(
            base_url=self.url, headers={"Host": f"{identity}.execute-api.localhost"}, timeout=HANG_SECONDS
        )

    def _upload(self, assembly: Path, name: str) -> str:
        """Upload every file of a stack; return the URL of its template."""
        s3, template_url = self.client("s3"), ""
        assets = json.loads((assembly / f"{name}.assets.json").read_text(encoding="utf-8"))["files"]
        for asset in assets.values():
            path = asset["source"]["path"]
            for destination in asset["destinations"].values():
                bucket = (
                    destination["bucketName"].replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)
                )
                s3.create_bucket(Bucket=bucket)
                s3.upload_file(str(assembly / path), bucket, destination["objectKey"])
                if path == f"{name}.template.json":
                    template_url = f"{self.url}/{bucket}/{destination['objectKey']}"
        return template_url

    def _await(self, name: str, status: str) -> dict[str, Any]:
        def settled() -> dict[str, Any] | None:
            stack: dict[str, Any] = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            is_running = stack["StackStatus"] != status and stack["StackStatus"].endswith("_IN_PROGRESS")
            return None if is_running else stack

        stack = wait_for(settled, f"{status} of {name}", _POLL_SECONDS)
        if stack["StackStatus"] != status:
            events = self._cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            raise DeploymentFailed(json.dumps(events[:20], default=str, indent=1))
        return stack
