"""What pods of trials are given: the container that shows their collector, and volumes."""

from __future__ import annotations

import json

import pytest

from sampan.components.tuning.controller.collecting.injection import inject, mount_checkpoints
from sampan.components.tuning.engine.collecting.wanted import wanted_of


def trial(collector, **labels):
    spec = {
        "objective": {"type": "maximize", "objectiveMetricName": "accuracy"},
        "primaryContainerName": "main",
        "metricsCollector": collector,
    }
    return {"metadata": {"name": "one", "labels": labels}, "spec": spec}


def pod(**container):
    containers = [{"name": "main", "image": "x", **container}, {"name": "side", "image": "x"}]
    return {"metadata": {}, "spec": {"containers": containers}}


def file_at(path):
    return {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"path": path, "kind": "File"}}}


def injected(owner, into, *around):
    inject(into, owner, wanted_of(owner), *around)
    return into


def config(**entry):
    text = json.dumps({"runtime": {"metricsCollectors": [entry]}})
    return {"data": {"katib-config.yaml": text}}


def test_a_volume_holds_the_file_unless_the_user_has_one_there():
    made = injected(trial(file_at("/out/deep/log")), pod())
    mount = [{"name": "metrics-volume", "mountPath": "/out/deep"}]
    assert [each.get("volumeMounts") for each in made["spec"]["containers"]] == [mount, None, mount]
    assert made["spec"]["volumes"] == [{"name": "metrics-volume", "emptyDir": {}}]
    assert made["metadata"]["annotations"] == {"sampan.dev/attendants": "metrics-logger-and-collector"}
    own = [{"name": "mine", "mountPath": "/out/"}]
    made = injected(trial(file_at("/out/deep/log")), pod(volumeMounts=own))
    assert "volumes" not in made["spec"]
    assert made["spec"]["containers"][0]["volumeMounts"] == own
    # The root is nobody's volume, and what is printed needs none.
    assert "volumes" not in injected(trial(file_at("/log")), pod())["spec"]
    assert "volumes" not in injected(trial({"collector": {"kind": "StdOut"}}), pod())["spec"]


def test_nothing_is_added_where_values_are_reported_or_the_name_is_taken():
    assert injected(trial({"collector": {"kind": "Push"}}), pod()) == pod()
    taken = pod()
    taken["spec"]["containers"][1]["name"] = "metrics-logger-and-collector"
    assert len(injected(trial({"collector": {"kind": "StdOut"}}), taken)["spec"]["containers"]) == 2


def test_a_collector_of_ones_own_follows():
    custom = {"name": "mine", "image": "registry/mine:1"}
    made = injected(trial({"collector": {"kind": "Custom", "customCollector": custom}}), pod())
    assert made["spec"]["containers"][2] == custom
    assert made["metadata"]["annotations"] == {"sampan.dev/followers": "mine"}


_SUGGESTION = {"metadata": {"name": "exp"}, "spec": {"algorithm": {"algorithmName": "random"}}}
_STDOUT = ["-path", "/var/log/katib/metrics.log", "-format", "TEXT"]
_RULES = [
    {"name": "accuracy", "value": "0.6", "comparison": "less", "startStep": 5},
    {"name": "loss", "value": "2", "comparison": "greater"},
]


@pytest.mark.parametrize(
    ("collector", "rules", "entry", "args"),
    [
        ({"collector": {"kind": "StdOut"}}, [], {}, _STDOUT),
        (
            {"collector": {"kind": "StdOut"}},
            [],
            {"kind": "StdOut", "waitAllProcesses": False},
            [*_STDOUT, "-w", "false"],
        ),
        ({"collector": {"kind": "StdOut"}}, [], {"kind": "File", "waitAllProcesses": False}, _STDOUT),
        (
            {"collector": {"kind": "StdOut"}},
            _RULES,
            {"kind": "StdOut", "waitAllProcesses": True},
            [
                *[*_STDOUT, "-w", "true", "-stop-rule", "accuracy;0.6;less;5"],
                *["-stop-rule", "loss;2;greater;0", "-s-earlystop", "exp-random.team:6788"],
            ],
        ),
        (
            {
                **file_at("/out/log"),
                "source": {
                    **file_at("/out/log")["source"],
                    "filter": {"metricsFormat": ["(a) (b)", "(c) (d)"]},
                },
            },
            [],
            {},
            ["-path", "/out/log", "-f", "(a) (b);(c) (d)", "-format", "TEXT"],
        ),
        ({"collector": {"kind": "PrometheusMetric"}}, [], {}, []),
    ],
)
def test_a_collector_is_shown_as_upstream_calls_it(collector, rules, entry, args):
    owner = trial(collector)
    owner["metadata"]["namespace"] = "team"
    owner["spec"]["objective"]["additionalMetricNames"] = ["loss"]
    owner["spec"]["earlyStoppingRules"] = rules
    made = injected(owner, pod(), _SUGGESTION, config(**entry))["spec"]["containers"][-1]
    manager = "katib-db-manager.kubeflow:6789"
    assert made["args"] == [
        *["-t", "one", "-m", "accuracy;loss", "-o-type", "maximize", "-s-db", manager],
        *args,
    ]


def test_a_collector_is_shown_with_the_configured_image_where_that_is_upstreams():
    def image(configured):
        made = injected(
            trial({"collector": {"kind": "StdOut"}}), pod(), None, config(kind="StdOut", image=configured)
        )
        return made["spec"]["containers"][-1]["image"]

    mirrored = "mirror:5000/katib/file-metrics-collector:v0.18.0"
    assert image(mirrored) == mirrored
    for other in ("mine/collector:1", "", "katib/tfevent-metrics-collector:v0.19.0"):
        assert image(other) == "ghcr.io/kubeflow/katib/file-metrics-collector:v0.19.0"


def test_checkpoints_of_a_population():
    settings = [{"name": "suggestion_trial_dir", "value": "/opt/ckpt"}]
    suggestion = {
        "metadata": {"name": "exp"},
        "spec": {"algorithm": {"algorithmName": "pbt", "algorithmSettings": settings}},
    }
    first, made = trial({}), pod()
    mount_checkpoints(made, first, suggestion, "main")
    mount = {"name": "suggestion-volume", "mountPath": "/opt/ckpt", "subPath": "exp/one"}
    assert made["spec"]["containers"][0]["volumeMounts"] == [mount]
    assert made["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "exp-pbt"}
    assert "initContainers" not in made["spec"]
    child, made = trial({}, **{"pbt.suggestion.katib.kubeflow.org/parent": "zero"}), pod()
    mount_checkpoints(made, child, suggestion, "main")
    (copier,) = made["spec"]["initContainers"]
    assert copier["command"][-3:] == ["/opt/ckpt", "zero", "one"]
    assert copier["volumeMounts"][0]["subPath"] == "exp"
    untouched = pod()
    mount_checkpoints(untouched, first, None, "main")
    assert untouched == pod()
