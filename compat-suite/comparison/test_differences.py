"""What counts as a difference, on answers made up for it."""

from suite.comparison.cases import as_python
from suite.comparison.differences import compared
from suite.comparison.normal_form import Facts

LEFT = Facts(["http://left"], "000000000000", "us-east-1", "aaaaaa")
RIGHT = Facts(["https://sqs.right"], "210987654321", "eu-west-1", "bbbbbb")
DEFAULTS = {"service": "sqs", "protocol": "json", "region": "r", "gathering": None, "thread": 0}


def record(*answers, operation="ReceiveMessage"):
    """A test whose calls were answered like this."""
    calls = [
        DEFAULTS
        | {"operation": operation, "parameters": {}, "status": 200, "headers": {}}
        | {"start": number, "end": number, "answer": answer}
        for number, answer in enumerate(answers)
    ]
    made = {"test": "test", "behaviours": [], "outcome": "passed", "why": ""}
    return made | {"calls": calls}


def differing(left, right, **how):
    """The members that differ: path, left, right."""
    comparison = compared(record(*left, **how), record(*right, **how), LEFT, RIGHT, "0123456")
    return [
        (member.path, member.left, member.right)
        for difference in comparison.differences
        for member in difference.members
    ]


def test_names_of_the_servers_do_not_count():
    left = {
        "QueueUrl": "http://left/000000000000/compat-q-aaaaaa0123456000",
        "Arn": "arn:aws:sqs:us-east-1:000000000000:compat-q-aaaaaa0123456000",
        "SentTimestamp": "1767323045000",
        "MessageId": "00000000-0000-4000-8000-000000000000",
    }
    right = {
        "QueueUrl": "https://sqs.right/210987654321/compat-q-bbbbbb0123456000",
        "Arn": "arn:aws:sqs:eu-west-1:210987654321:compat-q-bbbbbb0123456000",
        "SentTimestamp": "1767323099999",
        "MessageId": "11111111-1111-4111-8111-111111111111",
    }
    assert differing([left], [right], operation="GetQueueAttributes") == []
    in_seconds = right | {"SentTimestamp": "1767323099"}
    (difference,) = differing([left], [in_seconds], operation="GetQueueAttributes")
    assert difference == ("SentTimestamp", "<milliseconds>", "<seconds>")


def test_the_same_handle_again_differs_from_a_new_one():
    new = [{"ReceiptHandle": "left handle one"}, {"ReceiptHandle": "left handle two"}]
    again = [{"ReceiptHandle": "right handle one"}, {"ReceiptHandle": "right handle one"}]
    assert differing(new, again, operation="Any") == [
        ("ReceiptHandle", "<receipt handle:2>", "<receipt handle:1>")
    ]
    assert differing(new, [again[0], {"ReceiptHandle": "another"}], operation="Any") == []


def test_json_in_a_text_is_compared_by_members_order_and_spaces():
    left = {"Body": '{"MessageId":"00000000-0000-4000-8000-000000000000","a":1}'}
    right = {"Body": '{"MessageId":"11111111-1111-4111-8111-111111111111","a":2}'}
    assert differing([left], [right], operation="Any") == [("Body.a", 1, 2)]
    right = {"Body": '{"a":1,"MessageId":"11111111-1111-4111-8111-111111111111"}'}
    ((path, *_),) = differing([left], [right], operation="Any")
    assert path == "Body (order of its members)"
    right = {"Body": '{"MessageId": "11111111-1111-4111-8111-111111111111", "a": 1}'}
    ((path, *_),) = differing([left], [right], operation="Any")
    assert path == "Body (spaces)"


def test_order_counts_in_fifo_queues_only():
    messages = [{"Body": "a"}, {"Body": "b"}]
    left, right = record({"Messages": messages}), record({"Messages": messages[::-1]})
    assert not compared(left, right, LEFT, RIGHT, "0123456").differs
    for side in (left, right):
        side["calls"][0]["parameters"] = {"QueueUrl": "http://elsewhere/0/q.fifo"}
    assert compared(left, right, LEFT, RIGHT, "0123456").differs


def test_an_outcome_is_a_difference_by_itself():
    right = record({}) | {"outcome": "failed", "why": "too late"}
    assert compared(record({}), right, LEFT, RIGHT, "0123456").differs


def test_bytes_of_a_case():
    assert as_python(b"a1\x00\xff'") == "b'a1\\x00\\xff\\x27'"


def test_lists_of_the_account_count_with_what_the_test_made_only():
    def listing(tag, *others):
        own = f"http://elsewhere/0/compat-q-{tag}0123456000"
        made = record({"QueueUrls": [own]}, {"QueueUrls": [*others, own]}, operation="ListQueues")
        made["calls"][0]["parameters"] = {"QueueNamePrefix": "compat-q"}
        return made

    left, right = listing("aaaaaa", "http://elsewhere/0/others"), listing("bbbbbb")
    assert not compared(left, right, LEFT, RIGHT, "0123456").differs


def test_looking_until_something_has_changed_is_one_call():
    left = ({"Status": "RUNNING"}, {"Status": "RUNNING"}, {"Status": "COMPLETED"})
    assert differing(left, left[2:], operation="ListMessageMoveTasks") == []
    ((path, *_),) = differing(left[:2], left[2:], operation="ListMessageMoveTasks")
    assert path == "Status"


def test_an_account_that_a_test_makes_up_is_asked_for_on_both_sides():
    left, right = record({"a": 1}, operation="Any"), record({"a": 2}, operation="Any")
    for side in (left, right):
        side["calls"][0]["parameters"] = {"Endpoint": "http://localhost:4566/000000000000/q"}
    assert compared(left, right, LEFT, RIGHT, "0123456").differences
