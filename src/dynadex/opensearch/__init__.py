"""OpenSearch itself, from Maven Central: the files of a node, checked, and a Java runtime for them."""
