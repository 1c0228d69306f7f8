"""Descriptions of a local stack for a terminal."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from dynadex.local.state import CREDENTIAL, DEFAULT_DIRECTORY, DYNAMODB, REGION, RunningStack, StackFolder


def running(directory: Path, stack: RunningStack) -> str:
    """Describe a running stack: URLs, processes, logs, and the environment that other programs need."""
    folder = StackFolder(directory)
    engine = next((name for name in stack.children if name != DYNAMODB), "")
    backends = (
        ("DynamoDB", stack.endpoints.dynamodb, DYNAMODB, folder.log("ministack")),
        ("OpenSearch", stack.endpoints.opensearch, engine, folder.log("opensearch")),
    )
    lines = [f"local stack: running since {stack.started_at}, pid {stack.pid}"]
    for label, url, name, log in backends:
        pid = stack.children.get(name)
        origin = f"{name}, pid {pid}, log {log}" if pid else "not started by this stack"
        lines.append(f"  {label:<11}{url}  ({origin})")
    lines.append(f"  {'files':<11}{folder.path}")
    if stack.children:
        lines.append(f"  {'data':<11}temporary, lost when the stack stops")
    return "\n".join([*lines, "", "To use it from other programs:", "", environment_line(stack)])


def environment_line(stack: RunningStack) -> str:
    """Return an export line for a shell. Credentials are included only for a DynamoDB that this stack started."""
    variables = {"AWS_ENDPOINT_URL": stack.endpoints.dynamodb}
    if DYNAMODB in stack.children:
        variables |= {
            "AWS_ACCESS_KEY_ID": CREDENTIAL,
            "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
            # boto3 reads only AWS_DEFAULT_REGION, other SDKs AWS_REGION.
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }
    variables["OPENSEARCH_URL"] = stack.endpoints.opensearch
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())


def how_to_stop(directory: Path) -> str:
    """Return a line with the command that stops a detached stack."""
    command = "dynadex local down"
    if directory.absolute() != DEFAULT_DIRECTORY.absolute():
        command += f" --dir {shlex.quote(str(directory))}"
    return f"Stop it with: {command}"


def not_running(directory: Path) -> str:
    """Describe a folder without a running stack, and mention logs of the last one."""
    folder = StackFolder(directory)
    text = f"local stack: not running in {folder.path}"
    return f"{text} (it has the logs of the last run)" if any(folder.path.glob("*.log")) else text


def show(text: str) -> None:
    """Print text, with colors on a terminal. Lines are not wrapped, so that they can be copied."""
    if not sys.stdout.isatty():
        print(text, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    colored = Text(text)
    colored.highlight_regex(r"^local stack: \w+", "bold")
    colored.highlight_regex(r"https?://\S+", "cyan")
    Console(highlight=False).print(colored, soft_wrap=True)
