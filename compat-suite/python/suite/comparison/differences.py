"""Where the answers of two servers differ."""

from dataclasses import dataclass, field

from suite.comparison.normal_form import FREE, JsonText, NormalForm, Text, Token
from suite.comparison.steps import steps_of

ABSENT = "(absent)"
# Parameters of a send that are digested in its answer.
PARAMETERS = ("MessageBody", "MessageAttributes")


@dataclass
class Pairing:
    """Which token of the left server stands for which of the right one."""

    right_of: dict = field(default_factory=dict)
    left_of: dict = field(default_factory=dict)
    numbers: dict = field(default_factory=dict)
    counts: dict = field(default_factory=dict)

    def agree(self, left, right):
        """Whether two tokens may stand for each other; from now on they do."""
        if left.kind != right.kind:
            return False
        if left.kind in FREE:
            return True
        agreed = self.right_of.get(left, right) == right and self.left_of.get(right, left) == left
        self.right_of[left], self.left_of[right] = right, left
        number = self.number("left", left)
        self.numbers.setdefault(("right", right), number)
        return agreed

    def number(self, side, token):
        """The number of a token: those that stand for each other have the same."""
        if (side, token) not in self.numbers:
            self.counts[token.kind] = self.counts.get(token.kind, 0) + 1
            self.numbers[side, token] = self.counts[token.kind]
        return self.numbers[side, token]

    def shown(self, side, value):
        """A normal form as it is printed: a tree of dicts, lists and texts."""
        if isinstance(value, Token):
            free = value.kind in FREE
            return f"<{value.kind}>" if free else f"<{value.kind}:{self.number(side, value)}>"
        if isinstance(value, Text):
            return "".join(p if isinstance(p, str) else self.shown(side, p) for p in value.parts)
        if isinstance(value, JsonText):
            return self.shown(side, value.members)
        if isinstance(value, dict):
            return {name: self.shown(side, item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.shown(side, item) for item in value]
        return value


@dataclass
class Member:
    """A member of an answer that differs: its path, and what it is on each side."""

    path: str
    left: object
    right: object


@dataclass
class Difference:
    """A call that was answered differently."""

    number: int
    name: str
    parameters: object
    members: list
    left_step: object
    right_step: object


@dataclass
class Comparison:
    """What came out of a test."""

    test: str
    behaviours: list
    left: dict
    right: dict
    differences: list
    remark: str = ""

    @property
    def differs(self):
        """Whether the two servers differ in this test."""
        return bool(self.differences) or self.left["outcome"] != self.right["outcome"]

    @property
    def skipped(self):
        """Why it was not run on at least one of the sides; None when it was run on both."""
        skipped = [(n, one) for n, one in (("left", self.left), ("right", self.right)) if
                   one["outcome"] == "skipped"]  # fmt: skip
        if len(skipped) == 2:
            return skipped[0][1]["why"]
        return f"{skipped[0][0]} only: {skipped[0][1]['why']}" if skipped else None


def compared(left, right, left_facts, right_facts, own_part):
    """The comparison of a test that both sides have run; `own_part` makes the part of a name that is its own."""
    comparison = Comparison(left["test"], left["behaviours"], left, right, [])
    if comparison.skipped:
        return comparison
    pairing = Pairing()
    forms = NormalForm(left_facts), NormalForm(right_facts)
    threads = zip(
        steps_of(left["calls"], left_facts.tag + own_part),
        steps_of(right["calls"], right_facts.tag + own_part),
        strict=False,
    )
    number = 0
    for left_steps, right_steps in threads:
        for left_step, right_step in zip(left_steps, right_steps, strict=False):
            number += 1
            asked = asked_the_same(left_step, right_step, forms, pairing)
            if asked is None:
                comparison.remark = (
                    f"from call {number} on the sides ask different things: "
                    f"left {left_step.name}, right {right_step.name}"
                )
                return comparison
            members = differing_members(left_step, right_step, forms, pairing)
            if members:
                asked = pairing.shown("left", asked)
                comparison.differences.append(
                    Difference(number, left_step.name, asked, members, left_step, right_step)
                )
        if len(left_steps) != len(right_steps):
            more = "left" if len(left_steps) > len(right_steps) else "right"
            comparison.remark = f"after call {number} only the {more} side goes on"
    return comparison


def asked_the_same(left, right, forms, pairing):
    """The parameters of both calls, in normal form; None when the calls are not the same."""
    parameters = [form.of(step.parameters) for form, step in zip(forms, (left, right), strict=True)]
    same = left.name == right.name and not list(differing(*parameters, pairing, ""))
    return parameters[0] if same else None


def differing_members(left, right, forms, pairing):
    """Where the answers to the same call differ."""
    trees = [tree_of(form, step) for form, step in zip(forms, (left, right), strict=True)]
    return [
        Member(path, pairing.shown("left", one), pairing.shown("right", other))
        for path, one, other in differing(*trees, pairing, "")
    ]


def tree_of(form, step):
    """What of a step is compared."""
    tree = {"status": step.status, "headers": form.of(step.headers)}
    answer = form.of(with_what_is_digested(step.answer, step.parameters))
    if isinstance(answer, dict):
        for name in PARAMETERS:
            answer.pop(name, None)
        return tree | answer
    return tree | {"answer": answer}


def with_what_is_digested(answer, parameters):
    """The answer to a send with what it has digests of, so that they are compared like that."""
    if not isinstance(answer, dict) or "MD5OfMessageBody" not in answer:
        return answer
    return answer | {name: parameters[name] for name in PARAMETERS if name in parameters}


def differing(left, right, pairing, path):
    """The paths at which two normal forms differ, with what is there."""
    if isinstance(left, JsonText) and isinstance(right, JsonText):
        yield from differing_json(left, right, pairing, path)
    elif isinstance(left, dict) and isinstance(right, dict):
        for name in [*left, *(name for name in right if name not in left)]:
            here = f"{path}.{name}" if path else name
            yield from differing(left.get(name, ABSENT), right.get(name, ABSENT), pairing, here)
    elif isinstance(left, list) and isinstance(right, list):
        for index in range(max(len(left), len(right))):
            one = left[index] if index < len(left) else ABSENT
            other = right[index] if index < len(right) else ABSENT
            yield from differing(one, other, pairing, f"{path}[{index}]")
    elif not equal(left, right, pairing):
        yield path, left, right


def differing_json(left, right, pairing, path):
    """The same for JSON as a text: clients see its order and its spaces, too."""
    found = list(differing(left.members, right.members, pairing, path))
    yield from found
    if list(left.members) != list(right.members) and set(left.members) == set(right.members):
        yield f"{path} (order of its members)", list(left.members), list(right.members)
    elif not found and left.spacing != right.spacing:
        yield f"{path} (spaces)", left.spacing, right.spacing


def equal(left, right, pairing):
    """Whether two leaves are the same."""
    if isinstance(left, Token) and isinstance(right, Token):
        return pairing.agree(left, right)
    if isinstance(left, Text) and isinstance(right, Text):
        if len(left.parts) != len(right.parts):
            return False
        return all([equal(*pair, pairing) for pair in zip(left.parts, right.parts, strict=True)])
    return type(left) is type(right) and left == right
