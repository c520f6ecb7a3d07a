"""A plugin of pytest that writes down what every test asked of the server, and what it was answered.

Each process of a run writes two files into the folder `--record-to`. In `PROCESS.tests.jsonl` each line is a
test: its name, its behaviours, its outcome and its calls in order. In `PROCESS.made.jsonl` each line is a
queue, topic or platform application, written as soon as it is there, so that it can be deleted even when
the run is cut short.
"""

import copy
import datetime
import functools
import itertools
import json
import os
import threading
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

import botocore.session
import pytest

from suite import clients, endpoint, service
from suite.comparison import own_names

# What a header says matters, or only that it is there.
HEADERS = ("content-type", "x-amzn-query-error")
PRESENT = ("x-amzn-requestid",)
# Of what a call made: the member that names it in the answer.
MADE = {
    "CreateQueue": "QueueUrl",
    "CreateTopic": "TopicArn",
    "CreatePlatformApplication": "PlatformApplicationArn",
}


class ForeignHost(Exception):
    """A test wanted to call AWS while another server was asked for."""


def pytest_addoption(parser):
    """The options that `suite.comparison.command` gives."""
    group = parser.getgroup("recorder")
    group.addoption("--record-to", type=Path)
    group.addoption("--record-tag", help="part of every name that is made, six characters")
    group.addoption("--record-query", action="store_true", help="SQS in the Query protocol too")
    group.addoption("--record-behaviours", default="", help="ids, with commas; none: all")
    group.addoption("--record-tests", type=Path, help="a file with a JSON list of names of tests")


def pytest_configure(config):
    """Begins to record."""
    folder = config.getoption("--record-to")
    if folder is None:
        return
    recorder = Recorder(folder, config.getoption("--record-tag"))
    config.pluginmanager.register(recorder, "the recorder")
    watch_clients(recorder)
    watch_plain_http(recorder)
    watch_deliveries(recorder)
    service.suffix = recorder.suffix
    service.Queue.drain = recorder.gathered(service.Queue.drain)


