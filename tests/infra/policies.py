"""What the roles of a template may do, evaluated as IAM does: one Allow that matches, and no Deny."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from tests.infra.synthesis import Resource


class Roles:
    """The roles of one stack, by the logical id of the function or state machine that has it."""

    def __init__(self, template: Resource) -> None:
        self._resources = template["Resources"]

    def allows(self, who: str, action: str, resource: str) -> bool:
        """Whether the role of a function, or of the state machine, lets it do this to that."""
        effects = {
            statement["Effect"]
            for statement in self._statements(self.role_of(who))
            if _matches(statement["Action"], action) and _matches(statement["Resource"], resource, self)
        }
        return effects == {"Allow"}

    def role_of(self, who: str) -> str:
        """The role of the function with this handler, or of the only state machine."""
        for resource in self._resources.values():
            properties = resource.get("Properties", {})
            if str(properties.get("Handler", "")).rsplit(".", 1)[-1] == who:
                return str(properties["Role"]["Fn::GetAtt"][0])
            if who == "machine" and resource["Type"] == "AWS::StepFunctions::StateMachine":
                return str(properties["RoleArn"]["Fn::GetAtt"][0])
        raise AssertionError(f"nothing is called {who}")

    def policies(self) -> Iterator[tuple[str, Resource]]:
        """Every statement of every policy, with the role it is for."""
        for role in (name for name, one in self._resources.items() if one["Type"] == "AWS::IAM::Role"):
            yield from ((role, statement) for statement in self._statements(role))

    def managed(self) -> list[Any]:
        """Every policy attached that somebody else writes."""
        roles = (one["Properties"] for one in self._resources.values() if one["Type"] == "AWS::IAM::Role")
        return [policy for role in roles for policy in role.get("ManagedPolicyArns", [])]

    def text(self, value: Any) -> str:
        """An ARN with CloudFormation's functions in it as text: ``<Search>`` stands for a resource of the template."""
        if isinstance(value, str):
            return value
        [(function, content)] = value.items()
        if function == "Fn::Join":
            return str(content[0]).join(self.text(part) for part in content[1])
        name = content if function == "Ref" else content[0]
        return _PSEUDO.get(name, f"<{self._short(name)}>")

    def _short(self, logical_id: str) -> str:
        return logical_id[:-8] if logical_id in self._resources else logical_id

    def _statements(self, role: str) -> Iterator[Resource]:
        for resource in self._resources.values():
            if resource["Type"] == "AWS::IAM::Policy" and {"Ref": role} in resource["Properties"]["Roles"]:
                yield from resource["Properties"]["PolicyDocument"]["Statement"]


_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "000000000000"}


def _matches(patterns: Any, wanted: str, roles: Roles | None = None) -> bool:
    listed = patterns if isinstance(patterns, list) else [patterns]
    texts = [roles.text(one) if roles else one for one in listed]
    return any(fnmatchcase(wanted, text.replace("[", "[[]")) for text in texts)
