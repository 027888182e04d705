#!/usr/bin/env python3
"""Writes minimizers.json: the evaluations that SciPy's L-BFGS-B and trust-region Newton-CG need on the table of problems.

    /usr/bin/python3 tests/reference/minimizers.py      (Debian's python3-scipy and python3-torch)

A problem is solved at the first value within 1e-10 (1 + |f(start) - minimum|) of the minimum. The file has the number of
evaluations of value and gradient until then, and for trust-ncg also that of products with the Hessian. A run that ends without
such a value has not solved the problem.
"""

import json
import math
from pathlib import Path

import numpy
import scipy
import torch
from scipy.optimize import minimize

pi = math.pi


def rosenbrock(x):
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


def quadratic(x):
    n = len(x)
    return 0.5 * (100 ** (torch.arange(n, dtype=torch.float64) / max(n - 1, 1)) * x ** 2).sum()


def goldstein_price(v):
    x, y = v
    return ((1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x ** 2 - 14 * y + 6 * x * y + 3 * y ** 2))
            * (30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x ** 2 + 48 * y - 36 * x * y + 27 * y ** 2)))


def levy(x):
    w = 1 + (x - 1) / 4
    head, last = w[:-1], w[-1]
    return (torch.sin(pi * w[0]) ** 2 + ((head - 1) ** 2 * (1 + 10 * torch.sin(pi * head + 1) ** 2)).sum()
            + (last - 1) ** 2 * (1 + torch.sin(2 * pi * last) ** 2))


def ackley(x):
    n = len(x)
    return (20 + math.e - 20 * torch.exp(-0.2 / math.sqrt(n) * torch.linalg.norm(x))
            - torch.exp(torch.cos(2 * pi * x).mean()))


def sharp_and_flat(v):
    sharp, flat = 100 * ((v[0] - 1) ** 2 + v[1] ** 2), (v[0] + 1) ** 2 + v[1] ** 2
    return sharp * flat / (sharp + flat)


def plateau(x):
    return (x ** 2).sum() / (1 + (x ** 2).sum())


FUNCTIONS = {
    "sphere": lambda x: (x ** 2).sum(),
    "quadratic": quadratic,
    "booth": lambda v: (v[0] + 2 * v[1] - 7) ** 2 + (2 * v[0] + v[1] - 5) ** 2,
    "matyas": lambda v: 0.26 * (v[0] ** 2 + v[1] ** 2) - 0.48 * v[0] * v[1],
    "rosenbrock": rosenbrock,
    "beale": lambda v: ((1.5 - v[0] + v[0] * v[1]) ** 2 + (2.25 - v[0] + v[0] * v[1] ** 2) ** 2
                        + (2.625 - v[0] + v[0] * v[1] ** 3) ** 2),
    "goldstein_price": goldstein_price,
    "himmelblau": lambda v: (v[0] ** 2 + v[1] - 11) ** 2 + (v[0] + v[1] ** 2 - 7) ** 2,
    "three_hump_camel": lambda v: (2 * v[0] ** 2 - 1.05 * v[0] ** 4 + v[0] ** 6 / 6 + v[0] * v[1] + v[1] ** 2),
    "styblinski_tang": lambda x: 0.5 * (x ** 4 - 16 * x ** 2 + 5 * x).sum(),
    "ackley": ackley,
    "rastrigin": lambda x: (10 + x ** 2 - 10 * torch.cos(2 * pi * x)).sum(),
    "levy": levy,
    "saddle": lambda v: v[0] ** 2 - v[1] ** 2 + 0.5 * v[1] ** 4,
    "monkey_saddle": lambda v: v[0] ** 3 - 3 * v[0] * v[1] ** 2 + 0.75 * (v[0] ** 2 + v[1] ** 2) ** 2,
    "plateau": plateau,
    "sharp_and_flat": sharp_and_flat,
}
LOWEST_1D = -39.16616570377142  # the minimum of styblinski_tang per dimension


def alternating(n, even, odd):
    return [even if i % 2 == 0 else odd for i in range(n)]


# name, dimensions, start, minimum, as in src/problem
CASES = [
    ("sphere", 2, [1.5, -0.8], 0), ("sphere", 10, alternating(10, 1.5, -0.8), 0),
    ("quadratic", 2, [1.4, -0.9], 0), ("quadratic", 10, alternating(10, 1.4, -0.9), 0),
    ("quadratic", 100, alternating(100, 1.4, -0.9), 0),
    ("booth", 2, [-5, -5], 0), ("matyas", 2, [8, -5], 0),
    ("rosenbrock", 2, [-1.2, 1], 0), ("rosenbrock", 10, alternating(10, -1.2, 1), 0),
    ("rosenbrock", 100, alternating(100, -1.2, 1), 0),
    ("beale", 2, [1, 1], 0), ("goldstein_price", 2, [-0.3, -0.6], 3), ("himmelblau", 2, [0, 0], 0),
    ("three_hump_camel", 2, [-1, 2], 0),
    ("styblinski_tang", 2, [-0.5] * 2, 2 * LOWEST_1D), ("styblinski_tang", 10, [-0.5] * 10, 10 * LOWEST_1D),
    ("ackley", 2, [2.5] * 2, 0), ("rastrigin", 2, [2.2] * 2, 0), ("levy", 2, [-2] * 2, 0), ("levy", 10, [-2] * 10, 0),
    ("saddle", 2, [1, 0.001], -0.5), ("monkey_saddle", 2, [1, 0.001], -0.25),
    ("plateau", 2, [6] * 2, 0), ("plateau", 10, [6] * 10, 0), ("sharp_and_flat", 2, [1.5, 1], 0),
]


class Solved(Exception):
    pass


def run(method, f, x0, target, options):
    counts = {"evaluations": 0, "products": 0}

    def value_and_gradient(x):
        counts["evaluations"] += 1
        t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        y = f(t)
        gradient, = torch.autograd.grad(y, t)
        if y.item() <= target:
            raise Solved
        return y.item(), gradient.numpy()

    def product(x, v):
        counts["products"] += 1
        t = torch.tensor(x, dtype=torch.float64)
        return torch.autograd.functional.hvp(f, t, torch.tensor(v, dtype=torch.float64))[1].numpy()

    solved = False
    try:
        more = {"hessp": product} if method == "trust-ncg" else {}
        minimize(value_and_gradient, numpy.array(x0, dtype=float), jac=True, method=method, options=options, **more)
    except Solved:
        solved = True
    return {"solved": solved, **counts}


def main():
    rows = []
    for name, n, start, minimum in CASES:
        f = FUNCTIONS[name]
        first = f(torch.tensor(start, dtype=torch.float64)).item()
        target = minimum + 1e-10 * (1 + abs(first - minimum))
        rows.append({
            "problem": name, "dim": n, "start": first, "target": target,
            "L-BFGS-B": run("L-BFGS-B", f, start, target, {"ftol": 0, "gtol": 1e-10, "maxiter": 10_000, "maxfun": 10_000}),
            "trust-ncg": run("trust-ncg", f, start, target, {"gtol": 1e-10, "maxiter": 10_000}),
        })
    text = "[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]\n"
    Path(__file__).with_name("minimizers.json").write_text(text)
    for method in ("L-BFGS-B", "trust-ncg"):
        solved = [row[method] for row in rows if row[method]["solved"]]
        total = sum(r["evaluations"] + r["products"] for r in solved)
        print(f"SciPy {scipy.__version__} {method}: {len(solved)} of {len(rows)} solved, {total} evaluations and products")


if __name__ == "__main__":
    main()
