"""`ssh` and `sshd` as pods have them: streams, exit codes, ends; with the key of a job, and without it.

Each side is a process of the program that pods run, with a home of its own that holds the key.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sampan.cluster.node.environments.programs import program_folder
from sampan.cluster.node.environments.stand_ins.secure_shell import client, keys, wire
from sampan.testing.connections import free_port


def make_home(folder: Path) -> Path:
    """One with a key pair that it trusts itself."""
    ssh = folder / ".ssh"
    ssh.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (ssh / "id_rsa").write_bytes(private)
    for name in ("id_rsa.pub", "authorized_keys"):
        (ssh / name).write_bytes(public + b"\n")
    return folder


@dataclass
class Host:
    programs: Path
    home: Path
    port: int
    address: str
    process: subprocess.Popen[bytes]

    def command(self, command: str, *options: str) -> list[str]:
        return [str(self.programs / "ssh"), "-p", str(self.port), *options, self.address, command]

    def environ(self, home: Path | None = None) -> dict[str, str]:
        return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(home or self.home)}

    def run(
        self, command: str, *options: str, stdin: bytes = b"", home: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(command, *options),
            input=stdin,
            capture_output=True,
            check=False,
            env=self.environ(home),
            timeout=60,
        )

    def connect(self) -> socket.socket:
        sock = socket.create_connection((self.address, self.port), 10)
        sock.settimeout(10)
        return sock


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("ssh")
    programs, home, port = (
        program_folder(folder / "programs", "openssh"),
        make_home(folder / "home"),
        free_port(),
    )
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "SECRET": "x",
    }
    process = subprocess.Popen(
        [programs / "sshd", "-De", "-f", "/home/mpiuser/.sshd_config", "-p", str(port)],
        env=environ,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError:
        address = ""
    found = Host(programs, home, port, address if address.startswith("127.") else "127.0.0.1", process)
    yield found
    process.terminate()
    process.wait(10)


def test_a_command_has_its_streams_and_its_exit_code(host: Host) -> None:
    done = host.run("cat; echo to errors >&2; exit 7", stdin=b"through")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"through", b"to errors\n")


@pytest.mark.parametrize(
    ("command", "code", "output"),
    [
        ("true", 0, b""),
        ("kill -9 $$", 255, b""),
        ("nobody-has-this 2>/dev/null", 127, b""),
        ("printf '%s|' \"a  b\" 'c$HOME'", 0, b"a  b|c$HOME|"),
        ("pwd", 0, None),
        ("echo ${SECRET-none}", 0, b"none\n"),
    ],
)
def test_the_users_shell_reads_the_command_line(
    host: Host, command: str, code: int, output: bytes | None
) -> None:
    done = host.run(command, "-n")
    assert done.returncode == code, done.stderr
    assert done.stdout == (f"{host.home}\n".encode() if output is None else output)


@pytest.mark.parametrize(
    "options",
    [
        ("-x", "-T", "-q"),
        ("-o", "StrictHostKeyChecking=no", "-oConnectionAttempts=10"),
        ("-l", "mpiuser", "-v"),
        ("-xqn",),
    ],
)
def test_options_of_openssh_are_understood(host: Host, options: tuple[str, ...]) -> None:
    assert host.run("echo here", *options).stdout == b"here\n"


def test_much_goes_both_ways_at_once(host: Host) -> None:
    data = os.urandom(1 << 16) * 64
    done = host.run("cat", stdin=data)
    assert done.returncode == 0
    assert done.stdout == data


def test_a_command_need_not_read_what_it_is_sent(host: Host) -> None:
    done = host.run("head -c 3; exit 5", stdin=b"x" * 8_000_000)
    assert (done.returncode, done.stdout) == (5, b"xxx")


def test_many_come_at_once(host: Host) -> None:
    started = [
        subprocess.Popen(host.command(f"echo {number}", "-n"), stdout=subprocess.PIPE, env=host.environ())
        for number in range(16)
    ]
    assert [each.communicate(timeout=60)[0] for each in started] == [b"%d\n" % number for number in range(16)]


def test_a_client_that_is_killed_ends_its_command_with_all_its_children(host: Host, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    # One that ignores being asked, one in a process group of its own, and their parent.
    command = (
        f"sh -c 'trap \"\" TERM; echo $$ >> {pids}; sleep 600' & set -m; sleep 601 & echo $! >> {pids}; wait"
    )
    client = subprocess.Popen(host.command(command, "-n"), env=host.environ())
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    client.kill()
    client.wait()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids.read_text().split()))


def test_without_the_key_nobody_gets_in(host: Host, tmp_path: Path) -> None:
    other, empty = make_home(tmp_path / "other"), tmp_path / "empty"
    empty.mkdir()
    for home in (other, empty):
        done = host.run("echo in", home=home)
        assert (done.returncode, done.stdout) == (255, b"")
        assert b"Permission denied (publickey)" in done.stderr
    # One whose key is not on the list is no better than none.
    shutil.copy(other / ".ssh" / "authorized_keys", empty / "authorized_keys")
    unlisted = tmp_path / "unlisted"
    shutil.copytree(host.home / ".ssh", unlisted / ".ssh")
    (unlisted / ".ssh" / "authorized_keys").write_bytes((other / ".ssh" / "id_rsa.pub").read_bytes())
    assert host.run("echo in", home=unlisted).returncode == 255


def test_sshd_does_not_start_without_a_key(host: Host, tmp_path: Path) -> None:
    done = subprocess.run(
        [host.programs / "sshd", "-D", "-p", str(free_port())],
        env=host.environ(tmp_path),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert b"no hostkeys available" in done.stderr


def test_a_name_that_came_while_a_slow_server_was_asked_is_found(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look-up takes longer than there is patience."""
    now, connect, asked = [0.0], socket.create_connection, []

    def slowly(address: tuple[str, int], timeout: float | None = None) -> socket.socket:
        asked.append(address)
        if len(asked) == 1:
            now[0] += 60
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return connect(address, timeout)

    monkeypatch.setattr(client.socket, "create_connection", slowly)
    monkeypatch.setattr(client.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(client.time, "sleep", lambda seconds: None)
    client._connected(host.address, [("p", str(host.port))]).close()
    assert len(asked) == 2


def test_what_a_client_said_serves_no_second_time(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(host.home))
    (secret, *_) = keys.secrets([str(host.home / ".ssh" / "id_rsa")])

    class Recorded(socket.socket):
        said = b""

        def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
            self.said += data
            super().sendall(data, flags)

    with host.connect() as plain, Recorded(fileno=os.dup(plain.fileno())) as sock:
        channel = wire.greet_server(sock, secret)
        sock.sendall(channel.frame(wire.EXEC, b"echo once"))
        said = sock.said
        assert b"echo once" in said
    with host.connect() as again:
        again.sendall(said)
        heard = all_of(again)
    # Its greeting, and nothing after it.
    assert heard.startswith(b"sampan-secure-shell")
    assert len(heard) < 100


def test_a_server_that_does_not_hold_the_key_is_told_no_command(host: Host) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = subprocess.Popen(
            [host.programs / "ssh", "-p", str(listener.getsockname()[1]), "127.0.0.1", "echo secret words"],
            env=host.environ(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(10)
            sock.sendall(b"sampan-secure-shell 1\n" + bytes(32))
            heard = sock.recv(4096)
            sock.sendall(bytes(32))
            while data := sock.recv(4096):
                heard += data
    assert b"secret words" not in heard
    assert b"Host key verification failed" in client.communicate(timeout=60)[1]
    assert client.returncode == 255


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n" * 4,
        b"GET / HTTP/1.1\r\n\r\n" * 8,
        b"\0" * 100_000,
        b"sampan-secure-shell 1\n",
    ],
)
def test_nonsense_is_turned_away_and_the_next_is_served(host: Host, said: bytes) -> None:
    with host.connect() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
        all_of(sock)
    assert host.run("echo still here").stdout == b"still here\n"


def test_a_changed_or_endless_frame_ends_the_connection(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(host.home))
    (secret, *_) = keys.secrets([str(host.home / ".ssh" / "id_rsa")])
    marker = host.home / "was-run"
    for change in ("bit", "size", "left out"):
        with host.connect() as sock:
            channel = wire.greet_server(sock, secret)
            if change == "left out":
                channel.frame(wire.STDIN_END)
            frame = bytearray(channel.frame(wire.EXEC, f"touch {marker}".encode()))
            if change == "bit":
                frame[10] ^= 1
            elif change == "size":
                frame[1:5] = b"\x7f\xff\xff\xff"
            sock.settimeout(30)
            sock.sendall(frame)
            assert all_of(sock) == b""
    assert not marker.exists()


def test_those_who_say_nothing_do_not_keep_others_out_for_ever(host: Host) -> None:
    silent = [host.connect() for _ in range(80)]
    for each in silent:
        each.close()
    wait_until(lambda: host.run("echo in").returncode == 0)


def all_of(sock: socket.socket) -> bytes:
    """What still comes before the other side closes, be it in the middle of what it is sent."""
    heard = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(4096):
            heard += data
    return heard


def wait_until(done: object, seconds: float = 30) -> None:
    assert callable(done)
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)


def test_the_end_of_sshd_is_asked_for_by_a_signal(tmp_path: Path, host: Host) -> None:
    port = free_port()
    process = subprocess.Popen([host.programs / "sshd", "-D", "-p", str(port)], env=host.environ())
    wait_until(lambda: _listens(host.address, port))
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM


def _listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0
