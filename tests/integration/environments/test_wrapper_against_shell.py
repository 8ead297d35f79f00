"""The recogniser against the real shell: both must say that the same installs and the same program are run.

`sh` runs each wrapper with a `python3` that only writes its arguments down; the recogniser reads the same wrapper.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sampan.cluster.node.environments import SOURCE_PATH, PythonProgram, recognise
from sampan.cluster.node.environments.install import parse_pip_install

GUARD = (
    '\nif ! [ -x "$(command -v pip)" ]; then\n'
    "    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\nfi\n\n"
    "PIP_DISABLE_PIP_VERSION_CHECK=1 "
)
PIP = "python3 -m pip install --quiet --no-warn-script-location "
END = ' && "$0" "$@"\n'
PROGRAM = (
    'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path "
    '                        "$program_path/ephemeral_component.py"                         "$@"\n'
)
# One JSON line a call: the arguments, the variables that wrappers set, and the source where there is one.
RECORDER = """#!/bin/sh
exec {python} - "$@" >> {log} <<'END'
import json, os, sys
words = sys.argv[1:]
path = words[words.index("--component_module_path") + 1] if "--component_module_path" in words else None
names = ("_KFP_RUNTIME", "PIP_DISABLE_PIP_VERSION_CHECK")
print(json.dumps({{
    "argv": words,
    "env": {{name: os.environ[name] for name in names if name in os.environ}},
    "path": path,
    "source": open(path, newline="").read() if path else None,
}}))
END
"""


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python3", "pip"):
        script = RECORDER.format(python=sys.executable, log=tmp_path / "log")
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return folder


SOURCES = [
    "import kfp\n\ndef f():\n    pass\n",
    "# $HOME `id` \\n 'quotes' \"double\" %s %d \\\\\n\tü → 船\n",
    "",
    "no newline at the end",
    "\n\n\nends in many\n\n\n",
]
REST = [
    ["--executor_input", '{"inputs": {"a": "it\'s $HOME `x` \\\\ \\"q\\""}}', "--function_to_execute", "f"],
    ["--executor_input", "", "--function_to_execute", "f"],
    [],
]
BODIES = [
    PIP + "'kfp==2.17.0' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<\"3.9\"'",
    PIP
    + "'pandas==2.*' \"it>=1\" six"
    + "  &&  "
    + PIP
    + "--index-url https://a.example/simple 'kfp==2.9.0'",
    PIP + "'numpy' '--pre' '-U' --trusted-host h.example:8080 'a[b,c]!=1.0'",
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("rest", REST)
def test_the_program(bin_dir: Path, source: str, rest: list[str]) -> None:
    agree(bin_dir, ["sh", "-ec", PROGRAM, source, *rest])


@pytest.mark.parametrize("body", BODIES)
def test_the_installs(bin_dir: Path, body: str) -> None:
    agree(bin_dir, ["sh", "-c", GUARD + body + END, "sh", "-ec", PROGRAM, SOURCES[1], *REST[0]])


def test_a_component_in_its_own_image(bin_dir: Path) -> None:
    command = ["python3", "-m", "kfp.dsl.executor_main", *REST[0]]
    agree(bin_dir, command)
    agree(bin_dir, ["sh", "-c", GUARD + BODIES[0] + END, *command])


def agree(bin_dir: Path, argv: list[str]) -> None:
    found = recognise(argv)
    assert found is not None
    log = bin_dir.parent / "log"
    log.unlink(missing_ok=True)
    environ = {"PATH": f"{bin_dir}:/usr/bin:/bin", "TMPDIR": str(bin_dir.parent)}
    subprocess.run(argv, env=environ, check=True)
    *installs, last = map(json.loads, log.read_text().splitlines())
    assert tuple(parse_pip_install(call["argv"][3:]) for call in installs) == found.installs
    assert [call["argv"][:3] for call in installs] == [["-m", "pip", "install"]] * len(installs)
    assert last["argv"] == ["-m", found.module, *expected_words(found, last["path"])]
    assert last["env"] == found.setenv
    assert last["source"] == found.source
    if found.source is not None:
        assert Path(last["path"]).name == found.source_name
        assert Path(last["path"]).parent.parent == bin_dir.parent


def expected_words(found: PythonProgram, path: str) -> list[str]:
    return [path if word == SOURCE_PATH else word for word in found.argv]
