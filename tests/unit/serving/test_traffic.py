"""Revisions and their traffic: what KServe and Knative reach in rounds is reached at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.components.serving.engine.inference_services import names, traffic
from sampan.components.serving.engine.inference_services.traffic import Rollout, Share, Wish

R1, R2, R3 = (names.revision_name("m-predictor", number) for number in (1, 2, 3))
PLAIN = Wish()


def after(old, created, ready, wish=PLAIN, there=None):
    return traffic.after(old, created, ready, frozenset(there or {R1, R2, R3}), wish)


def shares(rollout):
    return [(share.revision, share.percent, share.is_latest, share.tag) for share in rollout.traffic]


FIRST = after(Rollout(), R1, [R1])


def test_nothing_is_ready():
    assert after(Rollout(), R1, []) == Rollout(latest_created=R1)


def test_the_first_gets_everything_whatever_percent_is_said():
    assert Rollout(R1, R1, "", R1, (Share(R1, 100, is_latest=True),)) == FIRST
    assert after(Rollout(), R1, [R1], Wish(30)).latest_rolled_out == R1


def test_traffic_stays_until_the_newest_is_ready():
    waiting = after(FIRST, R2, [R1])
    assert shares(waiting) == [(R1, 100, True, "")]
    assert waiting.latest_created == R2
    assert waiting.latest_rolled_out == R1
    ready = after(waiting, R2, [R1, R2])
    assert shares(ready) == [(R2, 100, True, "")]
    assert (ready.previous_rolled_out, ready.latest_rolled_out) == (R1, R2)


def test_canary_from_the_first_moment():
    waiting = after(FIRST, R2, [R1], Wish(10))
    assert shares(waiting) == [(R1, 10, True, ""), (R1, 90, False, "prev")]
    assert waiting.latest_rolled_out == R1
    canary = after(waiting, R2, [R1, R2], Wish(10))
    assert shares(canary) == [(R2, 10, True, ""), (R1, 90, False, "prev")]
    assert canary.latest_rolled_out == R1
    # Another percentage, and another model in place of the canary.
    assert shares(after(canary, R2, [R1, R2], Wish(50)))[1] == (R1, 50, False, "prev")
    third = after(canary, R3, [R1, R2, R3], Wish(20))
    assert shares(third) == [(R3, 20, True, ""), (R1, 80, False, "prev")]
    promoted = after(canary, R2, [R1, R2])
    assert shares(promoted) == [(R2, 100, True, "")]
    assert (promoted.previous_rolled_out, promoted.latest_rolled_out) == (R1, R2)
    assert after(canary, R2, [R1, R2], Wish(100)) == promoted


@pytest.mark.parametrize("percent", [0, 30])
def test_what_was_promoted_is_taken_back(percent):
    promoted = after(after(FIRST, R2, [R1, R2], Wish(10)), R2, [R1, R2])
    back = after(promoted, R2, [R1, R2], Wish(percent))
    assert shares(back) == [(R2, percent, True, ""), (R1, 100 - percent, False, "prev")]
    assert back.latest_rolled_out == R1


def test_a_canary_of_the_only_revision_is_that_revision():
    alone = after(FIRST, R1, [R1], Wish(20))
    assert shares(alone) == [(R1, 20, True, ""), (R1, 80, False, "prev")]
    assert alone.latest_rolled_out == R1


def test_tags():
    tagged = after(FIRST, R2, [R1, R2], Wish(10, tags_latest=True))
    assert [share.tag for share in tagged.traffic] == ["latest", "prev"]


def test_a_revision_that_is_gone_is_missed_and_the_traffic_stays():
    canary = after(FIRST, R2, [R1, R2], Wish(10))
    gone = after(canary, R2, [R2], Wish(20), there={R2})
    assert gone.missing == R1
    assert gone.traffic == canary.traffic


def test_the_newest_that_is_ready_is_used_though_a_newer_one_waits():
    assert after(FIRST, R3, [R1, R2]).latest_ready == R2
    # It never goes back to an older one, however unwell the newer is.
    assert after(after(FIRST, R2, [R1, R2]), R3, [R1, R2]).latest_ready == R2


def test_read_from_a_status():
    canary = after(FIRST, R2, [R1, R2], Wish(10))
    status = {
        "latestCreatedRevision": R2,
        "latestReadyRevision": R2,
        "latestRolledoutRevision": R1,
        "traffic": [
            {"revisionName": R2, "percent": 10, "latestRevision": True},
            {"revisionName": R1, "percent": 90, "latestRevision": False, "tag": "prev"},
        ],
    }
    assert traffic.before(status) == canary


STEP = st.tuples(st.integers(0, 3), st.sets(st.integers(1, 6)), st.none() | st.integers(0, 100))


@given(st.lists(STEP, max_size=12))
def test_traffic_is_always_a_hundred_percent_of_what_is_ready_and_settled(steps):
    """Whatever the order of changes: and looking again changes nothing."""
    now, number, ready = Rollout(), 1, set()
    for more, come, percent in steps:
        number += more
        ready |= {names.revision_name("m", each) for each in come if each <= number}
        there = frozenset(names.revision_name("m", each) for each in range(1, number + 1))
        created, wish = names.revision_name("m", number), Wish(percent)
        now = traffic.after(now, created, sorted(ready), there, wish)
        assert not now.traffic or sum(share.percent for share in now.traffic) == 100
        assert bool(now.traffic) == bool(ready)
        assert now.in_use <= ready
        assert traffic.after(now, created, sorted(ready), there, wish) == now
