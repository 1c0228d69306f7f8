"""Loading of the repository's scripts as modules: they are not in a package."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from tests.docs.blocks import ROOT


def loaded(script: str) -> Any:
    """The module of ``scripts/SCRIPT.py``."""
    spec = importlib.util.spec_from_file_location(script, ROOT / "scripts" / f"{script}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses require their module in sys.modules.
    sys.modules[script] = module
    spec.loader.exec_module(module)
    return module
