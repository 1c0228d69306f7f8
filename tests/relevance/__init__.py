"""How well titles are found that were typed badly: on real OpenSearch, with all songs."""
