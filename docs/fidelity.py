"""The table of claims, docs/fidelity.md: which rules of AWS the code implements, where each rule comes
from, and which test proves it.

A rule is a comment beside the code that implements it:

    // Rule (SendMessage, SendMessageBatch): a message body must not be empty.
    // Source: recorded
    // Test: tests/recorded/sqs.jsonl#sqs-send-empty-body

The parentheses name operations (`sns.AddPermission` where both services have the name), or `every operation`,
`every SQS operation`, `every SNS operation`, `deliveries`. A sentence may go on in further comment lines.

Source: `recorded`, `documented, LINK`, `reported, REFERENCE` or `inferred`; a comma and a remark may follow.
Test: a comma-separated list of `FILE` or `FILE#PLACE` or `FILE::FUNCTION`. A place is a case of a `.jsonl`
file, or words of a comment line of a scenario.
"""

import json
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "fidelity.md"
GENERAL = ("every operation", "every SQS operation", "every SNS operation", "deliveries")
SOURCES = {
    "recorded": "AWS gave this answer, and the answer was recorded",
    "documented": "AWS's documentation or service model says so",
    "reported": "a public report quotes AWS's answer or describes what AWS did",
    "inferred": "no evidence was found; the rule follows from related rules",
}

HEAD = """# Fidelity: the rules of AWS that Squab implements

Each line is a rule, where it comes from, and the test that fails when Squab breaks it. The rules stand beside the code
that implements them; `docs/check --write` writes this page, and `docs/check` fails when a rule has no source or
names a test that does not exist.

A rule that concerns several operations is listed under each of them. A rule without evidence may be wrong: the number of inferred rules is to fall. If you have an AWS account, you can
verify Squab against AWS yourself with [compat-suite/compare](../compat-suite/README.md), and report a difference as a
file that the tests replay.
"""


class Rule:
    """One comment block: where it stands, and what it says."""

    def __init__(self, file, line, operations, text, source, tests):
        self.file, self.line = file, line
        self.operations, self.text, self.source, self.tests = operations, text, source, tests

    @property
    def place(self):
        return f"{self.file}:{self.line}"

    @property
    def kind(self):
        return re.split(r"[,:; ]", self.source, maxsplit=1)[0]


