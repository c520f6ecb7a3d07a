"""Filter policies: which messages a subscription gets."""

import json

import pytest

from suite.service import text
from suite.topics import change

SUBSCRIBED = "Invalid parameter: Attributes Reason: "
SET = "Invalid parameter: "


def number(value):
    """A Number attribute."""
    return {"DataType": "Number", "StringValue": value}


def array(*values):
    """A String.Array attribute."""
    return {"DataType": "String.Array", "StringValue": json.dumps(values)}


def binary(value):
    """A Binary attribute."""
    return {"DataType": "Binary", "BinaryValue": value}


def check_attributes(sns, policy, passing, stopped):
    """Messages with one of the attribute maps `passing` pass, those with `stopped` do not."""
    topic = sns.topic()
    inbox = topic.inbox(FilterPolicy=policy)
    entries = [(f"stopped {i}", attributes) for i, attributes in enumerate(stopped)]
    entries += [(f"passing {i}", attributes) for i, attributes in enumerate(passing)]
    topic.publish_all(
        [{"Message": m, **({"MessageAttributes": a} if a else {})} for m, a in entries]
    )
    inbox.only(*(message for message, _ in entries if message.startswith("passing")))


def check_bodies(sns, policy, passing, stopped):
    """Documents `passing` pass as bodies, `stopped` (documents or texts) do not."""
    topic = sns.topic()
    inbox = topic.inbox(FilterPolicy=policy, FilterPolicyScope="MessageBody")
    passing = [json.dumps(one, ensure_ascii=False) for one in passing]
    stopped = [one if isinstance(one, str) else json.dumps(one) for one in stopped]
    topic.publish_all(stopped + passing)
    inbox.only(*passing)


ATTRIBUTES = {
    "text": (
        {"k": ["birds", "größe"]},
        [{"k": text("birds")}, {"k": text("größe")}, {"k": array("fish", "birds")}],
        [{}, {"k": text("Birds")}, {"k": text("bird")}, {"other": text("birds")}],
    ),
    "number": (
        {"k": [301.5, -7]},
        [{"k": number("301.5")}, {"k": number("3.015e2")}, {"k": number("-7")}, {"k": array(-7)}],
        [{"k": number("301")}, {"k": number("7")}, {"k": array("-7")}],
    ),
    "true, false, null in an array": (
        {"k": [True, None]},
        [{"k": array("x", True)}, {"k": array(None)}],
        [{"k": array(False)}, {"k": array("null")}, {}],
    ),
    "prefix": (
        {"k": [{"prefix": "bas"}]},
        [{"k": text("baseball")}, {"k": text("bas")}, {"k": array("x", "base")}],
        [{"k": text("Baseball")}, {"k": text("ba")}, {}],
    ),
    "suffix": (
        {"k": [{"suffix": "ball"}]},
        [{"k": text("baseball")}, {"k": text("ball")}],
        [{"k": text("balls")}, {"k": text("baseBall")}],
    ),
    "equals-ignore-case": (
        {"k": [{"equals-ignore-case": "tennis"}]},
        [{"k": text("tennis")}, {"k": text("TENNIS")}, {"k": text("Tennis")}],
        [{"k": text("table tennis")}, {}],
    ),
    "anything-but a text": (
        {"k": [{"anything-but": "rugby"}]},
        [{"k": text("tennis")}, {"k": array("rugby", "tennis")}],
        [{}, {"k": text("rugby")}, {"k": array("rugby")}],
    ),
    "anything-but a list": (
        {"k": [{"anything-but": ["rugby", "tennis"]}]},
        [{"k": text("football")}],
        [{}, {"k": text("rugby")}, {"k": text("tennis")}],
    ),
    "anything-but numbers": (
        {"k": [{"anything-but": [100, 500]}]},
        [{"k": number("101")}],
        [{"k": number("100")}, {"k": number("5e2")}],
    ),
    "anything-but a prefix": (
        {"k": [{"anything-but": {"prefix": "order-"}}]},
        [{"k": text("data-entry")}],
        [{"k": text("order-cancelled")}, {}],
    ),
    "null or anything-but": (
        {"k": [None, {"anything-but": "whatever"}]},
        [{"k": text("x")}],
        [{}, {"k": text("whatever")}],
    ),
    "numeric equality": (
        {"k": [{"numeric": ["=", 301.5]}]},
        [{"k": number("3.015e2")}, {"k": number("301.50")}],
        [{"k": number("301")}, {"k": text("301.5")}, {}],
    ),
    "numeric range": (
        {"k": [{"numeric": [">", 0, "<=", 100]}]},
        [{"k": number("0.00001")}, {"k": number("100")}, {"k": number("99.12")}],
        [{"k": number("0")}, {"k": number("100.1")}, {"k": number("-5")}, {"k": text("50")}],
    ),
    "numeric bound": (
        {"k": [{"numeric": ["<", -10]}]},
        [{"k": number("-10.5")}],
        [{"k": number("-10")}, {"k": number("0")}],
    ),
    "exists": (
        {"k": [{"exists": True}]},
        [{"k": text("x")}, {"k": number("0")}],
        [{}, {"other": text("x")}],
    ),
    "exists not": (
        {"k": [{"exists": False}]},
        [{"other": text("x")}],
        [{"k": text("x")}, {"k": number("0"), "other": text("x")}],
    ),
    "cidr": (
        {"k": [{"cidr": "10.0.0.0/24"}]},
        [{"k": text("10.0.0.0")}, {"k": text("10.0.0.255")}],
        [{"k": text("10.0.1.0")}, {"k": text("10.0.0.256")}, {"k": text("here")}],
    ),
    "all keys": (
        {"a": ["1"], "b": ["2", "3"]},
        [{"a": text("1"), "b": text("3"), "c": text("x")}],
        [{"a": text("1")}, {"b": text("2")}, {"a": text("1"), "b": text("4")}],
    ),
    "$or": (
        {"source": ["s"], "$or": [{"a": ["1"]}, {"b": [{"numeric": [">", 1]}]}]},
        [{"source": text("s"), "a": text("1")}, {"source": text("s"), "b": number("2")}],
        [{"source": text("s")}, {"a": text("1")}, {"source": text("s"), "b": number("1")}],
    ),
    "binary": (
        {"k": ["abc"]},
        [{"k": text("abc")}],
        [{"k": binary(b"abc")}],
    ),
}

