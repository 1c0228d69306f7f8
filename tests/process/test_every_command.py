"""Every command reports a missing backend, permission or declaration in one line with a remedy."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.main import get_command

from dynadex import cli, clients
from dynadex.local.stack import LocalStack
from dynadex.settings import RuntimeSettings

NOWHERE = "http://127.0.0.1:9"
MODULE, NAME = "every_command_sync", "every-command"
REFERENCE = f"{MODULE}:sync"
SYNC = f"from dynadex import Sync\nsync = Sync(table={NAME!r}, index={NAME!r}, mappings={{}})\n"
WRONG_MAPPING = SYNC.replace("mappings={}", "mappings={'_source': {'enabled': False}}")

# Commands that read the table first, commands that use the cluster, and commands that need a declaration.
OF_TABLE: dict[str, tuple[str, ...]] = {
    "init": ("init", NAME),
    "check": ("check", REFERENCE),
    "run": ("run", REFERENCE),
    "status": ("status", REFERENCE),
    "refill": ("refill", REFERENCE),
    "rebuild": ("rebuild", REFERENCE),
    "verify": ("verify", REFERENCE),
    "redrive": ("redrive", REFERENCE),
    "resync": ("resync", REFERENCE, "1"),
}
OF_CLUSTER: dict[str, tuple[str, ...]] = {
    "check": ("check", REFERENCE, "--on-cluster"),
    **{name: OF_TABLE[name] for name in ("run", "status", "refill", "rebuild", "verify", "resync")},
    "rollback": ("rollback", REFERENCE),
    "indexes": ("indexes", REFERENCE),
    "retire": ("retire", REFERENCE, "--yes"),
}
OF_DECLARATION = {**OF_TABLE, **OF_CLUSTER, "deploy": ("deploy", REFERENCE, "--dry-run")}
del OF_DECLARATION["init"]
# Commands that read neither. Their own tests cover their errors.
OF_NEITHER = {"config", "demo", "local"}

# Run a command with environment variables; return its line on standard error.
Fails = Callable[..., str]


def test_every_command_is_covered() -> None:
    commands = set(get_command(cli.app).commands)  # type: ignore[attr-defined]
    assert commands == {*OF_TABLE, *OF_DECLARATION, *OF_NEITHER}


class Rejecting(BaseHTTPRequestHandler):
    """A DynamoDB and an OpenSearch in one, which deny every request."""

    def do_POST(self) -> None:
        if "X-Amz-Target" in self.headers:
            message = "User: arn:aws:iam::111122223333:user/guest is not authorized to perform: dynamodb:DescribeTable"
            self._answer(400, {"__type": "com.amazon.coral.service#AccessDeniedException", "message": message})
        else:
            reason = "no permissions for [indices:admin] and User [name=guest]"
            self._answer(403, {"error": {"type": "security_exception", "reason": reason}, "status": 403})

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST  # noqa: N815

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Do not log requests."""


