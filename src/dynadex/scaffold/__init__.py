"""Generate a project from a table's sample, and check a Sync against a sample."""
