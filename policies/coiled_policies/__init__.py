"""Rules over the resources that Pulumi is about to make; they know nothing of the program that asks."""
