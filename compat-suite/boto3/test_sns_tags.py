"""Tags of topics."""

import pytest

from suite.service import unique
from suite.topics import as_tags


def tags(sns, topic):
    """ListTagsForResource as a dict; fails when a key is listed twice."""
    listed = sns.list_tags_for_resource(ResourceArn=topic.arn)["Tags"]
    found = {tag["Key"]: tag["Value"] for tag in listed}
    assert len(found) == len(listed)
    return found


@pytest.mark.behaviour("topictags-01", "topictags-02")
def test_tags(sns):
    topic = sns.topic(tags={"team": "birds", "größe": ""})
    assert tags(sns, topic) == {"team": "birds", "größe": ""}
    sns.tag_resource(ResourceArn=topic.arn, Tags=as_tags({"team": "fish", "Team": "x"}))
    assert tags(sns, topic) == {"team": "fish", "größe": "", "Team": "x"}
    sns.untag_resource(ResourceArn=topic.arn, TagKeys=["größe", "Team", "unknown"])
    assert tags(sns, topic) == {"team": "fish"}
    sns.untag_resource(ResourceArn=topic.arn, TagKeys=["team"])
    assert sns.list_tags_for_resource(ResourceArn=topic.arn)["Tags"] == []


@pytest.mark.behaviour("topictags-03")
def test_key_twice(sns):
    topic = sns.topic()
    twice = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}, {"Key": "b", "Value": "1"}]
    says = "Invalid parameter: Duplicated keys are not allowed."
    with sns.refuses("InvalidParameter", says=says):
        sns.tag_resource(ResourceArn=topic.arn, Tags=twice)
    assert tags(sns, topic) == {}


@pytest.mark.behaviour("topictags-05")
def test_limits(sns):
    topic = sns.topic(tags={f"k{i}": "v" for i in range(50)})
    with sns.refuses("TagLimitExceeded", typed="TagLimitExceededException"):
        sns.tag_resource(ResourceArn=topic.arn, Tags=as_tags({"one more": "v"}))
    sns.tag_resource(ResourceArn=topic.arn, Tags=as_tags({"k0": "v" * 256}))
    sns.untag_resource(ResourceArn=topic.arn, TagKeys=["k1"])
    sns.tag_resource(ResourceArn=topic.arn, Tags=as_tags({"k" * 128: "v"}))
    for bad in [{"": "v"}, {"k" * 129: "v"}, {"k": "v" * 257}]:
        with sns.refuses(("InvalidParameter", "ValidationError")):
            sns.tag_resource(ResourceArn=topic.arn, Tags=as_tags(bad))


@pytest.mark.behaviour("topictags-06")
def test_unknown_topic(sns):
    arn = f"{sns.topic().arn}{unique()}"
    calls = [
        lambda: sns.tag_resource(ResourceArn=arn, Tags=as_tags({"a": "b"})),
        lambda: sns.untag_resource(ResourceArn=arn, TagKeys=["a"]),
        lambda: sns.list_tags_for_resource(ResourceArn=arn),
    ]
    for call in calls:
        with sns.refuses("ResourceNotFound", status=404, typed="ResourceNotFoundException"):
            call()
