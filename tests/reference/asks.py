#!/usr/bin/python3
"""Writes asks.json: the paths of methods that need more than one gradient per step, computed with PyTorch's gradients in f64.
Made with PyTorch 1.13.1 (Debian's python3-torch). The model is dense(3 -> 4), tanh, dense(4 -> 1) with the mean squared error
on 12 rows, in batches of 4 rows in order. Initial parameters and data are multiples of 1/16. SAM and its adaptive form (Foret
et al. 2021, Kwon et al. 2021) use SGD with momentum. SVRG (Johnson and Zhang 2013) uses SGD, with a new anchor every 3 or 5
steps. The file has all parameters after some steps: w1 (3, 4), b1, w2 (4, 1), b2."""
import json
import os

import torch

torch.set_default_dtype(torch.float64)
ROWS, BATCH, STEPS = 12, 4, [1, 2, 6, 40]


def numbers(count, a, b):
    return torch.tensor([((a * i + b) % 29 - 14) / 16 for i in range(count)])


X = numbers(ROWS * 3, 7, 3).reshape(ROWS, 3)
Y = numbers(ROWS, 11, 5).reshape(ROWS, 1)


def start():
    return [numbers(12, 5, 1).reshape(3, 4), numbers(4, 3, 9), numbers(4, 13, 2).reshape(4, 1), numbers(1, 1, 20)]


def gradients(x, rows):
    x = [p.clone().requires_grad_(True) for p in x]
    out = torch.tanh(X[rows] @ x[0] + x[1]) @ x[2] + x[3]
    loss = ((out - Y[rows]) ** 2).mean()
    return torch.autograd.grad(loss, x)


def batch(step):
    begin = (step - 1) * BATCH % ROWS
    return slice(begin, begin + BATCH)


def norm(list_of):
    return torch.sqrt(sum((t ** 2).sum() for t in list_of))


def sam(radius, adaptive, floor, lr, momentum):
    x, buffers, found = start(), None, []
    for step in range(1, STEPS[-1] + 1):
        g = gradients(x, batch(step))
        sizes = [p.abs() + floor if adaptive else torch.ones_like(p) for p in x]
        scale = radius / (norm([s * each for s, each in zip(sizes, g)]) + 1e-12)
        uphill = [p + scale * s * s * each for p, s, each in zip(x, sizes, g)]
        g = gradients(uphill, batch(step))
        buffers = list(g) if buffers is None else [momentum * b + each for b, each in zip(buffers, g)]
        x = [p - lr * b for p, b in zip(x, buffers)]
        if step in STEPS:
            found.append(torch.cat([p.ravel() for p in x]).tolist())
    return found


def svrg(every, lr):
    x, found, anchor, mean = start(), [], None, None
    for step in range(1, STEPS[-1] + 1):
        if (step - 1) % every == 0:
            anchor, mean = [p.clone() for p in x], gradients(x, slice(0, ROWS))
        here, there = gradients(x, batch(step)), gradients(anchor, batch(step))
        x = [p - lr * (a - b + m) for p, a, b, m in zip(x, here, there, mean)]
        if step in STEPS:
            found.append(torch.cat([p.ravel() for p in x]).tolist())
    return found


if __name__ == "__main__":
    cases = []
    sgd = {"kind": "sgd", "lr": 0.1, "momentum": 0.9}
    for radius, adaptive, floor in [(0.05, False, 0.01), (0.5, True, 0.01), (1.0, True, 0.0)]:
        cases.append({"kind": "sam", "options": {"optimizer": sgd, "radius": radius, "adaptive": adaptive, "floor": floor},
                      "x": sam(radius, adaptive, floor, 0.1, 0.9)})
    for every in [3, 5]:
        cases.append({"kind": "svrg", "options": {"optimizer": {"kind": "sgd", "lr": 0.2}, "every": every},
                      "x": svrg(every, 0.2)})
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "asks.json"), "w") as file:
        file.write('{"steps": %s, "cases": [\n' % STEPS + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n")
