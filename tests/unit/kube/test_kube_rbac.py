"""Rules: what they allow, what they cover, what they add up to."""

from __future__ import annotations

import pytest

from sampan.kube.rbac import Rule, aggregated, missing, shown


def rule(groups="", resources="pods", verbs="get", names="", urls=""):
    return Rule.parse(
        {
            "apiGroups": [] if urls else [each.replace("core", "") for each in (groups or "core").split()],
            "resources": [] if urls else resources.split(),
            "verbs": verbs.split(),
            "resourceNames": names.split(),
            "nonResourceURLs": urls.split(),
        }
    )


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        ({}, ("get", "", "pods"), True),
        ({}, ("list", "", "pods"), False),
        ({}, ("get", "apps", "pods"), False),
        ({}, ("get", "", "pods", "log"), False),
        ({"resources": "pods/log"}, ("get", "", "pods", "log"), True),
        ({"resources": "pods/log"}, ("get", "", "pods"), False),
        ({"resources": "*/scale", "groups": "apps"}, ("get", "apps", "deployments", "scale"), True),
        ({"resources": "*/scale", "groups": "apps"}, ("get", "apps", "deployments", "status"), False),
        ({"resources": "pods/*"}, ("get", "", "pods", "log"), False),
        ({"resources": "*", "verbs": "*", "groups": "*"}, ("escalate", "x.y", "things", "status"), True),
        ({"names": "a b"}, ("get", "", "pods", "", "b"), True),
        ({"names": "a b"}, ("get", "", "pods", "", "c"), False),
        ({"names": "a b"}, ("get", "", "pods"), False),
    ],
)
def test_what_a_rule_allows(given, asked, expected):
    assert rule(**given).allows(*asked) is expected


@pytest.mark.parametrize(
    ("urls", "url", "expected"),
    [
        ("/healthz", "/healthz", True),
        ("/healthz", "/healthz/ping", False),
        ("/healthz/*", "/healthz/ping", True),
        ("/healthz/*", "/healthz", False),
        ("*", "/anything", True),
        ("/a*", "/abc", True),
    ],
)
def test_urls(urls, url, expected):
    assert rule(urls=urls).allows_url("get", url) is expected
    assert not rule(urls=urls).allows("get", "", "pods")
    assert not rule(resources="*", groups="*", verbs="*").allows_url("get", url)


@pytest.mark.parametrize(
    ("held", "wanted", "lacking"),
    [
        ([rule(verbs="get list")], [rule()], []),
        ([rule()], [rule(verbs="get list")], ['{APIGroups:[""], Resources:["pods"], Verbs:["list"]}']),
        ([rule(verbs="get"), rule(verbs="list")], [rule(verbs="get list")], []),
        ([rule(names="a")], [rule()], ['{APIGroups:[""], Resources:["pods"], Verbs:["get"]}']),
        ([rule()], [rule(names="a")], []),
        ([rule(names="a")], [rule(names="a b")],
         ['{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get"]}']),
        ([rule(resources="*", verbs="*", groups="*")], [rule(), rule("apps", "x/y", "z")], []),
        ([rule(verbs="get")], [rule(verbs="*")], ['{APIGroups:[""], Resources:["pods"], Verbs:["*"]}']),
        ([rule(resources="*/status")], [rule(resources="pods/status")], []),
        ([rule(urls="/a/*")], [rule(urls="/a/b")], []),
        ([rule(urls="/a")], [rule(urls="/a/*")], ['{NonResourceURLs:["/a/*"], Verbs:["get"]}']),
        ([rule(resources="*", verbs="*", groups="*")], [rule(urls="/a")], ['{NonResourceURLs:["/a"], Verbs:["get"]}']),
    ],
)  # fmt: skip
def test_what_is_lacking(held, wanted, lacking):
    assert [shown(each) for each in missing(held, wanted)] == lacking


def test_aggregation():
    def role(name, labels, *rules):
        return {"metadata": {"name": name, "labels": labels}, "rules": list(rules)}

    one, two = ({"verbs": [verb], "apiGroups": [""], "resources": ["a"]} for verb in ("get", "list"))
    total = {
        "metadata": {"name": "total", "labels": {"to": "x"}},
        "aggregationRule": {
            "clusterRoleSelectors": [{"matchLabels": {"to": "x"}}, {"matchLabels": {"or": "y"}}]
        },
        "rules": [{"verbs": ["*"]}],
    }
    others = [
        total,
        role("c", {"or": "y"}, two),
        role("b", {"to": "x"}, one, two),
        role("a", {"to": "z"}, one),
    ]
    assert aggregated(total, others) == [one, two]
    assert aggregated(role("plain", {}), others) is None


def test_unreadable_rules_allow_nothing():
    assert not Rule.parse({"verbs": [None, 1], "resources": None}).allows("get", "", "pods")
