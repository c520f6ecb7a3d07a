"""Alerts and dashboard: the language is right, the metrics exist, and alerts fire when they should."""

import copy
import http.server
import json
import re
import subprocess
import threading
import time
import urllib.request

import promql_parser
import pytest
import yaml
from botocore.exceptions import ClientError
from chart import CACHE, CHART, HELM, VARIANTS, rendered, template
from program import serving

PROMTOOL = CACHE / "promtool"
needs_promtool = pytest.mark.skipif(
    not PROMTOOL.exists(), reason="no promtool: Debian's package of Prometheus cannot be had here"
)
WITH_RULES = [it for it in VARIANTS if "PrometheusRule" in rendered(it).kinds()]
DASHBOARD = json.loads((CHART / "dashboards" / "squab.json").read_text())
# What others than Squab measure: Prometheus itself, the kubelet, and kube-state-metrics.
OTHERS = re.compile(r"up|kubelet_volume_stats_\w+|container_\w+|kube_pod_container_resource_limits")
# Labels that the scrape gives.
TARGET = {"namespace", "job"}


def selectors(expression):
    """(metric, labels) of everything that an expression chooses."""

    def walk(node):
        for part in ("lhs", "rhs", "expr", "args", "vector_selector", "vs"):
            member = getattr(node, part, None)
            if isinstance(member, list):
                for it in member:
                    yield from walk(it)
            elif member is not None and not isinstance(member, str):
                yield from walk(member)
        if isinstance(node, promql_parser.VectorSelector):
            yield node.name, {it.name for it in node.matchers.matchers}

    return list(walk(promql_parser.parse(expression)))


