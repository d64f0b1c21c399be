"""What runs on every machine: the agent that boots it, and the processes of Dask that it starts."""

#: Modules beside this package that it needs on a machine; nothing else of ours is imported there.
BESIDE = ("__init__.py", "errors.py", "values.py")
