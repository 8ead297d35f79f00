"""A script as the command of a container, and back. Pure.

Upstream's SDK sends functions in the same way, within the command (kubeflow/sdk 0.5
kubeflow/trainer/constants/constants.py EXEC_FUNC_SCRIPT). Here the text is quoted: a shell changes nothing in it.
"""

from __future__ import annotations

import re
import shlex

from sampan.components.training.ui.new_job.wanted import LAUNCHERS, MPIRUN, SCRIPT, Program

_MARK = "END_OF_SCRIPT"
_INSTALL = "python -m pip install --quiet --disable-pip-version-check"
_MPI = ("mpirun", "--hostfile", "/etc/mpi/hostfile")
_WHOLE = re.compile(
    r"set -e\n"
    rf"(?:{re.escape(_INSTALL)} (?P<packages>[^\n]*)\n)?"
    r"script=\"\$\(mktemp -d\)\"/(?P<file>[^\n]+)\n"
    r"cat > \"\$script\" <<'(?P<mark>END_OF_SCRIPT_*)'\n"
    r"(?P<script>.*)\n(?P=mark)\n"
    r"exec (?P<launcher>\w+) \"\$script\"(?P<arguments>[^\n]*)",
    re.DOTALL,
)
_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def command(program: Program, *, hostfile: bool = True) -> list[str]:
    """`hostfile` says that mpirun is told where its hosts are listed, as Trainer's runtimes need it."""
    if program.source != SCRIPT:
        return shlex.split(program.command)
    is_mpi = program.launcher == MPIRUN
    shell = ["sh", "-c", _text(program, "python" if is_mpi else program.launcher)]
    if not is_mpi:
        return shell
    return [*_MPI, *shell] if hostfile else [_MPI[0], *shell]


def _text(program: Program, launcher: str) -> str:
    mark = _MARK
    while mark in program.script.splitlines():
        mark += "_"
    arguments = shlex.join(shlex.split(program.arguments))
    lines = ["set -e"]
    if program.packages:
        lines.append(f"{_INSTALL} {shlex.join(program.packages)}")
    lines += [
        f'script="$(mktemp -d)"/{file_name(program.file_name)}',
        f"cat > \"$script\" <<'{mark}'",
        program.script.rstrip("\n"),
        mark,
        f'exec {launcher} "$script"' + (f" {arguments}" if arguments else ""),
    ]
    return "\n".join(lines)


def read(words: list[str]) -> Program | None:
    """The program whose command this is; None where it was not made here."""
    if len(words) < 3 or words[-3:-1] != ["sh", "-c"]:
        return None
    before = tuple(words[:-3])
    found = _WHOLE.fullmatch(words[-1])
    if found is None or before not in ((), _MPI, _MPI[:1]) or found["launcher"] not in LAUNCHERS:
        return None
    return Program(
        script=found["script"],
        file_name=found["file"],
        arguments=found["arguments"].strip(),
        packages=tuple(shlex.split(found["packages"] or "")),
        launcher=MPIRUN if before else found["launcher"],
    )


def file_name(text: str) -> str:
    """One that needs no quotes in a shell."""
    found = _FILE_NAME.sub("_", text.rpartition("/")[2]).lstrip("-.")
    return found if found.endswith(".py") and len(found) > len(".py") else "train.py"


def problem(text: str) -> str:
    """What is wrong with what is typed as words of a shell; nothing where it is right."""
    try:
        shlex.split(text)
    except ValueError as error:
        return f"A shell could not read this: {str(error).lower()}"
    return ""
