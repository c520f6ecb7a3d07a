"""Squab's `awslocal` beside the AWS CLI: the same words, the same output, success or not."""

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from suite.clients import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from suite.server import program

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Each is run by both, one after the other; {url}, {name}, {arn} are of a queue, {topic} is a topic
# that the queue and a mailbox are subscribed to.
COMMANDS = """
sqs list-queues --queue-name-prefix {name}
sqs list-queues --queue-name-prefix {name} --output text
sqs list-queues --queue-name-prefix {name} --query QueueUrls[0] --output text
sqs list-queues --queue-name-prefix {name} --query 'QueueUrls[?contains(@, `{name}`)] | [0]'
sqs list-queues --queue-name-prefix {name} --query 'length(QueueUrls)'
sqs list-queues --queue-name-prefix no-such-queue
sqs list-queues --queue-name-prefix no-such-queue --output text
sqs list-queues --queue-name-prefix no-such-queue --query QueueUrls
sqs list-queues --queue-name-prefix no-such-queue --query QueueUrls --output text
sqs list-queues --cli-input-json '{{"QueueNamePrefix": "{name}"}}'
sqs list-queues --cli-input-json '{{"Nope": "x"}}'
sqs get-queue-url --queue-name {name} --output text
sqs get-queue-url --queue-name no-such-queue
sqs get-queue-attributes --queue-url {url} --attribute-names QueueArn DelaySeconds
sqs get-queue-attributes --queue-url {url} --attribute-name QueueArn --output text
sqs get-queue-attributes --queue-url {url} --attribute-names '["QueueArn"]'
sqs get-queue-attributes --queue-url {url} --attribute-names All --query 'to_number(Attributes.VisibilityTimeout)'
sqs send-message --queue-url {url} --message-body help
sqs send-message --queue-url {url} --message-body '["a", 1]'
sqs send-message --queue-url {url} --message-body a --message-attributes 'k={{DataType=String,StringValue="x, y"}}'
sqs send-message --queue-url {url} --message-body a --message-attributes '{{"k":{{"DataType":"Number","StringValue":"5"}}}}'
sqs send-message --queue-url {url} --message-bod a
sqs send-message --queue-url {url}
sqs send-message --queue-url {url} --message-body file:///no/such/file
sqs send-message-batch --queue-url {url} --entries Id=1,MessageBody=a Id=2,MessageBody=b,DelaySeconds=1
sqs set-queue-attributes --queue-url {url} --attributes VisibilityTimeout=31,DelaySeconds=0
sqs tag-queue --queue-url {url} --tags team=birds,tier=1
sqs list-queue-tags --queue-url {url}
sqs untag-queue --queue-url {url} --tag-keys team tier
sqs receive-message --queue-url {url} --max-number-of-messages 1 --visibility-timeout 0 --query 'Messages[].MessageId|length(@)'
sqs change-message-visibility --queue-url {url} --receipt-handle nonsense --visibility-timeout 5
sqs no-such-operation
sns get-topic-attributes --topic-arn {topic} --query Attributes.TopicArn --output text
sns list-subscriptions-by-topic --topic-arn {topic} --output text
sns list-subscriptions-by-topic --topic-arn {topic} --query 'Subscriptions[?Protocol==`sqs`].[Protocol,Endpoint]' --output text
sns list-subscriptions-by-topic --topic-arn {topic} --query 'Subscriptions[].{{a:Protocol,b:Endpoint}}' --output text
sns list-subscriptions-by-topic --topic-arn {topic} --max-items 1 --query Subscriptions[0].TopicArn
sns subscribe --topic-arn {topic} --protocol sqs --notification-endpoint {arn}
sns subscribe --topic-arn {topic} --protocol email --notification-endpoint a@example.com --return-subscription-arn
sns subscribe --topic-arn {topic} --protocol email --notification-endpoint a@example.com --no-return-subscription-arn
sns publish --topic-arn {topic} --message a --subject b --output text
sns publish --topic-arn {topic}x --message a
sns tag-resource --resource-arn {topic} --tags Key=a,Value=b Key=c,Value=d
sns list-tags-for-resource --resource-arn {topic} --output text
sts get-caller-identity --query Account --output text
""".strip().splitlines()


def run(words, command, endpoint, home):
    """Whether it succeeds, and what it prints, without what is new each time."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SQUAB_"))}
    environment |= {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "HOME": str(home),
    }
    done = subprocess.run(
        [*words, "--endpoint-url", endpoint, *shlex.split(command)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    printed = UUID.sub("UUID", done.stdout)
    # Else it is text, or nothing.
    with suppress(ValueError):
        printed = json.loads(printed)
    error = re.search(r"An error occurred .*", done.stderr)
    return done.returncode == 0, printed, error and error[0]


@pytest.mark.behaviour("programs-08")
@pytest.mark.parametrize("part", range(4))
def test_same(part, endpoint, own_program, json_sqs, sns, tmp_path):
    queue, topic = json_sqs.queue(), sns.topic()
    named = {
        "url": queue.url,
        "name": queue.url.rsplit("/", 1)[1],
        "arn": queue.arn,
        "topic": topic.arn,
    }
    for protocol, to in (("sqs", queue.arn), ("email", "a@example.com")):
        sns.subscribe(TopicArn=topic.arn, Protocol=protocol, Endpoint=to)
    aws, own = [str(Path(sys.executable).with_name("aws"))], [str(Path(program()).with_name("awslocal"))]
    for command in COMMANDS[part::4]:
        command = command.format(**named)
        theirs = run(aws, command, endpoint, tmp_path)
        assert run(own, command, endpoint, tmp_path) == theirs, command
