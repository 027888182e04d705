#!/usr/bin/python3
"""Compares Thalweg's defaults for tables with scikit-learn's models, on the tables that they were chosen on and on others.

    /usr/bin/python3 tests/tables/fetch.py          writes the tables, once
    /usr/bin/python3 tests/tables/study.py run      runs the trainings that results.csv lacks; it can be interrupted
    /usr/bin/python3 tests/tables/study.py show     prints the comparison, which is also in results.md

`run` takes --tables, --methods and --splits (at most 5), and begins with the smallest tables. Every model is trained on the same
four fifths of the rows and measured on the rest: accuracy for classes, root mean squared error for numbers. Each uses one
thread, and its cost is its processor time, so that other programs on the machine do not count. scikit-learn's models get
standardised numbers (the target too), the median for missing values with a column that marks them, one-hot levels (of at least
ten rows), and dates as year, month, day, weekday and number of days.

With --rows N, `run` trains on the first N of the training rows, prints the results and does not keep them: what a default gains
may depend on the number of rows.

Candidates for the defaults are rows of SETTINGS. They are compared with --methods NAME on the tables CHOSEN_ON only.
"""

import argparse
import csv
import json
import os
import random
import resource
import statistics
import subprocess
import tempfile
import time
import warnings
from datetime import datetime
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # numpy reads these when it is imported

import numpy
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "data" / "tables"
RESULTS = HERE / "results.csv"
SPLITS = 5

# table: (target, whether the target is a number, options)
CHOSEN_ON = {
    "wine": ("cultivar", False, []),
    "diabetes": ("progression", True, []),
    "houses": ("medv", True, ["--drop", "b"]),
    "breast_cancer": ("diagnosis", False, []),
    "weather": ("weather", False, []),
    "digits": ("digit", False, []),
    "birdstrikes": ("Effect Amount of damage", False, []),
    "randhie": ("mdvis", True, ["--task", "regression"]),
}
UNSEEN = {
    "penguins": ("Species", False, []),
    "movies": ("IMDB Rating", True, []),
    "ames": ("Sale_Price", True, []),
    "fair": ("affairs", False, []),
    "satellite": ("classes", False, []),
    "letters": ("lettr", False, []),
    "diamonds": ("price", True, []),
    "flights": ("delay", True, []),
}
TABLES = CHOSEN_ON | UNSEEN
SETTINGS = {
    "default": [],
    "linear": ["--model", "linear", "--optimizer", "adamw"],
    "mlp": ["--model", "mlp"],
    "waves alone": ["--set", "model.pieces=0"],
    "pieces alone": ["--set", "model.frequencies=0"],
    "as for few rows": ["--set", "model.frequency_deviation=0.1", "--set", "optimizer.weight_decay=0.3"],
    "as for many rows": ["--set", "model.frequency_deviation=3", "--set", "optimizer.weight_decay=0.03"],
    "finer waves alone": ["--set", "model.frequency_deviation=3", "--set", "optimizer.weight_decay=0.3"],
    "less decay alone": ["--set", "model.frequency_deviation=0.1", "--set", "optimizer.weight_decay=0.03"],
    "without limits": ["--set", "model.limits=[-1e9, 1e9]"],
    "100 epochs": ["--epochs", "100", "--set", "model.frequency_deviation=0.1", "--set", "optimizer.weight_decay=0.3"],
    "eight of 64": ["--set", "model.members=8", "--set", "model.hidden=[64,64]"],
}
PEERS = ["sklearn linear", "sklearn MLP", "sklearn boosting"]


FIRST = None  # of the training rows; None: all


# ---------------------------------------------------------------- data

