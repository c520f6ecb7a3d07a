"""The calls of a test as steps that two servers can be compared by.

A step is a call with its answer. Where chance decides how many calls it takes, several calls are one step:
receiving until the messages are there, looking again and again until something has changed, what is posted
to an HTTP endpoint in any order, and the pages of a list that everything in the account is in.
"""

import json
from dataclasses import dataclass

from suite.comparison.normal_form import blank

# Lists of everything in the account, and the member that holds it.
ACCOUNT_WIDE = {
    "ListTopics": "Topics",
    "ListSubscriptions": "Subscriptions",
    "ListPlatformApplications": "PlatformApplications",
    "ListQueues": "QueueUrls",
}
ENDPOINT = "HTTP endpoint"  # the service of what is posted to the tests


@dataclass
class Step:
    """An answer to compare, how it was come by, and the calls as they were recorded."""

    service: str
    protocol: str
    operation: str
    parameters: dict
    status: int | None
    headers: dict
    answer: object
    calls: list

    @property
    def name(self):
        """The operation, and in which protocol it was called."""
        return f"{self.service} {self.operation} ({self.protocol})"


def steps_of(calls, own_part):
    """The steps of the test's own thread, and those of the one thread beside it.

    With several threads at once their calls have no order, so they make no steps. `own_part` is in the name
    of everything that the test has made.
    """
    beside = {call["thread"] for call in calls} - {0}
    of_thread = {0, *beside} if len(beside) == 1 else {0}
    answered = [call for call in calls if "status" in call]
    return [
        merged([call for call in answered if call["thread"] == thread], own_part)
        for thread in sorted(of_thread)
    ]


def merged(calls, own_part):
    """The calls of a thread as steps."""
    steps, group = [], []
    for call in calls:
        if group and not belongs_to(group, call):
            steps.append(step_of(group, own_part))
            group = []
        group.append(call)
    return [*steps, step_of(group, own_part)] if group else steps


def belongs_to(group, call):
    """Whether a call goes on with what these calls do."""
    first = group[0]
    if first["gathering"] is not None or call["gathering"] is not None:
        return first["gathering"] == call["gathering"]
    if first["service"] == ENDPOINT:
        return call["service"] == ENDPOINT and first["parameters"] == call["parameters"]
    if is_account_wide(first) and is_account_wide(call):
        return first["operation"] == call["operation"]
    same = all(first[name] == call[name] for name in ("service", "operation", "parameters"))
    return same and is_reading(call["operation"])


def is_reading(operation):
    """Whether an operation leaves everything as it is."""
    return operation.startswith(("Get", "List", "Check"))


def is_account_wide(call):
    """Whether a call lists what others have made, too."""
    return call["operation"] in ACCOUNT_WIDE and not call["parameters"].get("QueueNamePrefix")


def step_of(calls, own_part):
    """A step out of one or several calls."""
    first = calls[0]
    if first["gathering"] is not None:
        return gathered(calls)
    if first["service"] == ENDPOINT:
        return posts(calls)
    last = calls[-1]
    answer = last["answer"]
    if is_account_wide(first) and isinstance(answer, dict) and first["service"] != "plain HTTP":
        answer = {k: v for k, v in answer.items() if k != "NextToken"}
        member = ACCOUNT_WIDE[first["operation"]]
        entries = [entry for call in calls for entry in call["answer"].get(member, [])]
        answer[member] = [entry for entry in entries if own_part in json.dumps(entry)]
    if first["operation"] == "ReceiveMessage" and isinstance(answer, dict):
        answer = sorted_messages(answer, first["parameters"])
    return step(last, answer, calls)


def step(call, answer, calls):
    """A step that looks like this call."""
    asked = {name: call[name] for name in ("service", "protocol", "operation", "parameters")}
    return Step(
        **asked, status=call["status"], headers=call["headers"], answer=by_id(answer), calls=calls
    )


def gathered(calls):
    """Receives until the messages are there, and the deletes in between."""
    first = calls[0]
    refused = next((call for call in calls if call["status"] != 200), None)
    if refused:
        return step(refused, refused["answer"], calls)
    messages = [message for call in calls for message in call["answer"].get("Messages", [])]
    answer = sorted_messages({"Messages": messages}, first["parameters"])
    return step(first | {"operation": "ReceiveMessage until all is there"}, answer, calls)


def posts(calls):
    """What was posted to an HTTP endpoint, in an order that does not depend on chance."""
    found = [{"headers": call["headers"], "body": call["answer"]} for call in calls]
    found.sort(key=lambda post: blank(post["body"]))
    return step(calls[0] | {"headers": {}}, {"posts": found}, calls)


def sorted_messages(answer, parameters):
    """Messages of a standard queue in an order that does not depend on chance."""
    url = parameters.get("QueueUrl", "")
    messages = answer.get("Messages")
    if not isinstance(messages, list) or not isinstance(url, str) or url.endswith(".fifo"):
        return answer
    return answer | {"Messages": sorted(messages, key=lambda one: blank(str(one.get("Body"))))}


def by_id(answer):
    """The answer with the results of a batch in the order of their ids."""
    if not isinstance(answer, dict):
        return answer
    return {
        name: sorted(value, key=lambda one: one["Id"])
        if isinstance(value, list) and all(isinstance(v, dict) and "Id" in v for v in value)
        else value
        for name, value in answer.items()
    }
