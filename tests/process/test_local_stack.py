"""The local stack as real processes: it responds, reports errors, and leaves no process or file."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest

from dynadex.errors import LocalStackError
from dynadex.local import programs
from dynadex.local.engine import Engine
from dynadex.local.probe import listen_socket, why_unresponsive
from dynadex.local.stack import Endpoints, LocalStack
from dynadex.local.state import RunningStack, StackFolder
from dynadex.opensearch import release
from tests import waiting

CLI = (sys.executable, "-c", "from dynadex.cli import main; main()", "local")
NOT_RUNNING = 3

Found = TypeVar("Found")


def restore_signals() -> None:
    """Stop ignoring these signals, which a test run in the background, or under nohup, ignores."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Supervisors:
    """Starts `dynadex local` processes in one directory, and ends what a failed test left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = StackFolder(directory / ".dynadex/local")
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, command: tuple[str, ...] = CLI) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=restore_signals,
        )
        self._processes.append(process)
        return process

    def start_until_ready(self, engine: Engine = Engine.MEMORY) -> tuple[subprocess.Popen[str], RunningStack]:
        process = self.start("up", "--engine", engine)
        return process, self.await_state(process)

    def await_state(self, process: subprocess.Popen[str]) -> RunningStack:
        def state() -> RunningStack | None:
            assert process.poll() is None, process.communicate()
            found = self.folder.read()
            return found if found and found.pid == process.pid else None

        return wait_for(state)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        return ended(self.start(*arguments))

    def end_all(self) -> None:
        running = self.folder.read()
        for process in self._processes:
            process.kill()
            process.communicate()
        if running is not None and self.folder.is_locked():
            os.kill(running.pid, signal.SIGKILL)


@pytest.fixture
def supervisors(tmp_path: Path) -> Iterator[Supervisors]:
    starter = Supervisors(tmp_path)
    yield starter
    starter.end_all()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("shared"), engine=Engine.MEMORY) as stack:
        yield stack


def wait_for(find: Callable[[], Found | None]) -> Found:
    """What ``find`` returns once it is true."""
    return waiting.wait_for(find, str(find))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """How a process ended: exit code, standard output, standard error."""
    output, errors = process.communicate(timeout=waiting.HANG_SECONDS)
    return process.returncode, output, errors


def printed_until(last_line: str, process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = []
    while last_line not in lines:
        lines.append(process.stdout.readline())
        assert lines[-1], "it ended"
    return "".join(lines)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return ") Z " not in stat.read_text() if Path("/proc/self").exists() else True
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_ended(*pids: int) -> None:
    wait_for(lambda: not any(is_alive(pid) for pid in pids))


def aws(service: str, endpoints: Endpoints) -> Any:
    session = boto3.session.Session("local", "local", region_name="us-east-1")
    return session.client(service, endpoint_url=endpoints.dynamodb)  # type: ignore[call-overload]


def assert_answers(endpoints: Endpoints) -> None:
    client = aws("dynamodb", endpoints)
    assert client.list_tables()["TableNames"] == []
    client.close()
    with urllib.request.urlopen(endpoints.opensearch) as answer:
        assert json.load(answer)["version"]["distribution"] == "opensearch"


def worker_pid(endpoints: Endpoints) -> int:
    """The process a Lambda function runs in, after one invocation."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("where.py", "import os\ndef handler(event, context): return os.getpid()\n")
    client = aws("lambda", endpoints)
    client.create_function(
        FunctionName="where",
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="where.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    with client.invoke(FunctionName="where")["Payload"] as payload:
        pid = json.loads(payload.read())
    client.close()
    assert isinstance(pid, int)
    return pid


def test_both_backends_run_inside_the_block_and_end_after_it(tmp_path: Path) -> None:
    with LocalStack(tmp_path, engine=Engine.MEMORY) as stack:
        assert_answers(stack.endpoints)
        stack.check()
        pids = stack.running.children.values()
        assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".gitignore", "lock", "ministack.log", "opensearch.log"}
    with pytest.raises(LocalStackError, match="not running"):
        _ = stack.endpoints


@pytest.mark.parametrize(
    ("number", "engine"),
    [(signal.SIGINT, Engine.OPENSEARCH), (signal.SIGTERM, Engine.MEMORY), (signal.SIGHUP, Engine.MEMORY)],
)
def test_up_stops_both_on_a_signal(supervisors: Supervisors, number: signal.Signals, engine: Engine) -> None:
    process, running = supervisors.start_until_ready(engine)
    # The state file is written shortly before the output.
    output = printed_until("Stop it with Ctrl-C.\n", process)
    process.send_signal(number)
    assert ended(process) == (0, "local stack: stopped\n", "")
    assert f"AWS_ENDPOINT_URL={running.endpoints.dynamodb} " in output
    assert f"OPENSEARCH_URL={running.endpoints.opensearch}\n" in output
    assert not any(is_alive(pid) for pid in running.children.values())


