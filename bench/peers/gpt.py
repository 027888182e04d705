#!/usr/bin/python3
"""The steps of bench/gpt.cpp in PyTorch: gpt.py small|large THREADS [STEPS]. AdamW, gradient clipping, tied output weights.
Prints the median time of a step, and the peak of the memory less that after the import of PyTorch.

PyTorch is fastest with these settings, and with blas_shim.cpp, which makes its products calls of oneDNN, in LD_PRELOAD:
    MALLOC_TRIM_THRESHOLD_=4000000000 MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TOP_PAD_=200000000 bench/peers/gpt.py small 2
"""
import math
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

SIZES = {"small": (6, 256, 8, 128, 8, 256), "large": (12, 768, 12, 64, 4, 50257)}
LAYERS, WIDTH, HEADS, TIME, BATCH, VOCABULARY = SIZES[sys.argv[1] if len(sys.argv) > 1 else "small"]
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
STEPS = int(sys.argv[3]) if len(sys.argv) > 3 else 15 if VOCABULARY == 256 else 5


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.output = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.hidden, self.project = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.register_buffer("mask", torch.triu(torch.ones(TIME, TIME, dtype=torch.bool), 1))

    def forward(self, x):  # (batch, time, width)
        q, k, v = (t.view(BATCH, TIME, HEADS, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(WIDTH, -1))
        scores = (q @ k.transpose(2, 3)) / math.sqrt(WIDTH // HEADS)
        y = scores.masked_fill(self.mask, -math.inf).softmax(-1) @ v
        x = x + self.output(y.transpose(1, 2).reshape(BATCH, TIME, WIDTH))
        return x + self.project(F.gelu(self.hidden(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(TIME, WIDTH)
        self.blocks, self.norm = nn.Sequential(*[Block() for _ in range(LAYERS)]), nn.LayerNorm(WIDTH)

    def forward(self, tokens):
        x = self.blocks(self.tokens(tokens) + self.positions.weight)
        return self.norm(x) @ self.tokens.weight.t()


def main():
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = Gpt()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    text = torch.randint(0, VOCABULARY, (BATCH, TIME + 1))
    times = []
    for _ in range(STEPS + 3):
        begin = time.perf_counter()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(text[:, :-1]).reshape(-1, VOCABULARY), text[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - imported
    warm = sorted(times[3:])
    print("%.1f ms a step (%.1f to %.1f), %.0f MB above the import" %
          (1e3 * statistics.median(warm), 1e3 * warm[0], 1e3 * warm[-1], peak / 1024))


main()
