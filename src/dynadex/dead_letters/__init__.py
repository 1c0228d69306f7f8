"""Dead letters: keys that could not be indexed, kept in a file or an SQS queue until they are redriven."""
