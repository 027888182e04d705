#!/usr/bin/python3
"""Writes layers.json: values, gradients, and running statistics after a step of PyTorch's layers, in f64. Made with PyTorch
1.13.1 (Debian's python3-torch). Images are NCHW in PyTorch and NHWC in Thalweg; filters are (out, in, height, width) in PyTorch
and (height, width, in, out) in Thalweg."""
import json
import os

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
random = torch.Generator().manual_seed(11)
CASES = []


def numbers(*shape, scale=1.0):
    return torch.randn(*shape, generator=random) * scale


def listed(tensor):
    # 9 digits identify an f32 number; inputs are rounded to 9 digits before they are used
    return {"shape": list(tensor.shape), "values": [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]}


def exact(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{x:.12g}") for x in tensor.detach().flatten().tolist()]}


def given(tensor):
    values = listed(tensor)["values"]
    return torch.tensor(values).reshape(tensor.shape).requires_grad_()


def case(kind, options, x, compute, parameters=None, mode="train", statistics=None, integers=False):
    """`compute(x, parameters, statistics)` is the layer; it changes the statistics in place."""
    if not integers:
        x = given(x)
    parameters = {name: given(p) for name, p in (parameters or {}).items()}
    statistics = {name: given(s).detach().clone() for name, s in (statistics or {}).items()}
    before = {name: exact(s) for name, s in statistics.items()}
    y = compute(x, parameters, statistics)
    weights = given(numbers(*y.shape)).detach()
    wanted = ([] if integers else [x]) + list(parameters.values())
    found = torch.autograd.grad((y * weights).sum(), wanted) if wanted else []
    names = ([] if integers else ["x"]) + list(parameters)  # a parameter may be called "input"
    CASES.append({
        "kind": kind, "options": options, "mode": mode, "input": exact(x), "integers": integers,
        "parameters": {name: exact(p) for name, p in parameters.items()},
        "cotangent": exact(weights), "value": exact(y),
        "gradients": {name: exact(g) for name, g in zip(names, found)},
        "statistics": before, "statistics_after": {name: exact(s) for name, s in statistics.items()},
    })


def nchw(x):
    return x.movedim(-1, 1)


def nhwc(x):
    return x.movedim(1, -1)


def oihw(f):
    return f.movedim(-1, 0).movedim(-1, 1)


def conv2d(x_shape, options, filter_shape, padding, stride=1, dilation=1, groups=1, bias=True):
    parameters = {"weight": numbers(*filter_shape, scale=0.5)}
    if bias:
        parameters["bias"] = numbers(filter_shape[-1])
    case("conv2d", options, numbers(*x_shape), lambda x, p, _: nhwc(
        F.conv2d(nchw(x), oihw(p["weight"]), p.get("bias"), stride, padding, dilation, groups)), parameters)


def convolutions():
    conv2d((2, 7, 5, 3), {"filters": 4}, (3, 3, 3, 4), 1)
    conv2d((1, 9, 8, 2), {"filters": 3, "kernel": [5, 3], "stride": [2, 1], "padding": [2, 0]}, (5, 3, 2, 3), (2, 0), (2, 1))
    conv2d((3, 7, 7, 4), {"filters": 6, "kernel": 3, "dilation": 2, "groups": 2, "bias": False}, (3, 3, 2, 6), 2, 1, 2, 2,
           False)
    conv2d((2, 6, 6, 8), {"filters": 8, "groups": 8, "stride": 2}, (3, 3, 1, 8), 1, 2, 1, 8)
    conv2d((2, 5, 5, 4), {"filters": 7, "kernel": 1, "padding": "valid"}, (1, 1, 4, 7), 0)
    conv2d((1, 12, 12, 16), {"filters": 32, "stride": 2}, (3, 3, 16, 32), 1, 2)
    conv2d((2, 8, 8, 3), {"filters": 4, "kernel": 2, "stride": 2, "padding": "valid"}, (2, 2, 3, 4), 0, 2)
    for options, keywords in (({}, {"padding": 1}), ({"stride": 2, "padding": "valid"}, {"stride": 2})):
        parameters = {"weight": numbers(3, 4, 5, scale=0.5), "bias": numbers(5)}
        case("conv1d", {"filters": 5, **options}, numbers(2, 11, 4), lambda x, p, _, k=keywords: nhwc(
            F.conv1d(nchw(x), oihw(p["weight"]), p["bias"], **k)), parameters)


def transposed():
    for x_shape, filter_shape, options, keywords in (
        ((2, 4, 5, 3), (2, 2, 4, 3), {"filters": 4}, {"stride": 2}),
        ((1, 5, 4, 3), (3, 3, 2, 3), {"filters": 2, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1},
         {"stride": 2, "padding": 1, "output_padding": 1}),
        ((2, 3, 3, 4), (3, 3, 3, 4), {"filters": 6, "kernel": 3, "stride": 1, "groups": 2, "padding": "valid"},
         {"groups": 2}),
        ((1, 4, 4, 2), (3, 3, 3, 2), {"filters": 3, "kernel": 3, "stride": 1, "dilation": 2, "padding": "valid"},
         {"dilation": 2}),
    ):
        parameters = {"weight": numbers(*filter_shape, scale=0.5), "bias": numbers(options["filters"])}
        case("conv_transpose2d", options, numbers(*x_shape), lambda x, p, _, k=keywords: nhwc(
            F.conv_transpose2d(nchw(x), oihw(p["weight"]), p["bias"], **k)), parameters)


def pools():
    for kind, torch_pool in (("max_pool2d", F.max_pool2d), ("avg_pool2d", F.avg_pool2d)):
        for shape, options, keywords in (
            ((2, 6, 8, 3), {}, {"kernel_size": 2}),
            ((1, 7, 7, 2), {"window": 3, "stride": 2, "padding": 1}, {"kernel_size": 3, "stride": 2, "padding": 1}),
            ((2, 7, 5, 5), {"window": [3, 2], "stride": [2, 1]}, {"kernel_size": (3, 2), "stride": (2, 1)}),
        ):
            case(kind, options, numbers(*shape), lambda x, *_, f=torch_pool, k=keywords: nhwc(f(nchw(x), **k)))
    # of equal maxima, the first gets the gradient
    case("max_pool2d", {"window": 3, "stride": 1}, torch.randint(0, 2, (1, 6, 6, 2), generator=random) * 1.0,
         lambda x, *_: nhwc(F.max_pool2d(nchw(x), 3, 1)))
    case("max_pool1d", {"window": 3, "stride": 2}, numbers(2, 9, 4), lambda x, *_: nhwc(F.max_pool1d(nchw(x), 3, 2)))
    case("avg_pool1d", {"window": 2}, numbers(2, 9, 4), lambda x, *_: nhwc(F.avg_pool1d(nchw(x), 2)))
    case("global_avg_pool", {}, numbers(2, 5, 3, 4), lambda x, *_: x.mean(dim=(1, 2)))
    case("global_max_pool", {}, numbers(2, 5, 3, 4), lambda x, *_: x.amax(dim=(1, 2)))
    for scale in (2, 3):
        case("upsample", {"scale": scale}, numbers(2, 3, 4, 2),
             lambda x, *_, s=scale: nhwc(F.interpolate(nchw(x), scale_factor=s, mode="nearest")))
        for corners in (False, True):
            case("upsample", {"scale": scale, "mode": "bilinear", "align_corners": corners}, numbers(1, 5, 4, 3),
                 lambda x, *_, s=scale, c=corners: nhwc(
                     F.interpolate(nchw(x), scale_factor=s, mode="bilinear", align_corners=c)))


def affine(size):
    return {"weight": numbers(size) + 1, "bias": numbers(size)}


def normalisations():
    for shape in ((4, 5, 3, 6), (7, 5), (1, 4, 4, 3), (3, 6, 2)):
        for mode in ("train", "evaluate"):
            for options in ({}, {"eps": 0.01, "momentum": 0.3}):
                statistics = {"mean": numbers(shape[-1]), "variance": numbers(shape[-1]).abs() + 0.5}
                case("batch_norm", options, numbers(*shape, scale=2) + 1, lambda x, p, s, o=options, m=mode: nhwc(
                    F.batch_norm(nchw(x), s["mean"], s["variance"], p["weight"], p["bias"], m == "train",
                                 o.get("momentum", 0.1), o.get("eps", 1e-5))),
                     affine(shape[-1]), mode, statistics)
    statistics = {"mean": torch.zeros(3), "variance": torch.ones(3)}
    case("batch_norm", {"affine": False}, numbers(4, 2, 2, 3), lambda x, p, s: nhwc(
        F.batch_norm(nchw(x), s["mean"], s["variance"], training=True)), {}, "train", statistics)
    for shape in ((4, 6), (2, 3, 33), (1, 300), (2, 2, 3, 5)):
        case("layer_norm", {}, numbers(*shape, scale=2) + 1,
             lambda x, p, _: F.layer_norm(x, x.shape[-1:], p["weight"], p["bias"]), affine(shape[-1]))
        case("rms_norm", {"eps": 1e-6}, numbers(*shape, scale=2) + 1,
             lambda x, p, _: p["weight"] * x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt(),
             {"weight": numbers(shape[-1]) + 1})
    case("layer_norm", {"affine": False, "eps": 0.1}, numbers(3, 8), lambda x, *_: F.layer_norm(x, (8,), eps=0.1))
    for shape, groups in (((2, 3, 5, 8), 4), ((1, 4, 4, 6), 1), ((3, 7, 6), 3), ((4, 8), 2)):
        case("group_norm", {"groups": groups}, numbers(*shape, scale=2) + 1,
             lambda x, p, _, g=groups: nhwc(F.group_norm(nchw(x), g, p["weight"], p["bias"])), affine(shape[-1]))
    case("instance_norm", {}, numbers(2, 4, 5, 3), lambda x, *_: nhwc(F.instance_norm(nchw(x))))
    # written out, because PyTorch 1.13.1 computes wrong gradients of instance_norm if the incoming ones are not contiguous
    case("instance_norm", {"affine": True}, numbers(1, 5, 3, 4), lambda x, p, _: p["bias"] + p["weight"] * (
        x - x.mean((1, 2), keepdim=True)) / (x.var((1, 2), unbiased=False, keepdim=True) + 1e-5).sqrt(), affine(4))


def others():
    case("dense", {"units": 4}, numbers(3, 5), lambda x, p, _: x @ p["weight"] + p["bias"],
         {"weight": numbers(5, 4), "bias": numbers(4)})
    case("dense", {"units": 1, "bias": False}, numbers(1, 7), lambda x, p, _: x @ p["weight"], {"weight": numbers(7, 1)})
    case("embedding", {"count": 6, "width": 3}, torch.randint(0, 6, (2, 5), generator=random),
         lambda x, p, _: F.embedding(x, p["table"]), {"table": numbers(6, 3)}, integers=True)
    case("flatten", {}, numbers(2, 3, 4, 2), lambda x, *_: x.flatten(1))
    case("activation", {"of": "gelu"}, numbers(3, 4), lambda x, *_: F.gelu(x))
    case("dropout", {"rate": 0.3}, numbers(3, 4), lambda x, *_: F.dropout(x, 0.3, training=False), mode="evaluate")
    case("residual", {"layers": [{"kind": "dense", "units": 4}, {"kind": "activation", "of": "tanh"}]}, numbers(3, 4),
         lambda x, p, _: x + torch.tanh(x @ p["layer1/weight"] + p["layer1/bias"]),
         {"layer1/weight": numbers(4, 4), "layer1/bias": numbers(4)})
    case("residual", {"layers": [{"kind": "dense", "units": 2}], "shortcut": [{"kind": "dense", "units": 2, "bias": False}]},
         numbers(3, 4), lambda x, p, _: x @ p["layer1/weight"] + p["layer1/bias"] + x @ p["shortcut/layer1/weight"],
         {"layer1/weight": numbers(4, 2), "layer1/bias": numbers(2), "shortcut/layer1/weight": numbers(4, 2)})


def heads_of(x, heads):
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def attention(x, p, heads, causal):
    q, k, v = (heads_of(t, heads) for t in (x @ p["qkv/weight"] + p["qkv/bias"]).split(x.shape[2], -1))
    scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5
    if causal:
        scores = scores.masked_fill(torch.triu(torch.ones(scores.shape[-2:], dtype=torch.bool), 1), -torch.inf)
    y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
    return y @ p["output/weight"] + p["output/bias"]


def lstm(x, p):
    units, ys = p["recurrent"].shape[0], []
    h = c = torch.zeros(x.shape[0], units)
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ p["input"] + h @ p["recurrent"] + p["bias"]).split(units, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        ys.append(h)
    return torch.stack(ys, 1)


def gru(x, p):
    units, ys = p["recurrent"].shape[0], []
    h = torch.zeros(x.shape[0], units)
    for t in range(x.shape[1]):
        a, b = x[:, t] @ p["input"] + p["bias"], h @ p["recurrent"]
        r, z = torch.sigmoid((a + b)[:, :2 * units]).split(units, -1)
        n = torch.tanh(a[:, 2 * units:] + r * (b[:, 2 * units:] + p["candidate_bias"]))
        h = (1 - z) * n + z * h
        ys.append(h)
    return torch.stack(ys, 1)


def sines(time, width):
    angles = torch.arange(time)[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)


def sequences():
    for batch, time, causal in ((2, 5, True), (1, 3, False)):
        case("attention", {"heads": 2, "causal": causal}, numbers(batch, time, 6),
             lambda x, p, _, causal=causal: attention(x, p, 2, causal),
             {"qkv/weight": numbers(6, 18, scale=0.5), "qkv/bias": numbers(18), "output/weight": numbers(6, 6),
              "output/bias": numbers(6)})
    case("feed_forward", {"hidden": 7}, numbers(2, 3, 4),
         lambda x, p, _: F.gelu(x @ p["hidden/weight"] + p["hidden/bias"], approximate="tanh") @ p["output/weight"] + p["output/bias"],
         {"hidden/weight": numbers(4, 7), "hidden/bias": numbers(7), "output/weight": numbers(7, 4), "output/bias": numbers(4)})
    gates = {"input": numbers(3, 20, scale=0.5), "recurrent": numbers(5, 20, scale=0.5), "bias": numbers(20)}
    case("lstm", {"units": 5}, numbers(2, 4, 3), lambda x, p, _: lstm(x, p), gates)
    case("lstm", {"units": 5, "last": True}, numbers(1, 6, 3), lambda x, p, _: lstm(x, p)[:, -1], gates)
    case("gru", {"units": 5}, numbers(2, 4, 3), lambda x, p, _: gru(x, p),
         {"input": numbers(3, 15, scale=0.5), "recurrent": numbers(5, 15, scale=0.5), "bias": numbers(15), "candidate_bias": numbers(5)})
    case("positions", {}, numbers(2, 4, 6), lambda x, p, _: x + p["table"], {"table": numbers(4, 6)})
    case("positions", {"of": "sinusoidal"}, numbers(2, 4, 6), lambda x, *_: x + sines(4, 6))
    case("reshape", {"shape": [4, 3]}, numbers(2, 2, 6), lambda x, *_: x.reshape(2, 4, 3))


convolutions()
transposed()
pools()
normalisations()
others()
sequences()
with open(os.path.splitext(os.path.abspath(__file__))[0] + ".json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in CASES) + "\n]\n")
