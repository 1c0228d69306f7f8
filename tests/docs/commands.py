"""Validation of the commands in documents, without running them."""

from __future__ import annotations

import re
import shlex
import tomllib
from itertools import pairwise
from typing import Any

import botocore.session
from botocore import xform_name
from typer.core import TyperGroup
from typer.main import get_command

from dynadex.cli import app
from tests.docs.blocks import ROOT, Step

_DYNADEX: Any = get_command(app)
# Global options of the AWS CLI, which are not in the model of a service.
_AWS_GLOBAL = {"region", "endpoint-url", "profile", "output", "query"}
# Folder of the clone for a reader who works in a folder next to it.
CLONE = "../dynadex"
_AWS_SERVICES = {"dynamodb", "stepfunctions", "cloudformation", "sts"}


def words_of(command: str) -> list[str]:
    """Split a command as a shell does, without assignments before the program and without what follows a pipe."""
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words[: words.index("|")] if "|" in words else words


def check(command: str) -> None:
    """Raise AssertionError, or the error of the parser, if the program would reject the command."""
    program, *arguments = words_of(command)
    CHECKS[program](arguments)


def check_dynadex(arguments: list[str]) -> None:
    """Parse the arguments with the real command, without calling it."""
    command = _DYNADEX
    with _DYNADEX.make_context("dynadex", ["config"]) as context:
        while isinstance(command, TyperGroup) and arguments:
            if arguments[0].startswith("-"):
                assert arguments[0] in options_of(command), f"dynadex has no {arguments[0]}"
                return
            _, command, arguments = command.resolve_command(context, arguments)
        if not isinstance(command, TyperGroup):
            command.make_context(command.name, [*arguments], parent=context)


def check_mention(code: str) -> None:
    """Check a command in a sentence: it may lack its arguments, but its options must exist."""
    program, *arguments = words_of(code)
    if program != "dynadex" or ":sync" in code:
        CHECKS[program](arguments)
        return
    command = _DYNADEX
    while isinstance(command, TyperGroup) and arguments and not arguments[0].startswith("-"):
        name = arguments.pop(0)
        assert name in command.commands, f"there is no dynadex {name}"
        command = command.commands[name]
    options = {word for word in arguments if word.startswith("-")}
    assert options <= options_of(command), f"{code}: {options - options_of(command)}"


def options_of(command: Any) -> set[str]:
    """Return every option of a command, including those of the shell completion."""
    with command.make_context("dynadex", ["config"], resilient_parsing=True) as context:
        return {
            option
            for parameter in command.get_params(context)
            for option in (*parameter.opts, *parameter.secondary_opts)
        }


def every_option() -> set[str]:
    """Return the options of all commands."""
    return set().union(*map(options_of, _every_command(_DYNADEX)))


def _every_command(command: Any) -> list[Any]:
    inside = list(command.commands.values()) if isinstance(command, TyperGroup) else []
    return [command, *(command for group in inside for command in _every_command(group))]


def check_make(arguments: list[str]) -> None:
    """Check that the targets exist, and the folders of tests in their arguments."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = re.findall(r"^([\w./ -]+):", text.replace("$(VENV)", ".venv"), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    if arguments[:1] == ["-C"]:
        assert arguments[1] == CLONE, arguments[1]
        arguments = arguments[2:]
    named = {word for word in arguments if "=" not in word}
    assert named <= targets, f"no target of the Makefile: {named - targets}"
    for assigned in (word for word in arguments if "=" in word):
        assert f"$({assigned.split('=')[0]})" in text or f"$(or $({assigned.split('=')[0]})" in text, assigned
        for word in assigned.split("=", 1)[1].split():
            assert not word.startswith("tests/") or (ROOT / word).exists(), word


def check_pip(arguments: list[str]) -> None:
    """Check that the extras exist."""
    assert arguments[0] == "install", arguments[0]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for names in re.findall(r"dynadex\[([\w,]+)\]", " ".join(arguments)):
        assert set(names.split(",")) <= set(extras), names


def check_aws(arguments: list[str]) -> None:
    """Check the operation and its parameters against the service's model, including required parameters."""
    service, operation, *rest = arguments
    assert service in _AWS_SERVICES, service
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in operations, f"aws {service} has no {operation}"
    shape: Any = model.operation_model(operations[operation]).input_shape
    members = {xform_name(name, "-"): name for name in (shape.members if shape else {})}
    given = {word.removeprefix("--") for word in rest if word.startswith("--")}
    given = {name.removeprefix("no-") if name.removeprefix("no-") in members else name for name in given}
    assert given <= members.keys() | _AWS_GLOBAL, given - members.keys()
    required = set(shape.required_members if shape and rest else ())
    missing = required - {members[name] for name in given & members.keys()}
    assert not missing, f"aws {service} {operation} needs {missing}"


def check_python(arguments: list[str]) -> None:
    """Check that the tests exist."""
    assert arguments[:2] == ["-m", "pytest"], arguments
    missing = [word for word in arguments if word.startswith("tests/") and not (ROOT / word).exists()]
    assert not missing, missing


def check_npx(arguments: list[str]) -> None:
    """Check that it is the version of the CDK CLI that `dynadex deploy` calls."""
    assert arguments[0] == "aws-cdk@2", arguments[0]


def check_git(arguments: list[str]) -> None:
    """Check that the release process uses the subcommand, and that a tag is `v` and a version."""
    assert arguments[0] in ("tag", "push"), arguments[0]
    tags = [word for word in arguments[1:] if re.match(r"v?\d", word)]
    assert tags, "no tag is named"
    assert [tag for tag in tags if not re.fullmatch(r"v\d+\.\d+\.\d+", tag)] == [], tags


def check_gh(arguments: list[str]) -> None:
    """Check that the release process uses the subcommand."""
    assert tuple(arguments[:2]) in (("attestation", "verify"), ("release", "download")), arguments


def check_docker(arguments: list[str]) -> None:
    """Check that the file exists in the clone, and that it has the build arguments."""
    assert arguments[0] == "build", arguments[0]
    file = arguments[arguments.index("-f") + 1]
    text = (ROOT / file.removeprefix(f"{CLONE}/")).read_text(encoding="utf-8")
    for flag, value in pairwise(arguments):
        assert flag != "--build-arg" or f"ARG {value.split('=')[0]}" in text, value


def check_activation(arguments: list[str]) -> None:
    """Check that it is the environment that the reader or make created."""
    assert arguments in ([".venv/bin/activate"], [".venv-infra/bin/activate"]), arguments


def check_folder(arguments: list[str]) -> None:
    """Check that there is one folder. Running the document shows whether it exists."""
    assert len(arguments) == 1, arguments


CHECKS = {
    "dynadex": check_dynadex,
    "make": check_make,
    ".venv/bin/python": check_python,
    "pip": check_pip,
    "aws": check_aws,
    "npx": check_npx,
    "git": check_git,
    "gh": check_gh,
    "cd": check_folder,
    "docker": check_docker,
    ".": check_activation,
}


def is_checked_only(step: Step) -> bool:
    """Return whether running it would test more than the document: a suite, a registry, an account."""
    if step.program == "make":
        return not step.command.endswith(" dist")
    return step.program in CHECKS.keys() - {"dynadex", "cd", "pip"}
