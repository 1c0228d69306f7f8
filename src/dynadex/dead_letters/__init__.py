"""Where keys wait that could not be indexed: the port, a file, an SQS queue."""
