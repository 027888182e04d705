#!/usr/bin/python3
"""Writes sequence.json: layers of sequences, computed by PyTorch in f64, with the gradients of sum(output * weights) by the
input and by every parameter, with names and layouts as in Thalweg; and a small GPT with its losses in 50 steps of AdamW. Made
with PyTorch 1.13.1 (Debian's python3-torch)."""
import json
import math
import os

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(11)
CASES = []


def numbers(*shape, scale=0.5):
    """Random numbers that are exact in f32, so that both sides start from the same values."""
    return (torch.randn(*shape) * scale).float().double()


def out(tensor):
    return {"shape": list(tensor.shape), "values": [float("%.8g" % v) for v in tensor.detach().flatten().tolist()]}


def case(layer, options, inputs, parameters, output, integers=()):
    """`parameters` maps Thalweg's names to (PyTorch's tensor, function from PyTorch's layout to Thalweg's)."""
    weights = numbers(*output.shape)
    leaves = [x for x in inputs.values() if x.requires_grad] + [leaf for leaf, _ in parameters.values()]
    gradients = dict(zip(map(id, leaves), torch.autograd.grad((output * weights).sum(), leaves)))
    CASES.append({
        "layer": layer,
        "options": options,
        "inputs": {name: out(x) for name, x in inputs.items()},
        "integers": list(integers),
        "parameters": {name: out(turn(leaf)) for name, (leaf, turn) in parameters.items()},
        "weights": out(weights),
        "output": out(output),
        "input_gradients": {n: out(gradients[id(x)]) for n, x in inputs.items() if x.requires_grad},
        "gradients": {name: out(turn(gradients[id(leaf)])) for name, (leaf, turn) in parameters.items()},
    })


def randomised(module):
    for p in module.parameters():
        p.data = numbers(*p.shape)
    return module


def same(x):
    return x


def transposed(x):
    return x.t()


def attention(batch, time, features, heads, causal, lengths):
    m = randomised(torch.nn.MultiheadAttention(features, heads, batch_first=True))
    x = numbers(batch, time, features).requires_grad_()
    mask = torch.triu(torch.ones(time, time, dtype=torch.bool), 1) if causal else None
    padding = torch.arange(time)[None] >= torch.tensor(lengths)[:, None] if lengths else None
    y, _ = m(x, x, x, attn_mask=mask, key_padding_mask=padding, need_weights=False)
    case("multi_head_attention", {"heads": heads, "causal": causal, "lengths": lengths or []}, {"x": x},
         {"qkv/weight": (m.in_proj_weight, transposed), "qkv/bias": (m.in_proj_bias, same),
          "output/weight": (m.out_proj.weight, transposed), "output/bias": (m.out_proj.bias, same)}, y)


def cross_attention():
    m = randomised(torch.nn.MultiheadAttention(6, 3, batch_first=True))
    x, memory = numbers(2, 4, 6).requires_grad_(), numbers(2, 7, 6).requires_grad_()
    y, _ = m(x, memory, memory, need_weights=False)
    case("multi_head_cross_attention", {"heads": 3}, {"x": x, "memory": memory},
         {"q/weight": (m.in_proj_weight, lambda w: w[:6].t()), "q/bias": (m.in_proj_bias, lambda b: b[:6]),
          "kv/weight": (m.in_proj_weight, lambda w: w[6:].t()), "kv/bias": (m.in_proj_bias, lambda b: b[6:]),
          "output/weight": (m.out_proj.weight, transposed), "output/bias": (m.out_proj.bias, same)}, y)


def feed_forward():
    x = numbers(2, 3, 4).requires_grad_()
    a, b = randomised(torch.nn.Linear(4, 9)), randomised(torch.nn.Linear(9, 4))
    case("feed_forward", {"kind": "gelu", "hidden": 9}, {"x": x},
         {"hidden/weight": (a.weight, transposed), "hidden/bias": (a.bias, same),
          "output/weight": (b.weight, transposed), "output/bias": (b.bias, same)},
         b(F.gelu(a(x), approximate="tanh")))
    a, b = randomised(torch.nn.Linear(4, 10, bias=False)), randomised(torch.nn.Linear(5, 4, bias=False))
    gate, value = a(x).split(5, -1)
    case("feed_forward", {"kind": "swiglu", "hidden": 5}, {"x": x},
         {"hidden/weight": (a.weight, transposed), "output/weight": (b.weight, transposed)}, b(F.silu(gate) * value))


def recurrent(batch, time, features, units):
    x = numbers(batch, time, features).requires_grad_()
    h, c = numbers(batch, units).requires_grad_(), numbers(batch, units).requires_grad_()
    m = randomised(torch.nn.LSTM(features, units, batch_first=True))
    m.bias_hh_l0.data.zero_()
    y, _ = m(x, (h[None], c[None]))
    case("lstm", {"units": units}, {"x": x, "h": h, "c": c},
         {"input": (m.weight_ih_l0, transposed), "recurrent": (m.weight_hh_l0, transposed),
          "bias": (m.bias_ih_l0, same)}, y)
    m = randomised(torch.nn.GRU(features, units, batch_first=True))
    m.bias_hh_l0.data[:2 * units] = 0
    y, _ = m(x, h[None])
    case("gru", {"units": units}, {"x": x, "h": h},
         {"input": (m.weight_ih_l0, transposed), "recurrent": (m.weight_hh_l0, transposed),
          "bias": (m.bias_ih_l0, same), "candidate_bias": (m.bias_hh_l0, lambda b: b[2 * units:])}, y)


