"""DynamoDB and OpenSearch on one machine: start, supervise and stop the emulators."""
