"""From an item to a document: its identity, its version, its body. Pure."""
