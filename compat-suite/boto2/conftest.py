"""Connections of boto 2; what was made with them is deleted at the end of a test."""

import importlib
import sys
import types
from urllib.parse import urlsplit

import pytest

# In place of boto's own copy of six, whose modules Python 3.12 cannot import any more.
SIX = (
    "six",
    "six.moves",
    "six.moves.http_client",
    "six.moves.queue",
    "six.moves.urllib",
    "six.moves.urllib.error",
    "six.moves.urllib.parse",
    "six.moves.urllib.request",
)
sys.modules |= {f"boto.vendored.{name}": importlib.import_module(name) for name in SIX}
if sys.version_info >= (3, 12):
    # boto imports it for plug-ins, of which there are none.
    sys.modules["imp"] = types.ModuleType("imp")

from boto.regioninfo import RegionInfo  # noqa: E402
from boto.sns.connection import SNSConnection  # noqa: E402
from boto.sqs.connection import SQSConnection  # noqa: E402

from suite.clients import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, SESSION_TOKEN  # noqa: E402
from suite.service import unique  # noqa: E402


def connection(kind, endpoint):
    """A connection of this class to the server."""
    url = urlsplit(endpoint)
    return kind(
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        security_token=SESSION_TOKEN,
        is_secure=url.scheme == "https",
        port=url.port,
        region=RegionInfo(name=REGION, endpoint=url.hostname),
    )


@pytest.fixture
def sns(endpoint):
    """A connection to SNS."""
    return connection(SNSConnection, endpoint)


@pytest.fixture
def topic(sns):
    """The ARN of a new topic."""
    made = sns.create_topic(unique("t"))
    arn = made["CreateTopicResponse"]["CreateTopicResult"]["TopicArn"]
    yield arn
    sns.delete_topic(arn)


@pytest.fixture
def queue(endpoint):
    """A new queue."""
    made = connection(SQSConnection, endpoint).create_queue(unique())
    yield made
    made.delete()
