"""Dask clusters on your own AWS account: an open, self-hosted Coiled on plain Pulumi."""

from importlib.metadata import version as _version


def __getattr__(name: str) -> str:
    """Look the version up only when somebody asks."""
    if name == "__version__":
        return _version("coiled-pulumi")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
