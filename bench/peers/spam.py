"""scikit-learn and fastText on the mails of examples/spam.toml: python3 bench/peers/spam.py [DATA] [--stream | --classifiers]

TF-IDF of hashed words with a logistic regression at several strengths of regularisation, and fastText's classifier (where the
command `fasttext` is installed) with several settings: of each the best is the one to reach, and `--classifiers` prints these
alone, as JSON, for 2^18 columns. SGDClassifier learns mail by mail, each predicted first: `--stream` prints this alone, as
JSON. `./dev data spam` fetches the mails.
"""

import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline

csv.field_size_limit(10**9)
stream_alone, classifiers_alone = "--stream" in sys.argv, "--classifiers" in sys.argv
folder = next((each for each in sys.argv[1:] if not each.startswith("--")), "data")


def load(part):
    with open(f"{folder}/spam_{part}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], np.array([row["class"] == "spam" for row in rows])


texts, classes = load("train")
test_texts, test_classes = load("test")


def tfidf_logistic(features, strength):
    hashed = HashingVectorizer(n_features=features, norm=None)
    model = make_pipeline(hashed, TfidfTransformer(), LogisticRegression(C=strength, max_iter=1000))
    model.fit(texts, classes)
    return model.score(test_texts, test_classes)


def fasttext(*settings):
    """The accuracy of fastText's classifier: words in lower case, punctuation as words of its own, one thread."""
    def lines(texts):
        return [" ".join(re.findall(r"\w+|[^\w\s]", text.lower())) for text in texts]

    with tempfile.TemporaryDirectory() as scratch:
        with open(f"{scratch}/train", "w", encoding="utf-8") as file:
            file.writelines(f"__label__{int(label)} {line}\n" for line, label in zip(lines(texts), classes))
        subprocess.run(["fasttext", "supervised", "-input", f"{scratch}/train", "-output", f"{scratch}/model", "-thread", "1",
                        *settings], check=True, capture_output=True)
        found = subprocess.run(["fasttext", "predict", f"{scratch}/model.bin", "-"], check=True, capture_output=True, text=True,
                               input="".join(line + "\n" for line in lines(test_texts))).stdout.split()
    return float(np.mean([label == "__label__1" for label in found] == test_classes))


def report(name, accuracy):
    if not classifiers_alone:
        print(f"{name}: {accuracy:.4f}", flush=True)
    return accuracy


best = {}
if not stream_alone:
    for features in (2**18,) if classifiers_alone else (1000, 2**18):
        name = f"tfidf, logistic, {features} columns, C ="
        best["tfidf, logistic"] = max(report(f"{name} {strength}", tfidf_logistic(features, strength))
                                      for strength in (1, 10, 100, 1000))
    if shutil.which("fasttext"):
        best["fastText"] = max(report(f"fastText {' '.join(settings) or 'with its defaults'}", fasttext(*settings))
                               for settings in ((), ("-epoch", "25"), ("-epoch", "25", "-lr", "0.5")))
if classifiers_alone:
    print(json.dumps(best))
    sys.exit()

hashed, model, right = HashingVectorizer(n_features=2**18), SGDClassifier(loss="log_loss", random_state=1), 0
begin = time.perf_counter()
for number, (text, label) in enumerate(zip(texts, classes)):
    row = hashed.transform([text])
    right += int(number > 0 and model.predict(row)[0] == label)
    model.partial_fit(row, [label], classes=[False, True])
seconds = time.perf_counter() - begin
accuracy, speed = right / len(texts), len(texts) / seconds
if stream_alone:
    print(json.dumps({"accuracy": accuracy, "rows_a_second": speed}))
else:
    print(f"stream: progressive accuracy {accuracy:.4f}, {speed:.0f} rows a second, "
          f"test {model.score(hashed.transform(test_texts), test_classes):.4f}")
