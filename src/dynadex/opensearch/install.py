"""Install a release of OpenSearch: fetch its files from Maven Central once, and check them.

jgo downloads, also from a mirror that its own configuration names (``[repositories]`` in ``~/.config/jgo.conf``).
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dynadex.errors import LocalStackError
from dynadex.opensearch.release import DEFAULT, Artifact, Release, release
from dynadex.text import counted

_log = logging.getLogger(__name__)

_DOWNLOADS = 4
_DOWNLOAD_SECONDS = 60
_REPORT_SECONDS = 5.0
_MEGABYTE = 1e6
_EXTRA = "Install it: pip install 'dynadex[opensearch]'."


class FetchError(LocalStackError):
    """A file of OpenSearch cannot be fetched, or is not the one that was pinned."""


@dataclass(frozen=True)
class Installation:
    """An installed release. ``folder`` contains lib/ and plugins/; ``plugins`` are the names of those to load."""

    release: Release
    folder: Path
    plugins: tuple[str, ...] = ()

    @property
    def class_path(self) -> list[Path]:
        """The jars of the node, then those of its plugins that the node does not have in another version."""
        jars = [self.folder / "lib" / jar.file_name for jar in self.release.jars]
        names = {_without_version(jar) for jar in jars}
        for plugin in self.plugins:
            jars += sorted(jar for jar in self._plugin(plugin).glob("*.jar") if _without_version(jar) not in names)
            names |= {_without_version(jar) for jar in jars}
        return jars

    @property
    def plugin_classes(self) -> list[str]:
        """The main class of each plugin, from its descriptor."""
        return [self._descriptor(plugin)["classname"] for plugin in self.plugins]

    @property
    def missing_jars(self) -> list[Artifact]:
        """The jars of the node that are not there, or not complete."""
        return [jar for jar in self.release.jars if not _is_complete(self.folder / "lib", jar)]

    @property
    def missing_plugins(self) -> list[Artifact]:
        """The plugins that are not there."""
        return [self.release.plugin(name) for name in self.plugins if not self._plugin(name).is_dir()]

    def _plugin(self, name: str) -> Path:
        return self.folder / "plugins" / name

    def _descriptor(self, plugin: str) -> dict[str, str]:
        lines = (self._plugin(plugin) / "plugin-descriptor.properties").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def install(version: str = DEFAULT, plugins: Sequence[str] = (), cache: Path | None = None) -> Installation:
    """Return the installed release; fetch what is missing.

    Args:
        version: Version of OpenSearch: 2.19.1, 2.19 or 3, for instance.
        plugins: Names of plugins, such as ``opensearch-knn``.
        cache: Folder for the files; by default, DYNADEX_CACHE_DIR or the cache folder of the user.

    Raises:
        FetchError: Files cannot be fetched, are not the pinned ones, or cannot be written.
        LocalStackError: The version or a plugin is not available.
    """
    chosen = release(version)
    folder = (cache or cache_folder()) / f"opensearch-{chosen.version}"
    installation = Installation(chosen, folder, tuple(plugins))
    if not installation.missing_jars and not installation.missing_plugins:
        # The folder may belong to another user, as in an image of a container.
        return installation
    try:
        (folder / "lib").mkdir(parents=True, exist_ok=True)
        with exclusive(folder):
            _fetch(chosen, installation.missing_jars, folder / "lib")
            for plugin in installation.missing_plugins:
                _install_plugin(chosen, plugin, folder / "plugins" / plugin.artifact)
    except OSError as error:
        hint = "Set DYNADEX_CACHE_DIR to a folder that can be written."
        raise FetchError("install OpenSearch in", str(folder), error.strerror or str(error), hint) from error
    return installation


def cache_folder() -> Path:
    """Return DYNADEX_CACHE_DIR, or the cache folder of the user."""
    configured = os.environ.get("DYNADEX_CACHE_DIR")
    if configured:
        return Path(configured).absolute()
    try:
        from platformdirs import user_cache_path
    except ModuleNotFoundError as missing:
        raise _not_installed(missing) from missing
    return user_cache_path("dynadex")


def _fetch(of: Release, artifacts: Sequence[Artifact], folder: Path) -> None:
    """Download the files into the folder, several at a time; log the progress."""
    if not artifacts:
        return
    total = sum(artifact.size for artifact in artifacts)
    _log.info(
        f"OpenSearch {of.version}: fetching {counted(len(artifacts), 'file')}, {total / _MEGABYTE:.0f} MB, to"
        f" {folder}; later starts need no network"
    )
    fetched, reported_at = 0, time.monotonic()
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        downloads = {pool.submit(_download, artifact, folder): artifact for artifact in artifacts}
        try:
            for download in as_completed(downloads):
                download.result()
                fetched += downloads[download].size
                if time.monotonic() - reported_at > _REPORT_SECONDS:
                    reported_at = time.monotonic()
                    _log.info(f"OpenSearch {of.version}: {fetched / _MEGABYTE:.0f} of {total / _MEGABYTE:.0f} MB")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _download(artifact: Artifact, folder: Path) -> None:
    """Download one file and check it; an incomplete or different file never gets its final name."""
    try:
        from jgo.config import GlobalSettings
        from jgo.maven import MavenContext
    except ModuleNotFoundError as missing:
        raise _not_installed(missing) from missing
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as draft:
        mirrors = GlobalSettings.load().repositories or None
        maven = MavenContext(repo_cache=Path(draft), remote_repos=mirrors, timeout=_DOWNLOAD_SECONDS)
        component = maven.project(artifact.group, artifact.artifact).at_version(artifact.version)
        try:
            path = component.artifact(packaging=artifact.packaging).resolve()
        except (RuntimeError, OSError) as error:
            hint = "Without a network, use a running OpenSearch (--opensearch URL) or --engine memory."
            raise FetchError("fetch", artifact.file_name, str(error), hint) from error
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != artifact.sha256:
            reason = f"its SHA-256 is {digest} and not {artifact.sha256}"
            raise FetchError("fetch", artifact.file_name, reason, "It is not the pinned file, so it was discarded.")
        path.replace(folder / artifact.file_name)


def _is_complete(folder: Path, artifact: Artifact) -> bool:
    path = folder / artifact.file_name
    return path.exists() and path.stat().st_size == artifact.size


def _install_plugin(of: Release, plugin: Artifact, folder: Path) -> None:
    """Fetch a plugin and unpack it. Its folder exists only once it is complete."""
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as draft:
        _fetch(of, [plugin], Path(draft))
        content = Path(draft) / "content"
        with zipfile.ZipFile(Path(draft) / plugin.file_name) as archive:
            archive.extractall(content)
        content.replace(folder)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder, so that two processes do not fetch the same files."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _without_version(jar: Path) -> str:
    return re.sub(r"-\d.*", "", jar.name)


def _not_installed(missing: ModuleNotFoundError) -> LocalStackError:
    return LocalStackError("start", "OpenSearch", f"{missing.name} is not installed", _EXTRA)
