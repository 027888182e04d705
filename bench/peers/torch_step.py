#!/usr/bin/python3
"""The small workloads of bench/step.cpp in PyTorch: torch_step.py WORKLOAD THREADS. Prints the median time of a step."""
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def trained(model, loss, optimizer, batches):
    batches = iter(batches)

    def step():
        x, y = next(batches)
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    return step


def same(*tensors):
    while True:
        yield tensors


def shuffled(x, y, size):
    while True:
        order = torch.randperm(len(x))
        for begin in range(0, len(x) - size + 1, size):
            rows = order[begin : begin + size]
            yield x[rows], y[rows]


def logistic():
    x, y = torch.randn(4601, 57), torch.randint(0, 2, (4601, 1)).float()
    model = nn.Linear(57, 1)
    return trained(model, F.binary_cross_entropy_with_logits, torch.optim.Adam(model.parameters()), shuffled(x, y, 32))


def mlp_model():
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


def mlp():
    model = mlp_model()
    batch = torch.randn(64, 784), torch.randint(0, 10, (64,))
    return trained(model, F.cross_entropy, torch.optim.Adam(model.parameters()), same(*batch))


def mlp_gradient():
    model = mlp_model()
    x, y = torch.randn(64, 784), torch.randint(0, 10, (64,))

    def step():
        for p in model.parameters():
            p.grad = None
        F.cross_entropy(model(x), y).backward()

    return step


def adamw_10m():
    p = nn.Parameter(torch.randn(10_000_000))
    p.grad = torch.randn(10_000_000)
    return torch.optim.AdamW([p], foreach=True).step


def main():
    torch.manual_seed(1)
    torch.set_num_threads(int(sys.argv[2]))
    step = {f.__name__: f for f in (logistic, mlp, mlp_gradient, adamw_10m)}[sys.argv[1]]()
    for _ in range(5):
        step()
    times, begin = [], time.perf_counter()
    while len(times) < 7 or time.perf_counter() - begin < 1:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print("%.2f us a step" % (1e6 * statistics.median(times)))


main()
