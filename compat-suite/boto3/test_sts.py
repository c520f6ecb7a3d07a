"""STS: who calls, and temporary keys."""

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from suite.clients import boto, boto_sns, boto_sts
from suite.server import Server


@pytest.fixture(scope="module")
def sts(endpoint, sts_endpoint):
    """The boto3 client of STS."""
    if ".amazonaws.com" in endpoint:
        pytest.skip("AWS issues keys for roles that exist, and the test has none")
    return boto_sts(sts_endpoint)


def temporary(answer):
    """The key of an answer."""
    found = answer["Credentials"]
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def issued(sts, account):
    """Keys of both operations."""
    role = f"arn:aws:iam::{account}:role/birds"
    yield temporary(sts.assume_role(RoleArn=role, RoleSessionName="compat"))
    yield temporary(sts.get_session_token(DurationSeconds=900))


@pytest.mark.behaviour("sts-01")
def test_identity(sts, sns):
    identity = sts.get_caller_identity()
    assert identity["Account"] == sns.topic().account
    assert identity["Arn"].startswith("arn:aws:")
    assert identity["Account"] in identity["Arn"]
    assert identity["UserId"]


@pytest.mark.behaviour("sts-02")
def test_temporary_keys(sts, sns):
    topic = sns.topic()
    for key in issued(sts, topic.account):
        assert (
            boto_sts(sns.meta.endpoint_url, key).get_caller_identity()["Account"] == topic.account
        )
        shown = boto_sns(sns.meta.endpoint_url, key).get_topic_attributes(TopicArn=topic.arn)
        assert shown["Attributes"]["TopicArn"] == topic.arn


@pytest.mark.behaviour("sts-03")
def test_temporary_keys_are_verified(own_program, tmp_path):
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIACOMPAT\naws_secret_access_key = secret\n")
    with Server("--ephemeral", "--auth", "strict", "--credentials", str(file)) as server:
        own = Credentials("AKIACOMPAT", "secret")
        account = (sts := boto_sts(server.endpoint, own)).get_caller_identity()["Account"]
        for key in issued(sts, account):
            assert boto(server.endpoint, credentials=key).list_queues()["ResponseMetadata"]
            assert boto_sns(server.endpoint, key).list_topics()["Topics"] == []
            for bad in [
                Credentials(key.access_key, key.secret_key, None),
                Credentials(key.access_key, key.secret_key, key.token[:-4] + "AAAA"),
                Credentials(key.access_key, "wrong", key.token),
            ]:
                with pytest.raises(ClientError) as caught:
                    boto_sns(server.endpoint, bad).list_topics()
                assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
