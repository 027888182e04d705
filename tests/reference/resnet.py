#!/usr/bin/python3
"""Writes resnet.json: a training of a small ResNet by AdamW in PyTorch, in f64: the initial weights, the batches, the loss of
each of 50 steps, and the running statistics after them. Made with PyTorch 1.13.1 (Debian's python3-torch)."""
import json
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(5)
BLOCKS, WIDTH, CLASSES, STEPS, LR, DECAY = (1, 2), 4, 5, 50, 3e-3, 0.05


def conv(inputs, outputs, kernel, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class Block(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.norm1 = conv(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = conv(width, width, 3), nn.BatchNorm2d(width)
        if stride != 1 or inputs != width:
            self.shortcut = nn.ModuleDict({"conv": conv(inputs, width, 1, stride), "norm": nn.BatchNorm2d(width)})

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if hasattr(self, "shortcut"):
            x = self.shortcut["norm"](self.shortcut["conv"](x))
        return F.relu(x + y)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleDict({"conv": conv(2, WIDTH, 3), "norm": nn.BatchNorm2d(WIDTH)})
        inputs = WIDTH
        for stage, count in enumerate(BLOCKS):
            width, blocks = WIDTH * 2**stage, nn.ModuleDict()
            for block in range(count):
                blocks[f"block{block + 1}"] = Block(inputs, width, 2 if stage and not block else 1)
                inputs = width
            self.add_module(f"stage{stage + 1}", blocks)
        self.output = nn.Linear(inputs, CLASSES)

    def forward(self, x):
        x = F.relu(self.stem["norm"](self.stem["conv"](x)))
        for stage in range(len(BLOCKS)):
            for block in getattr(self, f"stage{stage + 1}").values():
                x = block(x)
        return self.output(x.mean(dim=(2, 3)))


def place(name):
    """The name of a parameter or statistic in PyTorch and in Thalweg."""
    return name.replace(".", "/").replace("running_mean", "mean").replace("running_var", "variance")


def turned(tensor):
    if tensor.dim() == 4:
        return tensor.permute(2, 3, 1, 0)
    return tensor.t() if tensor.dim() == 2 else tensor


def listed(tensor):
    tensor = tensor.detach()
    return {"shape": list(tensor.shape), "values": tensor.flatten().tolist()}


def main():
    model = ResNet()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_((parameter + 0.1 * torch.randn_like(parameter)).float())  # f32 numbers, which are short in the file
    weights = {place(name): listed(turned(p)) for name, p in model.named_parameters()}
    batches = [(torch.randn(6, 2, 9, 9).float().double(), torch.randint(0, CLASSES, (6,))) for _ in range(3)]
    decayed = [p for p in model.parameters() if p.dim() > 1]
    kept = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": kept, "weight_decay": 0.0}], LR)
    losses = []
    for step in range(STEPS):
        x, y = batches[step % 3]
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    statistics = {place(name): listed(b) for name, b in model.named_buffers() if b.dim() == 1}
    model.eval()
    result = {
        "blocks": BLOCKS, "width": WIDTH, "classes": CLASSES, "lr": LR, "weight_decay": DECAY, "weights": weights,
        "batches": [{"input": listed(x.permute(0, 2, 3, 1)), "target": listed(y)} for x, y in batches],
        "losses": losses, "statistics": statistics, "logits_after": listed(model(batches[0][0])),
    }
    with open(os.path.splitext(os.path.abspath(__file__))[0] + ".json", "w") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")


main()
