"""Runs the clients one after the other against one server, and gathers what they proved.

A client is a folder with an executable `run`. It is started in its folder with `SQUAB_ENDPOINT` and
`SQUAB_COMPAT_RESULTS`, a file to which it appends one JSON object a line:

    {"client": "boto3", "version": "1.43.11"}
    {"client": "boto3", "test": "…", "behaviours": ["fifo-01"], "outcome": "passed", "seconds": 0.5}
    {"client": "go", "skipped": "go is not installed: apt-get install golang-go"}

`outcome` is passed, failed or skipped. Any status but 0 fails the run. Only the standard library is
used here, because nothing is installed yet.
"""

import json
import os
import signal
import subprocess
import sys
import time

from suite import behaviours, server
from suite.behaviours import SUITE

CACHE = SUITE / ".cache"
RESULTS = CACHE / "results.json"
OUR_OWN = "SQUAB_COMPAT_OWN_SERVER"  # set for the clients when the run started the server itself
MARKS = {"passed": "+", "failed": "X", "skipped": "o"}


def runners():
    """The folders that have a `run`."""
    return sorted(
        folder.name
        for folder in SUITE.iterdir()
        if folder.name not in behaviours.FOREIGN and os.access(folder / "run", os.X_OK)
    )


def takes_long(name):
    """Whether a client is run only when it is named: its first build takes minutes."""
    return (SUITE / name / "takes-long").exists()


def main(usage, arguments):
    """The command; returns its status."""
    # So that a run that is stopped stops its server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    known = runners()
    if arguments[:1] == ["--matrix"]:
        behaviours.main()
        return 0
    if arguments[:1] == ["--debian-packages"]:
        print(" ".join(debian_packages(known)))
        return 0
    named = []
    while arguments and arguments[0] in known:
        named.append(arguments.pop(0))
    if arguments and (len(named) != 1 or arguments[0] in ("-h", "--help")):
        print(usage.strip(), f"\nclients: {' '.join(known)}", file=sys.stderr)
        return 2
    problems = behaviours.problems()
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    chosen = named or [name for name in known if not takes_long(name)]
    given = os.environ.get("SQUAB_ENDPOINT")
    if given:
        return conduct(chosen, arguments, given.rstrip("/"), {})
    try:
        own = server.Server()
    except (server.NoProgram, RuntimeError) as problem:
        print(problem, file=sys.stderr)
        return 2
    with own:
        return conduct(chosen, arguments, own.endpoint, {OUR_OWN: "1"})


def debian_packages(names):
    """What the clients need and Debian has, once each."""
    files = [SUITE / name / "debian-packages" for name in names]
    found = {package for file in files if file.exists() for package in file.read_text().split()}
    return sorted(found)


def conduct(names, arguments, endpoint, told):
    """Runs the clients, prints what came out, and keeps it in RESULTS; returns the status."""
    print(f"endpoint: {endpoint}", flush=True)
    CACHE.mkdir(exist_ok=True)
    lines = CACHE / "results.jsonl"
    lines.write_text("")
    environment = (
        os.environ
        | told
        | {
            "SQUAB_ENDPOINT": endpoint,
            "SQUAB_COMPAT_RESULTS": str(lines),
        }
    )
    ran = {}
    for name in names:
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        status = subprocess.call(["./run", *arguments], cwd=SUITE / name, env=environment)
        ran[name] = {"status": status, "seconds": round(time.monotonic() - start, 1)}
    found = gathered(lines.read_text().splitlines())
    not_run = [name for name in runners() if name not in names]
    summary = {"endpoint": endpoint, "runs": ran, "not_run": not_run, **found}
    RESULTS.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    print_summary(summary)
    return int(any(run["status"] for run in ran.values()) or found["totals"]["failed"] > 0)


def gathered(lines):
    """What the clients reported: versions, reasons to skip, tests, and who proved which behaviour."""
    clients, tests, totals = {}, [], dict.fromkeys(MARKS, 0)
    proofs = {id: {} for id in behaviours.listed()}
    for report in map(json.loads, lines):
        client = clients.setdefault(report["client"], {"passed": 0, "failed": 0, "skipped": 0})
        if "outcome" not in report:
            # `skipped` is also a count.
            client.update(
                {("why" if k == "skipped" else k): v for k, v in report.items() if k != "client"}
            )
            continue
        tests.append(report)
        outcome = report["outcome"]
        client[outcome] += 1
        totals[outcome] += 1
        for id in report["behaviours"]:
            proofs[id][report["client"]] = worst(proofs[id].get(report["client"]), outcome)
    listed = {
        id: {"sentence": sentence, "clients": proofs[id]}
        for id, sentence in behaviours.listed().items()
    }
    return {"clients": clients, "behaviours": listed, "tests": tests, "totals": totals}


def worst(one, other):
    """Of the outcomes of two tests of a behaviour, the one to tell."""
    return next(o for o in ("failed", "passed", "skipped") if o in (one, other))


def print_summary(summary):
    """The matrix, one line per client, and the totals."""
    clients = [name for name, c in summary["clients"].items() if "why" not in c]
    proven = {i: row for i, row in summary["behaviours"].items() if row["clients"]}
    print("\n== Behaviours: + passed, X failed, o skipped, . not in this client's tests")
    for number, name in enumerate(clients):
        print(f"{'':<18}{'| ' * number}{name}")
    for id, row in proven.items():
        marks = " ".join(MARKS.get(row["clients"].get(name), ".") for name in clients)
        print(f"{id:<18}{marks}")
    print("\n== Clients")
    for name, client in summary["clients"].items():
        if "why" in client:
            print(f"{name:<18} SKIPPED: {client['why']}")
        else:
            counts = ", ".join(f"{client[outcome]} {outcome}" for outcome in MARKS)
            print(f"{name:<18} {client.get('version', ''):<12} {counts}")
    times = ", ".join(f"{name} {run['seconds']:.0f} s" for name, run in summary["runs"].items())
    print(f"\ntimes: {times}")
    for name, run in summary["runs"].items():
        if run["status"]:
            print(f"{name} FAILED with status {run['status']}")
    for test in summary["tests"]:
        if test["outcome"] == "failed":
            print(f"FAILED {test['client']}: {test['test']}")
    if summary["not_run"]:
        print(f"not run, name them to run them: {' '.join(summary['not_run'])}")
    print(f"results: {RESULTS}")
    totals = summary["totals"]
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
