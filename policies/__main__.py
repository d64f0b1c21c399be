"""Start the policy pack: `pulumi preview --policy-pack policies`."""

from coiled_policies.pack import NAME, policies
from pulumi_policy import PolicyPack

# Serves until the engine ends it: nothing after this line runs.
PolicyPack(name=NAME, policies=policies())
