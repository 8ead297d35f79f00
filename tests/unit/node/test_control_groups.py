"""Finding and making control groups, on a made-up machine."""

from __future__ import annotations

from pathlib import Path

from sampan.cluster.node.runtimes.cgroups import Cgroups
from sampan.cluster.node.runtimes.memory import resident_by_session
from sampan.cluster.node.runtimes.protocol import Limits

LIMITS = Limits(memory_bytes=1 << 26, cpu_millis=500)


def machine(root: Path, groups: str, mounts: str, *folders: str) -> Cgroups:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    (root / "proc/self/mounts").write_text(mounts)
    for folder in folders:
        (root / folder).mkdir(parents=True)
    if (root / "sys/fs/cgroup/user").exists():
        (root / "sys/fs/cgroup/user/cgroup.subtree_control").write_text("cpu memory pids")
    return Cgroups.detect("sampan-x-", root)


def test_version_1(tmp_path: Path) -> None:
    cgroups = machine(
        tmp_path,
        "4:memory:/own\n1:cpu,cpuacct:/\n0::/\n",
        "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct 0 0\n",
        "sys/fs/cgroup/memory/own",
        "sys/fs/cgroup/cpu",
    )
    plan = cgroups.create("uid/main/0", LIMITS)
    memory, cpu = plan.folders
    assert memory == tmp_path / "sys/fs/cgroup/memory/own/sampan-x-uid_main_0"
    assert (memory / "memory.limit_in_bytes").read_text() == str(1 << 26)
    assert (cpu / "cpu.cfs_quota_us").read_text() == "50000"
    assert plan.oom_events == memory / "memory.oom_control"


def test_version_2(tmp_path: Path) -> None:
    mounts = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    cgroups = machine(tmp_path, "0::/user\n", mounts, "sys/fs/cgroup/user")
    plan = cgroups.create("uid/main/0", LIMITS)
    (folder,) = plan.folders
    assert (folder / "memory.max").read_text() == str(1 << 26)
    assert (folder / "cpu.max").read_text() == "50000 100000"
    assert plan.oom_events == folder / "memory.events"


def test_empty_groups_are_swept_but_not_one_whose_container_is_about_to_start(tmp_path: Path) -> None:
    mounts = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    cgroups = machine(tmp_path, "0::/user\n", mounts, "sys/fs/cgroup/user")
    own = tmp_path / "sys/fs/cgroup/user"
    for name in ("sampan-x-uid_main_0", "sampan-x-uid_main_1", "another"):
        (own / name).mkdir()
    cgroups.sweep(keep=["uid/main/1"])
    assert sorted(each.name for each in own.iterdir() if each.is_dir()) == ["another", "sampan-x-uid_main_1"]


def test_a_machine_that_allows_none(tmp_path: Path) -> None:
    cgroups = machine(tmp_path, "0::/\n", "")
    assert not cgroups.limits_memory
    assert cgroups.create("c", LIMITS).folders == ()


def test_memory_is_summed_over_a_session(tmp_path: Path) -> None:
    for pid, session, pages in ((10, 10, 3), (11, 10, 4), (12, 12, 5)):
        (tmp_path / str(pid)).mkdir()
        # The command of a process may hold anything, brackets too.
        fields = ["S", "1", str(pid), str(session), *["0"] * 17, str(pages), "0"]
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b (c) {' '.join(fields)}")
    usage = resident_by_session(tmp_path)
    assert usage[10] * 5 == usage[12] * 7
