"""Differences as cases of tests/recorded: the calls that lead to an answer, and the answer.

What the cases can say is defined by tests/recorded.rs. A difference that they cannot say is not saved, and a
line says why. Both sides answered differently, so one is the reference: AWS, else the right one.
"""

import json
import math
import re
from dataclasses import dataclass, field

from suite.comparison.normal_form import Facts, JsonText, NormalForm, Text, Token
from suite.comparison.steps import is_reading
from suite.topics import OPEN_TO_SNS

# Where the replay has its queues and topics.
ENDPOINT = "http://localhost:4566"
ACCOUNT = "000000000000"
REGION = "us-east-1"
QUEUES = f"{ENDPOINT}/{ACCOUNT}/"
QUEUE_ARNS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
TOPIC_ARNS = f"arn:aws:sns:{REGION}:{ACCOUNT}:"
ALIASES = ("q", "a", "b", "dlq")  # the queues that a case can have
VARIABLES = re.compile(r"\$(?:t|s|e|app|q|a|b|dlq)|<\w[\w -]*(?::\d+)?>|<[aA] x")
NAME = re.compile(r"compat-\w+-[0-9a-f]{13}\d{3}")
LONGEST_NAME = 40  # characters; the names of a case are shorter
LONGEST = 20_000  # characters of a line
NOTHING = Facts([], "(no account)", "(no region)", "", "(no account)")
DOMAINS = {
    "SigningCertURL": "cert-domain",
    "UnsubscribeURL": "unsubscribe-domain",
    "SubscribeURL": "subscribe-domain",
}
# Tokens of an answer, as the replay knows them.
NUMBERED = {"uuid", "receipt handle", "sequence number", "sender id", "task handle", "token"}
PLAIN = {"signature": "<signature>", "md5": "<md5-hash>"}


class NotSaid(Exception):
    """A case cannot say this; the text says what."""


def save(comparisons, sides, folder):
    """Writes sqs-compare.jsonl and sns-compare.jsonl; returns lines that say what was saved and what not."""
    reference = 0 if sides[0].is_aws else 1
    side = sides[reference]
    seen = f"observed: {side.software or side.name}"
    source = "recorded" if side.is_aws else seen
    cases, not_saved = {"sqs": [], "sns": []}, []
    for comparison in comparisons:
        for difference in comparison.differences:
            step = (difference.left_step, difference.right_step)[reference]
            record = (comparison.left, comparison.right)[reference]
            try:
                service, case = case_of(comparison.test, difference, step, record["calls"], side)
            except NotSaid as problem:
                not_saved.append(f"  {comparison.test}, call {difference.number}: {problem}")
            else:
                line = json.dumps(
                    case | {"source": source}, ensure_ascii=False, separators=(",", ":")
                )
                cases[service].append(line.replace("\u2028", "\\u2028").replace("\x85", "\\u0085"))
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for service, found in cases.items():
        file = folder / f"{service}-compare.jsonl"
        file.write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
        lines.append(f"{file}: {len(found)} cases, answers of {side.name}")
    return lines + (["not saved:", *not_saved] if not_saved else [])


def case_of(test, difference, step, calls, side):
    """The service and the case of a difference; raises NotSaid."""
    if all(member.path.startswith("headers") for member in difference.members):
        raise NotSaid("only headers differ")
    last = the_one_call(step)
    before = [call for call in calls if call["start"] < last["start"] and "status" in call]
    if last["thread"] or any(call["thread"] for call in before):
        raise NotSaid("calls at the same time")
    kept = [call for call in before if not is_reading(call["operation"])] + [last]
    foreign = {call["service"] for call in kept} - {"sqs", "sns"}
    if foreign:
        raise NotSaid(f"{' and '.join(sorted(foreign))} takes part")
    if any("sent_headers" in call for call in kept):
        raise NotSaid("a header of a request")
    of_sns = any(call["service"] == "sns" for call in kept)
    story = Story(side, of_sns)
    request = story.request(kept)
    answer = story.answer(last)
    case = {
        "case": name_of(test, difference.number),
        "protocol": "query" if of_sns else last["protocol"],
        "request": request,
        "answer": answer,
    }
    if len(json.dumps(case)) > LONGEST:
        raise NotSaid("too long")
    return ("sns" if of_sns else "sqs"), case


def the_one_call(step):
    """The call whose answer is that of the step; raises NotSaid when it took several."""
    if step.service not in ("sqs", "sns"):
        raise NotSaid(step.service)
    if all(call["parameters"] == step.parameters for call in step.calls) and (
        len(step.calls) == 1 or is_reading(step.operation)
    ):
        return step.calls[-1]
    full = [call for call in step.calls if messages_of(call)]
    if len(full) == 1:
        return full[0]
    raise NotSaid("several answers in one")


