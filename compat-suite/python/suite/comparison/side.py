"""One of the two servers: where it is, with which credentials, and what the tests leave there."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from suite.behaviours import SUITE
from suite.comparison.normal_form import Facts
from suite.comparison.recorder import is_aws

SERVICES = ("sqs", "sns", "sts")
KEPT = ("SQUAB_QUERY_MODEL", "AWS_CA_BUNDLE")  # variables of the caller that hold no credentials
STOP_TIMEOUT = 60  # seconds in which the tests must stop when they are asked to
RETRIES = {"mode": "standard", "total_max_attempts": 3}
ENDPOINT = {"sqs": "SQUAB_ENDPOINT", "sns": "SQUAB_SNS_ENDPOINT", "sts": "SQUAB_STS_ENDPOINT"}


class CannotRun(Exception):
    """The comparison cannot be made; the text says why."""


@dataclass
class Side:
    """A server. `urls` are those of its services, `credentials` key, secret and session token."""

    name: str
    urls: dict
    region: str
    credentials: tuple
    is_aws: bool
    account: str = ""
    software: str = ""
    _clients: dict = field(default_factory=dict)

    def client(self, service, region=None):
        """A client of boto3."""
        region = region or self.region
        if (service, region) not in self._clients:
            key, secret, token = self.credentials
            self._clients[service, region] = botocore.session.Session().create_client(
                service,
                region_name=region,
                endpoint_url=self.urls[service],
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                aws_session_token=token,
                config=Config(connect_timeout=5, read_timeout=15, retries=RETRIES),
            )
        return self._clients[service, region]

    def look(self, tag):
        """Finds out the account and the software by means of a queue; raises CannotRun."""
        sqs = self.client("sqs")
        try:
            made = sqs.create_queue(QueueName=f"compat-probe-{tag}")
            try:
                arn = sqs.get_queue_attributes(
                    QueueUrl=made["QueueUrl"], AttributeNames=["QueueArn"]
                )["Attributes"]["QueueArn"]
            finally:
                sqs.delete_queue(QueueUrl=made["QueueUrl"])
        except Exception as problem:  # a server that is none of SQS may answer anything
            raise CannotRun(f"{self.name}: {problem}") from problem
        *_, self.account, _ = arn.split(":")
        self.software = made["ResponseMetadata"]["HTTPHeaders"].get("server", "")

    def facts(self, tag):
        """What is left out of its answers."""
        return Facts(sorted(set(self.urls.values())), self.account, self.region, tag)

    def environment(self):
        """The environment of the tests: that of the caller, and no other credentials than these."""
        foreign = ("AWS_", "SQUAB_", "BOTO")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        kept |= {name: os.environ[name] for name in KEPT if name in os.environ}
        key, secret, token = self.credentials
        variables = {ENDPOINT[service]: url for service, url in self.urls.items()}
        variables |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        variables |= {"AWS_REGION": self.region, "AWS_EC2_METADATA_DISABLED": "true"}
        return kept | variables | ({"AWS_SESSION_TOKEN": token} if token else {})

    def record(self, folder, tag, arguments):
        """Runs the tests, and returns what they recorded: name of the test to record."""
        folder.mkdir()
        command = ["./run", "-p", "suite.comparison.recorder", "--tb=no", "-r", "", "--no-header"]
        command += ["--record-to", str(folder), "--record-tag", tag, *arguments]
        environment = self.environment() | {"SQUAB_COMPAT_RESULTS": os.devnull}
        environment["SQUAB_COMPAT_OPEN_TO_SNS"] = "1"  # AWS needs it; both sides are asked the same
        log = folder / "log"
        try:
            with log.open("wb") as output:
                tests = subprocess.Popen(
                    command,
                    cwd=SUITE / "boto3",
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            status = end_of(tests)
        finally:
            self.clean_up(folder, tag)
        if status not in (0, 1):
            said = log.read_text(errors="replace")[-2000:]
            none = "no behaviour of the suite fits; " if status == 5 else ""
            raise CannotRun(f"{none}the tests against {self.name} ended with {status}:\n{said}")
        return {record["test"]: record for record in lines(folder, "tests")}

    def clean_up(self, folder, tag):
        """Deletes what the tests made and left. Only names with the tag of the run are touched."""
        for made in lines(folder, "made"):
            if tag not in made["name"]:
                continue
            try:
                self.delete(**made)
            except Exception as problem:  # whatever it is, the others are to be deleted
                if not is_gone(problem):
                    why = str(problem).splitlines()[0][:200]
                    print(f"{self.name}: not deleted: {made['name']}: {why}", file=sys.stderr)

    def delete(self, operation, region, name):
        """Deletes what an operation made in a region."""
        if operation == "CreateQueue":
            self.client("sqs", region).delete_queue(QueueUrl=name)
        elif operation == "CreatePlatformApplication":
            self.client("sns", region).delete_platform_application(PlatformApplicationArn=name)
        else:
            delete_topic(self.client("sns", region), name)


def end_of(tests):
    """Waits for the tests; returns their status. When the comparison is stopped, they are stopped first,
    so that they make nothing after the clean-up."""
    try:
        return tests.wait()
    finally:
        for sign in (signal.SIGINT, signal.SIGKILL):
            if tests.poll() is None:
                os.killpg(tests.pid, sign)
                with suppress(subprocess.TimeoutExpired):
                    tests.wait(STOP_TIMEOUT)


def is_gone(problem):
    """Whether a call failed because there is nothing of this name."""
    code = problem.response["Error"]["Code"] if isinstance(problem, ClientError) else ""
    return "NonExistent" in code or "NotFound" in code or "DoesNotExist" in code


def delete_topic(sns, arn):
    """Deletes a topic, and its archive first if it has one."""
    try:
        sns.delete_topic(TopicArn=arn)
    except sns.exceptions.InvalidStateException:
        sns.set_topic_attributes(TopicArn=arn, AttributeName="ArchivePolicy", AttributeValue="{}")
        sns.delete_topic(TopicArn=arn)


def lines(folder, kind):
    """What the processes of a run wrote down."""
    found = []
    for file in sorted(folder.glob(f"*.{kind}.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):  # the run was cut short
                found.append(json.loads(line))
    return found


def sides(texts):
    """The two servers that the command line names; raises CannotRun."""
    regions = [region_of_aws(text) for text in texts]
    fallback = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    # The same region on both sides: it is part of what they answer.
    of_url = next(filter(None, regions), fallback)
    return [
        aws(region) if region else server(text, of_url)
        for text, region in zip(texts, regions, strict=True)
    ]


def region_of_aws(text):
    """The region of `aws` or `aws:REGION`; None for a URL."""
    name, _, region = text.partition(":")
    if name != "aws":
        return None
    region = region or botocore.session.Session().get_config_variable("region") or ""
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d+", region):
        raise CannotRun(f"{text}: no region; say aws:REGION, for instance aws:eu-west-1")
    return region


def aws(region):
    """AWS itself, with the credentials that the AWS CLI would take."""
    session = botocore.session.Session()
    try:
        found = session.get_credentials()
        if found is None:
            raise CannotRun("aws: no credentials; set AWS_PROFILE, or run `aws configure`")
        key = found.get_frozen_credentials()
    except BotoCoreError as problem:
        raise CannotRun(f"aws: {problem}") from problem
    urls = {
        service: session.create_client(service, region_name=region).meta.endpoint_url
        for service in SERVICES
    }
    # An endpoint of the caller's own configuration is not AWS.
    if not all(map(is_aws, urls.values())):
        raise CannotRun(f"aws: an endpoint of AWS's is replaced by the configuration: {urls}")
    credentials = (key.access_key, key.secret_key, key.token)
    return Side(f"aws:{region}", urls, region, credentials, is_aws=True)


def server(url, region):
    """Another server, with the credentials test and test."""
    where = urlsplit(url)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise CannotRun(f"{url}: an ENDPOINT is a URL, `aws` or `aws:REGION`")
    if is_aws(url):
        raise CannotRun(f"{url} is AWS: say `aws` or `aws:REGION` if you mean it")
    urls = dict.fromkeys(SERVICES, url.rstrip("/"))
    return Side(url.rstrip("/"), urls, region, ("test", "test", None), is_aws=False)
