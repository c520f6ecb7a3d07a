"""Values: what is refused, and what is written about them."""

import json
import subprocess
import sys
import tomllib

import pytest
import yaml
from chart import CHART, HELM, HELMS, Refused, helm, rendered, set_json, template
from program import flags

SCHEMA = json.loads((CHART / "values.schema.json").read_text())

# What is set, and what the refusal must name.
WRONG = [
    ({"replicaCount": 3}, "replicaCount"),
    ({"replicas": 1}, "replicas"),
    ({"enableStartupScripts": True}, "enableStartupScripts"),
    ({"auth": {"mode": "lax"}}, "mode"),
    ({"auth": {"account": "12"}}, "account"),
    ({"auth": {"keys": [{"accessKeyId": "A"}]}}, "secretAccessKey"),
    ({"auth": {"keys": [{"accessKeyId": "A/B", "secretAccessKey": "s"}]}}, "accessKeyId"),
    ({"config": {"durability": "none"}}, "durability"),
    ({"config": {"regoin": "eu-west-1"}}, "regoin"),
    ({"config": {"listen": "0.0.0.0:1"}}, "listen"),
    ({"config": {"max_connections": 0}}, "max_connections"),
    ({"queues": {"a.b": {}}}, "a.b"),
    ({"queues": {"q": {"VisibilityTimout": 1}}}, "VisibilityTimout"),
    ({"queues": {"q": {"DelaySeconds": 1.5}}}, "DelaySeconds"),
    ({"queues": {"q": {"dead_letter_queue": "d"}}}, "max_receive_count"),
    ({"queues": {"q": {"dead_letter_queue": "d", "max_receive_count": 1001}}}, "max_receive_count"),
    ({"queues": {"q": {"account": 123456789012}}}, "account"),
    ({"topics": {"t": {"subscriptions": [{"protocol": "http"}]}}}, "subscriptions"),
    ({"topics": {"t": {"subscriptions": [{"queue": "q", "protocol": "sqs"}]}}}, "subscriptions"),
    (
        {"topics": {"t": {"subscriptions": [{"protocol": "pigeon", "endpoint": "x"}]}}},
        "subscriptions",
    ),
    ({"persistence": {"accessModes": ["ReadWriteMany"]}}, "accessModes"),
    ({"persistence": {"size": "8 GB"}}, "size"),
    ({"service": {"type": "ExternalName"}}, "type"),
    ({"service": {"edgeService": {"targetPort": 80}}}, "targetPort"),
    ({"image": {"digest": "sha256:12"}}, "digest"),
    ({"podDisruptionBudget": {"maxUnavailable": 2}}, "maxUnavailable"),
    ({"metrics": {"prometheusRule": {"disabled": ["SquabDwon"]}}}, "disabled"),
    ({"metrics": {"prometheusRule": {"thresholds": {"errorRatio": 5}}}}, "errorRatio"),
]


@pytest.mark.parametrize(
    ("values", "named"), WRONG, ids=lambda it: it if isinstance(it, str) else ""
)
def test_wrong_values_are_refused_by_name(values, named):
    for program in HELMS:
        with pytest.raises(Refused, match="don't meet the specifications of the schema") as refusal:
            template(*set_json(**values), program=program)
        assert named in str(refusal.value)


def test_what_a_schema_cannot_say_is_refused_with_a_reason():
    with pytest.raises(Refused, match="one process writes the state"):
        template("--set=replicaCount=2", "--skip-schema-validation")
    with pytest.raises(Refused, match=r"must be more than config.shutdown_grace \(30\)"):
        template("--set=config.shutdown_grace=30")
    with pytest.raises(Refused, match=r"tests\.signedCall needs one key"):
        template(
            "--set=tests.signedCall.enabled=true,auth.existingSecret=s,auth.existingSecretKeys.credentials=c"
        )


def test_the_server_can_be_stopped_to_restore_a_backup():
    assert template("--set=replicaCount=0").get("StatefulSet")["spec"]["replicas"] == 0


def test_off_is_understood_with_and_without_quotes():
    for given in ("off", "false"):
        config = template(f"--set=auth.mode={given}").config()
        assert tomllib.loads(config)["auth"] == "off"


