"""From an item to its document: identity, version and body. Pure functions."""
