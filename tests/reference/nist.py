#!/usr/bin/env python3
"""Writes nist.json from NIST's files of nonlinear regression: formula, data, starts, certified values.

    tests/reference/nist.py FOLDER

FOLDER has the files of https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml, one per problem: Misra1a.dat, ...
"""

import json
import re
import sys
from pathlib import Path

# The models of the files, in Thalweg's syntax of formulas. What is fitted is left of '='.
MODELS = {
    "Misra1a": "y = b1*(1 - exp(-b2*x))",
    "Chwirut2": "y = exp(-b1*x)/(b2 + b3*x)",
    "Chwirut1": "y = exp(-b1*x)/(b2 + b3*x)",
    "Lanczos3": "y = b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)",
    "Gauss1": "y = b1*exp(-b2*x) + b3*exp(-(x - b4)^2/b5^2) + b6*exp(-(x - b7)^2/b8^2)",
    "Gauss2": "y = b1*exp(-b2*x) + b3*exp(-(x - b4)^2/b5^2) + b6*exp(-(x - b7)^2/b8^2)",
    "DanWood": "y = b1*x^b2",
    "Misra1b": "y = b1*(1 - (1 + b2*x/2)^(-2))",
    "Kirby2": "y = (b1 + b2*x + b3*x^2)/(1 + b4*x + b5*x^2)",
    "Hahn1": "y = (b1 + b2*x + b3*x^2 + b4*x^3)/(1 + b5*x + b6*x^2 + b7*x^3)",
    "Nelson": "log(y) = b1 - b2*x1*exp(-b3*x2)",
    "MGH17": "y = b1 + b2*exp(-x*b4) + b3*exp(-x*b5)",
    "Lanczos1": "y = b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)",
    "Lanczos2": "y = b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)",
    "Gauss3": "y = b1*exp(-b2*x) + b3*exp(-(x - b4)^2/b5^2) + b6*exp(-(x - b7)^2/b8^2)",
    "Misra1c": "y = b1*(1 - (1 + 2*b2*x)^(-0.5))",
    "Misra1d": "y = b1*b2*x/(1 + b2*x)",
    "Roszman1": "y = b1 - b2*x - atan(b3/(x - b4))/pi",
    "ENSO": "y = b1 + b2*cos(2*pi*x/12) + b3*sin(2*pi*x/12) + b5*cos(2*pi*x/b4) + b6*sin(2*pi*x/b4)"
            " + b8*cos(2*pi*x/b7) + b9*sin(2*pi*x/b7)",
    "MGH09": "y = b1*(x^2 + x*b2)/(x^2 + x*b3 + b4)",
    "Thurber": "y = (b1 + b2*x + b3*x^2 + b4*x^3)/(1 + b5*x + b6*x^2 + b7*x^3)",
    "BoxBOD": "y = b1*(1 - exp(-b2*x))",
    "Rat42": "y = b1/(1 + exp(b2 - b3*x))",
    "MGH10": "y = b1*exp(b2/(x + b3))",
    "Eckerle4": "y = (b1/b2)*exp(-0.5*((x - b3)/b2)^2)",
    "Rat43": "y = b1/(1 + exp(b2 - b3*x))^(1/b4)",
    "Bennett5": "y = b1*(b2 + x)^(-1/b3)",
}

# Some copies of the file have a misprint ("1.20196866396E-0"); only this value gives the certified sum of squares.
CORRECTED = {("Roszman1", 0): 2.0196866396e-01}


def read(path):
    lines = path.read_text().splitlines()
    text = "\n".join(lines)
    parameters = [line.split("=")[1].split() for line in lines if re.match(r"\s*b\d+ =", line)]
    columns = lines[59].split(":", 1)[1].split()
    rows = [line.split() for line in lines[60:] if line.strip()]
    return {
        "name": path.stem,
        "level": re.search(r"(Lower|Average|Higher) Level", text)[1].lower(),
        "model": MODELS[path.stem],
        "columns": {name: [row[i] for row in rows] for i, name in enumerate(columns)},
        "starts": [[float(p[0]) for p in parameters], [float(p[1]) for p in parameters]],
        "parameters": [CORRECTED.get((path.stem, i), float(p[2])) for i, p in enumerate(parameters)],
        "standard_errors": [float(p[3]) for p in parameters],
        "sum_of_squares": float(re.search(r"Residual Sum of Squares:\s+(\S+)", text)[1]),
        "residual_deviation": float(re.search(r"Residual Standard Deviation:\s+(\S+)", text)[1]),
    }


def main():
    folder = Path(sys.argv[1])
    problems = [read(folder / f"{name}.dat") for name in MODELS]
    lines = []
    for problem in problems:
        problem["columns"] = {k: [float(v) for v in values] for k, values in problem["columns"].items()}
        lines.append("  " + json.dumps(problem))
    out = Path(__file__).with_name("nist.json")
    out.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(problems)} problems in {out}")


if __name__ == "__main__":
    main()
