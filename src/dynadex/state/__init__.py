"""What dynadex keeps between runs, in one table next to the data: checkpoints, leases, refill positions."""
