"""TrainJobs of the shipped PyTorch runtime lose a node: it is back with its rank, and training goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GROUP = "/apis/trainer.kubeflow.org/v1alpha1"
JOBS = f"{GROUP}/namespaces/default/trainjobs"
PODS = "/api/v1/namespaces/default/pods"
STEPS = 60
PROGRAM = """
import os, time
import torch, torch.distributed as dist
dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
file, start = os.environ["CHECKPOINT"], 0
torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
if os.path.exists(file):
    kept = torch.load(file)
    model.load_state_dict(kept["model"])
    start = kept["step"]
dist.barrier()
print(f"start rank={rank} world={world} from={start} node={os.environ['PET_NODE_RANK']}", flush=True)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
for step in range(start, int(os.environ["STEPS"])):
    loss = (model(torch.ones(8, 4)) - 3).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    for each in model.parameters():
        dist.all_reduce(each.grad)
        each.grad /= world
    optimizer.step()
    if rank == 0:
        torch.save({"model": model.state_dict(), "step": step + 1}, file + ".new")
        os.replace(file + ".new", file)
        print(f"step={step} loss={loss.item():.6f}", flush=True)
    time.sleep(0.2)
print("end", flush=True)
dist.destroy_process_group()
"""
COMMAND = ["bash", "-c", 'printf "%s" "$PROGRAM" > /tmp/train.py && exec torchrun /tmp/train.py']


def eventually(look: Callable[[], Any], seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := look():
            return answer
        time.sleep(0.3)
    raise AssertionError("it does not happen")


def log(server: ServerProcess, pod: str) -> str:
    return server.text(f"{PODS}/{pod}/log")


def pod_of(server: ServerProcess, rank: int) -> Any:
    selector = f"jobset.sigs.k8s.io/jobset-name=t,batch.kubernetes.io/job-completion-index={rank}"
    found = server.call("GET", f"{PODS}?labelSelector={selector.replace(',', '%2C')}")["items"]
    alive = [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]
    return alive[0] if alive else None


def losses(text: str) -> dict[int, float]:
    lines = [line.split() for line in text.splitlines() if line.startswith("step=")]
    return {int(step.partition("=")[2]): float(loss.partition("=")[2]) for step, loss in lines}


def submit(server: ServerProcess, *, elastic: bool, steps: int = STEPS) -> None:
    runtime = "torch-distributed"
    if elastic:
        made = server.call("GET", f"{GROUP}/clustertrainingruntimes/{runtime}")
        made["metadata"] = {"name": "elastic"}
        made["spec"]["mlPolicy"]["torch"] = {
            "elasticPolicy": {"minNodes": 1, "maxNodes": 2, "maxRestarts": 5}
        }
        runtime = server.call("POST", f"{GROUP}/clustertrainingruntimes", made)["metadata"]["name"]
    # Not below /tmp, which is each pod's own.
    checkpoint = server.home / "volumes" / "checkpoint.pt"
    env = {"PROGRAM": PROGRAM, "CHECKPOINT": str(checkpoint), "STEPS": str(steps)}
    trainer = {
        "numNodes": 2,
        "command": COMMAND,
        "env": [{"name": name, "value": value} for name, value in env.items()],
    }
    metadata = {"name": "t", "namespace": "default"}
    job = {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": metadata}
    server.call("POST", JOBS, {**job, "spec": {"runtimeRef": {"name": runtime}, "trainer": trainer}})


def condition(server: ServerProcess) -> Any:
    found = server.call("GET", f"{JOBS}/t").get("status", {}).get("conditions")
    return found[0] if found else None


@pytest.mark.parametrize("elastic", [False, True])
def test_a_node_that_is_lost_comes_back(server: ServerProcess, elastic: bool) -> None:
    submit(server, elastic=elastic)
    first = eventually(
        lambda: (pod := pod_of(server, 0)) and "step=10" in log_or_nothing(server, pod) and pod
    )
    lost = pod_of(server, 1)
    server.call("DELETE", f"{PODS}/{lost['metadata']['name']}")

    assert eventually(lambda: condition(server))["type"] == "Complete"
    again = pod_of(server, 1)
    assert again["metadata"]["uid"] != lost["metadata"]["uid"]
    said = log(server, again["metadata"]["name"])
    assert "node=1" in said
    assert "end" in said.splitlines()
    resumed = int(said.partition(" from=")[2].split()[0])
    assert 10 <= resumed < STEPS
    master = log(server, first["metadata"]["name"])
    if elastic:
        # The node that stayed has not ended: its own log has both rounds.
        assert sorted(losses(master)) == list(range(STEPS))
    found = losses(master)
    assert found[STEPS - 1] < found[min(found)]


def test_an_elastic_job_goes_on_with_fewer_nodes_and_takes_others_in(server: ServerProcess) -> None:
    submit(server, elastic=True, steps=2000)
    first = eventually(
        lambda: (pod := pod_of(server, 0)) and "step=10" in log_or_nothing(server, pod) and pod
    )
    name = first["metadata"]["name"]
    node = f"/api/v1/nodes/{first['spec']['nodeName']}"

    def cordon(wanted: bool) -> None:
        found = server.call("GET", node)
        found["spec"]["unschedulable"] = wanted
        server.call("PUT", node, found)

    def worlds() -> list[str]:
        lines = [line for line in log(server, name).splitlines() if line.startswith("start ")]
        return [line.partition("world=")[2].split()[0] for line in lines]

    cordon(True)
    server.call("DELETE", f"{PODS}/{pod_of(server, 1)['metadata']['name']}")
    eventually(lambda: worlds() == ["2", "1"])
    cordon(False)
    eventually(lambda: worlds() == ["2", "1", "2"])
    assert condition(server) is None
    server.call("DELETE", f"{JOBS}/t")


def log_or_nothing(server: ServerProcess, pod: Any) -> str:
    started = [each for each in pod["status"].get("containerStatuses") or () if each.get("started")]
    return log(server, pod["metadata"]["name"]) if started else ""
