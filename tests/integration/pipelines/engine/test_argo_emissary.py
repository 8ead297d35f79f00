"""The shell around a step's program, really run."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from sampan.components.pipelines.engine.argo.emissary import Wrapping, wrapped


def start(script: str, wrapping: Wrapping, cwd: Path) -> subprocess.Popen[bytes]:
    command, args = wrapped(["sh", "-c"], [script], wrapping)
    return subprocess.Popen([*command, *args], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_outputs_result_and_exit_code(tmp_path: Path) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    out.mkdir()
    work.mkdir()
    outputs = [
        (f"{work}/file", f"{out}/a/file"),
        (f"{work}/folder", f"{out}/folder"),
        ("/relative.txt", f"{out}/relative"),
        (f"{work}/missing", f"{out}/missing"),
        (str(work), f"{work}/own/step/whole"),
    ]
    script = "echo one; echo x > file; mkdir -p folder/in; ln -s ../file folder/link; echo r > relative.txt; exit 3"
    process = start(script, Wrapping(outputs, f"{out}/printed"), work)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert said == b"one\n"
    assert (out / "printed").read_text() == "one\n"
    assert (out / "a" / "file").read_text() == "x\n"
    assert (out / "folder" / "link").is_symlink()
    assert (out / "relative").read_text() == "r\n"
    assert not (out / "missing").exists()
    # The step's own folder lies within what is copied, and is left out.
    assert sorted(path.name for path in (work / "own/step/whole").iterdir()) == [
        "file",
        "folder",
        "relative.txt",
    ]


def test_a_stopped_program_still_gives_its_outputs(tmp_path: Path) -> None:
    script = "trap 'echo bye > said; exit 9' TERM; touch ready; while :; do sleep 0.05; done"
    process = start(script, Wrapping([(f"{tmp_path}/said", f"{tmp_path}/out/said")]), tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 9
    assert (tmp_path / "out" / "said").read_text() == "bye\n"


def test_containers_of_a_set_wait_for_each_other(tmp_path: Path) -> None:
    shared, out = tmp_path / "set", tmp_path / "out"
    shared.mkdir()

    def member(name: str, script: str, *after: str, **more: object) -> subprocess.Popen[bytes]:
        return start(script, Wrapping(set_folder=str(shared), after=after, name=name, **more), tmp_path)  # type: ignore[arg-type]

    outputs = [(f"{tmp_path}/log", f"{out}/log")]
    main = member("main", "echo main >> log", outputs=outputs, others=("a", "b", "c"))
    members = [
        main,
        member("c", "echo c >> log", "b"),
        member("b", "test -e tried || { touch tried; exit 1; }; exit 5", "a", tries=1),
        member("a", "sleep 0.2; echo a >> log"),
    ]
    codes = [process.wait(20) for process in members]
    # b is tried twice and fails, so c does not run.
    assert codes == [0, 64, 5, 0]
    assert (out / "log").read_text() == "main\na\n"
    for process in members:
        assert process.stdout is not None
        process.stdout.close()
