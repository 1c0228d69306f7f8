"""How the running dynadex was installed, so that a new project can install it in the same way."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from dynadex import __version__

_EXTRA = "[worker]"
_WHEEL = f"dynadex-{__version__}-py3-none-any.whl"
_FROM_INDEX = f"dynadex{_EXTRA}"
_COMMENT = """\
# What the worker needs. compose.yaml installs it; so does `pip install -r requirements.txt`, in this folder.
"""
_WHEEL_COMMENT = f"""\
# The path is that of a wheel in this folder, which `make dist` builds in a clone of dynadex.
# To install the release from the package index instead, replace the path: {_FROM_INDEX}
"""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """Where a new project gets dynadex from.

    Attributes:
        requirements: Text of the project's requirements.txt.
        wheel: The wheel that the project needs a copy of; None if it needs none, or if there is none to copy.
        clone: The clone that dynadex runs from; None if it was installed.
        needs_wheel: Whether the requirements name a wheel in the project's folder.
    """

    requirements: str
    wheel: Path | None = None
    clone: Path | None = None
    needs_wheel: bool = False

    def files(self, folder: Path) -> dict[str, bytes]:
        """Return the wheel by its path in the project, if there is one to copy that the folder does not have yet."""
        if self.wheel is None:
            return {}
        content, copy = self.wheel.read_bytes(), folder / self.wheel.name
        return {} if copy.is_file() and copy.read_bytes() == content else {copy.name: content}

    def missing_wheel(self, folder: Path) -> str:
        """Return how to put the wheel into the project's folder; empty if the folder has what it needs."""
        if self.wheel or not self.needs_wheel:
            return ""
        clone = shlex.quote(str(self.clone or "../dynadex"))
        return f"make -C {clone} dist && cp {clone}/dist/{_WHEEL} {shlex.quote(str(folder))}"


FROM_INDEX = PackageSource(f"{_COMMENT}{_FROM_INDEX}\n")


def current_source() -> PackageSource:
    """Return the source of the running dynadex.

    pip and uv record the origin of a package that does not come from an index in ``direct_url.json`` (PEP 610). A wheel
    that was installed by path is copied. Any other origin, such as a clone, requires a wheel built from it.
    """
    origin = _origin()
    if origin is None:
        return FROM_INDEX
    url = urlsplit(str(origin.get("url", "")))
    path = Path(url2pathname(url.path)) if url.scheme == "file" else None
    if path and "dir_info" in origin:
        return _from_wheel(_WHEEL, clone=path)
    if path and path.suffix == ".whl":
        return _from_wheel(path.name, wheel=path if path.is_file() else None)
    return _from_wheel(_WHEEL)


def _from_wheel(name: str, wheel: Path | None = None, clone: Path | None = None) -> PackageSource:
    return PackageSource(f"{_COMMENT}{_WHEEL_COMMENT}./{name}{_EXTRA}\n", wheel, clone, needs_wheel=True)


def _origin() -> dict[str, Any] | None:
    """Return the recorded origin of this package; None if it comes from an index, or is not installed."""
    installed = _distribution()
    text = installed.read_text("direct_url.json") if installed else None
    origin: dict[str, Any] | None = json.loads(text) if text else None
    return origin


def _distribution() -> Distribution | None:
    try:
        return distribution("dynadex")
    except PackageNotFoundError:
        return None
