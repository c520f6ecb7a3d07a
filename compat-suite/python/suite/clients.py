"""Clients: boto3 in both protocols, and plain signed HTTP for what boto3 hides."""

import json
import os
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import botocore.session
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from suite.behaviours import SUITE

ACCESS_KEY_ID = os.environ.get("AWS_ACCESS_KEY_ID", "test")
SECRET_ACCESS_KEY = os.environ.get("AWS_SECRET_ACCESS_KEY", "test")
SESSION_TOKEN = os.environ.get("AWS_SESSION_TOKEN")
REGION = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
QUERY_MODEL = Path(
    os.environ.get("SQUAB_QUERY_MODEL", SUITE / ".cache" / "query-model" / "botocore" / "data")
)
NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"
VERSION = "2012-11-05"
SNS_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
SNS_VERSION = "2010-03-31"
OWN = Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN)


def boto(endpoint, protocol="json", credentials=OWN, region=REGION):
    """A boto3 client of SQS that speaks `json` or `query`."""
    session = botocore.session.Session()
    if protocol == "query":
        if not QUERY_MODEL.is_dir():
            raise RuntimeError(f"{QUERY_MODEL} is missing: ./run sets it up")
        # Before the models of the installed botocore.
        session.get_component("data_loader").search_paths.insert(0, str(QUERY_MODEL))
    client = _client(session, "sqs", endpoint, credentials, region)
    assert client.meta.service_model.metadata["protocol"] == protocol
    return client


def boto_sns(endpoint, credentials=OWN, region=REGION):
    """A boto3 client of SNS, which speaks Query alone."""
    return _client(botocore.session.Session(), "sns", endpoint, credentials, region)


def boto_sts(endpoint, credentials=OWN):
    """A boto3 client of STS, which speaks Query alone."""
    return _client(botocore.session.Session(), "sts", endpoint, credentials, REGION)


def _client(session, service, endpoint, credentials, region):
    """It validates nothing itself, so that what the tests send arrives, and it never tries again,
    so that an error is seen."""
    return session.create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
        config=Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            read_timeout=30,
            max_pool_connections=50,
        ),
    )


class Answer:
    """An HTTP answer: status, headers, body as bytes, text, JSON or XML."""

    def __init__(self, response):
        self.status = response.status_code
        self.headers = response.headers
        self.body = response.content

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def xml(self):
        """The root element, with the namespace left on every name."""
        return ElementTree.fromstring(self.body)

    def element(self, path, namespace=NAMESPACE):
        """The text of the element at `path` (names without namespace), or None."""
        return self.xml.findtext("/".join(f"{{{namespace}}}{name}" for name in path.split("/")))

    def elements(self, path):
        """The elements at `path` (names without namespace)."""
        return self.xml.findall("/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))

    @property
    def code(self):
        """The error's Query code, wherever the protocol has it; None for a success."""
        if self.status < 400:
            return None
        if self.body.lstrip().startswith(b"{"):
            return self.headers.get("x-amzn-query-error", "").split(";")[0]
        return self.xml.findtext("{*}Error/{*}Code")

    def __repr__(self):
        return f"{self.status} {self.text}"


def send(request):
    """Sends an AWSRequest as it is."""
    with_timeout = URLLib3Session(timeout=30)
    try:
        return Answer(with_timeout.send(request.prepare()))
    finally:
        with_timeout.close()


def signed(method, url, body=b"", headers=None, credentials=OWN, service="sqs"):
    """A request with an Authorization header over method, URL, headers and body."""
    request = AWSRequest(method, url, data=body, headers=headers or {})
    SigV4Auth(credentials, service, REGION).add_auth(request)
    return request


def json_request(endpoint, operation, members, path="/", headers=None, **how):
    """A signed AWS JSON call."""
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    said = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AmazonSQS.{operation}",
        **(headers or {}),
    }
    return signed("POST", endpoint + path, body, said, **how)


def query_request(url, parameters, headers=None, **how):
    """A signed AWS Query call with a form body; `parameters` is a dict, or the text of the form."""
    form = (
        parameters if isinstance(parameters, str) else urlencode({"Version": VERSION, **parameters})
    )
    said = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **(headers or {})}
    return signed("POST", url, form.encode(), said, **how)


def query_call(url, **parameters):
    """The answer to a signed AWS Query call."""
    return send(query_request(url, parameters))


def sns_call(url, **parameters):
    """The answer to a signed call of SNS."""
    return send(query_request(url, {"Version": SNS_VERSION, **parameters}, service="sns"))


def presigned_url(url, parameters, expires=60, credentials=OWN):
    """A presigned GET of the Query call; `expires` in seconds."""
    request = AWSRequest("GET", f"{url}?{urlencode({**parameters, 'Version': VERSION})}")
    SigV4QueryAuth(credentials, "sqs", REGION, expires=expires).add_auth(request)
    return request.url


def get(url):
    """The answer to a GET without any header of ours."""
    return send(AWSRequest("GET", url))
