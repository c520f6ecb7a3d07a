"""Fixtures, the server of the run, and the check of behaviour ids."""

import os

import pytest

# So that their assertions say what they saw.
pytest.register_assert_rewrite("suite.service", "suite.topics", "suite.endpoint")

from suite import behaviours, clients, server
from suite.endpoint import HttpEndpoint
from suite.service import Service
from suite.topics import Sns

LISTED = behaviours.listed()
OUR_OWN = "SQUAB_COMPAT_OWN_SERVER"  # set for the workers when the run started the server itself


def pytest_collection_modifyitems(items):
    """Every test names what it checks, by ids of the list."""
    for item in items:
        ids = [id for mark in item.iter_markers("behaviour") for id in mark.args]
        unknown = [id for id in ids if id not in LISTED]
        if unknown or not (ids or item.name.startswith("test_list_")):
            raise pytest.UsageError(f"{item.nodeid}: {unknown or 'no'} behaviour of behaviours.md")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    """Starts one server for all workers, before the workers start."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    if not os.environ.get("SQUAB_ENDPOINT"):
        try:
            config.server = server.Server()
        except (server.NoProgram, RuntimeError) as problem:
            raise pytest.UsageError(str(problem)) from problem
        os.environ["SQUAB_ENDPOINT"] = config.server.endpoint
        os.environ[OUR_OWN] = "1"


def pytest_unconfigure(config):
    """Stops the server of the run."""
    if hasattr(config, "server"):
        config.server.kill()
        del os.environ["SQUAB_ENDPOINT"], os.environ[OUR_OWN]


def pytest_report_header(config):
    """Says what is tested."""
    return f"endpoint: {os.environ.get('SQUAB_ENDPOINT', 'a server of our own')}"


@pytest.fixture(scope="session")
def endpoint():
    """The URL of the server, without a slash at the end."""
    return os.environ["SQUAB_ENDPOINT"].rstrip("/")


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
def botos(endpoint):
    """One boto3 client per protocol."""
    return {protocol: clients.boto(endpoint, protocol) for protocol in ("json", "query")}


@pytest.fixture(params=["json", "query"])
def sqs(request, botos):
    """SQS in each of the two protocols."""
    service = Service(botos[request.param])
    yield service
    service.clean_up()


@pytest.fixture
def json_sqs(botos):
    """SQS in AWS JSON: for what differs, or does not depend on the protocol."""
    service = Service(botos["json"])
    yield service
    service.clean_up()


@pytest.fixture
def query_sqs(botos):
    """SQS in AWS Query."""
    service = Service(botos["query"])
    yield service
    service.clean_up()


@pytest.fixture(scope="session")
def boto_sns(endpoint):
    """The boto3 client of SNS."""
    return clients.boto_sns(endpoint)


@pytest.fixture
def sns(boto_sns, json_sqs):
    """SNS, with queues for what it delivers."""
    service = Sns(boto_sns, json_sqs)
    yield service
    service.clean_up()


@pytest.fixture
def http(not_aws):
    """An HTTP endpoint on this machine, which AWS could not reach."""
    listening = HttpEndpoint()
    yield listening
    listening.close()
