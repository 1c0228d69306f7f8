"""Commands of an operator: status, redrive, resync."""
