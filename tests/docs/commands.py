"""Whether a command that a document names could be called so, without running it."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import Any

import botocore.session
from botocore import xform_name
from typer.core import TyperGroup
from typer.main import get_command

from dynadex.cli import app
from tests.docs.blocks import ROOT, Step

_DYNADEX: Any = get_command(app)
# Options of the AWS CLI's own, beside what the service's model says.
_AWS_GLOBAL = {"region", "endpoint-url", "profile", "output", "query"}
_AWS_SERVICES = {"dynamodb", "stepfunctions", "cloudformation", "sts"}


def words_of(command: str) -> list[str]:
    """As a shell splits it, without the variables before the program, or what follows a pipe."""
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words[: words.index("|")] if "|" in words else words


def check(command: str) -> None:
    """Raises AssertionError, or the error of the command line's parser, if the program would refuse these words."""
    program, *arguments = words_of(command)
    CHECKS[program](arguments)


def check_dynadex(arguments: list[str]) -> None:
    """Parsed by the real command, to its last option; nothing is called."""
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
    """Within a sentence a command may stand without its arguments; its options must be there all the same."""
    program, *arguments = words_of(code)
    if program != "dynadex" or ":sync" in code:
        CHECKS[program](arguments)
        return
    command = _DYNADEX
    while isinstance(command, TyperGroup) and arguments and not arguments[0].startswith("-"):
        name = arguments.pop(0)
        assert name in command.commands, f"there is no dynadex {name}"
        command = command.commands[name]
    wanted = {one for one in arguments if one.startswith("-")}
    assert wanted <= options_of(command), f"{code}: {wanted - options_of(command)}"


def options_of(command: Any) -> set[str]:
    """Every option it takes, also those that a shell adds."""
    with command.make_context("dynadex", ["config"], resilient_parsing=True) as context:
        return {option for one in command.get_params(context) for option in (*one.opts, *one.secondary_opts)}


def every_option() -> set[str]:
    """Of all commands together."""
    return set().union(*map(options_of, _every_command(_DYNADEX)))


def _every_command(command: Any) -> list[Any]:
    inside = list(command.commands.values()) if isinstance(command, TyperGroup) else []
    return [command, *(one for each in inside for one in _every_command(each))]


def check_make(arguments: list[str]) -> None:
    """The targets are there, and the folders of tests they are asked for."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = re.findall(r"^([\w./ -]+):", text.replace("$(VENV)", ".venv"), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    wanted = [one for one in arguments if "=" not in one]
    assert set(wanted) <= targets, f"no target of the Makefile: {set(wanted) - targets}"
    for assigned in (one for one in arguments if "=" in one):
        assert f"$({assigned.split('=')[0]})" in text or f"$(or $({assigned.split('=')[0]})" in text, assigned
        for word in assigned.split("=", 1)[1].split():
            assert not word.startswith("tests/") or (ROOT / word).exists(), word


def check_pip(arguments: list[str]) -> None:
    """Only extras that there are."""
    assert arguments[0] == "install", arguments[0]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for wanted in re.findall(r"dynadex\[([\w,]+)\]", " ".join(arguments)):
        assert set(wanted.split(",")) <= set(extras), wanted


def check_aws(arguments: list[str]) -> None:
    """Operation and parameters are those of the service's own model, and none that is required is missing."""
    service, operation, *rest = arguments
    assert service in _AWS_SERVICES, service
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in operations, f"aws {service} has no {operation}"
    shape: Any = model.operation_model(operations[operation]).input_shape
    members = {xform_name(name, "-"): name for name in (shape.members if shape else {})}
    given = {one.removeprefix("--") for one in rest if one.startswith("--")}
    given = {name.removeprefix("no-") if name.removeprefix("no-") in members else name for name in given}
    assert given <= members.keys() | _AWS_GLOBAL, given - members.keys()
    required = set(shape.required_members if shape and rest else ())
    missing = required - {members[name] for name in given & members.keys()}
    assert not missing, f"aws {service} {operation} needs {missing}"


def check_python(arguments: list[str]) -> None:
    """Tests that are there."""
    assert arguments[:2] == ["-m", "pytest"], arguments
    missing = [one for one in arguments if one.startswith("tests/") and not (ROOT / one).exists()]
    assert not missing, missing


def check_npx(arguments: list[str]) -> None:
    """The CDK CLI of the version that `dynadex deploy` calls."""
    assert arguments[0] == "aws-cdk@2", arguments[0]


def check_git(arguments: list[str]) -> None:
    """A subcommand that the release process uses; a tag is `v` and a version."""
    assert arguments[0] in ("tag", "push"), arguments[0]
    tags = [word for word in arguments[1:] if re.match(r"v?\d", word)]
    assert tags, "no tag is named"
    assert [tag for tag in tags if not re.fullmatch(r"v\d+\.\d+\.\d+", tag)] == [], tags


def check_gh(arguments: list[str]) -> None:
    """A subcommand that the release process uses."""
    assert tuple(arguments[:2]) in (("attestation", "verify"), ("release", "download")), arguments


def check_folder(arguments: list[str]) -> None:
    """One folder. Whether it is there, running the document tells."""
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
}


def is_checked_only(step: Step) -> bool:
    """Whether running it would test something else than the document: a suite, a registry, an account."""
    return step.program in CHECKS.keys() - {"dynadex", "cd"}
