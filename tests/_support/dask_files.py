"""Dask's configuration as a test says it, and nothing else of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def configured(folder: Path | None = None, variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """Have dask read one folder and some variables, as it does when a process imports it."""
    import dask.config

    try:
        dask.config.refresh(paths=[str(folder)] if folder else [], env=dict(variables or {}))
        yield
    finally:
        dask.config.refresh(paths=[], env={})
