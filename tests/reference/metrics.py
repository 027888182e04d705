#!/usr/bin/python3
"""Writes metrics.json: metrics computed by scikit-learn. Made with scikit-learn 1.2.1 (Debian's python3-sklearn)."""
import json
import os
import warnings

import numpy as np
from sklearn import metrics as m

warnings.filterwarnings("ignore")
random = np.random.default_rng(20)
CASES = []


def write(name, predictions, targets, weights, values, confusion=None):
    case = {"name": name, "predictions": predictions.ravel().tolist(), "columns": predictions.shape[1],
            "targets": targets.ravel().tolist(), "values": values}
    if weights is not None:
        case["weights"] = weights.tolist()
    if confusion is not None:
        case["confusion"] = confusion.ravel().tolist()
    CASES.append(case)


def weighted_auc(positive, score, weights):
    """The AUC of one class against the rest; None if there is only one class, which scikit-learn refuses."""
    if len(set(positive)) < 2:
        return None
    return m.roc_auc_score(positive, score, sample_weight=weights)


def classification(name, probabilities, labels, weights=None):
    """Writes the metrics of probabilities: (rows, 1) of class 1, or (rows, classes)."""
    columns = probabilities.shape[1]
    classes = list(range(max(2, columns)))
    full = np.hstack([1 - probabilities, probabilities]) if columns == 1 else probabilities
    predicted = full.argmax(axis=1)
    average = "binary" if len(classes) == 2 else "macro"
    options = {"average": average, "sample_weight": weights, "zero_division": 0}
    areas = [weighted_auc(labels == c, full[:, c], weights) for c in (classes if len(classes) > 2 else [1])]
    areas = [a for a in areas if a is not None]
    # scikit-learn gives 0 for scores of no rows; of two classes they are undefined here
    two = len(classes) == 2
    has, given = 1 in labels, 1 in predicted
    write(name, probabilities, labels, weights, {
        "accuracy": m.accuracy_score(labels, predicted, sample_weight=weights),
        "precision": m.precision_score(labels, predicted, **options) if not two or has or given else None,
        "recall": m.recall_score(labels, predicted, **options) if not two or has else None,
        "f1": m.f1_score(labels, predicted, **options) if not two or has or given else None,
        "auc": float(np.mean(areas)) if areas else None,
        "log_loss": m.log_loss(labels, full, labels=classes, sample_weight=weights),
    }, m.confusion_matrix(labels, predicted, labels=classes, sample_weight=weights))


def regression(name, predictions, targets, weights=None):
    mse = m.mean_squared_error(targets, predictions, sample_weight=weights)
    write(name, predictions, targets, weights, {
        "rmse": float(np.sqrt(mse)),
        "mae": m.mean_absolute_error(targets, predictions, sample_weight=weights),
        "r2": m.r2_score(targets, predictions, sample_weight=weights, multioutput="variance_weighted"),
    })


def sample(rows, classes, ties=False):
    logits = random.normal(size=(rows, classes)) * 2
    labels = (logits + random.gumbel(size=logits.shape) * 2).argmax(axis=1)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:  # multiples of 1/2, 1/4 and 1/3 give many equal scores and some equal maxima
        p = np.round(p * 4) + 0.25
        p /= p.sum(axis=1, keepdims=True)
    return p, labels


p, labels = sample(60, 2)
weights = random.uniform(0, 3, size=60)
weights[::7] = 0
classification("binary", p[:, 1:], labels)
classification("binary, two columns", p, labels)
classification("binary, weights", p[:, 1:], labels, weights)
classification("binary, ties", np.round(p[:, 1:] * 5) / 5, labels)
classification("binary, ties and weights", np.round(p[:, 1:] * 5) / 5, labels, weights)
classification("binary, exactly one half", np.array([[0.5], [0.5], [0.2], [0.9]]), np.array([1, 0, 0, 1]))
classification("binary, certain and wrong", np.array([[0.0], [1.0], [1.0], [0.0]]), np.array([1, 1, 0, 0]))
classification("negatives alone", p[:9, 1:], np.zeros(9, dtype=int))
classification("positives alone", p[:9, 1:], np.ones(9, dtype=int))
classification("nothing predicted positive", p[:9, 1:] * 0.4, np.array([0, 1] * 4 + [0]))
p, labels = sample(90, 4)
weights = random.uniform(0, 2, size=90)
classification("four classes", p, labels)
classification("four classes, weights", p, labels, weights)
p, labels = sample(80, 3, ties=True)
classification("three classes, ties", p, labels)
p, labels = sample(50, 4)
p[:, 2] *= 0.01
p /= p.sum(axis=1, keepdims=True)
classification("a class that never occurs", p[labels != 2], labels[labels != 2])
p, labels = sample(30, 3)
classification("a class that is predicted but never occurs", p[labels != 1], labels[labels != 1])
classification("one class of three", p[labels == 0], labels[labels == 0])

truth = random.normal(size=(40, 1)) * 10 + 50
guess = truth + random.normal(size=(40, 1)) * 3
regression("values", guess, truth)
regression("values, weights", guess, truth, random.uniform(0, 2, size=40))
regression("worse than the mean", -guess, truth)
truth = random.normal(size=(25, 3)) * [1, 10, 100]
regression("three outputs", truth + random.normal(size=(25, 3)) * [0.5, 2, 70], truth, random.uniform(0, 2, size=25))
regression("far from zero", np.array([[1e9 + 1.5], [1e9 + 2], [1e9 + 4]]), np.array([[1e9 + 1], [1e9 + 2], [1e9 + 3]]))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.json"), "w") as file:
    file.write("[\n" + ",\n".join("  " + json.dumps(case) for case in CASES) + "\n]\n")
