"""dynadex keeps OpenSearch indexes in step with DynamoDB tables."""
