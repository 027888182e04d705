#!/usr/bin/python3
"""The steps of bench/cnn.cpp in PyTorch: cnn.py [cnn|resnet] [THREADS]. Prints the median time of a step,
of the faster of the two layouts of images (channels first, channels last).

PyTorch is fastest with these settings, and with blas_shim.cpp, which makes its products calls of oneDNN, in LD_PRELOAD:
    MALLOC_TRIM_THRESHOLD_=4000000000 MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TOP_PAD_=200000000 bench/peers/cnn.py cnn 2
"""
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

WORKLOAD = sys.argv[1] if len(sys.argv) > 1 else "cnn"
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
STEPS = 15


def conv(inputs, outputs, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


def cnn():
    return nn.Sequential(conv(1, 32), nn.ReLU(), nn.MaxPool2d(2), conv(32, 64), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10))


class Block(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.inner = nn.Sequential(conv(inputs, width, 3, stride), nn.ReLU(), conv(width, width))
        self.around = conv(inputs, width, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        return F.relu(self.inner(x) + self.around(x))


def resnet():
    return nn.Sequential(conv(1, 32), nn.ReLU(), Block(32, 32, 1), Block(32, 64, 2), Block(64, 128, 2),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def times_of(layout):
    torch.manual_seed(1)
    if WORKLOAD == "cnn":
        model, rows = cnn(), 64
        optimizer = torch.optim.Adam(model.parameters())
    else:
        model, rows = resnet(), 128
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model = model.to(memory_format=layout)
    x, y = torch.randn(rows, 1, 28, 28).to(memory_format=layout), torch.randint(0, 10, (rows,))
    times = []
    for _ in range(STEPS + 5):
        begin = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        times.append(time.perf_counter() - begin)
    return sorted(times[5:])


torch.set_num_threads(THREADS)
warm = min((times_of(layout) for layout in (torch.contiguous_format, torch.channels_last)), key=statistics.median)
print("%.2f ms a step (%.2f to %.2f)" % (1e3 * statistics.median(warm), 1e3 * warm[0], 1e3 * warm[-1]))
