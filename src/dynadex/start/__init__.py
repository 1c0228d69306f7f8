"""The first ten minutes: from a sample of a table's items to a Sync, and whether a Sync fits a sample."""
