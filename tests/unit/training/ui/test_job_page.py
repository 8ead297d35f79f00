"""What a job's page says: its ranks, what it waits for, its log's colours, its curves, what it uses."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.training.ui.training_objects import T, job, node, pod, unscheduled

from sampan.components.training.api.summary import Summary, summarise
from sampan.components.training.ui.job_page import (
    banner,
    curves,
    environment_part,
    header,
    log_part,
    ranks,
    timeline,
    waiting,
)
from sampan.components.training.ui.job_page.parts import Shown
from sampan.components.training.ui.job_page.rank_colours import RankColours
from sampan.components.training.ui.job_page.usage import Samples
from sampan.components.training.ui.job_page.waiting import Around
from sampan.components.training.ui.places import by_plural
from sampan.ui.logview import terminal

RUNNING = {"running": {"startedAt": T.format(3)}}
KILLED = {"terminated": {"exitCode": 137, "signal": 9, "startedAt": T.format(1), "finishedAt": T.format(2)}}


def told(found: Summary, pods: list[dict[str, Any]], around: Around | None = None) -> list[str]:
    around = around or Around()
    listed = ranks.ranks("PyTorchJob", pods, around.nodes)
    return [each.title for each in waiting.reasons(found, listed, around)]


def test_ranks_stand_in_the_order_in_which_people_look_for_them() -> None:
    found = ranks.ranks("PyTorchJob", [pod("worker-10"), pod("worker-2"), pod("master-0")])
    assert [rank.place for rank in found] == ["master-0", "worker-2", "worker-10"]


def test_a_pod_whose_place_another_took_comes_after_it() -> None:
    first = pod(phase="Failed", name="old", created=1, state=KILLED)
    found = ranks.ranks("PyTorchJob", [first, pod(name="new", created=5, state=RUNNING)])

    assert [(rank.pod, rank.is_latest, rank.exit_code) for rank in found] == [
        ("new", True, None),
        ("old", False, 137),
    ]
    assert found[1].label == "worker-0, before: old"
    assert found[1].place == "worker-0"


def test_pods_of_another_kinds_job_of_that_name_are_not_its_own() -> None:
    theirs, adopted = pod("worker-1"), pod("worker-2")
    theirs["metadata"]["ownerReferences"][0]["kind"] = "TFJob"
    del adopted["metadata"]["ownerReferences"]
    found = ranks.of_kind("PyTorchJob", [pod(), theirs, adopted])
    assert [each["metadata"]["name"] for each in found] == ["train-worker-0", "train-worker-2"]


def test_a_rank_tells_of_the_container_that_trains() -> None:
    found = ranks.ranks(
        "PyTorchJob", [pod(state=RUNNING, restartCount=2, lastState=KILLED, image="python:3.11")]
    )[0]
    assert (found.restarts, found.exit_code, found.started, found.ended) == (2, 137, T.format(3), "")
    row = ranks.row(found, lambda path: f"/ui{path}")
    assert row.cells["rank"]["href"] == "/ui/cluster/pods/default/train-worker-0"


def test_what_a_rank_was_given_says_where_values_come_from() -> None:
    container = {
        "env": [
            {"name": "RANK", "value": "0"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "EMPTY"},
        ]
    }
    assert ranks.environment(container) == {
        "RANK": "0",
        "TOKEN": "from Secret hub, token",
        "NODE": "from the pod's spec.nodeName",
        "EMPTY": "",
    }
    facts = environment_part.facts({"command": ["sh", "-c", "a b"], "resources": {"limits": {"cpu": "1"}}})
    assert facts == {"Command": "sh -c 'a b'", "At most": "cpu 1"}


def test_nothing_is_said_while_all_goes_well() -> None:
    running = summarise(job(conditions=[("Running", "")]))
    assert told(running, [pod("master-0", state=RUNNING), pod(state=RUNNING)]) == []
    assert told(summarise(job(conditions=[("Succeeded", "")])), []) == []


def test_pods_in_the_same_trouble_are_told_of_once() -> None:
    around = Around(nodes=[node("2")])
    listed = ranks.ranks("PyTorchJob", [unscheduled("worker-0"), unscheduled("worker-1")], around.nodes)
    [found] = waiting.reasons(summarise(job()), listed, around)

    assert found.title == "Cannot be scheduled: 2 of 2 pods (worker-0, worker-1)"
    assert found.text == "Needs 64 cores, the largest node has 2 cores."
    assert found.hint.startswith("It will never fit")


def test_what_is_short_is_said_with_what_is_free() -> None:
    busy = pod("other-0")
    busy["spec"]["containers"][1]["resources"] = {"requests": {"cpu": "1500m"}}
    ended = pod("other-1", "Succeeded")
    ended["spec"]["containers"][1]["resources"] = {"requests": {"cpu": "4"}}
    nodes = [node("2")]
    around = Around(nodes=nodes, free=waiting.free(nodes, [busy, ended]))
    listed = ranks.ranks("PyTorchJob", [unscheduled(cpu="1")], nodes)
    [found] = waiting.reasons(summarise(job()), listed, around)
    assert found.text == "Needs 1 core, which others use now. Free on one node: 0.5 cores."


def test_a_gang_waits_together() -> None:
    group = {"spec": {"minMember": 3}}
    pods = [pod("master-0", state=RUNNING), unscheduled("worker-0", "1"), unscheduled("worker-1", "1")]
    found = told(summarise(job()), pods, Around(nodes=[node("2")], group=group))
    assert found[0] == "It waits for room for all its pods"
    needy = {"spec": {"minMember": 3, "minResources": {"cpu": "12", "memory": "3Gi"}}}
    nodes = [node("2"), node("2")]
    [never] = waiting.reasons(
        summarise(job()),
        ranks.ranks("PyTorchJob", [], nodes),
        Around(nodes=nodes, group=needy, whole=waiting.whole([node("2")])),
    )[:1]
    assert "Together they need 12 cores and 3 GiB of memory." in never.text
    assert never.text.endswith("All nodes have 2 cores and 0 bytes of memory.")
    # Once as many as it needs have a place, what is left waits for itself.
    assert "room for all" not in " ".join(
        told(summarise(job()), pods, Around(group={"spec": {"minMember": 1}}))
    )


def test_a_quota_is_named() -> None:
    message = 'pods "train-worker-0" is forbidden: exceeded quota: most, requested: pods=1, used: pods=5'
    assert told(summarise(job()), [], Around(refusals=[message])) == ["The quota most is used up"]


def test_refusals_are_those_of_this_job() -> None:
    def event(name: str, message: str, at: int) -> dict[str, Any]:
        return {"involvedObject": {"name": name}, "message": message, "lastTimestamp": T.format(at)}

    events = [event("train", "old", 1), event("train-node-0", "new", 2), event("training", "another's", 3)]
    assert waiting.refusals(events, "train") == ["new", "old"]


def test_a_failure_names_the_rank_that_broke() -> None:
    failed = summarise(job(conditions=[("Failed", "1 Worker failed")]))
    listed = ranks.ranks("PyTorchJob", [pod(phase="Failed", state=KILLED)])
    [found] = waiting.reasons(failed, listed, Around())
    assert found.title == "It failed: PyTorchJobFailed"
    assert found.text.splitlines()[0] == "1 Worker failed"
    assert found.text.splitlines()[1].startswith("worker-0: Container pytorch ended with signal 9")


def test_the_end_of_a_log_is_quoted_as_text() -> None:
    log = "[worker-0] \x1b[31mTraceback\x1b[0m\n[worker-0] ValueError: [x] no\n[worker-0] \n"
    assert banner.end_of(log) == "Traceback\nValueError: [x] no"
    assert banner.end_of("") == ""
    assert len(banner.end_of("[worker-0] " + "x" * 9000)) == 4000


def test_a_reason_names_the_rank_whose_log_says_more() -> None:
    failed = summarise(job(conditions=[("Failed", "1 Worker failed")]))
    broken = ranks.ranks("PyTorchJob", [pod("master-0"), pod(phase="Failed", state=KILLED)])
    assert waiting.reasons(failed, broken, Around())[0].rank == "worker-0"
    # What never started has printed nothing.
    waits = ranks.ranks("PyTorchJob", [unscheduled()], [node()])
    assert waiting.reasons(summarise(job()), waits, Around(nodes=[node()]))[0].rank == ""


def test_a_failure_by_the_nodes_end_says_that() -> None:
    failed = summarise(job(conditions=[("Failed", "1 Worker failed")]))
    stopped = pod(phase="Failed")
    stopped["status"] |= {"reason": "Terminated", "message": "the node was stopped"}
    [found] = waiting.reasons(
        failed, ranks.ranks("PyTorchJob", [pod("master-0", "Succeeded"), stopped]), Around()
    )
    assert found.text.endswith("worker-0: the node was stopped")


def test_suspended_and_pending_jobs_say_so() -> None:
    assert told(summarise(job(conditions=[("Suspended", "")])), []) == ["It is suspended"]
    assert told(summarise(job()), []) == ["It has no pods yet"]


def shown(**status: Any) -> Shown:
    kind = by_plural("pytorchjobs")
    assert kind is not None
    obj = job(**status)
    return Shown(kind, obj, summarise(obj))


def test_the_merged_log_is_followed_until_the_job_has_ended() -> None:
    [source] = log_part.sources(shown(), ())
    assert source.path == "/training/v1/namespaces/default/pytorchjobs/train/log"
    assert (source.query, source.follow) == ({}, True)

    ended = shown(conditions=[("Succeeded", "")])
    ended.ranks = ranks.ranks("PyTorchJob", [pod(state=RUNNING, restartCount=1)])
    chosen, before = log_part.sources(ended, ("worker-0", "master-0"))
    assert (chosen.query, chosen.follow) == ({"ranks": "worker-0,master-0"}, False)
    assert before.query == {"ranks": "worker-0,master-0", "previous": "true"}


def test_each_rank_has_a_colour_wherever_the_log_is_cut() -> None:
    text = (
        b"2026-05-01T10:00:00Z [master-0] \x1b[31mred\n"
        b"[worker-0] plain [not-a-rank] text\n"
        b"2026-05-01T10:00:01.5Z [master-0] again\nno rank\n"
    )
    whole = RankColours()(text)
    cut = RankColours()
    assert b"".join(cut(text[at : at + 3]) for at in range(0, len(text), 3)) == whole

    lines = whole.decode().splitlines()
    assert [terminal.plain(line) for line in lines] == [
        "2026-05-01T10:00:00Z master-0  red",
        "worker-0  plain [not-a-rank] text",
        "2026-05-01T10:00:01.5Z master-0  again",
        "no rank",
    ]
    colours = [terminal.runs(line)[0] for line in lines]
    of_rank = [
        next(style.foreground for text, style in runs if text.startswith(name))
        for runs, name in zip(colours, ("master-0", "worker-0", "master-0"), strict=False)
    ]
    assert of_rank[0] == of_rank[2] != of_rank[1]
    # What one rank leaves on is not another's.
    assert colours[1][-1][1].foreground == ""


def series(name: str, rank: str = "worker-0", steps: bool = True, **more: Any) -> dict[str, Any]:
    points = [{"step": at if steps else None, "value": 1 / (at + 1), "time": T.format(at)} for at in range(3)]
    return {
        "name": name,
        "rank": rank,
        "source": "log",
        "count": 3,
        "min": 0.33,
        "max": 1.0,
        "points": points,
    } | more


def test_curves_that_people_look_for_come_first() -> None:
    given = [
        series("lr"),
        series("val_accuracy"),
        series("train_loss"),
        series("zeta"),
        series("empty", points=[]),
    ]
    assert [each.name for each in curves.curves(given)] == ["train_loss", "val_accuracy", "zeta", "lr"]


def test_a_curve_is_drawn_over_steps_or_else_over_time() -> None:
    [found] = curves.curves([series("loss", "master-0"), series("loss")])
    drawn = found.figure()
    assert [each["name"] for each in drawn.options["series"]] == ["master-0", "worker-0"]
    assert drawn.options["series"][0]["data"][1] == [1, 0.5]

    [found] = curves.curves([series("loss"), series("loss", "", steps=False, source="trainer")])
    drawn = found.figure()
    assert drawn.options["xAxis"]["type"] == "time"
    assert drawn.options["series"][1]["name"] == "reported"


def test_what_is_no_number_leaves_a_gap() -> None:
    given = series("loss")
    given["points"][1]["value"] = "nan"
    [found] = curves.curves([given])
    assert found.figure().options["series"][0]["data"][1] == [1, None]
    given["points"][2]["value"] = "inf"
    assert curves.rows([found])[0].cells["last"]["text"] == "–"


def test_use_is_of_ranks_and_of_nobody_else() -> None:
    samples = Samples()
    usage = {"usage": {"cpu": "250m", "memory": "512Mi"}}
    found = {
        "items": [
            {"metadata": {"name": "a"}, "containers": [usage, usage]},
            {"metadata": {"name": "stranger"}, "containers": [usage]},
        ]
    }
    assert samples.is_empty
    samples.add({"a": "worker-0"}, found, T.format(0))
    assert samples.now() == [("worker-0", 0.5, 1024.0**3)]
    assert [each["name"] for each in samples.memory().options["series"]] == ["worker-0"]


@pytest.mark.parametrize("count", [400, 1000])
def test_samples_are_kept_for_a_while_only(count: int) -> None:
    samples = Samples()
    found = {"items": [{"metadata": {"name": "a"}, "containers": []}]}
    for at in range(count):
        samples.add({"a": "worker-0"}, found, f"{at}")
    assert len(samples.cores().options["series"][0]["data"]) == 360


def test_a_rank_has_one_row_on_the_timeline_whatever_became_of_its_pods() -> None:
    old = pod(phase="Failed", name="old", created=0, state=KILLED)
    new = pod(name="new", created=3, state={"running": {"startedAt": T.format(6)}})
    new["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": T.format(4)}
    ]
    waits = unscheduled("worker-1")
    pods = {each["metadata"]["name"]: each for each in (old, new, waits)}
    found = timeline.timeline("PyTorchJob", ranks.ranks("PyTorchJob", list(pods.values())), pods)

    assert [row.label for row in found.rows] == ["worker-0", "worker-1"]
    begin = found.start
    spans = [
        (span.kind, (span.start - begin) // 1000, span.end and (span.end - begin) // 1000)
        for span in found.rows[0].spans
    ]
    assert spans == [("queue", 0, 1), ("run", 1, 2), ("queue", 3, 4), ("prepare", 4, 6), ("run", 6, 0)]
    assert [span.tone for span in found.rows[0].spans if span.kind == "run"] == ["bad", "busy"]
    assert found.rows[0].badge == "2 runs"
    assert [(span.kind, span.end) for span in found.rows[1].spans] == [("queue", 0)]
    assert found.end == 0
    done = timeline.timeline("PyTorchJob", ranks.ranks("PyTorchJob", [old]), pods)
    assert (done.end - done.start) // 1000 == 2
    assert timeline.timeline("PyTorchJob", [], {}).rows == []


def test_what_a_job_is_held_to_is_told_where_it_is_more_than_usual() -> None:
    policy = {
        "activeDeadlineSeconds": 7200,
        "schedulingPolicy": {"queue": "nightly", "priorityClass": "high"},
    }
    found = job(spec={"runPolicy": policy, "elasticPolicy": {"minReplicas": 1, "maxReplicas": 3}})
    assert header.rules(found) == {
        "Elastic": "1 to 3",
        "Queue": "nightly",
        "Priority": "high",
        "Deadline": "2 h",
    }
    assert (
        header.rules(job(kind="TrainJob", spec={"managedBy": "trainer.kubeflow.org/trainjob-controller"}))
        == {}
    )
    assert header.rules(job(kind="TrainJob", spec={"managedBy": "kueue.x-k8s.io/multikueue"})) != {}