@pytest.fixture(scope="module")
def rejecting() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Rejecting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def dynamodb(local_stack: LocalStack) -> str:
    """A DynamoDB with the table."""
    url = local_stack.endpoints.dynamodb
    clients.dynamodb(RuntimeSettings(dynamodb_url=url)).create_table(
        TableName=NAME,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return url


@pytest.fixture
def fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Fails]:
    """Run a command in a folder with the module, with only these variables of AWS and dynadex."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "DYNADEX_", "OPENSEARCH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop(MODULE, None)

    def run(command: tuple[str, ...], module: str = SYNC, **variables: str) -> str:
        (tmp_path / f"{MODULE}.py").write_text(module)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["dynadex", *command])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        output = capsys.readouterr()
        lines = output.err.splitlines()
        assert (ended.value.code, output.out) == (1, ""), output
        assert [line.startswith("dynadex: Cannot ") for line in lines] == [True], output.err
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".py" and path.name != "__pycache__"] == []
        return lines[0]

    yield run
    sys.modules.pop(MODULE, None)


@pytest.mark.parametrize("command", OF_TABLE.values(), ids=OF_TABLE)
def test_missing_table(fails: Fails, command: tuple[str, ...], local_stack: LocalStack) -> None:
    wrong = tuple("no-such-table" if part == NAME else part for part in command)
    module = SYNC.replace(f"table={NAME!r}", "table='no-such-table'")
    line = fails(wrong, module, DYNADEX_DYNAMODB_URL=local_stack.endpoints.dynamodb)
    pattern = (
        r"Cannot describe table no-such-table: it does not exist in \S+, at http\S+ \(.*\)\. "
        r"Check the name, AWS_REGION, and the endpoint"
    )
    assert re.search(pattern, line), line


@pytest.mark.parametrize("command", OF_TABLE.values(), ids=OF_TABLE)
def test_missing_credentials(fails: Fails, command: tuple[str, ...]) -> None:
    line = fails(command, AWS_REGION="eu-west-1", DYNADEX_DYNAMODB_URL="https://dynamodb.invalid")
    assert re.search(
        r"table every-command: Unable to locate credentials\. Configure AWS credentials, and set AWS_REGION\.", line
    )


@pytest.mark.parametrize("command", OF_TABLE.values(), ids=OF_TABLE)
def test_denied_access_to_the_table(fails: Fails, command: tuple[str, ...], rejecting: str) -> None:
    line = fails(command, DYNADEX_DYNAMODB_URL=rejecting)
    pattern = r"table every-command: User: .* is not authorized .*\. Check the AWS credentials and the permissions"
    assert re.search(pattern, line), line


@pytest.mark.parametrize("command", OF_TABLE.values(), ids=OF_TABLE)
def test_unreachable_table(fails: Fails, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    # Skip the pauses between the attempts of the SDK.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    line = fails(command, DYNADEX_DYNAMODB_URL=NOWHERE)
    assert re.search(rf'table every-command: .*"{NOWHERE}/"\. Check the endpoint and the network\.', line), line


@pytest.mark.parametrize("command", OF_CLUSTER.values(), ids=OF_CLUSTER)
def test_denied_access_to_the_cluster(fails: Fails, command: tuple[str, ...], dynamodb: str, rejecting: str) -> None:
    line = fails(command, DYNADEX_DYNAMODB_URL=dynamodb, OPENSEARCH_URL=rejecting)
    pattern = r"every-command\S*: security_exception: no permissions .*\. Grant this role or user the permission\."
    assert re.search(pattern, line), line


@pytest.mark.parametrize("command", OF_CLUSTER.values(), ids=OF_CLUSTER)
def test_unreachable_cluster(fails: Fails, command: tuple[str, ...], dynamodb: str) -> None:
    line = fails(command, DYNADEX_DYNAMODB_URL=dynamodb, OPENSEARCH_URL=NOWHERE)
    pattern = r"every-command\S*: the search cluster does not respond \(.*\)\. Start it, or set OPENSEARCH_URL "
    assert re.search(pattern, line), line


@pytest.mark.parametrize("command", OF_DECLARATION.values(), ids=OF_DECLARATION)
def test_invalid_mapping(fails: Fails, command: tuple[str, ...]) -> None:
    line = fails(command, WRONG_MAPPING)
    pattern = r"Cannot declare the Sync of index every-command: _source .*\. Remove _source from the mappings\."
    assert re.search(pattern, line), line


@pytest.mark.parametrize("command", sorted(get_command(cli.app).commands))  # type: ignore[attr-defined]
def test_unknown_option(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # The options of a group are those of its commands.
    words = {"local": ("local", "up")}.get(command, (command,))
    monkeypatch.setattr(sys, "argv", ["dynadex", *words, "--fast"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    errors = capsys.readouterr().err
    assert ended.value.code == 2
    assert errors.startswith("Usage: ")
    assert "No such option" in errors
    assert "-h' for help." in errors
