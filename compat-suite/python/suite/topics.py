"""SNS in the words of the tests: topics, what is subscribed to them, and what they deliver."""

import base64
import json
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from suite.clients import get
from suite.service import Caller, Queue, unique

# What a signature covers, in this order, as far as it is there.
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
SIGNED["UnsubscribeConfirmation"] = SIGNED["SubscriptionConfirmation"]
# A queue's policy, without which AWS delivers nothing to it.
OPEN_TO_SNS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": "*",
            }
        ],
    }
)
HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}


class Sns(Caller):
    """SNS, with queues of `sqs` for what is delivered. See `topic`."""

    def __init__(self, client, sqs):
        super().__init__(client)
        self.sqs = sqs
        self._made = []

    def topic(self, fifo=False, tags=None, **attributes):
        """A new topic with these attributes (values of any type are turned into text)."""
        if fifo:
            attributes["FifoTopic"] = "true"
        members = {"Name": unique("t") + (".fifo" if fifo else "")}
        if attributes:
            members["Attributes"] = {key: str(value) for key, value in attributes.items()}
        if tags:
            members["Tags"] = as_tags(tags)
        return self.adopt(self.client.create_topic(**members)["TopicArn"])

    def adopt(self, arn):
        """A topic that the test made by itself: it is deleted at the end of the test."""
        topic = Topic(self, arn)
        self._made.append(topic)
        return topic

    def clean_up(self):
        """Deletes the topics that were made here."""
        for topic in self._made:
            try:
                self.client.delete_topic(TopicArn=topic.arn)
            except self.client.exceptions.InvalidStateException:  # it has an archive
                topic.set("ArchivePolicy", "{}")
                self.client.delete_topic(TopicArn=topic.arn)


class Topic:
    """A topic: its ARN, and the calls on it."""

    def __init__(self, sns, arn):
        self.sns = sns
        self.client = sns.client
        self.arn = arn
        self.account = arn.split(":")[4]

    def attributes(self):
        """GetTopicAttributes."""
        return self.client.get_topic_attributes(TopicArn=self.arn)["Attributes"]

    def set(self, name, value):
        """SetTopicAttributes."""
        self.client.set_topic_attributes(
            TopicArn=self.arn, AttributeName=name, AttributeValue=str(value)
        )

    def publish(self, message="m", group=None, dedup=None, **members):
        """Publish."""
        given = {"MessageGroupId": group, "MessageDeduplicationId": dedup}
        members.update({key: value for key, value in given.items() if value is not None})
        return self.client.publish(TopicArn=self.arn, Message=message, **members)

    def publish_batch(self, *entries):
        """PublishBatch: entries are messages, or dicts; Ids are 0, 1, 2 … unless given."""
        as_dicts = [{"Message": e} if isinstance(e, str) else e for e in entries]
        return self.client.publish_batch(
            TopicArn=self.arn,
            PublishBatchRequestEntries=[{"Id": str(i), **e} for i, e in enumerate(as_dicts)],
        )

    def publish_all(self, messages):
        """PublishBatch as often as it takes; nothing may fail."""
        for start in range(0, len(messages), 10):
            assert self.publish_batch(*messages[start : start + 10])["Failed"] == []

    def subscribe(self, protocol, endpoint, **attributes):
        """Subscribe; returns the ARN, of a subscription that is pending too."""
        members = {"Attributes": as_texts(attributes)} if attributes else {}
        return self.client.subscribe(
            TopicArn=self.arn,
            Protocol=protocol,
            Endpoint=endpoint,
            ReturnSubscriptionArn=True,
            **members,
        )["SubscriptionArn"]

    def inbox(self, raw=True, fifo=False, queue=None, **attributes):
        """A new queue that is subscribed; `queue`: attributes of the queue."""
        if raw:
            attributes["RawMessageDelivery"] = "true"
        made = self.sns.sqs.queue(fifo=fifo, **(queue or {}))
        return Inbox(made, self.subscribe("sqs", made.arn, **attributes))

    def subscriptions(self):
        """ListSubscriptionsByTopic, the first page."""
        return self.client.list_subscriptions_by_topic(TopicArn=self.arn)["Subscriptions"]


class Inbox(Queue):
    """A queue that is subscribed to a topic: a Queue, with the ARN of the subscription."""

    def __init__(self, queue, subscription):
        super().__init__(queue.service, queue.name, queue.url)
        self.subscription = subscription

    def only(self, *bodies):
        """Exactly these bodies come, in any order."""
        found = [message["Body"] for message in self.drain(len(bodies))]
        assert sorted(found) == sorted(bodies)
        assert self.bodies() == []

    def envelope(self):
        """The one notification that must be there."""
        return json.loads(self.one(AttributeNames=["All"], MessageAttributeNames=["All"])["Body"])


def as_texts(attributes):
    """Attributes as SNS wants them: documents may be given as dicts."""
    return {
        key: json.dumps(value) if isinstance(value, (dict, list)) else str(value)
        for key, value in attributes.items()
    }


def as_tags(tags):
    """A dict as a list of tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def shown(sns, subscription):
    """GetSubscriptionAttributes."""
    return sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]


def change(sns, subscription, **attributes):
    """SetSubscriptionAttributes, one call for each."""
    for name, value in as_texts(attributes).items():
        sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
        )


@lru_cache
def certificate(url):
    """The certificate at a SigningCertURL."""
    answer = get(url)
    assert answer.status == 200, answer
    return x509.load_pem_x509_certificate(answer.body)


def verify_signature(message):
    """The signature of an envelope is that of its certificate's key. Raises InvalidSignature."""
    names = [name for name in SIGNED[message["Type"]] if name in message]
    signed = "".join(f"{name}\n{message[name]}\n" for name in names)
    certificate(message["SigningCertURL"]).public_key().verify(
        base64.b64decode(message["Signature"], validate=True),
        signed.encode(),
        padding.PKCS1v15(),
        HASHES[message["SignatureVersion"]],
    )
