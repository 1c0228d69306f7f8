"""Runs the code of a zip in a separate process with the packages of the Lambda runtime and no others."""

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

# boto3 and its dependencies: the packages of a Python runtime of Lambda.
_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
_RESPONSE = "RESPONSE "
_PROGRAM = f"""
import importlib, json, sys
from types import SimpleNamespace
sys.path[:0] = [{{code!r}}, {{runtime!r}}]
context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 60_000)
for line in sys.stdin:
    call = json.loads(line)
    try:
        module, handler = call["handler"].rsplit(".", 1)
        outcome = {{{{"response": getattr(importlib.import_module(module), handler)(call["event"], context)}}}}
    except Exception as error:
        outcome = {{{{"error": f"{{{{type(error).__name__}}}}: {{{{error}}}}"}}}}
    print({_RESPONSE!r} + json.dumps(outcome), flush=True)
"""


class DeployedFunction:
    """A function to call like Lambda does; ``printed`` holds the lines of its log."""

    def __init__(self, package: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.code, runtime = folder / "code", folder / "runtime"
        with zipfile.ZipFile(package) as packed:
            packed.extractall(self.code)
        runtime.mkdir()
        for name in _RUNTIME:
            spec = find_spec(name)
            assert spec
            assert spec.origin
            origin = Path(spec.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (runtime / source.name).symlink_to(source)
        program = _PROGRAM.format(code=str(self.code), runtime=str(runtime))
        # -S excludes the packages of this environment, -I the paths in environment variables.
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
        """Return the response of a handler; raise RuntimeError if it raises an error."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"handler": handler, "event": event}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(_RESPONSE):
                outcome = json.loads(line.removeprefix(_RESPONSE))
                if "error" in outcome:
                    raise RuntimeError(outcome["error"])
                return outcome["response"]
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
