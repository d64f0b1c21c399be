"""What an error of AWS means to us, in every form in which one comes."""

import json
import re
from pathlib import Path

import pytest
import typer
import yaml
from _support.updating import ROOT
from hypothesis import given
from hypothesis import strategies as st

from coiled_pulumi.aws import fault_table
from coiled_pulumi.aws.faults import Fault, clean, explain, of, parse, redact, statement
from coiled_pulumi.cli.app import app
from coiled_pulumi.errors import CredentialsError, DeploymentError, UsageError
from coiled_pulumi.spec import reference

CASES = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text())
#: Every code that a run of ours may meet.
CODES = set(
    """
InsufficientInstanceCapacity InsufficientHostCapacity InsufficientReservedInstanceCapacity InsufficientCapacity
UnfulfillableCapacity InsufficientFreeAddressesInSubnet VcpuLimitExceeded InstanceLimitExceeded
MaxSpotInstanceCountExceeded SpotMaxPriceTooLow Unsupported InvalidParameterValue InvalidAMIID.NotFound
InvalidAMIID.Unavailable RequestLimitExceeded Throttling ThrottlingException UnauthorizedOperation AccessDenied
AccessDeniedException AuthFailure InvalidClientTokenId SignatureDoesNotMatch ExpiredToken ExpiredTokenException
RequestExpired OptInRequired PendingVerification Blocked VpcLimitExceeded AddressLimitExceeded
InternetGatewayLimitExceeded NatGatewayLimitExceeded SecurityGroupLimitExceeded RulesPerSecurityGroupLimitExceeded
RouteTableLimitExceeded SubnetLimitExceeded MaxFleetCountExceeded LimitExceeded LimitExceededException
InvalidSubnet.Conflict InvalidVpc.Range InvalidSubnet.Range DependencyViolation InvalidGroup.InUse EntityAlreadyExists
AlreadyExists ResourceAlreadyExistsException InvalidGroup.Duplicate
InvalidLaunchTemplateName.AlreadyExistsException ParameterAlreadyExists InvalidVpcID.NotFound
InvalidSubnetID.NotFound InvalidGroup.NotFound InvalidInstanceID.NotFound NoSuchEntity MalformedPolicyDocument
ResourceInUse ScalingActivityInProgress InternalError Unavailable ServiceUnavailable IdempotentParameterMismatch
InvalidKeyPair.NotFound InvalidPlacementGroup.Unknown InvalidCapacityReservationId.NotFound Server.InternalError
CannotConnect Timeout CertificateNotTrusted NotAws NoCredentials SSOTokenExpired
""".split()  # noqa: SIM905 a table
)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_text_of_the_engine_is_explained(case):
    assert parse(case["text"]) == Fault(
        case["code"], case["what"], case["hint"], case["kind"], case.get("quota", "")
    )


def test_hints_name_only_keys_and_commands_that_exist():
    entries = [*fault_table.TABLE.values(), *(entry for _, entry in fault_table.ENDINGS)]
    hints = {hint for entry in entries for hint in (entry.hint, *(seen[2] for seen in entry.seen))}
    quoted = {text for hint in hints for text in re.findall(r"`([^`]+)`", hint)}
    named = {text.split(":")[0] for text in quoted if not text.startswith("aws ")}
    known = {key.text for key in reference.keys().values()}
    verbs = set(typer.main.get_command(app).commands)

    assert {name for name in named if not {name, f"clusters.NAME.{name}"} & known} == set()
    assert {verb for hint in hints for verb in re.findall(r"coiled-pulumi ([a-z-]+)", hint)} - verbs == set()


def test_every_code_has_a_case():
    assert CODES - {case["code"] for case in CASES} == set()


