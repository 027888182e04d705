#!/usr/bin/python3
"""The chain of bench/growth.cpp in PyTorch: growth.py OPS THREADS. Prints the time to build the graph and its gradient."""
import math
import sys
import time

import torch

ops = int(sys.argv[1])
torch.set_num_threads(int(sys.argv[2]))
factors = [1.2 + 0.3 * math.cos(i) for i in range(ops)]


def gradient():
    x = torch.rand(1000, dtype=torch.float64).mul_(2).sub_(1).requires_grad_()
    begin = time.perf_counter()
    v = x
    for i in range(ops):
        v = v * factors[i] if i % 2 else torch.sin(v)
    v.sum().backward()
    return time.perf_counter() - begin


sys.setrecursionlimit(10**6)
gradient()
print("%.2f us a step" % (1e6 * gradient()))
