"""State of a local stack on disk: a description of the running stack, and the lock that proves that it runs."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dynadex.errors import LocalStackError

DEFAULT_DIRECTORY = Path(".dynadex/local")
# Name of the program, and what its clients use; it accepts any credential.
DYNAMODB = "ministack"
REGION = "us-east-1"
CREDENTIAL = "local"

# Checking whether a stack runs takes the lock for an instant, so try for longer than that.
_LOCK_TIMEOUT_SECONDS = 2.0
_LOCK_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Endpoints:
    """URLs of the two backends."""

    dynamodb: str
    opensearch: str


@dataclass(frozen=True)
class RunningStack:
    """A stack whose backends respond.

    Attributes:
        pid: Process id of its supervisor.
        started_at: Time when it was ready: ISO 8601, UTC.
        endpoints: URLs of the backends.
        children: Process ids of the backends that it started, by program name.
    """

    pid: int
    started_at: str
    endpoints: Endpoints
    children: MappingProxyType[str, int]

    def to_json(self) -> str:
        """Return the content of stack.json."""
        return json.dumps(
            {
                "pid": self.pid,
                "started_at": self.started_at,
                "endpoints": asdict(self.endpoints),
                "children": dict(self.children),
            },
            indent=2,
        )

    @classmethod
    def from_json(cls, text: str) -> RunningStack:
        """Parse stack.json; raise ValueError, KeyError or TypeError if it describes no stack."""
        data: dict[str, Any] = json.loads(text)
        children = MappingProxyType({str(name): int(pid) for name, pid in data["children"].items()})
        return cls(int(data["pid"]), data["started_at"], Endpoints(**data["endpoints"]), children)


class StackFolder:
    """The files of one stack. ``stack.json`` is valid only while a process holds the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.state_file = self.path / "stack.json"
        self.temporary = self.path / "tmp"
        self.supervisor_log = self.path / "supervisor.log"
        self._lock: int | None = None

    def prepare(self) -> None:
        """Create the folder and exclude it from version control; raise LocalStackError if it cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Only in an empty folder: elsewhere it would hide the user's files, or replace their .gitignore.
            if not any(self.path.iterdir()):
                (self.path / ".gitignore").write_text("*\n")
        except OSError as error:
            reason = error.strerror or str(error)
            raise LocalStackError("keep state in", str(self.path), reason, "Choose another --dir.") from error

    def log(self, child: str) -> Path:
        """Return the file for a child's output."""
        return self.path / f"{child}.log"

    @property
    def has_lock(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None

    def lock(self) -> bool:
        """Take the lock; return False if another process holds it. The kernel frees it however this process ends."""
        deadline = time.monotonic() + _LOCK_TIMEOUT_SECONDS
        while (handle := self._try_lock()) is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOCK_POLL_SECONDS)
        self._lock = handle
        return True

    def unlock(self) -> None:
        """Release the lock if this object holds it. Its file stays: removing it would let two processes lock it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_locked(self) -> bool:
        """Return whether any process, including this one, holds the lock."""
        if not self.path.is_dir():
            return False
        handle = self._try_lock()
        if handle is not None:
            os.close(handle)
        return handle is None

    def write(self, running: RunningStack) -> None:
        """Write stack.json atomically, readable by this user only: a URL may contain a password."""
        draft = self.state_file.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(running.to_json() + "\n")
        draft.replace(self.state_file)

    def read(self) -> RunningStack | None:
        """Return the content of stack.json, which may be outdated; None if it is missing or invalid."""
        try:
            return RunningStack.from_json(self.state_file.read_text())
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def clear(self) -> None:
        """Remove the files that only a running stack needs; its logs stay."""
        self.state_file.unlink(missing_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)

    def _try_lock(self) -> int | None:
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return handle
