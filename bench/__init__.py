"""Benchmarks. Most results are ratios to a baseline measured in the same run, because machines differ and are noisy."""
