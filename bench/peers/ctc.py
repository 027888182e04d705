#!/usr/bin/python3
"""The batches of bench/ctc.cpp in PyTorch: ctc.py letters|pieces [THREADS]. Prints the median time of loss and gradient,
log_softmax included."""
import statistics
import sys
import time

import torch
import torch.nn.functional as F

BATCH, TIME, CLASSES, LABELS = {"letters": (16, 200, 29, 40), "pieces": (16, 400, 500, 60)}[sys.argv[1]]
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
STEPS = 31


def main():
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    logits = torch.randn(TIME, BATCH, CLASSES, requires_grad=True)
    labels = torch.tensor([1 + 7 * i % (CLASSES - 1) for i in range(BATCH * LABELS)]).reshape(BATCH, LABELS)
    frames = torch.tensor([TIME - i % 8 for i in range(BATCH)])
    lengths = torch.tensor([LABELS - i % 8 for i in range(BATCH)])
    times = []
    for _ in range(STEPS + 5):
        begin = time.perf_counter()
        loss = F.ctc_loss(F.log_softmax(logits, -1), labels, frames, lengths, reduction="sum")
        torch.autograd.grad(loss, logits)
        times.append(time.perf_counter() - begin)
    warm = sorted(times[5:])
    print("%.1f us a step (%.1f to %.1f)" % (1e6 * statistics.median(warm), 1e6 * warm[0], 1e6 * warm[-1]))


main()
