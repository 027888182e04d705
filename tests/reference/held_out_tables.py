#!/usr/bin/python3
"""Compares Thalweg's defaults with scikit-learn's perceptrons on 20 splits of each table that were not used for tuning.

The defaults were chosen by measurements on the splits of splits.json, so results on those splits are biased. These splits
have other seeds, and Thalweg trains with three seeds on each. Prints means. Run from anywhere, after ./dev build and ./dev
data:

    /usr/bin/python3 tests/reference/held_out_tables.py
"""

import json
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy
import tables
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

COMMAND = tables.HERE.parent.parent / "build" / "release" / "thalweg"
SPLIT_SEEDS = range(100, 120)
TRAINING_SEEDS = (1, 2, 3)


def make_splits(rows, strata=None):
    return [
        sorted(int(row) for row in train_test_split(range(rows), test_size=tables.TEST_SHARE, random_state=s, stratify=strata)[1])
        for s in SPLIT_SEEDS
    ]


def thalweg(table, options, metric, test, seed):
    """Trains on the other rows with the given options only, and evaluates on the test rows."""
    header, *rows = (tables.DATA / table).read_text().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        for name, wanted in (("train.csv", False), ("test.csv", True)):
            part = [row for place, row in enumerate(rows) if (place in set(test)) == wanted]
            Path(folder, name).write_text("\n".join([header, *part]) + "\n")
        run = lambda *words: subprocess.run([COMMAND, *words], cwd=folder, check=True, capture_output=True, text=True).stdout
        run("train", "train.csv", *options, "--quiet", "--seed", str(seed), "--out", "run")
        return json.loads(run("evaluate", "run", "--data", "test.csv", "--json"))[metric]


def compare(table, options, metric, score, inputs, targets, splits):
    for seed in TRAINING_SEEDS:
        print(table, metric, f"thalweg, seed {seed}:", round(numpy.mean([thalweg(table, options, metric, s, seed) for s in splits]), 4))
    for name, setting in tables.SETTINGS.items():
        scores = [score(inputs, targets, test, seed, setting) for seed, test in enumerate(splits)]
        print(table, metric, f"scikit-learn, {name}:", round(numpy.mean(scores), 4), flush=True)


def main():
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    houses, prices = tables.read_table("houses.csv", "medv", drop=["b"])
    prices = numpy.array([float(price) for price in prices])
    compare("houses.csv", ["--target", "medv", "--drop", "b"], "rmse", tables.house_error, houses, prices, make_splits(len(houses)))
    tissue, diagnoses = tables.read_table("breast_cancer.csv", "diagnosis")
    diagnoses = numpy.array(diagnoses)
    compare("breast_cancer.csv", ["--target", "diagnosis"], "accuracy", tables.cancer_accuracy, tissue, diagnoses,
            make_splits(len(tissue), diagnoses))


if __name__ == "__main__":
    main()
