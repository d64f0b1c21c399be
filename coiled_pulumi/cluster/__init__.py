"""Clusters from Python: `coiled_pulumi.Cluster`, a cluster object of Dask's.

`session` has the object itself; the rest are parts of it that can be read, and tested, on their own.
"""

from coiled_pulumi.cluster.failure import ClusterCreationError
from coiled_pulumi.cluster.session import Cluster

__all__ = ["Cluster", "ClusterCreationError"]
