"""The hosts of the local AWS: what really runs for each instance, in a process beside the API server."""