def test_a_signal_while_starting_stops_what_was_started(supervisors: Supervisors) -> None:
    process = supervisors.start("up", "--engine", "memory")
    log = supervisors.folder.log("ministack")
    url = wait_for(lambda: log.is_file() and log.read_text().endswith("}\n") and json.loads(log.read_text())["url"])
    process.terminate()
    assert ended(process)[0] == 0
    assert why_unresponsive(url) is not None
    assert not supervisors.folder.is_locked()


@pytest.mark.parametrize("engine", Engine)
def test_killed_supervisor_leaves_no_orphan_process_and_can_be_started_again(
    supervisors: Supervisors, engine: Engine
) -> None:
    process, running = supervisors.start_until_ready(engine)
    worker = worker_pid(running.endpoints)
    assert is_alive(worker)
    process.kill()
    wait_until_ended(worker, *running.children.values())
    assert supervisors.folder.read() == running, "nobody was left to remove the state file"
    assert supervisors.run("status")[0] == NOT_RUNNING
    _, fresh = supervisors.start_until_ready()
    assert fresh.pid != running.pid


def test_children_end_with_their_parent_even_if_a_fork_of_it_holds_their_pipes(supervisors: Supervisors) -> None:
    script = f"""
import os, time
from pathlib import Path
from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
LocalStack(Path({str(supervisors.folder.path)!r}), engine=Engine.MEMORY).start()
os.fork()
time.sleep(3600)
"""
    process = supervisors.start(command=(sys.executable, "-c", script))
    running = supervisors.await_state(process)
    fork = wait_for(lambda: child_of(process.pid, except_for=running))
    try:
        process.kill()
        # They poll their parent's id, which stays in use until the dead parent is reaped.
        process.wait()
        wait_until_ended(*running.children.values())
        assert is_alive(fork)
    finally:
        os.kill(fork, signal.SIGKILL)


def child_of(parent: int, except_for: RunningStack) -> int | None:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listing.splitlines()]
    return next((pid for pid, ppid in pairs if ppid == parent and pid not in except_for.children.values()), None)


@pytest.mark.parametrize(
    ("engine", "victim", "log"),
    [
        (Engine.MEMORY, "ministack", "ministack.log"),
        (Engine.MEMORY, "osmem-server", "opensearch.log"),
        (Engine.OPENSEARCH, f"OpenSearch {release.DEFAULT}", "opensearch.log"),
    ],
)
def test_a_child_that_dies_is_named_and_the_other_one_stopped(
    supervisors: Supervisors, engine: Engine, victim: str, log: str
) -> None:
    process, running = supervisors.start_until_ready(engine)
    os.kill(running.children[victim], signal.SIGKILL)
    code, _, errors = ended(process)
    assert code == 1
    assert f"Cannot keep running {victim}: it was killed by SIGKILL (exit code -9)" in errors
    assert str(supervisors.folder.path / log) in errors
    assert running.endpoints.dynamodb in errors or running.endpoints.opensearch in errors, "the end of its log"
    assert not any(is_alive(pid) for pid in running.children.values())


@pytest.mark.parametrize("backend", ["dynamodb", "opensearch"])
def test_a_port_that_is_taken_is_named(supervisors: Supervisors, backend: str) -> None:
    with listen_socket(0) as other:
        other.listen()
        port = other.getsockname()[1]
        code, output, errors = supervisors.run("up", "--engine", "memory", f"--{backend}-port", str(port))
    assert (code, output) == (1, "")
    assert f"Cannot listen on port {port} for {backend}: Address already in use. Free it" in errors


def test_port_taken_just_before_the_start_is_reported_by_the_child(
    supervisors: Supervisors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynadex.local.stack.why_unusable", lambda _port: None)
    with listen_socket(0) as other:
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalStackError, match=rf"start ministack: .*exit code 1(?s:.*)127\.0\.0\.1:{port}"):
            LocalStack(supervisors.folder.path, dynamodb_port=port, engine=Engine.MEMORY).start()
    assert not supervisors.folder.is_locked()


def test_ports_can_be_fixed(tmp_path: Path) -> None:
    with listen_socket(0) as first, listen_socket(0) as second:
        ports = first.getsockname()[1], second.getsockname()[1]
    with LocalStack(tmp_path, dynamodb_port=ports[0], opensearch_port=ports[1], engine=Engine.MEMORY) as stack:
        assert stack.endpoints == Endpoints(*(f"http://127.0.0.1:{port}" for port in ports))