def test_unsigned_calls_are_allowed_where_the_mode_lets_them_pass():
    for mode, allowed in [("off", True), ("known-keys", True), ("strict", None)]:
        config = template(f"--set=auth.mode={mode}").config()
        assert tomllib.loads(config).get("allow_anonymous") is allowed


def test_browsers_may_use_the_names_of_the_ingress():
    assert "allowed_hosts" not in tomllib.loads(template().config())
    assert tomllib.loads(rendered("platform").config())["allowed_hosts"] == ["queues.example.com"]
    both = template("--set=ingress.enabled=true", *set_json(config={"allowed_hosts": ["squab"]}))
    assert tomllib.loads(both.config())["allowed_hosts"] == ["squab", "squab.local"]


def test_numbers_are_written_out():
    # Helm has them as floats, of which 1209600 is by nature 1.2096e+06: no setting and no attribute.
    config = rendered("declared").config()
    for line in ("header_timeout = 1209600", "MessageRetentionPeriod = 1209600"):
        assert f"{line}\n" in config
    assert '"cost centre" = 4711,' in config


def test_texts_and_policies_arrive_unharmed():
    config = tomllib.loads(rendered("declared").config())
    queues = config["queues"]
    assert queues["orders"]["tags"]["said"] == 'a "quoted" \\ text <&>'
    assert (
        json.loads(queues["orders-failed"]["RedriveAllowPolicy"])["redrivePermission"] == "byQueue"
    )
    assert queues["bill.fifo"]["Policy"] == '{"Version":"2012-10-17","Statement":[]}'
    topics = tomllib.loads(rendered("topics").config())["topics"]
    kitchen, https = topics["events"]["subscriptions"]
    policy = {"kind": ["order"], "price": [{"numeric": [">", 100]}]}
    assert kitchen["queue"] == "kitchen" and kitchen["attributes"]["RawMessageDelivery"] is True
    assert kitchen["attributes"]["FilterPolicy"] == json.dumps(policy, separators=(",", ":"))
    assert https == {"protocol": "https", "endpoint": "https://example.com/events"}


def test_debug_wins_over_the_level():
    config = template("--set=debug=true", "--set=config.log_level=warn").config()
    assert tomllib.loads(config)["log_level"] == "debug"


def test_the_schema_knows_every_setting_of_the_program():
    # Those that the chart itself gives.
    given = {"listen", "data", "auth", "allow_anonymous", "credentials", "config", "help", "version"}
    # A pod has no files of other servers and no scripts, replaces no other server and checks no file.
    given |= {"check", "compat", "import", "init_dir", "latency", "relaxed_limits", "auto_create_queues", "account"}
    known = SCHEMA["properties"]["config"]["properties"].keys()
    missing, gone = flags() - given - known, known - flags()
    assert not missing, "squab --help has settings that values.schema.json lacks under config"
    assert not gone, "values.schema.json has settings under config that squab --help lacks"


def test_readme_and_schema_say_what_the_comments_in_the_values_say():
    done = subprocess.run(
        [sys.executable, HELM / "document", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def leaves(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, (*path, key))


def test_every_value_is_in_the_table():
    table = (CHART / "README.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    listed = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    for path in leaves(values):
        name = ".".join(path)
        is_within = any(name.startswith(f"{it}.") for it in listed)
        is_above = any(it.startswith(f"{name}.") for it in listed)
        assert not path or name in listed or is_within or is_above, name


def test_every_property_of_the_schema_is_described():
    def undescribed(schema, path):
        for name, member in schema.get("properties", {}).items():
            where = f"{path}.{name}".lstrip(".")
            if "$ref" not in member and "properties" not in member and "description" not in member:
                yield where
            yield from undescribed(member, where)

    missing = list(undescribed(SCHEMA, ""))
    assert missing == []
    # The members of these are AWS's words, and described there.
    assert all(it["description"] for it in SCHEMA["definitions"].values())


def test_the_chart_can_be_packed(tmp_path):
    helm(HELMS[-1], "package", str(CHART), "--destination", str(tmp_path))
    [packed] = tmp_path.iterdir()
    shown = helm(HELMS[-1], "show", "chart", str(packed))
    metadata = yaml.safe_load(shown)
    cargo = tomllib.loads((HELM.parent / "Cargo.toml").read_text())
    assert metadata["appVersion"] == cargo["package"]["version"]