BODIES = {
    "nesting": (
        {"store": ["s"], "customer": {"interests": ["rugby"], "age": [{"numeric": [">=", 18]}]}},
        [{"store": "s", "customer": {"interests": ["chess", "rugby"], "age": 18}}],
        [
            {"store": "s", "customer": {"interests": ["chess"], "age": 18}},
            {"store": "s", "customer": {"interests": "rugby", "age": 17}},
            {"store": "s"},
        ],
    ),
    "no object": (
        {"k": ["v"]},
        [{"k": "v"}, {"k": ["x", "v"]}],
        ["v", '["k"]', '"k"', "{", '{"k":"v"'],
    ),
    "values": (
        {"k": [True, None, 5, {"prefix": "a"}]},
        [{"k": True}, {"k": None}, {"k": 5.0}, {"k": "abc"}],
        [{"k": False}, {"k": "5"}, {"k": {"a": 1}}, {"k": "b"}],
    ),
    "numbers are no texts": (
        {"k": [{"numeric": ["<", 10]}]},
        [{"k": 9}, {"k": [11, 9.5]}],
        [{"k": "9"}, {"k": 10}],
    ),
    "exists": (
        {"a": {"b": [{"exists": True}]}, "c": [{"exists": False}]},
        [{"a": {"b": 1}}, {"a": {"b": False}}],
        [{"a": {"d": 1}}, {"a": {"b": None}}, {"a": {"b": ""}}, {"a": {"b": 1}, "c": 2}, {}],
    ),
    "dotted key": (
        {"object.nested.test": ["string.value"]},
        [
            {"object": {"nested": {"test": "string.value"}}},
            {"object.nested": {"test": "string.value"}},
            {"object": {"nested.test": "string.value"}},
            {"object.nested.test": "string.value"},
        ],
        [{"object": {"nested": {"test": "string.notvalue"}}}, {"object": {"nested": "x"}}],
    ),
    "objects in arrays": (
        {"records": {"kind": ["put"]}},
        [{"records": [{"kind": "delete"}, {"kind": "put"}]}],
        [{"records": [{"kind": "delete"}]}, {"records": []}],
    ),
    "$or of cidr": (
        {
            "detail": {
                "$or": [
                    {"sourceIPAddress": [{"cidr": "10.0.0.0/24"}]},
                    {"sourceIPAddressV6": [{"cidr": "2001:db8:1234:1a00::/64"}]},
                ]
            }
        },
        [
            {"detail": {"sourceIPAddress": "10.0.0.255"}},
            {"detail": {"sourceIPAddressV6": "2001:0db8:1234:1a00:0000:0000:0000:0000"}},
            {"detail": {"sourceIPAddressV6": "2001:db8:1234:1a00::1"}},
        ],
        [
            {"detail": {"sourceIPAddress": "10.0.0.256"}},
            {"detail": {"sourceIPAddressV6": "2001:0db8:123f:1a01:0000:0000:0000:0000"}},
        ],
    ),
}


