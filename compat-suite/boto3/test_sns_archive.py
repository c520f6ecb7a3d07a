"""The archive of a FIFO topic, and replays."""

import json
import time

import pytest

from suite.service import text
from suite.topics import change, shown

ARCHIVE = json.dumps({"MessageRetentionPeriod": "30"})
PATIENCE = 10  # seconds in which a replay must end


def replay(since, until=None):
    """A replay policy."""
    policy = {"PointType": "Timestamp", "StartingPoint": since}
    return json.dumps(policy | ({"EndingPoint": until} if until else {}))


@pytest.fixture
def topic(sns):
    """A FIFO topic with an archive."""
    return sns.topic(fifo=True, ContentBasedDeduplication="true", ArchivePolicy=ARCHIVE)


def beginning(topic):
    """BeginningArchiveTime."""
    return topic.attributes()["BeginningArchiveTime"]


def envelopes(inbox, count):
    """So many notifications, parsed."""
    return [json.loads(message["Body"]) for message in inbox.drain(count)]


@pytest.mark.behaviour("archive-01", "archive-02")
def test_policy(sns, topic):
    attributes = topic.attributes()
    assert json.loads(attributes["ArchivePolicy"]) == {"MessageRetentionPeriod": "30"}
    assert attributes["BeginningArchiveTime"].startswith("20")
    topic.set("ArchivePolicy", "{}")
    assert "BeginningArchiveTime" not in topic.attributes()
    for days in ("0", "366", "many"):
        with sns.refuses("InvalidParameter"):
            topic.set("ArchivePolicy", json.dumps({"MessageRetentionPeriod": days}))


@pytest.mark.behaviour("archive-03", "archive-04")
def test_replay(sns, topic):
    live = topic.inbox(raw=False, fifo=True)
    for i in range(15):
        topic.publish(f"m{i}", group="g")
    originals = envelopes(live, 15)
    late = topic.inbox(raw=False, fifo=True, ReplayPolicy=replay(beginning(topic)))
    replayed = envelopes(late, 15)
    assert all("Replayed" in one for one in replayed)
    assert not any("Replayed" in one for one in originals)
    for member in ("MessageId", "Timestamp", "Message", "SequenceNumber"):
        assert [one[member] for one in replayed] == [one[member] for one in originals]
    end = time.monotonic() + PATIENCE
    while (status := shown(sns, late.subscription)["ReplayStatus"]) != "Completed":
        assert status in ("Pending", "In progress")
        assert time.monotonic() < end
    topic.publish("live again", group="g")
    assert late.envelope()["Message"] == "live again"


@pytest.mark.behaviour("archive-05", "archive-07")
def test_part_of_the_archive(sns, topic):
    live = topic.inbox(raw=False, fifo=True)
    since = beginning(topic)
    for i, kind in enumerate(["a", "b", "a"]):
        topic.publish(f"{kind}{i}", group="g", MessageAttributes={"kind": text(kind)})
    last = envelopes(live, 3)[-1]["Timestamp"]
    time.sleep(0.002)  # so that what comes now comes later
    topic.publish("a3", group="g", MessageAttributes={"kind": text("a")})
    late = topic.inbox(
        fifo=True, FilterPolicy={"kind": ["a"]}, ReplayPolicy=replay(since, until=last)
    )
    late.only("a0", "a2")


@pytest.mark.behaviour("archive-09")
def test_behind_the_end_of_a_replay(sns, topic):
    live = topic.inbox(raw=False, fifo=True)
    topic.publish("first", group="g")
    (first,) = envelopes(live, 1)
    part = replay(beginning(topic), until=first["Timestamp"])
    ended = topic.inbox(fifo=True, ReplayPolicy=part)
    ended.only("first")
    time.sleep(0.002)  # so that what comes now comes later
    topic.publish("second", group="h")
    (second,) = envelopes(live, 1)
    assert second["Message"] == "second"
    assert ended.bodies() == []


@pytest.mark.behaviour("archive-06")
def test_delete(sns, topic):
    with sns.refuses("InvalidState", typed="InvalidStateException"):
        sns.delete_topic(TopicArn=topic.arn)
    topic.set("ArchivePolicy", "{}")
    sns.delete_topic(TopicArn=topic.arn)


@pytest.mark.behaviour("archive-08")
def test_bad_replays(sns, topic):
    inbox = topic.inbox(fifo=True)
    for bad in [
        "no document",
        "{}",
        json.dumps({"PointType": "Message", "StartingPoint": beginning(topic)}),
        replay("yesterday"),
    ]:
        with sns.refuses("InvalidParameter"):
            change(sns, inbox.subscription, ReplayPolicy=bad)
    assert "ReplayPolicy" not in shown(sns, inbox.subscription)
    without = sns.topic(fifo=True).inbox(fifo=True)
    with sns.refuses("InvalidParameter"):
        change(sns, without.subscription, ReplayPolicy=replay(beginning(topic)))
