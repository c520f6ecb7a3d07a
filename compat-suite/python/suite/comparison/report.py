"""What the comparison found, to read and for programs."""

import json
import re
from collections import Counter

from suite.behaviours import listed
from suite.comparison.differences import ABSENT

WIDTH = 400  # characters of a value that are printed
MOST = 30  # lines of the list of what differs how often


def printed(comparisons, unsteady, sides):
    """The report as text."""
    sentences = listed()
    out = []
    for side, server in zip(("left", "right"), sides, strict=True):
        software = f" ({server.software})" if server.software else ""
        out.append(f"{side:<5}  {server.name}{software}, account {server.account}")
    for comparison in (one for one in comparisons if one.differs):
        out.append("")
        out += [f"{id}  {sentences[id]}" for id in comparison.behaviours]
        out.append(f"  {comparison.test}")
        for difference in comparison.differences:
            out += printed_difference(difference)
        out += endings(comparison)
    out += printed_rest(comparisons, unsteady)
    return "\n".join([*out, "", summary(comparisons, unsteady)])


def printed_difference(difference):
    """A call and the members of its answers that differ."""
    yield f"  call {difference.number}: {difference.name} {short(difference.parameters)}"
    for member in difference.members:
        yield f"    {member.path}"
        yield f"      left   {short(member.left)}"
        yield f"      right  {short(member.right)}"


def endings(comparison):
    """How the test ended, when it did not pass on both sides."""
    if comparison.remark:
        yield f"  {comparison.remark}"
    for side in ("left", "right"):
        record = getattr(comparison, side)
        if record["outcome"] == "failed":
            yield f"  {side} stops early, after {len(record['calls'])} calls: {record['why']}"
        elif comparison.left["outcome"] != comparison.right["outcome"]:
            yield f"  {side} goes through to the end"


def short(value):
    """A value in JSON, cut where it would tire."""
    if isinstance(value, str) and value == ABSENT:
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}… ({len(text)} characters)"


def counted(comparisons):
    """Operations and members, with the number of answers in which they differ, the most frequent first."""
    counts = Counter(
        difference.name + ": " + re.sub(r"\[\d+\]", "[]", member.path)
        for comparison in comparisons
        for difference in comparison.differences
        for member in difference.members
    )
    return counts.most_common()


def printed_rest(comparisons, unsteady):
    """How often what differs, what differed only once, and what was not compared."""
    out = []
    if counts := counted(comparisons):
        out += ["", "how often:"]
        out += [f"{count:>6}  {what}" for what, count in counts[:MOST]]
        out += [f"        and {len(counts) - MOST} more"] if len(counts) > MOST else []
    if unsteady:
        out += ["", "differed once, and not when run again:"]
        out += [f"  {test}" for test in unsteady]
    partly = [one for one in comparisons if one.remark and not one.skipped and not one.differs]
    if partly:
        out += ["", "compared in part:"]
        out += [f"  {one.test}: {one.remark}" for one in partly]
    reasons = {}
    for comparison in comparisons:
        if comparison.skipped:
            reasons.setdefault(comparison.skipped, []).append(comparison.test)
    if reasons:
        out += ["", "not compared:"]
    for reason, tests in reasons.items():
        out.append(f"  {reason}")
        out += [f"    {test}" for test in tests]
    return out


def totals(comparisons, unsteady):
    """The numbers of the summary."""
    ran = [one for one in comparisons if not one.skipped]
    differing = [one for one in ran if one.differs]
    return {
        "differing_answers": sum(len(one.differences) for one in differing),
        "differing_tests": len(differing),
        "differing_behaviours": len({id for one in differing for id in one.behaviours}),
        "compared_tests": len(ran),
        "compared_behaviours": len({id for one in ran for id in one.behaviours}),
        "not_compared_tests": len(comparisons) - len(ran),
        "unsteady_tests": len(unsteady),
        "calls": [sum(len(getattr(one, s)["calls"]) for one in ran) for s in ("left", "right")],
    }


def summary(comparisons, unsteady):
    """One line."""
    found = totals(comparisons, unsteady)
    return (
        f"{found['differing_answers']} answers differ, in {found['differing_tests']} of "
        f"{found['compared_tests']} tests and {found['differing_behaviours']} of "
        f"{found['compared_behaviours']} behaviours; {found['unsteady_tests']} tests differed only once, "
        f"{found['not_compared_tests']} were not compared; "
        f"{found['calls'][0]} calls left, {found['calls'][1]} right"
    )


def as_json(comparisons, unsteady, sides):
    """The report for programs."""
    return {
        "left": side_as_json(sides[0]),
        "right": side_as_json(sides[1]),
        "totals": totals(comparisons, unsteady),
        "unsteady": unsteady,
        "tests": [test_as_json(comparison) for comparison in comparisons],
    }


def side_as_json(side):
    """A server."""
    return {"endpoint": side.name, "software": side.software, "account": side.account}


def test_as_json(comparison):
    """A test, with its differences."""
    sentences = listed()
    return {
        "test": comparison.test,
        "behaviours": {id: sentences[id] for id in comparison.behaviours},
        "differs": not comparison.skipped and comparison.differs,
        "not_compared": comparison.skipped,
        "left": {k: comparison.left[k] for k in ("outcome", "why")},
        "right": {k: comparison.right[k] for k in ("outcome", "why")},
        "remark": comparison.remark,
        "differences": [
            {
                "call": difference.number,
                "operation": difference.name,
                "parameters": difference.parameters,
                "members": [
                    {"path": m.path, "left": m.left, "right": m.right} for m in difference.members
                ],
            }
            for difference in comparison.differences
        ],
    }
