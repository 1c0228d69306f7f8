"""How documents are found: query builder, HTTP service, page."""
