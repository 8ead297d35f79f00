"""Small programs that stand for what an image holds beside a shell or its packages. Called by the facade.

Written for the purpose, to behave as those of the images do: `argosay` speaks, reads, sleeps and fails on demand, in
the tests and examples of Argo Workflows; `cowsay` draws; `http-echo` answers every request with one text; `openssh` is
`ssh` and `sshd` for jobs of MPI, `kubectl-delivery` what brings kubectl to their launchers, `mpi-pi` their example,
`openmpi` and `hydra` are fronts of their `mpirun`. The larger ones are files of `stand_ins`. `serving` is a package for
images that serve models: `python3 -m sampan_serving.modelserver` and others (decision 0063); `model-servers` are the
programs that it stands for: Triton's, MLServer's, TorchServe's, TensorFlow Serving's and OpenVINO's (decision 0065);
`vllm` is vLLM's (decision 0078);
`seldon` is `seldon-core-microservice`, for users' classes (decision 0074).

Source of argosay's subcommands: argo-workflows 3.7 test/e2e/images/argosay/v2.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sampan.lib.files import staged

_ARGOSAY = r"""#!/bin/sh
case "${1:-}" in
  assert_contains)
    grep -qF -- "$3" "$2" || { echo "\"$2\" does not contain \"$3\"" >&2; exit 1; } ;;
  cat) shift; exec cat -- "$@" ;;
  echo)
    if [ $# -gt 2 ]; then mkdir -p "$(dirname "$3")" && printf %s "$2" > "$3"; else printf '%s\n' "${2:-}"; fi ;;
  exit) exit "${2:-0}" ;;
  sleep) exec sleep "${2%s}" ;;
  '') echo "hello argo!" ;;
  *) echo "usage: argosay [assert_contains FILE TEXT | cat FILE... | echo TEXT [FILE] | exit CODE | sleep TIME]" >&2
     exit 1 ;;
esac
"""
_COWSAY = r"""#!/bin/sh
text="${*:-$(cat)}"
line=$(printf '%s' "$text" | tr '\n' ' ')
bar=$(printf '%s' "--$line" | sed 's/./-/g')
printf ' %s\n< %s >\n %s\n' "$bar" "$line" "$bar"
cat <<'COW'
    \
     \   ^__^
      \  (oo)\_______
         (__)\       )
             ||----||
COW
"""
_HELLO = """#!/bin/sh
echo "Hello from Sampan! The image hello-world says where it runs: as a process of this machine."
"""
_HTTP_ECHO = r"""#!/usr/bin/env python3
import http.server, sys

options = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:] if "=" in word)
host, _, port = options.get("listen", ":5678").rpartition(":")
text = options.get("text", "").strip('"').encode() + b"\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(options.get("status-code", "200")))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


http.server.ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"""
# Where the machine has a kubectl, the launcher is given a way to it; elsewhere what knows `exec` only. A launcher does
# not try a second time, so it begins when its workers can be reached.
_KUBECTL_DELIVERY = r"""#!/bin/sh
set -e
target="${TARGET_DIR:-/opt/kube}/kubectl"
if found=$(command -v kubectl); then
  printf '#!/bin/sh\nexec %s "$@"\n' "$found" > "$target"
else
  cp "$(dirname "$0")/kubectl-exec" "$target"
fi
chmod 755 "$target"
[ ! -f /etc/mpi/hostfile ] || while read -r host _; do
  [ -n "$host" ] && [ "$host" != "$HOSTNAME" ] || continue
  waited=0
  until why=$("$target" exec "$host" -- true 2>&1 < /dev/null); do
    [ $((waited % 30)) -ne 0 ] || echo "waiting for $host: $why"
    waited=$((waited + 1))
    sleep 1
  done
