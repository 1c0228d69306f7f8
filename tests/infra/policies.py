"""Permissions of the roles of a template, evaluated like IAM does: a matching Allow and no Deny."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from tests.infra.synthesis import Resource


class Roles:
    """The roles of a stack."""

    def __init__(self, template: Resource) -> None:
        self._resources = template["Resources"]

    def allows(self, principal: str, action: str, resource: str) -> bool:
        """Return whether the role of a function or the state machine allows the action on the resource."""
        effects = {
            statement["Effect"]
            for statement in self._statements(self.role_of(principal))
            if _matches(statement["Action"], action) and _matches(statement["Resource"], resource, self)
        }
        return effects == {"Allow"}

    def role_of(self, principal: str) -> str:
        """Return the role of the function with this handler name, or of the state machine (``machine``)."""
        for resource in self._resources.values():
            properties = resource.get("Properties", {})
            if str(properties.get("Handler", "")).rsplit(".", 1)[-1] == principal:
                return str(properties["Role"]["Fn::GetAtt"][0])
            if principal == "machine" and resource["Type"] == "AWS::StepFunctions::StateMachine":
                return str(properties["RoleArn"]["Fn::GetAtt"][0])
        raise AssertionError(f"the template has no function or state machine {principal}")

    def policies(self) -> Iterator[tuple[str, Resource]]:
        """Yield every statement of every policy, with its role."""
        for role in (name for name, resource in self._resources.items() if resource["Type"] == "AWS::IAM::Role"):
            yield from ((role, statement) for statement in self._statements(role))

    def managed(self) -> list[Any]:
        """Return the managed policies of all roles."""
        resources = self._resources.values()
        roles = (resource["Properties"] for resource in resources if resource["Type"] == "AWS::IAM::Role")
        return [policy for role in roles for policy in role.get("ManagedPolicyArns", [])]

    def text(self, value: Any) -> str:
        """Return an ARN with CloudFormation functions as text: ``<Search>`` denotes a resource of the template."""
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


def _matches(patterns: Any, value: str, roles: Roles | None = None) -> bool:
    listed = patterns if isinstance(patterns, list) else [patterns]
    texts = [roles.text(pattern) if roles else pattern for pattern in listed]
    return any(fnmatchcase(value, text.replace("[", "[[]")) for text in texts)
