"""The words in which the tests speak: a service, SQS with its queues, and refusals."""

import time
import uuid
from contextlib import contextmanager, suppress

import pytest
from botocore.exceptions import ClientError

from suite.digests import md5_of_attributes, md5_of_body

# AWS's errors that have no shape in the model, and so no exception of their own.
UNTYPED = {
    "InvalidParameterValue": "InvalidParameterValueException",
    "MissingParameter": "MissingRequiredParameterException",
}


def random_suffix():
    """Sixteen random characters."""
    return uuid.uuid4().hex[:16]


# How names differ from each other. A comparison of two servers needs the same names on both.
suffix = random_suffix


def unique(name="q"):
    """A queue name that no other test has."""
    return f"compat-{name}-{suffix()}"


def text(value):
    """A String attribute."""
    return {"DataType": "String", "StringValue": value}


class Caller:
    """A service through boto3. Calls are those of the client."""

    def __init__(self, client):
        self.client = client
        self.protocol = client.meta.service_model.metadata["protocol"]

    def __getattr__(self, call):
        return getattr(self.client, call)

    @contextmanager
    def refuses(self, code, status=400, says=None, typed=None):
        """Expects the call inside to be refused with this Query code and status.

        `says` is the whole message. `typed` is the name of the modelled exception; without it
        errors outside the model must be the general one, and others are not looked at.
        """
        with pytest.raises(ClientError) as caught:
            yield
        self.check_refusal(caught.value, code, status, says, typed)

    def check_refusal(self, error, code, status=400, says=None, typed=None):
        """Looks at an error; see `refuses`."""
        found = error.response["Error"]
        codes = (code,) if isinstance(code, str) else code
        assert found["Code"] in codes, found
        assert found.get("Type") in ("Sender", None), found
        statuses = (status,) if isinstance(status, int) else status
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] in statuses, found
        if says is not None:
            assert found["Message"] == says
        if typed:
            assert isinstance(error, getattr(self.client.exceptions, typed)), type(error)
        elif found["Code"] in UNTYPED:
            assert type(error) is ClientError
            if self.protocol == "json":
                assert found["QueryErrorCode"] == UNTYPED[found["Code"]]


class Service(Caller):
    """SQS in one protocol. See `queue`."""

    def __init__(self, client):
        super().__init__(client)
        self._made = []
        self.given = {}  # attributes of every queue that is made here

    def queue(self, name="q", fifo=False, tags=None, **attributes):
        """A new queue with these attributes (values of any type are turned into text)."""
        name = unique(name) + (".fifo" if fifo else "")
        attributes = self.given | attributes
        if fifo:
            attributes["FifoQueue"] = "true"
        members = {"QueueName": name}
        if attributes:
            members["Attributes"] = {key: str(value) for key, value in attributes.items()}
        if tags:
            members["tags"] = tags
        return self.adopt(name, self.client.create_queue(**members)["QueueUrl"])

    def adopt(self, name, url):
        """A queue that the test made by itself: it is deleted at the end of the test."""
        queue = Queue(self, name, url)
        self._made.append(queue)
        return queue

    def clean_up(self):
        """Deletes the queues that were made here."""
        for queue in self._made:
            with suppress(ClientError):  # the test may have deleted it
                self.client.delete_queue(QueueUrl=queue.url)


class Queue:
    """A queue: its name, URL, and the calls on it. Every digest that passes by is verified."""

    def __init__(self, service, name, url):
        self.service = service
        self.client = service.client
        self.name = name
        self.url = url

    @property
    def arn(self):
        return self.attributes("QueueArn")["QueueArn"]

    def attributes(self, *names):
        """GetQueueAttributes; all of them when no name is given."""
        asked = {"QueueUrl": self.url, "AttributeNames": list(names) or ["All"]}
        return self.client.get_queue_attributes(**asked).get("Attributes", {})

    def set(self, **attributes):
        """SetQueueAttributes."""
        self.client.set_queue_attributes(
            QueueUrl=self.url, Attributes={key: str(value) for key, value in attributes.items()}
        )

    def counts(self):
        """Visible, in flight, delayed."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        found = self.attributes(*names)
        return tuple(int(found[name]) for name in names)

    def send(self, body="message", group=None, dedup=None, **members):
        """SendMessage."""
        members.update(self._fifo(group, dedup))
        answer = self.client.send_message(QueueUrl=self.url, MessageBody=body, **members)
        assert answer["MD5OfMessageBody"] == md5_of_body(body)
        verify(answer, "MD5OfMessageAttributes", members.get("MessageAttributes"))
        verify(answer, "MD5OfMessageSystemAttributes", members.get("MessageSystemAttributes"))
        return answer

    @staticmethod
    def _fifo(group, dedup):
        given = {"MessageGroupId": group, "MessageDeduplicationId": dedup}
        return {key: value for key, value in given.items() if value is not None}

    def send_batch(self, *entries):
        """SendMessageBatch: entries are bodies, or dicts without Id; Ids are 0, 1, 2 …"""
        as_dicts = [{"MessageBody": e} if isinstance(e, str) else e for e in entries]
        return self.client.send_message_batch(
            QueueUrl=self.url, Entries=[{"Id": str(i), **e} for i, e in enumerate(as_dicts)]
        )

    def answer(self, **members):
        """ReceiveMessage, the whole answer."""
        answer = self.client.receive_message(QueueUrl=self.url, **members)
        for message in answer.get("Messages", []):
            assert message["MD5OfBody"] == md5_of_body(message["Body"])
            verify(message, "MD5OfMessageAttributes", message.get("MessageAttributes"))
        return answer

    def receive(self, count=10, **members):
        """ReceiveMessage, the messages."""
        return self.answer(MaxNumberOfMessages=count, **members).get("Messages", [])

    def bodies(self, count=10, **members):
        """ReceiveMessage, the bodies."""
        return [message["Body"] for message in self.receive(count, **members)]

    def one(self, **members):
        """ReceiveMessage of the one message that must be there, waiting for it if need be."""
        members.setdefault("WaitTimeSeconds", 5)
        (message,) = self.receive(1, **members)
        return message

    def drain(self, expected, patience=5, delete=True, **members):
        """Receives (and deletes) until `expected` messages came; fails after `patience` seconds."""
        found = []
        end = time.monotonic() + patience
        while len(found) < expected and time.monotonic() < end:
            for message in self.receive(10, WaitTimeSeconds=1, **members):
                found.append(message)
                if delete:
                    self.delete(message)
        assert len(found) == expected, f"{len(found)} of {expected} messages came"
        return found

    def delete(self, message):
        """DeleteMessage of a received message, or by a handle."""
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=handle_of(message))

    def hide(self, message, seconds):
        """ChangeMessageVisibility of a received message, or by a handle."""
        self.client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=handle_of(message), VisibilityTimeout=seconds
        )


def handle_of(message):
    """The receipt handle of a message, or the handle itself."""
    return message if isinstance(message, str) else message["ReceiptHandle"]


def verify(answer, field, attributes):
    """The digest `field` of the answer is that of the attributes, and absent without any."""
    if attributes:
        assert answer[field] == md5_of_attributes(attributes)
    else:
        assert field not in answer


class Elapsed:
    """Seconds since it was made."""

    def __init__(self):
        self._start = time.monotonic()

    def __call__(self):
        return time.monotonic() - self._start
