"""Compare a table with an index item by item, and repair the differences."""
