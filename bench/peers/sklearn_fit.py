#!/usr/bin/python3
"""scikit-learn's LogisticRegression on the rows of fit_logistic in bench/fit.cpp, with its default tolerance. Prints the time
of a fit, and the loss with its penalty.

    /usr/bin/python3 bench/peers/sklearn_fit.py [THREADS]
"""
import sys
import time

import numpy
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

ROWS, COLUMNS, L2 = 100_000, 57, 1e-3
i, j = numpy.arange(ROWS)[:, None], numpy.arange(1, COLUMNS + 1)
x = numpy.cos(1 + i * j / 7)
y = (2 * x[:, 0] - x[:, 1] + x[:, 2] / 2 + numpy.sin(3 * i[:, 0]) > 0.3).astype(int)
best = numpy.inf
with threadpool_limits(int(sys.argv[1]) if len(sys.argv) > 1 else 2):
    for _ in range(3):
        begin = time.perf_counter()
        model = LogisticRegression(C=1 / (L2 * ROWS)).fit(x, y)
        best = min(best, time.perf_counter() - begin)
z = x @ model.coef_[0] + model.intercept_[0]
loss = numpy.mean(numpy.logaddexp(0, z) - y * z) + L2 / 2 * float(model.coef_[0] @ model.coef_[0])
print(f"{1e3 * best:.2f} ms a step, to a loss of {loss:.9f}")
