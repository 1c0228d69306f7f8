"""State kept between runs, in one table next to the data: checkpoints, leases, refill positions."""
