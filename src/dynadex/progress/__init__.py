"""How far we are: what is acknowledged, and where that is kept."""
