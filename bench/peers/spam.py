"""scikit-learn on the mails of examples/spam.toml, one figure a line: python3 bench/peers/spam.py [DATA] [--stream]

TF-IDF of hashed words with a logistic regression, at several strengths of regularisation (the best is the one to reach),
and SGDClassifier learning mail by mail, each predicted first: `--stream` prints this alone, as JSON. `./dev data spam`
fetches the mails.
"""

import csv
import json
import sys
import time

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline

csv.field_size_limit(10**9)
stream_alone = "--stream" in sys.argv
folder = next((each for each in sys.argv[1:] if not each.startswith("--")), "data")


def load(part):
    with open(f"{folder}/spam_{part}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], np.array([row["class"] == "spam" for row in rows])


texts, classes = load("train")
test_texts, test_classes = load("test")
for features in () if stream_alone else (1000, 2**18):
    for strength in (1, 10, 100, 1000):
        hashed = HashingVectorizer(n_features=features, norm=None)
        model = make_pipeline(hashed, TfidfTransformer(), LogisticRegression(C=strength, max_iter=1000))
        model.fit(texts, classes)
        print(f"tfidf, logistic, {features} columns, C = {strength}: {model.score(test_texts, test_classes):.4f}", flush=True)

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
