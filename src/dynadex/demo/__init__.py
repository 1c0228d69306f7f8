"""The demo: a table of music lessons with a worker, a search page and a live view, in one or several regions."""
