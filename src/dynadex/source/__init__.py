"""Sources of changes and items: the table, its stream, scans and exports."""
