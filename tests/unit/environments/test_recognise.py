"""The KFP wrapper is recognised exactly, and nothing else is.

The scripts here are built from this file's own pieces in the shape that each SDK writes. SAMPAN_KFP_SAMPLES
may name a folder of compiled pipelines, such as test_data/sdk_compiled_pipelines/valid of kubeflow/pipelines:
then these are checked as well.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.cluster.node.environments import SOURCE_PATH, PipInstall, recognise, recognise_packaged

GUARD = (
    '\nif ! [ -x "$(command -v pip)" ]; then\n'
    "    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\nfi\n\n"
    "PIP_DISABLE_PIP_VERSION_CHECK=1 "
)
VENV = (
    "\nexport PIP_DISABLE_PIP_VERSION_CHECK=1\ntmp=$(mktemp -d)\n"
    'python3 -m venv "$tmp/venv" --system-site-packages\n. "$tmp/venv/bin/activate"\n'
)
PIP = "python3 -m pip install --quiet --no-warn-script-location "
KFP = PIP + "'kfp==2.17.0' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<\"3.9\"'"
KFP_INSTALL = PipInstall(("kfp==2.17.0", 'typing-extensions>=3.7.4,<5; python_version<"3.9"'), no_deps=True)
END = ' && "$0" "$@"\n'
PROGRAM = (
    'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path "
    '                        "$program_path/ephemeral_component.py"                         "$@"\n'
)
OLD_PROGRAM = (
    'program_path=$(mktemp -d)\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "python3 -m kfp.components.executor_main                         --component_module_path "
    '                        "$program_path/ephemeral_component.py"                         "$@"\n'
)
SOURCE = "import kfp\n\ndef f(text: str = 'it''s $HOME `id`'):\n    print(text)\n"
ARGS = ["--executor_input", '{"inputs": {"x": "a b \'c\'"}}', "--function_to_execute", "f"]


def wrapped(script: str, program: str = PROGRAM) -> list[str]:
    return ["sh", "-c", script, "sh", "-ec", program, SOURCE, *ARGS]


def test_kfp_alone() -> None:
    found = recognise(wrapped(GUARD + KFP + END))
    assert found is not None
    assert found.installs == (KFP_INSTALL,)
    assert found.setenv == {"_KFP_RUNTIME": "true"}
    assert (found.source, found.source_name) == (SOURCE, "ephemeral_component.py")
    assert found.module == "kfp.dsl.executor_main"
    assert found.argv == ("--component_module_path", SOURCE_PATH, *ARGS)
    assert not found.venv


def test_packages_before_kfp_as_since_2_14() -> None:
    found = recognise(wrapped(GUARD + PIP + "'pandas==2.2.0' 'numpy<2'" + "  &&  " + KFP + END))
    assert found is not None
    assert found.installs == (PipInstall(("pandas==2.2.0", "numpy<2")), KFP_INSTALL)


def test_packages_after_kfp_as_until_2_12() -> None:
    found = recognise(wrapped(GUARD + KFP + "  &&  " + PIP + "'minio'" + END))
    assert found is not None
    assert found.installs == (KFP_INSTALL, PipInstall(("minio",)))


def test_the_sdk_of_2_0() -> None:
    script = (
        GUARD + "python3 -m pip install --quiet     --no-warn-script-location 'pandas' 'kfp==2.0.0'" + END
    )
    found = recognise(wrapped(script, OLD_PROGRAM))
    assert found is not None
    assert found.installs == (PipInstall(("pandas", "kfp==2.0.0")),)
    assert (found.module, found.setenv) == ("kfp.components.executor_main", {})


def test_index_urls() -> None:
    options = (
        "--index-url https://a.example/simple --extra-index-url https://b.example/simple "
        "--trusted-host https://a.example/simple --trusted-host b.example "
    )
    found = recognise(wrapped(GUARD + PIP + options + "'yapf'" + END))
    assert found is not None
    assert found.installs == (
        PipInstall(
            ("yapf",),
            index_url="https://a.example/simple",
            extra_index_urls=("https://b.example/simple",),
            trusted_hosts=("https://a.example/simple", "b.example"),
        ),
    )


@pytest.mark.parametrize(
    ("script", "installs"),
    [
        (GUARD + VENV + " " + KFP + END, (KFP_INSTALL,)),
        (GUARD + VENV + " " + KFP + "  &&  " + PIP + "'six'" + END, (KFP_INSTALL, PipInstall(("six",)))),
        (GUARD + PIP + "'six'" + "  &&  " + VENV + " " + KFP + END, (PipInstall(("six",)), KFP_INSTALL)),
    ],
)
def test_use_venv(script: str, installs: tuple[PipInstall, ...]) -> None:
    found = recognise(wrapped(script))
    assert found is not None
    assert found.venv
    assert found.installs == installs
    assert found.setenv == {"_KFP_RUNTIME": "true", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def test_without_install_prefix() -> None:
    found = recognise(["sh", "-ec", PROGRAM, SOURCE, *ARGS])
    assert found is not None
    assert (found.installs, found.source) == ((), SOURCE)


def test_a_component_in_its_own_image() -> None:
    command = ["python3", "-m", "kfp.dsl.executor_main", *ARGS]
    found = recognise(command)
    assert found is not None
    assert (found.source, found.module, found.argv, found.setenv) == (None, command[2], tuple(ARGS), {})
    prefixed = recognise(["sh", "-c", GUARD + PIP + "'six'" + END, *command])
    assert prefixed is not None
    assert prefixed.installs == (PipInstall(("six",)),)


GOOD = GUARD + KFP + END


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["sh"],
        ["sh", "-c", "echo hello"],
        ["bash", *wrapped(GOOD)[1:]],
        ["/bin/sh", *wrapped(GOOD)[1:]],
        ["python", "-m", "kfp.dsl.executor_main", *ARGS],
        ["python3", "-m", "kfp.dsl.executor_main_evil", *ARGS],
        ["sh", "-ec", PROGRAM],
        ["sh", "-ec", PROGRAM + "rm -rf /\n", SOURCE, *ARGS],
        ["sh", "-ec", "set -x\n" + PROGRAM, SOURCE, *ARGS],
        ["sh", "-ec", PROGRAM, SOURCE, "--executor_input", SOURCE_PATH],
        ["sh", "-c", GOOD, *wrapped(GOOD)],
        wrapped(GOOD.replace("&&", "||")),
        wrapped(GOOD + "\n"),
        wrapped(GOOD[1:]),
        wrapped(GUARD + "apt-get install -y git && " + KFP + END),
        wrapped(GUARD + KFP + " ; " + KFP + END),
        wrapped(GUARD + PIP + "'six' | cat" + END),
        wrapped(GUARD + PIP + '"$PACKAGE"' + END),
        wrapped(GUARD + PIP + '"`id`"' + END),
        wrapped(GUARD + PIP + "$(id)" + END),
        wrapped(GUARD + PIP + "'six'\\''x'" + END),
        wrapped(GUARD + PIP + "si'x'" + END),
        wrapped(GUARD + PIP + "six > /tmp/out" + END),
        wrapped(GUARD + PIP + "six*" + END),
        wrapped(GUARD + PIP + "'six'\n" + END),
        wrapped(GUARD + PIP + "-r requirements.txt" + END),
        wrapped(GUARD + PIP + "'-e' '.'" + END),
        wrapped(GUARD + PIP + "'./dist/my.whl'" + END),
        wrapped(GUARD + PIP + "'my-1.0-py3-none-any.whl'" + END),
        wrapped(GUARD + PIP + "'/abs/path'" + END),
        wrapped(GUARD + PIP + "'git+https://github.com/x/y@main'" + END),
        wrapped(GUARD + PIP + "'x @ https://example/x.whl'" + END),
        wrapped(GUARD + PIP + "--target /x 'six'" + END),
        wrapped(GUARD + PIP + "--user 'six'" + END),
        wrapped(GUARD + PIP + "--index-url $INDEX 'six'" + END),
        wrapped(GUARD + PIP + "--index-url 'six'" + END),
        wrapped(GUARD + PIP + "--extra-index-url" + END),
        wrapped(GUARD + PIP + END),
        wrapped(GUARD + VENV + END),
        wrapped(GUARD + VENV + VENV + KFP + END),
        wrapped(GUARD + PIP + "'six' && " + END),
    ],
)
def test_anything_else_runs_as_it_stands(argv: list[str]) -> None:
    assert recognise(argv) is None


def test_every_single_character_of_the_scripts_counts() -> None:
    for position in range(len(GOOD)):
        changed = GOOD[:position] + "\x00" + GOOD[position + 1 :]
        assert recognise(wrapped(changed)) is None, position
    for position in range(len(PROGRAM) - 1):
        changed = PROGRAM[:position] + "\x00" + PROGRAM[position + 1 :]
        assert recognise(wrapped(GOOD, changed)) is None, position


def test_variables_that_steer_pip_or_python() -> None:
    assert recognise(wrapped(GOOD), {"PIP_INDEX_URL": "https://a.example"}) is None
    assert recognise(wrapped(GOOD), {"PATH": "/opt/bin"}) is None
    assert recognise(wrapped(GOOD), {"PIP_NO_CACHE_DIR": "1", "COLOR": "red"}) is not None
    bare = ["sh", "-ec", PROGRAM, SOURCE, *ARGS]
    assert recognise(bare, {"PIP_INDEX_URL": "https://a.example"}) is not None


@pytest.mark.skipif("SAMPAN_KFP_SAMPLES" not in os.environ, reason="SAMPAN_KFP_SAMPLES names no folder")
def test_samples_of_the_sdk() -> None:
    seen = 0
    for file in sorted(Path(os.environ["SAMPAN_KFP_SAMPLES"]).rglob("*.yaml")):
        for container in containers(file):
            argv = [*container.get("command", []), *container.get("args", [])]
            found = recognise(argv)
            is_wrapper = "--function_to_execute" in argv
            seen += is_wrapper
            assert (found is not None) == is_wrapper, (file, argv[:3])
            if found is not None and found.source is not None:
                assert found.source in argv
    assert seen > 300


def containers(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for document in yaml.load_all(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(document, dict):
            executors = (document.get("deploymentSpec") or {}).get("executors") or {}
            found += [executor["container"] for executor in executors.values() if "container" in executor]
    return found


def test_a_program_of_a_package_is_recognised_by_its_module() -> None:
    words = ["python3", "-m", "sampan_serving.modelserver", "--model_name", "iris"]
    found = recognise_packaged(words, {"OMP_NUM_THREADS": "2", "STORAGE_URI": "x"})
    assert found is not None
    assert (found.module, found.argv) == ("sampan_serving.modelserver", ("--model_name", "iris"))
    # What a library reads while it is loaded chooses the interpreter.
    assert found.setenv == {"OMP_NUM_THREADS": "2"}


def test_a_secret_chooses_no_interpreter() -> None:
    """Another pod is forked from it too."""
    found = recognise_packaged(
        ["python3", "-m", "sampan_serving.initializer", "hf://a/b", "/m"],
        {"HF_TOKEN": "hidden", "HF_HUB_TOKEN": "hidden", "TF_API_KEY": "hidden", "HF_HOME": "/x"},
    )
    assert found is not None
    assert found.setenv == {"HF_HOME": "/x"}


@pytest.mark.parametrize(
    "words",
    [
        ["python3", "-m", "sampan_servings.modelserver"],
        ["python3", "-m", "sklearnserver"],
        ["python3", "-c", "sampan_serving.modelserver"],
        ["/usr/bin/python3", "-m", "sampan_serving.modelserver"],
        ["python3", "-m"],
    ],
)
def test_other_programs_are_none_of_a_package(words: list[str]) -> None:
    assert recognise_packaged(words, {}) is None
