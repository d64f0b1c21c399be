"""How Pulumi makes what the plan says: plan item in, resource out, no decisions."""
