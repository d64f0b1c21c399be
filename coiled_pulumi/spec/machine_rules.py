"""Rules about the machines of a cluster: each gives the problems that it finds."""

from __future__ import annotations

from collections.abc import Iterator

from coiled_pulumi import catalog
from coiled_pulumi.catalog import choose
from coiled_pulumi.errors import Problem, echo
from coiled_pulumi.spec import machines
from coiled_pulumi.spec.base import suggest
from coiled_pulumi.spec.cluster import Cluster
from coiled_pulumi.spec.instance import Machine
from coiled_pulumi.spec.settled import Settled, settle
from coiled_pulumi.spec.workspace import Workspace

#: Families that slow down when their credits are spent: AWS puts none of them into a cluster placement group.
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-groups.html
BURSTABLE = ("t1", "t2", "t3", "t3a", "t4g")
#: AWS's limit for gp3: 0.25 MiB/s for each operation per second.
OPERATIONS_PER_MIB = 4
#: GiB below which the deep-learning image does not start.
DL_DISK = 75
#: Operations per second that gp3 has without asking.
GP3_IOPS = 3000


def check(workspace: Workspace) -> Iterator[Problem]:
    """Check the machines of every cluster."""
    for name, cluster in workspace.clusters.items():
        yield from of_cluster(cluster, settle(workspace, cluster), f"clusters.{name}.")


def of_cluster(cluster: Cluster, settled: Settled, at: str = "") -> Iterator[Problem]:
    """Check all machines of a cluster; `at` stands before the path of each problem."""
    for key, role, machine in machines.all_of(cluster):
        path = f"{at}{key}"
        yield from _sizes(machine, path)
        yield from _types(machine, path, role, settled)
        yield from _disk(machine, path, role, settled)


def _sizes(machine: Machine, path: str) -> Iterator[Problem]:
    """Types are named, or chosen by size: not both."""
    for key in ("cpu", "memory"):
        if machine.instance_type is not None and getattr(machine, key) is not None:
            yield Problem(
                f"{path}.{key}", "must be left out beside instance_type", hint="the type has its size"
            )


def _types(machine: Machine, path: str, role: machines.Role, settled: Settled) -> Iterator[Problem]:
    if machine.instance_type is None:
        yield from _some_type_fits(machine, path, settled)
        return
    path = f"{path}.instance_type"
    facts = [catalog.instance_type(name) for name in machine.instance_type]
    known = [one for one in facts if one is not None]
    if len({one.architecture for one in known}) > 1:
        first, other = known[0], next(one for one in known if one.architecture != known[0].architecture)
        both = f"{first.name} is {first.architecture}, {other.name} is {other.architecture}"
        what = f"must be of one architecture: {both}"
        yield Problem(path, what, hint="one image serves all of them")
    if len({bool(one.gpus) for one in known}) > 1:
        yield Problem(path, "must all have a GPU, or none of them")
    for one in known:
        yield from _type_fits(one, machine, path, role, settled)


def _type_fits(
    facts: catalog.InstanceFacts, machine: Machine, path: str, role: machines.Role, settled: Settled
) -> Iterator[Problem]:
    if machine.architecture not in (None, facts.architecture):
        what = f"must be {machine.architecture} as architecture says, {facts.name} is {facts.architecture}"
        yield Problem(path, what)
    if role == "worker" and facts.gpus > 1:
        near = choose.single_gpu_types(facts.name)
        yield Problem(
            path,
            f"must have one GPU at most, {facts.name} has {facts.gpus}: a worker uses one",
            hint=suggest(list(near)).replace("did you mean", "with one:"),
        )
    elif machine.gpu is not None and machine.gpu != facts.gpus:
        what = f"must have {machine.gpu or 'no'} GPU as gpu says, {facts.name} has {facts.gpus or 'none'}"
        near = choose.single_gpu_types(facts.name) if machine.gpu else ()
        yield Problem(path, what, hint=suggest(list(near)).replace("did you mean", "with one:"))
    yield from _offered(facts.name, path, settled)
    if settled.use_placement_group and facts.name.partition(".")[0] in BURSTABLE:
        what = f"must not be burstable in a placement group, got {echo(facts.name)}"
        yield Problem(path, what, hint="take another type or use_placement_group: false")


def _offered(name: str, path: str, settled: Settled) -> Iterator[Problem]:
    """The zone has the type, as far as the catalog knows what the region offers."""
    offered = catalog.offered(settled.region)
    if offered is None or settled.zone[-1] in offered.get(name, ""):
        return
    if letters := offered.get(name):
        zones = ", ".join(settled.region + letter for letter in sorted(letters))
        yield Problem(path, f"must be offered in {settled.zone}, {name} is not", hint=f"it is in {zones}")
    else:
        what = f"must be offered in {settled.region}, {name} is not"
        yield Problem(path, what, hint="coiled-pulumi catalog update asks AWS for what is new")


def _some_type_fits(machine: Machine, path: str, settled: Settled) -> Iterator[Problem]:
    wish = machines.wish(machine)
    if choose.choose(wish, region=settled.region, zone=settled.zone, most=1):
        return
    asked = [key for key in ("cpu", "memory", "gpu", "architecture") if getattr(machine, key) is not None]
    if not asked:
        what = f"must name an instance_type, the default is not offered in {settled.zone}"
        yield Problem(path, what, hint="or take another zone")
        return
    near = choose.alternatives(wish, region=settled.region, zone=settled.zone)
    yield Problem(
        f"{path}.{asked[0]}",
        f"must be met by an instance type of {settled.zone}, none has {_asked(machine)}",
        hint="near are " + ", ".join(map(_described, near)) if near else "",
    )


def _asked(machine: Machine) -> str:
    parts = []
    if machine.cpu is not None:
        parts.append(f"{_bounds(machine.cpu)} vCPUs")
    if machine.memory is not None:
        parts.append(f"{_bounds(machine.memory)} GiB")
    if machine.gpu:
        parts.append("one GPU")
    return " and ".join(parts or ["that"]) + f" ({machine.architecture or 'x86_64'})"


def _bounds(bounds: tuple[float, float]) -> str:
    low, high = (f"{bound:g}" for bound in bounds)
    return low if low == high else f"{low} to {high}"


def _described(name: str) -> str:
    facts = catalog.instance_type(name)
    return f"{name} ({facts.vcpus} vCPUs, {facts.memory / 1024:g} GiB)" if facts else name


def _disk(machine: Machine, path: str, role: machines.Role, settled: Settled) -> Iterator[Problem]:
    """Throughput keeps to what the operations per second allow; the deep-learning image has room."""
    resolved = machines.resolve(machine, role, settled)
    if resolved.image == "DL" and resolved.disk_size < DL_DISK:
        what = f"at least {DL_DISK} for the deep-learning image, got {resolved.disk_size}"
        if machine.disk.size:
            yield Problem(f"{path}.disk.size", f"must be {what}")
        else:
            yield Problem(path, f"needs a disk.size of {what}")
    throughput, iops = resolved.disk_throughput or 0, resolved.disk_iops or GP3_IOPS
    if throughput * OPERATIONS_PER_MIB > iops:
        what = f"at most a quarter of the iops ({iops}), got {throughput}"
        hint = f"set disk.iops to {throughput * OPERATIONS_PER_MIB} or more"
        if machine.disk.throughput or machine.disk.iops:
            yield Problem(f"{path}.disk.throughput", f"must be {what}", hint=hint)
        else:
            yield Problem(path, f"needs a disk.throughput of {what}", hint=hint)
