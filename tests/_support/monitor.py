"""A Pulumi monitor that records what a program asks for, options included, and refuses the same URN twice."""

import asyncio
import functools
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime import config, mocks, rpc, settings

PROJECT = "coiled"
#: Answers to look-ups, by token.
IMAGE = "ami-0123456789abcdef0"
#: What AWS adds to what it was asked for, by type.
_COMPUTED: dict[str, Callable[[str], dict[str, Any]]] = {
    "aws:ec2/instance:Instance": lambda name: {
        "publicIp": "198.51.100.2",
        "privateIp": "10.0.224.4",
        "primaryNetworkInterfaceId": f"{name}-interface",
    },
    "aws:ec2/placementGroup:PlacementGroup": lambda name: {"name": f"{name}-1234567"},
    "aws:ec2/eip:Eip": lambda name: {"publicIp": "198.51.100.1"},
    "aws:ec2/launchTemplate:LaunchTemplate": lambda name: {"latestVersion": 1},
    "aws:autoscaling/group:Group": lambda name: {"name": f"{name}-1234567"},
    "aws:iam/role:Role": lambda name: {"arn": f"arn:aws:iam::123456789012:role/{name}"},
}


@dataclass(frozen=True)
class Registration:
    """One resource that a program asked for; names of properties are Pulumi's own, as `cidrBlock`."""

    type: str
    name: str
    parent: str
    custom: bool
    props: dict[str, Any]
    provider: str
    providers: tuple[str, ...]
    depends_on: tuple[str, ...]
    protect: bool
    retain_on_delete: bool
    ignore_changes: tuple[str, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Recorded:
    """All that a program asked for, and what it exported."""

    resources: tuple[Registration, ...]
    invokes: tuple[tuple[str, dict, str], ...]
    outputs: dict[str, Any]

    def of(self, kind: str) -> list[Registration]:
        """Give the resources whose type ends in a word, as `Subnet`."""
        return [item for item in self.resources if item.type.split(":")[-1] == kind]

    def named(self, name: str, kind: str) -> Registration:
        """Give the one resource with a name and a type."""
        (found,) = [item for item in self.of(kind) if item.name == name]
        return found


class _Answers(mocks.Mocks):
    def new_resource(self, args):
        state = {**args.inputs, **_COMPUTED.get(args.typ, lambda name: {})(args.name)}
        if args.typ == "pulumi:index:Stash":
            state["output"] = args.inputs["input"]
        return f"{args.name}-id", state

    def call(self, args):
        assert args.token == "aws:ssm/getParameter:getParameter", args.token  # noqa: S105 a function, no secret
        return {
            "insecureValue": IMAGE,
            "value": IMAGE,
            "name": args.args["name"],
            "id": args.args["name"],
        }, []


def _tidy(method: Callable) -> Callable:
    """Give a method an event loop in the SDK's threads; one that the SDK opens itself is never closed."""

    @functools.wraps(method)
    def tidied(self, request):
        if threading.current_thread() is threading.main_thread():
            return method(self, request)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return method(self, request)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    return tidied


class _Monitor(mocks.MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Answers())
        self.seen: list[Registration] = []
        self.twice: list[str] = []
        self.invokes: list[tuple[str, dict, str]] = []

    @_tidy
    def RegisterResource(self, request):  # noqa: N802 the protocol's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if urn in self.resources:
            self.twice.append(urn)
        if request.type != "pulumi:pulumi:Stack":
            self.seen.append(
                Registration(
                    type=request.type,
                    name=request.name,
                    parent=_name(request.parent),
                    custom=request.custom,
                    props=rpc.deserialize_properties(request.object, keep_unknowns=True),
                    provider=_name(request.provider.rpartition("::")[0]),
                    providers=tuple(_name(ref.rpartition("::")[0]) for ref in request.providers.values()),
                    depends_on=tuple(sorted(_name(urn) for urn in request.dependencies)),
                    protect=request.protect,
                    retain_on_delete=request.retainOnDelete,
                    ignore_changes=tuple(request.ignoreChanges),
                    aliases=tuple(map(str, request.aliases)),
                )
            )
        return super().RegisterResource(request)

    @_tidy
    def Invoke(self, request):  # noqa: N802 the protocol's name
        provider = _name(request.provider.rpartition("::")[0])
        self.invokes.append((request.tok, rpc.deserialize_properties(request.args), provider))
        return super().Invoke(request)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def record(
    program: Callable[[], Awaitable[dict[str, Any]] | None],
    *,
    stack: str = "dev",
    values: dict[str, Any] | None = None,
) -> Recorded:
    """Run a program.

    Args:
        program: as `coiled_pulumi.program.entrypoint`; awaited, as `pulumi.run` does.
        stack: name of the stack that it is told.
        values: configuration; values that are not text are given as JSON, as Pulumi does.

    Raises:
        AssertionError: two resources have the same URN, which only the real engine would notice.
    """
    monitor = _Monitor()
    exported: dict[str, Any] = {}
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in (values or {}).items()
    }

    def run() -> pulumi.Output[None]:
        root = settings.get_root_resource()
        returned = pulumi.Output.from_input(program())
        return pulumi.Output.all(root.outputs, returned).apply(
            lambda both: exported.update(both[0] | (both[1] or {}))
        )

    with _event_loop():
        settings.set_root_resource(None)  # else the stack of the program before is kept
        mocks.set_mocks(monitor.mocks, project=PROJECT, stack=stack, preview=False, monitor=monitor)
        config.set_all_config(texts)
        mocks.test(run)()
    assert monitor.twice == [], f"registered twice: {sorted(monitor.twice)}"
    resources = tuple(sorted(monitor.seen, key=lambda item: (item.type, item.name)))
    return Recorded(resources, tuple(sorted(monitor.invokes, key=str)), exported)


@contextmanager
def _event_loop() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)
