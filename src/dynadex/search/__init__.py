"""From a search request to an OpenSearch query, and from its reply to hits. Pure."""
