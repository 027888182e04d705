#!/usr/bin/env python3
"""Measures how many verdicts are right, on runs of many kinds. The truth about each run is found by longer runs and other rates.

  study.py truth --thalweg COMMAND    trains each run that truth.csv lacks, for longer and with other rates
  study.py decide --thalweg COMMAND   decides the truth again from the facts in truth.csv
  study.py judge --thalweg COMMAND    trains each run once and reads its verdict; fails if fewer than 37 of the 40 held-out
                                      runs are right; --write writes verdicts.csv

There are twenty-four data sets with ten runs each. Seven runs are drawn from a grid of optimizers, rates (over four decades),
lengths, schedules and models. Three cannot learn: the weights start at zero, the targets are those of other rows, or the inputs
are constant. The rules of the verdict were developed on the data sets in MADE_ON. The others are held out: they were added when
the rules were final. Eight of MADE_ON were held out before: on rooms, hue, checker and product 36 of 40 verdicts were right
before the rules about jumps and about units that die during training were added; on radius, petals, parity and damped 35 of 40
before blow-ups and plateaus of runs with nothing to learn were distinguished.

A verdict is right if these facts confirm it. L is the lowest validation loss of a run, as the geometric mean over SEEDS. A gain
is the relative decrease of L in another run.

  diverged        the training loss ended infinite or 1.5 times above its first value and the best constant's; or it
                  ended near the constant's, and lower rates gain more than 5 %
  unstable        a third or a tenth of the rate gains more than 5 %
  spikes          a step's loss is more than twice the first and ten times the median of the twenty steps around it
  learned nothing the run cannot learn, or L is less than 2 % below the loss of the best constant
  dead gradients  the weights of a network started at zero
  overfitting     the last validation loss is 10 % above L, or 5 % and twice or four times the epochs gain no more than 5 %
  crawling        three or ten times the rate gains more than 2 %
  still falling   twice or four times the epochs gain more than 2 %
  schedule ended  the same
  at a saddle     three or ten times the rate, or twice or four times the epochs, gain more than 2 %
  on a plateau    the same
  converged       these and lower rates gain no more than 5 %, the last validation loss is less than 10 % above L, and the run
                  has learned something
"""

import argparse
import csv
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REAL = {"houses": "medv", "breast_cancer": "diagnosis", "iris": "species", "wine": "cultivar"}
MADE_ON = ["houses", "iris", "moons", "waves", "breast_cancer", "wine", "friedman", "spirals", "alcohol", "prices",
           "circles", "bumps", "rooms", "hue", "checker", "product", "radius", "petals", "parity", "damped"]
HELD_OUT = ["sepals", "crime", "blobs", "ripple"]
SEEDS = [1, 2]
WANTED = 37


# ---------------------------------------------------------------- data

def real(name):
    path = HERE.parent.parent / "data" / f"{name}.csv"
    rows = list(csv.reader(open(path)))
    header, rows = rows[0], rows[1:]
    target = header.index(REAL[name]) if REAL[name] in header else len(header) - 1
    features = [i for i in range(len(header)) if i != target]
    return [[row[i] for i in features] for row in rows], [row[target] for row in rows]


def moons(draw):
    inputs, targets = [], []
    for i in range(320):
        angle, label = math.pi * draw.random(), i % 2
        x, y = (math.cos(angle), math.sin(angle)) if label == 0 else (1 - math.cos(angle), 0.5 - math.sin(angle))
        inputs.append([x + draw.gauss(0, 0.2), y + draw.gauss(0, 0.2)])
        targets.append("up" if label == 0 else "down")
    return inputs, targets


def spirals(draw):
    inputs, targets = [], []
    for i in range(360):
        arm, t = i % 3, draw.random()
        angle = 2 * math.pi * arm / 3 + 4 * t
        inputs.append([t * math.cos(angle) + draw.gauss(0, 0.03), t * math.sin(angle) + draw.gauss(0, 0.03)])
        targets.append("arm" + str(arm))
    return inputs, targets


def waves(draw):
    inputs = [[draw.uniform(-1, 1) for _ in range(3)] for _ in range(400)]
    return inputs, [math.sin(3 * x[0]) + x[1] * x[2] + draw.gauss(0, 0.1) for x in inputs]


def friedman(draw):
    """Friedman 1991, equation 61: the target depends on five of ten inputs."""
    inputs = [[draw.random() for _ in range(10)] for _ in range(400)]
    return inputs, [10 * math.sin(math.pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4] +
                    draw.gauss(0, 1) for x in inputs]


def alcohol(draw):
    """Predicts the alcohol of the wines from their other columns."""
    inputs, _ = real("wine")
    return [row[1:] for row in inputs], [row[0] for row in inputs]


