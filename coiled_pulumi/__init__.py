"""Dask clusters on your own AWS account: an open, self-hosted Coiled on plain Pulumi."""

from __future__ import annotations

from typing import Any

#: Public names and the modules that have them: looked up only when somebody asks, since importing all of it costs a
#: second, and whoever wants one name should not pay for the others.
_LAZY = {
    "Cluster": "coiled_pulumi.cluster",
    "get_notifications": "coiled_pulumi.ops.notifications",
    "set_backend_options": "coiled_pulumi.ops.backend_options",
}

__all__ = ["Cluster", "__version__", "get_notifications", "set_backend_options"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coiled-pulumi")
    if name in _LAZY:
        from importlib import import_module

        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value  # the next look-up does not come here
        return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
