#!/usr/bin/python3
"""Writes bleu.json: BLEU of small corpora, computed by NLTK 3.8 (Debian's python3-nltk). Each case is a list of pairs (output,
reference) with their corpus_bleu for n-grams of up to four tokens, without smoothing. For pairs with nothing in common NLTK
gives a number near 0, which is written as 0. No text has fewer than four tokens, because for shorter ones NLTK counts an n-gram
that does not exist."""
import json
import os
import random
import warnings

from nltk.translate.bleu_score import corpus_bleu

warnings.simplefilter("ignore")
draw = random.Random(3)
cases = [
    # the example of Papineni et al. 2002, section 2: the the the ..., clipped
    [([1] * 7, [1, 2, 3, 4, 1, 5])],
    [([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6])],
    [([1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7, 8])],
    [([9, 1, 2, 3, 4, 5, 9, 9], [1, 2, 3, 4, 5])],
]


def changed(tokens):
    """The tokens with a tenth of them left out and as many random ones inserted."""
    return [t for token in tokens for t in ([draw.randint(1, 9)] if draw.random() < .1 else []) + [token]
            if draw.random() < .9] or [1]


for longest in (8, 12, 30):
    for count in (1, 4, 20):
        references = [[draw.randint(1, 9) for _ in range(draw.randint(4, longest))] for _ in range(count)]
        pairs = [(changed(reference), reference) for reference in references]
        cases.append([(written, reference) for written, reference in pairs if len(written) >= 4])
found = []
for case in cases:
    bleu = corpus_bleu([[reference] for _, reference in case], [written for written, _ in case])
    found.append({"pairs": case, "bleu": bleu if bleu > 1e-50 else 0})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "bleu.json"), "w") as file:
    json.dump(found, file)
    file.write("\n")