def prices(draw):
    """Predicts whether the price of a house is low, middle or high."""
    inputs, targets = real("houses")
    ordered = sorted(float(t) for t in targets)
    low, high = ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]
    return inputs, ["low" if float(t) < low else "middle" if float(t) < high else "high" for t in targets]


def circles(draw):
    inputs, targets = [], []
    for i in range(400):
        radius, angle = (1.0 if i % 2 else 0.6), 2 * math.pi * draw.random()
        inputs.append([radius * math.cos(angle) + draw.gauss(0, 0.12), radius * math.sin(angle) + draw.gauss(0, 0.12)])
        targets.append("outer" if i % 2 else "inner")
    return inputs, targets


def bumps(draw):
    inputs = [[draw.uniform(-2, 2), draw.uniform(-2, 2)] for _ in range(500)]
    return inputs, [math.exp(-(x - 1) ** 2 - y ** 2) - math.exp(-x ** 2 - (y + 1) ** 2) + draw.gauss(0, 0.05)
                    for x, y in inputs]


def rooms(draw):
    """Predicts the rooms of the houses from their other columns."""
    inputs, targets = real("houses")
    return [row[:5] + row[6:] + [target] for row, target in zip(inputs, targets)], [row[5] for row in inputs]


def hue(draw):
    """Predicts the hue of the wines from their other columns."""
    inputs, _ = real("wine")
    return [row[:10] + row[11:] for row in inputs], [row[10] for row in inputs]


def checker(draw):
    inputs = [[draw.uniform(0, 3), draw.uniform(0, 3)] for _ in range(450)]
    return inputs, ["black" if (int(x) + int(y)) % 2 else "white" for x, y in inputs]


def product(draw):
    inputs = [[draw.gauss(0, 1) for _ in range(6)] for _ in range(350)]
    return inputs, [x[0] * x[1] + x[2] + 0.5 * abs(x[3]) + draw.gauss(0, 0.3) for x in inputs]


def radius(draw):
    """Predicts the mean radius of a tumour's cells from columns that depend little on their size."""
    inputs, _ = real("breast_cancer")
    return [row[4:10] + row[14:20] for row in inputs], [row[0] for row in inputs]


def petals(draw):
    """Predicts the petal width of the irises from their other columns."""
    inputs, targets = real("iris")
    return [row[:3] for row in inputs], [row[3] for row in inputs]


def parity(draw):
    inputs = [[draw.uniform(-1, 1) for _ in range(5)] for _ in range(480)]
    return inputs, ["even" if x[0] * x[1] * x[2] > 0 else "odd" for x in inputs]


def damped(draw):
    inputs = [[draw.uniform(0, 3), draw.uniform(-1, 1)] for _ in range(380)]
    return inputs, [math.exp(-x) * math.cos(4 * x) + 0.3 * y + draw.gauss(0, 0.05) for x, y in inputs]


def sepals(draw):
    """Predicts the sepal length of the irises from their other columns."""
    inputs, _ = real("iris")
    return [row[1:] for row in inputs], [row[0] for row in inputs]


def crime(draw):
    """Predicts the crime rate of a town, which has a few outliers."""
    inputs, targets = real("houses")
    return [row[1:] + [target] for row, target in zip(inputs, targets)], [row[0] for row in inputs]


def blobs(draw):
    centres = [(draw.uniform(-2, 2), draw.uniform(-2, 2), draw.uniform(-2, 2)) for _ in range(5)]
    labels = [i % 5 for i in range(420)]
    return [[c + draw.gauss(0, 0.8) for c in centres[label]] for label in labels], [f"blob{label}" for label in labels]


def ripple(draw):
    inputs = [[draw.uniform(-6, 6), draw.uniform(-6, 6)] for _ in range(500)]
    return inputs, [math.sin(math.hypot(*x)) / math.hypot(*x) + draw.gauss(0, 0.05) for x in inputs]


def table_of(name):
    draw = random.Random("data of " + name)
    inputs, targets = real(name) if name in REAL else globals()[name](draw)
    order = list(range(len(inputs)))
    draw.shuffle(order)
    return [inputs[i] for i in order], [targets[i] for i in order]


