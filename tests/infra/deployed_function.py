"""The code of a zip in a process of its own, with what the Lambda runtime has beside it, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# boto3 and what it needs: all that a Python runtime of Lambda brings.
_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
_ANSWER = "ANSWER "
_PROGRAM = f"""
import importlib, json, sys
from types import SimpleNamespace
sys.path[:0] = [{{code!r}}, {{runtime!r}}]
context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 60_000)
for line in sys.stdin:
    call = json.loads(line)
    try:
        module, handler = call["handler"].rsplit(".", 1)
        told = {{{{"answer": getattr(importlib.import_module(module), handler)(call["event"], context)}}}}
    except Exception as error:
        told = {{{{"error": f"{{{{type(error).__name__}}}}: {{{{error}}}}"}}}}
    print({_ANSWER!r} + json.dumps(told), flush=True)
"""


class DeployedFunction:
    """Call it as Lambda would; ``printed`` is what it wrote to its log."""

    def __init__(self, package: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.code, runtime = folder / "code", folder / "runtime"
        with zipfile.ZipFile(package) as packed:
            packed.extractall(self.code)
        runtime.mkdir()
        for name in _RUNTIME:
            found = find_spec(name)
            assert found
            assert found.origin
            origin = Path(found.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (runtime / source.name).symlink_to(source)
        program = _PROGRAM.format(code=str(self.code), runtime=str(runtime))
        # -S: nothing that is installed here can be found; -I: nor anything that the environment names.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.code,
            env={"PATH": os.environ["PATH"], **environment},
        )
        self.printed: list[str] = []

    def call(self, handler: str, event: Any) -> Any:
        """The answer of a handler; raises RuntimeError with what it raised."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"handler": handler, "event": event}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(_ANSWER):
                told = json.loads(line.removeprefix(_ANSWER))
                if "error" in told:
                    raise RuntimeError(told["error"])
                return told["answer"]
            self.printed.append(line)
        raise RuntimeError("the function's process ended: " + "".join(self.printed[-20:]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()
