#!/usr/bin/python3
"""Writes kinks.json: PyTorch's derivatives at kinks and at borders of the domain. Made with PyTorch 1.13.1 (Debian's
python3-torch). Numbers are written as text, because JSON has neither infinity nor NaN."""
import json
import math
import os

import torch
import torch.nn.functional as F

inf, nan = math.inf, math.nan

POINTS = {
    "relu": (torch.relu, [0.0, -0.0, -1.0, 2.0, nan]),
    "relu6": (F.relu6, [0.0, 6.0, 3.0, -1.0, 7.0]),
    "leaky_relu": (F.leaky_relu, [0.0, -0.0, -2.0, 2.0]),
    "elu": (F.elu, [0.0, -0.0, -1.0, 1.0, -800.0]),
    "selu": (F.selu, [0.0, -1.0, 1.0]),
    "hard_sigmoid": (F.hardsigmoid, [-3.0, 3.0, 0.0, -4.0, 4.0]),
    "hard_swish": (F.hardswish, [-3.0, 3.0, 0.0, -4.0, 4.0]),
    "softsign": (F.softsign, [0.0, -1.0]),
    "abs": (torch.abs, [0.0, -0.0, -2.0]),
    "sign": (torch.sign, [0.0, 1.0]),
    "floor": (torch.floor, [1.0, 1.5]),
    "round": (torch.round, [0.5, 1.0]),
    "sqrt": (torch.sqrt, [0.0, 4.0]),
    "log": (torch.log, [0.0, 1.0]),
    "asin": (torch.asin, [1.0, -1.0]),
    "acosh": (torch.acosh, [1.0]),
    "atanh": (torch.atanh, [1.0]),
    "square_by_pow": (lambda x: x**2, [0.0]),
    "cube_by_pow": (lambda x: x**3, [0.0, -2.0]),
    "root_by_pow": (lambda x: x**0.5, [0.0]),
    "zeroth_power": (lambda x: x**0.0, [0.0, -1.0]),
    "power_2.5": (lambda x: x**2.5, [0.0, 2.0]),
    "clamp": (lambda x: torch.clamp(x, -1, 1), [-1.0, 1.0, 0.0, -2.0, 2.0]),
    "clamp_crossed": (lambda x: torch.clamp(x, 1, -1), [-2.0, 0.0, 2.0]),
}

# Reductions of a whole matrix, and of axes of a cube.
MATRICES = {
    "max": (lambda x: torch.amax(x, (0, 1)), [[1.0, 3.0], [3.0, 3.0]]),
    "min": (lambda x: torch.amin(x, (0, 1)), [[1.0, 3.0], [1.0, 3.0]]),
    "max_of_nan": (lambda x: torch.amax(x, (0, 1)), [[1.0, nan], [3.0, 3.0]]),
    "max_outer_axes": (lambda x: torch.amax(x, (0, 2)).sum(), [[[5.0, 5.0], [1.0, 2.0]], [[5.0, 0.0], [2.0, 2.0]]]),
    "min_outer_axes": (lambda x: torch.amin(x, (0, 2)).sum(), [[[0.0, 0.0], [1.0, 2.0]], [[5.0, 0.0], [1.0, 1.0]]]),
    "norm": (lambda x: torch.linalg.vector_norm(x), [[0.0, 0.0], [0.0, 0.0]]),
    "norm_rows": (lambda x: torch.linalg.vector_norm(x, dim=1).sum(), [[0.0, 0.0], [3.0, 4.0]]),
    "prod": (lambda x: torch.prod(x), [[2.0, 0.0], [3.0, 4.0]]),
    "prod_two_zeros": (lambda x: torch.prod(x), [[2.0, 0.0], [0.0, 4.0]]),
    "logsumexp_infinite": (lambda x: torch.logsumexp(x, 1).sum(), [[-inf, 0.0], [1.0, -inf]]),
    "softmax_infinite": (lambda x: (torch.softmax(x, 1)[:, 0]).sum(), [[-inf, 0.0], [1.0, 2.0]]),
}

PAIRS = {
    "maximum": (torch.maximum, [(1.0, 1.0), (0.0, -0.0), (1.0, 2.0), (nan, 1.0), (1.0, nan)]),
    "minimum": (torch.minimum, [(1.0, 1.0), (1.0, 2.0), (nan, 1.0)]),
    "pow": (torch.pow, [(0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (2.0, 0.0), (0.0, 0.5)]),
    "atan2": (torch.atan2, [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0)]),
    "where": (lambda a, b: torch.where(a > b, a, b * 2), [(1.0, 1.0), (2.0, 1.0)]),
    "clamp_below": (lambda x, low: torch.clamp(x, low, torch.tensor(2.0, dtype=x.dtype)), [(1.0, 1.0), (0.0, 1.0), (3.0, 2.0), (1.0, 3.0)]),
    "clamp_above": (lambda x, high: torch.clamp(x, torch.tensor(0.0, dtype=x.dtype), high), [(1.0, 1.0), (2.0, 1.0), (-1.0, 0.0), (1.0, -1.0)]),
}


def gradients(f, *values):
    inputs = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
    y = f(*inputs)
    if not y.requires_grad:
        return [torch.zeros_like(x).tolist() for x in inputs]
    grads = torch.autograd.grad(y, inputs, allow_unused=True)
    return [(torch.zeros_like(x) if g is None else g).tolist() for x, g in zip(inputs, grads)]


def written(value):
    return [written(v) for v in value] if isinstance(value, (list, tuple)) else repr(value)


def main():
    cases = []
    for name, (f, points) in POINTS.items():
        cases += [{"name": name, "inputs": [x], "gradients": gradients(f, x)} for x in points]
    for name, (f, x) in MATRICES.items():
        cases.append({"name": name, "inputs": [x], "gradients": gradients(f, x)})
    for name, (f, points) in PAIRS.items():
        cases += [{"name": name, "inputs": list(p), "gradients": gradients(f, *p)} for p in points]
    for case in cases:
        case["inputs"], case["gradients"] = written(case["inputs"]), written(case["gradients"])
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kinks.json")
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


main()
