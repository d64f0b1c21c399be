"""What IAM decides for one request: the evaluator of the local AWS."""

from coiled_pulumi.local.policies import Request, Values, allows, refused

__all__ = ["Request", "Values", "allows", "refused"]
