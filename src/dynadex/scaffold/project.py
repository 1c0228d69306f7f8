"""Describe a new project: for an existing table, from a sample of it, or for a table that is yet to be created."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynadex.document.identity import KeySchema, document_id
from dynadex.document.typed_json import typed
from dynadex.errors import SourceError
from dynadex.scaffold.infer import infer
from dynadex.scaffold.render import Project
from dynadex.scaffold.sample import Sample
from dynadex.scaffold.survey import Survey
from dynadex.settings import RuntimeSettings
from dynadex.source.table import enable_stream_command
from dynadex.text import counted

DEFAULT_REGION = "us-east-1"
EXAMPLE_TABLE = "songs"
NO_USABLE_STREAM = "has no stream with new images"
_EXAMPLES: tuple[dict[str, Any], ...] = (
    {"id": "1", "title": "The Rakes of Mallow", "artist": "Traditional", "key": "G major", "year": 1742},
    {"id": "2", "title": "The Blackbird", "artist": "Traditional", "key": "D major", "year": 1800},
    {"id": "3", "title": "The Silver Spear", "artist": "Traditional", "key": "D major", "year": 1850},
    {"id": "4", "title": "Planxty Irwin", "artist": "Turlough O'Carolan", "key": "G major", "year": 1730},
    {"id": "5", "title": "Sheebeg and Sheemore", "artist": "Turlough O'Carolan", "key": "D major", "year": 1691},
    {"id": "6", "title": "The Butterfly", "artist": "Tommy Potts", "key": "G major", "year": 1960},
)
# Sections of the generated README.
_CREATE_TABLE = """Create the table with a stream, with the AWS CLI:

```console
$ aws dynamodb create-table --table-name {table} --billing-mode PAY_PER_REQUEST{endpoint} \\
    --attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH \\
    --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES
```

If you have no AWS account, `dynadex local up --detach` (which needs `pip install 'dynadex[local]'`) starts DynamoDB and
OpenSearch on this machine and prints the environment variables to set.
"""
_ENABLE_STREAM = """The table {reason}. Enable one, with the AWS CLI:

```console
$ {command}
```
"""
_START_CLUSTER = """Start an OpenSearch cluster, or set `OPENSEARCH_URL` to one that you have. With Docker,
`docker compose up --detach opensearch` starts one at `http://127.0.0.1:9200`. Without Docker,
`dynadex local up --detach` starts one and prints the environment variables to set. If your table is elsewhere, set only
`OPENSEARCH_URL`: the other variables point to an empty DynamoDB on this machine.
"""


def from_table(
    sample: Sample, settings: RuntimeSettings, project_settings: Mapping[str, str], name: str | None = None
) -> Project:
    """Describe a project for an existing table.

    Args:
        sample: The table and some of its items.
        settings: Settings of this command.
        project_settings: Settings to write into the project's pyproject.toml.
        name: Name of the module and the index; the table's by default.
    """
    schema, table = sample.table.schema, sample.table.name
    survey = Survey.of((document_id(schema, schema.key_of(item)), item) for item in sample.items)
    preparation = _START_CLUSTER
    if not has_usable_stream(sample):
        command = enable_stream_command(table, _endpoint_option(settings))
        preparation = f"{_ENABLE_STREAM.format(reason=NO_USABLE_STREAM, command=command)}\n{_START_CLUSTER}"
    return Project(
        table=table,
        name=name or table,
        source=_source(sample),
        survey=survey,
        schema=schema,
        inferred=infer(survey, schema),
        settings=project_settings,
        region=settings.region or DEFAULT_REGION,
        existing=True,
        preparation=preparation,
    )


def from_nothing(settings: RuntimeSettings, project_settings: Mapping[str, str], name: str | None = None) -> Project:
    """Describe a project for a table of songs that is yet to be created; arguments as for `from_table`."""
    table, schema = name or EXAMPLE_TABLE, KeySchema(("id",), ("S",))
    survey = Survey.of((str(song["id"]), typed(song)["M"]) for song in _EXAMPLES)
    create_table = _CREATE_TABLE.format(table=table, endpoint=_endpoint_option(settings))
    return Project(
        table=table,
        name=table,
        source=f"{len(_EXAMPLES)} example songs",
        survey=survey,
        schema=schema,
        inferred=infer(survey, schema),
        settings=project_settings,
        region=settings.region or DEFAULT_REGION,
        existing=False,
        preparation=f"{create_table}\n{_START_CLUSTER}",
    )


def has_usable_stream(sample: Sample) -> bool:
    """Return whether the table has a stream that a worker can follow."""
    try:
        return bool(sample.table.usable_stream())
    except SourceError:
        return False


def _source(sample: Sample) -> str:
    """Describe what the mapping is inferred from."""
    if not sample.items:
        return f"the key of table {sample.table.name}, which is empty"
    return (
        f"{'all' if sample.whole else 'a sample of'} {counted(len(sample.items), 'item')} of table {sample.table.name}"
    )


def _endpoint_option(settings: RuntimeSettings) -> str:
    return f" --endpoint-url {settings.dynamodb_url}" if settings.dynamodb_url else ""
