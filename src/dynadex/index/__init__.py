"""Indexes: bulk writes, the convergence rule, reconciliation, and administration of indexes and aliases."""
