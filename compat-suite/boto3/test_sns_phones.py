"""Phones: settings of SMS, opted-out numbers, the sandbox. AWS would send, so not on AWS."""

import uuid

import pytest

pytestmark = pytest.mark.usefixtures("not_aws")


def fresh_number():
    """A phone number that no other test has."""
    return f"+1555{uuid.uuid4().int % 10_000_000:07}"


@pytest.mark.behaviour("phones-01")
def test_attributes(own_program, sns):
    given = {
        "DefaultSMSType": "Transactional",
        "DefaultSenderID": "Birds",
        "MonthlySpendLimit": "1",
    }
    sns.set_sms_attributes(attributes=given)
    assert sns.get_sms_attributes()["attributes"].items() >= given.items()
    by_name = sns.get_sms_attributes(attributes=["DefaultSenderID"])["attributes"]
    assert by_name == {"DefaultSenderID": "Birds"}
    for name, value in [
        ("DefaultSMSType", "Loud"),
        ("DefaultSenderID", "123"),
        ("DeliveryStatusSuccessSamplingRate", "101"),
        ("Foo", "1"),
    ]:
        with sns.refuses("InvalidParameter", typed="InvalidParameterException"):
            sns.set_sms_attributes(attributes={name: value})


@pytest.mark.behaviour("phones-02")
def test_opt_outs(sns):
    number = fresh_number()
    assert sns.check_if_phone_number_is_opted_out(phoneNumber=number)["isOptedOut"] is False
    assert number not in sns.list_phone_numbers_opted_out()["phoneNumbers"]
    says = "Invalid parameter: PhoneNumber Reason: input incorrectly formatted"
    with sns.refuses("InvalidParameter", says=says):
        sns.opt_in_phone_number(phoneNumber="invalid")


@pytest.mark.behaviour("phones-03")
def test_publish(sns):
    assert sns.publish(PhoneNumber=fresh_number(), Message="m")["MessageId"]
    with sns.refuses("InvalidParameter"):
        sns.publish(PhoneNumber="invalid", Message="m")


@pytest.mark.behaviour("phones-04")
def test_sandbox(sns):
    assert sns.get_sms_sandbox_account_status()["IsInSandbox"] in (True, False)
    number = fresh_number()
    sns.create_sms_sandbox_phone_number(PhoneNumber=number, LanguageCode="de-DE")
    pages = sns.get_paginator("list_sms_sandbox_phone_numbers").paginate()
    listed = [one for page in pages for one in page["PhoneNumbers"]]
    assert {"PhoneNumber": number, "Status": "Pending"} in listed
    with sns.refuses("VerificationException", typed="VerificationException"):
        sns.verify_sms_sandbox_phone_number(PhoneNumber=number, OneTimePassword="12345678")
    sns.delete_sms_sandbox_phone_number(PhoneNumber=number)
    with sns.refuses("ResourceNotFound", status=404, typed="ResourceNotFoundException"):
        sns.delete_sms_sandbox_phone_number(PhoneNumber=number)
