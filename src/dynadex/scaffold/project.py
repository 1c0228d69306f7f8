"""A new project: from a table's sample, or from nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynadex.document.identity import KeySchema, document_id
from dynadex.document.typed_json import typed
from dynadex.errors import SourceError
from dynadex.scaffold.infer import infer
from dynadex.scaffold.render import Project, index_name, module_name
from dynadex.scaffold.sample import Sample
from dynadex.scaffold.survey import Survey
from dynadex.settings import RuntimeSettings

DEFAULT_REGION = "us-east-1"
EXAMPLE_TABLE = "songs"
_EXAMPLES: tuple[dict[str, Any], ...] = (
    {"id": "1", "title": "The Rakes of Mallow", "artist": "Traditional", "key": "G major", "year": 1742},
    {"id": "2", "title": "The Blackbird", "artist": "Traditional", "key": "D major", "year": 1800},
    {"id": "3", "title": "The Silver Spear", "artist": "Traditional", "key": "D major", "year": 1850},
    {"id": "4", "title": "Planxty Irwin", "artist": "Turlough O'Carolan", "key": "G major", "year": 1730},
    {"id": "5", "title": "Sheebeg and Sheemore", "artist": "Turlough O'Carolan", "key": "D major", "year": 1691},
    {"id": "6", "title": "The Butterfly", "artist": "Tommy Potts", "key": "G major", "year": 1960},
)
_CREATE = """Create the table, with a stream:

```console
$ aws dynamodb create-table --table-name {table} --billing-mode PAY_PER_REQUEST{endpoint} \\
    --attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH \\
    --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES
```

Without an AWS account, `dynadex local up --detach` (it needs `pip install 'dynadex[local]'`) starts DynamoDB and
OpenSearch on this machine, and says which environment variables to set.
"""
_NO_STREAM = """Give the table a stream with new images; it has none that can be used now:

```console
$ aws dynamodb update-table --table-name {table}{endpoint} \\
    --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES
```
"""
_CLUSTER = """An OpenSearch has to answer at `OPENSEARCH_URL`: `docker compose up --detach opensearch` starts one, at
`http://127.0.0.1:9200`, and `dynadex local up --detach` another, without Docker. Of the line that this prints, set only
`OPENSEARCH_URL` if the table is elsewhere: the rest leads to a DynamoDB of its own, which is empty.
"""


def from_table(sample: Sample, settings: RuntimeSettings, given: Mapping[str, str], name: str | None = None) -> Project:
    """A project for a table that is there. ``given`` are settings that the project is to keep."""
    schema, table = sample.table.schema, sample.table.name
    survey = Survey.of((document_id(schema, schema.key_of(item)), item) for item in sample.items)
    count = f"{len(sample.items):,} item{'' if len(sample.items) == 1 else 's'}"
    source = f"{'all' if sample.whole else 'a sample of'} {count} of table {table}"
    if not sample.items:
        source = f"the key of table {table} alone, for it is empty"
    prepare = _CLUSTER if usable_stream(sample) else f"{_NO_STREAM.format(**_words(table, settings))}\n{_CLUSTER}"
    return _project(table, name, source, survey, schema, settings, given, existing=True, prepare=prepare)


def from_nothing(settings: RuntimeSettings, given: Mapping[str, str], name: str | None = None) -> Project:
    """A project for a table of songs that is still to be made."""
    table, schema = name or EXAMPLE_TABLE, KeySchema(("id",), ("S",))
    survey = Survey.of((str(song["id"]), typed(song)["M"]) for song in _EXAMPLES)
    prepare = f"{_CREATE.format(**_words(table, settings))}\n{_CLUSTER}"
    source = f"{len(_EXAMPLES)} songs made up as examples"
    return _project(table, name, source, survey, schema, settings, given, existing=False, prepare=prepare)


def usable_stream(sample: Sample) -> bool:
    """Whether the table has a stream that a worker can follow."""
    try:
        return bool(sample.table.usable_stream())
    except SourceError:
        return False


def _project(
    table: str,
    name: str | None,
    source: str,
    survey: Survey,
    schema: KeySchema,
    settings: RuntimeSettings,
    given: Mapping[str, str],
    *,
    existing: bool,
    prepare: str,
) -> Project:
    chosen = name or table
    return Project(
        table=table,
        module=module_name(chosen),
        index=index_name(chosen),
        source=source,
        inferred=infer(survey, schema),
        survey=survey,
        keys=dict(zip(schema.names, schema.types, strict=True)),
        settings=given,
        region=settings.region or DEFAULT_REGION,
        existing=existing,
        prepare=prepare,
    )


def _words(table: str, settings: RuntimeSettings) -> dict[str, str]:
    return {"table": table, "endpoint": f" --endpoint-url {settings.dynamodb_url}" if settings.dynamodb_url else ""}
