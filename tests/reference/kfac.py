#!/usr/bin/python3
"""Writes kfac.json: paths of K-FAC, computed in plain NumPy in f64. The method is that of Martens and Grosse 2015, with damping
by pi of mean diagonals (section 6.3), convolutions of Grosse and Martens 2016, steps limited by lr^2 <step, gradient> <=
kl_clip (Ba et al. 2017), heavy-ball momentum and decoupled decay. Parameters without factors are updated by Adam. Labels are
drawn from the model with the same counter-based random numbers as in the library: Philox 4x32-10 (Salmon et al. 2011), keyed by
seed, step and the row's place in the batch.

The models are trained on 12 rows, in batches of 4 rows in order:
- "mlp": dense(3 -> 4), tanh, dense(4 -> 2) with the binary cross-entropy;
- "squares": the same with the squared error, whose labels are drawn from N(p, 1/2) by the method of Box and Muller;
- "counts": the same with the Poisson loss of logarithms of rates;
- "conv": images (5, 4, 2), convolution 3 x 3 to 3 channels (padding: same) with a bias, tanh, convolution 2 x 2 to 2 channels
  (stride 2) without a bias, tanh, times a gain, dense(8 -> 3) with the cross-entropy.
The file has all parameters after some steps, and factors and inverses, layer after layer, after the first and the last of
these steps."""
import json
import os

import numpy as np
from scipy import stats

ROWS, BATCH, STEPS, SEED = 12, 4, [1, 2, 7, 40], 1
M64, M32 = (1 << 64) - 1, (1 << 32) - 1


def mix(x):
    x = (x + 0x9e3779b97f4a7c15) & M64
    x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & M64
    x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & M64
    return x ^ (x >> 31)


def fold(purpose, number):
    return mix(purpose ^ mix(number))


def name_hash(name):
    h = 0xcbf29ce484222325
    for c in name.encode():
        h = ((h ^ c) * 0x100000001b3) & M64
    return h


def words(seed, purpose, counter):
    key = mix(seed)
    k0, k1 = key & M32, key >> 32
    c = [counter & M32, counter >> 32, purpose & M32, purpose >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k0, b & M32, (a >> 32) ^ c[3] ^ k1, a & M32]
        k0, k1 = (k0 + 0x9E3779B9) & M32, (k1 + 0xBB67AE85) & M32
    return c


def uniform(step, count, share, part=""):
    """Uniform numbers for `count` rows in order, `share` for each row."""
    seed = fold(0, SEED) >> 11
    purpose = fold(fold(0, name_hash("drawn labels" + part)), step)
    result, a_row = np.zeros((count, share)), (share + 3) // 4
    for row in range(count):
        for i in range(share):
            counter = row * a_row + i // 4
            high, low = words(seed, purpose, counter)[i % 4], words(seed, fold(purpose, 1), counter)[i % 4]
            result[row, i] = ((high << 32 | low) >> 11) * 2.0 ** -53
    return result


def normal(step, count, share):
    radius, angle = uniform(step, count, share, ".radius"), uniform(step, count, share, ".angle")
    return np.sqrt(-2 * np.log(1 - radius)) * np.cos(2 * np.pi * angle)


def numbers(shape, a, b):
    i = np.arange(int(np.prod(shape)))
    return (((a * i + b) % 29 - 14) / 16).reshape(shape)


class Dense:
    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def forward(self, x):
        self.rows = np.hstack([x, np.ones((len(x), 1))])
        return x @ self.weight + self.bias

    def backward(self, s):
        self.slopes = s
        return s @ self.weight.T


