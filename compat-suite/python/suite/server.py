"""Starts and stops the program under test, and knows where it is."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from suite.behaviours import SUITE

START_TIMEOUT = 20  # seconds until the line "Ready." must be there


class NoProgram(Exception):
    """There is neither an endpoint nor a program to start."""


def program():
    """The path of the program: SQUAB_BIN, else the release build, else the debug build."""
    given = os.environ.get("SQUAB_BIN")
    candidates = (
        [given] if given else [SUITE.parent / "target" / p / "squab" for p in ("release", "debug")]
    )
    for candidate in candidates:
        if Path(candidate).is_file():
            return str(Path(candidate).resolve())
    raise NoProgram(
        "no server to test: build squab, or set SQUAB_BIN to the program or SQUAB_ENDPOINT to the "
        f"URL of a running server (looked at {', '.join(map(str, candidates))})"
    )


def free_port():
    """A TCP port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running program. `arguments` come after `--listen`; by default the state is in memory."""

    def __init__(self, *arguments, port=None):
        executable = program()
        self.port = port or free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="squab-compat-"))
        self._ready = threading.Event()
        command = [
            executable,
            "--listen",
            f"127.0.0.1:{self.port}",
            *(arguments or ("--ephemeral",)),
        ]
        # Only these arguments count: not the environment, and not the working directory either.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SQUAB_")}
        self._process = subprocess.Popen(
            command,
            cwd=self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=(self._folder / "stderr").open("wb"),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_TIMEOUT) or self._process.poll() is not None:
            said = (self._folder / "stderr").read_text(errors="replace")[-2000:]
            self.kill()
            raise RuntimeError(
                f"{' '.join(command)} did not print Ready. within {START_TIMEOUT} s\n{said}"
            )

    def _read(self):
        for line in self._process.stdout:
            if line.strip() == b"Ready.":
                self._ready.set()
        self._ready.set()  # the end of the output: there is nothing left to wait for

    def kill(self):
        """Ends the program as a crash would (SIGKILL) and waits until it is gone."""
        self._process.kill()
        self._gone()

    def stop(self, timeout=10):
        """Asks the program to stop (SIGTERM); raises TimeoutExpired when it does not in time."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout)
        finally:
            self.kill()

    def _gone(self):
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
