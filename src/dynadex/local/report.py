"""What a person at a terminal is told about a local stack."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from dynadex.local import programs
from dynadex.local.state import DEFAULT_DIRECTORY, RunningStack, StackFolder


def running(directory: Path, stack: RunningStack) -> str:
    """What runs, where, since when, where its logs are, and the lines that point other programs at it."""
    folder = StackFolder(directory)
    backends = (
        ("DynamoDB", stack.endpoints.dynamodb, programs.DYNAMODB, folder.log("ministack")),
        ("OpenSearch", stack.endpoints.opensearch, programs.OPENSEARCH, folder.log("opensearch")),
    )
    lines = [f"local stack: running since {stack.started_at}, pid {stack.pid}"]
    for label, url, name, log in backends:
        pid = stack.children.get(name)
        origin = f"{name}, pid {pid}, log {log}" if pid else "not ours: it ran already"
        lines.append(f"  {label:<11}{url}  ({origin})")
    lines.append(f"  {'files':<11}{folder.path}")
    if stack.children:
        lines.append(f"  {'data':<11}in memory, gone once it stops")
    return "\n".join([*lines, "", "Point other programs at it:", "", environment_line(stack)])


def environment_line(stack: RunningStack) -> str:
    """An export line for a shell. A DynamoDB that is not ours takes the caller's own credentials."""
    variables = {"AWS_ENDPOINT_URL": stack.endpoints.dynamodb}
    if programs.DYNAMODB in stack.children:
        variables |= {
            "AWS_ACCESS_KEY_ID": programs.CREDENTIAL,
            "AWS_SECRET_ACCESS_KEY": programs.CREDENTIAL,
            # boto3 reads the second only, other SDKs the first.
            "AWS_REGION": programs.REGION,
            "AWS_DEFAULT_REGION": programs.REGION,
        }
    variables["OPENSEARCH_URL"] = stack.endpoints.opensearch
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())


def how_to_stop(directory: Path) -> str:
    """The command that stops a stack running behind."""
    command = "dynadex local down"
    if directory.absolute() != DEFAULT_DIRECTORY.absolute():
        command += f" --dir {shlex.quote(str(directory))}"
    return f"Stop it with: {command}"


def not_running(directory: Path) -> str:
    """That nothing runs, and where the logs of what ran last are."""
    folder = StackFolder(directory)
    text = f"local stack: not running in {folder.path}"
    return f"{text} (logs of the last one are there)" if any(folder.path.glob("*.log")) else text


def show(text: str) -> None:
    """Print, with colours on a terminal; lines are never wrapped, so they can be copied."""
    if not sys.stdout.isatty():
        print(text, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    coloured = Text(text)
    coloured.highlight_regex(r"^local stack: \w+", "bold")
    coloured.highlight_regex(r"https?://\S+", "cyan")
    Console(highlight=False).print(coloured, soft_wrap=True)
