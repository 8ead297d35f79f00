"""The program that starts sent code within a pod: unpacks it, installs packages, and becomes the user's program.

`BOOT` travels as text, with the code, and runs by whatever Python (3.8 or later) the image has.
"""

BOOT = '''\
"""Starts code that was sent by `sampan train` or `sampan.sdk.remote`: boot.py PROGRAM ARGUMENTS…"""
import glob, io, os, pathlib, shutil, subprocess, sys, tarfile, tempfile

here = os.path.dirname(os.path.abspath(__file__))
parts = sorted(glob.glob(os.path.join(here, "code.*")))
work = os.environ.get("SAMPAN_WORKDIR") or tempfile.mkdtemp(prefix="sampan-")
if parts:
    data = b"".join(pathlib.Path(part).read_bytes() for part in parts)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        # Written by us, with plain names only: Pythons from 3.12 on ask, and print, what is to be let through.
        tar.extraction_filter = lambda member, path: member
        tar.extractall(work)
os.chdir(work)
os.environ.setdefault("PYTHONUNBUFFERED", "1")
packages = os.environ.get("SAMPAN_PACKAGES", "").split("\\n") if os.environ.get("SAMPAN_PACKAGES") else []
if packages:
    command = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    command += ["--root-user-action=ignore", "--no-warn-script-location", *packages]
    if subprocess.run(command, stdout=sys.stderr).returncode:
        sys.exit("sampan: the packages could not be installed: " + " ".join(packages))
program, *arguments = sys.argv[1:]
if program == "python":
    program = sys.executable
    # Who starts no torchrun is told as torchrun tells: one process on each node.
    told = {"RANK": "PET_NODE_RANK", "WORLD_SIZE": "PET_NNODES", "MASTER_ADDR": "PET_MASTER_ADDR"}
    for name, source in {**told, "MASTER_PORT": "PET_MASTER_PORT"}.items():
        if source in os.environ:
            os.environ.setdefault(name, os.environ[source])
    if "JOB_COMPLETION_INDEX" in os.environ:
        os.environ.setdefault("RANK", os.environ["JOB_COMPLETION_INDEX"])
elif program == "torchrun" and not shutil.which("torchrun"):
    program, arguments = sys.executable, ["-m", "torch.distributed.run", *arguments]
os.execvp(program, [program, *arguments])
'''
