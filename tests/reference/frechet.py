"""Prints the Frechet distances that tests/system/frechet_test.cpp expects, computed with SciPy's sqrtm:

    /usr/bin/python3 tests/reference/frechet.py
"""

import numpy as np
from scipy.linalg import sqrtm


def features(rows, width, phase):
    """The same features as in the test; the columns differ and are correlated."""
    i = np.arange(rows, dtype=np.float64)[:, None]
    j = np.arange(width, dtype=np.float64)[None, :]
    return np.sin(0.7 * i * (j + 1) + phase) + 0.3 * np.cos(i + phase * j) + 0.05 * phase * j


def distance(a, b):
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shared = sqrtm(ca @ cb).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * shared)


for rows, width in [(40, 3), (300, 16)]:
    print(rows, width, repr(distance(features(rows, width, 0.0), features(rows, width, 1.0))))
