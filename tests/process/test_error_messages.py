"""Errors of commands are one line with operation, subject, reason and remedy, without a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from dynadex.local.probe import listen_socket
from tests.process.conftest import SceneMaker
from tests.process.processes import Commands, Running
from tests.process.scene import MODULE, REFERENCE, Scene
from tests.waiting import wait_for

NOWHERE = "http://127.0.0.1:9"
RUN = ("run", REFERENCE)
REFILL = ("refill", REFERENCE)


def nothing(scene: Scene) -> None:
    """Leave the scene without a table."""


def table(scene: Scene) -> None:
    scene.create_table()


def table_without_stream(scene: Scene) -> None:
    scene.create_table(stream_view=None)


def table_with_keys_only_stream(scene: Scene) -> None:
    scene.create_table(stream_view="KEYS_ONLY")


def create_index(scene: Scene, name: str, mappings: Mapping[str, Any], *aliases: str) -> None:
    body = {"mappings": mappings, "aliases": {alias: {} for alias in aliases}}
    scene.opensearch.indices.create(index=name, body=body)


def index_with_other_mapping(scene: Scene) -> None:
    scene.create_table()
    mappings = {"properties": {"title": {"type": "keyword"}}}
    create_index(scene, f"{scene.name}-20260101000000", mappings, scene.name, f"{scene.name}-sync")


def index_in_place_of_the_alias(scene: Scene) -> None:
    scene.create_table()
    create_index(scene, scene.name, {})


def module(*lines: str) -> Callable[[Scene], None]:
    """Declare the Sync in a module with these lines."""
    return lambda scene: scene.declare("\n".join(lines))


@dataclass(frozen=True)
class Case:
    """A command in a scene, and the pattern of its line: operation, subject, reason, remedy."""

    pattern: str
    command: tuple[str, ...] = RUN
    scene: Callable[[Scene], None] = nothing
    variables: Mapping[str, str] = field(default_factory=dict)


SYNC = "from dynadex import Sync"
STREAM_REMEDY = r"Enable one: aws dynamodb update-table --table-name NAME .*StreamViewType=NEW_AND_OLD_IMAGES\."
START_OPENSEARCH = r"Start it, or set OPENSEARCH_URL \(`--opensearch`\) to a running cluster\."

CASES = {
    "table without a stream": Case(
        f"Cannot follow the stream of table NAME: the table has no stream. {STREAM_REMEDY}", scene=table_without_stream
    ),
    "table with keys only in its stream": Case(
        r"Cannot follow the stream of table NAME: its view type is KEYS_ONLY, without new images\. "
        r"Disable the stream and enable it again with StreamViewType=NEW_AND_OLD_IMAGES\.",
        scene=table_with_keys_only_stream,
    ),
    "table missing": Case(
        r"Cannot describe table NAME: it does not exist in us-east-1, at http://[^ ]+ \(.*\)\. Check the name, "
    ),
    "mapping contradicts the declaration": Case(
        r"Cannot write to index NAME-20260101000000: it contradicts the declaration: "
        r".*field title has type keyword, declared text.* Revert the declaration, or .*`dynadex rebuild`\.",
        scene=index_with_other_mapping,
    ),
    "mapping contradicts the declaration, refill": Case(
        "Cannot write to index NAME-20260101000000: it contradicts the declaration: ",
        REFILL,
        index_with_other_mapping,
    ),
    "an index has the name": Case(
        r"Cannot create the alias NAME: an index or alias that dynadex did not create already has this name\. "
        r"Rename or delete it, or declare another index name\.",
        scene=index_in_place_of_the_alias,
    ),
    "OpenSearch down": Case(
        rf"Cannot resolve alias NAME-sync: the search cluster does not respond \(.*\)\. {START_OPENSEARCH}",
        (*RUN, "--opensearch", NOWHERE),
        table,
    ),
    "plain HTTP to another machine": Case(
        r"Cannot connect to http://search\.example: plain HTTP would send data .* unencrypted\. Use an https:// URL\.",
        (*RUN, "--opensearch", "http://search.example"),
        table,
    ),
    "DynamoDB down": Case(
        rf'Cannot describe table NAME: .*"{NOWHERE}/"\. Check the endpoint and the network\.',
        (*RUN, "--dynamodb", NOWHERE),
    ),
    "no region": Case(
        r"Cannot use AWS: You must specify a region\. Check AWS_REGION, .*",
        variables={"DYNADEX_DYNAMODB_URL": "https://dynamodb.example", "AWS_CONFIG_FILE": "none"},
    ),
    "unknown module": Case(
        r"Cannot load lessens:sync: there is no module 'lessens'\. Run the command in the folder that holds it",
        ("run", "lessens:sync"),
    ),
    "unknown attribute": Case(
        rf"Cannot load {MODULE}:snyc: {MODULE} has no 'snyc'\. It declares sync\.", ("run", f"{MODULE}:snyc")
    ),
    "not a Sync": Case(
        rf"Cannot load {REFERENCE}: it is a dict, not a dynadex\.Sync\. Name a Sync\. It declares songs\.",
        scene=module(SYNC, "sync = {}", "songs = Sync(table='songs', index='songs')"),
    ),
    "contradictory declaration": Case(
        r"Cannot declare the Sync of index songs: .*_source .*\. Remove _source from the mappings\.",
        scene=module(SYNC, "sync = Sync(table='songs', index='songs', mappings={'_source': {'enabled': False}})"),
    ),
    "module that raises": Case(
        rf"Cannot load {REFERENCE}: importing {MODULE} raised ValueError: two lines of trouble "
        rf'\(line 2 of \S*{MODULE}\.py\)\. .*python -c "import {MODULE}"',
        scene=module("# The next line:", "raise ValueError('two lines\\nof trouble')"),
    ),
    "module that is no Python": Case(
        rf"Cannot load {REFERENCE}: importing {MODULE} raised SyntaxError: .*{MODULE}\.py, line 1\)",
        scene=module("this is no Python"),
    ),
    "setting that is no number": Case(
        r"Cannot use the setting DYNADEX_WORKER_BATCH_SIZE: 'many' is not a number\. Set it to a valid value",
        variables={"DYNADEX_WORKER_BATCH_SIZE": "many"},
    ),
    "setting that is no URL": Case(
        r"Cannot use the setting OPENSEARCH_URL: 'localhost:9200' is not an http or https URL\. Set it",
        variables={"OPENSEARCH_URL": "localhost:9200"},
    ),
}


def ended(command: Running) -> str:
    """Return the line of a command that failed."""
    code = command.wait()
    assert (code, command.output, len(command.errors)) == (1, [], 1), str(command)
    return command.errors[0]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_error_is_one_line_with_a_remedy(
    make_scene: SceneMaker, commands: Commands, case: Case, request: pytest.FixtureRequest
) -> None:
    name = re.sub(r"\W+", "-", request.node.callspec.id.lower()) + "-is-wrong"
    scene = make_scene(name)
    case.scene(scene)
    line = ended(commands.start(*case.command, **case.variables))
    assert re.match("dynadex: " + case.pattern.replace("NAME", name), line), line


def test_used_port_ends_the_demo_before_it_starts_a_backend(commands: Commands) -> None:
    with listen_socket(0) as other:
        other.listen()
        port = other.getsockname()[1]
        line = ended(commands.start("demo", "--no-browser", "--port", str(port)))
    expected = f"Cannot serve on 127.0.0.1:{port}: Address already in use. Choose another port with --port N."
    assert line == f"dynadex: {expected}"
    assert not (commands.directory / ".dynadex").exists(), "something was started"


@pytest.mark.parametrize("arguments", [("run", REFERENCE, "--fast"), ("fly",)])
def test_invalid_command_line_is_a_usage_error(commands: Commands, arguments: tuple[str, ...]) -> None:
    command = commands.start(*arguments)
    assert command.wait() == 2
    assert "Usage: " in command.errors[0]
    assert not re.search("Traceback", str(command))


@pytest.mark.parametrize("backend", ["osmem-server", "opensearch"])
def test_item_that_the_mapping_rejects_is_dead_lettered_and_others_are_indexed(
    make_scene: SceneMaker, commands: Commands, request: pytest.FixtureRequest, backend: str
) -> None:
    url = request.getfixturevalue("opensearch_url") if backend == "opensearch" else ""
    scene = make_scene(f"dead-lettered-{backend}", opensearch_url=url)
    scene.create_table()
    scene.put({"id": "before", "title": "The Blackbird"})
    scene.put({"id": "wrong", "title": {"en": "The Blackbird", "ga": "An Londubh"}})
    scene.put({"id": "after", "title": "The Downfall of Paris"})
    worker = commands.start("run", REFERENCE, **scene.variables)
    worker.wait_for_line(rf"dead-lettered 1 key that cannot be indexed: see file:{re.escape(str(scene.dead_letters))}")
    wait_for(lambda: scene.documents().keys() == {"before", "after"}, "the others in the index")
    [letter] = map(json.loads, scene.dead_letters.read_text().splitlines())
    assert letter["key"] == {"id": {"S": "wrong"}}
    assert letter["id"] == "wrong"
    assert letter["index"].startswith(f"{scene.name}-20")
    assert re.search(r"mapper_parsing_exception: failed to parse field \[title\] of type \[text\]", letter["reason"])

    scene.put({"id": "wrong", "title": "The Blackbird, corrected"})
    wait_for(lambda: "wrong" in scene.documents(), "the corrected item")
    scene.await_equal()
    assert worker.stop() == 0
    assert len(scene.dead_letters.read_text().splitlines()) == 1