def read(table):
    with open(DATA / f"{table}.csv", newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def split_of(rows, split):
    """The indices of the training rows and of the test rows."""
    order = list(range(len(rows)))
    random.Random(1000 + split).shuffle(order)
    test = sorted(order[:len(order) // 5])
    held = set(test)
    train = [i for i in order if i not in held]
    return train[:FIRST], test


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def moment(text):
    for form in ("%Y-%m-%d", "%b %d %Y", "%Y/%m/%d"):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            pass
    return None


def encoded_column(cells, train):
    """The numeric columns that encode a column, fitted to the training rows."""
    known = [cells[i] for i in train if cells[i] not in ("", "NA")]
    if not known:
        return []
    for read_one, parts in ((number, lambda v: [v]),
                            (moment, lambda d: [d.year, d.month, d.day, d.weekday(), d.toordinal()])):
        if sum(read_one(text) is not None for text in known) < 0.9 * len(known):
            continue
        values = [read_one(text) for text in cells]
        table = numpy.array([parts(v) if v is not None else [numpy.nan] * len(parts(read_one(known[0]) or values[train[0]]))
                             for v in values], float)
        missing = numpy.isnan(table[:, 0])
        table = numpy.where(numpy.isnan(table), numpy.nanmedian(table[train], axis=0), table)
        scale = table[train].std(axis=0)
        columns = list(((table - table[train].mean(axis=0)) / numpy.where(scale > 0, scale, 1)).T)
        return columns + [missing.astype(float)] * bool(missing[train].any())
    counts = {}
    for i in train:
        counts[cells[i]] = counts.get(cells[i], 0) + 1
    return [numpy.array([cell == level for cell in cells], float) for level, count in sorted(counts.items()) if count >= 10]


def encoded(table, split):
    header, rows = read(table)
    target, is_number, options = TABLES[table]
    train, test = split_of(rows, split)
    dropped = {target, *options[options.index("--drop") + 1].split(",")} if "--drop" in options else {target}
    columns = []
    for place, name in enumerate(header):
        if name not in dropped:
            columns += encoded_column([row[place] for row in rows], train)
    x = numpy.stack(columns, axis=1)
    y = [row[header.index(target)] for row in rows]
    y = numpy.array([float(v) for v in y]) if is_number else numpy.array(y)
    return x[train], y[train], x[test], y[test]


# ---------------------------------------------------------------- methods

def peer(name, table, split):
    x, y, test_x, test_y = encoded(table, split)
    is_number = TABLES[table][1]
    kind = name.split(" ")[1]
    began = time.process_time()
    if is_number:
        shift, scale = y.mean(), y.std()
        model = {"linear": lambda: Ridge(), "MLP": lambda: MLPRegressor(random_state=split),
                 "boosting": lambda: HistGradientBoostingRegressor(random_state=split)}[kind]()
        predicted = model.fit(x, (y - shift) / scale).predict(test_x) * scale + shift
        score = float(numpy.sqrt(numpy.mean((predicted - test_y) ** 2)))
    else:
        model = {"linear": lambda: LogisticRegression(max_iter=1000), "MLP": lambda: MLPClassifier(random_state=split),
                 "boosting": lambda: HistGradientBoostingClassifier(random_state=split)}[kind]()
        score = float(numpy.mean(model.fit(x, y).predict(test_x) == test_y))
    return score, time.process_time() - began


def constant(table, split):
    _, y, _, test_y = encoded(table, split)
    if TABLES[table][1]:
        return float(numpy.sqrt(numpy.mean((y.mean() - test_y) ** 2))), 0
    values, counts = numpy.unique(y, return_counts=True)
    return float(numpy.mean(test_y == values[counts.argmax()])), 0


def children_seconds():
    """The processor seconds of all child processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def thalweg(command, settings, table, split):
    header, rows = read(table)
    target, is_number, options = TABLES[table]
    with tempfile.TemporaryDirectory() as folder:
        train, test = split_of(rows, split)
        known = {rows[i][header.index(target)] for i in train}
        of_known = [i for i in test if is_number or rows[i][header.index(target)] in known]  # `thalweg evaluate` refuses unknown classes
        for name, places in (("train.csv", train), ("test.csv", of_known)):
            with open(Path(folder, name), "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([header] + [rows[i] for i in places])

        def run(*words):
            return subprocess.run([command, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

        began = children_seconds()
        run("train", "train.csv", "--target", target, *options, *settings, "--quiet", "--threads", "1", "--seed", str(split + 1), "--out", "run")
        seconds = children_seconds() - began
        result = json.loads(run("evaluate", "run", "--data", "test.csv", "--json"))
        if is_number:
            return result["rmse"], seconds
        return result["accuracy"] * len(of_known) / len(test), seconds  # rows of unknown classes count as wrong


def measure(method, table, split, command):
    if method == "constant":
        return constant(table, split)
    if method in PEERS:
        return peer(method, table, split)
    return thalweg(command, SETTINGS[method], table, split)


# ---------------------------------------------------------------- results

def results():
    if not RESULTS.exists():
        return {}
    with open(RESULTS, newline="") as file:
        return {(row["table"], int(row["split"]), row["method"]): (float(row["score"]), float(row["seconds"] or "nan"))
                for row in csv.DictReader(file)}


def run(arguments):
    global FIRST
    FIRST = arguments.rows
    known = results() if FIRST is None else {}
    for split in range(arguments.splits):
        for table in arguments.tables:
            for method in arguments.methods:
                if (table, split, method) in known:
                    continue
                score, seconds = measure(method, table, split, arguments.thalweg)
                if FIRST is None:
                    known = results()  # another run may have added rows
                    known[table, split, method] = (score, seconds)
                    write(known)
                print(table, split, method, f"{score:.4f} in {seconds:.1f} s", flush=True)


def write(known):
    order = {name: place for place, name in enumerate(TABLES)}
    with open(RESULTS, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["table", "split", "method", "score", "seconds"])
        for key in sorted(known, key=lambda key: (order[key[0]], key[2], key[1])):
            score, seconds = known[key]
            writer.writerow([*key, f"{score:.6g}", "" if numpy.isnan(seconds) else f"{seconds:.1f}"])


def better_by(table, ours, theirs):
    """Mean and standard deviation of the paired differences, which are positive if Thalweg is better."""
    sign = -1 if TABLES[table][1] else 1
    differences = [sign * (a - b) for a, b in zip(ours, theirs)]
    return statistics.mean(differences), statistics.stdev(differences) if len(differences) > 1 else 0


def compared(table, scores, peers):
    """Compares the default with the peer that has the best mean, on the splits that all of them have."""
    splits = min(len(scores[method]) for method in ("default", *peers))
    if splits == 0:
        return "-"
    sign = -1 if TABLES[table][1] else 1
    best = max(peers, key=lambda method: sign * statistics.mean(scores[method][:splits]))
    mean, deviation = better_by(table, scores["default"][:splits], scores[best][:splits])
    if splits == 1:
        return f"one split: {mean:+.3g}"
    word = "above" if mean > 0 else "equal" if mean == 0 else "within a deviation" if -mean <= deviation else "below"
    return f"{word}: {mean:+.3g} ± {deviation:.2g}"


def counted(verdicts):
    return ", ".join(f"{word} on {sum(v.startswith(word) for v in verdicts)}" for word in ("above", "equal", "within a deviation", "below", "one split"))


def show(arguments):
    known = results()
    methods = arguments.methods
    lines = ["Mean over the splits; in brackets the mean seconds of a training, of the processor with one thread (where they were "
             "measured), and the number of splits. `rmse` is lower where better, `accuracy` higher. The last two columns compare the default with the best of "
             "scikit-learn's linear model and perceptron, and with its boosted trees: mean and standard deviation of the "
             "paired differences on the splits that these have, positive where the default is better.", ""]
    for title, tables in (("Tables that the defaults were chosen on", CHOSEN_ON), ("Tables that nothing was chosen on", UNSEEN)):
        lines += [f"**{title}**", "", "| table | " + " | ".join(methods) + " | against linear and MLP | against boosting |",
                  "|---" * (len(methods) + 3) + "|"]
        verdicts = []
        for table in tables:
            cells, scores = [], {}
            for method in methods:
                found = [known[table, s, method] for s in range(SPLITS) if (table, s, method) in known]
                scores[method] = [score for score, _ in found]
                seconds = [spent for _, spent in found if not numpy.isnan(spent)]
                spent = f"{statistics.mean(seconds):.1f} s, " if seconds else ""
                cells.append(f"{statistics.mean(scores[method]):.4g} ({spent}{len(found)})" if found else "-")
            verdicts.append([compared(table, scores, peers) for peers in (PEERS[:2], PEERS[2:])])
            unit = "rmse" if TABLES[table][1] else "accuracy"
            lines.append(f"| {table} ({unit}) | " + " | ".join(cells + verdicts[-1]) + " |")
        against_best, against_boosting = zip(*verdicts)
        lines += ["", f"The default against linear and MLP: {counted(against_best)} of {len(tables)} tables. Against boosting: "
                  f"{counted(against_boosting)}.", ""]
    text = "\n".join(lines)
    print(text)
    (HERE / "results.md").write_text(text)


def main():
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "show"])
    parser.add_argument("--thalweg", default=str(HERE.parent.parent / "build/release/thalweg"))
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--methods", nargs="+", default=["default", "mlp", "linear", "constant", *PEERS], choices=[*SETTINGS, "constant", *PEERS])
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--rows", type=int)
    arguments = parser.parse_args()
    {"run": run, "show": show}[arguments.action](arguments)


if __name__ == "__main__":
    main()
