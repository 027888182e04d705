#!/usr/bin/env python3
"""The workloads of bench/device.cpp in PyTorch: device_torch.py WORKLOAD [--device cuda] [--tf32] [--seconds 2] [--small].
Prints a line of JSON: microseconds per step, and the peak of the GPU's memory.

Each workload is tried in several forms, and the fastest is printed. On a GPU, a small step is captured as one CUDA graph;
models of text and ResNet are compiled with CUDA graphs, and the optimizer is fused.
"""
import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("workload")
parser.add_argument("--device", default="cpu")
parser.add_argument("--tf32", action="store_true")
parser.add_argument("--seconds", type=float, default=2)
parser.add_argument("--small", action="store_true")
ARGS = parser.parse_args()
GPU = ARGS.device != "cpu"
DEVICE = torch.device(ARGS.device)
SMALL = ARGS.small
BATCHES = 16


def attention(q, k, v):
    """Causal attention. PyTorch has a fused one from version 2 on."""
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    size = q.shape[-2]
    later = torch.triu(torch.ones(size, size, dtype=torch.bool, device=q.device), 1)
    return ((q @ k.transpose(2, 3)) / q.shape[-1] ** 0.5).masked_fill(later, float("-inf")).softmax(-1) @ v


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.hidden, self.project = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):  # (batch, time, width)
        batch, time_, width = x.shape
        q, k, v = (t.view(batch, time_, self.heads, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(width, -1))
        y = attention(q, k, v)
        x = x + self.output(y.transpose(1, 2).reshape(batch, time_, width))
        return x + self.project(F.gelu(self.hidden(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, layers, width, heads, context, vocabulary):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks, self.norm = nn.Sequential(*[Block(width, heads) for _ in range(layers)]), nn.LayerNorm(width)

    def forward(self, tokens):
        return F.linear(self.norm(self.blocks(self.tokens(tokens) + self.positions.weight)), self.tokens.weight)


def conv(inputs, outputs, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.inner = nn.Sequential(conv(inputs, width, 3, stride), nn.ReLU(), conv(width, width))
        self.around = conv(inputs, width, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        return F.relu(self.inner(x) + self.around(x))


def resnet18(width):
    layers, inputs = [conv(3, width), nn.ReLU()], width
    for stage in range(4):
        for block in range(2):
            layers.append(Residual(inputs, width * 2**stage, 2 if stage > 0 and block == 0 else 1))
            inputs = width * 2**stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def mlp_model():
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn_model():
    return nn.Sequential(conv(1, 32), nn.ReLU(), nn.MaxPool2d(2), conv(32, 64), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10))


def rows(row, batch, classes):
    return torch.randn(BATCHES * batch, *row, device=DEVICE), torch.randint(0, classes, (BATCHES * batch,), device=DEVICE)


def adam(parameters):
    return torch.optim.Adam(parameters, fused=GPU, capturable=GPU)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-3, **({"fused": True, "capturable": True} if GPU else {}))


def sgd(parameters):
    return torch.optim.SGD(parameters, 0.1, momentum=0.9, **({"fused": True} if GPU else {}))


def token_loss(logits, target):
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1))


class Work:
    def __init__(self, model, loss, optimizer, data, batch, bf16=False, clip=False, compiled=False):
        self.model, self.loss, self.make_optimizer, self.data, self.batch = model, loss, optimizer, data, batch
        self.bf16, self.clip, self.compiled = bf16, clip, compiled


def text(vocabulary, batch, layers, width, heads, context, bf16):
    model = lambda: Gpt(layers, width, heads, context, vocabulary)
    data = tuple(torch.randint(0, vocabulary, (BATCHES * batch, context), device=DEVICE) for _ in range(2))
    return Work(model, token_loss, adamw, data, batch, bf16=bf16, clip=True, compiled=True)


def logistic(batch):
    x, y = rows((57,), batch, 2)
    return Work(lambda: nn.Linear(57, 1), F.binary_cross_entropy_with_logits, adam, (x, y.float()[:, None]), batch)


WORK = {
    "logistic_64": lambda: logistic(64),
    "mlp_64": lambda: Work(mlp_model, F.cross_entropy, adam, rows((784,), 64, 10), 64),
    "mlp_1024": lambda: Work(mlp_model, F.cross_entropy, adam, rows((784,), 128 if SMALL else 1024, 10), 128 if SMALL else 1024),
    "cnn_64": lambda: Work(cnn_model, F.cross_entropy, adam, rows((1, 28, 28), 4 if SMALL else 64, 10), 4 if SMALL else 64),
    "cnn_512": lambda: Work(cnn_model, F.cross_entropy, adam, rows((1, 28, 28), 8 if SMALL else 512, 10), 8 if SMALL else 512),
    "gpt": lambda: text(256, 1 if SMALL else 8, 1 if SMALL else 6, 256, 8, 128, False),
    "gpt2": lambda: text(512, 2, 1, 32, 2, 16, True) if SMALL else text(50257, 32, 12, 768, 12, 1024, True),
    "resnet18": lambda: Work(lambda: resnet18(4 if SMALL else 64), F.cross_entropy, sgd,
                             rows((3, 32, 32), 4 if SMALL else 512, 10), 4 if SMALL else 512, bf16=True, compiled=True),
}


def wait():
    if GPU:
        torch.cuda.synchronize()


def seconds_a_step(step, least=3):
    """The mean time of a step over ARGS.seconds; earlier steps compile and record."""
    for _ in range(2 * BATCHES if GPU else 2):
        step()
    wait()
    count, begin = 0, time.perf_counter()
    while count < least or time.perf_counter() - begin < ARGS.seconds:
        for _ in range(BATCHES if GPU else 1):
            step()
        wait()
        count += BATCHES if GPU else 1
    return (time.perf_counter() - begin) / count


def stepper(work, layout, compile_it):
    """A step whose tensors keep their addresses, as a CUDA graph needs it."""
    torch.manual_seed(1)
    model = work.model().to(DEVICE)
    if work.data[0].dim() == 4:
        model = model.to(memory_format=layout)
    optimizer = work.make_optimizer(model.parameters())
    forward = torch.compile(model, mode="reduce-overhead" if GPU else "default") if compile_it else model
    x, y = (column[: work.batch].clone() for column in work.data)
    if x.dim() == 4:
        x = x.contiguous(memory_format=layout)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=work.bf16):
            loss = work.loss(forward(x), y)
        loss.backward()
        if work.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step, (x, y)