@pytest.mark.parametrize("code", sorted(fault_table.TABLE))
def test_every_known_code_has_a_cause_and_a_next_step(code):
    fault = explain(code, "In the words of AWS.", action="ec2:RunInstances", request_id="r")

    assert fault.what
    assert "{" not in fault.what + fault.hint
    # A value that AWS does not accept is told by AWS alone.
    assert fault.hint or fault_table.TABLE[code].what.startswith("AWS does not accept a value")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the stack is currently locked by 1 lock(s)",
        "Blocked by a policy",
        "LimitExceededSomething",
        "creating EC2 Instance: no idea",
        "could not reach api.pulumi.com: dial tcp: connection refused",
        "the program raised ValueError: Unavailable",
    ],
)
def test_what_is_not_of_aws_is_left_alone(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("instance_type", "on_demand", "spot"),
    [
        ("", "L-1216C47A", "L-34B43A08"),
        ("m6i.xlarge", "L-1216C47A", "L-34B43A08"),
        ("t3.micro", "L-1216C47A", "L-34B43A08"),
        ("g5.xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("gr6.4xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("p4d.24xlarge", "L-417A185B", "L-7212CCBC"),
        ("p5.48xlarge", "L-417A185B", "L-C4BD4855"),
        ("trn1.2xlarge", "L-2C3B7624", "L-6B0D517C"),
        ("x2idn.16xlarge", "L-7295265B", "L-E3A00192"),
        ("inf2.xlarge", "L-1945791B", "L-B5D1601B"),
        ("i4i.large", "L-1216C47A", "L-34B43A08"),
        ("im4gn.large", "L-1216C47A", "L-34B43A08"),
        ("hpc7g.4xlarge", "L-F7808C92", ""),
    ],
)
def test_the_quota_of_vcpus_is_that_of_the_type_s_family(instance_type, on_demand, spot):
    found = [
        explain(code, "", instance_type=instance_type).quota
        for code in ("VcpuLimitExceeded", "MaxSpotInstanceCountExceeded")
    ]

    assert found == [on_demand, spot]


@pytest.mark.parametrize(
    ("action", "part"),
    [
        ("ec2:CreateVpc", "Setup"),
        ("ec2:CreateSubnet", "Setup"),
        ("ec2:ModifySubnetAttribute", "Setup"),
        ("ec2:AllocateAddress", "Setup"),
        ("ec2:AuthorizeSecurityGroupIngress", "Setup"),
        ("ec2:CreateRoute", "Setup"),
        ("iam:CreateRole", "Setup"),
        ("iam:PutRolePolicy", "Setup"),
        ("logs:CreateLogGroup", "Setup"),
        ("logs:PutRetentionPolicy", "Setup"),
        ("ec2:RunInstances", "Ongoing"),
        ("ec2:DescribeVpcs", "Ongoing"),
        ("ec2:CreateLaunchTemplate", "Ongoing"),
        ("ec2:CreateTags", "Ongoing"),
        ("iam:PassRole", "Ongoing"),
        ("iam:GetRole", "Ongoing"),
        ("logs:FilterLogEvents", "Ongoing"),
        ("autoscaling:CreateAutoScalingGroup", "Ongoing"),
        ("CreateVpc", "Setup"),
        ("RunInstances", "Ongoing"),
        ("", "Ongoing"),
    ],
)
def test_an_action_is_in_one_of_the_two_documents(action, part):
    assert statement(action) == part


@pytest.mark.parametrize(("name", "part"), [("setup", "Setup"), ("ongoing", "Ongoing")])
def test_the_two_documents_agree(name, part):
    def actions(document):
        statements = json.loads((ROOT / "policies" / "iam" / "dev" / f"{document}.json").read_text())[
            "Statement"
        ]
        allowed = [one["Action"] for one in statements if one["Effect"] == "Allow"]
        return {action for one in allowed for action in ([one] if isinstance(one, str) else one)}

    other = {"setup": "ongoing", "ongoing": "setup"}[name]
    assert {
        action: statement(action) for action in actions(name) - actions(other) if statement(action) != part
    } == {}


def test_an_unknown_code_keeps_code_action_region_and_request():
    fault = explain(
        "Teapot", "x" * 99 + " " + "y" * 999, action="ec2:Brew", request_id="r-1", region="us-east-1"
    )

    assert fault == Fault("Teapot", f"Teapot: {'x' * 99} [...] (ec2:Brew, us-east-1, request r-1)")
    assert len(explain("Teapot", "word " * 999).what) <= 320


_RUNS = st.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-", min_size=90, max_size=400
)
_SAID = "Encoded authorization failure message"
_PIECES = st.one_of(
    st.text(max_size=40),
    _RUNS,
    st.sampled_from(
        [_SAID, f"{_SAID}:", f"{_SAID}: ", "Encoded authorization", " failure message: ", "\n", " "]
    ),
    st.sampled_from(
        ["User: arn:aws:iam::1:user/x is not authorized to perform: ec2:RunInstances ", "vCPU limit of 5"]
    ),
    st.sampled_from([case["text"] for case in CASES]),
)
_MESSAGES = st.lists(_PIECES, max_size=8).map("".join)


