#!/usr/bin/python3
"""Checks the verdict "converged" of short runs: three times the epochs must not lower the validation loss by 5 % or more.

    /usr/bin/python3 tests/tables/fetch.py                      writes the tables, once
    /usr/bin/python3 tests/verdicts/short.py wine houses ...    the tables to train on; by default those that were not
                                                                used to choose anything

Prints each verdict "converged" that is false, and the number of all verdicts "converged".
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "tables"))
import study  # noqa: E402

EPOCHS = (3, 4, 5, 6, 8, 12, 20)
OF_NUMBERS = ([], ["--loss", "huber"], ["--loss", "mae"], ["--set", "train.batch_size=256"])
OF_CLASSES = ([], ["--lr", "0.0003"], ["--set", "train.batch_size=256"])


def run(command, table, epochs, options):
    """The verdict's kind and the validation loss, or None if the run failed."""
    target, _, of_table = study.TABLES[table]
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run([command, "train", str(study.DATA / f"{table}.csv"), "--target", target, *of_table, *options,
                              "--epochs", str(epochs), "--seed", "1", "--threads", "1", "-q", "--json", "--out", "run"],
                             cwd=folder, capture_output=True, text=True)
    if ran.returncode != 0:
        return None
    result = json.loads(ran.stdout.strip().splitlines()[-1])
    return result["verdict"]["kind"], result["validation"]["loss"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=["penguins", "ames", "fair", "movies", "satellite"])
    parser.add_argument("--thalweg", default=str(ROOT / "build/release/thalweg"))
    arguments = parser.parse_args()
    given = false = 0
    for table in arguments.tables:
        for options in OF_NUMBERS if study.TABLES[table][1] else OF_CLASSES:
            for epochs in EPOCHS:
                short = run(arguments.thalweg, table, epochs, options)
                if not short or short[0] != "converged":
                    continue
                given += 1
                longer = run(arguments.thalweg, table, 3 * epochs, options)
                if longer and longer[1] < 0.95 * short[1]:
                    false += 1
                    print(table, *options, epochs, f"epochs: {short[1]:.4g}, of {3 * epochs}: {longer[1]:.4g}", flush=True)
    print(f"{false} of {given} verdicts \"converged\" are false")


if __name__ == "__main__":
    main()
