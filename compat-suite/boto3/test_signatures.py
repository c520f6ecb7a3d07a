"""Signatures, on a server of our own that verifies them."""

import re
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from suite.clients import OWN, boto, get, json_request, presigned_url, query_request, send
from suite.server import Server
from suite.service import Service

KNOWN = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
WRONG = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYANOTHERKEY")
UNKNOWN = Credentials("AKIDNOBODYKNOWS", KNOWN.secret_key)
MISMATCH = "The request signature we calculated does not match the signature you provided."
LIST = {"Action": "ListQueues"}


@pytest.fixture(scope="module")
def strict(own_program, tmp_path_factory):
    """The URL of a server that knows one key and verifies every call."""
    file = tmp_path_factory.mktemp("strict") / "credentials.toml"
    file.write_text(
        "[[credential]]\n"
        f'access_key_id = "{KNOWN.access_key}"\n'
        f'secret_access_key = "{KNOWN.secret_key}"\n'
    )
    with Server("--ephemeral", "--credentials", str(file), "--auth", "strict") as server:
        yield server.endpoint


def requests(endpoint, credentials):
    """The same call three ways: AWS JSON, a Query form, a presigned GET."""
    yield json_request(endpoint, "ListQueues", {}, credentials=credentials)
    yield query_request(endpoint + "/", LIST, credentials=credentials)
    yield AWSRequest("GET", presigned_url(endpoint + "/", LIST, credentials=credentials))


def check(answer, code, json_type, status=403, says=""):
    """The answer is this refusal, in whichever protocol it came."""
    assert (answer.status, answer.code) == (status, code), answer
    if answer.body.startswith(b"{"):
        assert answer.json["__type"].split("#")[-1] == json_type
        message = answer.json["message"]
    else:
        message = answer.element("Error/Message")
    assert says in message


def mismatch(answer, says=""):
    """The answer is SignatureDoesNotMatch."""
    check(answer, "SignatureDoesNotMatch", "InvalidSignatureException", says=says)


@pytest.mark.behaviour("signatures-01")
@pytest.mark.parametrize("protocol", ["json", "query"])
def test_right_signature(strict, protocol):
    sqs = Service(boto(strict, protocol, KNOWN))
    queue = sqs.queue()
    queue.send("a b+ä")
    assert queue.bodies() == ["a b+ä"]
    for request in requests(strict, KNOWN):
        assert send(request).status == 200
    told = {"Action": "SendMessage", "MessageBody": "a b+ä/~*'"}
    assert get(presigned_url(queue.url, told, credentials=KNOWN)).status == 200
    assert queue.bodies() == ["a b+ä/~*'"]


@pytest.mark.behaviour("signatures-02")
def test_wrong_secret(strict):
    for request in requests(strict, WRONG):
        mismatch(send(request), MISMATCH)
    sqs = Service(boto(strict, credentials=WRONG))
    with sqs.refuses("SignatureDoesNotMatch", status=403):
        sqs.list_queues()


@pytest.mark.behaviour("signatures-03")
@pytest.mark.parametrize("credentials", [UNKNOWN, OWN])
def test_unknown_key(strict, credentials):
    for request in requests(strict, credentials):
        says = "The security token included in the request is invalid."
        check(send(request), "InvalidClientTokenId", "UnrecognizedClientException", says=says)


@pytest.mark.behaviour("signatures-04")
def test_no_signature(strict):
    for request in requests(strict, KNOWN):
        del request.headers["Authorization"]  # which is none of the presigned one
        request.url = re.sub(r"&X-Amz-[^&]*", "", request.url)
        check(send(request), "MissingAuthenticationToken", "MissingAuthenticationTokenException")


def signed_at(moment, make):
    """What `make` signs as if it were another time."""
    with patch.object(auth, "get_current_datetime", lambda *_: moment.replace(tzinfo=None)):
        return make()


def now():
    return datetime.now(UTC)


@pytest.mark.behaviour("signatures-05")
def test_expired_presigned_url(strict):
    url = signed_at(
        now() - timedelta(seconds=70), lambda: presigned_url(strict + "/", LIST, 60, KNOWN)
    )
    answer = get(url)
    assert answer.status in (403, 400)
    assert answer.code in ("SignatureDoesNotMatch", "RequestExpired")
    url = signed_at(
        now() - timedelta(hours=2), lambda: presigned_url(strict + "/", LIST, 3 * 3600, KNOWN)
    )
    assert get(url).status == 200


