"""Looking at messages where they are kept: the paths that widespread emulators have."""

import json
import time

import pytest
from botocore.awsrequest import AWSRequest

from suite.clients import boto, get, send
from suite.service import text, unique
from suite.topics import as_texts

PATIENCE = 10  # seconds in which a mail must be there
pytestmark = pytest.mark.usefixtures("own_program")


def look(endpoint, path, account, **parameters):
    """GET of a path below /_aws/sns, parsed."""
    told = "&".join(f"{k}={v}" for k, v in as_texts({"accountId": account, **parameters}).items())
    answer = get(f"{endpoint}/_aws/sns/{path}?{told}")
    assert answer.status == 200, answer
    return answer.json


@pytest.mark.behaviour("inspection-01")
def test_queue(endpoint, json_sqs):
    queue = json_sqs.queue()
    for body in ("visible", "received"):
        queue.send(body)
    queue.send("delayed", DelaySeconds=900)
    (received,) = queue.receive(1, VisibilityTimeout=600)
    inspector = boto(f"{endpoint}/_aws/sqs/messages")

    def seen():
        found = inspector.receive_message(QueueUrl=queue.url, AttributeNames=["All"])
        return {message["Body"] for message in found.get("Messages", [])}

    expected = {"visible", "received"} - {received["Body"]}
    assert seen() == seen() == expected
    assert queue.counts() == (1, 1, 1)
    region, account, name = queue.arn.split(":")[3:]
    path = f"{endpoint}/_aws/sqs/messages/{region}/{account}/{name}"
    answer = get(f"{path}?ShowInvisible=true&ShowDelayed=true")
    assert all(body in answer.text for body in ("visible", "received", "delayed"))
    assert "SQS/BACKDOOR/ACCESS" in answer.text


@pytest.mark.behaviour("inspection-02", "phones-03")
def test_text_messages(endpoint, sns):
    topic = sns.topic()
    subscription = topic.subscribe("sms", "+15551230101")
    by_topic = topic.publish("by topic", MessageAttributes={"k": text("v")})["MessageId"]
    number = "%2B15551230101"
    sent = sns.publish(PhoneNumber="+15551230101", Message="direct")["MessageId"]
    shown = look(endpoint, "sms-messages", topic.account, phoneNumber=number)
    assert shown["region"] == sns.meta.region_name
    first, second = shown["sms_messages"]["+15551230101"]
    assert (first["MessageId"], first["Message"]) == (by_topic, "by topic")
    assert first["TopicArn"] == topic.arn
    assert first["SubscriptionArn"] == subscription
    assert (second["MessageId"], second["Message"]) == (sent, "direct")
    url = f"{endpoint}/_aws/sns/sms-messages?accountId={topic.account}&phoneNumber={number}"
    assert send(AWSRequest("DELETE", url)).status == 204
    assert look(endpoint, "sms-messages", topic.account, phoneNumber=number)["sms_messages"] == {}


@pytest.mark.behaviour("inspection-02", "devices-06")
def test_push_messages(endpoint, sns):
    credentials = {"PlatformCredential": "secret"}
    application = sns.create_platform_application(
        Name=unique("app"), Platform="GCM", Attributes=credentials
    )["PlatformApplicationArn"]
    arn = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="t")["EndpointArn"]
    texts = json.dumps({"default": "d", "GCM": '{"notification":{}}'})
    sent = sns.publish(TargetArn=arn, Message=texts, MessageStructure="json")["MessageId"]
    account = arn.split(":")[4]
    shown = look(endpoint, "platform-endpoint-messages", account, endpointArn=arn)
    (message,) = shown["platform_endpoint_messages"][arn]
    assert message["TargetArn"] == arn
    assert message["MessageId"] == sent
    assert message["Message"] == '{"notification":{}}'
    sns.delete_platform_application(PlatformApplicationArn=application)


@pytest.mark.behaviour("inspection-03", "http-03")
def test_mail(endpoint, sns):
    topic = sns.topic()
    address = f"{unique()}@example.com"
    arn = topic.subscribe("email", address)
    token = get(f"{endpoint}/_aws/sns/subscription-tokens/{arn}").json
    assert token["subscription_arn"] == arn
    members = {"TopicArn": topic.arn, "Token": token["subscription_token"]}
    assert sns.confirm_subscription(**members)["SubscriptionArn"] == arn
    sent = topic.publish("a mail", Subject="s")["MessageId"]
    end = time.monotonic() + PATIENCE
    mails = []
    while not mails or mails[-1]["MessageId"] != sent:  # it leaves after Publish has answered
        assert time.monotonic() < end, mails
        shown = look(endpoint, "email-messages", topic.account, emailAddress=address)
        mails = shown["email_messages"].get(address, [])
    assert mails[-1]["Subject"] == "s"
    assert mails[-1]["Message"].startswith("a mail")
    assert get(f"{endpoint}/_aws/sns/subscription-tokens/{topic.arn}").status == 404
    assert get(f"{endpoint}/_aws/sns/subscription-tokens/no-arn").status == 400
    assert get(f"{endpoint}/_aws/sns/subscription-tokens/{arn[:-4]}0000").status == 404


@pytest.mark.behaviour("inspection-04", "phones-02")
def test_opt_out(endpoint, sns):
    number = "+15551230102"
    account = sns.topic().account
    body = json.dumps({"phoneNumber": number, "accountId": account}).encode()
    url = f"{endpoint}/_aws/sns/phone-opt-outs"
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    assert send(request).status == 200
    assert sns.check_if_phone_number_is_opted_out(phoneNumber=number)["isOptedOut"] is True
    assert number in sns.list_phone_numbers_opted_out()["phoneNumbers"]
    with sns.refuses("OptedOut", typed="OptedOutException"):
        sns.publish(PhoneNumber=number, Message="m")
    sns.opt_in_phone_number(phoneNumber=number)
    assert sns.publish(PhoneNumber=number, Message="m")["MessageId"]
