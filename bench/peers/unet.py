#!/usr/bin/python3
"""The steps of bench/unet.cpp in PyTorch: unet.py none|group [THREADS]. Prints the median time of a step."""
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

NORM = sys.argv[1]
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
STEPS = 7


def two_convolutions(inputs, width):
    norm = lambda: [nn.GroupNorm(8, width)] if NORM == "group" else []
    conv = lambda channels: nn.Conv2d(channels, width, 3, padding=1, bias=NORM == "none")
    return nn.Sequential(conv(inputs), *norm(), nn.ReLU(), conv(width), *norm(), nn.ReLU())


class Unet(nn.Module):
    def __init__(self, width=32, levels=2):
        super().__init__()
        widths = [width << level for level in range(levels + 1)]
        self.down = nn.ModuleList(two_convolutions(a, b) for a, b in zip([3] + widths[:-2], widths[:-1]))
        self.bottom = two_convolutions(widths[-2], widths[-1])
        self.larger = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(widths[:-1], widths[1:]))
        self.up = nn.ModuleList(two_convolutions(2 * width, width) for width in widths[:-1])
        self.output = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        seen = []
        for block in self.down:
            seen.append(block(x))
            x = F.max_pool2d(seen[-1], 2)
        x = self.bottom(x)
        for other, larger, block in reversed(list(zip(seen, self.larger, self.up))):
            x = block(torch.cat([other, larger(x)], 1))
        return self.output(x)


def main():
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    model = Unet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(8, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    y = torch.randn(8, 1, 64, 64)
    times = []
    for _ in range(STEPS + 3):
        begin = time.perf_counter()
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
        times.append(time.perf_counter() - begin)
    warm = sorted(times[3:])
    print("%.2f ms a step (%.2f to %.2f)" % (1e3 * statistics.median(warm), 1e3 * warm[0], 1e3 * warm[-1]))


main()