def write_data(folder, run):
    """Writes train.csv and valid.csv, and returns the loss of the best constant on each of the two."""
    inputs, targets = table_of(run["data"])
    n = len(inputs)
    if run["made"] == "other targets":
        targets = targets[n // 2:] + targets[:n // 2]
    if run["made"] == "constant inputs":  # except for one row, because a constant column would be left out
        inputs = [[1.0] * len(inputs[0]) for _ in inputs]
        inputs[-1] = [2.0] * len(inputs[0])
    cut = n // 4
    names = [f"x{i}" for i in range(len(inputs[0]))] + ["target"]
    for file, part in ("valid.csv", slice(0, cut)), ("train.csv", slice(cut, n)):
        with open(folder / file, "w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(names)
            writer.writerows([*x, y] for x, y in zip(inputs[part], targets[part]))
    return constant_loss(targets[cut:], targets[cut:]), constant_loss(targets[cut:], targets[:cut])


def constant_loss(known, measured):
    try:
        numbers = [float(y) for y in known]
    except ValueError:
        return sum(-math.log(max(1e-9, known.count(y) / len(known))) for y in measured) / len(measured)
    mean = sum(numbers) / len(numbers)
    variance = sum((y - mean) ** 2 for y in numbers) / len(numbers)
    return sum((float(y) - mean) ** 2 for y in measured) / len(measured) / variance


# ---------------------------------------------------------------- runs

def runs():
    table = []
    for data in MADE_ON + HELD_OUT:
        draw = random.Random("runs of " + data)
        lengths = [2, 5, 10, 30, 60, 120, 300]
        draw.shuffle(lengths)
        for i in range(10):
            optimizer = draw.choice(["sgd", "sgd", "momentum", "adam", "adam"])
            high = {"sgd": 0.5, "momentum": 0.0, "adam": -0.5}[optimizer]
            run = {"run": f"{data}-{i}", "data": data, "made": "", "optimizer": optimizer,
                   "lr": float(f"{10 ** draw.uniform(high - 4, high):.2g}"),
                   "schedule": draw.choice(["constant", "constant", "cosine", "one_cycle", "linear"]),
                   "epochs": lengths[i] if i < 7 else draw.choice([30, 60]),
                   "batch": draw.choice([16, 32]), "hidden": draw.choice(["", "16", "64 64", "64 64"])}
            if i >= 7:
                run["made"] = ["zero weights", "other targets", "constant inputs"][i - 7]
                run["lr"] = {"sgd": 0.05, "momentum": 0.01, "adam": 0.005}[optimizer]
                run["hidden"] = "64 64" if i == 8 else "32"
            table.append(run)
    return table


def train(command, run, epochs=1.0, rate=1.0, seed=1):
    """Trains in a folder of its own. Returns the validation losses of the epochs, the losses of the steps, and the JSON output of
    the command."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        constants = write_data(folder, run)
        sets = {"data.validation": "valid.csv", "optimizer.lr": run["lr"] * rate, "train.batch_size": run["batch"],
                "train.epochs": max(1, round(run["epochs"] * epochs)), "schedule.kind": run["schedule"], "seed": seed,
                "optimizer.kind": "adam" if run["optimizer"] == "adam" else "sgd", "optimizer.weight_decay": 0,
                "train.early_stopping": "false", "train.checkpoint_every": "100%",
                "model.kind": "mlp" if run["hidden"] else "linear"}
        if run["optimizer"] == "momentum":
            sets["optimizer.momentum"] = 0.9
        if run["hidden"]:
            sets["model.hidden"] = "[" + ",".join(run["hidden"].split()) + "]"
            if run["made"] == "zero weights":
                sets["model.initializer"] = "zeros"
        arguments = [command, "train", "train.csv", "--target", "target", "--out", "out", "--json", "--quiet"]
        for key, value in sets.items():
            arguments += ["--set", f"{key}={value}"]
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True,
                              env={**os.environ, "THALWEG_THREADS": "1"})
        if done.returncode not in (0, 5):
            sys.exit(f"{run['run']}: {' '.join(arguments)}\n{done.stderr}")
        lines = [json.loads(line) for line in (folder / "out" / "metrics.jsonl").read_text().splitlines()]
        said = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
        epochs = [line["metrics"] for line in lines if "metrics" in line]
        return {"steps": [line["loss"] for line in lines if "loss" in line],
                "validation": [epoch["validation.loss"] for epoch in epochs],
                "training": [epoch["loss"] for epoch in epochs],
                "failed": done.returncode == 5, "said": said, "constants": constants}


def number(value):
    return math.inf if value is None or not math.isfinite(float(value)) else float(value)


def lowest(result):
    return min([number(v) for v in result["validation"]], default=math.inf)


def mean_lowest(command, run, **other):
    values = [lowest(train(command, run, seed=seed, **other)) for seed in SEEDS]
    return math.inf if math.inf in values else math.exp(sum(math.log(max(v, 1e-12)) for v in values) / len(values))


def facts_of(command, run):
    own = train(command, run)
    base = mean_lowest(command, run)
    gain = lambda **other: 1 - mean_lowest(command, run, **other) / base if math.isfinite(base) else 0.0
    last = number(own["validation"][-1]) if own["validation"] and not own["failed"] else math.inf
    training = number(own["training"][-1]) if own["training"] and not own["failed"] else math.inf
    return {"first": own["steps"][0], "training": training, "constant training": own["constants"][0],
            "constant": own["constants"][1], "lowest": lowest(own), "last": last,
            "epochs x2": gain(epochs=2), "epochs x4": gain(epochs=4), "lr x3": gain(rate=3), "lr x10": gain(rate=10),
            "lr /3": gain(rate=1 / 3), "lr /10": gain(rate=0.1)}


def has_spikes(steps):
    for i, loss in enumerate(steps):
        around = sorted(steps[max(0, i - 10):i] + steps[i + 1:i + 11])
        if around and loss > 2 * steps[0] and loss > 10 * around[len(around) // 2]:
            return True
    return False


def truth_of(run, facts):
    """The verdicts that the facts confirm."""
    right = []
    longer, faster = max(facts["epochs x2"], facts["epochs x4"]), max(facts["lr x3"], facts["lr x10"])
    slower = max(facts["lr /3"], facts["lr /10"])
    nothing = run["made"] != "" or facts["lowest"] > 0.98 * facts["constant"]
    if facts["training"] > 1.5 * max(facts["first"], facts["constant training"]):
        right.append("diverged")
    if slower > 0.05 and not math.isinf(facts["training"]):
        right.append("unstable")
        if facts["training"] > 0.9 * facts["constant training"]:
            right.append("diverged")
    if nothing:
        right.append("learned nothing")
    if run["made"] == "zero weights":
        right.append("dead gradients")
    if facts["last"] > (1.05 if longer <= 0.05 else 1.1) * facts["lowest"]:
        right.append("overfitting")
    if faster > 0.02:
        right.append("crawling")
    if longer > 0.02:
        right += ["still falling", "the schedule ended it"]
    if longer <= 0.05 and facts["last"] < 1.1 * facts["lowest"] and not nothing and slower <= 0.05:
        right.append("converged")
    if "crawling" in right or "still falling" in right:
        right += ["at a saddle", "on a plateau"]
    return list(dict.fromkeys(right))


# ---------------------------------------------------------------- the two commands

def text(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write(path, rows):
    with open(path, "w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: text(value) for key, value in row.items()} for row in rows)


def find_truth(command, jobs):
    def row(run):
        facts = facts_of(command, run)
        return {**run, **facts, "right": "; ".join(truth_of(run, facts))}
    path = HERE / "truth.csv"
    known = {row["run"]: row for row in csv.DictReader(open(path))} if path.exists() else {}
    with ThreadPoolExecutor(jobs) as pool:
        write(path, list(pool.map(lambda run: known.get(run["run"]) or row(run), runs())))
    return 0


def decide_again():
    """Decides the truth from the facts in truth.csv."""
    rows = list(csv.DictReader(open(HERE / "truth.csv")))
    for row in rows:
        facts = {key: float(row[key]) for key in list(row)[list(row).index("first"):-1]}
        row["right"] = "; ".join(truth_of(row, facts))
    write(HERE / "truth.csv", rows)
    return 0


def judge(command, jobs, only, into_table):
    truth = {row["run"]: row for row in csv.DictReader(open(HERE / "truth.csv"))}
    chosen = [run for run in runs() if only is None or run["data"] in only]

    def row(run):
        known = truth[run["run"]]
        own = train(command, run)
        verdict = own["said"]["verdict"]
        right = known["right"].split("; ") + (["spikes"] if has_spikes([number(loss) for loss in own["steps"]]) else [])
        kind = "still falling" if verdict["kind"] == "too short to judge" else verdict["kind"]  # which it may be
        return {"run": run["run"], "part": "held out" if run["data"] in HELD_OUT else "made on",
                "verdict": verdict["kind"], "holds": "yes" if kind in right else "no",
                "right": known["right"], "advice": verdict["advice"]}
    with ThreadPoolExecutor(jobs) as pool:
        rows = list(pool.map(row, chosen))
    if into_table:
        write(HERE / "verdicts.csv", rows)
    for one in rows:
        if one["holds"] == "no":
            print(f"{one['run']}: {one['verdict']}, where right would be: {one['right']}")
    held = [one for one in rows if one["part"] == "held out"]
    count = lambda part: sum(one["holds"] == "yes" for one in part)
    print(f"held out: {count(held)} of {len(held)}; made on: {count(rows) - count(held)} of {len(rows) - len(held)}")
    return 0 if len(held) < len(HELD_OUT) * 10 or count(held) >= WANTED else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["truth", "decide", "judge"])
    parser.add_argument("--thalweg", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--data", nargs="*", help="judge runs of these data sets alone")
    parser.add_argument("--write", action="store_true", help="write verdicts.csv")
    chosen = parser.parse_args()
    command = str(Path(chosen.thalweg).resolve())
    if chosen.what == "decide":
        sys.exit(decide_again())
    sys.exit(find_truth(command, chosen.jobs) if chosen.what == "truth" else judge(command, chosen.jobs, chosen.data, chosen.write))