class Conv:
    def __init__(self, weight, bias, stride, padding):
        self.weight, self.bias, self.stride, self.padding = weight, bias, stride, padding

    def forward(self, x):
        p, s, (kh, kw, c, f) = self.padding, self.stride, self.weight.shape
        x = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        self.shape, self.size = x.shape, ((x.shape[1] - kh) // s + 1, (x.shape[2] - kw) // s + 1)
        patches = np.stack([x[:, i * s:i * s + kh, j * s:j * s + kw].reshape(len(x), -1)
                            for i in range(self.size[0]) for j in range(self.size[1])], 1)
        rows = patches.reshape(-1, kh * kw * c)
        out = rows @ self.weight.reshape(-1, f)
        if self.bias is not None:
            rows, out = np.hstack([rows, np.ones((len(rows), 1))]), out + self.bias
        self.rows = rows
        return out.reshape(len(x), *self.size, f)

    def backward(self, slopes):
        p, s, (kh, kw, c, f) = self.padding, self.stride, self.weight.shape
        self.slopes = slopes.reshape(-1, f)
        back = (self.slopes @ self.weight.reshape(-1, f).T).reshape(self.shape[0], *self.size, kh, kw, c)
        x = np.zeros(self.shape)
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                x[:, i * s:i * s + kh, j * s:j * s + kw] += back[:, i, j]
        return x[:, p:x.shape[1] - p, p:x.shape[2] - p]


class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, s):
        return s * (1 - self.y ** 2)


class Flat:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, s):
        return s.reshape(self.shape)


class Gain:
    def __init__(self, gain):
        self.gain = gain

    def forward(self, x):
        self.x = x
        return x * self.gain

    def backward(self, s):
        self.gradient = (s * self.x).sum(0)
        return s * self.gain


def mlp():
    return [Dense(numbers((3, 4), 5, 1), numbers((4,), 3, 9)), Tanh(), Dense(numbers((4, 2), 13, 2), numbers((2,), 1, 20))]


def conv():
    return [Conv(numbers((3, 3, 2, 3), 5, 1), numbers((3,), 3, 9), 1, 1), Tanh(), Conv(numbers((2, 2, 3, 2), 7, 4), None, 2, 0),
            Tanh(), Flat(), Gain(1 + numbers((8,), 3, 2)), Dense(numbers((8, 3), 13, 2), numbers((3,), 1, 20))]


