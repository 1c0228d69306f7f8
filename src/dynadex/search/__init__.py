"""Search queries: a request becomes an OpenSearch body, and OpenSearch's reply becomes hits. No module does I/O."""
