"""DeepSpeed in a TrainJob of its runtime: `mpirun` starts a rank on each of two nodes, and ZeRO shares the optimizer's
state among them. They must come to what one process comes to.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PATH = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainjobs"
TRAIN = """
import socket
import deepspeed, torch
import torch.distributed as dist

deepspeed.init_distributed(dist_backend="gloo")
rank, world = dist.get_rank(), dist.get_world_size()
generator = torch.Generator().manual_seed(1)
x = torch.randn(64, 8, generator=generator)
y = x @ torch.randn(8, 1, generator=generator)

def model():
    torch.manual_seed(7)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))

def adam(net):
    return torch.optim.Adam(net.parameters(), lr=0.01)

def together():
    net = model()
    config = {
        "train_micro_batch_size_per_gpu": 64 // world,
        "zero_optimization": {"stage": 2},
        "zero_allow_untested_optimizer": True,
    }
    engine, *_ = deepspeed.initialize(model=net, optimizer=adam(net), config=config)
    for _ in range(20):
        loss = ((engine(x[rank::world]) - y[rank::world]) ** 2).mean()
        engine.backward(loss)
        engine.step()
        total = loss.detach().clone()
        dist.all_reduce(total)
        yield total.item() / world

def alone():
    net = model()
    optimizer = adam(net)
    for _ in range(20):
        loss = ((net(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()

many, one = list(together()), list(alone())
assert torch.allclose(torch.tensor(many), torch.tensor(one), rtol=1e-4), (many, one)
assert many[-1] < many[0]
print("rank", rank, "of", world, "on", socket.gethostname(), "as one process", flush=True)
dist.destroy_process_group()
"""


def test_two_nodes_train_as_one_process(training_home: Path) -> None:
    trainer = {"numNodes": 2, "command": ["mpirun", "python", "-c", TRAIN]}
    with ServerProcess(training_home) as server:
        job = {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": "deep"},
            "spec": {"runtimeRef": {"name": "deepspeed-distributed"}, "trainer": trainer},
        }
        server.call("POST", PATH, job)
        until = time.monotonic() + 1100
        while not (conditions := server.call("GET", f"{PATH}/deep").get("status", {}).get("conditions")):
            assert time.monotonic() < until, "the TrainJob does not end"
            time.sleep(0.2)
        pods = server.call("GET", "/api/v1/namespaces/default/pods")["items"]
        (launcher,) = [each["metadata"]["name"] for each in pods if "launcher" in each["metadata"]["name"]]
        log = server.text(f"/api/v1/namespaces/default/pods/{launcher}/log?container=node")
        assert conditions[0]["type"] == "Complete", (conditions, log)
        said = [line for line in log.splitlines() if "as one process" in line]
        hosts = sorted(line.split()[5].partition(".")[0] for line in said)
        assert hosts == ["deep-launcher-0-0", "deep-node-0-0"], log
