"""What this machine can and cannot do for pods: the probes behind `sampan doctor`.

Called by the command line, through the composition root. Every probe answers within a second and never raises; one
that finds something missing says what to do about it. Nothing is changed on the machine.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_PATIENCE_SECONDS = 0.9
_GIB = 1024**3
_LOW_DISK_BYTES = 5 * _GIB
_LOW_MEMORY_BYTES = 1 * _GIB
_ENOUGH_FILES = 4096
_OLDEST_MINOR = 8


@dataclass(frozen=True, slots=True)
class Probe:
    """One line of the doctor's report."""

    name: str
    ok: bool | None
    """None: not there, and nothing that works now needs it."""
    detail: str
    remedy: str = ""
    """Empty when there is nothing to do."""


def probe_machine(home: Path, *, index_url: str = "") -> list[Probe]:
    """All probes, in the order of the report, side by side. `index_url` empty: the network is left alone."""
    probes: list[tuple[str, Callable[[], Probe]]] = [
        ("mount namespaces", _mount_namespaces),
        ("pod addresses", _pod_addresses),
        ("cgroups", _cgroups),
        ("podman", _podman),
        ("docker", _docker),
        ("GPUs", _gpus),
        ("disk", lambda: _disk(home)),
        ("memory", _memory),
        ("uv", _uv),
        ("Python versions", lambda: _pythons(os.environ)),
        ("open files", _open_files),
    ]
    if index_url:
        probes.append(("package index", lambda: _index(index_url)))
    with ThreadPoolExecutor(max_workers=len(probes), thread_name_prefix="doctor") as pool:
        return list(pool.map(lambda probe: _guarded(*probe), probes))


def _guarded(name: str, probe: Callable[[], Probe]) -> Probe:
    try:
        return probe()
    except Exception as error:
        # A doctor that falls ill helps nobody: what is wrong here is one more finding.
        return Probe(name, None, f"cannot be told: {error or type(error).__name__}")


# Run in a child. unshare(2)'s CLONE_NEWNS and CLONE_NEWUSER; mount(2)'s MS_REC | MS_PRIVATE, then MS_BIND | MS_REC.
# A namespace that can be made but not mounted in, as under some container runtimes, is of no use.
_TRY_MOUNT = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
uid, gid = os.getuid(), os.getgid()
flags = 0x00020000 | (0 if uid == 0 else 0x10000000)
def check(result):
    if result != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
check(libc.unshare(flags))
if uid != 0:
    with open("/proc/self/setgroups", "w") as file: file.write("deny")
    with open("/proc/self/uid_map", "w") as file: file.write("%d %d 1" % (uid, uid))
    with open("/proc/self/gid_map", "w") as file: file.write("%d %d 1" % (gid, gid))
