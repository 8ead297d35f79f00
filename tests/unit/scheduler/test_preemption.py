"""Who has to go so that another can start."""

from __future__ import annotations

from tests.unit.scheduler.builders import node, pod

from sampan.cluster.scheduler.gangs import Gangs, GroupKey, PodGroup
from sampan.cluster.scheduler.node import Node
from sampan.cluster.scheduler.preemption import Plan, for_gang, for_pod
from sampan.cluster.scheduler.victims import Budget, Others
from sampan.cluster.scheduler.world import world_of
from sampan.kube.selectors import parse_labels


def filled(*tenants, **fields) -> Node:
    made = node(**fields)
    for tenant in tenants:
        made.add(tenant)
    return made


def victims(plan: Plan | None) -> list[str]:
    return sorted(tenant.name for _, tenant in plan.victims) if plan else []


def gangs(**members: list[str]) -> Gangs:
    """Of each gang the names of those placed: `a_2=["a", "b"]` is gang a, of which 2 must be there."""
    made = Gangs()
    for name, uids in members.items():
        key = GroupKey("scheduling.x-k8s.io", "team", name)
        made.define(key, PodGroup(int(name.rpartition("_")[2])))
        for uid in uids:
            made.placed(key, uid)
    return made


def others(*nodes: Node, budgets=(), bound: Gangs | None = None) -> Others:
    return Others(world_of(*nodes), bound or Gangs(), budgets)


def chosen(preemptor, *nodes: Node, budgets=(), bound: Gangs | None = None) -> list[str]:
    return victims(for_pod(preemptor, nodes, others(*nodes, budgets=budgets, bound=bound)))


def test_the_lowest_priority_goes_and_no_more_than_must():
    it = filled(
        pod("zero", "1"),
        pod("one", "1", priority=1),
        pod("two", "1", priority=2),
        pod("three", "1", priority=3),
    )
    assert chosen(pod("urgent", "1", priority=10), it) == ["zero"]
    assert chosen(pod("urgent", "2", priority=10), it) == ["one", "zero"]
    # Only what is below it counts.
    assert chosen(pod("urgent", "2", priority=2), it) == ["one", "zero"]
    assert chosen(pod("urgent", "3", priority=2), it) == []


def test_of_equals_the_youngest_goes():
    it = filled(*(pod(f"p{n}", "1", started=f"2026-01-0{n}") for n in (1, 3, 2, 4)))
    assert chosen(pod("urgent", "1", priority=1), it) == ["p4"]


def test_one_large_pod_of_a_higher_priority_is_spared_where_small_ones_do():
    it = filled(pod("large", "3", priority=5), pod("small", "1", priority=1))
    assert chosen(pod("urgent", "1", priority=9), it) == ["small"]
    assert chosen(pod("urgent", "3", priority=9), it) == ["large"]


def test_the_node_is_as_before():
    it = filled(pod("a", "2"), pod("b", "2"))
    taken, tenants = dict(it.taken), dict(it.tenants)
    chosen(pod("urgent", "3", priority=1), it)
    chosen(pod("giant", "9", priority=1), it)
    assert ({key: value for key, value in it.taken.items() if value}, it.tenants) == (taken, tenants)


def test_those_who_leave_anyway_are_waited_for():
    it = filled(pod("leaving", "2", leaving=True), pod("staying", "2"))
    assert chosen(pod("urgent", "2", priority=1), it) == []
    assert chosen(pod("urgent", "3", priority=1), it) == ["staying"]


def test_budgets_are_spared_if_another_can_go():
    protected = pod("protected", "2", labels={"app": "db"}, started="2026-01-02")
    it = filled(protected, pod("free", "2", started="2026-01-01"))
    budget = Budget("team", parse_labels("app=db"), 0)
    urgent = pod("urgent", "2", priority=1)
    assert chosen(urgent, it) == ["protected"]
    assert chosen(urgent, it, budgets=[budget]) == ["free"]
    assert chosen(urgent, it, budgets=[Budget("team", parse_labels("app=db"), 1)]) == ["protected"]
    assert chosen(urgent, it, budgets=[Budget("other", parse_labels("app=db"), 0)]) == ["protected"]
    plan = for_pod(pod("urgent", "4", priority=1), [it], others(it, budgets=[budget]))
    assert (victims(plan), plan.violations) == (["free", "protected"], 1)


