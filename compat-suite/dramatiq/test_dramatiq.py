"""Workers are started as `dramatiq actors`, and messages sent by the actors themselves."""

import json
import sys
import time

import pytest

from suite.processes import Journal, Program
from suite.service import unique


class Team:
    """An application: its namespace, its journal, and its workers."""

    def __init__(self, endpoint, sqs, **broker):
        self.journal = Journal(sqs)
        self.namespace = unique("dramatiq")
        self.workers = []
        self._environment = {
            "ENDPOINT": endpoint,
            "NAMESPACE": self.namespace,
            "JOURNAL": self.journal.url,
            "BROKER": json.dumps(broker),
        }

    def worker(self, name="worker"):
        """Starts a worker of one process with two threads."""
        command = [sys.executable, "-m", "dramatiq", "actors", "--processes", "1", "--threads", "2"]
        self.workers.append(Program(command, WORKER=name, **self._environment))
        return self.workers[-1]

    def send(self, actor, *arguments, **options):
        """Sends a message in a process of its own, as a web service would."""
        code = f"import actors; actors.{actor}.send_with_options(args={arguments!r}, **{options!r})"
        sender = Program([sys.executable, "-c", code], **self._environment)
        assert sender.wait() == 0, sender.said()


@pytest.fixture
def team(endpoint, json_sqs):
    """Makes teams; ends their workers and deletes their queues."""
    teams = []

    def make(**broker):
        teams.append(Team(endpoint, json_sqs, **broker))
        return teams[-1]

    yield make
    for one in teams:
        for worker in one.workers:
            worker.kill()
            print(worker.said())  # shown when the test failed
        for url in json_sqs.list_queues(QueueNamePrefix=one.namespace).get("QueueUrls", []):
            json_sqs.delete_queue(QueueUrl=url)


def adopted(sqs, team, queue="default"):
    """A queue of a team."""
    name = f"{team.namespace}_{queue}"
    return sqs.adopt(name, sqs.get_queue_url(QueueName=name)["QueueUrl"])


@pytest.mark.behaviour("programs-10", "programs-18", "queues-01", "queues-06")
def test_messages_are_handled_once(team, json_sqs):
    dramatiq = team(tags={"team": "birds"})
    for i in range(3):
        dramatiq.send("say", f"größe {i}")
    worker = dramatiq.worker()
    assert sorted(dramatiq.journal.lines(3)) == [f"größe {i}" for i in range(3)]
    queue = adopted(json_sqs, dramatiq)
    assert worker.stop() == 0
    assert queue.counts() == (0, 0, 0)
    assert json_sqs.list_queue_tags(QueueUrl=queue.url)["Tags"] == {"team": "birds"}


@pytest.mark.behaviour("programs-11", "delay-01")
def test_delay(team):
    dramatiq = team()
    dramatiq.worker()
    sent = time.time()
    dramatiq.send("tell_time", delay=2000)
    assert float(dramatiq.journal.lines(1)[0]) >= sent + 2


@pytest.mark.behaviour("programs-12", "programs-17")
def test_retries_and_dead_letters(team, json_sqs):
    dramatiq = team(dead_letter=True)
    dramatiq.send("fail")
    dramatiq.worker()
    assert dramatiq.journal.lines(3) == ["failed"] * 3
    assert "Body" in adopted(json_sqs, dramatiq, "default_dlq").one(WaitTimeSeconds=20)
    assert dramatiq.journal.is_silent()


@pytest.mark.behaviour("programs-13", "visibility-02")
def test_a_killed_worker(team):
    dramatiq = team(visibility_timeout=2)
    dramatiq.send("hold")
    first = dramatiq.worker("first")
    assert dramatiq.journal.lines(1) == ["first"]
    first.kill()
    dramatiq.worker("second")
    assert dramatiq.journal.lines(1) == ["second"]


@pytest.mark.behaviour("programs-18", "visibility-04", "batches-04")
def test_a_stopped_worker_gives_back_what_it_fetched(team, json_sqs):
    dramatiq = team(visibility_timeout=600)
    for i in range(6):
        dramatiq.send("slow", str(i))
    worker = dramatiq.worker()
    dramatiq.journal.lines(1)
    assert worker.stop() == 0
    visible, in_flight, delayed = adopted(json_sqs, dramatiq).counts()
    assert (in_flight, delayed) == (0, 0)
    assert visible > 0
