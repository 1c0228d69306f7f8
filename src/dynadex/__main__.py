"""Run the command `dynadex` as ``python -m dynadex``."""

from dynadex.cli import main

main()