@pytest.mark.behaviour(
    "filters-01",
    "filters-02",
    "filters-03",
    "filters-04",
    "filters-05",
    "filters-06",
    "filters-07",
    "filters-08",
    "filters-15",
)
@pytest.mark.parametrize("case", ATTRIBUTES)
def test_attributes(sns, case):
    check_attributes(sns, *ATTRIBUTES[case])


@pytest.mark.behaviour("filters-01", "filters-06", "filters-07", "filters-09", "filters-10")
@pytest.mark.parametrize("case", BODIES)
def test_bodies(sns, case):
    check_bodies(sns, *BODIES[case])


def refused(sns, policy, says, scope="MessageAttributes", attribute="FilterPolicy: "):
    """The policy is refused on Subscribe and later, with a message that begins with the attribute and `says`."""
    topic = sns.topic()
    policy = policy if isinstance(policy, str) else json.dumps(policy)
    attributes = {"FilterPolicyScope": scope, "FilterPolicy": policy}
    with pytest.raises(sns.exceptions.InvalidParameterException) as caught:
        topic.inbox(**attributes)
    assert caught.value.response["Error"]["Message"].startswith(SUBSCRIBED + attribute + says)
    inbox = topic.inbox(FilterPolicyScope=scope)
    with pytest.raises(sns.exceptions.InvalidParameterException) as caught:
        change(sns, inbox.subscription, FilterPolicy=policy)
    assert caught.value.response["Error"]["Message"].startswith(SET + attribute + says)


@pytest.mark.behaviour("filters-11")
@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({f"k{i}": ["v"] for i in range(6)}, "Filter policy can not have more than 5 keys"),
        ({"k": [f"v{i}" for i in range(151)]}, "Filter policy is too complex"),
        (
            {"a": [f"v{i}" for i in range(100)], "b": [f"v{i}" for i in range(51)]},
            "Filter policy is too complex",
        ),
        ({"key_a": "value_one"}, '"key_a" must be an object or an array'),
        ({"k": []}, "Empty arrays are not allowed"),
        ({"k": [{"like": "v"}]}, "Unrecognized match type like"),
        ({"k": [{"prefix": 5}]}, "prefix match pattern must be a string"),
        ({"k": [{"numeric": ["~", 5]}]}, "Unrecognized numeric range operator: ~"),
        ({"k": [{"numeric": ["<", 5, 6]}]}, "Too many elements in numeric expression"),
        ({"k": [{"numeric": [">", 5, "<", 4]}]}, "Bottom must be less than top"),
        ({"k": [{"anything-but": []}]}, "Inside anything but list, either all values are number"),
        ({"k": [{"exists": "yes"}]}, "exists match pattern must be either true or false."),
        ("no document", "failed to parse JSON. Unrecognized token 'no': was expecting (JSON String"),
        ('{"a": ["b"]', "failed to parse JSON. Unexpected end-of-input: expected close marker"),
        ("[]", 'Filter is not an object\n at [Source: (String)"[]"; line: 1, column: 2]'),
        (
            '{"key": [["value"]]}',
            "Match value must be String, number, true, false, or null\n"
            ' at [Source: (String)"{"key":[["value"]]}"; line: 1, column: 10]',
        ),
        ({"k": {}}, "Empty objects are not allowed"),
        ({"k": [{"cidr": "birds/8"}]}, "Nonstandard IP address: birds"),
    ],
    ids=lambda value: json.dumps(value)[:30],
)
def test_refused(sns, policy, says):
    refused(sns, policy, says)


