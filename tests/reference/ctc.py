#!/usr/bin/python3
"""Writes ctc.json: losses of connectionist temporal classification and their gradients by the logits, computed by PyTorch on a
CPU in f64 and f32. Made with PyTorch 1.13.1 (Debian's python3-torch). The logits are 2 sin(0.37 i + 0.05 (i^2 mod 101)) in
row-major order; the test computes the same. Of a large gradient only every 61st element is written."""
import json
import math
import os

import torch
import torch.nn.functional as F

CASES = []
KEPT, WHOLE = 61, 400


def value(i):
    return 2 * math.sin(0.37 * i + 0.05 * (i * i % 101))


def case(time, classes, labels, frames=None, blank=0, zero_infinity=False):
    """`labels` is a list with the labels of each sample."""
    batch = len(labels)
    frames = frames or [time] * batch
    lengths = [len(each) for each in labels]
    most = max(lengths + [1])
    padded = [each + [0] * (most - len(each)) for each in labels]

    def compute(dtype):
        x = torch.tensor([value(i) for i in range(batch * time * classes)], dtype=torch.float64).to(dtype)
        x = x.reshape(batch, time, classes).requires_grad_()
        losses = F.ctc_loss(F.log_softmax(x, -1).transpose(0, 1), torch.tensor(padded), torch.tensor(frames),
                            torch.tensor(lengths), blank=blank, reduction="none", zero_infinity=zero_infinity)
        (gradient,) = torch.autograd.grad(losses.sum(), x)
        return losses.detach().double(), gradient.double().ravel()

    losses, gradient = compute(torch.float64)
    narrow_losses, narrow_gradient = compute(torch.float32)
    every = 1 if gradient.numel() <= WHOLE else KEPT
    CASES.append({
        "time": time, "classes": classes, "labels": padded, "frames": frames, "lengths": lengths, "blank": blank,
        "zero_infinity": zero_infinity, "every": every, "losses": losses.tolist(), "gradient": gradient[::every].tolist(),
        # the difference between PyTorch's own f32 and f64
        "f32_loss_error": ((narrow_losses - losses).abs() / losses.clamp(min=1)).max().item(),
        "f32_gradient_error": (narrow_gradient - gradient).abs().max().item(),
    })


def spread(count, classes, start):
    return [1 + (start + 7 * i + i * i) % (classes - 1) for i in range(count)]


case(6, 4, [[1, 2, 3], [2, 2], [3]])
case(7, 5, [[1, 1, 1, 2], [4, 3, 4, 3], [2]], frames=[7, 5, 3])
case(5, 4, [[], [1]], frames=[5, 1])
case(6, 4, [[0, 1, 3], [3, 3]], blank=2)
case(6, 4, [[1, 2, 1, 2, 1, 2], [1, 1]], blank=3)
case(4, 3, [[1, 2, 1, 2, 1], [1, 1, 1], [2]], zero_infinity=True)
case(150, 29, [spread(20, 29, 3), spread(31, 29, 8), spread(1, 29, 0)], frames=[150, 120, 60])
case(600, 29, [spread(90, 29, 5)])

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ctc.json"), "w") as file:
    json.dump(CASES, file)
    file.write("\n")