@pytest.mark.behaviour("signatures-06")
def test_changed_on_the_way(strict):
    def changed(**parts):
        request = json_request(strict, "ListQueues", {"MaxResults": 7}, credentials=KNOWN)
        for part, value in parts.items():
            if part == "target":
                request.headers.replace_header("X-Amz-Target", value)
            else:
                setattr(request, part, value)
        return send(request)

    assert changed().status == 200
    mismatch(changed(data=b'{"MaxResults": 8}'))
    mismatch(changed(url=strict + "/000000000000/q"))
    mismatch(changed(url=strict + "/?MaxResults=8"))
    mismatch(changed(target="AmazonSQS.DeleteQueue"))
    url = presigned_url(strict + "/", {"Action": "ListQueues", "MaxResults": 7}, credentials=KNOWN)
    assert get(url).status == 200
    mismatch(get(url.replace("MaxResults=7", "MaxResults=8")))
    mismatch(get(url + "&QueueNamePrefix=q"))
    mismatch(get(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")))


@pytest.mark.behaviour("signatures-07")
@pytest.mark.parametrize(
    ("minutes", "says"), [(-16, "Signature expired: "), (16, "Signature not yet current: ")]
)
def test_wrong_time(strict, minutes, says):
    moment = now() + timedelta(minutes=minutes)
    make = lambda: json_request(strict, "ListQueues", {}, credentials=KNOWN)  # noqa: E731
    mismatch(send(signed_at(moment, make)), says)
    make = lambda: query_request(strict + "/", LIST, credentials=KNOWN)  # noqa: E731
    mismatch(send(signed_at(moment, make)), says)


@pytest.mark.behaviour("signatures-07")
@pytest.mark.parametrize("minutes", [-14, 14])
def test_clock_a_little_off(strict, minutes):
    make = lambda: json_request(strict, "ListQueues", {}, credentials=KNOWN)  # noqa: E731
    assert send(signed_at(now() + timedelta(minutes=minutes), make)).status == 200


@pytest.mark.behaviour("signatures-08")
@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/sqs/aws4_request",
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102, SignedHeaders=host, Signature=00",
    ],
)
def test_incomplete_header(strict, header):
    request = query_request(strict + "/", LIST, credentials=KNOWN)
    request.headers.replace_header("Authorization", header)
    check(send(request), "IncompleteSignature", "IncompleteSignatureException", status=400)
    request = json_request(strict, "ListQueues", {}, credentials=KNOWN)
    request.headers.replace_header("Authorization", header)
    check(send(request), "IncompleteSignature", "IncompleteSignatureException", status=400)


@pytest.mark.behaviour("signatures-08")
@pytest.mark.parametrize("part", ["X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"])
def test_incomplete_presigned_url(strict, part):
    url = presigned_url(strict + "/", LIST, credentials=KNOWN)
    answer = get(re.sub(rf"&{part}=[^&]*", "", url))
    check(answer, "IncompleteSignature", "IncompleteSignatureException", status=400)


@pytest.mark.behaviour("signatures-06")
def test_presigned_url_without_its_expiry(strict):
    """It was signed, so the signature differs; whether it also counts as missing is not documented."""
    url = presigned_url(strict + "/", LIST, credentials=KNOWN)
    answer = get(re.sub(r"&X-Amz-Expires=[^&]*", "", url))
    refusals = [(403, "SignatureDoesNotMatch"), (400, "IncompleteSignature")]
    assert (answer.status, answer.code) in refusals


@pytest.mark.behaviour("signatures-09")
def test_scope(strict):
    mismatch(send(json_request(strict, "ListQueues", {}, credentials=KNOWN, service="s3")))
    request = json_request(strict, "ListQueues", {}, credentials=KNOWN)
    given = request.headers["Authorization"]
    request.headers.replace_header("Authorization", re.sub(r"/\d{8}/", "/20200101/", given))
    mismatch(
        send(request),
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
    )


@pytest.mark.behaviour("signatures-10")
def test_signature_before_parameters(strict):
    mismatch(send(json_request(strict, "ReceiveMessage", {}, credentials=WRONG)))
    mismatch(send(json_request(strict, "FlyAway", {}, credentials=WRONG)))
    mismatch(send(query_request(strict + "/", {"Action": "ReceiveMessage"}, credentials=WRONG)))
