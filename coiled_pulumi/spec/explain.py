"""Why a key of a workspace file has the value that it has: who says so, where, and what was overridden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from coiled_pulumi import catalog
from coiled_pulumi.catalog import choose
from coiled_pulumi.errors import UsageError, echo
from coiled_pulumi.spec import aliases, machines, messages, reference, rules, settled, yaml12, yaml_text
from coiled_pulumi.spec.cluster import Cluster
from coiled_pulumi.spec.instance import Machine
from coiled_pulumi.spec.load import Loaded
from coiled_pulumi.spec.options import Options
from coiled_pulumi.spec.reference import Key, plain
from coiled_pulumi.spec.software import masked
from coiled_pulumi.spec.yaml12 import Path, render

Level = Literal["machine", "group", "cluster", "workspace", "config", "default"]
#: Keys of a machine by which its instance types are chosen.
_ASKED = ("cpu", "memory", "gpu", "architecture")
_EXISTING: Path = ("network", "existing")
#: What a network of our own has, and an existing one does not.
_OWN_NETWORK = ("cidr", "zones", "nat", "layout")


@dataclass(frozen=True, slots=True)
class Said:
    """What one level says.

    Attributes:
        level: who says it.
        value: as a file would have it.
        place: a file with its line, or a variable; empty for a default.
        note: why it does not count, where that is not plain.
    """

    level: Level
    value: Any
    place: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """A key, and why it has its value.

    Attributes:
        path: in our own names.
        key: what it is.
        value: what counts, as a file would have it; None where it is AWS's own default, or nothing.
        level: who says so.
        place: where; empty for a default.
        note: what follows, or how it was found.
        overridden: what weaker levels say, the strongest first.
    """

    path: str
    key: Key
    value: Any
    level: Level
    place: str
    note: str
    overridden: tuple[Said, ...]


def explain(loaded: Loaded, path: str) -> Explained:
    """Explain one key, or the part of its value that a path leads to.

    Raises:
        UsageError: there is no such key, cluster or part.
    """
    return _Teller(loaded).tell(reference.canonical(reference.split(path)))


def below(loaded: Loaded, path: str) -> list[Explained]:
    """Explain every key with a value below a path, those that are not there left out; none for a key with a value."""
    at = reference.canonical(reference.split(path))
    key, _ = reference.find(at)
    teller = _Teller(loaded)
    if not key.is_leaf:
        teller.tell(at)
    return [] if key.is_leaf else [teller.tell(leaf) for leaf in teller.leaves(at, key.path)]


def backend_options(loaded: Loaded, cluster: str | None = None) -> list[Explained]:
    """Explain every backend option of the workspace, or of one of its clusters.

    Raises:
        UsageError: there is no such cluster.
    """
    if cluster is not None:
        reference.require_cluster(cluster, loaded.workspace.clusters, loaded.source)
    before = ("clusters", cluster) if cluster is not None else ()
    teller = _Teller(loaded)
    return [teller.tell((*before, *name.split("."))) for name in settled.DEFAULTS]


def paths(loaded: Loaded | None) -> list[str]:
    """Give the path of every key, with the names of a workspace's own clusters; without them where there is none."""
    clusters = list(loaded.workspace.clusters) if loaded else []
    found = []
    for key in reference.keys().values():
        if reference.ITEM in key.path:
            continue
        of_cluster = key.path[:2] == reference.CLUSTER
        if reference.NAME not in key.path[2:]:
            found += [
                key.text.replace(reference.NAME, name, 1) for name in (clusters if of_cluster else [""])
            ]
        elif of_cluster and loaded:
            found += [
                key.text.replace(reference.NAME, name, 1).replace(reference.NAME, group, 1)
                for name, cluster in loaded.workspace.clusters.items()
                for group in cluster.worker_groups
            ]
    return found


