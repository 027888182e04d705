#!/usr/bin/env python3
"""The small workloads of bench/device.cpp in JAX: device_jax.py logistic_64|mlp_64|mlp_1024 [--device cuda] [--tf32]
[--seconds 2] [--small]. The whole step, with Adam, is one jitted function, whose results are the arguments of the next
call. Prints a line of JSON: microseconds per step."""
import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("workload", choices=["logistic_64", "mlp_64", "mlp_1024"])
parser.add_argument("--device", default="cpu")
parser.add_argument("--tf32", action="store_true")
parser.add_argument("--seconds", type=float, default=2)
parser.add_argument("--small", action="store_true")
ARGS = parser.parse_args()
os.environ.setdefault("JAX_PLATFORMS", "cpu" if ARGS.device == "cpu" else "cuda")

import jax
import jax.numpy as jnp

BATCHES = 16
BATCH = 64 if ARGS.workload.endswith("_64") else 128 if ARGS.small else 1024
SIZES = [57, 1] if ARGS.workload == "logistic_64" else [784, 256, 128, 10]


def initial(key):
    layers = []
    for inputs, outputs in zip(SIZES, SIZES[1:]):
        key, own = jax.random.split(key)
        layers.append((jax.random.normal(own, (inputs, outputs)) / inputs**0.5, jnp.zeros(outputs)))
    return layers


def loss(layers, x, y):
    for w, b in layers[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = layers[-1]
    logits = x @ w + b
    if len(layers) == 1:
        z = logits[:, 0]
        return jnp.mean(jax.nn.softplus(z) - z * y)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))


def step(state, x, y):
    layers, means, squares, count = state
    value, gradient = jax.value_and_grad(loss)(layers, x, y)
    count += 1
    means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradient)
    squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, gradient)
    c1, c2 = 1 - 0.9**count, 1 - 0.999**count
    layers = jax.tree.map(lambda p, m, v: p - 1e-3 * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), layers, means, squares)
    return (layers, means, squares, count), value


def main():
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if ARGS.tf32 else "highest")
    key = jax.random.key(1)
    layers = initial(key)
    zeros = jax.tree.map(jnp.zeros_like, layers)
    state = (layers, zeros, jax.tree.map(jnp.zeros_like, layers), jnp.float32(0))
    x = jax.random.normal(key, (BATCHES, BATCH, SIZES[0]))
    y = jax.random.randint(key, (BATCHES, BATCH), 0, 2 if len(SIZES) == 2 else 10)
    rows = [(x[i], y[i].astype(jnp.float32) if len(SIZES) == 2 else y[i]) for i in range(BATCHES)]
    jitted = jax.jit(step, donate_argnums=0)
    for batch in rows:
        state, value = jitted(state, *batch)
    value.block_until_ready()
    count, begin = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - begin < ARGS.seconds:
        for batch in rows:
            state, value = jitted(state, *batch)
        value.block_until_ready()
        count += BATCHES
    microseconds = 1e6 * (time.perf_counter() - begin) / count
    print(json.dumps({"workload": ARGS.workload, "versions": f"JAX {jax.__version__}", "us": microseconds}))


main()
