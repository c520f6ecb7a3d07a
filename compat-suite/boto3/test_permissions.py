"""Permissions: statements of the queue's policy."""

import json

import pytest


def statements(queue):
    """The statements of the queue's policy."""
    policy = queue.attributes("Policy").get("Policy")
    return json.loads(policy)["Statement"] if policy else []


@pytest.fixture
def account(json_sqs):
    """An account that exists: our own."""
    return json_sqs.queue().arn.split(":")[4]


def add(sqs, queue, account, label="label", actions=("SendMessage",)):
    """AddPermission for one account."""
    sqs.add_permission(
        QueueUrl=queue.url, Label=label, AWSAccountIds=[account], Actions=list(actions)
    )


@pytest.mark.behaviour("permissions-01", "permissions-02")
def test_add_and_remove(sqs, account):
    queue = sqs.queue()
    add(sqs, queue, account, "first")
    add(sqs, queue, account, "second", ("SendMessage", "ReceiveMessage"))
    first, second = statements(queue)
    assert (first["Sid"], second["Sid"]) == ("first", "second")
    assert first["Effect"] == "Allow"
    assert account in json.dumps(first["Principal"])
    assert "SendMessage" in json.dumps(first["Action"])
    assert "ReceiveMessage" in json.dumps(second["Action"])
    assert first["Resource"] == queue.arn
    sqs.remove_permission(QueueUrl=queue.url, Label="first")
    assert [s["Sid"] for s in statements(queue)] == ["second"]
    sqs.remove_permission(QueueUrl=queue.url, Label="second")
    assert "Policy" not in queue.attributes()


@pytest.mark.behaviour("permissions-03")
def test_label_twice(sqs, account):
    queue = sqs.queue()
    add(sqs, queue, account)
    with sqs.refuses("InvalidParameterValue"):
        add(sqs, queue, account)


@pytest.mark.behaviour("permissions-04")
def test_unknown_label(sqs):
    with sqs.refuses("InvalidParameterValue"):
        sqs.remove_permission(QueueUrl=sqs.queue().url, Label="nobody")


@pytest.mark.behaviour("permissions-05")
def test_action_of_the_owner(sqs, account):
    with sqs.refuses("InvalidParameterValue"):
        add(sqs, sqs.queue(), account, actions=("CreateQueue",))


@pytest.mark.behaviour("permissions-06")
def test_too_many_actions(sqs, account):
    actions = "SendMessage ReceiveMessage DeleteMessage ChangeMessageVisibility GetQueueAttributes GetQueueUrl PurgeQueue ListDeadLetterSourceQueues"
    with sqs.refuses("OverLimit", status=403, typed="OverLimit"):
        add(sqs, sqs.queue(), account, actions=actions.split())
