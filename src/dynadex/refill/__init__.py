"""Load an index from a table scan or an export, rebuild it for a new mapping, and promote it."""