done < /etc/mpi/hostfile
"""
_REAL_ONE = r"""
own=$(dirname "$0") name=$(basename "$0") folders=$PATH:
while [ -n "$folders" ]; do
  folder=${folders%%:*} folders=${folders#*:}
  if [ "$folder" != "$own" ] && [ -x "$folder/$name" ]; then
    # For programs that look for MPI by its name when they run.
    export LD_LIBRARY_PATH="${folder%/bin}/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    exec "$folder/$name" "$@"
  fi
done
echo "$name: not found" >&2
exit 127
"""
# A list of hosts in which this pod, if it is one of them, has its bare name: no interface has its address, by which MPI
# would see that ranks here need no ssh.
_OWN_HOST = r"""
own_host() {
  if [ -f "$1" ] && grep -q "^$HOSTNAME\." "$1" && copy=$(mktemp); then
    sed "s/^$HOSTNAME\.[^ :]*/$HOSTNAME/" "$1" > "$copy"
    echo "$copy"
  else
    echo "$1"
  fi
}
"""
# Open MPI 5 understands what operators set for Open MPI 4, but reads some of it before it translates it. And
# its long options have two dashes, where one was enough.
# Source: openpmix/prrte 3.0.14 src/mca/schizo/ompi/schizo_ompi.c (translate_params), src/runtime/prte_mca_params.c;
# open-mpi 4.1 orterun(1).
_OPEN_MPI = r"""
for pair in $(env | sed -n 's/^OMPI_MCA_orte_\([A-Za-z0-9_]*\)=.*/orte_\1:prte_\1/p
                           s/^OMPI_MCA_plm_rsh_\([A-Za-z0-9_]*\)=.*/plm_rsh_\1:plm_ssh_\1/p'); do
  eval "value=\$OMPI_MCA_${pair%:*} set=\${PRTE_MCA_${pair#*:}+yes}"
  [ "$set" = yes ] || export "PRTE_MCA_${pair#*:}=$value"
done
[ -z "${PRTE_MCA_prte_default_hostfile:-}" ] ||
  export PRTE_MCA_prte_default_hostfile="$(own_host "$PRTE_MCA_prte_default_hostfile")"
left=$# values=0 options=yes name=
while [ $left -gt 0 ]; do
  word=$1
  shift
  if [ $values -gt 0 ]; then
    values=$((values - 1))
    case "$name" in hostfile|machinefile) word=$(own_host "$word") ;; esac
  elif [ $options = yes ]; then
    case "$word" in
      --*|-[a-zA-Z]) name=${word#-} name=${name#-} ;;
      -[a-zA-Z]*) name=${word#-} word=--$name ;;
      *) options=no name= ;;
    esac
    case "$name" in
      mca|gmca|prtemca|pmixmca) values=2 ;;
      n|np|c|N|x|H|host|hostfile|machinefile|bind-to|map-by|rank-by|npernode|npersocket|prefix|path|wd|wdir) values=1 ;;
      output-filename|output|display|timeout|tune|am|app|cpus-per-proc|cpus-per-rank|cpu-list|rankfile) values=1 ;;
    esac
  fi
  set -- "$@" "$word"
  left=$((left - 1))
done
"""
# What MPICH and Intel's start on workers calls the launcher back by its name, which workers are told when it is ready.
# Source: kubeflow/mpi-operator 0.8 build/base/entrypoint.sh, which waits for the same.
_HYDRA = r"""
for name in HYDRA_HOST_FILE I_MPI_HYDRA_HOST_FILE; do
  eval "value=\${$name:-}"
  [ -z "$value" ] || export "$name=$(own_host "$value")"
done
left=50
while [ "${K_MPI_JOB_ROLE:-}" = launcher ] && [ $left -gt 0 ]; do
  grep -q "[[:space:]]$HOSTNAME\.[^[:space:]]*\.svc[[:space:]]" /etc/hosts && break
  left=$((left - 1))
  sleep 0.1
done
"""
OPENSSH = "openssh"
IMAGE_VARIABLES = "SAMPAN_IMAGE_VARIABLES"
"""Which variables are the image's: commands that come by ssh get them, and none that the container was given."""
_STAND_INS = Path(__file__).with_name("stand_ins")
# By its place: what runs in pods is data here, and loaded by none of ours.
_SERVING = Path(__file__).parents[3] / "components" / "serving" / "engine" / "programs"
_LIB = Path(__file__).parents[3] / "lib"


@dataclass(frozen=True, slots=True)
class Package:
    """Modules that Python programs of an image find, under a name of their own."""

    name: str
    source: Path
    called: str
    """Its name where it is kept; in the copy, `name` stands in each place of it."""
    beside: Mapping[str, Path] = field(default_factory=dict)
    """Modules and packages of other places that come along, by their names there: in the copy they are its own."""


@dataclass(frozen=True, slots=True)
class Program:
    """Its files, by the name under which PATH finds each: the text, or the file or package of `stand_ins`."""

    files: Mapping[str, str | Path]
    places: Mapping[str, str] = field(default_factory=dict)
    """Paths at which the image has them."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that what it stands for, or stands before, needs here."""
    package: Package | None = None
    """A program that is started as a module of it may be forked from a warm interpreter."""


# In a pod everybody is whoever runs Sampan, be it root. All pods share the cores: no rank is bound to one, or spins on
# it. Of ports only those that the kernel chooses tell one pod from another, and pods have no IPv6.
_OPEN_MPI_VARIABLES = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl_tcp_port_min_v4": "0",
    "OMPI_MCA_btl_tcp_disable_family": "6",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}


def _fronts(what: str, *names: str) -> dict[str, str | Path]:
    return dict.fromkeys(names, f"#!/bin/sh{_OWN_HOST}{what}{_REAL_ONE}")


# For scripts that call one; the catalogue's `commands` spare a container that is one the shell.
_MODEL_SERVERS = ("tritonserver", "mlserver", "torchserve", "tensorflow_model_server", "ovms")
# A user's own image starts it so; the image of a builder has it as its `run`, which variables tell what to serve.
_MICROSERVICE = '#!/bin/sh\nexec python3 -m sampan_serving.seldon_microservice "$@"\n'
_AS_MODEL_SERVER = '#!/bin/sh\nexec python3 -m sampan_serving.modelserver.stand_in "${0##*/}" "$@"\n'

