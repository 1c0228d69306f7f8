"""Where documents go: bulk writes, reconciliation, index and alias administration."""