def _clean(*texts: str) -> bool:
    return not any(
        re.search(r"[A-Za-z0-9+/=_-]{101}", text) or _SAID.lower() in " ".join(text.split()).lower()
        for text in texts
    )


@given(
    st.sampled_from([*sorted(fault_table.TABLE), "Teapot", "TeapotLimitExceeded"]) | _MESSAGES,
    _MESSAGES,
    _MESSAGES,
    _MESSAGES,
)
def test_no_explanation_holds_a_blob(code, message, action, request):
    fault = explain(code, message, action=action, request_id=request, region=action)

    assert _clean(fault.code, fault.what, fault.hint)


@given(_MESSAGES)
def test_nothing_that_the_engine_says_lets_a_blob_through(text):
    fault = parse(text)

    assert fault is None or _clean(fault.code, fault.what, fault.hint)
    assert _clean(clean(text))


def test_a_text_that_is_not_of_aws_keeps_its_lines_and_its_paths():
    path = "/home/ana/" + "folder/" * 20 + "file"
    blob = "Ab1/" * 60

    assert (
        redact(f"no such file: {path}\nsee {blob}\n{_SAID}: {blob}") == f"no such file: {path}\nsee [...]\n"
    )


class TestOfBoto3:
    """Real exceptions of botocore."""

    @staticmethod
    def answer(code, message="m", operation="RunInstances"):
        from botocore.exceptions import ClientError

        return ClientError(
            {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RequestId": "r-1"}}, operation
        )

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("ExpiredToken", CredentialsError),
            ("VcpuLimitExceeded", DeploymentError),
            ("Odd", DeploymentError),
        ],
    )
    def test_an_answer_is_explained(self, code, kind):
        error = of(self.answer(code))
        fault = explain(code, "m", action="RunInstances", request_id="r-1")

        assert (type(error), error.what, error.hint) == (kind, fault.what, fault.hint)

    def test_what_is_raised_without_an_answer(self):
        from botocore import exceptions as boto

        url = "https://ec2.us-east-1.amazonaws.com/"
        found = {
            type(raised).__name__: (type(of(raised)), of(raised).what)
            for raised in (
                boto.NoCredentialsError(),
                boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
                boto.ProfileNotFound(profile="work"),
                boto.UnauthorizedSSOTokenError(),
                boto.SSOTokenLoadError(error_msg="x"),
                boto.EndpointConnectionError(endpoint_url=url),
                boto.ConnectTimeoutError(endpoint_url=url),
                boto.ReadTimeoutError(endpoint_url=url),
                boto.SSLError(endpoint_url=url, error="bad"),
                boto.ParamValidationError(report="x"),
            )
        }

        assert found == {
            "NoCredentialsError": (CredentialsError, "there are no AWS credentials"),
            "PartialCredentialsError": (CredentialsError, "only half of the AWS credentials is set"),
            "ProfileNotFound": (UsageError, "The config profile (work) could not be found"),
            "UnauthorizedSSOTokenError": (CredentialsError, "the login of AWS SSO has expired"),
            "SSOTokenLoadError": (CredentialsError, "the login of AWS SSO has expired"),
            "EndpointConnectionError": (
                DeploymentError,
                f'AWS cannot be reached: Could not connect to the endpoint URL: "{url}"',
            ),
            "ConnectTimeoutError": (
                DeploymentError,
                f'AWS did not answer in time: Connect timeout on endpoint URL: "{url}"',
            ),
            "ReadTimeoutError": (
                DeploymentError,
                f'AWS did not answer in time: Read timeout on endpoint URL: "{url}"',
            ),
            "SSLError": (
                DeploymentError,
                "the certificate of what answers in AWS's place is not trusted: "
                f"SSL validation failed for {url} bad",
            ),
            "ParamValidationError": (DeploymentError, "Parameter validation failed: x"),
        }

    def test_a_client_of_a_profile_that_is_not_there(self, monkeypatch, tmp_path):
        from coiled_pulumi.aws import session

        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        with pytest.raises(UsageError, match="work"):
            session.client("ec2", "us-east-1", "work")
