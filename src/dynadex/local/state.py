"""What a local stack leaves on disk: who runs, where, and the lock that proves it."""

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

# Whoever only asks whether a stack runs holds the lock for an instant: one refusal is not yet an answer.
_LOCK_PATIENCE_SECONDS = 0.3
_LOCK_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Endpoints:
    """Where the two backends answer."""

    dynamodb: str
    opensearch: str


@dataclass(frozen=True)
class RunningStack:
    """A stack that answers: its supervisor, since when (UTC), and the processes it started, by name."""

    pid: int
    started_at: str
    endpoints: Endpoints
    children: MappingProxyType[str, int]

    def to_json(self) -> str:
        """This stack as stack.json holds it."""
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
        """The stack a stack.json speaks of; raises ValueError, KeyError or TypeError for anything else."""
        data: dict[str, Any] = json.loads(text)
        children = MappingProxyType({str(name): int(pid) for name, pid in data["children"].items()})
        return cls(int(data["pid"]), data["started_at"], Endpoints(**data["endpoints"]), children)


class StackFolder:
    """The files of one stack. ``stack.json`` counts only while somebody holds ``lock``."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.state_file = self.path / "stack.json"
        self.temporary = self.path / "tmp"
        self.supervisor_log = self.path / "supervisor.log"
        self._lock: int | None = None

    def prepare(self) -> None:
        """Make the folder, and keep it out of the user's version control; raises LocalStackError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Only in a folder of our own: in one that the user has, it would hide, or replace, what is theirs.
            if not any(self.path.iterdir()):
                (self.path / ".gitignore").write_text("*\n")
        except OSError as error:
            reason = error.strerror or str(error)
            raise LocalStackError("keep state in", str(self.path), reason, "Give another --dir.") from error

    def log(self, child: str) -> Path:
        """Where a child's output goes."""
        return self.path / f"{child}.log"

    @property
    def has_lock(self) -> bool:
        """Whether this very object has the lock."""
        return self._lock is not None

    def lock(self) -> bool:
        """Take the lock for this process; False when another has it. The kernel frees it, however we end."""
        deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
        while (handle := self._try_lock()) is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOCK_POLL_SECONDS)
        self._lock = handle
        return True

    def unlock(self) -> None:
        """Give the lock back, if this process has it. The file stays: removing it would let two hold it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_locked(self) -> bool:
        """Whether some process, this one included, has the lock."""
        if not self.path.is_dir():
            return False
        handle = self._try_lock()
        if handle is not None:
            os.close(handle)
        return handle is None

    def write(self, running: RunningStack) -> None:
        """Say what runs: at once and whole, and only to this user, as a URL may hold a password."""
        draft = self.state_file.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(running.to_json() + "\n")
        draft.replace(self.state_file)

    def read(self) -> RunningStack | None:
        """What the state file says, true or stale; None when there is none, or none to be understood."""
        try:
            return RunningStack.from_json(self.state_file.read_text())
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def clear(self) -> None:
        """Remove what only a running stack needs; its logs stay."""
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
