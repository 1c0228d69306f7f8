"""Index an existing table into an existing search domain."""

from aws_cdk import App, Environment, Stack
from dynadex_infra.refill import Refill
from dynadex_infra.search_domain import existing_domain
from dynadex_infra.search_service import SearchService
from dynadex_infra.settings import SyncCode
from dynadex_infra.stream_indexer import StreamIndexer
from dynadex_infra.table_reference import TableReference

app = App()
stack = Stack(app, "SongSearch", env=Environment(account="111122223333", region="eu-west-1"))
code = SyncCode.of("dynadex.demo.lessons:sync")  # yours: songs:sync, packed with make package ARGS="--module songs.py"
table = TableReference(stack, "Table", code.table).table
domain = existing_domain("arn:aws:es:eu-west-1:111122223333:domain/songs", "search-songs-x.eu-west-1.es.amazonaws.com")
indexer = StreamIndexer(stack, "Indexer", code=code, table=table, domain=domain)
Refill(stack, "Refill", code=code, table=table, domain=domain, dead_letters=indexer.dead_letters)
SearchService(stack, "Service", code=code, table=table, domain=domain)
app.synth()
