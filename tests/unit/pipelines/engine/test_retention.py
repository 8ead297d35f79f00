"""Which ended runs go: by number, by age, by disk; pinned ones never."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sampan.components.pipelines.api.retention_settings import RetentionSettings
from sampan.components.pipelines.engine.retention import plan
from sampan.components.pipelines.store.usage import KeptRun

DAY = 24 * 3600 * 1_000_000
GIB = 1024**3
NOW = 1000 * DAY


def run(key, age_days=0, size=0, experiment="e", pinned=False, namespace="ns"):
    return KeptRun(key, namespace, experiment, NOW - age_days * DAY, size, pinned)


def deleted(runs, **rules):
    newest_first = sorted(runs, key=lambda each: -each.finished_at)
    return [each.run.run_id for each in plan(newest_first, RetentionSettings(**rules), NOW)]


def test_without_rules_everything_is_kept():
    assert deleted([run("a", 900, 10 * GIB)]) == []


def test_each_experiment_keeps_its_last():
    runs = [run(f"{e}{n}", n, experiment=e) for e in "ef" for n in range(3)]
    assert sorted(deleted(runs, keep_last=2)) == ["e2", "f2"]


def test_old_runs_go_the_oldest_first():
    assert deleted([run("a", 1), run("b", 20), run("c", 30)], max_age_days=10) == ["c", "b"]


def test_the_oldest_go_until_the_rest_fits_in_each_namespace():
    runs = [run("a", 1, GIB), run("b", 2, GIB), run("c", 3, GIB), run("d", 4, 0)]
    assert deleted([*runs, run("x", 9, GIB, namespace="other")], max_disk_gib=2) == ["c"]


def test_pinned_runs_stay_and_count():
    runs = [run("a", 1), run("p", 2, pinned=True), run("b", 3)]
    assert deleted(runs, keep_last=2) == ["b"]
    assert deleted([run("p", 900, 5 * GIB, pinned=True)], keep_last=1, max_age_days=1, max_disk_gib=1) == []


@given(
    st.lists(
        st.builds(
            KeptRun,
            run_id=st.uuids().map(str),
            namespace=st.sampled_from("ab"),
            experiment_id=st.sampled_from("ef"),
            finished_at=st.integers(0, NOW),
            size_bytes=st.integers(0, 3 * GIB),
            pinned=st.booleans(),
        ),
        max_size=30,
        unique_by=lambda each: each.run_id,
    ),
    st.builds(
        RetentionSettings,
        keep_last=st.integers(0, 5),
        max_age_days=st.integers(0, 900),
        max_disk_gib=st.integers(0, 8),
    ),
)
def test_what_is_left_obeys_the_rules_and_carrying_them_out_twice_changes_nothing(runs, rules):
    newest_first = sorted(runs, key=lambda each: -each.finished_at)
    gone = {each.run.run_id for each in plan(newest_first, rules, NOW)}
    left = [each for each in newest_first if each.run_id not in gone]
    assert not any(each.pinned for each in runs if each.run_id in gone)
    assert plan(left, rules, NOW) == []
    for namespace in "ab":
        free = [each for each in left if each.namespace == namespace and not each.pinned and each.size_bytes]
        if rules.max_disk_gib and free:
            used = sum(each.size_bytes for each in left if each.namespace == namespace)
            assert used <= rules.max_disk_gib * GIB
