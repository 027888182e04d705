#!/usr/bin/env python3
"""Writes whole_fit.json: the optimum that scikit-learn finds for logistic regression with an L2 penalty.

    /usr/bin/python3 tests/reference/whole_fit.py      (Debian's python3-sklearn)

The data follow a formula, so that the test can compute them too: x[i][j] = cos(1 + i (j + 1) / 7), and a label that depends on
a linear function of x plus a ripple.
"""

import json
import math
from pathlib import Path

import numpy
from sklearn.linear_model import LogisticRegression

ROWS, COLUMNS = 400, 6


def main():
    x = numpy.array([[math.cos(1 + i * (j + 1) / 7) for j in range(COLUMNS)] for i in range(ROWS)])
    score = 2 * x[:, 0] - x[:, 1] + 0.5 * x[:, 2] + numpy.array([math.sin(3 * i) for i in range(ROWS)])
    y = (score > 0.3).astype(int)
    cases = []
    for l2 in (1e-3, 1e-1):
        model = LogisticRegression(C=1 / (l2 * ROWS), tol=1e-12, max_iter=100_000).fit(x, y)
        w, b = model.coef_[0], model.intercept_[0]
        z = x @ w + b
        loss = numpy.mean(numpy.logaddexp(0, z) - y * z)
        cases.append({"l2": l2, "weights": w.tolist(), "bias": b, "value": loss + l2 / 2 * float(w @ w)})
    Path(__file__).with_name("whole_fit.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
