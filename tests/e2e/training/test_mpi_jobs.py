"""How launchers of MPIJobs reach their workers' pods, with no MPI: by ssh and by `kubectl exec`, in real processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.training.mpi_jobs import end, submit

from sampan.testing.server import ServerProcess

IMAGES = '[[image]]\nmatch = "team/ssh"\nsystem = true\nprograms = ["openssh"]\n'

BY_SSH = """
for host in $(cut -d' ' -f1 /etc/mpi/hostfile); do
  ssh -o ConnectionAttempts=10 "$host" 'echo "$(hostname) has ${K_MPI_JOB_ROLE:-no role}, says $(cat)"' < /etc/hostname
done
ssh pi-worker-1.pi 'exit 7'; echo "code $?"
/etc/mpi/discover_hosts.sh
"""
BY_EXEC = """
agent=$OMPI_MCA_plm_rsh_agent
for host in $(cut -d' ' -f1 /etc/mpi/hostfile); do $agent "$host" 'echo $(hostname)' 2> /dev/null; done
# What stands in for kubectl where a machine has none.
exec="STAND_IN exec"
$exec pi-worker-0 -c mpi -- sh -c 'echo out; echo err >&2; exit 5'; echo "code $?"
echo through | $exec -i pi-worker-1 -- cat
$exec pi-launcher -- true; echo "code $?"
$exec nobody -- true; echo "code $?"
head -c 300000 /dev/zero | tr '\\0' x | $exec -i pi-worker-0 -- wc -c
"""


@pytest.mark.timeout(300)
def test_launchers_reach_their_workers(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "images.toml").write_text(IMAGES)
    stand_in = home / "envs" / "programs" / "kubectl-delivery" / "kubectl-exec"
    with ServerProcess(home) as server:
        script = BY_SSH
        submit(server, "v2beta1", "team/ssh", ["sh", "-c", script], mpiImplementation="OpenMPI")
        ended, log = end(server, "v2beta1")
        assert ended == "Succeeded", log
        for worker in ("pi-worker-0", "pi-worker-1"):
            assert f"{worker} has no role, says pi-launcher" in log
            assert f"{worker}.pi.default.svc\n" in log
        assert "code 7" in log
        server.call("DELETE", "/apis/kubeflow.org/v2beta1/namespaces/default/mpijobs/pi")
        script = BY_EXEC.replace("STAND_IN", str(stand_in))
        submit(server, "v1", "team/ssh", ["sh", "-c", script], name="pi", cleanPodPolicy="Running")
        ended, log = end(server, "v1")
        assert ended == "Succeeded", log
        assert log.splitlines()[1:3] == ["pi-worker-0", "pi-worker-1"]
        # Streams of two kinds come in no certain order.
        assert {"out", "err", "command terminated with exit code 5", "code 5", "through", "300000"} <= {
            each.strip() for each in log.splitlines()
        }
        assert log.count('cannot get resource "pods/exec"') == 2
        assert log.count("code 1\n") == 2
