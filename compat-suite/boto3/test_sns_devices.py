"""Mobile push: platform applications and their endpoints."""

import pytest

from suite.service import unique

CREDENTIALS = {"PlatformPrincipal": "client id", "PlatformCredential": "client secret"}
PREFIX = "Invalid parameter: "


@pytest.fixture
def application(not_aws, sns):
    """The ARN of an application; AWS would try its credentials."""
    members = {"Name": unique("app"), "Platform": "ADM", "Attributes": CREDENTIALS}
    arn = sns.create_platform_application(**members)["PlatformApplicationArn"]
    yield arn
    sns.delete_platform_application(PlatformApplicationArn=arn)


def endpoint_of(sns, application, token="token_1", **members):
    """CreatePlatformEndpoint; returns the ARN."""
    asked = {"PlatformApplicationArn": application, "Token": token, **members}
    return sns.create_platform_endpoint(**asked)["EndpointArn"]


def endpoint_attributes(sns, arn):
    """GetEndpointAttributes."""
    return sns.get_endpoint_attributes(EndpointArn=arn)["Attributes"]


@pytest.mark.behaviour("devices-01")
def test_application(sns, application):
    name = application.rpartition("/")[2]
    assert application.endswith(f":app/ADM/{name}")
    changed = {"SuccessFeedbackSampleRate": "50"}
    sns.set_platform_application_attributes(PlatformApplicationArn=application, Attributes=changed)
    shown = sns.get_platform_application_attributes(PlatformApplicationArn=application)
    expected = {"Enabled": "true", "SuccessFeedbackSampleRate": "50"}
    assert shown["Attributes"] == expected
    pages = sns.get_paginator("list_platform_applications").paginate()
    listed = [one for page in pages for one in page["PlatformApplications"]]
    (own,) = [one for one in listed if one["PlatformApplicationArn"] == application]
    assert own["Attributes"] == expected


@pytest.mark.behaviour("devices-02")
@pytest.mark.parametrize(
    ("name", "attributes", "code", "says"),
    [
        ("", CREDENTIALS, "InvalidParameter", f"{PREFIX} Reason: cannot be empty"),
        (
            "@name",
            CREDENTIALS,
            "InvalidParameter",
            f"{PREFIX}@name Reason: must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'",
        ),
        (
            "a" * 257,
            CREDENTIALS,
            "InvalidParameter",
            f"{PREFIX}{'a' * 257} Reason: must be at most 256 characters long",
        ),
        (
            "app",
            {"PlatformPrincipal": "dummy"},
            "InvalidParameter",
            f"{PREFIX}Attributes Reason: PlatformPrincipal attribute provided without PlatformCredential",
        ),
        (
            "app",
            {"PlatformCredential": "dummy"},
            "InvalidParameter",
            f"{PREFIX}Attributes Reason: PlatformCredential attribute provided without PlatformPrincipal",
        ),
        (
            "app",
            {},
            "ValidationError",
            "1 validation error detected: Value null at 'attributes' failed to satisfy constraint: Member must not be null",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bad_application(sns, name, attributes, code, says):
    with sns.refuses(code, says=says):
        sns.create_platform_application(Name=name, Platform="ADM", Attributes=attributes)


@pytest.mark.behaviour("devices-02", "devices-05")
def test_bad_arns(sns, application):
    says = f"{PREFIX}PlatformApplicationArn Reason: An ARN must have at least 6 elements, not 1"
    with sns.refuses("InvalidParameter", says=says):
        sns.set_platform_application_attributes(PlatformApplicationArn="invalid-arn", Attributes={})
    missing = {"status": 404, "typed": "NotFoundException"}
    with sns.refuses("NotFound", says="PlatformApplication does not exist", **missing):
        endpoint_of(sns, application + "x")
    arn = endpoint_of(sns, application)
    for _ in range(2):
        sns.delete_endpoint(EndpointArn=arn)
    with sns.refuses("NotFound", says="Endpoint does not exist", **missing):
        endpoint_attributes(sns, arn)
    listed = sns.list_endpoints_by_platform_application(PlatformApplicationArn=application)
    assert listed["Endpoints"] == []


@pytest.mark.behaviour("devices-03")
def test_token_again(sns, application):
    arn = endpoint_of(sns, application)
    assert ":endpoint/ADM/" in arn
    assert endpoint_of(sns, application) == arn
    says = f"{PREFIX}Token Reason: Endpoint {arn} already exists with the same Token, but different attributes."
    with sns.refuses("InvalidParameter", says=says):
        endpoint_of(sns, application, Attributes={"Enabled": "false"})
    assert endpoint_of(sns, application, token="token_2") != arn


@pytest.mark.behaviour("devices-04")
def test_endpoint(sns, application):
    arn = endpoint_of(sns, application, CustomUserData="user 1")
    expected = {"Enabled": "true", "Token": "token_1", "CustomUserData": "user 1"}
    assert endpoint_attributes(sns, arn) == expected
    sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"Token": "token_2"})
    assert endpoint_attributes(sns, arn) == expected | {"Token": "token_2"}
    for name in ("PlatformPrincipal", "InvalidKey"):
        says = f"{PREFIX}Attributes Reason: Invalid attribute name: {name}"
        with sns.refuses("InvalidParameter", says=says):
            sns.set_endpoint_attributes(EndpointArn=arn, Attributes={name: "x"})
    with sns.refuses("InvalidParameter"):
        sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"CustomUserData": "A" * 2049})
    with sns.refuses("ValidationError"):
        sns.set_endpoint_attributes(EndpointArn=arn, Attributes={})


@pytest.mark.behaviour("devices-06", "devices-07")
def test_publish(sns, application):
    arn = endpoint_of(sns, application)
    assert sns.publish(TargetArn=arn, Message="m")["MessageId"]
    texts = '{"default":"d","ADM":"{}"}'
    assert sns.publish(TargetArn=arn, Message=texts, MessageStructure="json")["MessageId"]
    topic = sns.topic()
    assert topic.subscribe("application", arn).startswith(topic.arn)
    assert topic.publish()["MessageId"]
    sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"Enabled": "false"})
    with sns.refuses("EndpointDisabled", typed="EndpointDisabledException"):
        sns.publish(TargetArn=arn, Message="m")
