"""The scheduler's decisions over time: whose turn it is, for whom room is kept, what is never held."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.scheduler.builders import node, pod

from sampan.cluster.scheduler import preemption
from sampan.cluster.scheduler.claims import Obstacle
from sampan.cluster.scheduler.explain import detail, headline
from sampan.cluster.scheduler.gangs import GroupKey, PodGroup, group_of
from sampan.cluster.scheduler.keeping import turn
from sampan.cluster.scheduler.node import Tenant
from sampan.cluster.scheduler.placer import Bind, Order, Placer, Preempt, Release

GROUP = GroupKey("scheduling.x-k8s.io", "team", "g")


def placer(cpu: str = "4", labels: dict[str, str] | None = None, **fields: Any) -> Placer:
    made = Placer(lambda _demand: None, list, **fields)
    made.world.nodes["node"] = node(labels=labels, allocatable={"cpu": cpu, "pods": "20000"})
    return made


def bound(orders: list[Order]) -> list[str]:
    return [order.tenant.name for order in orders if isinstance(order, Bind)]


def victims(orders: list[Order]) -> list[str]:
    return [each.name for order in orders if isinstance(order, Preempt) for _, each in order.plan.victims]


def run(it: Placer, *tenants: Any) -> None:
    for tenant in tenants:
        it.settle(tenant, "node", None)


def test_room_is_kept_for_a_nominated_pod_while_its_victims_end():
    it = placer("2")
    run(it, pod("a", "1"), pod("b", "1"))
    it.wait(pod("urgent", "2", priority=9), "1", None)
    orders = it.place_all()
    assert sorted(victims(orders)) == ["a", "b"]
    # Once is enough, however often it is tried.
    assert it.place_all() == []
    it.forget("a")
    small = it.wait(pod("small", "1", priority=5), "0", None)
    assert it.place_newcomer(small) == []
    assert headline(it.parked[small]).startswith("0/1 nodes are available: 1 Insufficient cpu.")
    higher = it.wait(pod("higher", "1", priority=10), "2", None)
    assert bound(it.place_newcomer(higher)) == ["higher"]
    it.forget("higher")
    it.forget("b")
    assert bound(it.place_all()) == ["urgent"]


def test_a_promise_that_cannot_be_kept_is_taken_back():
    it = placer("2")
    run(it, pod("low", "2"))
    it.wait(pod("urgent", "2", priority=9), "1", None)
    assert victims(it.place_all()) == ["low"]
    it.settle(pod("intruder", "2", priority=99), "node", None)
    it.forget("low")
    (order,) = it.place_all()
    assert isinstance(order, Release)
    assert not it.world.node("node").nominated


def test_a_victim_that_cannot_be_stopped_is_tried_again():
    it = placer("2")
    run(it, pod("low", "2"))
    it.wait(pod("urgent", "2", priority=9), "1", None)
    assert victims(it.place_all()) == ["low"]
    it.spare("low")
    assert victims(it.place_all()) == ["low"]


def test_equals_find_room_one_by_one_in_one_pass():
    it = placer("3")
    run(it, *(pod(f"low-{n}", "1") for n in range(3)))
    for n in range(2):
        it.wait(pod(f"urgent-{n}", "1", priority=9), str(n), None)
    assert len(victims(it.place_all())) == 2


def test_a_pod_that_never_preempts_does_not_stand_before_one_that_does():
    it = placer("1")
    run(it, pod("low", "1"))
    it.wait(pod("patient", "1", priority=9, preemptionPolicy="Never"), "1", None)
    it.wait(pod("urgent", "1", priority=9), "2", None)
    assert victims(it.place_all()) == ["low"]


def test_pods_of_one_shape_with_other_labels_are_told_apart_by_those_who_keep_away():
    it = placer(labels={"host": "a"})
    term = {"topologyKey": "host", "labelSelector": {"matchLabels": {"app": "web"}}}
    anti = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    it.wait(pod("web", labels={"app": "web"}), "1", None)
    it.wait(pod("db", labels={"app": "db"}), "2", None)
    run(it, pod("lonely", affinity=anti))
    assert bound(it.place_all()) == ["db"]
    assert it.parked
    it.forget("lonely")
    assert bound(it.place_all()) == ["web"]


def test_a_gang_waits_whole_and_holds_nothing():
    it = placer("3")
    it.gangs.define(GROUP, PodGroup(2))
    it.wait(pod("m-0", "2"), "1", GROUP)
    it.wait(pod("m-1", "2"), "1", GROUP)
    it.wait(pod("other", "3"), "2", None)
    assert bound(it.place_all()) == ["other"]
    assert "no room for 2 of them at once" in detail(
        it.parked[GROUP], it.backlog.head(GROUP).tenant, it.world
    )
    it.world.nodes["second"] = node("second")
    it.forget("other")
    assert sorted(bound(it.place_all())) == ["m-0", "m-1"]


def test_a_gang_that_runs_takes_its_pods_one_by_one():
    it = placer("3")
    it.gangs.define(GROUP, PodGroup(2))
    for n in range(4):
        it.wait(pod(f"m-{n}", "1"), str(n), GROUP)
    # All that fit start, as long as they are enough.
    assert bound(it.place_all()) == ["m-0", "m-1", "m-2"]
    assert detail(it.parked[GROUP], it.backlog.head(GROUP).tenant, it.world).startswith(
        "PodGroup team/g has enough pods running; this one is beyond its minMember of 2."
    )
    it.forget("m-0")
    assert bound(it.place_all()) == ["m-3"]


def test_who_belongs_to_which_group():
    def of(labels: Any = None, annotations: Any = None) -> Any:
        return group_of({"metadata": {"namespace": "team", "labels": labels, "annotations": annotations}})

    volcano = GroupKey("scheduling.volcano.sh", "team", "g")
    assert of() is None
    assert of({"scheduling.x-k8s.io/pod-group": "g"}) == GROUP
    assert of(None, {"scheduling.k8s.io/group-name": "g"}) == volcano
    assert of({"scheduling.volcano.sh/group-name": "g"}) == volcano


def test_ten_thousand_of_few_shapes_are_one_try_a_shape(monkeypatch):
    it = placer("1")
    run(it, pod("blocker", "1"))
    tries = 0
    place = it._place

    def counted(waiting: Any) -> None:
        nonlocal tries
        tries += 1
        place(waiting)

    monkeypatch.setattr(it, "_place", counted)
    shapes = [pod(f"shape-{n}", f"{n + 1}00m") for n in range(3)]
    for n in range(10_000):
        model = shapes[n % 3]
        tenant = type(model)(f"uid-{n}", "team", f"p-{n}", model.demand)
        key = it.wait(tenant, "1", None)
        it.place_newcomer(key)
    assert tries == 3
    it.place_all()
    assert tries == 6


def test_thousands_of_equal_gangs_are_one_try(monkeypatch):
    it = placer("3")
    model = pod("m", "2").demand
    tries = 0
    place_all = preemption.place_all

    def counted(*args: Any) -> Any:
        nonlocal tries
        tries += 1
        return place_all(*args)

    monkeypatch.setattr(preemption, "place_all", counted)
    for n in range(1000):
        key = GroupKey("scheduling.x-k8s.io", "team", f"g-{n:04}")
        it.gangs.define(key, PodGroup(2))
        for m in range(2):
            it.wait(Tenant(f"{n}-{m}", "team", f"{n}-{m}", model), f"{n:04}", key)
    assert bound(it.place_all()) == []
    assert tries == 1
    it.world.nodes["second"] = node("second")
    # Room for one and a half: the oldest starts, and the next is tried once for all the others.
    assert sorted(bound(it.place_all())) == ["0-0", "0-1"]
    assert tries == 3
    assert len(it.parked) == 999


def test_what_holds_a_pod_and_what_would_free_it():
    it = placer("4")
    run(it, pod("a", "2"), pod("b", "1"), *(pod(f"c{n}", "250m") for n in range(4)))
    key = it.wait(pod("waits", "1500m"), "1", None)
    it.place_newcomer(key)
    parked, tenant = it.parked[key], it.backlog.head(key).tenant
    assert headline(parked) == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims "
        "found for incoming pod."
    )
    assert detail(parked, tenant, it.world) == (
        "It needs 1500m cpu; 0 of 4 on node node is free, held by team/a 2, team/b 1, team/c0 250m and 3 more. "
        "It can start when 1500m more is free."
    )
    key = it.wait(pod("giant", "64"), "1", None)
    it.place_newcomer(key)
    parked, tenant = it.parked[key], it.backlog.head(key).tenant
    assert detail(parked, tenant, it.world) == (
        "This cannot change by itself (cpu: 64 requested, 4 at most on a node)."
    )


def told(it: Placer, tenant: Any) -> str:
    key = it.wait(tenant, "1", None)
    it.place_newcomer(key)
    return detail(it.parked[key], tenant, it.world)


def test_doors_that_are_closed():
    it = placer()
    run(it, pod("holder", container={"ports": [{"containerPort": 80, "hostPort": 80}]}))
    assert told(it, pod("p", container={"ports": [{"containerPort": 80, "hostPort": 80}]})) == (
        "Port 80 of node node is held by team/holder."
    )
    assert told(it, pod("q", nodeSelector={"disk": "ssd"})) == (
        "No node matches disk=ssd; `kubectl label nodes NAME KEY=VALUE` would change that."
    )
    it.world.nodes["node"] = node(unschedulable=True)
    assert told(it, pod("r")) == "Node node is cordoned; `kubectl uncordon node` opens it."
    it.world.nodes["node"] = node(taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
    assert told(it, pod("s", "1")) == "Node node takes only pods that tolerate gpu."


def test_a_claim_that_stands_in_the_way():
    obstacle = Obstacle("pod has unbound immediate PersistentVolumeClaims", "It waits for a claim.")
    it = Placer(lambda _demand: obstacle, list)
    it.world.nodes["node"] = node()
    tenant = pod("p", "1")
    assert told(it, tenant) == "It waits for a claim."
    assert headline(it.parked[tenant.demand.shape]) == (
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are "
        "available: 1 Preemption is not helpful for scheduling."
    )


def test_a_gang_that_is_being_stopped_does_not_count_as_running():
    it = placer("4")
    it.define(GROUP, PodGroup(2))
    for n in range(2):
        it.settle(pod(f"g-{n}", "2"), "node", GROUP)
    it.wait(pod("urgent", "4", priority=9), "1", None)
    assert sorted(victims(it.place_all())) == ["g-0", "g-1"]
    it.world.nodes["second"] = node("second", allocatable={"cpu": "2", "pods": "9"})
    # The first has ended and comes again, while the other still ends: there is room for it, and not for the gang.
    it.forget("g-0")
    it.wait(pod("again-0", "2"), "2", GROUP)
    assert bound(it.place_all()) == []
    it.forget("g-1")
    assert bound(it.place_all()) == ["urgent"]
    it.wait(pod("again-1", "2"), "2", GROUP)
    assert bound(it.place_all()) == []
    it.forget("urgent")
    assert sorted(bound(it.place_all())) == ["again-0", "again-1"]


def test_gangs_start_by_the_age_of_their_groups_and_pods_that_come_again_keep_their_turn():
    it = placer("2")
    other = GroupKey("scheduling.x-k8s.io", "team", "other")
    it.define(other, PodGroup(2, created="2"))
    for n in range(2):
        it.wait(pod(f"other-{n}", "1"), "3", other)
        it.wait(pod(f"again-{n}", "1"), "9", GROUP)
    it.define(GROUP, PodGroup(2, created="1"))
    assert sorted(bound(it.place_all())) == ["again-0", "again-1"]


def job(name: str, cpu: str = "1") -> Tenant:
    return pod(name, cpu, restartPolicy="Never")


def small(n: int) -> Tenant:
    return job(f"small-{n}")


def test_a_large_gang_is_passed_by_small_pods_for_a_time_only():
    now = 0.0
    it = placer("4", now=lambda: now, patience=10.0)
    run(it, *(small(n) for n in range(4)))
    it.define(GROUP, PodGroup(2, created="1"))
    for n in range(2):
        it.wait(pod(f"g-{n}", "2"), "1", GROUP)
    it.place_all()
    it.wait(small(4), "2", None)
    it.forget("small-0")
    assert bound(it.place_all()) == ["small-4"]
    assert it.keeper.turns_at == 10.0
    now = 10.0
    # From now on nothing of its kind passes: what becomes free is kept.
    it.wait(small(5), "3", None)
    it.forget("small-1")
    assert bound(it.place_all()) == []
    waits = it.backlog.get("small-5")
    assert waits is not None
    assert detail(it.parked[waits.key], waits.tenant, it.world) == (
        "The next room on node node is kept for team/g-0, team/g-1, which waited long enough."
    )
    # What asks for nothing that the gang needs, or is more important, starts all the same.
    it.wait(pod("light"), "4", None)
    it.wait(pod("urgent", "1", priority=1, restartPolicy="Never"), "4", None)
    assert sorted(bound(it.place_all())) == ["light", "urgent"]
    for name in ("small-2", "small-3", "small-4", "urgent"):
        assert bound(it.place_all()) == []
        it.forget(name)
    assert bound(it.place_all()) == ["g-0", "g-1"]


def test_room_is_not_kept_for_ever():
    now = 0.0
    it = placer("4", now=lambda: now, patience=10.0)
    run(it, job("long", "2"))
    it.wait(job("large", "4"), "1", None)
    it.wait(job("s"), "2", None)
    assert bound(it.place_all()) == ["s"]
    it.forget("s")
    it.wait(job("s"), "2", None)
    now = 15.0
    assert bound(it.place_all()) == []
    assert it.keeper.turns_at == 20.0
    now = 20.0
    assert bound(it.place_all()) == ["s"]
    assert it.keeper.turns_at == 40.0


def test_nothing_is_kept_beside_what_stays_for_ever():
    now = 0.0
    it = placer("4", now=lambda: now, patience=10.0)
    run(it, pod("notebook", "1"))
    it.wait(job("large", "4"), "1", None)
    it.place_all()
    now = 15.0
    it.wait(job("s"), "2", None)
    assert bound(it.place_all()) == ["s"]


def test_notebooks_and_servers_do_not_queue_behind_jobs():
    now = 0.0
    it = placer("4", now=lambda: now, patience=10.0)
    run(it, job("long", "2"))
    it.wait(job("large", "3"), "1", None)
    it.place_all()
    now = 15.0
    it.wait(job("s"), "2", None)
    it.wait(pod("notebook", "1"), "3", None)
    assert bound(it.place_all()) == ["notebook"]
    assert "is kept for team/large" in detail(it.parked[it.backlog.get("s").key], job("s"), it.world)


def test_who_gives_up_keeps_nothing():
    now = 0.0
    it = placer("4", now=lambda: now, patience=10.0)
    run(it, small(0))
    it.wait(job("large", "4"), "1", None)
    it.place_all()
    now = 15.0
    it.wait(job("s"), "2", None)
    assert bound(it.place_all()) == []
    assert it.forget("large")
    assert bound(it.place_all()) == ["s"]
    assert not it.world.node("node").kept


@pytest.mark.parametrize(
    ("waited", "kept", "left"),
    [
        (0, False, 10),
        (9, False, 1),
        (10, True, 10),
        (19, True, 1),
        (20, False, 20),
        (40, True, 40),
        (81, False, 79),
    ],
)
def test_turns_double(waited, kept, left):
    assert turn(waited, 10.0) == (kept, left)


def test_a_group_that_names_a_priority_gives_it_to_its_pods():
    it = placer("2")
    run(it, pod("low", "2", priority=1))
    for n in range(2):
        it.wait(pod(f"g-{n}", "1"), "1", GROUP)
    it.define(GROUP, PodGroup(2, priority=5))
    assert victims(it.place_all()) == ["low"]
    it.forget("low")
    assert sorted(bound(it.place_all())) == ["g-0", "g-1"]
    # Those that run have it too: a pod between the two priorities does not move them.
    it.wait(pod("urgent", "1", priority=3), "1", None)
    assert victims(it.place_all()) == []
    it.define(GROUP, PodGroup(2, priority=2))
    assert sorted(victims(it.place_all())) == ["g-0", "g-1"]


def test_two_hundred_jobs_leave_the_queue_in_order_and_the_large_one_is_not_left_behind():
    now = 0.0
    it = placer("4", now=lambda: now, patience=10.0)
    started: list[str] = []
    running: list[tuple[float, str]] = []
    sizes = {n: (4 if n == 50 else 1) for n in range(200)}
    for n, members in sizes.items():
        key = GroupKey("scheduling.x-k8s.io", "team", f"job-{n:03}")
        it.define(key, PodGroup(members, created=f"{n:03}"))
        for m in range(members):
            it.wait(job(f"job-{n:03}-{m}"), f"{n:03}", key)
    while len(it.backlog):
        for order in it.place_all():
            assert isinstance(order, Bind)
            started.append(order.tenant.name)
            # Jobs of different lengths, so that the machine is never empty by chance.
            running.append((now + 5 + len(started) % 4, order.tenant.name))
        now += 1.0
        for end, name in [each for each in running if each[0] <= now]:
            running.remove((end, name))
            it.forget(name)
    small = [name for name in started if not name.startswith("job-050")]
    assert small == [f"job-{n:03}-0" for n in range(200) if n != 50]
    large = [at for at, name in enumerate(started) if name.startswith("job-050")]
    assert large == list(range(large[0], large[0] + 4))
    # It waited for the length of a job after its first turn of ten seconds, while some eight others passed.
    assert 50 <= large[0] <= 65
