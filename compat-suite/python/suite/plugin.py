"""Fixtures, the report of results, and the check of behaviour ids."""

import json
import os
from importlib import metadata
from pathlib import Path

import pytest

# So that their assertions say what they saw.
pytest.register_assert_rewrite("suite.service", "suite.topics", "suite.endpoint")

from suite import behaviours, clients
from suite.conductor import OUR_OWN
from suite.endpoint import HttpEndpoint
from suite.service import Service
from suite.topics import OPEN_TO_SNS, Sns

LISTED = behaviours.listed()
CLIENT = Path.cwd().name


def pytest_collection_modifyitems(items):
    """Every test names what it checks, by ids of the list."""
    for item in items:
        ids = [id for mark in item.iter_markers("behaviour") for id in mark.args]
        unknown = [id for id in ids if id not in LISTED]
        if unknown or not ids:
            raise pytest.UsageError(f"{item.nodeid}: {unknown or 'no'} behaviour of behaviours.md")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """For the report of a worker, which knows the names of marks and not what they say."""
    ids = [id for mark in item.iter_markers("behaviour") for id in mark.args]
    item.user_properties.append(("behaviours", ids))


def pytest_configure(config):
    """Tells the run which client this is."""
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        tell(version=installed_version())


def pytest_runtest_logreport(report):
    """Tells the run what a test proved. Of its phases the call counts, or the first that failed."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return  # the run hears of it where the reports of the workers come together
    if report.when == "call" or report.outcome != "passed":
        tell(
            test=report.nodeid,
            behaviours=dict(report.user_properties).get("behaviours", []),
            outcome=report.outcome,
            seconds=round(report.duration, 2),
        )


def tell(**what):
    """Appends to the results; see `suite.conductor`."""
    with open(os.environ["SQUAB_COMPAT_RESULTS"], "a", encoding="utf-8") as results:
        results.write(json.dumps({"client": CLIENT, **what}) + "\n")


def installed_version():
    """The version of the package under test, empty for what is not installed by that name."""
    try:
        return metadata.version(os.environ.get("SQUAB_COMPAT_PACKAGE", CLIENT))
    except metadata.PackageNotFoundError:
        return ""


@pytest.fixture(scope="session")
def endpoint():
    """The URL of the server, without a slash at the end."""
    return os.environ["SQUAB_ENDPOINT"].rstrip("/")


@pytest.fixture(scope="session")
def sns_endpoint(endpoint):
    """The URL of SNS: that of the server, unless SNS has its own, as at AWS."""
    return os.environ.get("SQUAB_SNS_ENDPOINT", endpoint).rstrip("/")


@pytest.fixture(scope="session")
def sts_endpoint(endpoint):
    """The URL of STS: that of the server, unless STS has its own, as at AWS."""
    return os.environ.get("SQUAB_STS_ENDPOINT", endpoint).rstrip("/")


@pytest.fixture(scope="session")
def own_program():
    """For tests that start their own server: skipped when somebody else's server is tested."""
    if OUR_OWN not in os.environ:
        pytest.skip("starts its own server; an endpoint was given")


@pytest.fixture(scope="session")
def not_aws(endpoint):
    """For forms that only emulators know."""
    if ".amazonaws.com" in endpoint:
        pytest.skip("not a behaviour of AWS")


@pytest.fixture(scope="session")
def boto_json(endpoint):
    """The boto3 client of SQS in AWS JSON."""
    return clients.boto(endpoint, "json")


@pytest.fixture(scope="session")
def boto_query(endpoint):
    """The boto3 client of SQS in AWS Query."""
    return clients.boto(endpoint, "query")


@pytest.fixture(params=["json", "query"])
def sqs(request):
    """SQS in each of the two protocols."""
    service = Service(request.getfixturevalue(f"boto_{request.param}"))
    yield service
    service.clean_up()


@pytest.fixture
def json_sqs(boto_json):
    """SQS in AWS JSON: for what differs, or does not depend on the protocol."""
    service = Service(boto_json)
    yield service
    service.clean_up()


@pytest.fixture
def query_sqs(boto_query):
    """SQS in AWS Query."""
    service = Service(boto_query)
    yield service
    service.clean_up()


@pytest.fixture(scope="session")
def boto_sns(sns_endpoint):
    """The boto3 client of SNS."""
    return clients.boto_sns(sns_endpoint)


@pytest.fixture
def sns(endpoint, boto_sns, json_sqs):
    """SNS, with queues for what it delivers. AWS delivers only where the queue's policy allows it."""
    if ".amazonaws.com" in endpoint or "SQUAB_COMPAT_OPEN_TO_SNS" in os.environ:
        json_sqs.given["Policy"] = OPEN_TO_SNS
    service = Sns(boto_sns, json_sqs)
    yield service
    service.clean_up()


@pytest.fixture
def http(not_aws):
    """An HTTP endpoint on this machine, which AWS could not reach."""
    listening = HttpEndpoint()
    yield listening
    listening.close()
