"""Every error of AWS that we know, and what to tell of it: data for `faults`, no logic.

Codes of EC2: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
Codes that all services share: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
Quotas: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html and
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """What is told of one code.

    Attributes:
        kind: as `faults.Fault.kind`.
        what: the cause; `{message}`, `{action}`, `{operation}` and `{region}` may stand in it.
        hint: the next step; the same names may stand in it.
        quota: code of the quota that is used up.
        seen: better sentences for messages that say more: a pattern, `what` and `hint` (empty: as above) with the
            names of its groups. The first that matches is taken.
    """

    kind: str
    what: str
    hint: str = ""
    quota: str = ""
    seen: tuple[tuple[str, str, str], ...] = ()


_QUOTAS: Final = "coiled-pulumi setup aws --quotas"
_RAISE: Final = f"ask for more: {_QUOTAS}"
_SMALLER: Final = f"ask for more: {_QUOTAS}; or lower n_workers, or take a smaller worker.instance_type"
_ELSEWHERE: Final = (
    "take another zone (`zone:`) or another type (`worker.instance_type`, `scheduler.instance_type`), "
    "or run up again later"
)
_AGAIN: Final = "what was made stays: run up again"
_LOCAL: Final = 'or use the local AWS: eval "$(coiled-pulumi local env)"'
_WHOSE: Final = "see whose they are: coiled-pulumi doctor"
_RENEW: Final = "renew the AWS credentials, as with: aws sso login"
_TAKEN: Final = (
    "if it is left from a run of ours, delete it; if it is another's, give the workspace another `name:`"
)

_CAPACITY: Final = Entry(
    "capacity",
    "AWS has no machines of this type here now",
    _ELSEWHERE,
    seen=(
        (
            r"sufficient (?P<type>[\w.-]+) capacity in the Availability Zone you requested \((?P<zone>[\w-]+)\)"
            r".*?or choosing (?P<zones>[\w, -]+)\.",
            "zone {zone} has no {type} now",
            "take one of the zones {zones} (`zone:`) or another instance type",
        ),
        (
            r"sufficient (?P<type>[\w.-]+) capacity in the Availability Zone you requested \((?P<zone>[\w-]+)\)",
            "zone {zone} has no {type} now",
            "",
        ),
        (r"sufficient (?P<type>[\w.-]+) capacity", "AWS has no {type} here now", ""),
    ),
)
_THROTTLED: Final = Entry(
    "throttling", "AWS refuses calls for now, too many came in a short time", f"wait a minute; {_AGAIN}"
)
_BROKEN: Final = Entry(
    "service",
    "AWS itself failed: {message}",
    f"look at https://health.aws.amazon.com/health/status; {_AGAIN}",
)
_EXPIRED: Final = Entry("credentials", "the AWS credentials have expired", _RENEW)
_UNKNOWN_KEY: Final = Entry("credentials", "the AWS credentials are not known to AWS", _WHOSE)
_EXISTS: Final = Entry("conflict", "something of this name exists already: {message}", _TAKEN)
_GONE: Final = Entry(
    "conflict",
    "it is gone: {message}",
    "coiled-pulumi refresh, then coiled-pulumi up makes it anew",
    seen=(
        (
            r"Policy (?P<policy>arn:\S+) does not exist or is not attachable",
            "there is no policy {policy}",
            "write one that there is under `iam.instance_policies`",
        ),
    ),
)
_IN_USE: Final = Entry(
    "conflict",
    "something still uses it: {message}",
    "delete what hangs on it and is not of this workspace; then run it again",
    seen=(
        (r"resource (?P<id>[\w-]+) has a dependent object", "something still uses {id}", ""),
        (r"The (?P<what>[\w ]+ '?[\w-]+'?) has dependencies", "something still uses the {what}", ""),
    ),
)
_DENIED: Final = Entry("rights", "not allowed: {action}")
_BLOCK: Final = Entry(
    "request",
    "this block of addresses does not fit: {message}",
    "change `network.cidr` to a private /16 to /22",
)

_ROWS: Final[tuple[tuple[str, Entry], ...]] = (
    # Quotas.
    (
        "VcpuLimitExceeded",
        Entry(
            "quota",
            "the quota of vCPUs for on-demand instances of this family is used up",
            _SMALLER,
            "L-1216C47A",
            seen=(
                (
                    r"vCPU limit of (?P<limit>\d+)",
                    "the quota of {limit} vCPUs for on-demand instances of this family is used up",
                    "",
                ),
            ),
        ),
    ),
    (
        "InstanceLimitExceeded",
        Entry(
            "quota",
            "the account may not run more on-demand instances",
            f"{_SMALLER}; it may clear by itself minutes after instances ended",
            "L-1216C47A",
        ),
    ),
    (
        "MaxSpotInstanceCountExceeded SpotMaxInstanceCountExceeded",
        Entry(
            "quota",
            "the quota of vCPUs for spot instances of this family is used up",
            f"ask for more: {_QUOTAS}; or lower n_workers, or take on-demand workers",
            "L-34B43A08",
        ),
    ),
    (
        "VpcLimitExceeded",
        Entry(
            "quota",
            "the region has as many VPCs as the account may have",
            f"ask for more: {_QUOTAS}; or destroy a workspace that is no longer needed",
            "L-F678F1CE",
        ),
    ),
    (
        "AddressLimitExceeded",
        Entry(
            "quota",
            "the account has as many elastic addresses as it may have",
            f"ask for more: {_QUOTAS}; or do without the NAT gateway's: `network.nat: none`",
            "L-0263D0A3",
        ),
    ),
    (
        "InternetGatewayLimitExceeded",
        Entry(
            "quota", "the region has as many internet gateways as the account may have", _RAISE, "L-A4707A72"
        ),
    ),
    (
        "NatGatewayLimitExceeded",
        Entry(
            "quota",
            "the zone has as many NAT gateways as the account may have",
            f"ask for more: {_QUOTAS}; or do without one: `network.nat: none`",
            "L-FE5A380F",
        ),
    ),
    (
        "SecurityGroupLimitExceeded",
        Entry(
            "quota", "the region has as many security groups as the account may have", _RAISE, "L-E79EC296"
        ),
    ),
    (
        "RulesPerSecurityGroupLimitExceeded",
        Entry(
            "quota",
            "the security group has as many rules as it may have",
            f"write fewer or wider entries under `ingress`; or ask for more: {_QUOTAS}",
            "L-0EA8095F",
        ),
    ),
    (
        "SecurityGroupsPerInterfaceLimitExceeded SecurityGroupsPerInstanceLimitExceeded",
        Entry("quota", "an interface has as many security groups as it may have", _RAISE, "L-2AFB9258"),
    ),
    (
        "RouteTableLimitExceeded",
        Entry("quota", "the VPC has as many route tables as it may have", _RAISE, "L-589F43AA"),
    ),
    (
        "RouteLimitExceeded",
        Entry("quota", "the route table has as many routes as it may have", _RAISE, "L-93826ACB"),
    ),
    (
        "SubnetLimitExceeded",
        Entry(
            "quota",
            "the VPC has as many subnets as it may have",
            f"list fewer zones under `network.zones`; or ask for more: {_QUOTAS}",
            "L-407747CB",
        ),
    ),
    (
        "NetworkInterfaceLimitExceeded",
        Entry(
            "quota",
            "the region has as many network interfaces as the account may have",
            _SMALLER,
            "L-DF5E4CA3",
        ),
    ),
    (
        "VpcEndpointLimitExceeded",
        Entry("quota", "the region has as many VPC endpoints as the account may have", _RAISE, "L-1B52E74A"),
    ),
    (
        "VolumeLimitExceeded MaxIOPSLimitExceeded",
        Entry(
            "quota",
            "the account has as much disk space as it may have",
            f"ask for more: {_QUOTAS}; or lower `worker.disk.size`",
            "L-7A658B76",
        ),
    ),
    (
        "MaxFleetCountExceeded MaxSpotFleetRequestCountExceeded",
        Entry("quota", "the region has as many fleets as the account may have", _RAISE),
    ),
    (
        "LimitExceeded",
        Entry(
            "quota",
            "the account has as many of these as it may have: {message}",
            _RAISE,
            seen=(
                (
                    r"RolesPerAccount: (?P<limit>\d+)",
                    "the account has {limit} roles, as many as it may have",
                    "",
                ),
                (
                    r"InstanceProfilesPerAccount: (?P<limit>\d+)",
                    "the account has {limit} instance profiles, as many as it may have",
                    "",
                ),
            ),
        ),
    ),
    (
        "LimitExceededException LimitExceededFault ResourceLimitExceeded ParameterLimitExceeded QuotaExceeded "
        "QuotaExceededException ServiceQuotaExceededException TooManyEntitiesException",
        Entry("quota", "the account has as many of these as it may have: {message}", _RAISE),
    ),
    # Capacity.
    (
        "InsufficientInstanceCapacity InsufficientHostCapacity InsufficientReservedInstanceCapacity "
        "InsufficientCapacity InsufficientCapacityOnHost UnfulfillableCapacity",
        _CAPACITY,
    ),
    (
        "InsufficientFreeAddressesInSubnet InsufficientFreeAddresses",
        Entry(
            "capacity",
            "the subnet has no free addresses left",
            "lower n_workers, or make room with a larger `network.cidr` (a new network)",
            seen=(
                (
                    r"free addresses in subnet '?(?P<subnet>subnet-\w+)",
                    "the subnet {subnet} has not enough free addresses",
                    "",
                ),
            ),
        ),
    ),
    (
        "SpotMaxPriceTooLow",
        Entry(
            "capacity",
            "the highest price that is to be paid is below the present spot price",
            "wait, take another zone or type, or on-demand workers: `spot: false`",
            seen=(
                (
                    r"price of (?P<price>[\d.]+) is lower than .*? price of (?P<needed>[\d.]*\d)",
                    "the highest price {price} is below the present spot price {needed}",
                    "",
                ),
            ),
        ),
    ),
    (
        "Unsupported UnsupportedOperation InstanceTypeNotSupported",
        Entry(
            "request",
            "AWS does not offer this here: {message}",
            _ELSEWHERE,
            seen=(
                (
                    r"instance type \((?P<type>[\w.-]+)\) is not supported in your requested Availability Zone "
                    r"\((?P<zone>[\w-]+)\).*?or choosing (?P<zones>[\w, -]+)\.",
                    "zone {zone} has no {type} at all",
                    "take one of the zones {zones} (`zone:`) or another instance type",
                ),
                (
                    r"instance type \((?P<type>[\w.-]+)\) is not supported in your requested Availability Zone "
                    r"\((?P<zone>[\w-]+)\)",
                    "zone {zone} has no {type} at all",
                    "",
                ),
            ),
        ),
    ),
    # Rights; the sentence is made in `faults`.
    (
        "UnauthorizedOperation AccessDenied AccessDeniedException AllAccessDisabled Forbidden "
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted NotAuthorized",
        _DENIED,
    ),
    # Throttling.
    (
        "RequestLimitExceeded Throttling ThrottlingException ThrottledException RequestThrottled "
        "RequestThrottledException TooManyRequestsException SlowDown EC2ThrottledException "
        "ProvisionedThroughputExceededException BandwidthLimitExceeded PriorRequestNotComplete",
        _THROTTLED,
    ),
    # Credentials.
    (
        "NoCredentials",
        Entry("credentials", "there are no AWS credentials", f"set AWS credentials, {_LOCAL}"),
    ),
    (
        "PartialCredentials",
        Entry(
            "credentials",
            "only half of the AWS credentials is set",
            "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither",
        ),
    ),
    (
        "ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired",
        _EXPIRED,
    ),
    (
        "SSOTokenExpired",
        Entry("credentials", "the login of AWS SSO has expired", "log in again: aws sso login"),
    ),
    (
        "AuthFailure InvalidClientTokenId UnrecognizedClientException InvalidAccessKeyId InvalidAccessKeyIdException "
        "MissingAuthenticationToken MissingAuthenticationTokenException InvalidToken",
        _UNKNOWN_KEY,
    ),
    (
        "SignatureDoesNotMatch InvalidSignatureException IncompleteSignature RequestTimeTooSkewed InvalidSignature",
        Entry(
            "credentials",
            "AWS does not accept the signature: the secret key does not fit the key id, or this machine's clock is off",
            "set the credentials anew and compare the clock: coiled-pulumi doctor",
            seen=(
                (
                    r"Signature (?:expired|not yet current)|RequestTimeTooSkewed|too large",
                    "AWS does not accept the signature: this machine's clock is off",
                    "set the clock",
                ),
            ),
        ),
    ),
    # Region and account.
    (
        "OptInRequired SubscriptionRequiredException RegionDisabledException InvalidRegion",
        Entry(
            "region",
            "the account does not have this region or service enabled",
            "enable it (`aws account enable-region --region-name ...`), or take another `region:`",
        ),
    ),
    (
        "PendingVerification",
        Entry(
            "account",
            "AWS is still verifying the account for this region",
            f"wait for AWS's mail, at most 4 hours; nothing is wrong with the file; {_AGAIN}",
        ),
    ),
    (
        "Blocked AccountDisabled",
        Entry("account", "AWS has blocked the account", "write to AWS Support: nothing else helps"),
    ),
    # Conflicts.
    (
        "InvalidSubnet.Conflict",
        Entry(
            "conflict",
            "a subnet of these addresses exists already in the VPC",
            "if it is left from a run that was cut, delete it; else change `network.cidr`",
            seen=((r"CIDR '(?P<cidr>[\d./]+)'", "another subnet of the VPC has addresses of {cidr}", ""),),
        ),
    ),
    ("InvalidVpc.Range InvalidVpcRange InvalidSubnet.Range InvalidSubnetRange", _BLOCK),
    (
        "DependencyViolation InvalidGroup.InUse ResourceInUse ResourceInUseException ResourceInUseFault "
        "DeleteConflict IncorrectState InvalidIPAddress.InUse",
        _IN_USE,
    ),
    (
        "ScalingActivityInProgress ScalingActivityInProgressFault ConcurrentModification "
        "ConcurrentModificationException OperationAbortedException OperationAborted",
        Entry("conflict", "AWS is still at work on it: {message}", f"wait a minute; {_AGAIN}"),
    ),
    (
        "EntityAlreadyExists AlreadyExists AlreadyExistsFault ResourceAlreadyExistsException InvalidGroup.Duplicate "
        "InvalidPermission.Duplicate InvalidLaunchTemplateName.AlreadyExistsException ParameterAlreadyExists "
        "InvalidPlacementGroup.Duplicate InvalidKeyPair.Duplicate BucketAlreadyExists BucketAlreadyOwnedByYou "
        "RouteAlreadyExists AlreadyExistsException EntityAlreadyExistsException",
        _EXISTS,
    ),
    (
        "IdempotentParameterMismatch",
        Entry("conflict", "AWS took this call for another one of the same token", _AGAIN),
    ),
    # What a request names.
    (
        "InvalidAMIID.NotFound InvalidAMIID.Unavailable InvalidAMIID.Malformed",
        Entry(
            "request",
            "the image does not exist in this region, or is not yours to use",
            "AWS may have withdrawn it: docs/naming-and-tags.md says how the newest image is taken",
            seen=(
                (
                    r"(?P<image>ami-\w+)",
                    "the image {image} does not exist in this region, or is not yours to use",
                    "",
                ),
            ),
        ),
    ),
    (
        "InvalidKeyPair.NotFound",
        Entry(
            "request",
            "the key pair does not exist in this region",
            "make it (`aws ec2 create-key-pair`), or take `keypair_name` away",
            seen=((r"key pair '(?P<key>[^']+)'", "the key pair {key} does not exist in this region", ""),),
        ),
    ),
    (
        "InvalidPlacementGroup.Unknown",
        Entry(
            "request",
            "the placement group does not exist: {message}",
            "coiled-pulumi refresh, then coiled-pulumi up makes it anew; or `use_placement_group: false`",
        ),
    ),
    (
        "InvalidCapacityReservationId.NotFound InvalidCapacityReservationId.Malformed "
        "InvalidCapacityReservationState ReservationCapacityExceeded",
        Entry(
            "request",
            "the capacity reservation cannot be used: {message}",
            "see it with `aws ec2 describe-capacity-reservations`, or take `capacity_reservation_id` away",
        ),
    ),
    (
        "InvalidVpcID.NotFound InvalidSubnetID.NotFound InvalidGroup.NotFound InvalidGroupId.NotFound "
        "InvalidInstanceID.NotFound InvalidRouteTableID.NotFound InvalidInternetGatewayID.NotFound "
        "InvalidAllocationID.NotFound InvalidNetworkInterfaceID.NotFound InvalidLaunchTemplateId.NotFound "
        "InvalidLaunchTemplateName.NotFoundException NatGatewayNotFound NoSuchEntity NoSuchEntityException "
        "ResourceNotFoundException ParameterNotFound InvalidPermission.NotFound",
        _GONE,
    ),
    (
        "MalformedPolicyDocument MalformedPolicyDocumentException",
        Entry(
            "request",
            "IAM does not accept the policy: {message}",
            "run up again: a new role may not be known yet",
        ),
    ),
    (
        "InvalidParameterValue InvalidParameter InvalidParameterCombination ValidationError ValidationException "
        "InvalidParameterException MissingParameter",
        Entry(
            "request",
            "AWS does not accept a value: {message}",
            seen=(
                (
                    r"Invalid IAM Instance Profile",
                    "AWS does not know the new instance profile yet",
                    "wait a minute and run up again",
                ),
                (
                    r"[Uu]ser data is limited to (?P<limit>\d+)",
                    "the user data is larger than {limit} bytes",
                    "start less in it, and fetch the rest from a bucket",
                ),
                (
                    r"architecture '(?P<one>\w+)' of the specified instance type does not match the architecture "
                    r"'(?P<other>\w+)'",
                    "the instance type is {one}, the image {other}",
                    "take a type or an image of the same architecture",
                ),
            ),
        ),
    ),
    (
        "InvalidKMSKey.InvalidState InvalidKmsKey.InvalidState KMSKeyNotAccessibleFault",
        Entry(
            "request",
            "the KMS key of the disk is disabled or not yours to use",
            "disks have the account's default key for EBS: enable it, or let its key policy allow it to you and to "
            "AWSServiceRoleForAutoScaling",
        ),
    ),
    # AWS itself, and the way to it.
    (
        "InternalError InternalFailure InternalErrorException InternalServerError InternalServiceError "
        "InternalServiceException ServiceException ServiceFailure Server.InternalError",
        _BROKEN,
    ),
    (
        "Unavailable ServiceUnavailable ServiceUnavailableException ServiceUnavailableError",
        _BROKEN,
    ),
    (
        "CannotConnect",
        Entry(
            "network",
            "AWS cannot be reached: {message}",
            "is there a proxy (HTTPS_PROXY), a VPN or an AWS_ENDPOINT_URL in the way? coiled-pulumi doctor",
        ),
    ),
    (
        "Timeout RequestTimeout RequestTimeoutException",
        Entry(
            "network",
            "AWS did not answer in time: {message}",
            f"is there a proxy (HTTPS_PROXY) or a VPN in the way? {_AGAIN}",
        ),
    ),
    (
        "CertificateNotTrusted",
        Entry(
            "network",
            "the certificate of what answers in AWS's place is not trusted: {message}",
            "if a proxy of your company opens TLS, name its certificate in AWS_CA_BUNDLE",
        ),
    ),
    (
        "NotAws",
        Entry(
            "network",
            "what answered is not AWS: {message}",
            "is there a login page, a proxy or an AWS_ENDPOINT_URL in the way? coiled-pulumi doctor",
        ),
    ),
)

#: What is told, by code.
TABLE: Final[dict[str, Entry]] = {code: entry for codes, entry in _ROWS for code in codes.split()}

#: What is told of a code that is not in the table, by how it ends.
ENDINGS: Final[tuple[tuple[str, Entry], ...]] = (
    (
        "LimitExceeded LimitExceededException CountExceeded",
        Entry("quota", "a quota of the account is used up: {message}", _RAISE),
    ),
    (".Duplicate AlreadyExists AlreadyExistsException", _EXISTS),
    (".NotFound NotFoundException", _GONE),
    (".InUse InUseException", _IN_USE),
)