def pytest_collection_modifyitems(config, items):
    """Leaves out what was not asked for."""
    if config.getoption("--record-to") is None:
        return
    file = config.getoption("--record-tests")
    tests = set(json.loads(file.read_text())) if file else None
    wanted = set(filter(None, config.getoption("--record-behaviours").split(",")))
    query = config.getoption("--record-query")
    kept, left_out = [], []
    for item in items:
        chosen = tests is None or item.nodeid in tests
        chosen = chosen and (not wanted or bool(wanted.intersection(behaviours_of(item))))
        chosen = chosen and (query or not speaks_query(item))
        (kept if chosen else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def behaviours_of(item):
    """The ids that a test names."""
    return [id for mark in item.iter_markers("behaviour") for id in mark.args]


def speaks_query(item):
    """Whether a test calls SQS through boto3 in the Query protocol."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return parameters.get("sqs") == "query" or "query_sqs" in item.fixturenames


class Recorder:
    """The calls of the test that runs. Tests run one after the other; a test may have threads."""

    def __init__(self, folder, tag):
        self._name = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self._folder = folder
        self._tag = tag
        self._lock = threading.Lock()
        self._here = threading.local()
        self._gatherings = itertools.count(1)
        self._begin("")

    def _begin(self, test):
        self._test = test
        self._calls = []
        self._threads = {}
        self._suffixes = itertools.count()
        self._reports = []

    def suffix(self):
        """The last part of a name: two runs give a queue the same name but for the tag."""
        return own_names.suffix(self._tag, self._test, next(self._suffixes))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        """A test begins."""
        self._begin(item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        """A phase of it has ended."""
        report = yield
        self._reports.append(report)
        if report.when == "teardown":
            self._write(item)
        return report

    def _write(self, item):
        failed = next((report for report in self._reports if report.outcome != "passed"), None)
        with self._lock:
            calls = copy.deepcopy(self._calls)
        line = {
            "test": item.nodeid,
            "behaviours": behaviours_of(item),
            "outcome": failed.outcome if failed else "passed",
            "why": reason(failed) if failed else "",
            "calls": calls,
        }
        self._append("tests", line)

    def _append(self, kind, line):
        with open(self._folder / f"{self._name}.{kind}.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=shown) + "\n")

    def begin(self, service_name, protocol, operation, parameters, region=clients.REGION):
        """A call begins; returns it, to be handed to `end`."""
        call = {
            "service": service_name,
            "region": region,
            "protocol": protocol,
            "operation": operation,
            "parameters": copy.deepcopy(parameters),
            "start": time.monotonic(),
            "gathering": getattr(self._here, "gathering", None),
        }
        with self._lock:
            here = threading.get_ident() if threading.current_thread() is not MAIN else 0
            threads = self._threads
            call["thread"] = 0 if here == 0 else threads.setdefault(here, len(threads) + 1)
            self._calls.append(call)
        self._here.call = call
        return call

    def note_header(self, name):
        """The call of this thread is sent with a header that its parameters do not show."""
        self._here.call.setdefault("sent_headers", []).append(name)

    def end(self, call, **answer):
        """A call has been answered."""
        with self._lock:
            call["end"] = time.monotonic()
            call |= copy.deepcopy(answer)
        self._note_what_was_made(call)

    def _note_what_was_made(self, call):
        member = MADE.get(call["operation"])
        answer = call.get("answer")
        if member and call.get("status") == 200 and isinstance(answer, dict):
            found = next(values_of(answer, member), None)
            if isinstance(found, str) and self._tag in found:
                made = {"operation": call["operation"], "region": call["region"], "name": found}
                self._append("made", made)

    def gathered(self, function):
        """A function that receives as often as it takes: how often is a matter of chance."""

        @functools.wraps(function)
        def gathering(*arguments, **named):
            self._here.gathering = next(self._gatherings)
            try:
                return function(*arguments, **named)
            finally:
                self._here.gathering = None

        return gathering


MAIN = threading.main_thread()


def values_of(tree, name):
    """The values of every member of this name, wherever they are."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        if key == name:
            yield value
        yield from values_of(value, name)
    for item in tree if isinstance(tree, list) else ():
        yield from values_of(item, name)


def reason(report):
    """Why a test failed or was skipped, in a line."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    said = (crash.message if crash else str(report.longrepr)).splitlines() or [""]
    where = f"line {crash.lineno}: " if crash else ""
    return where + said[0][:300]


def shown(value):
    """What JSON has no form for."""
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes(value).hex(" ")}
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return repr(value)


def refuse_foreign_host(url):
    """Raises ForeignHost when a test would call AWS though AWS was not asked for."""
    if is_aws(url) and not is_aws(os.environ["SQUAB_ENDPOINT"]):
        raise ForeignHost(f"not sent, because it is AWS that would get it: {url}")


def is_aws(url):
    """Whether AWS answers at this URL."""
    host = urlsplit(url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".aws.dev", ".api.aws"))


def watch_clients(recorder):
    """Records the calls of every client of boto3."""
    create_client = botocore.session.Session.create_client

    def watched(*arguments, **named):
        client = create_client(*arguments, **named)
        protocol = client.meta.service_model.metadata["protocol"]

        def begins(params, model, context, **_):
            called = model.service_model.service_name, protocol, model.name
            region = client.meta.region_name
            context["recorded"] = recorder.begin(*called, params, region)

        def sends(request, **_):
            refuse_foreign_host(request.url)
            if "X-Amzn-Trace-Id" in request.headers:
                recorder.note_header("X-Amzn-Trace-Id")

        def answered(parsed, context, **_):
            answer = without_repetition(parsed)
            metadata = answer.pop("ResponseMetadata", {})
            said = metadata.get("HTTPHeaders", {})
            recorder.end(
                context["recorded"],
                status=metadata.get("HTTPStatusCode"),
                headers=relevant(said),
                answer=answer,
            )

        def failed(exception, context, **_):
            recorder.end(context["recorded"], status=None, headers={}, answer=repr(exception))

        events = client.meta.events
        events.register_first("before-parameter-build.*.*", begins)
        events.register_first("before-send.*.*", sends)
        events.register_last("after-call.*.*", answered)
        events.register_last("after-call-error.*.*", failed)
        return client

    botocore.session.Session.create_client = watched


def without_repetition(parsed):
    """An answer of botocore, which has the text of an error in up to three places, with it in one."""
    answer = dict(parsed)
    if isinstance(error := answer.get("Error"), dict):
        answer.pop("message", None)
        answer["Error"] = {
            k: v for k, v in error.items() if k != "message" or "Message" not in error
        }
    return answer


def relevant(headers):
    """Of the headers those that belong to the protocol."""
    lower = {name.lower(): value for name, value in headers.items()}
    said = {name: lower[name] for name in HEADERS if name in lower}
    return said | {name: "(present)" for name in PRESENT if name in lower}


def watch_plain_http(recorder):
    """Records the calls of `suite.clients.send`."""
    send = clients.send

    def watched(request):
        refuse_foreign_host(request.url)
        operation, parameters = called(request)
        call = recorder.begin("plain HTTP", request.method, operation, parameters)
        try:
            answer = send(request)
        except Exception as problem:
            recorder.end(call, status=None, headers={}, answer=repr(problem))
            raise
        headers = relevant(answer.headers)
        recorder.end(call, status=answer.status, headers=headers, answer=parsed(answer.body))
        return answer

    clients.send = watched


def called(request):
    """Operation and parameters of a plain HTTP request, as far as they can be read."""
    where = urlsplit(request.url)
    parameters = {k: v for k, v in parse_qsl(where.query) if not k.startswith("X-Amz-")}
    body = request.data if isinstance(request.data, bytes) else str(request.data or "").encode()
    target = request.headers.get("X-Amz-Target", "")
    if "x-www-form-urlencoded" in request.headers.get("Content-Type", ""):
        parameters |= dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    elif body:
        parameters["(body)"] = parsed(body)
    parameters["(path)"] = where.path
    operation = target.rpartition(".")[2] or parameters.get("Action") or "request"
    return operation, parameters


def parsed(body):
    """The body of an answer: a tree if it is JSON or XML, else text."""
    text = body.decode(errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return text
    return {root.tag: tree(root)}


def tree(element):
    """An element of XML as a dict; elements of the same name make a list."""
    children = {}
    for child in element:
        children.setdefault(child.tag.rpartition("}")[2], []).append(tree(child))
    if not children:
        return element.text or ""
    return {name: found if len(found) > 1 else found[0] for name, found in children.items()}


def watch_deliveries(recorder):
    """Records what was posted to an HTTP endpoint when a test looks at it."""
    look = endpoint.HttpEndpoint.next

    def watched(self, kind=None):
        call = recorder.begin("HTTP endpoint", "HTTP", "look", {"kind": kind})
        post = look(self, kind)
        unstable = {"host", "content-length", "connection", "date"}
        headers = {k: v for k, v in post.headers.items() if k not in unstable}
        recorder.end(call, status=200, headers=headers, answer=post.body)
        return post

    endpoint.HttpEndpoint.next = watched
