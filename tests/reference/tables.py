#!/usr/bin/python3
"""Measures scikit-learn's multilayer perceptrons on two real tables, as a baseline for Thalweg's defaults.

Writes splits.json (the test rows of 20 splits of each table, counted from 0 after the header) and tables.json (the results of
each setting: the mean over the splits, and each split). Inputs, and the target of a regression, are standardised with mean and
deviation of the training part only. Run from anywhere, after scripts/fetch-data:

    /usr/bin/python3 tests/reference/tables.py
"""

import csv
import json
import pathlib
import warnings

import numpy
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent.parent / "data"
SPLITS = 20
TEST_SHARE = 0.2

# scikit-learn's defaults with enough iterations to converge; early stopping on a part of the training rows, as in Thalweg; and
# the quasi-Newton method, which scikit-learn's documentation recommends for small tables.
SETTINGS = {
    "adam": dict(hidden_layer_sizes=(100,), solver="adam", max_iter=2000),
    "adam_early_stopping": dict(
        hidden_layer_sizes=(100, 100),
        solver="adam",
        learning_rate_init=3e-3,
        max_iter=2000,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=30,
    ),
    "lbfgs": dict(hidden_layer_sizes=(50,), solver="lbfgs", alpha=1.0, max_iter=2000),
}


def read_table(name, target, drop=()):
    with open(DATA / name, newline="") as file:
        rows = list(csv.DictReader(file))
    features = [column for column in rows[0] if column != target and column not in drop]
    inputs = numpy.array([[float(row[column]) for column in features] for row in rows])
    return inputs, [row[target] for row in rows]


def make_splits(rows, strata=None):
    """The sorted test rows of each split; stratified if there are classes."""
    return [
        sorted(int(row) for row in train_test_split(range(rows), test_size=TEST_SHARE, random_state=seed, stratify=strata)[1])
        for seed in range(SPLITS)
    ]


def parts(inputs, targets, test):
    is_test = numpy.isin(numpy.arange(len(inputs)), test)
    scaler = StandardScaler().fit(inputs[~is_test])
    return scaler.transform(inputs[~is_test]), targets[~is_test], scaler.transform(inputs[is_test]), targets[is_test]


def house_error(inputs, targets, test, seed, setting):
    """The root of the mean squared error on the test rows, in thousands of dollars."""
    train_x, train_y, test_x, test_y = parts(inputs, targets, test)
    mean, scale = train_y.mean(), train_y.std()
    model = MLPRegressor(random_state=seed, **setting).fit(train_x, (train_y - mean) / scale)
    return float(numpy.sqrt(numpy.mean((model.predict(test_x) * scale + mean - test_y) ** 2)))


def cancer_accuracy(inputs, targets, test, seed, setting):
    train_x, train_y, test_x, test_y = parts(inputs, targets, test)
    return float(MLPClassifier(random_state=seed, **setting).fit(train_x, train_y).score(test_x, test_y))


def measure(score, inputs, targets, splits):
    result = {}
    for name, setting in SETTINGS.items():
        scores = [score(inputs, targets, test, seed, setting) for seed, test in enumerate(splits)]
        result[name] = {"mean": round(float(numpy.mean(scores)), 6), "splits": [round(s, 6) for s in scores]}
        print(f"{score.__name__} {name}: {result[name]['mean']}", flush=True)
    return result


def main():
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    houses, prices = read_table("houses.csv", "medv", drop=["b"])
    prices = numpy.array([float(price) for price in prices])
    tissue, diagnoses = read_table("breast_cancer.csv", "diagnosis")
    diagnoses = numpy.array(diagnoses)

    splits = {"houses": make_splits(len(houses)), "breast_cancer": make_splits(len(tissue), strata=diagnoses)}
    lists = [f'  "{name}": [\n' + ",\n".join(f"    {rows}" for rows in tests) + "\n  ]" for name, tests in splits.items()]
    (HERE / "splits.json").write_text("{\n" + ",\n".join(lists) + "\n}\n")

    tables = {
        "generator": f"tables.py with scikit-learn {sklearn.__version__}, numpy {numpy.__version__}",
        "houses_rmse": measure(house_error, houses, prices, splits["houses"]),
        "breast_cancer_accuracy": measure(cancer_accuracy, tissue, diagnoses, splits["breast_cancer"]),
    }
    (HERE / "tables.json").write_text(json.dumps(tables, indent=2) + "\n")


if __name__ == "__main__":
    main()
