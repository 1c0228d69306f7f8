"""The OpenSearch node as a Program: the options of its Java VM, its settings, and the cache of its classes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from dynadex.errors import LocalStackError
from dynadex.local.child import Program, tail
from dynadex.opensearch.install import Installation, exclusive
from dynadex.opensearch.java import Java, find_java

_log = logging.getLogger(__name__)

OPENSEARCH = "OpenSearch"
_JPYPE_JAR = "org.jpype.jar"
_CONFIG = files("dynadex.opensearch") / "config"
# Only a node that hangs reaches this limit.
_PREPARE_SECONDS = 1800
_STOP_SECONDS = 30.0
_UNUSED_SECONDS = 30 * 24 * 3600
_JVM_OPTIONS = (
    "-Xms256m",
    # Named, because a machine with one processor gets another by default, and then the class cache is not used.
    "-XX:+UseG1GC",
    "-XX:+ExitOnOutOfMemoryError",
    # The rest is from the distribution's own jvm.options.
    "-XX:-OmitStackTraceInFastThrow",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "--enable-native-access=ALL-UNNAMED",
)


@dataclass(frozen=True)
class NodeConfig:
    """Configuration of a node.

    Attributes:
        home: Folder for data and temporary files.
        http_port: Port of the REST API; 0 chooses a free port.
        heap: Maximum heap of the Java VM, such as ``512m`` or ``2g``.
        settings: Settings as in opensearch.yml.
        class_cache: Whether to start with a cache of classes, which takes 20 seconds to prepare at the first start.
    """

    home: Path
    http_port: int = 0
    heap: str = "1g"
    settings: Mapping[str, str] = field(default_factory=dict)
    class_cache: bool = True


def node_program(installation: Installation, config: NodeConfig, log: Path) -> Program:
    """Return the program for a node; raise LocalStackError if a part of it is not installed.

    The first call prepares the cache of the classes that a node loads, which takes about 20 seconds.
    """
    if find_spec("jpype") is None:
        hint = "Install it: pip install 'dynadex[opensearch]'. Or use --engine memory, or --opensearch URL."
        raise LocalStackError("start", OPENSEARCH, "JPype is not installed", hint)
    java = find_java(installation.release.min_java)
    return _program(installation, java, config, log, _use_class_cache(installation, java, config))


def prepare(installation: Installation) -> None:
    """Prepare all that a start needs. Raises LocalStackError."""
    _use_class_cache(installation, find_java(installation.release.min_java), NodeConfig(installation.folder))


def _use_class_cache(installation: Installation, java: Java, config: NodeConfig) -> tuple[str, ...]:
    """Return the option of Java for a cache of the classes that a node loads, already linked; make the cache first.

    With it, a node starts in half the time. Java ignores a file that it cannot use. JPype turns such caches off for a
    class path that is not ASCII. In a folder of another user, only a cache that exists is used.
    """
    class_path = "".join(str(jar) for jar in (*installation.class_path, _jpype_folder(installation)))
    key = hashlib.sha256(f"{java.home}{java.version}{class_path}{_JVM_OPTIONS}".encode()).hexdigest()[:16]
    cache = installation.folder / f"classes-{key}"
    if config.class_cache and class_path.isascii() and os.access(installation.folder, os.W_OK):
        with exclusive(installation.folder):
            _copy_jpype_jar(_jpype_folder(installation))
            if not cache.exists():
                _remove_unused(installation.folder)
                _log.info(f"OpenSearch {installation.release.version}: preparing faster starts, once, about 20 s")
                _make_class_cache(installation, java, config, cache)
            cache.touch()
    if not cache.exists() or not class_path.isascii():
        return ()
    return (f"-XX:AOTCache={cache}" if java.has_aot_cache else f"-XX:SharedArchiveFile={cache}",)


def _make_class_cache(installation: Installation, java: Java, config: NodeConfig, cache: Path) -> None:
    """Start a node that exercises itself and ends, and let Java write the classes that it has loaded."""
    with tempfile.TemporaryDirectory(dir=installation.folder, prefix=".preparing-") as folder:
        home, draft = Path(folder), Path(folder) / "classes"
        option = f"-XX:AOTCacheOutput={draft}" if java.has_aot_cache else f"-XX:ArchiveClassesAtExit={draft}"
        own = replace(config, home=home, http_port=0)
        program = _program(installation, java, own, home / "log", (option,), serving=False)
        with program.log.open("wb") as log:
            done = subprocess.run(
                program.command, env=program.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, timeout=_PREPARE_SECONDS, check=False,
            )  # fmt: skip
        if done.returncode != 0:
            excerpt = "\n  ".join(["The end of its log:", *tail(program.log)])
            raise LocalStackError("start", OPENSEARCH, f"it ended with exit code {done.returncode}", excerpt)
        # A Java without an archive for its base classes writes none. The empty file prevents another attempt.
        draft.touch()
        draft.replace(cache)


def _jpype_folder(installation: Installation) -> Path:
    """The folder with a copy of JPype's jar, which is on the class path of a node."""
    return installation.folder / f"jpype-{version('jpype1')}"


