"""What runs on every machine: the agent that boots it, and the processes of Dask that it starts."""
