"""What an operator looks at and does by hand: status, redrive, resync."""
