#!/usr/bin/python3
"""Writes schedules.json: learning rates of PyTorch's schedulers. Made with PyTorch 1.13.1 (Debian's python3-torch). Each case
is a row of Thalweg's table with its options, and PyTorch's scheduler."""
import json
import os
import warnings

import torch
from torch.optim import lr_scheduler as s

warnings.filterwarnings("ignore")


def run(make, steps, **sgd):
    """Learning rate (base 1) and momentum at each step."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0, **sgd)
    scheduler = make(optimizer)
    rates, momenta = [], []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    return rates, momenta


CASES = []


def case(kind, options, total, make, steps=None, momentum=False):
    rates, momenta = run(make, steps or total, momentum=0.9)
    entry = {"kind": kind, "options": options, "total": total, "factor": rates}
    if momentum:
        entry["momentum"] = momenta
    CASES.append(entry)


case("constant", {}, 5, lambda o: s.ConstantLR(o, factor=1.0))
for start, end, n in [(1.0, 0.0, 8), (1 / 3, 1.0, 5), (0.1, 0.7, 13)]:
    case("linear", {"start": start, "end": end, "length": n}, 20, lambda o: s.LinearLR(o, start, end, n))
for power, n in [(1.0, 10), (0.9, 25), (2.0, 7)]:
    case("polynomial", {"power": power, "length": n}, 30, lambda o: s.PolynomialLR(o, n, power))
for gamma in [0.9, 0.99, 0.5]:
    case("exponential", {"gamma": gamma, "period": 1}, 40, lambda o: s.ExponentialLR(o, gamma))
for gamma, period in [(0.1, 3), (0.5, 7), (0.9, 1)]:
    case("step", {"gamma": gamma, "period": period}, 30, lambda o: s.StepLR(o, period, gamma))
for gamma, milestones in [(0.1, [3, 8]), (0.5, [1, 2, 17]), (0.3, [5, 5, 12])]:
    case("multi_step", {"gamma": gamma, "milestones": milestones}, 25, lambda o: s.MultiStepLR(o, milestones, gamma))
# only up to the end, because PyTorch's cosine rises again after it
for end, n in [(0.0, 4), (0.1, 50), (0.0, 7)]:
    case("cosine", {"end": end, "length": n}, n + 1, lambda o: s.CosineAnnealingLR(o, n, end))
for period, factor, end in [(3, 2, 0.0), (5, 1, 0.05), (1, 3, 0.0), (2, 2, 0.3)]:
    case("cosine_restarts", {"period": period, "factor": factor, "end": end}, 60,
         lambda o: s.CosineAnnealingWarmRestarts(o, period, factor, end))

for total, pct, div, final, anneal in [(10, 0.3, 25, 1e4, "cos"), (100, 0.3, 25, 1e4, "cos"), (37, 0.5, 10, 100, "linear"),
                                       (20, 0.1, 4, 1e3, "cos"), (3, 0.3, 25, 1e4, "cos")]:
    case("one_cycle", {"pct_start": pct, "start": 1 / div, "end": 1 / div / final,
                       "anneal": "cosine" if anneal == "cos" else "linear"}, total,
         lambda o: s.OneCycleLR(o, 1.0, total_steps=total, pct_start=pct, div_factor=div, final_div_factor=final,
                                anneal_strategy=anneal), momentum=True)

for total, pct, anneal in [(20, 0.3, "cos"), (37, 0.25, "linear"), (30, 0.5, "cos")]:
    case("one_cycle", {"pct_start": pct, "start": 0.1, "end": 0.001, "three_phase": True,
                       "anneal": "cosine" if anneal == "cos" else "linear"}, total,
         lambda o: s.OneCycleLR(o, 1.0, total_steps=total, pct_start=pct, div_factor=10, final_div_factor=100,
                                anneal_strategy=anneal, three_phase=True), momentum=True)

for base, up, down, mode, gamma in [(0.1, 4, 4, "triangular", 1.0), (0.2, 5, 3, "triangular2", 1.0),
                                    (0.01, 2, 7, "exp_range", 0.97), (0.0, 1, 1, "triangular2", 1.0)]:
    case("cyclic", {"start": base, "up": up, "down": down, "mode": mode, "gamma": gamma, "cycle_momentum": True}, 40,
         lambda o: s.CyclicLR(o, base, 1.0, up, down, mode, gamma), momentum=True)

case("join", {"parts": [{"kind": "linear", "start": 0.1, "end": 1.0, "length": 5}, {"kind": "exponential", "gamma": 0.9, "period": 1}],
              "lengths": [6]}, 20,
     lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1.0, 5), s.ExponentialLR(o, 0.9)], [6]))


def plateau(values, **options):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    names = {"threshold_mode": {"relative": "rel", "absolute": "abs"}.get(options.get("threshold_mode", "relative"))}
    given = {{"min": "min_lr"}.get(k, k): v for k, v in options.items()}
    scheduler = s.ReduceLROnPlateau(optimizer, **{**given, **names})
    states = []
    for value in values:
        scheduler.step(value)
        states.append({"factor": optimizer.param_groups[0]["lr"], "best": scheduler.best,
                       "bad_checks": scheduler.num_bad_epochs, "cooldown": scheduler.cooldown_counter})
    return {"options": options, "values": values, "states": states}


FLAT = [1.0, 0.9] + [0.9] * 30
SLOW = [1.0 - 0.00005 * i for i in range(30)] + [0.5, 0.6, 0.4] + [0.45] * 12
PLATEAUS = [
    plateau(FLAT, patience=2),
    plateau(FLAT, patience=0, factor=0.5, min=0.01),
    plateau(SLOW, patience=3, cooldown=2),
    plateau(SLOW, patience=3, threshold=0.01, threshold_mode="absolute"),
    plateau([1 - v for v in SLOW], patience=2, mode="max", factor=0.3),
    plateau([v + 0.1 for v in FLAT], patience=4, mode="max", threshold_mode="absolute", threshold=0.0),
]

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "schedules.json"), "w") as file:
    lines = lambda entries: ",\n".join("  " + json.dumps(entry) for entry in entries)
    file.write('{"schedules": [\n' + lines(CASES) + '\n],\n"plateaus": [\n' + lines(PLATEAUS) + "\n]}\n")
