"""How errors of AWS look where they come without their code, and which quota of vCPUs counts: data for `faults`.

The phrases are those of EC2, Auto Scaling, the AWS SDK for Go and Pulumi's AWS plugin. Quotas:
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
"""

from __future__ import annotations

from typing import Final

#: Quotas of running on-demand and of spot instances, in vCPUs, by the first letters of the instance type.
#: All other types count against the first line, the standard families A, C, D, H, I, M, R, T and Z.
VCPU_QUOTAS: Final[dict[str, tuple[str, str]]] = {
    "": ("L-1216C47A", "L-34B43A08"),
    "dl": ("L-6E869C2A", "L-85EED4F7"),
    "f": ("L-74FC7D96", "L-88CF9481"),
    "g": ("L-DB2E81BA", "L-3819A6DF"),
    "gr": ("L-DB2E81BA", "L-3819A6DF"),
    "hpc": ("L-F7808C92", ""),
    "inf": ("L-1945791B", "L-B5D1601B"),
    "p": ("L-417A185B", "L-7212CCBC"),
    "p5": ("L-417A185B", "L-C4BD4855"),
    "trn": ("L-2C3B7624", "L-6B0D517C"),
    "u": ("L-43DA4232", ""),
    "vt": ("L-DB2E81BA", "L-3819A6DF"),
    "x": ("L-7295265B", "L-E3A00192"),
}
#: Codes of ours for what has none, because AWS never answered.
OWN: Final = frozenset(
    {
        "CannotConnect",
        "CertificateNotTrusted",
        "NoCredentials",
        "NotAws",
        "PartialCredentials",
        "SSOTokenExpired",
        "Timeout",
    }
)
#: Texts without a code that stand for one, tried in this order: scaling activities and the AWS plugin write such.
PHRASES: Final[tuple[tuple[str, str], ...]] = (
    (r"vCPU capacity than your current vCPU limit", "VcpuLimitExceeded"),
    (r"Max spot instance count exceeded", "MaxSpotInstanceCountExceeded"),
    (r"We currently do not have sufficient \S+ capacity", "InsufficientInstanceCapacity"),
    (r"no Spot capacity available|There is no Spot capacity", "InsufficientInstanceCapacity"),
    (r"not enough free addresses in subnet|Insufficient free addresses", "InsufficientFreeAddressesInSubnet"),
    (r"lower than the minimum required Spot request", "SpotMaxPriceTooLow"),
    (r"instance type \([\w.-]+\) is not supported in your requested Availability Zone", "Unsupported"),
    (r"maximum number of VPCs has been reached", "VpcLimitExceeded"),
    (r"maximum number of addresses has been reached", "AddressLimitExceeded"),
    (r"maximum number of internet gateways has been reached", "InternetGatewayLimitExceeded"),
    (r"requested more instances \(\d+\) than your current instance limit", "InstanceLimitExceeded"),
    (r"[Yy]our request for accessing resources in this region is being validated", "PendingVerification"),
    (r"This account is currently blocked", "Blocked"),
    (r"SSO session (?:associated with this profile )?has expired|refresh cached SSO token failed|"
     r"cached SSO token is expired|Error loading SSO Token", "SSOTokenExpired"),
    (r"No valid credential sources|static credentials are empty|no EC2 IMDS role found|NoCredentialProviders|"
     r"Unable to locate credentials|failed to refresh cached credentials", "NoCredentials"),
    (r"is not authorized to perform: [\w-]+:\w+|You are not authorized to perform this operation",
     "UnauthorizedOperation"),
    (r"security token included in the request is expired", "ExpiredToken"),
    (r"not able to validate the provided access credentials", "AuthFailure"),
)  # fmt: skip

#: What a failed call without an answer of AWS says, after which only the network is to blame.
NETWORK: Final[tuple[tuple[str, str], ...]] = (
    (r"x509: |tls: |certificate verify failed|SSL validation failed", "CertificateNotTrusted"),
    (r"no such host|connection refused|network is unreachable|no route to host|proxyconnect|"
     r"connection reset by peer|\bEOF\b|server misbehaving", "CannotConnect"),
    (r"i/o timeout|TLS handshake timeout|context deadline exceeded|Client\.Timeout|operation timed out", "Timeout"),
    (r"invalid character '<'|deserialization failed|failed to decode response|XML syntax error|"
     r"expected element type|unexpected end of JSON input", "NotAws"),
)  # fmt: skip
