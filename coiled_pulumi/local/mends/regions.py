"""Every region that has to be opted in to is opted in to.

moto tells of them as not opted in, and answers in them all the same. AWS answers nothing in a region that is not
enabled; an account that is in use has enabled what it uses.
https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
"""

from __future__ import annotations


def apply() -> None:
    """Have the account enabled them all."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

    for region in RegionsAndZonesBackend.regions:
        if region.opt_in_status == "not-opted-in":
            region.opt_in_status = "opted-in"
