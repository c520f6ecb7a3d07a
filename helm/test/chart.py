"""Renders the chart with real Helm, and knows what was rendered."""

import base64
import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path

import yaml

HELM = Path(__file__).resolve().parents[1]
CHART = HELM / "squab"
CACHE = HELM / ".cache"
HELMS = [CACHE / "helm" / "helm-3", CACHE / "helm" / "helm-4"]
VARIANTS = [
    "default",
    *sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").iterdir()),
]
RELEASE, NAMESPACE = "rel", "shop"


class Refused(Exception):
    """Helm does not render these values; the text is what it says."""


class Manifests(list):
    """The objects of one rendering."""

    def get(self, kind, name=None):
        """The one object of this kind, and of this name if there are several."""
        found = [it for it in self if it["kind"] == kind and name in (None, it["metadata"]["name"])]
        if len(found) != 1:
            raise LookupError(f"{len(found)} objects are {kind} {name or ''}")
        return found[0]

    def kinds(self):
        return {it["kind"] for it in self}

    def pods(self):
        """The specification of each pod: of the StatefulSet's, then of the tests'."""
        return [self.get("StatefulSet")["spec"]["template"]["spec"]] + [
            it["spec"] for it in self if it["kind"] == "Pod"
        ]

    def config(self):
        """The text of the program's file."""
        return self.get("ConfigMap", self.name())["data"]["squab.toml"]

    def name(self):
        return self.get("StatefulSet")["metadata"]["name"]

    def secret(self):
        """The texts in the Secret that the chart makes."""
        data = self.get("Secret")["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def alerts(self):
        """The rules of the PrometheusRule."""
        [group] = self.get("PrometheusRule")["spec"]["groups"]
        return group["rules"]


def helm(program, *arguments, **environment):
    """What this Helm prints; nothing of the user's own settings counts."""
    with tempfile.TemporaryDirectory() as home:
        homes = {f"HELM_{it}_HOME": home for it in ("CACHE", "CONFIG", "DATA")}
        clean = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": "/dev/null", **homes}
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, env={**clean, **environment}
        )
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def variant_arguments(variant):
    if variant == "default":
        return []
    return ["--values", str(CHART / "ci" / f"{variant}-values.yaml")]


def template(*arguments, program=HELMS[-1], **environment):
    """What `helm template` makes of the chart with these arguments."""
    command = ["template", RELEASE, str(CHART), "--namespace", NAMESPACE, *arguments]
    return parse(helm(program, *command, **environment))


@functools.cache
def rendered(variant, program=HELMS[-1]):
    """The objects of a variant."""
    return template(*variant_arguments(variant), program=program)


def set_json(**values):
    """Arguments that set top-level values."""
    return [f"--set-json={key}={json.dumps(value)}" for key, value in values.items()]


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML would keep one in silence."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def parse(text):
    return Manifests(it for it in yaml.load_all(text, Loader=StrictLoader) if it)
