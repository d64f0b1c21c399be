"""What would go wrong at AWS, found before anything is made: asked at once, judged apart."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from coiled_pulumi import catalog
from coiled_pulumi.aws import discover, quotas, rights, session
from coiled_pulumi.errors import CoiledPulumiError, CredentialsError, DeploymentError
from coiled_pulumi.ops import demand, dry_runs
from coiled_pulumi.ops.findings import LEVELS, Facts, Finding, Unknown
from coiled_pulumi.ops.preflight_checks import judge
from coiled_pulumi.plan import model
from coiled_pulumi.plan.images import is_own

#: Calls at once; more only wait for this process to build their requests.
_WORKERS: Final = 8
#: How a `mend` begins that is a command; any other names what to change.
_COMMANDS: Final = ("coiled-pulumi ", "aws ")


def examine(plan: model.Workspace, *, profile: str | None = None) -> tuple[Finding, ...]:
    """Check a planned workspace against the account, errors first.

    Raises:
        CredentialsError: nobody may ask; then nothing is known.
    """
    if shut := _region(plan.region, profile):
        return (shut,)
    who = discover.identity(region=plan.region, profile=profile)
    if plan.account and plan.account != who.account:
        what = f"the credentials belong to account {who.account}, and the file names {plan.account}"
        return (Finding("wrong-account", "error", what, mend="account, or AWS_PROFILE"),)
    findings = judge(plan, gather(plan, who, profile=profile))
    return tuple(sorted(findings, key=lambda found: (LEVELS.index(found.level), found.code, found.what)))


def _region(name: str, profile: str | None) -> Finding | None:
    """Find a region that has to be enabled first: until then nothing in it answers, not even who we are."""
    facts = catalog.regions().get(name)
    if facts is None or not facts.opt_in or discover.is_enabled(name, profile=profile) is not False:
        return None
    what = f"region {name} is not enabled in this account"
    return Finding(
        "region-not-enabled", "error", what, mend=f"aws account enable-region --region-name {name}"
    )


def require(findings: tuple[Finding, ...], *, undone: str = "nothing was made") -> None:
    """Stop where AWS would refuse; `undone` says what was not begun.

    Raises:
        DeploymentError: with a line per error, and the hint of the first one that has one.
    """
    errors = [found for found in findings if found.level == "error"]
    if errors:
        said = [f"{found.what}{f': {found.cause}' if found.cause else ''}" for found in errors]
        mend = next((found.mend for found in errors if found.mend), "")
        hint = mend if not mend or mend.startswith(_COMMANDS) else f"change {mend}"
        raise DeploymentError("\n".join([f"AWS would refuse this; {undone}", *said]), hint)


def gather(plan: model.Workspace, who: discover.Identity, *, profile: str | None = None) -> Facts:
    """Ask AWS everything that the checks look at, at once."""
    facts = Facts(who, local=session.is_local(plan.region, profile))
    at = {"region": plan.region, "profile": profile}
    launches = demand.launches(plan)
    types = {name for launch in launches for name in launch.types}
    vpc = demand.existing_vpc(plan)
    # One after the other: threads that ask for the same client at once would each read its model, a tenth of a second.
    for service in ("ec2", "iam", "service-quotas", "ssm"):
        session.client(service, plan.region, profile)
    with ThreadPoolExecutor(_WORKERS) as pool:

        def ask(call: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
            return pool.submit(_attempt, call, *args, **options)

        limits = {quota.code: ask(quotas.limit, quota, **at) for quota in _quotas(plan, launches)}
        images = {image.key: ask(discover.image, image.parameter, **at) for image in plan.images}
        own = {launch.image for launch in launches if is_own(launch.image)}
        images |= {name: ask(discover.image_by_id, name, **at) for name in own}
        filters = {"vpc-id": vpc} if vpc else {"tag:coiled-pulumi:workspace": plan.name}
        subnets = ask(discover.subnets, filters, **at)
        groups = ask(discover.groups, {"tag:coiled-pulumi:workspace": plan.name}, **at)
        machines = ask(discover.machines, **at)
        offered = ask(discover.offered, types, **at) if types else None
        counts = None if vpc else ask(discover.counts, **at)
        ways_out = ask(discover.ways_out, vpc, **at) if vpc else None
        named = {pair: ask(discover.named, *pair, **at) for pair in demand.named(plan)}
        facts.images = {key: future.result() for key, future in images.items()}
        facts.subnets = subnets.result()
        made = bool(vpc) or (isinstance(facts.subnets, tuple) and bool(facts.subnets))
        actions = () if rights.is_root(who.arn) else dry_runs.actions(plan, made=made)
        simulated = ask(rights.simulate, who.arn, actions, **at) if actions else None
        tries = dry_runs.calls(plan, facts.images, facts.subnets, groups.result())
        tried = {key: ask(rights.dry_run, action, options, **at) for key, (action, options) in tries.items()}
        facts.limits = {code: future.result() for code, future in limits.items()}
        facts.machines = machines.result()
        facts.offered = offered.result() if offered else frozenset()
        facts.counts = counts.result() if counts else None
        facts.ways_out = ways_out.result() if ways_out else None
        facts.named = {pair: future.result() for pair, future in named.items()}
        facts.simulated = simulated.result() if simulated else None
        facts.dry_runs = {key: future.result() for key, future in tried.items()}
    return facts


def _attempt(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Ask; who may not ask learns nothing, and only credentials that are none end it all."""
    try:
        return call(*args, **options)
    except CredentialsError:
        raise
    except CoiledPulumiError as error:
        return Unknown(error.what.splitlines()[0])


def _quotas(plan: model.Workspace, launches: tuple[demand.Launch, ...]) -> set[quotas.Quota]:
    """Give the quotas that the plan can run into."""
    of_machines = {
        quotas.quota_of(name, spot=launch.spot) for launch in launches for name in launch.types
    } - {None}
    of_network = set() if demand.existing_vpc(plan) else {quotas.VPCS}
    of_network |= {quotas.ADDRESSES} if demand.held_addresses(plan) else set()
    of_network |= {quotas.NAT_GATEWAYS} if demand.nat_zones(plan) else set()
    return of_machines | of_network  # type: ignore[return-value]
