"""What images become: the built-in catalogue, and the user's own file in front of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from sampan.cluster.node.environments import CatalogueError, ImagePlan, UnknownImageError
from sampan.cluster.node.environments.catalogue import (
    BUILT_IN,
    Catalogue,
    load_catalogue,
    parse_catalogue,
)
from sampan.cluster.node.environments.programs import package_folder, program_folder, program_places

NOWHERE = Path("/nonexistent/images.toml")


def plan(image: str) -> ImagePlan:
    return load_catalogue(NOWHERE).plan(image)


@pytest.mark.parametrize(
    ("image", "python"),
    [
        ("python:3.11", "3.11"),
        ("python:3.9-slim-bookworm", "3.9"),
        ("python:3.14.0rc2-alpine", "3.14"),
        ("python:3.7", "3.7"),
        ("docker.io/library/python:3.12@sha256:" + "b" * 64, "3.12"),
        ("public.ecr.aws/docker/library/python:3.12", "3.12"),
        ("mirror.example:5000/python:3.10", "3.10"),
        ("artifactory.example/remote/library/python:3.10", "3.10"),
        ("python", ""),
        ("python:latest", ""),
        ("python:3", ""),
        ("python:slim", ""),
        ("python:alpine3.9", ""),
        ("registry.access.redhat.com/ubi9/python-311:latest", "3.11"),
        ("registry.redhat.io/ubi8/python-39", "3.9"),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", "3.12"),
        ("ghcr.io/astral-sh/uv:0.5.1-python3.13-alpine", "3.13"),
        ("continuumio/miniconda3", ""),
    ],
)
def test_python_images(image: str, python: str) -> None:
    found = plan(image)
    assert not found.system
    assert found.python == python


@pytest.mark.parametrize(
    ("image", "requirement"),
    [
        ("pytorch/pytorch:2.4.0-cuda12.1-cudnn9-runtime", "torch==2.4.0"),
        ("pytorch/pytorch:2.10.1-cuda13.0-cudnn9-devel", "torch==2.10.1"),
        ("pytorch/pytorch:1.13.1-cuda11.6-cudnn8-runtime", "torch==1.13.1"),
        ("pytorch/pytorch", "torch"),
        ("harbor.example/proxy/pytorch/pytorch:2.6.0", "torch==2.6.0"),
        ("nvcr.io/nvidia/pytorch:24.05-py3", "torch"),
        ("tensorflow/tensorflow:2.17.0", "tensorflow==2.17.0"),
        ("tensorflow/tensorflow:2.13.0-gpu-jupyter", "jupyterlab"),
        ("tensorflow/tensorflow:latest", "tensorflow"),
        ("gcr.io/deeplearning-platform-release/tf2-cpu.2-11:latest", "tensorflow==2.11.*"),
        ("us-docker.pkg.dev/vertex-ai/training/pytorch-gpu.2-3.py310", "torch==2.3.*"),
        ("us-docker.pkg.dev/vertex-ai/training/scikit-learn-cpu.1-3", "scikit-learn==1.3.*"),
        ("us-docker.pkg.dev/vertex-ai/prediction/xgboost-cpu.1-7:latest", "xgboost==1.7.*"),
        ("nvcr.io/nvidia/jax:24.04-py3", "jax[cuda12]"),
        ("ghcr.io/kubeflow/trainer/xgboost-runtime:v2.3.0", "xgboost[cuda12]==3.0.2"),
        ("dmlc/xgboost:v3.0.5", "xgboost==3.0.5"),
        ("scikit-learn:1.5.2", "scikit-learn==1.5.2"),
        ("quay.io/jupyter/scipy-notebook:python-3.11", "pandas"),
        ("jupyter/minimal-notebook", "notebook"),
        (
            "gcr.io/ml-pipeline/google-cloud-pipeline-components:2.22.0",
            "google-cloud-pipeline-components==2.22.0",
        ),
    ],
)
def test_framework_images_carry_their_version(image: str, requirement: str) -> None:
    found = plan(image)
    assert requirement in found.requirements
    assert not [text for text in found.requirements if "{" in text]


@pytest.mark.parametrize(
    "image",
    ["alpine", "alpine:3.20", "library/bash", "busybox:1.36", "ubuntu:24.04", "debian:bookworm-slim",
     "ghcr.io/containerd/busybox", "google/cloud-sdk:slim", "registry.k8s.io/e2e-test-images/busybox:1.29-4",
     "public.ecr.aws/docker/library/alpine"],
)  # fmt: skip
def test_system_images_use_the_machines_tools(image: str) -> None:
    found = plan(image)
    assert found.system
    assert (found.python, found.requirements) == ("", ())


@pytest.mark.parametrize("image", ["someone/python", "python:2.7", "gcr.io/my-image", "argostub/createpvc"])
def test_an_unknown_image_says_what_to_write_and_where(image: str) -> None:
    with pytest.raises(UnknownImageError) as caught:
        plan(image)
    message = caught.value.message
    assert str(NOWHERE) in message
    assert "docs/images.md" in message
    # The lines of the message, put into that file, are the remedy.
    lines = message[message.index("[[image]]") : message.index("\n\n(or")]
    assert Catalogue(parse_catalogue(lines, "user"), NOWHERE).plan(image).requirements == ("numpy", "pandas")


@pytest.mark.parametrize(
    ("image", "shell"),
    [("alpine:3.20", "bash"), ("docker.io/library/busybox", "bash"), ("registry.access.redhat.com/ubi9/ubi", "bash"),
     ("debian:12", ""), ("ubuntu", "")],
)  # fmt: skip
def test_which_shell_an_images_sh_is(image: str, shell: str) -> None:
    assert plan(image).shell == shell


def test_every_built_in_entry_is_sound() -> None:
    for entry in load_catalogue(NOWHERE):
        assert entry.source == BUILT_IN
        groups = {
            name
            for regex in (entry.tag, entry.name)
            if regex is not None
            for name in regex.groupindex
        }  # fmt: skip
        for text in (entry.python, *entry.requirements):
            for part in text.split("{")[1:]:
                assert part.partition("}")[0] in groups, entry


def test_the_users_file_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "images.toml"
    file.write_text('[[image]]\nmatch = "python"\npython = "3.13"\nrequirements = ["polars"]\n')
    found = load_catalogue(file).plan("python:3.9")
    assert (found.python, found.requirements, found.source) == ("3.13", ("polars",), str(file))


def test_a_pattern_with_registry_fits_that_registry_only() -> None:
    entries = parse_catalogue('[[image]]\nmatch = "registry.example/team/*"\npython = "3.11"\n', "user")
    catalogue = Catalogue(entries, NOWHERE)
    assert catalogue.plan("registry.example/team/train:v7").python == "3.11"
    with pytest.raises(UnknownImageError):
        catalogue.plan("other.example/team/train:v7")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[image]\n", "not valid TOML"),
        ("[[images]]\n", '"images" is not known'),
        ("[[image]]\npython = '3.11'\n", '"match" is missing'),
        ("[[image]]\nmatch = 'a'\npyhton = '3.11'\n", '"pyhton" is not a key'),
        ("[[image]]\nmatch = 'a'\npython = 3.11\n", '"python" must be str'),
        ("[[image]]\nmatch = 'a'\npython = 'py3'\n", 'python = "py3"'),
        (
            "[[image]]\nmatch = 'a'\nrequirements = ['git+https://x']\n",
            '"git+https://x" is not a requirement',
        ),
        ("[[image]]\nmatch = 'a'\nsystem = true\npython = '3.11'\n", '"system"'),
        ("[[image]]\nmatch = 'a'\nshell = 'bash'\n", '"shell"'),
        ("[[image]]\nmatch = 'a'\ntag = '('\n", "not a regular expression"),
    ],
)
def test_a_wrong_file_is_named_with_the_entry(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "images.toml"
    file.write_text(text)
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(file)
    assert says in caught.value.message
    assert str(file) in caught.value.message


def test_an_image_brings_its_entry_point_and_small_programs() -> None:
    argosay = plan("argoproj/argosay:v2").extras
    assert (argosay.entrypoint, argosay.cmd) == (("argosay",), ("echo", "hello argo!"))
    assert argosay.programs == ("argosay",)
    assert plan("argoproj/argosay:v1").extras.programs == ("cowsay",)
    assert plan("nginx:1.13").extras.needs == ("nginx",)
    pi = plan("mpioperator/mpi-pi:openmpi")
    assert "openmpi" in pi.requirements
    assert pi.extras.programs == ("openssh", "openmpi", "mpi-pi")
    assert "mpich" in plan("mirror.example/mpioperator/mpi-pi:v0.8.0-mpich").requirements


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('needs = ["go"]', '"needs" is for an entry with system = true'),
        (
            'system = true\nprograms = ["gcc"]',
            '"programs" knows no "gcc"; there are argosay, cowsay, hello, http-echo, hydra',
        ),
        ('files = { "app" = "x" }', '"app" is not a path in the image'),
        ('files = { "/app/../etc" = "x" }', "is not a path in the image"),
        ('workdir = "app"', 'workdir = "app" is not a path'),
    ],
)
def test_extras_that_cannot_be_are_refused(table: str, says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        parse_catalogue(f'[[image]]\nmatch = "a"\n{table}', "images.toml")


def test_a_package_becomes_a_program_of_one_file(tmp_path: Path) -> None:
    ssh = program_folder(tmp_path, "openssh") / "ssh"
    done = subprocess.run([ssh, "-V"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("OpenSSH_")
    assert program_places(tmp_path, "openssh") == {
        "/usr/bin/ssh": str(ssh),
        "/usr/sbin/sshd": str(tmp_path / "openssh" / "sshd"),
    }
    # The same bytes each time, or running containers would find it replaced.
    before = ssh.stat().st_mtime_ns
    assert program_folder(tmp_path, "openssh") / "ssh" == ssh
    assert ssh.stat().st_mtime_ns == before


def test_a_package_for_python_programs_stands_under_its_own_name(tmp_path: Path) -> None:
    folder = package_folder(tmp_path, "serving")
    assert folder is not None
    says = "from sampan_serving.modelserver import contract; print(contract.__name__)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, '{folder}'); import sampan_serving\n"
         "try:\n    import sampan\nexcept ImportError:\n    print('alone')"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("alone\n", "")
    done = subprocess.run(
        [sys.executable, "-c", says],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("sampan_serving.modelserver.contract\n", "")
    # Named by its content: the same folder as long as that is the same, and no trace of where it comes from.
    assert package_folder(tmp_path, "serving") == folder
    assert package_folder(tmp_path, "argosay") is None
    texts = [path.read_text() for path in folder.rglob("*.py")]
    assert not any("sampan.components" in text or "sampan.lib" in text for text in texts)
    # What it needs of elsewhere has come along.
    says = "from sampan_serving.router.conditions import holds; print(holds([{'a': 1}], '#(a==1)'))"
    command = [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, '{folder}'); {says}"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == "True\n"


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("kserve/sklearnserver:v0.20.0", ["sampan_serving.modelserver", "--runtime", "sklearn"]),
        ("gcr.io/kfserving/xgbserver:v0.5.1", ["sampan_serving.modelserver", "--runtime", "xgboost"]),
        ("kserve/predictiveserver:latest", ["sampan_serving.modelserver", "--runtime", "choosing"]),
        ("tensorflow/serving:2.6.2", ["sampan_serving.modelserver.stand_in", "tf_serving_entrypoint.sh"]),
    ],
)
def test_images_of_model_servers_have_ours_for_their_program(image: str, words: list[str]) -> None:
    extras = load_catalogue(NOWHERE).plan(image).extras
    assert extras.entrypoint == ("python3", "-m", *words)
    assert "serving" in extras.programs


@pytest.mark.parametrize(
    ("image", "program"),
    [
        ("nvcr.io/nvidia/tritonserver:23.05-py3", "tritonserver"),
        ("docker.io/seldonio/mlserver:1.7.1", "mlserver"),
        ("pytorch/torchserve-kfs:0.9.0", "torchserve"),
        ("tensorflow/serving:2.6.2", "/usr/bin/tensorflow_model_server"),
        ("openvino/model_server:latest", "ovms"),
    ],
)
def test_programs_of_other_model_servers_are_called_by_our_words(image: str, program: str) -> None:
    commands = load_catalogue(NOWHERE).plan(image).extras.commands
    assert commands[program] == (
        "python3",
        "-m",
        "sampan_serving.modelserver.stand_in",
        program.rpartition("/")[2],
    )


def test_what_is_preloaded_is_part_of_an_entry() -> None:
    table = 'programs = ["serving"]\npreload = ["sklearn.pipeline"]\nrequirements = ["scikit-learn"]'
    [entry] = parse_catalogue(f'[[image]]\nmatch = "kserve/x"\n{table}', "images.toml")
    assert (entry.extras.programs, entry.extras.preload) == (("serving",), ("sklearn.pipeline",))


def front_of_mpirun(folder: Path, words: list[str], environ: dict[str, str]) -> str:
    """What the real one is told by the front: two settings, then the words."""
    real = folder / "real"
    real.mkdir()
    says = '"$PRTE_MCA_prte_default_hostfile" "$PRTE_MCA_plm_ssh_agent" "$@"'
    (real / "mpirun").write_text(f'#!/bin/sh\nprintf "%s|" {says}\n')
    (real / "mpirun").chmod(0o755)
    front = program_folder(folder / "programs", "openmpi")
    environ = {"PATH": f"{front}:{real}:/usr/bin:/bin", **environ}
    done = subprocess.run(["mpirun", *words], env=environ, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    ("given", "finds"),
    [
        ({"OMPI_MCA_orte_default_hostfile": "/etc/mpi/host file"}, "/etc/mpi/host file||"),
        ({"OMPI_MCA_orte_default_hostfile": "/a", "PRTE_MCA_prte_default_hostfile": "/b"}, "/b||"),
        ({"OMPI_MCA_plm_rsh_agent": "/etc/mpi/kubexec.sh -v"}, "|/etc/mpi/kubexec.sh -v|"),
        ({}, "||"),
    ],
)
def test_mpirun_is_told_what_was_meant_for_its_predecessor(
    tmp_path: Path, given: dict[str, str], finds: str
) -> None:
    assert front_of_mpirun(tmp_path, ["-n", "2", "a b"], given) == f"{finds}-n|2|a b|"


def test_a_launcher_that_works_finds_itself_in_the_list_of_hosts(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("pi-launcher.pi.ns.svc slots=2\npi-worker-0.pi.ns.svc slots=2\n")
    given = {"HOSTNAME": "pi-launcher", "OMPI_MCA_orte_default_hostfile": str(hosts)}
    told = front_of_mpirun(tmp_path, ["-hostfile", str(hosts), "hostname"], given).split("|")
    for path in (told[0], told[3]):
        assert Path(path).read_text() == "pi-launcher slots=2\npi-worker-0.pi.ns.svc slots=2\n"
        Path(path).unlink()
    assert hosts.read_text().startswith("pi-launcher.pi")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (
            "-np 2 -bind-to none -map-by slot python -m train -np",
            "--np 2 --bind-to none --map-by slot python -m train -np",
        ),
        (
            "--np 2 -x PATH -mca pml ob1 -mca btl ^openib ./a -mca",
            "--np 2 -x PATH --mca pml ob1 --mca btl ^openib ./a -mca",
        ),
        ("-allow-run-as-root -H a:2,b:2 hostname", "--allow-run-as-root -H a:2,b:2 hostname"),
        ("", ""),
    ],
)
def test_long_options_of_mpirun_get_their_second_dash(tmp_path: Path, words: str, meant: str) -> None:
    assert front_of_mpirun(tmp_path, words.split(), {}).split("|")[2:-1] == meant.split()


def test_examples_stand_at_the_paths_of_their_images(tmp_path: Path) -> None:
    extras = plan("docker.io/kubeflow/pytorch-dist-mnist:latest").extras
    assert extras.entrypoint == ("python", "/opt/mnist/src/mnist.py")
    programs = {
        target: source for entry in load_catalogue(NOWHERE) for target, source in entry.extras.files.items()
    }
    assert all(Path(source).is_file() for source in programs.values())
    for entry in load_catalogue(NOWHERE):
        named = [word for word in entry.extras.entrypoint if word.startswith("/") and word.endswith(".py")]
        assert set(named) <= entry.extras.files.keys()


def test_files_of_a_user_are_found_from_his_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/fred")
    file = tmp_path / "images.toml"
    told = '"/a" = "x/train.py"\n"/b" = "~/data"\n"/c" = "/mnt/d"\n'
    file.write_text(f'[[image]]\nmatch = "team/train"\nrequirements = ["numpy"]\n[image.files]\n{told}')
    files = load_catalogue(file).plan("team/train").extras.files
    assert files == {"/a": f"{tmp_path}/x/train.py", "/b": "/home/fred/data", "/c": "/mnt/d"}


def test_argosay_speaks_writes_and_fails(tmp_path: Path) -> None:
    program = program_folder(tmp_path, "argosay") / "argosay"

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    file = tmp_path / "deep" / "file"
    assert run("echo", "hello", str(file)) == (0, "")
    assert file.read_text() == "hello"
    assert run("cat", str(file)) == (0, "hello")
    assert run("echo", "two words") == (0, "two words\n")
    assert run("exit", "3") == (3, "")
    assert run("assert_contains", str(file), "ell")[0] == 0
    assert run("assert_contains", str(file), "bye")[0] == 1
    # Made once, and left alone from then on.
    before = program.stat().st_mtime_ns
    assert program_folder(tmp_path, "argosay") == program.parent
    assert program.stat().st_mtime_ns == before
