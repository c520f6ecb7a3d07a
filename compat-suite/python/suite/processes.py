"""Programs of a team that run beside a test: started in its folder, and ended with it."""

import os
import signal
import subprocess
import tempfile
import time

from suite.clients import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

TIMEOUT = 30  # seconds in which a program must come to its end


class Program:
    """A command that runs in a process group of its own; `environment` is added to ours."""

    def __init__(self, command, **environment):
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 -- kept while it runs
        self._process = subprocess.Popen(
            command,
            env=os.environ
            | {
                "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
                "AWS_DEFAULT_REGION": REGION,
            }
            | environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill(self):
        """Ends it and its children as a crash would."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self):
        """Asks it to stop, and waits until it has; returns its status."""
        self._process.terminate()
        return self.wait()

    def wait(self):
        """Waits for its end; returns its status."""
        try:
            return self._process.wait(TIMEOUT)
        finally:
            self.kill()

    def said(self):
        """The end of what it printed."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")[-6000:]


class Journal:
    """A FIFO queue into which workers write what they do, one line after the other."""

    def __init__(self, sqs):
        self._queue = sqs.queue("journal", fifo=True)
        self.url = self._queue.url

    def lines(self, count, patience=40):
        """The next lines and no more, waiting for them up to `patience` seconds."""
        found = []
        end = time.monotonic() + patience
        while len(found) < count and time.monotonic() < end:
            found += self.available(min(count - len(found), 10))
        assert len(found) == count, f"{found}, and nothing more"
        return found

    def available(self, count=10):
        """The lines that come within a second, at most `count`."""
        messages = self._queue.receive(count, WaitTimeSeconds=1)
        for message in messages:
            self._queue.delete(message)
        return [message["Body"] for message in messages]

    def is_silent(self):
        """Whether no further line is there."""
        return self._queue.bodies() == []
