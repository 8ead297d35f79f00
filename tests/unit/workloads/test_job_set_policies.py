"""What the ends of Jobs mean for a JobSet: pure."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from sampan.cluster.workloads.jobset.policies import has_succeeded, judge

PARENT = "jobset.sigs.k8s.io/replicatedjob-name"


def job_set(restarts: int = 0, **spec: Any) -> dict[str, Any]:
    replicated = [{"name": "master"}, {"name": "worker", "replicas": 2}]
    status = {"restartsCountTowardsMax": restarts}
    return {"metadata": {"name": "train"}, "spec": {"replicatedJobs": replicated, **spec}, "status": status}


def job(
    name: str, parent: str = "worker", when: int = 0, reason: str = "", message: str = ""
) -> dict[str, Any]:
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": f"2026-01-01T00:00:0{when}Z",
    }
    return {"metadata": {"name": name, "labels": {PARENT: parent}}, "status": {"conditions": [failed]}}


@pytest.mark.parametrize(
    ("policy", "parents", "expected"),
    [
        ({"operator": "All"}, ["master", "worker"], False),
        ({"operator": "All"}, ["master", "worker", "worker"], True),
        ({"operator": "Any"}, ["worker"], True),
        ({"operator": "Any", "targetReplicatedJobs": ["master"]}, ["worker"], False),
        ({"operator": "All", "targetReplicatedJobs": ["worker"]}, ["worker", "worker"], True),
    ],
)
def test_when_it_has_succeeded(policy, parents, expected):
    jobs = [job(str(number), parent) for number, parent in enumerate(parents)]
    assert has_succeeded(job_set(successPolicy=policy), jobs) is expected


def test_the_first_rule_that_matches_counts_and_names_the_job_that_failed_first():
    rules = [
        {"name": "late", "action": "FailJobSet", "onJobFailureReasons": ["DeadlineExceeded"]},
        {"name": "worker", "action": "RestartJobSetAndIgnoreMaxRestarts", "targetReplicatedJobs": ["worker"]},
    ]
    obj = job_set(failurePolicy={"maxRestarts": 0, "rules": rules})
    found = judge(obj, [job("b", when=2), job("a", when=1), job("m", "master")])
    assert (found.restart, found.counts, found.condition_reason) == (True, False, "FailurePolicy_worker")
    assert found.message.endswith("(first failed job: a)")
    late = judge(obj, [job("m", "master", reason="DeadlineExceeded"), job("a", when=1)])
    assert (late.restart, late.reason) == (False, "FailJobSetFailurePolicyAction")


def test_what_no_rule_says_restarts_up_to_the_limit():
    policy = {"maxRestarts": 1}
    assert judge(job_set(failurePolicy=policy), [job("a")]).restart
    assert judge(job_set(1, failurePolicy=policy), [job("a")]).reason == "ReachedMaxRestarts"
    assert judge(job_set(), [job("a")]).reason == "FailedJobs"


@pytest.mark.parametrize(
    ("pattern", "matches"), [("out of m.*y", True), ("^memory", False), ("(", False), ("^(o+)+$", False)]
)
def test_rules_look_into_messages(pattern, matches):
    rules = [{"name": "r", "action": "FailJobSet", "onJobFailureMessagePatterns": [pattern]}]
    found = judge(
        job_set(failurePolicy={"maxRestarts": 9, "rules": rules}), [job("a", message="out of memory")]
    )
    assert found.restart is not matches


def test_a_pattern_takes_no_longer_than_its_text():
    rules = [{"name": "r", "action": "FailJobSet", "onJobFailureMessagePatterns": ["^(a+)+$"]}]
    policy = {"maxRestarts": 9, "rules": rules}
    assert judge(job_set(failurePolicy=policy), [job("a", message="a" * 5000 + "!")]).restart


def test_the_engine_of_patterns_and_the_package_it_comes_from_live_together():
    program = (
        "from sampan.cluster.workloads.jobset.patterns import any_found; "
        "assert any_found(['a+'], 'baa'); import cel; assert cel.evaluate('1 + 1', {}) == 2"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
