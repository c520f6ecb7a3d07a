"""The key that the chart makes: random, and then the same for ever."""

import copy
import re
import tomllib

import pytest
from chart import HELMS, NAMESPACE, RELEASE, Refused, rendered, template
from cluster import cluster

IN_CLUSTER = ["--dry-run=server", "--disable-openapi-validation"]


@pytest.fixture(params=HELMS, ids=lambda it: it.name)
def program(request):
    return request.param


def checksum(manifests):
    pod = manifests.get("StatefulSet")["spec"]["template"]
    return pod["metadata"]["annotations"]["checksum/keys"]


def test_two_installations_have_two_keys_that_look_like_those_of_aws(program, tmp_path):
    with cluster(tmp_path, []) as config:
        one, other = (
            template(*IN_CLUSTER, program=program, KUBECONFIG=str(config)).secret()
            for _ in range(2)
        )
    assert one["access-key-id"] != other["access-key-id"]
    assert one["secret-access-key"] != other["secret-access-key"]
    assert re.fullmatch("AKIA[A-Z2-7]{16}", one["access-key-id"])
    assert re.fullmatch("[A-Za-z0-9]{40}", one["secret-access-key"])


def test_an_upgrade_keeps_the_key_and_the_pod(program, tmp_path):
    with cluster(tmp_path, []) as config:
        installed = template(*IN_CLUSTER, program=program, KUBECONFIG=str(config))
    stored = copy.deepcopy(installed.get("Secret"))
    owner = {"meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": NAMESPACE}
    stored["metadata"]["annotations"] = owner  # which Helm itself adds
    with cluster(tmp_path, [stored]) as config:
        upgraded = template(*IN_CLUSTER, program=program, KUBECONFIG=str(config))
        renewed = template(
            *IN_CLUSTER, "--set=auth.secretAccessKey=new", program=program, KUBECONFIG=str(config)
        )
    assert upgraded == installed
    assert renewed.secret()["secret-access-key"] == "new"
    assert renewed.secret()["access-key-id"] == installed.secret()["access-key-id"]
    assert checksum(renewed) != checksum(installed)


@pytest.mark.parametrize("variant", ["default", "declared"])
def test_the_file_of_keys_says_what_the_entries_say(variant):
    secret = rendered(variant).secret()
    first, *_ = tomllib.loads(secret["credentials.toml"])["credential"]
    assert first["access_key_id"] == secret["access-key-id"]
    assert first["secret_access_key"] == secret["secret-access-key"]


def test_given_keys_arrive_unharmed():
    credentials = tomllib.loads(rendered("declared").secret()["credentials.toml"])["credential"]
    assert credentials == [
        {
            "access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key": 'wJalr"X\\UtnFEMI/K7MDENG<&>{{ bPxRfiCYEXAMPLEKEY',
            "account": "123456789012",
            "role": "operate",
        },
        {
            "access_key_id": "AKIAI44QH8DHBEXAMPLE",
            "secret_access_key": "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
            "account": "210987654321",
            "user": "alice",
            "role": "admin",
        },
    ]


def test_a_secret_of_ones_own_is_read_and_none_is_made():
    def container(variant):
        assert "Secret" not in rendered(variant).kinds()
        spec = rendered(variant).get("StatefulSet")["spec"]["template"]["spec"]
        return spec["containers"][0]["env"], [it for it in spec["volumes"] if it["name"] == "keys"]

    env, volumes = container("platform")
    read = {it["name"]: it["valueFrom"]["secretKeyRef"] for it in env if "valueFrom" in it}
    assert read["SQUAB_ACCESS_KEY_ID"] == {"name": "squab", "key": "id"}
    assert read["SQUAB_SECRET_ACCESS_KEY"] == {"name": "squab", "key": "secret"}
    assert volumes == [] and "credentials" not in tomllib.loads(rendered("platform").config())
    env, [volume] = container("existing")
    assert not any("valueFrom" in it for it in env)
    assert volume["secret"]["items"] == [{"key": "keys.toml", "path": "credentials"}]
    assert tomllib.loads(rendered("existing").config())["auth"] == "known-keys"


def test_without_signatures_there_is_no_key():
    assert "Secret" not in rendered("ephemeral").kinds()
    config = tomllib.loads(rendered("ephemeral").config())
    assert config["auth"] == "off" and "credentials" not in config


def test_keys_beside_a_secret_of_ones_own_are_refused():
    with pytest.raises(Refused, match=r"auth\.existingSecret holds all keys"):
        template("--set=auth.existingSecret=squab", "--set=auth.accessKeyId=AKIA")


def test_metrics_name_queues_where_alerts_and_scrapes_need_the_names():
    for flags, opened in [
        ([], None),
        (["--set", "metrics.serviceMonitor.enabled=true"], True),
        (["--set", "metrics.prometheusRule.enabled=true"], True),
        (["--set", "metrics.serviceMonitor.enabled=true,config.open_metrics=false"], False),
    ]:
        config = tomllib.loads(template(*flags).config())
        assert config.get("open_metrics") is opened, flags
