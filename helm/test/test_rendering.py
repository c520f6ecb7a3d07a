"""What is rendered: valid, safe, and hanging together."""

import copy
import shutil

import pytest
import schemas
from chart import (
    CHART,
    HELMS,
    NAMESPACE,
    RELEASE,
    VARIANTS,
    helm,
    parse,
    rendered,
    template,
    variant_arguments,
)
from pod_security import violations


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_is_what_the_api_takes(variant):
    for manifest in rendered(variant):
        assert schemas.complaints(manifest) == [], manifest["kind"]


def test_unknown_fields_would_be_found():
    for kind, spoil in {
        "StatefulSet": lambda it: it["spec"]["template"]["spec"]["containers"][0].update(prots=[]),
        "NetworkPolicy": lambda it: it["spec"].update(ingres=[]),
        "ServiceMonitor": lambda it: it["spec"]["endpoints"][0].update(honourLabels=True),
        "PrometheusRule": lambda it: it["spec"]["groups"][0]["rules"][0].update(form="2m"),
    }.items():
        manifest = copy.deepcopy(rendered("platform").get(kind))
        spoil(manifest)
        assert schemas.complaints(manifest) != [], kind


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_versions_of_helm_render_the_same(variant):
    def constant(manifests):
        random = {"checksum/keys", "access-key-id", "secret-access-key", "credentials.toml"}

        def without(value):
            if isinstance(value, dict):
                return {key: without(it) for key, it in value.items() if key not in random}
            return [without(it) for it in value] if isinstance(value, list) else value

        return [without(it) for it in manifests]

    three, four = (constant(rendered(variant, program)) for program in HELMS)
    assert three == four


@pytest.mark.parametrize("program", HELMS, ids=lambda it: it.name)
@pytest.mark.parametrize("variant", VARIANTS)
def test_lint_is_content(program, variant):
    helm(program, "lint", "--strict", str(CHART), *variant_arguments(variant))


@pytest.mark.parametrize("variant", VARIANTS)
def test_pods_pass_the_restricted_standard(variant):
    for spec in rendered(variant).pods():
        assert list(violations(spec)) == []
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert "memory" in container["resources"]["limits"]


