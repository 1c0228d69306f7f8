"""`python -m dynadex` is the command `dynadex`."""

from dynadex.cli import main

main()
