"""The run folder, in which the process of Dask finds what it is to be."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from coiled_pulumi.node.identity import Identity, Machine
from coiled_pulumi.node.paths import Paths, write_private

PORT: Final = 8786
#: The size of the machine where several share one computer: threads, bytes.
CPUS, MEMORY = "COILED_PULUMI_CPUS", "COILED_PULUMI_MEMORY"
#: The block whose addresses stand for private ones where machines have none of their own, by their last bits.
STAND_INS = "COILED_PULUMI_STAND_INS"
#: Of the memory that is named so, what Dask may have; the rest is for the agent and the system.
_SHARE: Final = 0.95


def mark(paths: Paths) -> Path:
    """Name the file that says which process runs; beside the folder, which each agent makes anew."""
    return paths.run.with_name("coiled-pulumi-process")


def status(paths: Paths) -> Path:
    """Name the FIFO in which the process says what happens to it."""
    return paths.run / "status"


def write_certificate(paths: Paths, certificate: Mapping[str, Any]) -> None:
    """Write the certificate and what belongs to it."""
    # The key last: whoever reads them in between has a certificate that does not fit, and reads them once more.
    for name, part in (("ca.pem", "ca"), ("cert.pem", "cert"), ("key.pem", "key"), ("token", "token")):
        if part in certificate:
            write_private(paths.run / name, certificate[part])


def write_settings(
    paths: Paths, identity: Identity, machine: Machine, told: Mapping[str, Any], certificate: Mapping[str, Any],
    environ: Mapping[str, str],
) -> None:  # fmt: skip
    """Write what the process is to be."""
    group = told["groups"].get(identity.group, {}) if identity.role == "worker" else {}
    alone = identity.role == "scheduler"
    scheduler = machine.address if alone else reachable(certificate["scheduler"], environ)
    settings = {
        "version": 1,
        "role": identity.role,
        "name": machine.instance,
        "group": identity.group,
        "workspace": identity.workspace,
        "cluster": identity.cluster,
        "address": machine.address,
        "scheduler": f"tls://{scheduler}:{PORT}",
        "vpc_cidrs": list(machine.vpc_cidrs),
        "timers": told["timers"],
        "nthreads": group.get("nthreads") or _cpus(environ),
        "memory_limit": group.get("memory_limit") or _memory(environ),
        "local_directory": str(paths.scratch),
        "resources": group.get("resources") or {},
        "gpu": group.get("gpu") or 0,
        "dask": told.get("dask") or {},
    }
    if ipaddress.ip_address(machine.address).is_loopback:
        # Machines that share a computer's network would take each other's ports.
        settings["host"] = machine.address
        # They come from any address of it, too.
        settings["vpc_cidrs"] = [*machine.vpc_cidrs, "127.0.0.0/8"]
    write_private(paths.run / "run.json", json.dumps(settings))


def reachable(private: str, environ: Mapping[str, str]) -> str:
    """Give where a machine with a private address is found: there, or at what stands for it."""
    if not (block := environ.get(STAND_INS)):
        return private
    network = ipaddress.IPv4Network(block)
    return str(network[int(ipaddress.IPv4Address(private)) & int(network.hostmask)])


def _cpus(environ: Mapping[str, str]) -> int:
    return int(environ.get(CPUS) or 0) or os.cpu_count() or 1


def _memory(environ: Mapping[str, str]) -> str | int:
    given = int(environ.get(MEMORY) or 0)
    return int(given * _SHARE) if given else "auto"
