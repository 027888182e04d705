#!/usr/bin/python3
"""Writes the tables of study.py as CSV into data/tables, from packages of Debian and npm, which it downloads once.

    /usr/bin/python3 tests/tables/fetch.py

Wine, breast cancer and houses come from `./dev data`. Rows without a target are left out.
"""

import csv
import gzip
import json
import subprocess
import tempfile
from pathlib import Path

from rdata import read_lazy, read_rda

ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "data" / "tables"
PACKAGES = ["r-cran-ggplot2", "r-cran-modeldata", "r-cran-mlbench", "python3-statsmodels", "python3-sklearn"]


def write(name, columns):
    """Writes columns, given by name, as a CSV file."""
    rows = zip(*columns.values())
    text = lambda value: "" if value is None else repr(value) if isinstance(value, float) else str(value)
    with open(OUT / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([text(value) for value in row] for row in rows)


def columns_of(records):
    """The columns of a list of records, one record per row, as in JSON."""
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: [record.get(name) for record in records] for name in names}


def with_target(columns, target):
    kept = [i for i, value in enumerate(columns[target]) if value not in (None, "")]
    return {name: [values[i] for i in kept] for name, values in columns.items()}


def without(columns, names):
    return {name: values for name, values in columns.items() if name not in names}


def read_csv(path):
    with open(path, newline="") as file:
        return columns_of(list(csv.DictReader(file)))


def numbered(path, names):
    """The columns of a file with rows of numbers and no header."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt") as file:
        rows = [line.strip().split("," if "," in line else None) for line in file]
    return dict(zip(names, zip(*rows)))


def fetch(folder):
    subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *PACKAGES], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    subprocess.run(["npm", "pack", "--silent", "vega-datasets@3.2.1"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["tar", "-xzf", *folder.glob("vega-datasets-*.tgz"), "package/data"], cwd=folder, check=True)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fetch(folder)
        vega, r = folder / "package" / "data", folder / "usr/lib/R/site-library"
        python = folder / "usr/lib/python3/dist-packages"
        sklearn, statsmodels = python / "sklearn/datasets/data", python / "statsmodels/datasets"

        for table in ("wine", "breast_cancer", "houses"):
            (OUT / f"{table}.csv").write_text((ROOT / "data" / f"{table}.csv").read_text())
        names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
        diabetes = numbered(sklearn / "diabetes_data_raw.csv.gz", names)
        write("diabetes", diabetes | numbered(sklearn / "diabetes_target.csv.gz", ["progression"]))
        write("digits", numbered(sklearn / "digits.csv.gz", [f"pixel{i}" for i in range(64)] + ["digit"]))
        # the costs of a strike are known only after the damage, which is the target
        costs = ["Cost Other", "Cost Repair", "Cost Total $"]
        write("birdstrikes", without(with_target(read_csv(vega / "birdstrikes.csv"), "Effect Amount of damage"), costs))
        write("weather", read_csv(vega / "seattle-weather.csv"))
        write("randhie", read_csv(statsmodels / "randhie/randhie.csv"))

        write("penguins", with_target(columns_of(json.loads((vega / "penguins.json").read_text())), "Species"))
        movies = with_target(columns_of(json.loads((vega / "movies.json").read_text())), "IMDB Rating")
        write("movies", without(movies, ["Rotten Tomatoes Rating"]))  # a rating by another site, which would reveal the target
        write("diamonds", read_lazy(r / "ggplot2/data/Rdata", "diamonds"))
        write("ames", read_lazy(r / "modeldata/data/Rdata", "ames"))
        write("letters", read_rda(r / "mlbench/data/LetterRecognition.rda")["LetterRecognition"])
        write("satellite", read_rda(r / "mlbench/data/Satellite.rda")["Satellite"])
        write("flights", columns_of(json.loads((vega / "flights-200k.json").read_text())))
        fair = read_csv(statsmodels / "fair/fair.csv")
        fair["affairs"] = ["yes" if float(value) > 0 else "no" for value in fair["affairs"]]
        write("fair", fair)


if __name__ == "__main__":
    main()
