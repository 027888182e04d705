#!/usr/bin/python3
"""scikit-learn's SGDClassifier, logistic regression of 57 inputs, one sample per step. Prints the time of a step."""
import time

import numpy
from sklearn.linear_model import SGDClassifier

random = numpy.random.default_rng(1)
x, y = random.standard_normal((4601, 57)), random.integers(0, 2, 4601)
EPOCHS = 200
model = SGDClassifier(loss="log_loss", alpha=0, learning_rate="constant", eta0=1e-2, max_iter=EPOCHS, tol=None)
model.fit(x[:10], y[:10])
begin = time.perf_counter()
model.fit(x, y)
print("%.4f us a step" % (1e6 * (time.perf_counter() - begin) / (EPOCHS * len(x))))
