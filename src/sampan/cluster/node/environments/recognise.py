"""The KFP SDK's shell wrapper around a lightweight component, recognised and turned into data. Pure.

Called by the node agent's fast path. The wrapper is text that the SDK compiles into a component's command: an
optional `sh -c` that pip-installs, then a `sh -ec` that writes the component's source to a file and runs the
executor on it, or the executor alone for a component that lives in its image. The match is exact and
structural: whatever differs by a character from what an SDK writes is None, and runs as the shell script it
is.

Source: kfp/dsl/component_factory.py (kfp/components/component_factory.py before 2.1) of the SDKs 2.0.0 to
2.17.0: `_install_python_packages_script_template`, `_use_venv_script_template`, `make_pip_install_command`,
`_get_command_and_args_for_lightweight_component`, `CONTAINERIZED_PYTHON_COMPONENT_COMMAND`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sampan.cluster.node.environments.install import PipInstall, parse_pip_install
from sampan.cluster.node.environments.programs import is_packaged

SOURCE_PATH = "{source_path}"
"""Stands in `PythonProgram.argv`, as a whole word, for the path of the source file."""

SOURCE_NAME = "ephemeral_component.py"


@dataclass(frozen=True, slots=True)
class PythonProgram:
    """`python3 -m module argv`, in an environment to which `installs` were added one after the other.

    When `source` is given, it is written to `source_name` in a fresh folder (made as `mktemp -d` does, so
    below TMPDIR), and the one word of `argv` that is SOURCE_PATH becomes that file's path.
    """

    installs: tuple[PipInstall, ...]
    setenv: Mapping[str, str]
    """Set for the program, over the container's own variables."""
    source: str | None
    source_name: str
    module: str
    argv: tuple[str, ...]
    venv: bool = field(default=False)
    """The wrapper puts a virtual environment over the image's Python (`use_venv`) and activates it:
    VIRTUAL_ENV, VIRTUAL_ENV_PROMPT and PS1 are then set, and PATH begins with its bin folder."""


_GUARD = (
    '\nif ! [ -x "$(command -v pip)" ]; then\n'
    "    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\n"
    "fi\n\nPIP_DISABLE_PIP_VERSION_CHECK=1 "
)
_HANDOVER = ' && "$0" "$@"\n'
_VENV = (
    "\nexport PIP_DISABLE_PIP_VERSION_CHECK=1\n"
    "tmp=$(mktemp -d)\n"
    'python3 -m venv "$tmp/venv" --system-site-packages\n'
    '. "$tmp/venv/bin/activate"\n'
)
_MODULES = ("kfp.dsl.executor_main", "kfp.components.executor_main")
_PROGRAM = re.compile(
    r"program_path=\$\(mktemp -d\)\n+"
    r'printf "%s" "\$0" > "\$program_path/ephemeral_component\.py"\n'
    r"(?P<runtime>_KFP_RUNTIME=true )?python3 -m (?P<module>kfp\.(?:dsl|components)\.executor_main) +"
    r'--component_module_path +"\$program_path/ephemeral_component\.py" +"\$@"\n?\Z'
)
# A shell word whose text the shell leaves alone: quoted without expansion, or of harmless characters.
_WORD = re.compile(
    r"""(?:'(?P<single>[^'\\\n]*)'|"(?P<double>[^"$`\\!\n]*)"|(?P<bare>[A-Za-z0-9_./:=+,@%-]+|&&))(?=\s|\Z)"""
)
_PIP_INSTALL = ["python3", "-m", "pip", "install"]
# pip reads any option from PIP_<OPTION>; these change nothing about what is installed.
_HARMLESS_VARIABLES = frozenset(
    {
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "PIP_NO_CACHE_DIR",
        "PIP_CACHE_DIR",
        "PIP_ROOT_USER_ACTION",
        "PIP_NO_INPUT",
    }
)

# How many threads numerical libraries have, mostly.
_READ_BY_LIBRARIES = (
    *(
        "OMP_",
        "KMP_",
        "MKL_",
        "OPENBLAS_",
        "GOTO_",
        "BLIS_",
        "NUMEXPR_",
        "GRPC_",
        "TF_",
        "ORT_",
        "JAX_",
        "XLA_",
    ),
    *("TORCH_", "HF_", "HUGGINGFACE_", "TRANSFORMERS_"),
)


