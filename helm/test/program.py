"""Starts the program, with what the chart would give it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import boto3
from botocore.config import Config
from chart import HELM

START_TIMEOUT = 20  # seconds until the line "Ready." must be there


class Failed(Exception):
    """The program did not start; the text is what it said."""


def path():
    """SQUAB_BIN, else the release build, else the debug build."""
    builds = [HELM.parent / "target" / it / "squab" for it in ("release", "debug")]
    candidates = [Path(os.environ["SQUAB_BIN"])] if "SQUAB_BIN" in os.environ else builds
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate.resolve())
    raise Failed(f"no program to check the chart with: build squab or set SQUAB_BIN ({candidates})")


def flags():
    """The program's options as its file spells them."""
    said = subprocess.run([path(), "--help"], capture_output=True, text=True, check=True).stdout
    return {
        it.replace("-", "_") for it in re.findall(r"^ +(?:-\w, )?--([a-z-]+)", said, re.MULTILINE)
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, port):
        self.endpoint = f"http://127.0.0.1:{port}"
        self.port = port

    def client(self, service, region, key="test", secret="test"):
        quick = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=25)
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=region, config=quick,
            aws_access_key_id=key, aws_secret_access_key=secret,
        )  # fmt: skip


@contextlib.contextmanager
def serving(manifests, folder, secrets=None):
    """The program as the StatefulSet starts it: its variables, its files, its directory.

    `secrets` are the texts of a Secret that the chart does not make. Only the places of files and
    the port differ from those in the pod.
    """
    [container, *_] = manifests.get("StatefulSet")["spec"]["template"]["spec"]["containers"]
    secrets = secrets or (manifests.secret() if "Secret" in manifests.kinds() else {})
    (folder / "keys").mkdir(parents=True)
    for volume in manifests.get("StatefulSet")["spec"]["template"]["spec"]["volumes"]:
        for item in volume.get("secret", {}).get("items", []):
            (folder / "keys" / item["path"]).write_text(secrets[item["key"]])
    config = manifests.config().replace("/etc/squab/keys", str(folder / "keys"))
    (folder / "squab.toml").write_text(config)
    environment = {}
    for variable in container["env"]:
        reference = variable.get("valueFrom", {}).get("secretKeyRef", {})
        if "value" in variable or reference.get("key") in secrets:
            value = variable.get("value") or secrets[reference["key"]]
            environment[variable["name"]] = value
    port = free_port()
    environment["SQUAB_CONFIG"] = str(folder / "squab.toml")
    environment["SQUAB_DATA"] = str(folder / "data")
    environment["SQUAB_LISTEN"] = re.sub(
        r".*:\d+$", f"127.0.0.1:{port}", environment["SQUAB_LISTEN"]
    )
    process = subprocess.Popen(
        [path(), *container.get("args", [])], cwd=folder, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=(folder / "log").open("w"),
    )  # fmt: skip
    deadline = threading.Timer(START_TIMEOUT, process.kill)
    deadline.start()
    try:
        if process.stdout.readline().strip() != "Ready.":
            process.wait()
            raise Failed((folder / "log").read_text())
        deadline.cancel()
        yield Server(port)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(START_TIMEOUT)
        grace = manifests.get("StatefulSet")["spec"]["template"]["spec"][
            "terminationGracePeriodSeconds"
        ]
        assert time.monotonic() - began < grace, "the pod would be killed"
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
