"""Environments built for real: uv, pip, shells and interpreters, from wheels that this file makes. No network."""

import asyncio
import base64
import hashlib
import json
import marshal
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sampan.cluster.node.environments import (
    Environment,
    EnvironmentBuildError,
    Environments,
    PipInstall,
    UnknownImageError,
)
from sampan.cluster.node.environments.model import Manifest
from sampan.cluster.node.environments.store import EnvironmentStore
from sampan.cluster.node.settings import EnvironmentSettings

T = TypeVar("T")
IMAGE = f"python:3.{sys.version_info.minor}"


def make_wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """A module `name` with `version` in it, and a console script that prints the version and its Python."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f'import sys\nversion = "{version}"\ndef main():\n    print(version, sys.prefix)\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-version = {name}:main\n",
    }
    record = ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(text)}\n"
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder, "sloop", "1.0")
    make_wheel(folder, "sloop", "2.0")
    make_wheel(folder, "ketch", "1.0", requires="sloop<2")
    make_wheel(folder, "yawl", "1.0")
    return folder


@pytest.fixture(scope="module")
def environ(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a server with pip configured for these wheels alone would have."""
    home = tmp_path_factory.mktemp("user")
    config = home / ".config" / "pip"
    config.mkdir(parents=True)
    (config / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {wheels}\n")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PIP_CONFIG_FILE": str(config / "pip.conf"),
        "SECRET_OF_THE_SERVER": "canary",
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def run(environments: Environments, work: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        try:
            return await work()
        finally:
            await environments.close()

    return asyncio.run(main())


def shell(env: Environment, home: Path, script: str) -> subprocess.CompletedProcess[str]:
    """As the node agent runs a command: the environment's variables and folders, nothing of the server."""
    pod_home = home / "pod-home"
    pod_home.mkdir(exist_ok=True)
    path = ":".join([*map(str, env.bin_dirs), "/usr/bin", "/bin"])
    variables = {**env.env, "PATH": path, "HOME": str(pod_home), "TMPDIR": str(pod_home)}
    return subprocess.run(
        ["sh", "-c", script], env=variables, cwd=pod_home, capture_output=True, text=True, check=False
    )


def said(env: Environment, home: Path, script: str) -> str:
    result = shell(env, home, script)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


def snapshot(prefix: Path) -> dict[str, tuple[int, int]]:
    """Every file but byte code, which Python itself writes beside modules."""
    return {
        str(path.relative_to(prefix)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in prefix.rglob("*")
        if not path.is_dir() and "__pycache__" not in path.parts and path.name != "sampan.json"
    }


async def with_sloop(environments: Environments, *installs: PipInstall) -> Environment:
    base = await environments.for_image(IMAGE)
    return await environments.with_installs(base, installs or (PipInstall(("sloop==1.0",)),))


def test_an_image_becomes_a_python_with_pip(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)
    env = run(environments, lambda: environments.for_image(IMAGE))
    assert said(env, home, "python3 -c 'import sys; print(sys.version_info[:2], sys.prefix)'") == (
        f"{sys.version_info[:2]} {env.prefix}"
    )
    assert "pip" in said(env, home, "pip --version")
    assert said(env, home, "for p in python python3 pip pip3; do command -v $p; done").split() == [
        str(env.prefix / "bin" / name) for name in ("python", "python3", "pip", "pip3")
    ]
    assert env.python == env.prefix / "bin" / "python3"
    assert "canary" not in str(env.env)


def test_installs_are_done_in_order_and_a_later_one_may_upgrade(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)

    async def work() -> tuple[Environment, Environment]:
        one = await with_sloop(environments, PipInstall(("ketch",)))
        two = await with_sloop(
            environments, PipInstall(("ketch",)), PipInstall(("sloop==2.0",), no_deps=True)
        )
        return one, two

    one, two = run(environments, work)
    assert said(one, home, "python3 -c 'import sloop; print(sloop.version)'") == "1.0"
    assert said(two, home, "python3 -c 'import ketch, sloop; print(sloop.version)'") == "2.0"
    assert said(two, home, "sloop-version") == f"2.0 {two.prefix}"
    assert environments.requirements(two) == ("ketch", "sloop==2.0 --no-deps")


def test_no_deps_installs_nothing_else(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)
    env = run(environments, lambda: with_sloop(environments, PipInstall(("ketch",), no_deps=True)))
    assert said(env, home, "python3 -c 'import ketch'") == ""
    assert shell(env, home, "python3 -c 'import sloop'").returncode == 1


def test_it_is_built_once_for_all_who_ask_at_once_and_kept(home: Path, environ: dict[str, str]) -> None:
    first, second = Environments(home, environ=environ), Environments(home, environ=environ)

    async def work() -> list[Environment]:
        found = await asyncio.gather(*(with_sloop(each) for each in (first, first, second, second)))
        await second.close()
        return list(found)

    found = run(first, work)
    assert len({env.prefix for env in found}) == 1
    whole = [path for path in (home / "envs").iterdir() if (path / "sampan.json").exists()]
    assert len(whole) == 2
    created = (found[0].prefix / "sampan.json").stat().st_ino
    third = Environments(home, environ=environ)
    again = run(third, lambda: with_sloop(third))
    assert again == found[0]
    assert (again.prefix / "sampan.json").stat().st_ino == created


def test_a_hit_costs_next_to_nothing(home: Path, environ: dict[str, str]) -> None:
    """No process, and no thread that would wait for a disk."""
    environments = Environments(home, environ=environ)

    def refuse(*_arguments: Any, **_options: Any) -> Any:
        raise AssertionError("a hit costs more than nothing")

    async def work() -> None:
        installs = (PipInstall(("sloop==1.0",)),)
        base = await environments.for_image(IMAGE)
        found = await environments.with_installs(base, installs)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess, "Popen", refuse)
            patch.setattr(asyncio.get_running_loop(), "subprocess_exec", refuse)
            assert await environments.for_image(IMAGE) == base
            assert await environments.with_installs(base, installs) == found

    run(environments, work)


@pytest.mark.parametrize(
    ("requirement", "says"),
    [("schooner-that-is-not-there", '"schooner-that-is-not-there" does not exist'), ("sloop==9", "sloop==9")],
)
def test_what_cannot_be_built_is_named_and_leaves_nothing(
    home: Path, environ: dict[str, str], requirement: str, says: str
) -> None:
    environments = Environments(home, environ=environ)

    async def work() -> list[object]:
        base = await environments.for_image(IMAGE)
        before = sorted(path.name for path in (home / "envs").iterdir())
        asked = [environments.with_installs(base, (PipInstall((requirement,)),)) for _ in range(3)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert sorted(path.name for path in (home / "envs").iterdir()) == before
        return list(outcomes)

    for outcome in run(environments, work):
        assert isinstance(outcome, EnvironmentBuildError)
        assert says in outcome.message
        assert "\n" not in outcome.message
    assert list((home / "envs" / ".building").iterdir()) == []


def test_a_cancelled_build_leaves_nothing(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)

    async def work() -> None:
        asked = asyncio.create_task(environments.for_image(IMAGE))
        while not list((home / "envs").glob(".building/*")):
            await asyncio.sleep(0.001)
        asked.cancel()
        await environments.close()

    run(environments, work)
    assert list((home / "envs" / ".building").iterdir()) == []
    assert not list((home / "envs").glob("*/sampan.json"))


def test_an_environment_is_there_whole_where_its_build_is_cancelled_at_its_end(
    home: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was removed while it took its place: for a moment half of it was there, with its manifest."""
    publish, at_end, discarded = EnvironmentStore._publish, threading.Event(), threading.Event()
    discard = EnvironmentStore.discard

    def slowly(store: EnvironmentStore, staged: Path, manifest: Manifest) -> None:
        at_end.set()
        discarded.wait(0.5)
        publish(store, staged, manifest)

    async def discarding(store: EnvironmentStore, staged: Path) -> None:
        await discard(store, staged)
        discarded.set()

    monkeypatch.setattr(EnvironmentStore, "_publish", slowly)
    monkeypatch.setattr(EnvironmentStore, "discard", discarding)
    environments = Environments(home, environ=environ)

    async def work() -> None:
        asked = asyncio.create_task(environments.for_image(IMAGE))
        await asyncio.to_thread(at_end.wait, 60)
        asked.cancel()
        await environments.close()

    run(environments, work)
    assert list((home / "envs" / ".building").iterdir()) == []
    (manifest,) = (home / "envs").glob("*/sampan.json")
    assert (manifest.parent / "bin" / "python3").exists()


def test_what_a_killed_builder_left_is_swept_and_damage_is_repaired(
    home: Path, environ: dict[str, str]
) -> None:
    environments = Environments(home, environ=environ)
    env = run(environments, lambda: environments.for_image(IMAGE))
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = home / "envs" / ".building" / f"{env.key}.{dead.pid}.0badcafe"
    left.mkdir()
    (env.prefix / "sampan.json").write_text("{half a mani")
    fresh = Environments(home, environ=environ)

    async def work() -> Environment:
        await fresh.prune()
        return await fresh.for_image(IMAGE)

    again = run(fresh, work)
    assert not left.exists()
    assert json.loads((again.prefix / "sampan.json").read_text())["key"] == env.key


class Holder:
    """Another process that builds an environment: it has the key's lock."""

    def __init__(self, lock: Path) -> None:
        lock.parent.mkdir(parents=True, exist_ok=True)
        hold = "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, 2); print(flush=True); input()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"\n"

    def end(self) -> None:
        self.process.communicate()


def test_at_the_start_what_no_builder_owns_goes_whatever_its_number(
    home: Path, environ: dict[str, str]
) -> None:
    building, locks = home / "envs" / ".building", home / "envs" / ".locks"
    owned, left = "a" * 32, "b" * 32
    # Numbers tell nothing: those of killed builders are given to others, and containers have their own.
    alive, gone = os.getpid(), subprocess.Popen(["true"])
    gone.wait()
    for key, pid in ((owned, gone.pid), (left, alive)):
        (building / f"{key}.{pid}.0badcafe" / "bin").mkdir(parents=True)
        (building / f"{key}.{pid}.overrides").write_text("numpy<2\n")
    (building / "stray").write_text("")
    other = Holder(locks / owned)
    try:
        environments = Environments(home, environ=environ)

        async def until_left(expected: set[str]) -> None:
            environments.start()
            async with asyncio.timeout(60):
                while {entry.name for entry in building.iterdir()} != expected:
                    await asyncio.sleep(0.01)
            await environments.close()

        names = {f"{owned}.{gone.pid}.0badcafe", f"{owned}.{gone.pid}.overrides"}
        asyncio.run(until_left(names))
    finally:
        other.end()
    asyncio.run(until_left(set()))


BUILD = """
import asyncio, json, sys
from pathlib import Path
from sampan.cluster.node.environments import Environments, PipInstall

async def main():
    environments = Environments(Path(sys.argv[1]), environ=json.loads(sys.argv[3]))
    base = await environments.for_image(sys.argv[2])
    print((await environments.with_installs(base, [PipInstall(("ketch", "yawl"))])).prefix)

asyncio.run(main())
"""


def start_builder(home: Path, environ: dict[str, str]) -> subprocess.Popen[str]:
    source = Path(__file__).parents[3] / "src"
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(home), IMAGE, json.dumps(environ)],
        env={"PYTHONPATH": str(source), "PATH": environ["PATH"]}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_servers_build_it_once(home: Path, environ: dict[str, str]) -> None:
    builders = [start_builder(home, environ) for _ in range(2)]
    prefixes = [builder.communicate(timeout=60)[0].strip() for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0]
    assert prefixes[0] == prefixes[1]
    assert len(list((home / "envs").glob("*/sampan.json"))) == 2
    assert list((home / "envs" / ".building").iterdir()) == []


@pytest.mark.parametrize("milliseconds", [150, 400, 700, 1000])
def test_a_server_killed_while_it_builds_harms_nothing(
    home: Path, environ: dict[str, str], milliseconds: int
) -> None:
    killed = start_builder(home, environ)
    time.sleep(milliseconds / 1000)
    killed.kill()
    killed.communicate()
    again = start_builder(home, environ)
    prefix = Path(again.communicate(timeout=60)[0].strip())
    assert again.returncode == 0
    result = subprocess.run([prefix / "bin" / "ketch-version"], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == f"1.0 {prefix}"


def test_an_environment_that_was_deleted_is_built_again(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)

    async def work() -> Environment:
        env = await environments.for_image(IMAGE)
        # By one step: its byte code is in the making.
        await asyncio.to_thread(env.prefix.rename, home / "thrown away")
        return await environments.for_image(IMAGE)

    assert "pip" in said(run(environments, work), home, "pip --version")


def test_its_modules_are_compiled_in_the_background(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)

    async def work() -> Path:
        env = await environments.for_image(IMAGE)
        async with asyncio.timeout(60):
            while not (found := list(env.prefix.glob("**/pip/_internal/__pycache__/__init__.*.pyc"))):
                await asyncio.sleep(0.05)
        return found[0]

    compiled = run(environments, work)
    source = compiled.parent.parent / "__init__.py"
    assert marshal.loads(compiled.read_bytes()[16:]).co_filename == str(source)


def test_prune_removes_the_unused_but_not_what_is_kept(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)

    async def work() -> tuple[Environment, Environment, list[str], list[str]]:
        base = await environments.for_image(IMAGE)
        env = await with_sloop(environments)
        young = await environments.prune(unused_seconds=3600)
        old = await environments.prune(keep=[env.key], unused_seconds=-1)
        return base, env, young, old

    base, env, young, old = run(environments, work)
    assert young == []
    assert old == [base.key]
    assert not base.prefix.exists()
    # A derived environment shares no folder with its base.
    assert said(env, home, "python3 -c 'import sloop; print(sloop.version)'") == "1.0"


def test_a_layer_takes_what_the_pod_installs(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)
    shared = run(environments, lambda: with_sloop(environments))
    said(shared, home, "python3 -c 'import sloop, pip'")
    before = snapshot(shared.prefix)
    layer = environments.pod_layer(shared, home / "layer")
    assert said(layer, home, "python3 -m pip install --quiet sloop && pip install yawl") != ""
    assert said(layer, home, "pip install sloop").startswith(
        ("Looking in links", "Requirement already satisfied")
    )
    assert (
        said(
            layer, home, "pip install --quiet --upgrade sloop; python -c 'import sloop; print(sloop.version)'"
        )
        == "2.0"
    )
    assert said(layer, home, "sloop-version; yawl-version").splitlines() == [
        f"2.0 {layer.prefix}", f"1.0 {layer.prefix}",
    ]  # fmt: skip
    versioned = f"python3.{sys.version_info.minor}"
    assert said(layer, home, "pip3 --version && pip --version")
    for name in ("python", "python3", versioned):
        assert said(layer, home, f"command -v {name}") == str(layer.prefix / "bin" / name)
    assert [path.parent for path in layer.bin_dirs] == [layer.prefix, shared.prefix]
    assert snapshot(shared.prefix) == before
    assert said(shared, home, "sloop-version") == f"1.0 {shared.prefix}"


def test_a_venv_inside_a_layer_sees_the_pods_packages_and_not_the_machines(
    home: Path, environ: dict[str, str]
) -> None:
    environments = Environments(home, environ=environ)
    layer = environments.pod_layer(run(environments, lambda: with_sloop(environments)), home / "layer")
    script = """set -e
        pip install --quiet yawl
        python3 -m venv --without-pip --system-site-packages v
        . v/bin/activate
        python3 -c 'import sys, sloop, yawl, pip; print(sys.prefix); print(*sys.path)'
    """
    prefix, path = said(layer, home, script).splitlines()
    assert prefix == str(home / "pod-home" / "v")
    machines = [folder for folder in path.split() if folder.endswith(("site-packages", "dist-packages"))]
    assert all(folder.startswith(str(home)) for folder in machines)
    plain = shell(layer, home, "python3 -m venv --without-pip w && w/bin/python3 -c 'import sloop'")
    assert plain.returncode == 1


def test_a_venv_over_an_environment_without_a_layer_sees_its_packages(
    home: Path, environ: dict[str, str]
) -> None:
    environments = Environments(home, environ=environ)
    shared = run(environments, lambda: with_sloop(environments))
    script = """set -e
        python3 -m pip install --quiet yawl
        python3 -m venv --without-pip --system-site-packages v
        v/bin/python3 -c 'import sloop, yawl; print(sloop.version)'
    """
    assert said(shared, home, script) == "1.0"


def test_layers_cost_next_to_nothing(
    home: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process, and a handful of files."""
    environments = Environments(home, environ=environ)
    shared = run(environments, lambda: with_sloop(environments))

    def refuse(*_arguments: Any, **_options: Any) -> Any:
        raise AssertionError("a layer costs a process")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    environments.pod_layer(shared, home / "layer")
    assert len([*(home / "layer").rglob("*")]) < 60


def test_the_machines_tools_get_no_layer_and_keep_their_python(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)
    env = run(environments, lambda: environments.for_image("debian:12"))
    assert environments.pod_layer(env, home / "layer") is env
    assert not (home / "layer").exists()
    assert env.bin_dirs == ()
    assert env.env["PIP_REQUIRE_VIRTUALENV"] == "true"
    with pytest.raises(EnvironmentBuildError, match="no Python of its own"):
        run(environments, lambda: environments.with_installs(env, (PipInstall(("sloop",)),)))


def test_an_image_whose_sh_knows_more_than_debians_gets_such_a_one(
    home: Path, environ: dict[str, str]
) -> None:
    environments = Environments(home, environ=environ)
    for _ in range(2):  # the second time the folder is there
        env = run(environments, lambda: Environments(home, environ=environ).for_image("busybox:stable"))
        assert said(env, home, "[[ abc == a* ]] && echo known") == "known"
    plain = run(environments, lambda: environments.for_image("debian:12"))
    assert plain.bin_dirs == ()


def test_the_remedy_for_an_unknown_image_works_at_once(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)

    async def work() -> Environment:
        with pytest.raises(UnknownImageError) as caught:
            await environments.for_image("registry.example/team/train:v7")
        assert str(home / "images.toml") in caught.value.message
        (home / "images.toml").write_text(
            f'[[image]]\nmatch = "registry.example/team/train"\npython = "3.{sys.version_info.minor}"\n'
            'requirements = ["sloop<2"]\n'
        )
        return await environments.for_image("registry.example/team/train:v7")

    assert said(run(environments, work), home, "sloop-version").startswith("1.0 ")


def test_a_python_that_is_not_there_is_replaced_with_a_note(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)

    async def work() -> tuple[Environment, tuple[str, ...]]:
        env = await environments.for_image("python:3.99")
        return env, (await environments.explain("python:3.99")).notes

    env, explained = run(environments, work)
    [note] = environments.notes("python:3.99")
    assert "Python 3.99 is not installed here" in note
    assert explained == (note,)
    assert said(env, home, "python3 -c 'print(1)'") == "1"


def test_explain_builds_nothing(home: Path, environ: dict[str, str]) -> None:
    environments = Environments(home, environ=environ)
    found = run(environments, lambda: environments.explain(IMAGE))
    assert not found.is_built
    assert found.prefix is not None
    assert not found.prefix.exists()
    run(environments, lambda: environments.for_image(IMAGE))
    assert run(environments, lambda: environments.explain(IMAGE)).is_built


def test_offline_says_so(home: Path, environ: dict[str, str], wheels: Path) -> None:
    indexed = {**environ, "PIP_CONFIG_FILE": os.devnull}
    environments = Environments(home, EnvironmentSettings(offline=True), indexed)
    with pytest.raises(EnvironmentBuildError, match="network is switched off"):
        run(environments, lambda: with_sloop(environments, PipInstall(("yawl",))))


def test_a_home_that_cannot_be_written_is_named(home: Path, environ: dict[str, str]) -> None:
    (home / "envs").write_text("a file where the folder should be")
    environments = Environments(home, environ=environ)
    with pytest.raises(EnvironmentBuildError, match=str(home)):
        run(environments, lambda: environments.for_image(IMAGE))


def test_kfps_executor_is_worth_preloading(home: Path, environ: dict[str, str], wheels: Path) -> None:
    """A stand-in for kfp with its executor at the place where the real one has it."""
    name = "kfp-2.17.0"
    with zipfile.ZipFile(wheels / f"{name}-py3-none-any.whl", "w") as archive:
        for module in ("kfp/__init__.py", "kfp/dsl/__init__.py", "kfp/dsl/executor_main.py"):
            archive.writestr(module, "")
        archive.writestr(f"{name}.dist-info/METADATA", "Metadata-Version: 2.1\nName: kfp\nVersion: 2.17.0\n")
        wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{name}.dist-info/WHEEL", wheel)
        archive.writestr(f"{name}.dist-info/RECORD", "")
    environments = Environments(home, environ=environ)

    async def work() -> tuple[Environment, Environment]:
        kfp = PipInstall(("kfp==2.17.0",), no_deps=True)
        return await with_sloop(environments), await with_sloop(environments, kfp)

    without, with_kfp = run(environments, work)
    assert environments.warm_modules(without) == ()
    assert environments.warm_modules(with_kfp)[0] == "kfp.dsl.executor_main"
