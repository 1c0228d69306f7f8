"""How well badly typed titles are found: on a real OpenSearch, with all songs."""