class Model:
    def __init__(self, name):
        self.name = name
        self.layers = conv() if name == "conv" else mlp()
        self.x = numbers((ROWS, 5, 4, 2) if name == "conv" else (ROWS, 3), 7, 3)
        i = np.arange(ROWS)
        self.y = np.eye(3)[(i * i + i) % 3] if name == "conv" else np.stack([i % 2, (i // 2) % 2], 1)

    def outputs(self, rows):
        x = self.x[rows]
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def terms(self, z):
        return len(z) if self.name == "conv" else z.size

    def mean(self, z):
        """The mean of a label, given the output."""
        if self.name == "conv":
            e = np.exp(z - z.max(1, keepdims=True))
            return e / e.sum(1, keepdims=True)
        return {"mlp": lambda: 1 / (1 + np.exp(-z)), "squares": lambda: z, "counts": lambda: np.exp(z)}[self.name]()

    def slope(self, z, y):
        return (2 if self.name == "squares" else 1) * (self.mean(z) - y)

    def backward(self, slopes):
        for layer in reversed(self.layers):
            slopes = layer.backward(slopes)

    def drawn(self, z, step):
        if self.name == "squares":
            return z + normal(step, len(z), z.shape[1]) / np.sqrt(2)
        u = uniform(step, len(z), z.shape[1])
        if self.name == "counts":
            return stats.poisson.ppf(u, self.mean(z))
        if self.name == "mlp":
            return (u < self.mean(z)).astype(float)
        return np.eye(z.shape[1])[np.argmax(z - np.log(-np.log(u)), 1)]

    def factored(self):
        return [layer for layer in self.layers if isinstance(layer, (Dense, Conv))]

    def parameters(self):
        parts = []
        for layer in self.layers:
            if isinstance(layer, Gain):
                parts.append(layer.gain)
            elif isinstance(layer, (Dense, Conv)):
                parts += [layer.weight] + ([layer.bias] if layer.bias is not None else [])
        return np.concatenate([p.ravel() for p in parts])


def damped(factor, ridge):
    return np.linalg.inv(factor + ridge * np.eye(len(factor)))


def path(name, lr, momentum, damping, kl_clip, decay, every, inverse_every, weight_decay, adam_lr_factor):
    model, found, matrices = Model(name), [], []
    layers = model.factored()
    for layer in layers:
        layer.a, layer.g, layer.buffer = 0.0, 0.0, 0.0
    m = v = 0.0
    for t in range(1, STEPS[-1] + 1):
        rows = [((t - 1) * BATCH + i) % ROWS for i in range(BATCH)]
        z = model.outputs(rows)
        terms = model.terms(z)
        if (t - 1) % every == 0:
            model.backward(model.slope(z, model.drawn(z, t - 1)))
            part = max(1 / ((t - 1) // every + 1), 1 - decay)
            for layer in layers:
                layer.a = (1 - part) * layer.a + part * layer.rows.T @ layer.rows / len(layer.rows)
                layer.g = (1 - part) * layer.g + part * layer.slopes.T @ layer.slopes / terms
        model.backward(model.slope(z, model.y[rows]) / terms)
        along = 0.0
        for layer in layers:
            if (t - 1) % inverse_every == 0:
                pi = np.sqrt(np.mean(np.diag(layer.a)) / np.mean(np.diag(layer.g)))
                layer.a_inverse = damped(layer.a, np.sqrt(damping) * pi)
                layer.g_inverse = damped(layer.g, np.sqrt(damping) / pi)
            gradient = layer.rows.T @ layer.slopes
            layer.step = layer.a_inverse @ gradient @ layer.g_inverse
            along += np.sum(layer.step * gradient)
        part = min(1.0, np.sqrt(kl_clip / (lr ** 2 * along))) if kl_clip > 0 else 1.0
        for layer in layers:
            layer.buffer = momentum * layer.buffer + part * layer.step
            columns = layer.weight.shape[-1]
            weights = layer.weight.size // columns
            layer.weight = layer.weight - lr * (layer.buffer[:weights].reshape(layer.weight.shape)
                                                + weight_decay * layer.weight)
            if layer.bias is not None:
                layer.bias = layer.bias - lr * layer.buffer[weights]
        for layer in model.layers:
            if isinstance(layer, Gain):
                m, v = 0.9 * m + 0.1 * layer.gradient, 0.999 * v + 0.001 * layer.gradient ** 2
                step = adam_lr_factor * m / (1 - 0.9 ** t) / (np.sqrt(v) / np.sqrt(1 - 0.999 ** t) + 1e-8)
                layer.gain = layer.gain - lr * (step + weight_decay * layer.gain)
        if t in STEPS:
            found.append(model.parameters().tolist())
        if t in (STEPS[0], STEPS[-1]):
            kinds = {"input_factor": [l.a for l in layers], "output_factor": [l.g for l in layers],
                     "input_inverse": [l.a_inverse for l in layers], "output_inverse": [l.g_inverse for l in layers]}
            matrices.append({k: np.concatenate([m.ravel() for m in of]).tolist() for k, of in kinds.items()})
    return {"x": found, "matrices": matrices}


if __name__ == "__main__":
    cases = []
    for name, options in [
            ("mlp", dict(lr=0.1, momentum=0.0, damping=0.1, kl_clip=0.0, decay=0.9, every=1, inverse_every=1,
                         weight_decay=0.0, adam_lr_factor=0.1)),
            ("mlp", dict(lr=0.05, momentum=0.9, damping=0.01, kl_clip=0.001, decay=0.75, every=3, inverse_every=4,
                         weight_decay=0.01, adam_lr_factor=0.1)),
            ("squares", dict(lr=0.05, momentum=0.9, damping=0.05, kl_clip=0.001, decay=0.75, every=3, inverse_every=4,
                             weight_decay=0.01, adam_lr_factor=0.1)),
            ("counts", dict(lr=0.05, momentum=0.5, damping=0.1, kl_clip=0.01, decay=0.9, every=2, inverse_every=3,
                            weight_decay=0.0, adam_lr_factor=0.1)),
            ("conv", dict(lr=0.05, momentum=0.5, damping=0.1, kl_clip=0.01, decay=0.9, every=2, inverse_every=5,
                          weight_decay=0.02, adam_lr_factor=0.2))]:
        cases.append({"model": name, "options": options, **path(name, **options)})
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "kfac.json"), "w") as file:
        file.write('{"steps": %s, "cases": [\n' % STEPS + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n")