class _Teller:
    """Explains the keys of one workspace."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._normal = aliases.normal(dict(loaded.raw))

    def tell(self, path: Path) -> Explained:
        told = self._tell(path)
        return replace(told, value=masked(path, told.value))

    def _tell(self, path: Path) -> Explained:
        key, rest = reference.find(path)
        if path[:1] == ("clusters",) and len(path) > 1:
            self._require(path)
        if rest or reference.ITEM in key.path:
            whole = self.tell(_whole(path))
            return self._part(whole, key, path)
        name = reference.option(key.path)
        if not key.is_leaf:
            return self._mapping(key, path)
        if name:
            return self._option(key, path, name)
        if "machine" in key.levels:
            return self._machine(key, path)
        return self._other(key, path)

    def leaves(self, path: Path, key: tuple[str, ...]) -> Iterator[Path]:
        """Give the path of every key with a value below a mapping."""
        if _holds_names(key):
            for name in self._lookup(path) or ():
                yield from self.leaves((*path, name), (*key, reference.NAME))
            return
        for one in reference.keys().values():
            at = (*path, one.path[-1])
            if one.path[:-1] != key or (at == _EXISTING and not self._lookup(at)):
                continue
            if one.is_leaf:
                yield at
            else:
                yield from self.leaves(at, one.path)

    def _require(self, path: Path) -> None:
        """Refuse a cluster that is not there, or a group of workers that its cluster does not have."""
        clusters = self._loaded.workspace.clusters
        reference.require_cluster(str(path[1]), clusters, self._loaded.source)
        if path[2:3] == (reference.GROUPS,) and len(path) > 3:
            groups = list(clusters[str(path[1])].worker_groups)
            if path[3] not in groups:
                hint = reference.near(str(path[3]), groups) if groups else "it has none"
                raise UsageError(f"cluster {path[1]} has no group of workers {echo(path[3])}", hint)

    def _option(self, key: Key, path: Path, name: str) -> Explained:
        """A backend option, by the same chain that settles it."""
        cluster = self._loaded.workspace.clusters[str(path[1])] if path[0] == "clusters" else None
        said = self._chain(name, cluster, path)
        note = ""
        if said[0].level == "default":
            note = self._default_note(name, cluster, str(said[0].value))
        return _explained(key, path, said, note)

    def _chain(self, name: str, cluster: Cluster | None, path: Path) -> list[Said]:
        levels: dict[str, Options] = {
            "cluster": cluster or Options(),
            "workspace": self._loaded.written,
            "config": self._loaded.config.options,
        }
        heard = settled.chain(name, **levels)  # type: ignore[arg-type]
        found = [Said(level, plain(value), self._level_place(level, name, path)) for level, value in heard]  # type: ignore[arg-type]
        counted = {level for level, _ in heard}
        for level, options in levels.items():
            value = settled.leaf(options, name)
            if value is not None and level not in counted:
                place = self._level_place(level, name, path)
                found.append(Said(level, plain(value), place, "of another region"))  # type: ignore[arg-type]
        return [found[0], *sorted(found[1:], key=lambda one: settled.LEVELS.index(one.level))]

    def _level_place(self, level: str, name: str, path: Path) -> str:
        parts = tuple(name.split("."))
        if level == "config":
            return self._loaded.config.origins.get(parts[0], "dask.config")
        if level == "default":
            return ""
        return self._place((*path[:2], *parts) if level == "cluster" else parts)

    def _default_note(self, name: str, cluster: Cluster | None, value: str) -> str:
        if name == "zone":
            return f"the first of {value[:-1]}"
        if cluster is None or name not in ("ami_version", "disk.size"):
            return ""
        made = {role: self._resolved(cluster, role) for role in machines.ROLES}
        if name == "ami_version":
            return ", ".join(f"{one.image} for the {role}" for role, one in made.items())
        return ", ".join(f"{one.disk_size} for the {role}" for role, one in made.items())

    def _resolved(self, cluster: Cluster, role: machines.Role) -> machines.Resolved:
        return machines.resolve(
            machines.of(cluster, role), role, settled.settle(self._loaded.workspace, cluster)
        )

    def _machine(self, key: Key, path: Path) -> Explained:
        """A key of a machine: its own word, then that of the levels above it, then what its types come to."""
        cluster = self._loaded.workspace.clusters[str(path[1])]
        role = reference.role_of((*reference.CLUSTER, *path[2:])) or "worker"
        of_group = path[2] == reference.GROUPS
        machine = cluster.worker_groups[str(path[3])] if of_group else machines.of(cluster, role)
        resolved = machines.resolve(machine, role, settled.settle(self._loaded.workspace, cluster))
        name = str(path[-1])
        if path[-2] == "disk":
            own = getattr(machine.disk, name)
            said = [Said("machine", own, self._place(path))] if own is not None else []
            said += self._chain(f"disk.{name}", cluster, path)
            counts = {
                "size": resolved.disk_size,
                "throughput": resolved.disk_throughput,
                "iops": resolved.disk_iops,
            }
            said[0] = replace(said[0], value=counts[name])
            note = "" if said[0].level != "default" or name != "size" else f"for the image {resolved.image}"
            return _explained(key, path, said, note)
        own = getattr(machine, name)
        if name == "instance_type":
            return self._types(key, path, machine, resolved)
        if own is not None:
            return _explained(key, path, [Said("machine", plain(own, name), self._place(path))], "")
        facts = catalog.instance_type(resolved.types[0])
        assert facts is not None  # noqa: S101 a type that was chosen or accepted is in the catalog
        value = {"gpu": resolved.gpus, "architecture": resolved.architecture}.get(name)
        size = {"cpu": f"has {facts.vcpus} vCPUs", "memory": f"has {facts.memory_gib:g} GiB"}
        note = f"{facts.name} {size[name]}" if name in size else f"that of {facts.name}"
        return _explained(key, path, [Said("default", value, "")], note)

    def _types(self, key: Key, path: Path, machine: Machine, resolved: machines.Resolved) -> Explained:
        types = list(resolved.types)
        if machine.instance_type is not None:
            named = len(machine.instance_type)
            note = f"the first of {named}: a scheduler is one machine" if named > len(types) else ""
            return _explained(key, path, [Said("machine", types, self._place(path))], note)
        asked = [name for name in _ASKED if getattr(machine, name) is not None]
        zone = settled.settle(self._loaded.workspace, self._loaded.workspace.clusters[str(path[1])]).zone
        if not asked:
            return _explained(key, path, [Said("default", types, "")], f"nothing is asked; offered in {zone}")
        wanted = ", ".join(
            f"{name} {_short(plain(getattr(machine, name), name))} ({self._place((*path[:-1], name))})"
            for name in asked
        )
        least = "the fewest vCPUs, then the least memory, then the " + (
            "oldest" if resolved.gpus else "newest"
        )
        if asked == ["architecture"] and types[0] in choose.DEFAULTS[resolved.architecture]:
            least = "the default of the architecture"
        note = f"chosen for {wanted}, of what {zone} offers: {least}"
        if least.startswith("the fewest"):
            note += " generation"
        return _explained(key, path, [Said("machine", types, self._place((*path[:-1], asked[0])))], note)

    def _other(self, key: Key, path: Path) -> Explained:
        """What only the file can say."""
        workspace = self._loaded.workspace
        existing = workspace.network.existing
        value = plain(self._lookup(path), str(path[-1]))
        if path[0] == "network" and path[-1] in _OWN_NETWORK and existing:
            return _explained(key, path, [Said("default", None, "")], "the network is an existing one")
        if self._said(path) is not None:
            level = key.levels[0]
            return _explained(key, path, [Said(level, value, self._place(path))], "")  # type: ignore[arg-type]
        note = ""
        if path == ("network", "zones"):
            value, note = list(rules.zones_of(workspace)), "every zone of the region"
        return _explained(key, path, [Said("default", value, "")], note)

    def _mapping(self, key: Key, path: Path) -> Explained:
        there = self._said(path) is not None
        level: Level = "cluster" if path[0] == "clusters" and len(path) > 2 else "workspace"
        if path[2:3] == (reference.GROUPS,) and len(path) > 3:
            level = "group"
        said = Said(level, None, self._place(path)) if there else Said("default", None, "")
        named = _holds_names(key.path)
        inner = list(self._lookup(path) or ()) if named else key.inner
        return _explained(key, path, [said], "has " + (", ".join(inner) or "none"))

    def _part(self, whole: Explained, key: Key, path: Path) -> Explained:
        """A part of a value that is said as a whole, as a port of an ingress rule."""
        value, done = whole.value, len(_whole(path))
        for part in path[done:]:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                raise UsageError(
                    f"{render(path)}: {whole.path} has no {echo(part)}", "it is " + _short(whole.value)
                ) from None
        place = whole.place
        if whole.level in ("group", "cluster", "workspace", "machine"):
            of_workspace = whole.level == "workspace" and path[0] == "clusters"
            place = self._place(path[2:] if of_workspace else path)
        return replace(whole, path=render(path), key=key, value=value, place=place)

    def _said(self, path: Path) -> object:
        """Give what the file says at a path, None for nothing."""
        return yaml12.lookup(self._normal.value, path)

    def _lookup(self, path: Path) -> Any:
        """Give what counts at a path that only the file can say."""
        value: Any = self._loaded.workspace
        for part in path:
            value = (
                value.get(part)
                if isinstance(value, dict)
                else None
                if value is None
                else getattr(value, str(part))
            )
        return value

    def _place(self, path: Path) -> str:
        at = (*self._loaded.at, *self._normal.back(path))
        line = messages.line_of(self._loaded.lines, at)
        return f"{self._loaded.source}:{line}" if line else self._loaded.source


def _holds_names(key: tuple[str, ...]) -> bool:
    return any(one.path[:-1] == (*key, reference.NAME) for one in reference.keys().values())


def _whole(path: Path) -> Path:
    """Give the path of the value that a path leads into."""
    for length in range(1, len(path) + 1):
        if isinstance(path[length - 1], int):
            return path[: length - 1]
        key, rest = reference.find(path[:length])
        if rest:
            return path[: length - len(rest)]
        if key.is_leaf:
            return path[:length]
    return path


def _short(value: object) -> str:
    return yaml_text.inline(value)


def _explained(key: Key, path: Path, said: list[Said], note: str) -> Explained:
    first, *rest = said
    weaker = tuple(one for one in rest if one.level != "default")
    return Explained(render(path), key, first.value, first.level, first.place, note, weaker)
