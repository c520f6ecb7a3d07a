"""Tags."""

import pytest

from suite.service import unique


def tags(sqs, queue):
    """The tags of the queue; fails when an empty set is shown instead of none."""
    answer = sqs.list_queue_tags(QueueUrl=queue.url)
    assert answer.get("Tags") != {}
    return answer.get("Tags", {})


@pytest.mark.behaviour("tags-01", "tags-04")
def test_tags_at_creation(sqs):
    assert tags(sqs, sqs.queue(tags={"team": "birds", "stage": ""})) == {
        "team": "birds",
        "stage": "",
    }
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=sqs.queue().url)


@pytest.mark.behaviour("tags-07")
def test_created_again(sqs):
    queue = sqs.queue(tags={"a": "1", "b": "2"})
    for tags_given in ({}, {"b": "2"}, {"a": "1", "b": "2"}):
        assert sqs.create_queue(QueueName=queue.name, tags=tags_given)["QueueUrl"] == queue.url
    for tags_given in ({"a": "2"}, {"c": "1"}):
        with sqs.refuses("QueueAlreadyExists", typed="QueueNameExists"):
            sqs.create_queue(QueueName=queue.name, tags=tags_given)
    assert tags(sqs, queue) == {"a": "1", "b": "2"}


@pytest.mark.behaviour("tags-02")
def test_add_and_overwrite(sqs):
    queue = sqs.queue(tags={"a": "1", "b": "1"})
    sqs.tag_queue(QueueUrl=queue.url, Tags={"b": "2", "B": "3"})
    assert tags(sqs, queue) == {"a": "1", "b": "2", "B": "3"}


@pytest.mark.behaviour("tags-03", "tags-04")
def test_remove(sqs):
    queue = sqs.queue(tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=queue.url, TagKeys=["a", "unknown"])
    assert tags(sqs, queue) == {"b": "2"}
    sqs.untag_queue(QueueUrl=queue.url, TagKeys=["b"])
    assert tags(sqs, queue) == {}


@pytest.mark.behaviour("tags-05")
def test_any_text(sqs):
    given = {"größe": "klein & <fein>", "鳩": "🐦 a+b=c/d"}
    assert tags(sqs, sqs.queue(tags=given)) == given


@pytest.mark.behaviour("tags-06")
@pytest.mark.parametrize("refused", [{"k" * 129: "v"}, {"k": "v" * 257}])
def test_lengths(sqs, refused):
    longest = {"k" * 128: "v" * 256}
    queue = sqs.queue(tags=longest)
    with sqs.refuses("InvalidParameterValue"):
        sqs.tag_queue(QueueUrl=queue.url, Tags=refused)
    assert tags(sqs, queue) == longest


@pytest.mark.behaviour("tags-06")
def test_number(json_sqs):
    given = {f"key-{i}": str(i) for i in range(50)}
    queue = json_sqs.queue(tags=given)
    assert tags(json_sqs, queue) == given
    with json_sqs.refuses(("InvalidParameterValue", "OverLimit"), status=(400, 403)):
        json_sqs.tag_queue(QueueUrl=queue.url, Tags={"one-more": "x"})


@pytest.mark.behaviour("tags-04", "errors-01")
def test_unknown_queue(sqs):
    url = sqs.queue().url.rsplit("/", 1)[0] + "/" + unique()
    with sqs.refuses("AWS.SimpleQueueService.NonExistentQueue", typed="QueueDoesNotExist"):
        sqs.list_queue_tags(QueueUrl=url)
