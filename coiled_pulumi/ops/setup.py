"""Making an account ready: what is there, what is missing, and making that, one step after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from coiled_pulumi.aws import bootstrap, discover, sealing
from coiled_pulumi.errors import CoiledPulumiError, CredentialsError, UsageError
from coiled_pulumi.ops import agent_wheel, backends
from coiled_pulumi.ops.agent_wheel import Wheel

#: What people without credentials on their machine do: CloudShell has those of whoever is signed in.
CLOUDSHELL: Final = """\
AWS CloudShell has your credentials already:
  1. open https://console.aws.amazon.com/cloudshell and sign in
  2. copy the source of coiled-pulumi there, it is on no package index: python3.11 -m pip install ./coiled-pulumi
  3. run: coiled-pulumi setup aws{region}"""
#: Of credentials that would win over a profile that was asked for.
_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(slots=True)
class Place:
    """Where Pulumi keeps state and secrets; `bucket` is a new name while there is none, `key` empty."""

    account: str
    region: str
    bucket: str
    key: str = ""

    @property
    def url(self) -> str:
        """The backend, as PULUMI_BACKEND_URL takes it."""
        return f"s3://{self.bucket}?region={self.region}&awssdk=v2"

    @property
    def secrets_provider(self) -> str:
        """What seals secrets in the state."""
        return f"awskms://{sealing.ALIAS}?region={self.region}"


@dataclass(frozen=True, slots=True)
class Change:
    """One step: what it makes, and the lines of a diff for what is there already."""

    what: str
    kind: Literal["create", "update"]
    make: Callable[[], object] = field(repr=False, compare=False)
    lines: tuple[str, ...] = ()


def cloudshell(region: str | None) -> str:
    """Give the steps for AWS CloudShell; nothing secret is in them."""
    return CLOUDSHELL.format(region=f" --region {region}" if region else "")


def use_profile(profile: str | None) -> None:
    """Use a profile in this process and in all that it starts; keys in the environment would win over it."""
    if profile:
        os.environ["AWS_PROFILE"] = profile
        for name in _KEYS:
            os.environ.pop(name, None)


def who(region: str | None) -> discover.Identity:
    """Ask AWS who we are.

    Raises:
        CredentialsError: nobody; the hint says what to mend, and then the way through AWS CloudShell.
    """
    try:
        found = discover.identity(region=region)
    except (CredentialsError, UsageError) as error:
        raise CredentialsError(
            error.what, "\n".join(filter(None, (error.hint, cloudshell(region))))
        ) from None
    return replace(found, alias=sealing.alias_of_account(region=found.region))


def place(who: discover.Identity) -> Place:
    """Find where state is kept, or choose where it will be: the bucket decides the region."""
    bucket = bootstrap.find_bucket(who.account, region=who.region)
    region = bootstrap.bucket_region(bucket, region=who.region) if bucket else who.region
    return Place(who.account, region, bucket or bootstrap.bucket_name(who.account))


def state_changes(where: Place) -> Iterator[Change]:
    """Give what is missing of the key and the bucket, in the order in which to make it."""
    region = where.region
    key = sealing.find_key(region=region)
    where.key = key.arn if key else ""

    def create_key() -> None:
        where.key = sealing.create_key(region=region)

    if key is None:
        yield Change(f"key for secrets in {region} ($1 a month)", "create", create_key)
    if key is None or not key.named:
        yield Change(sealing.ALIAS, "create", lambda: sealing.name_key(where.key, region=region))
    if key is None or not key.rotates:
        yield Change(
            f"{sealing.ALIAS}: renewed every year",
            "update",
            lambda: sealing.rotate_key(where.key, region=region),
        )
    there = bootstrap.find_bucket(where.account, region=region) == where.bucket
    if not there:
        yield Change(
            f"bucket {where.bucket} in {region}",
            "create",
            lambda: bootstrap.create_bucket(where.bucket, region=region),
        )
    for title in bootstrap.open_settings(where.bucket if there else "", where.key, region=region):
        yield Change(f"bucket: {title}", "update", _setting(where, title))


def agent_changes(where: Place, wheel: Wheel) -> Iterator[Change]:
    """Give what is missing of the agent: machines of AWS's images install it from the bucket."""
    there = bootstrap.find_bucket(where.account, region=where.region) == where.bucket
    if not there or not agent_wheel.is_there(wheel, where.bucket, region=where.region):
        yield Change(
            f"agent of machines in {where.bucket}",
            "create",
            lambda: agent_wheel.put(wheel, where.bucket, region=where.region),
        )


def _setting(where: Place, title: str) -> Callable[[], None]:
    return lambda: bootstrap.make_setting(title, where.bucket, where.key, region=where.region)


def make(changes: tuple[Change, ...], on_step: Callable[[Change], None]) -> None:
    """Make the changes one after the other.

    Raises:
        CoiledPulumiError: one failed; says what was made before, and the next run goes on from there.
    """
    made: list[str] = []
    for change in changes:
        try:
            change.make()
        except CoiledPulumiError as error:
            done = f"\nmade before it: {', '.join(made)}" if made else ""
            what = f"{change.what}: {error.what}{done}\nthe next run goes on from here"
            raise type(error)(what, error.hint) from None
        made.append(change.what)
        on_step(change)


def use(where: Place) -> None:
    """Have everything that this process starts keep its state there."""
    backends.remember(where.url, where.secrets_provider)
    os.environ["PULUMI_BACKEND_URL"] = where.url


def exports(where: Place) -> dict[str, str]:
    """Give the variables that other shells, machines and people need."""
    return {"PULUMI_BACKEND_URL": where.url, backends.VARIABLE: where.secrets_provider}