def rules():
    """Every rule of the sources, in the order of files and lines."""
    found = []
    for path in sorted((ROOT / "src").rglob("*.rs")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for index, line in enumerate(lines):
            if re.match(r"\s*// Rule\b", line):
                found.append(read(path.relative_to(ROOT).as_posix(), lines, index))
    return found


def read(file, lines, start):
    """The rule whose comment begins at a line."""
    parts = []
    for line in lines[start:]:
        comment = re.match(r"\s*// ?(.*)", line)
        if comment is None or (parts and comment[1].startswith("Rule")):
            break
        words = comment[1].strip()
        key = re.match(r"(Rule|Source|Test)\b(.*)", words) if re.match(r"(Rule \(|Source:|Test:)", words) else None
        if key:
            parts.append([key[1], key[2].lstrip(": ")])
        elif parts and words:
            parts[-1][1] += " " + words
        else:
            break
    said = {}
    for key, value in parts:
        said.setdefault(key, value.strip())
    operations, _, text = said.get("Rule", "").partition("):")
    names = [name.strip() for name in operations.lstrip("( ").split(",") if name.strip()]
    tests = [test.strip().strip("`") for test in said.get("Test", "").split(", ") if test.strip()]
    return Rule(file, start + 1, names, text.strip(), said.get("Source", ""), tests)


def services(operations):
    """Operation name to the services that have it."""
    found = {}
    for service, name, _, _ in operations:
        found.setdefault(name, []).append(service)
    return found


def resolved(rule, known):
    """The operations of a rule as (service, name), and a fault for each name that is unknown."""
    names, faults = [], []
    for name in rule.operations:
        service, dot, bare = name.rpartition(".")
        if name in GENERAL:
            names.append(("", name))
        elif dot and service.lower() in known.get(bare, ()):
            names.append((service.lower(), bare))
        elif len(known.get(name, ())) == 1:
            names.append((known[name][0], name))
        elif name in known:
            faults.append(f"{rule.place}: {name} is an operation of {' and '.join(known[name])}: write sqs.{name} or sns.{name}")
        else:
            faults.append(f"{rule.place}: {name or 'nothing'} is no operation")
    return names, faults


def faults_of_rule(rule):
    """A line for each thing that is missing from a rule, or that it names and is not there."""
    if not rule.operations or not rule.text:
        yield f"{rule.place}: a rule reads `// Rule (Operation, …): sentence.`"
    if rule.kind not in SOURCES:
        yield f"{rule.place}: the source is one of {', '.join(SOURCES)}, not {rule.source or 'missing'!r}"
    elif rule.kind in ("documented", "reported") and not re.search(r"https?://|\w/[\w.-]+#\d+|botocore|service model", rule.source):
        yield f"{rule.place}: {rule.kind} needs a link or a reference (owner/repository#number)"
    if not rule.tests:
        yield f"{rule.place}: no test"
    for test in rule.tests:
        if not exists(test):
            yield f"{rule.place}: the test {test} does not exist"


def exists(test):
    """Whether a test exists: a file, and in it the function, the case or the comment that follows its name."""
    name, separator, wanted = re.match(r"([^#:]+)(#|::)?(.*)", test).groups()
    file = ROOT / name
    if not file.is_file():
        return False
    if not separator:
        return True
    text = file.read_text(encoding="utf-8")
    if separator == "::":
        function = wanted.split("::")[-1]
        is_called = re.search(rf"\b(?:fn|def|class) {re.escape(function)}\b", text)
        return bool(is_called)
    if file.suffix == ".jsonl":
        return any(json.loads(line)["case"] == wanted for line in text.splitlines())
    return any(line.startswith("#") and wanted in line for line in text.splitlines())


def linked(test):
    name, _, wanted = re.match(r"([^#:]+)(#|::)?(.*)", test).groups()
    return f"[{wanted.split('::')[-1] or Path(name).name}](../{name})"


def sourced(source):
    """A source with its links as links."""
    text = re.sub(r"(?<!`)(https?://[^\s,;)`]+)", lambda link: f"[{shortened(link[1])}]({link[1]})", source)
    return re.sub(r"(?<![\w/(\[])([\w.-]+/[\w.-]+)#(\d+)", r"[\1#\2](https://github.com/\1/issues/\2)", text)


def shortened(link):
    host = re.sub(r"^www\.", "", link.split("/")[2])
    return f"{host}/…/{link.rstrip('/').split('/')[-1].split('#')[0]}" if link.count("/") > 3 else host


def sentence(text):
    """The text with a capital, unless it begins with a name such as maxReceiveCount."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+[ ,:;'-]", text) else text


def cell(text):
    """Text as a cell of a table shows it."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def page(operations):
    """The text of docs/fidelity.md, and the faults of the rules."""
    known, by_operation, faults = services(operations), {}, []
    found = rules()
    for rule in found:
        names, unknown = resolved(rule, known)
        faults += unknown + list(faults_of_rule(rule))
        for name in names:
            by_operation.setdefault(name, []).append(rule)
    counts = Counter(rule.kind for rule in found)
    lines = [HEAD, "| source | rules | meaning |", "|---|---|---|"]
    lines += [f"| {kind} | {counts[kind]} | {meaning} |" for kind, meaning in SOURCES.items()]
    lines += [f"| all | {len(found)} | |", ""]
    for title, service in (("Every operation", ""), ("SQS", "sqs"), ("SNS", "sns"), ("STS", "sts")):
        own = sorted(name for name in by_operation if name[0] == service)
        if not own:
            continue
        lines += [f"## {title}", ""]
        for name in own:
            if service or len(own) > 1:
                lines += [f"### {name[1]}", ""]
            lines += ["| rule | source | test |", "|---|---|---|"]
            for rule in by_operation[name]:
                tests = ", ".join(dict.fromkeys(linked(test) for test in rule.tests))
                text = sentence(rule.text)
                lines.append(f"| [{cell(text)}](../{rule.file}) | {cell(sourced(rule.source))} | {cell(tests)} |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n", faults