@pytest.mark.behaviour("filters-11")
def test_nested_complexity(sns):
    policy = {
        "key_a": {"key_b": {"key_c": ["1", "2", "3", "4"]}},
        "key_d": {"key_e": ["1", "2", "3"]},
        "key_f": ["1", "2", "3"],
    }
    refused(sns, policy, "Filter policy is too complex", scope="MessageBody")
    topic = sns.topic()
    policy["key_f"] = ["1"]  # 3·4·2·3·1·1
    assert topic.inbox(FilterPolicyScope="MessageBody", FilterPolicy=policy)


@pytest.mark.behaviour("filters-12")
def test_nesting_of_attributes(sns):
    says = "Filter policy scope MessageAttributes does not support nested filter policy"
    refused(sns, {"a": {"b": ["c"]}}, says, attribute="")


@pytest.mark.behaviour("filters-13")
def test_empty_policy(sns):
    topic = sns.topic()
    inbox = topic.inbox(FilterPolicy="{}")
    topic.publish("unfiltered")
    change(sns, inbox.subscription, FilterPolicy={"k": ["a"]})
    topic.publish("filtered")
    change(sns, inbox.subscription, FilterPolicy="{}")
    topic.publish("removed")
    inbox.only("unfiltered", "removed")


@pytest.mark.behaviour("filters-16")
def test_special_characters_of_attributes(sns):
    attributes = {"k": text('say "coo"')}
    topic = sns.topic()
    once = topic.inbox(FilterPolicy='{"k": ["say \\"coo\\""]}')
    twice = topic.inbox(FilterPolicy='{"k": ["say \\\\\\"coo\\\\\\""]}')
    topic.publish("m", MessageAttributes=attributes)
    twice.only("m")
    once.only()


@pytest.mark.behaviour("filters-13", "filters-14")
def test_changes(sns):
    topic = sns.topic()
    inbox = topic.inbox(FilterPolicy={"k": ["a"]})
    attributes = {"MessageAttributes": {"k": text("b")}}
    topic.publish("filtered", **attributes)
    change(sns, inbox.subscription, FilterPolicy={"k": ["b"]})
    topic.publish("changed", **attributes)
    topic.publish("without")
    change(sns, inbox.subscription, FilterPolicy="")
    topic.publish("removed")
    inbox.only("changed", "removed")


@pytest.mark.behaviour("filters-13", "filters-09")
def test_change_of_scope(sns):
    topic = sns.topic()
    inbox = topic.inbox(FilterPolicy={"k": ["a"]})
    body = '{"k":"a"}'
    topic.publish(body)
    change(sns, inbox.subscription, FilterPolicyScope="MessageBody")
    topic.publish(body + " ")
    inbox.only(body + " ")


@pytest.mark.behaviour("subscriptions-21")
def test_number_of_policies(sns):
    topic = sns.topic()
    queue = topic.arn.replace(":sns:", ":sqs:")  # Whether it exists is not asked.
    for number in range(200):
        topic.subscribe("sqs", f"{queue}-{number}", FilterPolicy={"k": ["v"]})
    arn = topic.subscribe("sqs", queue)
    typed = "FilterPolicyLimitExceededException"
    with sns.refuses("FilterPolicyLimitExceeded", status=403, typed=typed):
        change(sns, arn, FilterPolicy={"k": ["v"]})
    with sns.refuses("FilterPolicyLimitExceeded", status=403, typed=typed):
        topic.subscribe("sqs", f"{queue}-more", FilterPolicy={"k": ["v"]})


@pytest.mark.behaviour("filters-07", "delivery-06")
def test_many_subscriptions(sns):
    topic = sns.topic()
    inboxes = {key: topic.inbox(FilterPolicy={"to": [key, "all"]}) for key in "abc"}
    for to in ("a", "b", "all"):
        topic.publish(to, MessageAttributes={"to": text(to)})
    for key, inbox in inboxes.items():
        inbox.only(*(to for to in ("a", "b", "all") if to in (key, "all")))
