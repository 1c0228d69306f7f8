"""Installing OpenSearch: what is fetched, checked, kept and discarded."""

from __future__ import annotations

import gc
import hashlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dynadex.errors import LocalStackError
from dynadex.local.engine import Engine, available
from dynadex.opensearch import install as installing
from dynadex.opensearch.install import FetchError, install
from dynadex.opensearch.release import RELEASES, Artifact, Release, release

CONTENT = b"jar!"


class Mirror:
    """A Maven repository on loopback. ``content`` is the body of every file, ``requests`` the paths requested."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.status = 200
        self.length: int | None = None
        self.requests: list[str] = []

    @contextmanager
    def serving(self) -> Iterator[str]:
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.requests.append(self.path)
                status = 404 if self.path.endswith(".sha1") else mirror.status
                self.send_response(status)
                self.send_header("Content-Length", str(mirror.length or len(mirror.content)))
                self.end_headers()
                self.wfile.write(mirror.content)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}/maven"
            server.shutdown()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """The mirror that jgo's configuration names, and a release of one jar."""
    mirror = Mirror()
    pinned = Artifact("org.example", "song", "1.0", "jar", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(installing, "release", lambda _version: Release("9.9.9", 17, (pinned,), {}))
    with mirror.serving() as url:
        config = tmp_path / "jgo.conf"
        config.write_text(f"[repositories]\nmirror = {url}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(config))
        yield mirror
        # jgo does not close a response that it does not use.
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()


def test_files_are_fetched_once_from_the_mirror_of_jgo_s_configuration(
    mirror: Mirror, tmp_path: Path, logged: list[str]
) -> None:
    cache = tmp_path / "cache"
    for _ in range(2):
        installation = install(cache=cache)
        assert [jar.read_bytes() for jar in installation.class_path] == [CONTENT]
    assert [path for path in mirror.requests if not path.endswith(".sha1")] == [
        "/maven/org/example/song/1.0/song-1.0.jar"
    ]
    # On a slow machine, lines with the progress follow.
    assert [line for line in logged if "fetching" in line] == [
        f"OpenSearch 9.9.9: fetching 1 file, 0 MB, to {cache}/opensearch-9.9.9/lib; later starts need no network"
    ]


def test_file_with_another_checksum_is_discarded(mirror: Mirror, tmp_path: Path) -> None:
    mirror.content = b"evil"
    with pytest.raises(FetchError, match=r"fetch song-1\.0\.jar: its SHA-256 is"):
        install(cache=tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [
        tmp_path / "cache/opensearch-9.9.9/lock"
    ]


@pytest.mark.usefixtures("mirror")
def test_truncated_file_is_fetched_again(tmp_path: Path) -> None:
    (jar,) = install(cache=tmp_path / "cache").class_path
    jar.write_bytes(CONTENT[:2])
    install(cache=tmp_path / "cache")
    assert jar.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 500])
def test_missing_file_raises_with_its_name(mirror: Mirror, tmp_path: Path, status: int) -> None:
    mirror.status = status
    with pytest.raises(FetchError, match=r"Cannot fetch song-1\.0\.jar.*--engine memory"):
        install(cache=tmp_path / "cache")


def test_connection_that_ends_early_leaves_no_file(mirror: Mirror, tmp_path: Path) -> None:
    mirror.length = 10_000
    with pytest.raises(FetchError, match=r"Cannot fetch song-1\.0\.jar"):
        install(cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_demo_continues_with_the_memory_engine_if_nothing_can_be_fetched(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    mirror.status = 404
    monkeypatch.setenv("DYNADEX_CACHE_DIR", str(tmp_path / "cache"))
    assert available(Engine.OPENSEARCH) is Engine.MEMORY
    assert logged[-1].startswith("Cannot fetch song-1.0.jar")
    assert logged[-1].endswith("Continuing with the memory engine, which ranks differently.")


def test_cache_that_cannot_be_written_raises_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder must be")
    with pytest.raises(FetchError, match=r"install OpenSearch in .*/cache/.*Set DYNADEX_CACHE_DIR"):
        install(cache=tmp_path / "cache")


@pytest.mark.usefixtures("mirror")
def test_complete_files_of_another_user_are_used(tmp_path: Path) -> None:
    installed = install(cache=tmp_path / "cache")
    lock = installed.folder / "lock"
    lock.unlink()
    assert install(cache=tmp_path / "cache") == installed
    assert not lock.exists(), "nothing was written"


@pytest.mark.parametrize(
    ("version", "exact"), [("2", "2.19.1"), ("2.19", "2.19.1"), ("3", "3.4.0"), ("3.4.0", "3.4.0")]
)
def test_version_may_be_abbreviated(version: str, exact: str) -> None:
    assert release(version).version == exact


@pytest.mark.parametrize("version", ["", "1", "2.1", "2.20", "3.4.0.1", "latest"])
def test_unknown_version_raises_with_the_available_ones(version: str) -> None:
    with pytest.raises(LocalStackError, match=r"Available: 2\.19\.1, 3\.4\.0"):
        release(version)


def test_unknown_plugin_raises_with_the_available_ones() -> None:
    with pytest.raises(LocalStackError, match=r"plugin analysis-icu.*Available: opensearch-knn, opensearch-security"):
        install(plugins=["analysis-icu"])


@pytest.mark.parametrize("version", RELEASES)
def test_every_file_of_a_release_has_a_checksum_and_a_unique_name(version: str) -> None:
    files = [*release(version).jars, *release(version).plugins.values()]
    assert all(len(file.sha256) == 64 and file.size > 0 for file in files)
    assert len({file.file_name for file in files}) == len(files)