def rotated(x):
    """x (batch, time, heads, width) with the pairs (i, i + width / 2) rotated by position * 10000^(-2 i / width)."""
    time, width = x.shape[1], x.shape[3]
    angles = torch.arange(time)[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
    cosine, sine = angles.cos()[:, None], angles.sin()[:, None]
    a, b = x[..., :width // 2], x[..., width // 2:]
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)


class Gpt(torch.nn.Module):
    def __init__(self, o, vocabulary):
        super().__init__()
        self.o, self.p = o, torch.nn.ParameterDict()
        width = o["width"]
        hidden = o["hidden"]

        def add(name, *shape, scale=0.3, shift=0.0):
            self.p[name.replace("/", "_")] = torch.nn.Parameter(numbers(*shape, scale=scale) + shift)
            self.names.append((name, shape))

        self.names = []
        add("tokens/table", vocabulary, width)
        if o["positions"] == "learned":
            add("positions/table", o["context"], width)
        for k in range(o["layers"]):
            block = "block%d/" % (k + 1)
            bias = o["feed_forward"] == "gelu"
            for name, rows, columns, has_bias in (
                    ("attention/qkv", width, 3 * width, True), ("attention/output", width, width, True),
                    ("feed_forward/hidden", width, hidden if bias else 2 * hidden, bias),
                    ("feed_forward/output", hidden, width, bias)):
                add(block + name + "/weight", rows, columns)
                if has_bias:
                    add(block + name + "/bias", columns, scale=0.1)
            for norm in ("norm1", "norm2"):
                add(block + norm + "/weight", width, scale=0.1, shift=1.0)
                add(block + norm + "/bias", width, scale=0.1)
        add("norm/weight", width, scale=0.1, shift=1.0)
        add("norm/bias", width, scale=0.1)
        if not o["tied"]:
            add("output/weight", width, vocabulary)

    def get(self, name):
        return self.p[name.replace("/", "_")]

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.get(name + "/weight"), self.get(name + "/bias"))

    def attention(self, block, x):
        batch, time, width = x.shape
        heads = self.o["heads"]
        qkv = x @ self.get(block + "attention/qkv/weight") + self.get(block + "attention/qkv/bias")
        q, k, v = (t.reshape(batch, time, heads, width // heads) for t in qkv.split(width, -1))
        if self.o["positions"] == "rotary":
            q, k = rotated(q), rotated(k)
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        scores = q @ k.transpose(2, 3) / math.sqrt(width // heads)
        scores = scores.masked_fill(torch.triu(torch.ones(time, time, dtype=torch.bool), 1), -math.inf)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, time, width)
        return y @ self.get(block + "attention/output/weight") + self.get(block + "attention/output/bias")

    def feed_forward(self, block, x):
        h = x @ self.get(block + "feed_forward/hidden/weight")
        if self.o["feed_forward"] == "gelu":
            h = F.gelu(h + self.get(block + "feed_forward/hidden/bias"), approximate="tanh")
            return h @ self.get(block + "feed_forward/output/weight") + self.get(block + "feed_forward/output/bias")
        gate, value = h.split(self.o["hidden"], -1)
        return (F.silu(gate) * value) @ self.get(block + "feed_forward/output/weight")

    def forward(self, tokens):
        x = self.get("tokens/table")[tokens]
        if self.o["positions"] == "learned":
            x = x + self.get("positions/table")[:tokens.shape[1]]
        for k in range(self.o["layers"]):
            block = "block%d/" % (k + 1)
            x = x + self.attention(block, self.norm(block + "norm1", x))
            x = x + self.feed_forward(block, self.norm(block + "norm2", x))
        x = self.norm("norm", x)
        return x @ (self.get("tokens/table").t() if self.o["tied"] else self.get("output/weight"))


def gpt(options, steps):
    vocabulary, batch, time = 11, 4, 12
    model = Gpt(options, vocabulary)
    text = torch.randint(0, vocabulary, (batch, time + 1))
    initial = {name: out(model.get(name)) for name, _ in model.names}
    plain = [model.get(n) for n, shape in model.names if len(shape) == 1]
    decayed = [model.get(n) for n, shape in model.names if len(shape) > 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
                                  lr=3e-3)
    losses = []
    for _ in range(steps + 1):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(text[:, :-1]).reshape(-1, vocabulary), text[:, 1:].reshape(-1))
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return {"options": options, "vocabulary": vocabulary, "text": text.tolist(), "parameters": initial, "losses": losses}


for causal in (False, True):
    attention(2, 5, 6, 2, causal, None)
attention(3, 7, 8, 4, True, [7, 3, 1])
attention(1, 1, 4, 1, True, None)
cross_attention()
feed_forward()
recurrent(2, 6, 3, 5)
recurrent(1, 1, 2, 1)
base = {"layers": 2, "width": 8, "heads": 2, "context": 12, "hidden": 32, "feed_forward": "gelu", "positions": "learned",
        "tied": True}
models = [gpt(base, 50), gpt({**base, "feed_forward": "swiglu", "hidden": 20, "positions": "rotary", "tied": False}, 50)]
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sequence.json")
with open(path, "w") as file:
    json.dump({"cases": CASES, "gpt": models}, file, separators=(",", ":"))
    file.write("\n")
