#!/usr/bin/python3
"""The fits of bench/fit.cpp by SciPy's curve_fit (MINPACK; derivatives by differences). Prints the time of all 54, and how many
agree with the certified values to six digits. The limit of evaluations is 10,000; with curve_fit's default more fits fail.
"""
import json
import math
import time
import warnings
from pathlib import Path

import numpy
from scipy.optimize import curve_fit

NAMES = {name: getattr(numpy, name) for name in ("exp", "log", "cos", "sin")} | {"atan": numpy.arctan, "pi": math.pi}


def compiled(problem):
    left, right = (side.strip().replace("^", "**") for side in problem["model"].split("="))
    columns = {name: numpy.array(values) for name, values in problem["columns"].items()}
    parameters = [f"b{i + 1}" for i in range(len(problem["parameters"]))]
    f = eval(f"lambda _, {', '.join(parameters)}: {right} + zero", NAMES | columns | {"zero": 0 * columns["y"]})
    return f, eval(left, NAMES | columns)


def digits(found, certified):
    return min(min(11, -math.log10(max(abs(a - b) / abs(b), 1e-11))) for a, b in zip(found, certified))


def main():
    warnings.simplefilter("ignore")
    problems = json.loads((Path(__file__).resolve().parents[2] / "tests/reference/nist.json").read_text())
    cases = [(*compiled(p), start, p["parameters"]) for p in problems for start in p["starts"]]
    best, right = math.inf, 0
    for _ in range(5):
        begin, right = time.perf_counter(), 0
        for f, y, start, certified in cases:
            try:
                found, _ = curve_fit(f, y, y, p0=start, maxfev=10_000)
                right += digits(found, certified) >= 6
            except RuntimeError:
                pass
        best = min(best, time.perf_counter() - begin)
    print(f"curve_fit: {1e3 * best:.1f} ms for {len(cases)} fits, {right} of them to six digits")


if __name__ == "__main__":
    main()
