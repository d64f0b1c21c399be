"""Who may reach the schedulers from outside."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator

from coiled_pulumi.spec.base import IN_PLACE, Refusal, Spec
from coiled_pulumi.values import PortRange, parse_cidr

#: The caller's own address, found when the workspace is brought up.
ME = "me"


def _parse_ports(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        msg = "must be a port or a range as 8000-8100"
        raise Refusal(msg)
    try:
        return str(PortRange.parse(str(value)))
    except ValueError as error:
        raise Refusal(str(error)) from None


def _check_source(text: str) -> str:
    if text == ME:
        return text
    try:
        return str(parse_cidr(text))
    except ValueError as error:
        hint = "" if "host bits" in str(error) else "or write 'me' for your own address"
        raise Refusal(str(error), hint) from None


Ports = Annotated[
    str,
    BeforeValidator(_parse_ports),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": r"^\d+(-\d+)?$"},
            ]
        }
    ),
]
Source = Annotated[
    str, AfterValidator(_check_source), WithJsonSchema({"type": "string", "examples": ["me", "0.0.0.0/0"]})
]


class Ingress(Spec):
    """TCP ports of the scheduler that one block of addresses may reach."""

    ports: Annotated[tuple[Ports, ...], Field(min_length=1), IN_PLACE]
    """Ports or ranges (`8000-8100`). 8786 is the Dask protocol, 8787 the dashboard, 22 SSH."""

    cidr: Annotated[Source, IN_PLACE]
    """IPv4 block that may connect, or `me` for the address that you come from."""

    @field_validator("ports")
    @classmethod
    def _ports_distinct(cls, ports: tuple[str, ...]) -> tuple[str, ...]:
        for port in ports:
            if ports.count(port) > 1:
                msg = f"must name each port once, {port} is there twice"
                raise Refusal(msg)
        return ports


#: What Coiled opens: https://docs.coiled.io/user_guide/setup/aws (Firewall). `init` writes a narrower choice.
DEFAULT_INGRESS = (Ingress.model_construct(ports=("22", "8787", "8786"), cidr="0.0.0.0/0"),)
