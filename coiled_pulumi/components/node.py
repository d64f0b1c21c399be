"""What the machines of a cluster are told: certificates and configuration, in encrypted parameters."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_aws import ssm

from coiled_pulumi import certificates
from coiled_pulumi.components._base import Component
from coiled_pulumi.plan import model
from coiled_pulumi.plan.identity import READER_TAG

#: Characters of one parameter of the standard tier.
#: https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
PIECE = 4096
#: What the first piece begins with: how many there are, in at most so many characters.
_HEAD = 8


class Node(Component):
    """The authority and the certificates of a cluster, and the parameters that its machines read.

    What is made here once (keys, the token) is stashed in the state, encrypted, so that no later run makes it anew.
    The authority's key is nowhere else.
    """

    security: pulumi.Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        plan: model.Node,
        *,
        cluster: tuple[str, str],
        scheduler: tuple[pulumi.Input[str], pulumi.Input[str]],
        groups: Sequence[pulumi.Input[str]],
        environ: pulumi.Input[Mapping[str, str]],
        pieces: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make them.

        Args:
            name: logical name of the component.
            plan: what machines are told.
            cluster: names of workspace and cluster.
            scheduler: the scheduler's instance and its private address.
            groups: names of the auto scaling groups.
            environ: variables of Dask's processes.
            pieces: how many parameters the configuration takes.
            opts: of the component.
        """
        super().__init__(name, opts)
        authority, issued = self._certificates(plan, cluster)
        instance, address = scheduler
        leaf = pulumi.Output.all(authority, issued)
        self._parameter(
            plan.scheduler,
            pulumi.Output.all(leaf, address, list(groups)).apply(
                lambda got: _secrets(got[0], "scheduler", token=True, address=got[1], groups=got[2])
            ),
            tags={READER_TAG: instance},
        )
        self._parameter(
            plan.worker,
            pulumi.Output.all(leaf, address).apply(lambda got: _secrets(got[0], "worker", scheduler=got[1])),
        )
        text = pulumi.Output.secret(environ).apply(lambda said: config_text(plan, said))
        for index in range(pieces):
            piece = text.apply(lambda whole, index=index: cut(whole, pieces)[index])
            self._parameter(plan.text, piece, suffix=str(index))
        self.security = pulumi.Output.secret(leaf.apply(lambda got: _of_client(*got)))
        self.register_outputs({})

    def _certificates(
        self, plan: model.Node, cluster: tuple[str, str]
    ) -> tuple[pulumi.Output[Any], pulumi.Output[Any]]:
        kept = self.child(ignore_changes=["input"])
        made = dataclasses.asdict(certificates.authority(*cluster))
        authority = pulumi.Stash(plan.authority.name, input=pulumi.Output.secret(made), opts=kept).output
        issued = authority.apply(lambda pair: certificates.issue(certificates.Pair(**pair), *cluster))
        stash = pulumi.Stash(plan.certificates.name, input=pulumi.Output.secret(issued), opts=kept)
        return pulumi.Output.secret(authority), pulumi.Output.secret(stash.output)

    def _parameter(
        self,
        plan: model.Parameter,
        value: pulumi.Output[str],
        *,
        suffix: str = "",
        tags: Mapping[str, pulumi.Input[str]] | None = None,
    ) -> None:
        ssm.Parameter(
            f"{plan.name}-{suffix}" if suffix else plan.name,
            name=f"{plan.path}/{suffix}" if suffix else plan.path,
            type="SecureString",
            value=pulumi.Output.secret(value),
            tags={**plan.tags, **(tags or {})},
            opts=self.child(),
        )


def config_text(plan: model.Node, environ: Mapping[str, str]) -> str:
    """Write the configuration with the values of the variables, in ASCII, so that a character is a byte."""
    return json.dumps({**plan.config, "environ": dict(environ)}, sort_keys=True, separators=(",", ":"))


def pieces_of(text: str) -> int:
    """Give how many parameters a text takes."""
    return -(-(len(text) + _HEAD) // PIECE)


def cut(text: str, pieces: int) -> list[str]:
    """Cut a text into so many parameters; the first says how many they are. No piece is empty."""
    whole = f"{pieces}\n{text}"
    found = [whole[start : start + PIECE] for start in range(0, len(whole), PIECE)]
    return found + [" "] * (pieces - len(found))


def _secrets(got: Sequence[Any], role: str, *, token: bool = False, **more: Any) -> str:
    authority, issued = got
    said = {"version": 1, "ca": authority["cert"], **issued[role], **more}
    return json.dumps(said | ({"token": issued["token"]} if token else {}), sort_keys=True)


def _of_client(authority: Mapping[str, str], issued: Mapping[str, Any]) -> dict[str, str]:
    return {"ca": authority["cert"], **issued["client"], "token": issued["token"]}
