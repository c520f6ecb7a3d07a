"""Runs every behaviour of the suite with boto3 against two servers, and prints where the answers differ.

An ENDPOINT is the URL of a server, which is called with the credentials test and test, or `aws` or
`aws:REGION`: AWS itself, with the credentials and the region that the AWS CLI would take (AWS_PROFILE).
Nothing is sent to AWS unless an ENDPOINT says so.

Exit status: 0 no difference, 1 differences, 2 the comparison could not be made.
"""

import argparse
import json
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

from suite.behaviours import listed
from suite.comparison.cases import save
from suite.comparison.differences import compared
from suite.comparison.own_names import own_part
from suite.comparison.report import as_json, printed
from suite.comparison.side import CannotRun, sides


def options(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("left", metavar="ENDPOINT")
    parser.add_argument("right", metavar="ENDPOINT")
    parser.add_argument(
        "--only", action="append", default=[], metavar="BEHAVIOUR", help="an id; may be repeated"
    )
    parser.add_argument("-k", metavar="EXPRESSION", help="tests by their names, as pytest has it")
    parser.add_argument(
        "--query", action="store_true", help="SQS in the Query protocol as well as in JSON"
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=1,
        help="how often a test that differs is run again; it differs if it does each time (1)",
    )
    parser.add_argument("--workers", type=int, default=8, help="tests at once (8)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the report for programs")
    parser.add_argument(
        "--save", type=Path, metavar="FOLDER", help="each difference as a case of tests/recorded"
    )
    chosen = parser.parse_args(arguments)
    unknown = [id for id in chosen.only if id not in listed()]
    if unknown:
        parser.error(f"not in behaviours.md: {', '.join(unknown)}")
    return chosen


def main(arguments):
    """The command; returns its status."""
    chosen = options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        both = sides((chosen.left, chosen.right))
        for side in both:
            side.look(new_tag())
        with tempfile.TemporaryDirectory(prefix="squab-compare-") as folder:
            comparisons, unsteady = run(both, chosen, Path(folder))
        print(printed(comparisons, unsteady, both))
        if chosen.json:
            text = json.dumps(as_json(comparisons, unsteady, both), indent=1, ensure_ascii=False)
            chosen.json.write_text(text + "\n", encoding="utf-8")
        if chosen.save:
            print("\n".join(save(comparisons, both, chosen.save)))
    except (CannotRun, OSError) as problem:
        print(f"compare: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("compare: stopped; what the tests had made is deleted", file=sys.stderr)
        return 2
    return int(any(not one.skipped and one.differs for one in comparisons))


def new_tag():
    """Six characters that no other run has in its names."""
    return secrets.token_hex(3)


def run(both, chosen, folder):
    """The comparison of every test, and the names of those that differed at first and then did not."""
    found = once(both, chosen, folder / "0", None)
    at_first = {name for name, one in found.items() if not one.skipped and one.differs}
    differing = at_first
    for attempt in range(1, chosen.retries + 1):
        if not differing:
            break
        again = once(both, chosen, folder / str(attempt), sorted(differing))
        found |= again
        differing = {name for name in differing if name in again and again[name].differs}
    return list(found.values()), sorted(at_first - differing)


def once(both, chosen, folder, tests):
    """Runs the tests on one side and then on the other; `tests` are names, None for all."""
    folder.mkdir()
    arguments = ["-n", str(chosen.workers), "--record-behaviours", ",".join(chosen.only)]
    arguments += ["-k", chosen.k] if chosen.k else []
    arguments += ["--record-query"] if chosen.query else []
    if tests is not None:
        names = folder / "names.json"
        names.write_text(json.dumps(tests))
        arguments += ["--record-tests", str(names)]
    records, facts = [], []
    for side, name in zip(both, ("left", "right"), strict=True):
        start, tag = time.monotonic(), new_tag()
        records.append(side.record(folder / name, tag, arguments))
        facts.append(side.facts(tag))
        seconds = time.monotonic() - start
        print(f"{name}: {len(records[-1])} tests in {seconds:.0f} s", file=sys.stderr, flush=True)
    left, right = records
    if set(left) != set(right):
        lost = sorted(set(left) ^ set(right))
        raise CannotRun(f"these tests were run on one side only: {', '.join(lost)}")
    return {
        name: compared(left[name], right[name], *facts, own_part(name)) for name in sorted(left)
    }
