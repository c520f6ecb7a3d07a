"""compat-suite/compare: no difference between a server and itself, and the known ones from moto's server."""

import json
import os
import subprocess
import time

import pytest

from suite.behaviours import SUITE
from suite.clients import get
from suite.comparison.command import main
from suite.server import free_port

# Few, because each costs seconds on a busy machine, and of all kinds: both services and protocols, ids,
# handles, times, envelopes, batches, FIFO, plain HTTP.
OF_ALL_KINDS = (
    "test_new_handle_with_each_receive or (test_fifo and test_receive_attempt)"
    " or test_bad_handle_fails_alone or (test_listing and test_pages) or test_modelled_error_in_json"
    " or (test_sns_delivery and test_envelope) or (test_sns_subscriptions and test_pending)"
)
KNOWN = "(test_delay and test_range) or test_characters_outside_the_set or test_key_twice"
EQUAL = "test_group_on_a_standard_queue or test_new_handle_with_each_receive"


def compare(*arguments):
    """Runs the program."""
    return subprocess.run(
        [str(SUITE / "compare"), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="session")
def endpoint():
    """The server that the suite is run against."""
    return os.environ["SQUAB_ENDPOINT"]


@pytest.fixture(scope="session")
def moto():
    """moto's server, in an environment of its own."""
    folder = SUITE / "comparison" / "moto"
    venv = subprocess.check_output([str(SUITE / "python" / "venv")], cwd=folder, text=True).strip()
    port = free_port()
    process = subprocess.Popen(
        [venv, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url)
        yield url
    finally:
        process.kill()
        process.wait()


def wait_for(url):
    """Returns when the server answers."""
    end = time.monotonic() + 60
    while True:
        try:
            get(f"{url}/moto-api/")
            return
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def test_a_server_does_not_differ_from_itself(endpoint, tmp_path):
    report = tmp_path / "report.json"
    done = compare(
        *(endpoint, endpoint, "-k", OF_ALL_KINDS, "--query", "--workers", "0"),
        *("--json", str(report)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())["totals"]
    assert found["differing_answers"] == found["differing_tests"] == 0
    assert found["compared_tests"] >= 10
    assert done.stdout.splitlines()[-1].startswith("0 answers differ, in 0 of ")


def test_known_differences_from_moto_are_found(endpoint, moto, tmp_path):
    report = tmp_path / "report.json"
    done = compare(
        *(endpoint, moto, "-k", f"{KNOWN} or {EQUAL}", "--retries", "0", "--workers", "1"),
        *("--json", str(report), "--save", str(tmp_path / "cases")),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    tests = {test["test"]: test for test in json.loads(report.read_text())["tests"]}

    negative = tests["test_delay.py::test_range[json--1]"]
    assert list(negative["behaviours"]) == ["delay-04"]
    (difference,) = negative["differences"]
    assert difference["operation"] == "sqs SendMessage (json)"
    assert difference["parameters"]["DelaySeconds"] == -1
    members = {member["path"]: member for member in difference["members"]}
    assert (members["status"]["left"], members["status"]["right"]) == (400, 200)
    assert members["Error"]["left"]["Code"] == "InvalidParameterValue"
    assert members["Error"]["right"] == "(absent)"
    assert negative["right"]["outcome"] == "failed"

    assert tests["test_messages.py::test_characters_outside_the_set[json-\\x07]"]["differs"]
    assert tests["test_sns_tags.py::test_key_twice"]["differs"]
    assert not tests["test_messages.py::test_group_on_a_standard_queue[json]"]["differs"]
    assert not tests["test_messages.py::test_new_handle_with_each_receive[json]"]["differs"]

    assert "  call 2: sqs SendMessage (json) " in done.stdout
    assert "\n      left   400\n      right  200\n" in done.stdout
    assert "  right stops early, after " in done.stdout
    cases = (tmp_path / "cases" / "sqs-compare.jsonl").read_text().splitlines()
    saved = {case["case"]: case for case in map(json.loads, cases)}["delay-range-json-1-2"]
    assert saved.pop("source").startswith("observed: Werkzeug/")
    saved["request"][1][1].pop("MessageBody")
    assert saved == {
        "case": "delay-range-json-1-2",
        "protocol": "json",
        "request": [
            ["CreateQueue", {"QueueName": "q"}],
            ["SendMessage", {"QueueUrl": "$q", "DelaySeconds": -1}],
        ],
        "answer": {
            "status": 200,
            "body": {
                "MD5OfMessageBody": "78e731027d8fd50ed642340b7c9a63b3",
                "MessageId": "<uuid:1>",
            },
        },
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("http://127.0.0.1:1",), "http://127.0.0.1:1: Could not connect"),
        (("https://sqs.us-east-1.amazonaws.com",), "is AWS: say `aws` or `aws:REGION`"),
        (("aws:nowhere",), "no region; say aws:REGION"),
        (("aws:eu-west-1",), "aws: no credentials"),
        (("localhost",), "an ENDPOINT is a URL, `aws` or `aws:REGION`"),
        (("http://127.0.0.1:1", "--only", "birds-01"), "not in behaviours.md: birds-01"),
    ],
)
def test_what_cannot_be_compared(endpoint, tmp_path, monkeypatch, capsys, arguments, says):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert status((endpoint, *arguments)) == 2
    assert says in capsys.readouterr().err


def test_no_test_fits(endpoint, capsys):
    nothing = ("-k", "a_test_that_is_not_there", "--workers", "0")
    assert status((endpoint, endpoint, *nothing)) == 2
    assert "no behaviour of the suite fits" in capsys.readouterr().err


def status(arguments):
    """The exit status of the program, run in this process."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code
