"""Where changes and items come from: the table, its stream, its scan, its exports."""