def test_detached_up_then_status_then_down(supervisors: Supervisors) -> None:
    assert supervisors.run("status")[0] == NOT_RUNNING
    code, output, errors = supervisors.run("up", "--detach", "--engine", "memory")
    assert (code, errors) == (0, "")
    running = supervisors.folder.read()
    assert running is not None
    assert running.endpoints.dynamodb in output
    assert running.endpoints.opensearch in output
    assert_answers(running.endpoints)

    code, output, _ = supervisors.run("status")
    assert code == 0
    for expected in (running.started_at, *running.children.values(), running.pid, running.endpoints.opensearch):
        assert str(expected) in output

    for second in ([], ["--detach"]):
        code, _, errors = supervisors.run("up", "--engine", "memory", *second)
        assert code == 1
        assert f"one already runs there (pid {running.pid}, DynamoDB {running.endpoints.dynamodb}" in errors

    code, output, _ = supervisors.run("down")
    assert (code, output) == (0, f"local stack: stopped (was pid {running.pid})\n")
    assert not any(is_alive(pid) for pid in (running.pid, *running.children.values()))
    assert supervisors.run("status")[0] == NOT_RUNNING
    code, output, _ = supervisors.run("down")
    assert code == 0
    assert "not running" in output


def test_detached_up_reports_why_it_could_not_start(supervisors: Supervisors) -> None:
    with listen_socket(0) as other:
        other.listen()
        port = other.getsockname()[1]
        code, _, errors = supervisors.run("up", "--detach", "--engine", "memory", "--opensearch-port", str(port))
    assert code == 1
    assert f"Cannot listen on port {port} for opensearch" in errors


def test_a_backend_that_runs_is_used_and_not_started(shared: LocalStack, tmp_path: Path) -> None:
    with LocalStack(tmp_path, opensearch_url=shared.endpoints.opensearch) as stack:
        assert list(stack.running.children) == ["ministack"]
        assert stack.endpoints.opensearch == shared.endpoints.opensearch
    assert_answers(shared.endpoints)


@pytest.mark.parametrize("backend", ["dynamodb", "opensearch"])
def test_a_given_backend_that_does_not_respond_is_named(supervisors: Supervisors, backend: str) -> None:
    with listen_socket(0) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, _, errors = supervisors.run("up", "--engine", "memory", f"--{backend}", url)
    assert code == 1
    assert f"Cannot use {url}: " in errors
    assert f"Connection refused. Start it, or leave out --{backend}" in errors


def test_given_backend_that_returns_errors_is_not_available() -> None:
    with listen_socket(0) as broken:
        broken.listen()
        url = f"http://127.0.0.1:{broken.getsockname()[1]}"
        script = f"from dynadex.local.probe import why_unresponsive; print(why_unresponsive({url!r}))"
        asking = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        with broken.accept()[0] as connection:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 503 Not Yet\r\nContent-Length: 0\r\n\r\n")
        assert asking.communicate(timeout=waiting.HANG_SECONDS)[0] == "it responded with 503 Not Yet\n"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1:9200", "http://", "http://127.0.0.1:port"])
def test_unusable_url_is_not_available(url: str) -> None:
    assert why_unresponsive(url) is not None


def test_a_url_and_a_port_for_one_backend_contradict_each_other(shared: LocalStack, tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, opensearch_url=shared.endpoints.opensearch, opensearch_port=9200)
    with pytest.raises(LocalStackError, match="opensearch has both a URL and a port"):
        stack.start()


@pytest.mark.parametrize("program", ["ministack", "osmem_server"])
def test_what_is_not_installed_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr("dynadex.local.programs.find_spec", lambda name: None if name == program else find_spec(name))
    with pytest.raises(LocalStackError, match=r"not installed.*pip install 'dynadex\[local\]'"):
        LocalStack(tmp_path, engine=Engine.MEMORY).start()
    assert not (tmp_path / "ministack.log").exists(), "nothing was started"


def test_child_that_dies_immediately_is_shown_with_the_end_of_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho last words\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("OSMEM_SERVER_BIN", str(broken))
    with pytest.raises(LocalStackError, match=r"start osmem-server: it ended with exit code 7\.(?s:.*)last words"):
        LocalStack(tmp_path / "stack", engine=Engine.MEMORY).start()


def test_a_program_that_cannot_be_executed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSMEM_SERVER_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(LocalStackError, match=r"start osmem-server: .*nowhere: No such file"):
        LocalStack(tmp_path / "stack", engine=Engine.MEMORY).start()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalStackError, match=r"keep state in .*file/stack"):
        LocalStack(tmp_path / "file/stack", engine=Engine.MEMORY).start()


def test_the_emulator_sees_none_of_the_callers_aws_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "the caller's")
    environment = programs.dynamodb(StackFolder(tmp_path), None).environment
    assert "the caller's" not in environment.values()
    assert environment["TMPDIR"].startswith(str(tmp_path))


def test_it_listens_on_loopback_only(shared: LocalStack) -> None:
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("needs /proc/net")
    for url in (shared.endpoints.dynamodb, shared.endpoints.opensearch):
        port = f":{int(url.rpartition(':')[2]):04X}"
        local = [line.split()[1] for line in table.read_text().splitlines()[1:] if line.split()[3] == "0A"]
        assert [address for address in local if address.endswith(port)] == [f"0100007F{port}"]
