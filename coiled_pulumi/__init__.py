"""Dask clusters on your own AWS account: an open, self-hosted Coiled on plain Pulumi."""


def __getattr__(name: str) -> str:
    """Look the version up only when somebody asks: the look-up costs more than the rest of `--help`."""
    if name == "__version__":
        from importlib.metadata import version

        return version("coiled-pulumi")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