PROGRAMS: Mapping[str, Program] = {
    "http-echo": Program({"http-echo": _HTTP_ECHO}, {"/http-echo": "http-echo"}),
    "argosay": Program({"argosay": _ARGOSAY}, {"/argosay": "argosay"}),
    "cowsay": Program({"cowsay": _COWSAY}, {"/cowsay": "cowsay"}),
    "hello": Program({"hello": _HELLO}, {"/hello": "hello"}),
    OPENSSH: Program(
        {"ssh": _STAND_INS / "secure_shell", "sshd": _STAND_INS / "secure_shell"},
        {"/usr/bin/ssh": "ssh", "/usr/sbin/sshd": "sshd"},
    ),
    "kubectl-delivery": Program(
        {"kubectl-delivery": _KUBECTL_DELIVERY, "kubectl-exec": _STAND_INS / "kubectl_exec.py"},
    ),
    "openmpi": Program(
        _fronts(_OPEN_MPI, "mpirun", "mpiexec"),
        env=_OPEN_MPI_VARIABLES,
    ),
    "hydra": Program(
        _fronts(_HYDRA, "mpirun", "mpiexec", "mpiexec.hydra"),
        env={"I_MPI_PIN": "0"},
    ),
    "mpi-pi": Program({"pi": _STAND_INS / "mpi_pi.py"}, {"/home/mpiuser/pi": "pi"}),
    "serving": Program(
        {},
        package=Package(
            "sampan_serving",
            _SERVING,
            "sampan.components.serving.engine.programs",
            beside={"sampan.lib.gjson": _LIB / "gjson", "sampan.lib.extent": _LIB / "extent.py"},
        ),
    ),
    "seldon": Program(
        {"seldon-core-microservice": _MICROSERVICE}, {"/s2i/bin/run": "seldon-core-microservice"}
    ),
    "vllm": Program({"vllm": _AS_MODEL_SERVER}),
    "model-servers": Program(dict.fromkeys(_MODEL_SERVERS, _AS_MODEL_SERVER)),
}


def is_packaged(module: str) -> bool:
    """Whether it is a module of a program's package."""
    packages = (program.package for program in PROGRAMS.values())
    return any(package is not None and module.startswith(f"{package.name}.") for package in packages)


def program_folder(root: Path, name: str) -> Path:
    """The folder for the front of PATH that holds the program, written if it is not as it should be. OSError."""
    folder = root / name
    for file, source in PROGRAMS[name].files.items():
        _write(folder / file, _content(source))
    return folder


def package_folder(root: Path, name: str) -> Path | None:
    """The folder for PYTHONPATH that holds the program's package, where it has one. OSError.

    Named by what is in it, so that what runs keeps its own while a newer Sampan starts others.
    """
    package = PROGRAMS[name].package
    if package is None:
        return None
    texts = _copied(package)
    digest = hashlib.sha256()
    for path, text in texts.items():
        digest.update(f"{path}\0{len(text)}\0".encode())
        digest.update(text)
    folder = root / name / digest.hexdigest()[:16]
    if not folder.is_dir():
        _write_whole(folder, {Path(package.name) / path: text for path, text in texts.items()})
    return folder


def _copied(package: Package) -> dict[Path, bytes]:
    """What is in the copy, by its place there."""
    found = dict(_files(package.source, Path()))
    names = {package.called: package.name}
    for called, source in package.beside.items():
        own = called.rpartition(".")[2]
        names[called] = f"{package.name}.{own}"
        found |= _files(source, Path(own if source.is_dir() else source.name))
    for called, name in names.items():
        found = {path: text.replace(called.encode(), name.encode()) for path, text in found.items()}
    return found


def _files(source: Path, place: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(source.rglob("*")) if source.is_dir() else (source,):
        if path.is_file() and "__pycache__" not in path.parts:
            yield place / path.relative_to(source), path.read_bytes()


def program_places(root: Path, name: str) -> dict[str, str]:
    """Where what the image has at a path is on this machine."""
    return {path: str(root / name / file) for path, file in PROGRAMS[name].places.items()}


def _content(source: str | Path) -> bytes:
    if isinstance(source, str):
        return source.encode()
    return _zipped(source) if source.is_dir() else source.read_bytes()


def _zipped(package: Path) -> bytes:
    """A package as a program of one file, which Python runs as it is. The same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        texts = {f"{package.name}/{each.name}": each.read_bytes() for each in sorted(package.glob("*.py"))}
        texts["__main__.py"] = f"import sys\nfrom {package.name} import main\nsys.exit(main())\n".encode()
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return b"#!/usr/bin/env -S python3 -IS\n" + packed.getvalue()


def _write_whole(folder: Path, texts: Mapping[Path, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    new.chmod(0o755)
    for path, text in texts.items():
        (new / path).parent.mkdir(parents=True, exist_ok=True)
        (new / path).write_bytes(text)
    try:
        new.rename(folder)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        # Another server on this machine may have been first.
        if not folder.is_dir():
            raise


def _write(file: Path, wanted: bytes) -> None:
    if file.is_file() and file.read_bytes() == wanted:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # In its place when it is whole: a container may start it meanwhile, and pods that start together write it together.
    with staged(file) as fresh:
        fresh.write_bytes(wanted)
        fresh.chmod(0o755)