def next_rows(work, held):
    """Copies the rows of the next batch into the tensors that the step reads."""
    state = {"at": 0}

    def take():
        begin = state["at"] * work.batch
        for to, column in zip(held, work.data):
            to.copy_(column[begin : begin + work.batch])
        state["at"] = (state["at"] + 1) % BATCHES

    return take


def captured(step):
    """The step as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def forms(work):
    """The forms of a step: name, layout of images, compiled, captured."""
    layouts = [("", torch.contiguous_format)]
    if work.data[0].dim() == 4:
        layouts.append((" channels last", torch.channels_last))
    for name, layout in layouts:
        if not GPU:
            yield "eager" + name, layout, False, False
        elif work.compiled:
            yield "compiled, graphs" + name, layout, True, False
        else:
            yield "one CUDA graph" + name, layout, False, True


def training(work):
    best = {}
    for name, layout, compile_it, capture in forms(work):
        try:
            step, held = stepper(work, layout, compile_it)
            take = next_rows(work, held)
            if GPU:
                torch.cuda.reset_peak_memory_stats()
            run = captured(step) if capture else step
            seconds = seconds_a_step(lambda: (take(), run()))
        except (RuntimeError, NotImplementedError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        if not best or 1e6 * seconds < best["us"]:
            best = {"us": 1e6 * seconds, "form": name, "bytes": torch.cuda.max_memory_allocated() if GPU else 0}
    return best


def gpt2_parameters():
    model = WORK["gpt2"]().model().to(DEVICE)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    return model


def update(make):
    model = gpt2_parameters()
    optimizers = make(model)
    return {"us": 1e6 * seconds_a_step(lambda: [o.step() for o in optimizers]),
            "parameters": sum(p.numel() for p in model.parameters())}


def muon(model):
    if not hasattr(torch.optim, "Muon"):
        sys.exit("this PyTorch has no Muon")
    inner = {id(p) for p in model.blocks.parameters() if p.dim() == 2}
    matrices = [p for p in model.parameters() if id(p) in inner]
    others = [p for p in model.parameters() if id(p) not in inner]
    return [torch.optim.Muon(matrices, lr=1e-3), adamw(others)]


def copy():
    size = 1 << (20 if SMALL else 30)
    a, b = torch.zeros(size, dtype=torch.uint8, device=DEVICE), torch.empty(size, dtype=torch.uint8, device=DEVICE)
    return {"us": 1e6 * seconds_a_step(lambda: b.copy_(a)), "moved": 2 * size}


def main():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = ARGS.tf32
    torch.backends.cudnn.benchmark = True
    if ARGS.workload == "copy":
        result = copy()
    elif ARGS.workload == "adamw":
        result = update(lambda model: [adamw(model.parameters())])
    elif ARGS.workload == "muon":
        result = update(muon)
    else:
        result = training(WORK[ARGS.workload]())
    if not result:
        sys.exit("no form of it ran")
    print(json.dumps({"workload": ARGS.workload, "versions": f"PyTorch {torch.__version__}", **result}))


main()