def messages_of(call):
    """The messages that a call received."""
    received = call["operation"] == "ReceiveMessage" and isinstance(call["answer"], dict)
    return call["answer"].get("Messages", []) if received else []


def name_of(test, number):
    """`sns_filters.py::test_numeric[a b]` as `sns-filters-numeric-a-b-NUMBER`."""
    file, _, function = test.partition("::")
    words = f"{file.removesuffix('.py').removeprefix('test_')} {function.removeprefix('test_')}"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") + f"-{number}"


@dataclass
class Story:
    """The words of a case: what the tests called their queues and topics is q, a, b, dlq and t here."""

    side: object
    of_sns: bool
    names: dict = field(default_factory=dict)
    handles: list = field(default_factory=list)
    last_arns: dict = field(default_factory=dict)
    numbers: dict = field(default_factory=dict)

    def request(self, calls):
        """The steps; the last one is the call that was answered."""
        steps, end = [], None
        for call in calls:
            if not self.of_sns and end is not None:
                steps += ["wait 1 s"] * int(call["start"] - end + 0.2)
            end = call["end"]
            waited = end - call["start"] if call["operation"] == "ReceiveMessage" else 0
            if not self.of_sns and waited > 0.5 and messages_of(call):
                steps += ["wait 1 s"] * math.ceil(waited)  # a poll of the replay does not wait
            self.name_what_is_made(call)
            operation = call["operation"]
            if self.of_sns and call["service"] == "sqs":
                operation = f"sqs {operation}"
            steps.append([operation, self.asked(call["parameters"], "")])
            if call is not calls[-1]:
                self.learn(call)
        return steps

    def name_what_is_made(self, call):
        """Gives the queue or the topic that this call makes the next free name."""
        name = call["parameters"].get("QueueName" if call["service"] == "sqs" else "Name", "")
        found = NAME.search(name if isinstance(name, str) else "")
        if call["operation"] not in ("CreateQueue", "CreateTopic") or not found:
            return
        if len(name) > LONGEST_NAME:
            raise NotSaid("a name whose length matters")
        free = [alias for alias in ALIASES if alias not in self.names.values()]
        if call["operation"] == "CreateTopic":
            free = ["t"] if "t" not in self.names.values() else []
        if found[0] not in self.names:
            if not free:
                raise NotSaid("more queues or topics than a case has names for")
            self.names[found[0]] = free[0]

    def learn(self, call):
        """Remembers what later calls speak of."""
        answer = call["answer"] if isinstance(call["answer"], dict) else {}
        self.handles += [one["ReceiptHandle"] for one in messages_of(call)]
        for variable, member in (
            ("$s", "SubscriptionArn"),
            ("$app", "PlatformApplicationArn"),
            ("$e", "EndpointArn"),
        ):
            if call["service"] == "sns" and isinstance(answer.get(member), str):
                self.last_arns[variable] = self.own_words(answer[member])

    def own_words(self, text):
        """A text with the server, the account and the names of the replay."""
        facts = self.side.facts("")
        for endpoint in facts.endpoints:
            text = text.replace(endpoint, ENDPOINT)
        text = re.sub(rf"(?<![\w-]){facts.account}(?![\w-])", ACCOUNT, text)
        text = re.sub(rf"(?<=arn:aws:s[qn]s:){facts.region}(?=:)", REGION, text)
        for name, alias in self.names.items():
            text = text.replace(name, alias)
        for number, name in enumerate(dict.fromkeys(NAME.findall(text)), 1):
            text = text.replace(name, f"unknown-{number}")
        return text

    def asked(self, value, member):
        """A parameter in the words of a request."""
        if isinstance(value, dict):
            if set(value) == {"bytes"}:
                return f"bytes {value['bytes']}"
            return {
                self.asked(name, ""): self.asked(item, name)
                for name, item in value.items()
                if item != OPEN_TO_SNS
            }
        if isinstance(value, list):
            return [self.asked(item, member) for item in value]
        if not isinstance(value, str):
            return value
        if member in ("NextToken", "TaskHandle"):
            raise NotSaid(f"{member} in a request")
        if value in self.handles[:9]:
            return f"<receipt-handle:{self.handles.index(value) + 1}>"
        if VARIABLES.search(value) or value.startswith(("bytes ", "base64 of ")):
            raise NotSaid(f"{value[:40]!r} means something else in a case")
        if value in self.handles:
            raise NotSaid("more than nine receipt handles")
        return shortened(self.with_variables(self.own_words(value)))

    def with_variables(self, text):
        """A text in which the ARNs and URLs of what was made are variables."""
        for variable, arn in self.last_arns.items():
            text = text.replace(arn, variable)
        for alias in self.names.values():
            ends = r"(?:\.fifo)?(?![\w.:-])"
            if alias == "t":
                text = re.sub(re.escape(f"{TOPIC_ARNS}t") + ends, "$t", text)
                continue
            text = re.sub(re.escape(f"{QUEUE_ARNS}{alias}") + ends, f"${alias}Arn", text)
            if re.fullmatch(re.escape(f"{QUEUES}{alias}") + ends, text):
                text = f"${alias}"
        return text

    def answer(self, call):
        """The answer in the words of a case."""
        if call["status"] is None or not isinstance(call["answer"], dict):
            raise NotSaid("there was no answer")
        if call["status"] >= 300:
            return self.refusal(call)
        body = self.said(NormalForm(NOTHING).of(self.translated(call["answer"])), "")
        return {"status": call["status"], "body": body}

    def refusal(self, call):
        """What an error says."""
        error = call["answer"].get("Error", {})
        found = {"status": call["status"], "code": error.get("Code")}
        found |= {"fault": error["Type"]} if error.get("Type") else {}
        message = NormalForm(NOTHING)
        message.seen |= dict.fromkeys(
            filter(lambda one: len(one) >= 16, self.handles), "receipt handle"
        )
        text = self.said(message.of(self.translated(error.get("Message") or "")), "")
        if not isinstance(text, str):
            raise NotSaid("a message that is JSON")
        found["message"] = text
        if call["protocol"] == "json" and error.get("QueryErrorCode"):
            found["json_type"] = error["QueryErrorCode"]
        return found

    def translated(self, value):
        """A tree in the replay's own words."""
        if isinstance(value, dict):
            if set(value) == {"bytes"}:
                return value
            return {self.translated(name): self.translated(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.translated(item) for item in value]
        if not isinstance(value, str):
            return value
        if re.search(r"<[^<>]*>", value):
            raise NotSaid(f"{value[:40]!r} means something else in a case")
        return self.own_words(value)

    def said(self, value, member):
        """A normal form in the words of an answer."""
        if isinstance(value, Token):
            return self.token(value, member, whole=True)
        if isinstance(value, Text):
            whole = len(value.parts) == 1
            return "".join(
                shortened(part) if isinstance(part, str) else self.token(part, member, whole)
                for part in value.parts
            )
        if isinstance(value, JsonText):
            value = value.members
        if isinstance(value, dict):
            if set(value) == {"bytes"}:
                return as_python(bytes.fromhex(value["bytes"]))
            return {name: self.said(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.said(item, member) for item in value]
        if not isinstance(value, str):
            return value
        if member == "SubscriptionPrincipal":
            return f"arn:aws:iam::{ACCOUNT}:user/<resource:1>"
        return shortened(value)

    def token(self, token, member, whole):
        """The placeholder of a token."""
        kind = token.kind
        if kind in PLAIN:
            return PLAIN[kind]
        if kind == "sns host":
            return f"<{DOMAINS.get(member, 'subscribe-domain')}>"
        if kind == "certificate":
            return "<signing-cert-file:1>"
        if kind in ("milliseconds", "seconds") and whole:
            return "timestamp"
        if kind == "date" and whole:
            return "date"
        if kind not in NUMBERED:
            raise NotSaid(f"a {kind} in the answer")
        if kind == "receipt handle" and token.value in self.handles:
            number = self.handles.index(token.value) + 1
        else:
            taken = len(self.handles) if kind == "receipt handle" else 0
            of_kind = self.numbers.setdefault(kind, {})
            number = of_kind.setdefault(token.value, taken + len(of_kind) + 1)
        return f"<{kind.replace(' ', '-')}:{number}>"


def shortened(text):
    """A text with its one long run of a's written as the number of them."""
    runs = re.findall(r"a{100,}|A{100,}", text)
    if len(runs) != 1:
        return text
    return text.replace(runs[0], f"<{runs[0][0]} x {len(runs[0])}>")


def as_python(data):
    """Bytes as `b'…'`, with all but letters and digits as \\xNN."""
    return (
        "b'"
        + re.sub(r"[^A-Za-z0-9]", lambda m: f"\\x{ord(m[0]):02x}", data.decode("latin-1"))
        + "'"
    )
