"""The whole system on one machine: start, watch and stop the local backends."""
