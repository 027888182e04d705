#!/usr/bin/python3
"""Writes optimizers.json: the paths of PyTorch's optimizers. Made with PyTorch 1.13.1 (Debian's python3-torch). Each case is a
row of Thalweg's table with its options, and PyTorch's optimizer with the same options. The file has x after 1, 10 and 100 steps
on
    f(x) = sum_i a_i d_i^2 / 2 + d_i^4 / 4 + sum_i (x_{i+1} - x_i)^2 / 2,   d = x - c,
whose gradient is computed with the same order of operations as in the test. NAdam is missing because PyTorch 1.13 has an extra
factor in its product of mu, which was fixed in 2.0."""
import json
import os

import torch

N = 8
STEPS = [1, 10, 100]


def problem(dtype):
    i = torch.arange(N, dtype=dtype)
    return 0.5 + 0.25 * i, 0.125 * i - 0.5, 1.125 - 0.375 * i + i * i / 32  # a, c, start; all are exact in f32


def gradient(x, a, c):
    d = x - c
    g = a * d + d * d * d
    between = x[1:] - x[:-1]
    g[1:] += between
    g[:-1] -= between
    return g


def path(make, dtype, climb):
    torch.set_default_dtype(dtype)  # ASGD stores its rate in the default dtype
    a, c, x = problem(dtype)
    x = torch.nn.Parameter(x)
    optimizer = make([x])
    found = []
    for step in range(1, STEPS[-1] + 1):
        with torch.no_grad():
            g = gradient(x, a, c)
            x.grad = -g if climb else g
        optimizer.step()
        if step in STEPS:
            found.append(x.tolist())
            if isinstance(optimizer, torch.optim.ASGD):
                found[-1] = found[-1] + optimizer.state[x]["ax"].tolist()
    return found


CASES = []


def case(kind, options, make):
    climb = options.get("maximize", False)
    CASES.append({"kind": kind, "options": options, "f64": path(make, torch.float64, climb),
                  "f32": path(make, torch.float32, climb)})


def cases(kind, make, *settings, **renamed):
    """`renamed` has PyTorch's names of options with other names."""
    for options in settings:
        theirs = {renamed.get(k, k): v for k, v in options.items()}
        betas = {k: theirs.pop(k) for k in ["beta1", "beta2"] if k in theirs}
        if betas:
            theirs["betas"] = (betas.get("beta1", 0.9), betas.get("beta2", 0.999))
        if kind == "rprop":
            theirs["etas"] = (theirs.pop("shrink", 0.5), theirs.pop("grow", 1.2))
            theirs["step_sizes"] = (theirs.pop("min_step", 1e-6), theirs.pop("max_step", 50))
        case(kind, options, lambda x: make(x, **theirs))


o = torch.optim
cases("sgd", o.SGD, {"lr": 0.01}, {"lr": 0.01, "momentum": 0.9}, {"lr": 0.01, "momentum": 0.9, "nesterov": True},
      {"lr": 0.02, "momentum": 0.8, "dampening": 0.5, "weight_decay": 0.1},
      {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True, "maximize": True})
cases("asgd", o.ASGD, {"lr": 0.01}, {"lr": 0.02, "start": 20.0}, {"lr": 0.02, "shrink": 0.01, "power": 0.6, "start": 50.0},
      {"lr": 0.01, "weight_decay": 0.1, "maximize": True}, shrink="lambd", power="alpha", start="t0")
cases("rprop", o.Rprop, {"lr": 0.01}, {"lr": 0.1, "shrink": 0.3, "grow": 1.1}, {"lr": 0.01, "max_step": 0.05, "min_step": 1e-3},
      {"lr": 0.01, "maximize": True})
cases("adagrad", o.Adagrad, {"lr": 0.1}, {"lr": 0.2, "lr_decay": 0.01}, {"lr": 0.1, "initial_accumulator": 0.5, "weight_decay": 0.1},
      {"lr": 0.1, "eps": 1e-3, "maximize": True}, initial_accumulator="initial_accumulator_value")
cases("rmsprop", o.RMSprop, {"lr": 0.01}, {"lr": 0.01, "centered": True}, {"lr": 0.01, "momentum": 0.9, "alpha": 0.9},
      {"lr": 0.005, "momentum": 0.5, "centered": True, "weight_decay": 0.1, "eps": 1e-4}, {"lr": 0.01, "maximize": True})
cases("adadelta", o.Adadelta, {"lr": 1.0}, {"lr": 0.5, "rho": 0.95, "eps": 1e-4}, {"lr": 1.0, "weight_decay": 0.1},
      {"lr": 1.0, "maximize": True})
cases("adam", o.Adam, {"lr": 0.01}, {"lr": 0.05, "beta1": 0.8, "beta2": 0.99, "eps": 1e-4}, {"lr": 0.01, "amsgrad": True},
      {"lr": 0.01, "weight_decay": 0.1}, {"lr": 0.02, "weight_decay": 0.05, "amsgrad": True, "maximize": True})
cases("adamw", o.AdamW, {"lr": 0.01}, {"lr": 0.05, "beta1": 0.8, "beta2": 0.99}, {"lr": 0.01, "amsgrad": True, "weight_decay": 0.2},
      {"lr": 0.01, "weight_decay": 0.1, "maximize": True})
cases("adamax", o.Adamax, {"lr": 0.01}, {"lr": 0.02, "beta1": 0.8, "beta2": 0.99}, {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-4},
      {"lr": 0.01, "maximize": True})
cases("radam", o.RAdam, {"lr": 0.01}, {"lr": 0.05, "beta1": 0.8, "beta2": 0.99}, {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-4})

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "optimizers.json"), "w") as file:
    file.write('{"steps": %s, "cases": [\n' % STEPS + ",\n".join(json.dumps(entry) for entry in CASES) + "\n]}\n")
