"""Which server gets which credentials, and whose answers are called recorded."""

import json

import pytest

from suite.comparison.cases import save
from suite.comparison.differences import compared
from suite.comparison.recorder import ForeignHost, refuse_foreign_host
from suite.comparison.side import sides

URL = "http://127.0.0.1:1"


@pytest.fixture
def both(monkeypatch, tmp_path):
    """AWS and another server, for a caller who has credentials."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the token")
    return sides(("aws:eu-west-1", URL))


def test_only_aws_gets_the_credentials_of_the_caller(both):
    aws, other = both
    found = aws.environment()
    assert found["SQUAB_ENDPOINT"] == "https://sqs.eu-west-1.amazonaws.com"
    assert found["SQUAB_SNS_ENDPOINT"] == "https://sns.eu-west-1.amazonaws.com"
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SESSION_TOKEN"]) == ("AKIDEXAMPLE", "the token")
    found = other.environment()
    assert found["SQUAB_ENDPOINT"] == found["SQUAB_SNS_ENDPOINT"] == URL
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == ("test", "test")
    assert found["AWS_REGION"] == "eu-west-1"
    assert not {"AKIDEXAMPLE", "the secret", "the token"}.intersection(found.values())


def test_links_to_aws_are_not_followed_for_another_server(monkeypatch):
    link = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem"
    monkeypatch.setenv("SQUAB_ENDPOINT", URL)
    with pytest.raises(ForeignHost):
        refuse_foreign_host(link)
    refuse_foreign_host(f"{URL}/cert.pem")
    monkeypatch.setenv("SQUAB_ENDPOINT", "https://sqs.us-east-1.amazonaws.com")
    refuse_foreign_host(link)


def record(side, tag, delivered):
    """What a test recorded that sends a message to a queue and receives it, or does not."""
    side.account = "210987654321" if side.is_aws else "000000000000"
    name = f"compat-q-{tag}0123456000.fifo"
    url = f"{side.urls['sqs']}/{side.account}/{name}"
    handle = f"handle of {side.name}"
    messages = {"Messages": [{"Body": "b", "ReceiptHandle": handle}]} if delivered else {}
    calls = [
        (
            "CreateQueue",
            {"QueueName": name, "Attributes": {"FifoQueue": "true"}},
            {"QueueUrl": url},
        ),
        ("GetQueueAttributes", {"QueueUrl": url}, {}),
        ("ReceiveMessage", {"QueueUrl": url}, messages),
    ]
    recorded = [
        {"service": "sqs", "protocol": "json", "region": side.region, "gathering": None}
        | {"operation": operation, "parameters": parameters, "answer": answer}
        | {"thread": 0, "status": 200, "headers": {}, "start": number * 0.6, "end": number * 0.6}
        for number, (operation, parameters, answer) in enumerate(calls)
    ]
    found = {"test": "test_fifo.py::test_it[json]", "behaviours": []}
    return found | {"outcome": "passed", "why": "", "calls": recorded}


def test_what_aws_answered_is_recorded(both, tmp_path):
    aws, other = both
    left, right = record(aws, "aaaaaa", True), record(other, "bbbbbb", False)
    comparison = compared(left, right, aws.facts("aaaaaa"), other.facts("bbbbbb"), "0123456")
    save([comparison], both, tmp_path)
    assert json.loads((tmp_path / "sqs-compare.jsonl").read_text()) == {
        "case": "fifo-it-json-3",
        "protocol": "json",
        "request": [
            ["CreateQueue", {"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true"}}],
            "wait 1 s",
            ["ReceiveMessage", {"QueueUrl": "$q"}],
        ],
        "answer": {
            "status": 200,
            "body": {"Messages": [{"Body": "b", "ReceiptHandle": "<receipt-handle:1>"}]},
        },
        "source": "recorded",
    }
    assert (tmp_path / "sns-compare.jsonl").read_text() == ""

    turned = compared(right, left, other.facts("bbbbbb"), aws.facts("aaaaaa"), "0123456")
    save([turned], both[::-1], tmp_path)
    assert '"source":"recorded"' in (tmp_path / "sqs-compare.jsonl").read_text()
