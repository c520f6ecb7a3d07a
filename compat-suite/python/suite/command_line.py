"""The AWS command line: a program of its own, started as scripts start it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from suite.clients import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY


class CommandLine:
    """`aws SERVICE …` at an endpoint."""

    def __init__(self, service, endpoint, folder):
        self._service = service
        self._told = ("--endpoint-url", endpoint, "--output", "json")
        self._environment = os.environ | {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": str(folder / "none"),
            "AWS_PAGER": "",
        }

    def __call__(self, *arguments, fails=False):
        """Runs it; returns the parsed output, None when there is none, or how it failed."""
        program = Path(sys.executable).with_name("aws")
        done = subprocess.run(
            [str(program), self._service, *arguments, *self._told],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode != 0) == fails, done.stderr
        if fails:
            return done
        return json.loads(done.stdout) if done.stdout.strip() else None
