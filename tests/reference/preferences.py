#!/usr/bin/python3
"""Writes preferences.json: losses of tuning on preferences and their gradients by the parameters of a small gpt, computed by
PyTorch in f64. Made with PyTorch 1.13.1 (Debian's python3-torch).

The gpt has 6 tokens, one block of width 8 with two heads, and 8 learned positions. Element i of the parameter with number p in
the order of names is scale sin(0.7 i + p + shift). The scale is 0.4 for matrices and 0.1 for vectors; weights of norms have 1
added. The shift is 0 for the policy and 0.5 for the reference policy. The test computes the same."""
import json
import math
import os

import torch
import torch.nn.functional as F

TOKENS, WIDTH, HEADS, CONTEXT = 6, 8, 2, 8
CHOSEN, REJECTED = [[1, 2, 3, 4, 1, 0], [1, 5, 2, 2, 3, 4]], [[1, 2, 5, 1, 0, 0], [1, 5, 4, 3, 3, 1]]
CHOSEN_COUNT, REJECTED_COUNT, PROMPT = [5, 6], [4, 6], [2, 2]
BETA, LIKELIHOOD, LANGUAGE, CLIP, VALUE = 0.3, 0.2, 0.5, 0.2, 0.1
SHAPES = {
    "block1/attention/output/bias": [WIDTH], "block1/attention/output/weight": [WIDTH, WIDTH],
    "block1/attention/qkv/bias": [3 * WIDTH], "block1/attention/qkv/weight": [WIDTH, 3 * WIDTH],
    "block1/feed_forward/hidden/bias": [4 * WIDTH], "block1/feed_forward/hidden/weight": [WIDTH, 4 * WIDTH],
    "block1/feed_forward/output/bias": [WIDTH], "block1/feed_forward/output/weight": [4 * WIDTH, WIDTH],
    "block1/norm1/bias": [WIDTH], "block1/norm1/weight": [WIDTH], "block1/norm2/bias": [WIDTH],
    "block1/norm2/weight": [WIDTH], "norm/bias": [WIDTH], "norm/weight": [WIDTH], "positions/table": [CONTEXT, WIDTH],
    "tokens/table": [TOKENS, WIDTH]}


def values(shape, number, shift, norm=False):
    size = math.prod(shape)
    scale = 0.4 if len(shape) > 1 else 0.1
    own = [scale * math.sin(0.7 * i + number + shift) + (1 if norm else 0) for i in range(size)]
    return torch.tensor(own, dtype=torch.float64).reshape(shape)


def parameters(shift, more=()):
    shapes = {**SHAPES, **dict(more)}
    return {name: values(shape, number, shift, "norm" in name and name.endswith("weight")).requires_grad_()
            for number, (name, shape) in enumerate(sorted(shapes.items()))}


def norm(p, name, x):
    return F.layer_norm(x, (WIDTH,), p[name + "/weight"], p[name + "/bias"])


def dense(p, name, x):
    return x @ p[name + "/weight"] + p[name + "/bias"]


def read(p, tokens):
    batch, time = tokens.shape
    x = p["tokens/table"][tokens] + p["positions/table"][:time]
    q, k, v = dense(p, "block1/attention/qkv", norm(p, "block1/norm1", x)).reshape(
        batch, time, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
    scores = scores.masked_fill(torch.ones(time, time).triu(1).bool(), -math.inf)
    seen = (scores.softmax(-1) @ v).permute(0, 2, 1, 3).reshape(batch, time, WIDTH)
    x = x + dense(p, "block1/attention/output", seen)
    h = F.gelu(dense(p, "block1/feed_forward/hidden", norm(p, "block1/norm2", x)), approximate="tanh")
    x = x + dense(p, "block1/feed_forward/output", h)
    return norm(p, "norm", x)


def log_probabilities(p, tokens):
    logits = read(p, tokens) @ p["tokens/table"].T
    return logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]


def written(prompt, count, length):
    places = torch.arange(1, length)
    return ((places >= torch.tensor(prompt)[:, None]) & (places < torch.tensor(count)[:, None])).double()


def dpo():
    p, q = parameters(0), parameters(0.5)
    sums, surprise = [], None
    for side, count in ((CHOSEN, CHOSEN_COUNT), (REJECTED, REJECTED_COUNT)):
        tokens, mask = torch.tensor(side), written(PROMPT, count, len(side[0]))
        own = (log_probabilities(p, tokens) * mask).sum(-1)
        sums.append(own - (log_probabilities(q, tokens) * mask).sum(-1).detach())
        if surprise is None:
            surprise = -own / mask.sum(-1)
    loss = (-F.logsigmoid(BETA * (sums[0] - sums[1])) + LIKELIHOOD * surprise).mean()
    return loss, p


def reward():
    p = {name: own for name, own in parameters(0, [("zhead", [WIDTH, 1])]).items()}
    scores, surprise = [], 0
    for side, count in ((CHOSEN, CHOSEN_COUNT), (REJECTED, REJECTED_COUNT)):
        tokens = torch.tensor(side)
        counts = (torch.arange(tokens.shape[1]) < torch.tensor(count)[:, None]).double()
        mean = (read(p, tokens) * counts[..., None]).sum(1) / counts.sum(-1, keepdim=True)
        scores.append((mean @ p["zhead"])[:, 0])
        mask = written([1, 1], count, tokens.shape[1])
        surprise = surprise - (log_probabilities(p, tokens) * mask).sum(-1) / mask.sum(-1) / 2
    loss = (-F.logsigmoid(scores[0] - scores[1]) + LANGUAGE * surprise).mean()
    return loss, p


def ppo():
    p = parameters(0, [("zvalue/bias", [1]), ("zvalue/weight", [WIDTH, 1])])
    tokens = torch.tensor(CHOSEN)
    mask = written(PROMPT, CHOSEN_COUNT, tokens.shape[1])
    places = mask.shape[1]
    column = lambda a, b: torch.tensor([[a * math.sin(b + row * places + i) for i in range(places)] for row in range(2)],
                                       dtype=torch.float64)
    before, advantage, returns = column(0.3, 1) - 1.8, column(1.0, 2), column(0.5, 3)
    ratio = (log_probabilities(p, tokens) - before).exp()
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
    value = (read(p, tokens) @ p["zvalue/weight"] + p["zvalue/bias"])[:, :-1, 0]
    loss = ((VALUE * (value - returns) ** 2 / 2 - gain) * mask).sum() / mask.sum()
    return loss, p


def main():
    cases = []
    for name, made in (("dpo", dpo()), ("reward", reward()), ("ppo_text", ppo())):
        loss, p = made
        loss.backward()
        cases.append({"name": name, "loss": loss.item(),
                      "gradients": {key: own.grad.ravel().tolist() for key, own in p.items()}})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "preferences.json")
    with open(path, "w") as file:
        json.dump(cases, file)
        file.write("\n")


main()