def panels():
    """(title, expression) of every query of the dashboard, with its variables filled in."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            filled = target["expr"].replace("$__rate_interval", "5m")
            yield panel["title"], re.sub(r"\$\w+", "x", filled)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """Metric names with their labels, after traffic of every kind that they count."""

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            confirms = self.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
            self.send_response(200 if confirms else 400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    endpoint = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    with serving(rendered("ephemeral"), tmp_path_factory.mktemp("traffic")) as server:
        sqs, sns = (server.client(it, "us-east-1") for it in ("sqs", "sns"))
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="one")
        sqs.receive_message(QueueUrl=url)
        with pytest.raises(ClientError):
            sqs.get_queue_url(QueueName="missing")
        topic = sns.create_topic(Name="events")["TopicArn"]
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:orders"
        )
        hook = f"http://127.0.0.1:{endpoint.server_port}/"
        arn = sns.subscribe(
            TopicArn=topic, Protocol="http", Endpoint=hook, ReturnSubscriptionArn=True
        )
        token = f"{server.endpoint}/_aws/sns/subscription-tokens/{arn['SubscriptionArn']}"
        with urllib.request.urlopen(token) as answer:
            sns.confirm_subscription(TopicArn=topic, Token=json.load(answer)["subscription_token"])
        sns.publish(TopicArn=topic, Message="two")
        for _ in range(200):
            with urllib.request.urlopen(f"{server.endpoint}/metrics") as answer:
                text = answer.read().decode()
            if re.search(r'squab_sns_deliveries_total\{.*result="failed"', text):
                break
            time.sleep(0.05)
    endpoint.shutdown()
    endpoint.server_close()
    found = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r"(\w+)=\"", labels))
    assert len(found) > 8, text
    return found


@pytest.mark.parametrize("variant", WITH_RULES)
def test_alerts_ask_for_what_the_program_measures(variant, scraped):
    for rule in rendered(variant).alerts():
        for name, labels in selectors(rule["expr"]):
            check_measured(rule.get("alert") or rule["record"], name, labels, scraped)


def test_the_dashboard_asks_for_what_the_program_measures(scraped):
    asked = set()
    for title, expression in panels():
        for name, labels in selectors(expression):
            check_measured(title, name, labels, scraped)
            asked.add(name)
    # And it shows everything there is; sums and counts belong to histograms.
    assert {re.sub("_(sum|count)$", "_bucket", it) for it in scraped} <= asked


def check_measured(where, name, labels, scraped):
    if not OTHERS.fullmatch(name):
        assert name in scraped, where
        assert labels - TARGET <= scraped[name], (where, name)


def test_labels_of_requests_do_not_yield_to_those_of_the_target(scraped):
    # The operator gives every series these; what is also a label of a metric would be renamed.
    given = {"namespace", "service", "pod", "container", "endpoint", "job", "instance"}
    assert given & set().union(*scraped.values()) == {"service"}
    [endpoint] = rendered("platform").get("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["honorLabels"] is True


def test_a_misspelt_metric_would_be_found(scraped):
    for expression in ("rate(squab_request_total[5m])", 'sum(squab_connections{queue="a"}) > 0'):
        [(name, labels)] = selectors(expression)
        with pytest.raises(AssertionError):
            check_measured("", name, labels, scraped)


def test_queries_of_the_dashboard_are_found():
    assert len(list(panels())) > 25
    assert all(selectors(expression) for _, expression in panels())


def test_the_dashboard_uses_only_variables_that_it_has():
    text = json.dumps(DASHBOARD)
    known = {it["name"] for it in DASHBOARD["templating"]["list"]} | {"__rate_interval", "__all"}
    assert set(re.findall(r"\$\{?(\w+)", text)) <= known
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


def test_the_dashboard_is_carried_whole():
    config_map = rendered("platform").get("ConfigMap", "queues-dashboard")
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(config_map["data"]["squab.json"]) == DASHBOARD
    restored = rendered("existing").get("ConfigMap", "rel-squab-dashboard")["data"]["squab.json"]
    assert 'persistentvolumeclaim=\\"restored\\"' in restored


def test_only_the_chosen_alerts_are_there_with_the_chosen_labels():
    rules = {it["alert"]: it for it in rendered("platform").alerts() if "alert" in it}
    assert "SquabErrorRatio" not in rules and "SquabDown" in rules
    assert all(it["labels"]["team"] == "platform" for it in rules.values())
    assert {it["labels"]["severity"] for it in rules.values()} == {"warning", "critical"}
    assert "orders-failed[.]fifo" in rules["SquabDeadLettersGrow"]["expr"]
    assert rendered("platform").alerts()[-1]["record"] == "squab:messages"
    assert not any("Disk" in it["alert"] for it in rendered("no-volume").alerts())
    own = template(
        "--set=metrics.prometheusRule.enabled=true",
        '--set=metrics.prometheusRule.selector=cluster="a"',
    )
    assert 'squab_panics_total{cluster="a"}' in str(own.alerts())


def test_the_manual_explains_every_alert():
    manual = (HELM.parent / "docs" / "operations.md").read_text()
    for rule in template("--set=metrics.prometheusRule.enabled=true").alerts():
        assert f"`{rule['alert']}`" in manual


@needs_promtool
@pytest.mark.parametrize("variant", WITH_RULES)
def test_prometheus_takes_the_alerts(variant, tmp_path):
    spec = rendered(variant).get("PrometheusRule")["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yaml")


@needs_promtool
def test_prometheus_takes_the_queries_of_the_dashboard(tmp_path):
    rules = [{"record": f"panel:{i}", "expr": it} for i, (_, it) in enumerate(panels())]
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]})
    )
    promtool("check", "rules", "--lint=none", tmp_path / "rules.yaml")


def promtool(*arguments):
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


OWN = 'namespace="shop", job="rel-squab"'
ORDERS = f'{OWN}, account="000000000000", region="us-east-1", queue="orders"'
DEAD = ORDERS.replace("orders", "orders-DLQ")
DECLARED = ORDERS.replace("orders", "lost")
VISIBLE = ', state="visible"'
VOLUME = 'namespace="shop", persistentvolumeclaim="data-rel-squab-0"'

# What alerts say whom they are about by.
MEANT = "namespace, job, account, region, queue, protocol, result, persistentvolumeclaim"

# Series by minute in Prometheus's notation, and the alerts that fire at a minute; all others must
# not. The first line of each is what happens.
STORIES = [
    ("all is well", {
        f"up{{{OWN}}}": "1x60",
        f"squab_queue_messages{{{ORDERS}{VISIBLE}}}": "10000x60",
        f"squab_queue_oldest_message_age_seconds{{{ORDERS}}}": "900x60",
        f"squab_queue_messages{{{DEAD}{VISIBLE}}}": "20000x60",
        f"squab_queue_oldest_message_age_seconds{{{DEAD}}}": "100000+60x60",
        f'squab_sns_deliveries_total{{{OWN}, protocol="http", result="failed"}}': "7x60",
        f'squab_sns_deliveries_total{{{OWN}, protocol="sqs", result="delivered"}}': "0+9x60",
        f"squab_sns_oldest_pending_delivery_age_seconds{{{OWN}}}": "0x60",
        f'squab_requests_total{{{OWN}, service="sqs", operation="SendMessage", result="ok"}}': "0+95x60",
        f'squab_requests_total{{{OWN}, service="sqs", operation="SendMessage", result="InvalidAddress"}}': "0+4x60",
        f'squab_requests_total{{{OWN}, service="sqs", operation="SendMessage", result="InternalFailure"}}': "3x60",
        f'squab_request_duration_seconds_bucket{{{OWN}, operation="SendMessage", le="0.5"}}': "0+100x60",
        f'squab_request_duration_seconds_bucket{{{OWN}, operation="SendMessage", le="+Inf"}}': "0+100x60",
        f'squab_request_duration_seconds_bucket{{{OWN}, operation="ReceiveMessage", le="0.5"}}': "0x60",
        f'squab_request_duration_seconds_bucket{{{OWN}, operation="ReceiveMessage", le="20"}}': "0+50x60",
        f'squab_request_duration_seconds_bucket{{{OWN}, operation="ReceiveMessage", le="+Inf"}}': "0+50x60",
        f"squab_panics_total{{{OWN}}}": "2x60",
        f"kubelet_volume_stats_available_bytes{{{VOLUME}}}": "15x60",
        f"kubelet_volume_stats_capacity_bytes{{{VOLUME}}}": "100x60",
    }, {40: []}),
    ("nobody is scraped", {}, {1: [], 2: ["SquabDown"]}),
    ("a scrape fails", {f"up{{{OWN}}}": "1x5 0x20"}, {6: [], 9: ["SquabDown"]}),
    ("another release is up", {f"up{{{OWN}}}".replace("rel-", "other-"): "1x60"}, {10: ["SquabDown"]}),
    ("a queue is deep", {f"squab_queue_messages{{{ORDERS}{VISIBLE}}}": "10001x60"}, {9: [], 10: ["SquabQueueDeep"]}),
    ("much is in flight", {f'squab_queue_messages{{{ORDERS}, state="in_flight"}}': "99999x60"}, {20: []}),
    ("a message is old", {f"squab_queue_oldest_message_age_seconds{{{ORDERS}}}": "0+60x60"},
     {16: [], 21: ["SquabOldestMessageOld"]}),
    ("dead letters arrive", {f"squab_queue_messages{{{DEAD}{VISIBLE}}}": "5x20 6x40"},
     {20: [], 21: ["SquabDeadLettersGrow"], 35: ["SquabDeadLettersGrow"], 37: []}),
    ("dead letters are received, not more", {
        f"squab_queue_messages{{{DEAD}{VISIBLE}}}": "5x20 0x40",
        f'squab_queue_messages{{{DEAD}, state="in_flight"}}': "0x20 5x40",
    }, {25: []}),
    ("a declared dead-letter queue without a telling name", {f"squab_queue_messages{{{DECLARED}{VISIBLE}}}": "0x20 1x40"},
     {21: ["SquabDeadLettersGrow"]}),
    ("a delivery fails for the first time", {
        f'squab_sns_deliveries_total{{{OWN}, protocol="http", result="failed"}}': "_x21 1x39",
    }, {20: [], 21: ["SquabDeliveriesFail"], 34: ["SquabDeliveriesFail"], 38: []}),
    ("more deliveries fail", {f'squab_sns_deliveries_total{{{OWN}, protocol="http", result="failed"}}': "7x20 8x40"},
     {20: [], 22: ["SquabDeliveriesFail"], 37: []}),
    ("a restart forgets failures", {f'squab_sns_deliveries_total{{{OWN}, protocol="http", result="failed"}}': "7x20 _x40"},
     {22: [], 30: []}),
    ("a delivery is tried for long", {f"squab_sns_oldest_pending_delivery_age_seconds{{{OWN}}}": "0+60x60"},
     {11: [], 16: ["SquabDeliveriesWait"]}),
    ("the disk fails a request", {
        f'squab_requests_total{{{OWN}, service="sqs", operation="SendMessage", result="ok"}}': "0+1000x60",
        f'squab_requests_total{{{OWN}, service="sqs", operation="SendMessage", result="ServiceUnavailable"}}': "_x21 1x39",
    }, {20: [], 21: ["SquabServerErrors"], 35: []}),
    ("one in ten requests fails", {
        f'squab_requests_total{{{OWN}, service="sqs", operation="SendMessage", result="ok"}}': "0+90x60",
        f'squab_requests_total{{{OWN}, service="sns", operation="Publish", result="NotFound"}}': "0+10x60",
    }, {10: [], 12: ["SquabErrorRatio"]}),
    ("sends are slow", {
        f'squab_request_duration_seconds_bucket{{{OWN}, operation="SendMessage", le="0.5"}}': "0+90x60",
        f'squab_request_duration_seconds_bucket{{{OWN}, operation="SendMessage", le="1.0"}}': "0+100x60",
        f'squab_request_duration_seconds_bucket{{{OWN}, operation="SendMessage", le="+Inf"}}': "0+100x60",
    }, {10: [], 12: ["SquabSlow"]}),
    ("a bug", {f"squab_panics_total{{{OWN}}}": "0x20 1x40"}, {20: [], 22: ["SquabPanics"]}),
    ("the volume fills", {
        f"kubelet_volume_stats_available_bytes{{{VOLUME}}}": "20-1x20",
        f"kubelet_volume_stats_capacity_bytes{{{VOLUME}}}": "100x20",
    }, {5: [], 11: ["SquabDiskFills"], 16: ["SquabDiskFills", "SquabDiskFull"]}),
]  # fmt: skip


@needs_promtool
def test_alerts_fire_when_they_should_and_only_then(tmp_path):
    manifests = template(
        "--set=metrics.prometheusRule.enabled=true",
        "--set=queues.orders.dead_letter_queue=lost,queues.orders.max_receive_count=3,queues.lost.DelaySeconds=0",
    )
    rules = manifests.alerts()
    names = {it["alert"] for it in rules}
    fired = {name for _, _, firing in STORIES for expected in firing.values() for name in expected}
    assert fired == names, "every alert has its story"
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(manifests.get("PrometheusRule")["spec"]))
    plain = copy.deepcopy(rules)
    for (
        rule
    ) in plain:  # whether it fires is the question; of the texts it is enough that they can be made
        del rule["annotations"]
        rule["labels"] = {"story": "told"}
        rule["expr"] = f"sum without ({MEANT}) ({rule['expr']})"
    (tmp_path / "plain.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "plain", "rules": plain}]})
    )
    tests = []
    for title, series, firing in STORIES:
        if "up" not in {it.partition("{")[0] for it in series} and title != "nobody is scraped":
            series = {**series, f"up{{{OWN}}}": "1x60"}
        tests.append({
            "name": title,
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [
                {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": [{"exp_labels": {"story": "told"}}] if name in expected else []}
                for minute, expected in firing.items()
                for name in sorted(names)
            ],
        })  # fmt: skip
    whole = {"rule_files": ["plain.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(whole))
    promtool("test", "rules", tmp_path / "tests.yaml")