def test_the_node_that_loses_least():
    important = filled(pod("important", "4", priority=5), name="a")
    many = filled(pod("m1", "2", priority=1), pod("m2", "2", priority=1), name="b")
    one = filled(pod("one", "4", priority=1, started="2026-01-01"), name="c")
    younger = filled(pod("younger", "4", priority=1, started="2026-01-02"), name="d")
    urgent = pod("urgent", "4", priority=9)
    assert chosen(urgent, important, many) == ["m1", "m2"]
    assert chosen(urgent, important, many, one) == ["one"]
    assert chosen(urgent, important, many, one, younger) == ["younger"]


def test_a_gang_takes_room_for_all_of_it_or_for_none():
    first = filled(pod("a", "3"), name="first")
    second = filled(pod("b", "3"), pod("c", "1", priority=99), name="second")
    all_others = others(first, second)
    members = [pod(f"m{n}", "2", priority=1) for n in range(3)]
    assert victims(for_gang(members, all_others)) == ["a", "b"]
    assert victims(for_gang([*members, pod("m4", "2", priority=1)], all_others)) == []
    assert victims(for_gang(members[:2], all_others)) == ["a"]
    assert sorted(first.tenants) == ["a"]
    assert sorted(second.tenants) == ["b", "c"]


def test_a_gang_goes_as_a_whole_or_not_at_all():
    def room() -> Node:
        return filled(
            pod("g-0", "1", started="1"), pod("g-1", "1", started="1"), pod("single", "1", started="0")
        )

    urgent, bound = pod("urgent", "2", priority=9), gangs(g_2=["g-0", "g-1"])
    assert chosen(urgent, room()) == ["g-1"]
    # The older single pod is spared where one of the gang must go: the other would be worth nothing.
    assert chosen(urgent, room(), bound=bound) == ["g-0", "g-1"]
    assert chosen(pod("urgent", "4", priority=9), room(), bound=bound) == ["g-0", "g-1", "single"]
    # A younger single pod goes before the gang does.
    younger = filled(
        pod("g-0", "1", started="1"), pod("g-1", "1", started="1"), pod("young", "1", started="2")
    )
    assert chosen(urgent, younger, bound=bound) == ["young"]


def test_members_beyond_the_minimum_go_one_by_one():
    it = filled(*(pod(f"g-{n}", "1", started=str(n)) for n in range(4)))
    bound = gangs(g_2=["g-0", "g-1", "g-2", "g-3"])
    assert chosen(pod("urgent", "1", priority=9), it, bound=bound) == ["g-3"]
    assert chosen(pod("urgent", "2", priority=9), it, bound=bound) == ["g-2", "g-3"]
    assert chosen(pod("urgent", "3", priority=9), it, bound=bound) == ["g-0", "g-1", "g-2", "g-3"]


def test_the_gangs_pods_on_other_nodes_go_with_it():
    here, there = filled(pod("g-0", "4"), name="here"), filled(pod("g-1", "3"), name="there")
    urgent = pod("urgent", "4", priority=9)
    plan = for_pod(urgent, [here], others(here, there, bound=gangs(g_2=["g-0", "g-1"])))
    assert victims(plan) == ["g-0", "g-1"]
    assert plan is not None
    assert [(node.name, each.name) for node, each in plan.places] == [("here", "urgent")]
    assert (sorted(here.tenants), sorted(there.tenants)) == (["g-0"], ["g-1"])
    # Where a single pod does, the gang is spared.
    single = filled(pod("single", "4"), name="third")
    assert victims(
        for_pod(urgent, [here, single], others(here, there, single, bound=gangs(g_2=["g-0", "g-1"])))
    ) == ["single"]


def test_a_gang_is_as_important_as_its_most_important_member():
    it = filled(pod("leader", "1", priority=9), pod("worker", "3", priority=1))
    assert chosen(pod("urgent", "3", priority=5), it) == ["worker"]
    assert chosen(pod("urgent", "3", priority=5), it, bound=gangs(g_2=["leader", "worker"])) == []


def test_a_budget_protects_the_whole_gang():
    it = filled(
        pod("a-0", "1", labels={"app": "a"}, started="2"),
        pod("a-1", "1", started="2"),
        pod("b-0", "1", started="1"),
        pod("b-1", "1", started="1"),
    )
    bound = gangs(a_2=["a-0", "a-1"], b_2=["b-0", "b-1"])
    urgent = pod("urgent", "1", priority=9)
    assert chosen(urgent, it, bound=bound) == ["a-0", "a-1"]
    budget = Budget("team", parse_labels("app=a"), 0)
    assert chosen(urgent, it, bound=bound, budgets=[budget]) == ["b-0", "b-1"]
