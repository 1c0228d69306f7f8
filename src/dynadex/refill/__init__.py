"""Loads an index from a table scan or an export, rebuilds it for a new mapping, and promotes the new index."""
