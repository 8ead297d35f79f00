"""CPU and memory as /proc tells them."""

from __future__ import annotations

from pathlib import Path

from sampan.cluster.node.stats import take


def process(proc: Path, pid: int, session: int, *, ticks: tuple[int, ...], pages: int, pss: int = 0) -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    fields = ["S", "1", "1", str(session), *["0"] * 7, *(str(each) for each in ticks), *["0"] * 6, str(pages)]
    (folder / "stat").write_text(f"{pid} (a b) c) {' '.join(fields)} 0 0\n")
    if pss:
        (folder / "smaps_rollup").write_text(f"x\nPss:   {pss} kB\nRss: 1 kB\n")


def test_a_session_is_summed_with_its_ended_children(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  100 0 100 5000 7 0 0 0 0 0\ncpu0 1\n")
    (tmp_path / "self").mkdir()
    process(tmp_path, 10, 10, ticks=(100, 50, 30, 20), pages=5, pss=64)
    process(tmp_path, 11, 10, ticks=(100, 0, 0, 0), pages=5)
    process(tmp_path, 12, 12, ticks=(1, 0, 0, 0), pages=5)
    sample = take(tmp_path, [10])
    assert sample.cpu[10] / sample.cpu[12] == 300
    # The share of the one whose shares are known, the resident pages of the other.
    assert list(sample.memory) == [10]
    assert sample.memory[10] % 4096 == 0
    assert sample.memory[10] > 64 * 1024
    assert sample.machine_cpu > 0
