"""Fail if this Python is too old for dynadex. Its syntax is valid for every version, so that an old one can run it."""

import sys

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    sys.exit(
        "dynadex needs Python {}.{} or newer, and {} is {}.{}. Name a newer one: make PYTHON=python3.12 ...".format(  # noqa: UP032
            OLDEST[0], OLDEST[1], sys.executable, sys.version_info[0], sys.version_info[1]
        )
    )