_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|CREDENTIAL|_KEY\b")


def recognise(argv: Sequence[str], env: Mapping[str, str] | None = None) -> PythonProgram | None:
    """`argv` is the container's command and args, placeholders replaced; `env` what the pod's author set.

    None when `argv` is anything but a wrapper, or when `env` would steer pip or the choice of `python3`.
    """
    program = _parse(list(argv))
    if program is None or not env:
        return program
    steers = any(name.startswith("PIP_") and name not in _HARMLESS_VARIABLES for name in env)
    return None if "PATH" in env or (program.installs and steers) else program


def recognise_packaged(argv: Sequence[str], values: Mapping[str, str]) -> PythonProgram | None:
    """A program of a package of ours (`environments.programs`), started as `python3 -m MODULE`.

    `values` is all that the container has: what libraries read while they are loaded goes into the choice of the
    interpreter.
    """
    if len(argv) < 3 or argv[0] not in ("python", "python3") or argv[1] != "-m" or not is_packaged(argv[2]):
        return None
    early = {
        name: value
        for name, value in values.items()
        # A secret is no other pod's to see, in whose interpreter's variables it would be.
        if name.startswith(_READ_BY_LIBRARIES) and not _SECRET.search(name)
    }
    return PythonProgram((), early, None, "", argv[2], tuple(argv[3:]))


def _parse(argv: list[str]) -> PythonProgram | None:
    if len(argv) < 3:
        return None
    if argv[0] == "python3" and argv[1] == "-m" and argv[2] in _MODULES:
        return PythonProgram((), {}, None, SOURCE_NAME, argv[2], tuple(argv[3:]))
    if argv[0] != "sh":
        return None
    if argv[1] == "-c":
        return _with_installs(argv[2], argv[3:])
    return _lightweight(argv) if argv[1] == "-ec" else None


def _lightweight(argv: list[str]) -> PythonProgram | None:
    match = _PROGRAM.match(argv[2])
    if match is None or len(argv) < 4 or SOURCE_PATH in argv[4:]:
        return None
    setenv = {"_KFP_RUNTIME": "true"} if match["runtime"] else {}
    words = ("--component_module_path", SOURCE_PATH, *argv[4:])
    return PythonProgram((), setenv, argv[3], SOURCE_NAME, match["module"], words)


def _with_installs(script: str, inner: list[str]) -> PythonProgram | None:
    if not (script.startswith(_GUARD) and script.endswith(_HANDOVER)):
        return None
    program = _parse(inner)
    # Only one install prefix is ever written.
    if program is None or program.installs:
        return None
    body = script[len(_GUARD) : -len(_HANDOVER)]
    before, venv, after = body.partition(_VENV)
    if not venv:
        installs = _installs(body)
        return replace(program, installs=installs) if installs else None
    return _with_venv(program, before, after)


def _with_venv(program: PythonProgram, before: str, after: str) -> PythonProgram | None:
    first: tuple[PipInstall, ...] | None = ()
    if before:
        if not before.rstrip(" ").endswith(" &&"):
            return None
        first = _installs(before.rstrip(" ").removesuffix(" &&"))
    second = _installs(after)
    if first is None or not second or (before and not first):
        return None
    setenv = {**program.setenv, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return replace(program, installs=first + second, setenv=setenv, venv=True)


def _installs(text: str) -> tuple[PipInstall, ...] | None:
    """`python3 -m pip install …`, one or several joined by `&&`."""
    words = _words(text)
    if words is None:
        return None
    commands: list[list[str]] = [[]]
    for word, is_quoted in words:
        if word == "&&" and not is_quoted:
            commands.append([])
        else:
            commands[-1].append(word)
    installs = []
    for command in commands:
        install = parse_pip_install(command[4:]) if command[:4] == _PIP_INSTALL else None
        if install is None:
            return None
        installs.append(install)
    return tuple(installs)


def _words(text: str) -> list[tuple[str, bool]] | None:
    """Words with whether they were quoted; None when the shell would do anything but split."""
    words: list[tuple[str, bool]] = []
    position = 0
    while position < len(text):
        if text[position] == " ":
            position += 1
            continue
        match = _WORD.match(text, position)
        if match is None:
            return None
        bare = match["bare"]
        words.append((bare, False) if bare is not None else (match["single"] or match["double"] or "", True))
        position = match.end()
    return words