check(libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None))
check(libc.mount(b"/", b"/mnt", None, 0x1000 | 0x4000, None))
"""


def _mount_namespaces() -> Probe:
    name = "mount namespaces"
    if sys.platform != "linux":
        return Probe(
            name, False, "only Linux has them",
            "Volumes are then visible only where mountPath equals the folder itself; "
            "use a Linux virtual machine for the rest.",
        )  # fmt: skip
    result = _run([sys.executable, "-I", "-S", "-c", _TRY_MOUNT])
    kind = "as root" if os.getuid() == 0 else "with user namespaces"
    if result.returncode == 0:
        return Probe(name, True, f"{kind}: volumes appear at their mountPath, and each pod has its own /tmp")
    why = result.stderr.strip().splitlines()[-1:] or [f"status {result.returncode}"]
    return Probe(name, False, f"{kind}: {why[0]}", _mount_remedy())


# Run in a child, as the launcher is: in the first lines its own way to start.
_TRY_ADDRESSES = """
import importlib, sys, types
package = types.ModuleType("_sampan_launcher")
package.__path__ = [sys.argv[1]]
sys.modules["_sampan_launcher"] = package
sys.exit(0 if importlib.import_module("_sampan_launcher.supervision").possible() else 1)
"""


def _pod_addresses() -> Probe:
    name = "pod addresses"
    launcher = Path(__file__).parent / "runtimes" / "launcher"
    result = _run([sys.executable, "-I", "-S", "-c", _TRY_ADDRESSES, str(launcher)])
    if result.returncode == 0:
        return Probe(name, True, "each pod has its own address: several may listen on one port")
    remedy = "Needs Linux 5.6 or later. In a container, start it with --security-opt seccomp=unconfined."
    if _text("/proc/sys/kernel/yama/ptrace_scope") in ("2", "3"):
        remedy = "Let a parent look after its children: sudo sysctl -w kernel.yama.ptrace_scope=1"
    return Probe(
        name, False, "seccomp's user notification is refused: all pods share the machine's ports", remedy
    )


def _mount_remedy() -> str:
    if os.getuid() == 0:
        return "In a container, start it with --cap-add SYS_ADMIN and --security-opt seccomp=unconfined."
    for path, wanted, command in (
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "0",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("/proc/sys/kernel/unprivileged_userns_clone", "1", "kernel.unprivileged_userns_clone=1"),
    ):
        held = _text(path)
        if held and held != wanted:
            return f"Allow user namespaces: sudo sysctl -w {command}"
    if _text("/proc/sys/user/max_user_namespaces") == "0":
        return "Allow user namespaces: sudo sysctl -w user.max_user_namespaces=15000"
    return "Run as root, or allow user namespaces for this user."


def _cgroups() -> Probe:
    name = "cgroups"
    without = "Memory limits are then kept by watching the processes, CPU limits not at all."
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        own = next(
            (line[3:] for line in _text("/proc/self/cgroup").splitlines() if line.startswith("0::")), "/"
        )
        folder = Path(f"/sys/fs/cgroup{own}")
        if os.access(folder, os.W_OK) and os.access(folder / "cgroup.subtree_control", os.W_OK):
            return Probe(name, True, f"version 2, writable at {folder}")
        remedy = f"{without} Start Sampan with: systemd-run --user --scope -p Delegate=yes sampan up"
        return Probe(name, False, f"version 2, not writable at {folder}", remedy)
    folders = [Path("/sys/fs/cgroup") / controller for controller in ("memory", "cpu")]
    if all(folder.is_dir() for folder in folders):
        if all(os.access(folder, os.W_OK) for folder in folders):
            return Probe(name, True, "version 1, memory and cpu writable")
        return Probe(name, False, "version 1, not writable", f"{without} Run as root for hard limits.")
    return Probe(name, None, "none mounted", without)


def _podman() -> Probe:
    """Never a finding where it is missing: pods are processes until a setting or a pod says otherwise."""
    name, path = "podman", shutil.which("podman")
    if path is None:
        detail = "not installed; pods run as processes, and images with files of their own are refused"
        return Probe(name, None, detail)
    result = _run(
        [
            path,
            "info",
            "--format",
            "{{.Version.Version}} {{.Host.OCIRuntime.Name}} {{.Host.Security.Rootless}}",
        ]
    )
    fields = result.stdout.split()
    if "timed out" in result.stderr:
        return Probe(name, None, f"{path} does not answer within a second")
    if result.returncode != 0 or len(fields) != 3:
        return Probe(name, False, f"{path} fails", "Run podman info and follow what it says.")
    version, oci, rootless = fields
    who = "rootless" if rootless == "true" else "as root"
    detail = f"{version} with {oci}, {who}; for pods that ask for it, or node.runtime = podman or auto"
    return Probe(name, True, detail)


def _docker() -> Probe:
    path = shutil.which("docker")
    if path is None:
        return Probe("docker", None, "not installed; not used, podman is")
    return Probe("docker", None, f"{path}; not used, podman is")


def _gpus() -> Probe:
    name = "GPUs"
    folder = Path("/proc/driver/nvidia/gpus")
    models = [
        match[1].strip()
        for gpu in (sorted(folder.iterdir()) if folder.is_dir() else [])
        if (match := re.search(r"^Model:\s*(.+)$", _text(str(gpu / "information")), re.MULTILINE))
    ]
    if not models and shutil.which("nvidia-smi"):
        result = _run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
        if result.returncode != 0:
            return Probe(
                name, False, "nvidia-smi fails", "Check the driver: run nvidia-smi and follow what it says."
            )
        models = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    if not models:
        return Probe(name, None, "none found")
    return Probe(name, True, ", ".join(f"{models.count(model)} x {model}" for model in dict.fromkeys(models)))


def _disk(home: Path) -> Probe:
    existing = next(path for path in (home, *home.absolute().parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Probe(
            "disk", False, f"{existing} is not writable", "Make it writable, or choose another --home."
        )
    free = shutil.disk_usage(existing).free
    remedy = (
        "" if free >= _LOW_DISK_BYTES else "Free some space: environments with PyTorch take 2 to 8 GiB each."
    )
    return Probe("disk", free >= _LOW_DISK_BYTES, f"{free / _GIB:.1f} GiB free at {existing}", remedy)


def _memory() -> Probe:
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _text("/proc/meminfo"), re.MULTILINE))
    if "MemAvailable" not in fields:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Probe("memory", True, f"{total / _GIB:.1f} GiB in all")
    free, total = int(fields["MemAvailable"]) * 1024, int(fields["MemTotal"]) * 1024
    remedy = (
        ""
        if free >= _LOW_MEMORY_BYTES
        else "Close what is not needed: steps may be killed for lack of memory."
    )
    return Probe("memory", not remedy, f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free", remedy)


def _uv() -> Probe:
    path = Path(sys.executable).with_name("uv")
    found = str(path) if path.exists() else shutil.which("uv")
    if found is None:
        return Probe("uv", False, "not found", "Install Sampan again: pip install --force-reinstall uv")
    result = _run([found, "--version"])
    ok = result.returncode == 0
    remedy = "" if ok else "Install it again: pip install --force-reinstall uv"
    return Probe("uv", ok, result.stdout.strip() or result.stderr.strip(), remedy)


def _pythons(environ: Mapping[str, str]) -> Probe:
    """By name only: asking each interpreter would take seconds."""
    folders = [Path(folder) for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    # pyenv's shims are there for every version, whether it may be used or not.
    names = {
        path.name for folder in folders if "shims" not in folder.parts for path in _glob(folder, "python3.*")
    }
    root = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    names |= {path.name for path in _glob(root, "versions/3.*/bin/python3.*")}
    managed = Path(environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python")
    names |= {path.name for path in _glob(managed, "*/bin/python3.*")}
    names.add(f"python3.{sys.version_info.minor}")
    minors = sorted({int(match[1]) for name in names if (match := re.fullmatch(r"python3\.(\d+)", name))})
    minors = [minor for minor in minors if minor >= _OLDEST_MINOR]
    versions = ", ".join(f"3.{minor}" for minor in minors)
    return Probe("Python versions", True, f"{versions}; an image with another one gets the nearest")


def _open_files() -> Probe:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = "no limit" if soft == resource.RLIM_INFINITY else str(soft)
    if soft == resource.RLIM_INFINITY or soft >= _ENOUGH_FILES:
        return Probe("open files", True, limit)
    reach = hard == resource.RLIM_INFINITY or hard >= _ENOUGH_FILES
    remedy = (
        f"Raise it before `sampan up`: ulimit -n {_ENOUGH_FILES}" if reach else "Raise it in limits.conf."
    )
    return Probe("open files", False, f"{limit}: enough for some tens of pods at once", remedy)


def _index(url: str) -> Probe:
    name = "package index"
    parts = urlsplit(url)
    if not parts.hostname:
        return Probe(name, Path(parts.path).exists(), url)
    if any(os.environ.get(variable) for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return Probe(name, None, f"{parts.hostname} is reached through a proxy, which is not asked")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=_PATIENCE_SECONDS).close()
    except OSError as error:
        remedy = "Environments are built from the cache and local wheels alone: set `offline = true` to fail faster."
        return Probe(name, False, f"{parts.hostname} does not answer: {error.strerror or error}", remedy)
    return Probe(name, True, f"{parts.hostname} answers")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _glob(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except OSError:
        return []
