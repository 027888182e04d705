"""Compares `thalweg train examples/embeddings.toml` with gensim's word2vec and with fastText (-maxn 0: only whole words).

    python3 bench/peers/embeddings.py [--thalweg COMMAND] [--data DATA] [--threads N] [--epochs N] [--rounds N]

All have vectors of 100 numbers, a window of 5, 5 negative samples, sub-sampling at 1e-3, words that occur at least 5 times,
and the same number of passes. For each, the script prints the fraction of the questions in synonyms.csv with a right answer
(the choice with the largest cosine; a guess is right in a quarter of them), and how many words of the text it trains on per
second, without the time to read the text. `./dev data embeddings` fetches texts and questions.
"""

import argparse
import csv
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--thalweg", default="build/release/thalweg")
parser.add_argument("--data", default="data")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--epochs", type=int, default=5, help="2 or more")
parser.add_argument("--rounds", type=int, default=1)
options = parser.parse_args()
text, questions = Path(options.data) / "words.txt", Path(options.data) / "synonyms.csv"
total = options.epochs * len(text.read_text().split())


def answered_right(vectors):
    """The fraction of questions whose answer is nearest to the word. Only questions whose words all have vectors count."""
    unit = {word: vector / max(np.linalg.norm(vector), 1e-30) for word, vector in vectors.items()}
    with open(questions, newline="") as file:
        rows = [row for row in list(csv.reader(file))[1:] if all(word in unit for word in row)]
    right = sum(np.argmax([unit[row[0]] @ unit[other] for other in row[1:]]) == 0 for row in rows)
    return right / len(rows), len(rows)


def said(name, seconds, right, count):
    print(f"{name:<10} right {right:.4f} of {count} questions, {total / seconds / 1000:.0f} thousand words a second",
          flush=True)


def thalweg(folder, seed):
    command = [options.thalweg, "train", "examples/embeddings.toml", "--threads", str(options.threads), "--epochs",
               str(options.epochs), "--seed", str(seed), "--json", "--quiet", "--out", f"{folder}/run{seed}"]
    line = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    epochs = [json.loads(entry) for entry in Path(line["run"], "metrics.jsonl").read_text().splitlines()]
    said("thalweg", [entry["seconds"] for entry in epochs if "metrics" in entry][-1], line["answered right"],
         len(questions.read_text().splitlines()) - 1)


def fasttext(folder, seed):
    command = ["fasttext", "skipgram", "-input", str(text), "-output", f"{folder}/fasttext", "-maxn", "0", "-dim", "100",
               "-ws", "5", "-neg", "5", "-minCount", "5", "-t", "1e-3", "-lr", "0.05", "-epoch", str(options.epochs),
               "-thread", str(options.threads), "-seed", str(seed), "-verbose", "2"]
    times = []
    for epochs in (1, options.epochs):  # the vectors of the last training are used below
        command[command.index("-epoch") + 1] = str(epochs)
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    seconds = (times[1] - times[0]) * options.epochs / (options.epochs - 1)  # the difference leaves out reading and writing
    with open(f"{folder}/fasttext.vec") as file:
        next(file)
        rows = [line.split() for line in file]
    said("fastText", seconds, *answered_right({row[0]: np.array(row[1:], dtype=np.float32) for row in rows}))


def gensim(_, seed):
    from gensim.models.word2vec import LineSentence, Word2Vec
    model = Word2Vec(vector_size=100, window=5, negative=5, sg=1, sample=1e-3, min_count=5, alpha=0.025, seed=seed,
                     workers=options.threads)
    sentences = list(LineSentence(str(text)))
    model.build_vocab(sentences)
    begin = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=options.epochs)
    said("gensim", time.perf_counter() - begin, *answered_right({word: model.wv[word] for word in model.wv.index_to_key}))


print(f"{total // options.epochs:,} words, {options.epochs} passes, {options.threads} threads; chance is 0.25")
for round_ in range(options.rounds):
    for peer in (thalweg, gensim, fasttext):
        with tempfile.TemporaryDirectory() as scratch:
            peer(scratch, round_ + 1)
