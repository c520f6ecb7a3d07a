"""awslocal, told the endpoint by its variables and not by its arguments."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.service import unique

PROGRAM = str(Path(sys.executable).with_name("awslocal"))


def awslocal(*arguments, **environment):
    """Runs it; returns the parsed output, None when there is none."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, PROGRAM, *arguments],
        env={"PATH": path, "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture(params=["AWS_ENDPOINT_URL", "LOCALSTACK_HOST"])
def told(request, endpoint):
    """Both variables by which it is told."""
    if request.param == "LOCALSTACK_HOST" and not endpoint.startswith("http://"):
        pytest.skip("the variable is a host, and the scheme http")
    return {request.param: endpoint.removeprefix("http://" if "HOST" in request.param else "")}


@pytest.mark.behaviour("programs-08", "queues-01", "messages-01", "sts-01")
def test_script(told, json_sqs):
    name = unique()
    url = awslocal("sqs", "create-queue", "--queue-name", name, **told)["QueueUrl"]
    json_sqs.adopt(name, url)
    awslocal("sqs", "send-message", "--queue-url", url, "--message-body", "größe", **told)
    (message,) = awslocal("sqs", "receive-message", "--queue-url", url, **told)["Messages"]
    assert message["Body"] == "größe"
    assert f"/{awslocal('sts', 'get-caller-identity', **told)['Account']}/" in url
