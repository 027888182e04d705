#!/usr/bin/python3
"""Writes preconditioners.json: paths of Shampoo and SOAP, computed in plain NumPy in f64. There are three parameters, (4, 3),
(3,) and (2, 3, 2), one after another, and
    f(x) = sum_i a_i d_i^2 / 2 + d_i^4 / 4 + sum_i (x_{i+1} - x_i)^2 / 2,   d = x - c.
Shampoo is algorithm 2 of Gupta, Koren and Singer 2018, with heavy-ball momentum on its steps and roots from eigenvalues. SOAP is
algorithm 3 of Vyas et al. 2024; its first step only computes the eigenvectors, and bias corrections are those of its reference
implementation. The file has x after some steps, and each matrix after the last step."""
import json
import os

import numpy as np

SHAPES = [(4, 3), (3,), (2, 3, 2)]
SIZE = sum(int(np.prod(s)) for s in SHAPES)
STEPS = [1, 2, 10, 60]


def problem():
    i = np.arange(SIZE)
    return 0.5 + 0.25 * (i % 8), 0.125 * (i % 8) - 0.5, 1.125 - 0.375 * (i % 7) + (i % 5) ** 2 / 32


def gradient(x, a, c):
    d = x - c
    g = a * d + d * d * d
    between = x[1:] - x[:-1]
    g[1:] += between
    g[:-1] -= between
    return g


def parts(flat):
    at = 0
    for shape in SHAPES:
        size = int(np.prod(shape))
        yield flat[at:at + size].reshape(shape)
        at += size


def along(x, axis):
    return np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)


def times(matrix, x, axis):
    return np.moveaxis(np.tensordot(matrix, x, axes=(1, axis)), 0, axis)


def inverse_root(s, order, eps):
    values, vectors = np.linalg.eigh(s)
    return vectors @ np.diag((np.maximum(values, 0) + eps) ** (-1.0 / order)) @ vectors.T


class Shampoo:
    def __init__(self, shape, lr, momentum, beta, eps, every, max_size):
        self.lr, self.momentum, self.beta, self.eps, self.every = lr, momentum, beta, eps, every
        self.matrix = [len(shape) > 1 and n <= max_size for n in shape]
        self.sums = [np.zeros((n, n)) if m else np.zeros(n) for n, m in zip(shape, self.matrix)]
        self.roots = [None] * len(shape)
        self.buffer = np.zeros(shape)

    def step(self, g, t):
        k, d = g.ndim, g
        for axis in range(k):
            rows = along(g, axis)
            new = rows @ rows.T if self.matrix[axis] else (rows ** 2).sum(1)
            self.sums[axis] = self.sums[axis] + new if self.beta == 1 else (
                self.beta * self.sums[axis] + (1 - self.beta) * new)
            if self.matrix[axis]:
                if (t - 1) % self.every == 0:
                    self.roots[axis] = inverse_root(self.sums[axis], 2 * k, self.eps)
                d = times(self.roots[axis], d, axis)
            else:
                d = times(np.diag((self.sums[axis] + self.eps) ** (-0.5 / k)), d, axis)
        self.buffer = self.momentum * self.buffer + d
        return self.lr * self.buffer

    def matrices(self):
        return {"factor": [s for s, m in zip(self.sums, self.matrix) if m],
                "root": [r for r in self.roots if r is not None]}


class Soap:
    def __init__(self, shape, lr, beta1, beta2, eps, every, max_size):
        self.lr, self.b1, self.b2, self.eps, self.every = lr, beta1, beta2, eps, every
        self.axes = [a for a in range(len(shape)) if len(shape) > 1 and shape[a] <= max_size]
        self.factors = {a: np.zeros((shape[a], shape[a])) for a in self.axes}
        self.bases = {}
        self.m, self.v = np.zeros(shape), np.zeros(shape)

    def into(self, x):
        for a in self.axes:
            x = times(self.bases[a].T, x, a)
        return x

    def back(self, x):
        for a in self.axes:
            x = times(self.bases[a], x, a)
        return x

    def step(self, g, t):
        step = np.zeros_like(g)
        if t > 1:
            self.m = self.b1 * self.m + (1 - self.b1) * g
            self.v = self.b2 * self.v + (1 - self.b2) * self.into(g) ** 2
            scaled = self.into(self.m) / (np.sqrt(self.v) + self.eps)
            step = self.lr * np.sqrt(1 - self.b2 ** (t - 1)) / (1 - self.b1 ** (t - 1)) * self.back(scaled)
        for a in self.axes:
            rows = along(g, a)
            self.factors[a] = self.b2 * self.factors[a] + (1 - self.b2) * rows @ rows.T
            if t == 1:
                self.bases[a] = np.linalg.eigh(self.factors[a])[1][:, ::-1]
            elif (t - 1) % self.every == 0:
                q, r = np.linalg.qr(self.factors[a] @ self.bases[a])
                self.bases[a] = q * np.sign(np.diag(r))
        return step

    def matrices(self):
        return {"factor": list(self.factors.values())}


def path(make, options):
    a, c, x = problem()
    methods, found = [make(shape, **options) for shape in SHAPES], []
    for t in range(1, STEPS[-1] + 1):
        g = gradient(x, a, c)
        x = x - np.concatenate([m.step(part, t).ravel() for m, part in zip(methods, parts(g))])
        if t in STEPS:
            found.append(x.tolist())
    matrices = {}
    for method in methods:
        for name, list_of in method.matrices().items():
            matrices.setdefault(name, []).extend(m.ravel().tolist() for m in list_of)
    return {"x": found, "matrices": matrices}


if __name__ == "__main__":
    cases = []
    for options in [dict(lr=0.3, momentum=0.0, beta=1.0, eps=0.5, every=1, max_size=8),
                    dict(lr=0.1, momentum=0.9, beta=1.0, eps=0.5, every=4, max_size=8),
                    dict(lr=0.05, momentum=0.0, beta=0.9, eps=0.5, every=3, max_size=3)]:
        cases.append({"kind": "shampoo", "options": options, **path(Shampoo, options)})
    for options in [dict(lr=0.05, beta1=0.9, beta2=0.95, eps=0.1, every=1, max_size=8),
                    dict(lr=0.05, beta1=0.95, beta2=0.9, eps=0.1, every=5, max_size=3)]:
        cases.append({"kind": "soap", "options": options, **path(Soap, options)})
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "preconditioners.json"), "w") as file:
        file.write('{"shapes": %s, "steps": %s, "cases": [\n' % (json.dumps(SHAPES), STEPS)
                   + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n")
