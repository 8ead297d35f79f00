"""Linear regression with DistributedDataParallel: the loss of the global batch at each step, from rank 0."""

import os

import torch
import torch.distributed as dist
from torch import nn

STEPS, BATCH = 12, 32

torch.set_num_threads(1)
os.environ.setdefault("RANK", "0")
os.environ.setdefault("WORLD_SIZE", "1")
os.environ.setdefault("MASTER_ADDR", "localhost")
os.environ.setdefault("MASTER_PORT", "29400")
dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()

generator = torch.Generator().manual_seed(7)
inputs = torch.randn(STEPS * BATCH, 16, generator=generator)
targets = inputs @ torch.randn(16, 1, generator=generator)
torch.manual_seed(3)
model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 1)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for step in range(STEPS):
    own = slice(step * BATCH + rank, (step + 1) * BATCH, size)
    loss = ((model(inputs[own]) - targets[own]) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    whole = loss.detach() / size
    dist.all_reduce(whole)
    if rank == 0:
        print(f"loss {step} {whole.item()!r} of {size}", flush=True)
dist.destroy_process_group()
