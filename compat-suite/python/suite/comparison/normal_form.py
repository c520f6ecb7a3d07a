"""What an answer says once everything is taken out that differs from one run to the next.

Names, accounts, regions and hosts become the same words on both sides. Ids, handles and times become
`Token`s. Two tokens are equal when they are of one kind and, where it matters, when they have stood for each
other before: a handle that comes twice on one side must come twice on the other.
"""

import json
import re
from dataclasses import dataclass, field

UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# Tokens of these kinds are equal whatever they stand for.
FREE = {"milliseconds", "seconds", "date", "date without fraction", "date in short", "md5"}
FREE |= {"signature", "certificate", "sns host"}

# Members whose value is a token, with the form it must have to be one.
MEMBERS = {
    "ReceiptHandle": ("receipt handle", r".+"),
    "TaskHandle": ("task handle", r".+"),
    "NextToken": ("next token", r".+"),
    "Token": ("token", r"[0-9a-f]{64,}\w?"),  # a test spoils the last character
    "SequenceNumber": ("sequence number", r"\d{20}"),
    "SenderId": ("sender id", r".+"),
    "Signature": ("signature", r"[A-Za-z0-9+/=]{64,}"),
    "UserId": ("user id", r".+"),
    "AccessKeyId": ("access key", r".+"),
    "SecretAccessKey": ("secret", r".+"),
    "SessionToken": ("session token", r".+"),
    "RequestId": ("request id", r".+"),
}

# What a digest is made of.
DIGESTS = [
    ("Body", "MD5OfBody"),
    ("MessageBody", "MD5OfMessageBody"),
    ("MessageAttributes", "MD5OfMessageAttributes"),
]

# Parts of a text that are tokens.
PARTS = [
    ("certificate", re.compile(r"(?<=/SimpleNotificationService-)[0-9a-f]+\.pem")),
    ("sns host", re.compile(r"https?://[^/\s\"]+(?=/(?:SimpleNotificationService-|\?Action=))")),
    ("http endpoint", re.compile(r"(?<=http://127\.0\.0\.1:)\d+(?=/sns)")),
    ("token", re.compile(r"(?<=Token=)[0-9a-f]{64,}")),
    ("uuid", re.compile(UUID)),
    ("phone number", re.compile(r"\+1555\d{7}\b")),
    ("date", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")),
    ("date without fraction", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")),
    ("date in short", re.compile(r"\b\d{8}T\d{6}Z")),
]


@dataclass(frozen=True)
class Token:
    """Something that another run has another value for."""

    kind: str
    value: str


@dataclass(frozen=True)
class Text:
    """Text and tokens, one after the other."""

    parts: tuple


@dataclass
class JsonText:
    """A text that is a JSON object: its members in order, and how it was written."""

    members: dict
    spacing: str


@dataclass
class Facts:
    """What is known of a server: its URLs, account and region, and the tag in all names of this run.

    `made_up` is the account that the tests have in ARNs and URLs of their own; to some servers it is theirs.
    """

    endpoints: list
    account: str
    region: str
    tag: str
    made_up: str = "000000000000"


@dataclass
class NormalForm:
    """Makes the normal form of what one server answered in one test."""

    facts: Facts
    seen: dict = field(default_factory=dict)

    def of(self, value, member=""):
        """The normal form of a value; `member` is the name it goes by."""
        if isinstance(value, dict):
            return self._of_dict(value)
        if isinstance(value, list):
            return [self.of(item, member) for item in value]
        if isinstance(value, str):
            return self._of_text(value, member)
        if isinstance(value, int) and member.endswith("Timestamp"):
            return self._of_text(str(value), member)
        return value

    def _of_dict(self, value):
        if set(value) == {"Name", "Value"}:  # an attribute in XML
            name = value["Name"]
            return {"Name": name, "Value": self.of(value["Value"], str(name))}
        made = {self._plain(name): self.of(item, name) for name, item in value.items()}
        for digested, digest in DIGESTS:
            if digest in made and self._is_changed(value.get(digested), made.get(digested)):
                made[digest] = Token("md5", value[digest])
        return made

    def _is_changed(self, value, form):
        """Whether the normal form has left something out, so that a digest of the value differs."""
        text = json.dumps(value, ensure_ascii=False)
        return self._plain(text) != text or has_token(form)

    def _of_text(self, text, member):
        if member in MEMBERS:
            kind, form = MEMBERS[member]
            if re.fullmatch(form, text, re.DOTALL):
                return self._token(kind, text)
        if member.endswith("Timestamp") and re.fullmatch(r"\d{13}|\d{10}", text):
            return Token("milliseconds" if len(text) == 13 else "seconds", text)
        as_json = parsed_object(text)
        if as_json is not None:
            members = {name: self.of(item, name) for name, item in as_json.items()}
            return JsonText(members, spacing(text))
        return self._with_tokens(self._plain(text))

    def _token(self, kind, value):
        if len(value) >= 16:
            self.seen[value] = kind
        return Token(kind, value)

    def _plain(self, text):
        """The text with the same words on both sides for what the servers are."""
        facts = self.facts
        for endpoint in facts.endpoints:
            text = text.replace(endpoint, "<endpoint>")
        text = text.replace(facts.tag, "")
        region = re.escape(facts.region)
        account = "|".join(map(re.escape, (facts.account, facts.made_up)))
        text = re.sub(rf"(?<![\w-])(?:{account})(?![\w-])", "<account>", text)
        text = re.sub(rf"(?<=arn:aws:s[qn]s:){region}(?=:)", "<region>", text)
        caller = (
            r"arn:aws:(?:iam|sts)::<account>:(?:root\b|user/[\w+=,.@/-]+|assumed-role/[\w+=,.@/-]+)"
        )
        return re.sub(caller, "<caller>", text)

    def _with_tokens(self, text):
        """The text itself when there is no token in it."""
        parts = [text]
        for value, kind in self.seen.items():
            parts = split(parts, kind, re.compile(re.escape(value)))
        for kind, pattern in PARTS:
            parts = split(parts, kind, pattern)
        return text if parts == [text] else Text(tuple(parts))


def has_token(form):
    """Whether there is a token in a normal form."""
    if isinstance(form, JsonText):
        return has_token(list(form.members.values()))
    if isinstance(form, dict):
        return has_token(list(form.values()))
    if isinstance(form, list):
        return any(map(has_token, form))
    return isinstance(form, (Token, Text))


def split(parts, kind, pattern):
    """The parts with every match in a text replaced by a token."""
    found = []
    for part in parts:
        if isinstance(part, Token):
            found.append(part)
            continue
        end = 0
        for match in pattern.finditer(part):
            found += [part[end : match.start()], Token(kind, match[0])]
            end = match.end()
        found.append(part[end:])
    return [part for part in found if part != ""]


def parsed_object(text):
    """The members of a text that is a JSON object; None for every other text."""
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def spacing(text):
    """How a JSON text is written: its brackets, commas and spaces."""
    return re.sub(r"[^\s{}\[\],:\"]+", "", re.sub(r'"(?:[^"\\]|\\.)*"', '""', text))


def blank(text):
    """A text without anything that may be a token, to sort by."""
    for kind, pattern in PARTS:
        text = pattern.sub(f"<{kind}>", text)
    return re.sub(r'"Signature" ?: ?"[^"]*"', "", text)