def test_the_standard_refuses_a_pod_without_its_contexts():
    [spec, *_] = copy.deepcopy(rendered("default").pods())
    del spec["securityContext"], spec["containers"][0]["securityContext"]
    assert len(list(violations(spec))) == 4


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_that_objects_call_each_other_by_exist(variant):
    manifests = rendered(variant)
    stateful = manifests.get("StatefulSet")
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    spec = stateful["spec"]["template"]["spec"]
    container = spec["containers"][0]

    def chooses(selector):
        return selector.items() <= labels.items()

    assert chooses(stateful["spec"]["selector"]["matchLabels"])
    ports = {port["name"] for port in container["ports"]}
    services = [it for it in manifests if it["kind"] == "Service"]
    assert stateful["spec"]["serviceName"] in [it["metadata"]["name"] for it in services]
    for service in services:
        assert chooses(service["spec"]["selector"])
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for kind in {"NetworkPolicy", "PodDisruptionBudget"} & manifests.kinds():
        key = "podSelector" if kind == "NetworkPolicy" else "selector"
        assert chooses(manifests.get(kind)["spec"][key]["matchLabels"])
    volumes = {it["name"] for it in spec["volumes"]}
    volumes |= {it["metadata"]["name"] for it in stateful["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    for volume in spec["volumes"]:
        if "configMap" in volume:
            manifests.get("ConfigMap", volume["configMap"]["name"])
    if "ServiceAccount" in manifests.kinds():
        assert spec["serviceAccountName"] == manifests.get("ServiceAccount")["metadata"]["name"]
    if "ServiceMonitor" in manifests.kinds():
        monitor = manifests.get("ServiceMonitor")["spec"]
        found = [
            it for it in services
            if monitor["selector"]["matchLabels"].items() <= it["metadata"]["labels"].items()
        ]  # fmt: skip
        assert len(found) == 1, "two services would have the pod scraped twice"
        assert monitor["endpoints"][0]["port"] in [it["name"] for it in found[0]["spec"]["ports"]]
        assert monitor["namespaceSelector"]["matchNames"] == [NAMESPACE]
    if "Ingress" in manifests.kinds():
        [rule] = manifests.get("Ingress")["spec"]["rules"]
        backend = rule["http"]["paths"][0]["backend"]["service"]
        target = manifests.get("Service", backend["name"])
        assert backend["port"]["name"] in [it["name"] for it in target["spec"]["ports"]]
    for pod in (it for it in manifests if it["kind"] == "Pod"):
        assert (
            not stateful["spec"]["selector"]["matchLabels"].items()
            <= pod["metadata"]["labels"].items()
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_are_bound_to_the_release(variant):
    for manifest in rendered(variant):
        if manifest["metadata"]["name"] in ("other", "queues-more"):
            continue  # written by whoever wrote the values
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == RELEASE
        assert labels["app.kubernetes.io/name"] == "squab"
        assert manifest["metadata"]["namespace"] in (NAMESPACE, "monitoring")


def test_what_cannot_change_does_not_follow_the_version_of_the_chart(tmp_path):
    copied = tmp_path / "squab"
    shutil.copytree(CHART, copied)
    chart = (copied / "Chart.yaml").read_text()
    (copied / "Chart.yaml").write_text(chart.replace("0.1.0", "9.9.9"))
    keys = ["--set=auth.accessKeyId=A,auth.secretAccessKey=B", "--set=image.tag=x"]

    def specification(folder):
        text = helm(HELMS[-1], "template", RELEASE, str(folder), "--namespace", NAMESPACE, *keys)
        return parse(text).get("StatefulSet")["spec"]

    # Not even the pod: a new chart alone begins none anew.
    assert specification(CHART) == specification(copied)


def test_a_change_of_settings_or_keys_begins_the_pod_anew():
    def checksums(*arguments):
        keys = ["--set=auth.accessKeyId=A", "--set=auth.secretAccessKey=B"]
        stateful = template(*keys, *arguments).get("StatefulSet")
        return stateful["spec"]["template"]["metadata"]["annotations"]

    before = checksums()
    assert before == checksums("--set=persistence.size=9Gi")
    for change, keys_too in (
        ("config.region=eu-west-1", False),
        ("queues.orders.DelaySeconds=5", False),
        ("auth.secretAccessKey=C", True),
    ):
        after = checksums(f"--set={change}")
        assert (before["checksum/config"] != after["checksum/config"]) is not keys_too, change
        assert (before["checksum/keys"] != after["checksum/keys"]) is keys_too, change


def test_network_policy_lets_in_only_those_that_are_named():
    spec = rendered("platform").get("NetworkPolicy")["spec"]
    [ingress] = spec["ingress"]
    assert ingress["ports"] == [{"port": "edge", "protocol": "TCP"}]
    tests, shop, monitoring = ingress["from"]
    assert tests["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"
    names = [it["namespaceSelector"]["matchLabels"] for it in (shop, monitoring)]
    assert names == [{"kubernetes.io/metadata.name": it} for it in ("shop", "monitoring")]
    dns, out = spec["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert out["to"] == [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
    closed = rendered("ephemeral").get("NetworkPolicy")["spec"]
    assert closed["egress"] == [] and "Egress" in closed["policyTypes"]
    assert closed["ingress"][0]["from"] == [{"podSelector": {}}]


def test_where_the_state_is_kept():
    def volume(variant):
        spec = rendered(variant).get("StatefulSet")["spec"]
        claims = spec.get("volumeClaimTemplates", [])
        return claims, [it for it in spec["template"]["spec"]["volumes"] if it["name"] == "data"]

    [claim], volumes = volume("default")
    assert claim["spec"]["resources"]["requests"]["storage"] == "8Gi" and volumes == []
    assert volume("no-volume") == ([], [{"name": "data", "emptyDir": {}}])
    assert volume("ephemeral") == ([], [{"name": "data", "emptyDir": {}}])
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "restored"}}
    assert volume("existing") == ([], [claim])
    none = template("--set=persistence.storageClass=-").get("StatefulSet")["spec"]
    assert none["volumeClaimTemplates"][0]["spec"]["storageClassName"] == ""


@pytest.mark.parametrize("variant", VARIANTS)
def test_notes_tell_where_and_with_which_key(variant):
    # Helm 3 would want a cluster for this.
    said = helm(
        HELMS[-1], "install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--dry-run=client",
        *variant_arguments(variant),
    )  # fmt: skip
    notes = said.split("NOTES:")[1]
    manifests = rendered(variant)
    port = manifests.get("Service", manifests.name())["spec"]["ports"][0]["port"]
    assert f"http://{manifests.name()}.{NAMESPACE}.svc:{port}" in notes
    secret = {"default": "rel-squab-keys", "platform": "squab", "existing": "squab"}.get(variant)
    assert secret is None or secret in notes
    assert ("signatures are not verified" in notes) == (variant == "ephemeral")
    assert ("no volume" in notes) == (variant in ("ephemeral", "no-volume"))
