"""The process that follows a table's stream, with the semantics of Lambda's event source mapping."""
