"""The releases of OpenSearch that can be installed, and the files of each, with checksums.

``make lock-opensearch`` writes the lists. A release is in it if its plugins are on Maven Central.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from dynadex.errors import LocalStackError

RELEASES = ("2.19.1", "3.4.0")
DEFAULT = RELEASES[0]
# 2.19 is compiled for Java 11, but its distribution requires 17 for some of its modules.
_MIN_JAVA = {"2": 17, "3": 21}


@dataclass(frozen=True)
class Artifact:
    """A file on Maven Central. ``size`` is in bytes, ``sha256`` in hexadecimal."""

    group: str
    artifact: str
    version: str
    packaging: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the file, which is unique within a release."""
        return f"{self.artifact}-{self.version}.{self.packaging}"


@dataclass(frozen=True)
class Release:
    """The files of one release. ``plugins`` are zips by name; ``min_java`` is the oldest Java that it runs on."""

    version: str
    min_java: int
    jars: tuple[Artifact, ...]
    plugins: dict[str, Artifact]

    def plugin(self, name: str) -> Artifact:
        """Return a plugin by its name; raise LocalStackError if there is none of that name."""
        if name not in self.plugins:
            hint = f"Available: {', '.join(self.plugins)}."
            raise LocalStackError(
                "install", f"plugin {name}", f"OpenSearch {self.version} does not have it on Maven Central", hint
            )
        return self.plugins[name]


def release(version: str = DEFAULT) -> Release:
    """Return the release of a version, such as 2.19.1, 2.19 or 3; raise LocalStackError if it is not available."""
    exact = next((known for known in RELEASES if f"{known}.".startswith(f"{version}.")), None)
    if exact is None:
        hint = f"Available: {', '.join(RELEASES)}."
        raise LocalStackError("install", f"OpenSearch {version}", "the version is not available", hint)
    lists: dict[str, Any] = json.loads(lock_file(exact).read_text())
    return Release(
        exact,
        _MIN_JAVA[exact.partition(".")[0]],
        _artifacts(lists["jars"]),
        {plugin.artifact: plugin for plugin in _artifacts(lists["plugins"])},
    )


def _artifacts(entries: list[dict[str, Any]]) -> tuple[Artifact, ...]:
    return tuple(Artifact(**entry) for entry in entries)


def lock_file(version: str) -> Path:
    """Return the file with the list of a release."""
    return Path(str(files("dynadex.opensearch") / f"opensearch-{version}.json"))
