"""What tests on every floor may ask for."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, for however long they take; `scripts/test-slow` looks for others.
settings.register_profile(
    "same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("others" if os.environ.get("SAMPAN_TEST_OTHER_EXAMPLES") else "same")

# Every server that a test starts would compile all of its code again: more than half of what a start costs.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests' own process puts into the machine's temporary folder (archives that are unpacked, secrets) ends
    with them. The name is short, for sockets have addresses of 107 bytes."""
    tmp_path_factory.getbasetemp()  # pytest's own folders stay where they are, and are kept for a look at what failed
    with tempfile.TemporaryDirectory(prefix="tests-", ignore_cleanup_errors=True) as folder:
        # PostgreSQL's server, which runs as another user, has its folder there.
        Path(folder).chmod(0o755)
        before, tempfile.tempdir = tempfile.tempdir, folder
        yield
        tempfile.tempdir = before


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Makes an empty database on a PostgreSQL server of our own at each call; its address."""
    if sys.version_info >= (3, 13):
        pytest.skip("the packaged PostgreSQL server has no wheel for this Python")
    with pytest.MonkeyPatch.context() as patch:
        # Read when it is imported.
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        import pgserver
    import psycopg

    # Not below pytest's own folder, which only root may enter: PostgreSQL runs as another user then.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    folder.chmod(0o755)
    server = pgserver.get_server(folder, cleanup_mode="delete")
    numbers = itertools.count(1)

    def make() -> str:
        name = f"test{next(numbers)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.get_uri(name)

    try:
        yield make
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def leftovers() -> Iterator[None]:
    """What a test leaves open fails that test, every time, and not the one at which the collector of garbage comes by.
    What was there before is not looked at, so this costs next to nothing."""
    gc.freeze()
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def root_log() -> Iterator[None]:
    """What a program's `main` sets on the root logger ends with its test, as does the stream that it writes to."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """Empty, which means SQLite; with SAMPAN_TEST_DATABASE=postgresql an empty database there."""
    if os.environ.get("SAMPAN_TEST_DATABASE") != "postgresql":
        return ""
    url: str = request.getfixturevalue("postgresql")()
    return url


PODMAN_IMAGE = "localhost/sampan-test:1"
_APPLETS = (
    *(
        "sh",
        "cat",
        "echo",
        "sleep",
        "id",
        "ls",
        "env",
        "nc",
        "hostname",
        "touch",
        "tail",
        "wget",
        "httpd",
        "pwd",
    ),
    *("stty", "tty", "printf", "true"),
)


def _libraries(program: str) -> list[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", listed)


@pytest.fixture(scope="session")
def podman_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of busybox, as a registry would have it."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("the image is made of busybox, which is not installed")
    root = tmp_path_factory.mktemp("image")
    (root / "bin").mkdir()
    (root / "tmp").mkdir(mode=0o1777)
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nfred:x:1234:1234::/:/bin/sh\n")
    shutil.copy(busybox, root / "bin/busybox")
    for library in _libraries(busybox):
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library[1:])
    for applet in _APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    (root / "only-in-the-image").write_text("here\n")
    archive = root.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(root, ".", filter=_as_root)
    changes = [
        'ENTRYPOINT ["/bin/echo", "entry"]',
        'CMD ["of", "the", "image"]',
        "ENV FROM_IMAGE=yes",
        "WORKDIR /etc",
    ]
    options = [option for change in changes for option in ("--change", change)]
    made = subprocess.run(
        ["podman", "import", *options, str(archive), PODMAN_IMAGE],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"podman imports no image here: {made.stderr.strip()}")
    yield PODMAN_IMAGE
    subprocess.run(["podman", "rmi", "--force", PODMAN_IMAGE], capture_output=True, check=False)


def _as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    return member
