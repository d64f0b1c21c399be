"""What the components share: their type tokens, and how a child is attached."""

from typing import Any

import pulumi

#: Type tokens are contract: another token means another URN for everything below it.
TOKENS = {
    "Workspace": "coiled:index:Workspace",
    "Network": "coiled:index:Network",
    "WaysOut": "coiled:index:WaysOut",
    "ZoneNetwork": "coiled:index:ZoneNetwork",
    "Security": "coiled:index:Security",
    "Identity": "coiled:index:Identity",
    "Logs": "coiled:index:Logs",
    "Images": "coiled:index:Images",
    "Cluster": "coiled:index:Cluster",
    "Node": "coiled:index:Node",
    "ClusterBeside": "coiled:index:ClusterBeside",
}

#: Session tokens for the metadata service, and none that leaves the machine by another hop.
METADATA = {"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1}


class Component(pulumi.ComponentResource):
    """A component whose token is looked up by the name of its class."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKENS[type(self).__name__], name, {}, opts)

    def child(self, *depends_on: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
        """Give the options of a child: this component is its parent, nothing of our own options leaks to it."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(depends_on), **options)