def _copy_jpype_jar(folder: Path) -> None:
    if not (folder / _JPYPE_JAR).exists():
        folder.mkdir(exist_ok=True)
        spec = find_spec("jpype")
        assert spec is not None
        assert spec.origin is not None
        draft = folder / "draft"
        shutil.copyfile(Path(spec.origin).parents[1] / _JPYPE_JAR, draft)
        draft.replace(folder / _JPYPE_JAR)


def _remove_unused(folder: Path) -> None:
    for cache in folder.glob("classes-*"):
        if time.time() - cache.stat().st_mtime > _UNUSED_SECONDS:
            cache.unlink(missing_ok=True)


def _program(
    installation: Installation,
    java: Java,
    config: NodeConfig,
    log: Path,
    cache_options: tuple[str, ...],
    serving: bool = True,
) -> Program:
    temporary = config.home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    ports = {"http.port": str(config.http_port), "transport.port": "0"}
    paths = {f"path.{name}": str(config.home / name) for name in ("data", "logs")}
    options = {
        "jvm": str(java.library),
        "jvm_options": [
            *_JVM_OPTIONS, f"-Xmx{config.heap}", f"-Djava.io.tmpdir={temporary}",
            *_options_of_version(java), *cache_options,
            # As in a distribution.
            *os.environ.get("OPENSEARCH_JAVA_OPTS", "").split(),
        ],
        "class_path": [str(jar) for jar in installation.class_path],
        "plugins": installation.plugin_classes,
        "config": str(_CONFIG),
        "jpype": str(_jpype_folder(installation)),
        "settings": {"path.home": str(config.home), **paths, **ports, **config.settings},
        "serving": serving,
    }  # fmt: skip
    # -P keeps a file jpype.py in the current folder from being imported instead.
    arguments = ("-P", "-m", "dynadex.local.opensearch_child", json.dumps(options), str(os.getpid()))
    return Program(
        name=f"{OPENSEARCH} {installation.release.version}",
        command=(sys.executable, *arguments),
        environment=os.environ.copy(),
        # Yellow: a single node cannot allocate replicas, so an index with replicas is never green.
        health_path="/_cluster/health?wait_for_status=yellow&wait_for_no_initializing_shards=true&timeout=2s",
        log=log,
        stop_seconds=_STOP_SECONDS,
    )


def _options_of_version(java: Java) -> tuple[str, ...]:
    """Options against warnings that need no action: about classes that are not cached, and about deprecated calls."""
    log = ("-Xlog:disable", "-Xlog:all=warning:stderr")
    if not java.has_aot_cache:
        return (*log, "-Xlog:cds=off")
    return (*log, "-Xlog:aot*=off", "--sun-misc-unsafe-memory-access=allow")
