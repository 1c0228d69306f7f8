"""Generate a project from a sample of a table (`dynadex init`), and check a Sync against one (`dynadex check`)."""
