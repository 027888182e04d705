#!/usr/bin/python3
"""Writes losses.json: PyTorch's losses and their gradients by the prediction, in f64. Made with PyTorch 1.13.1 (Debian's
python3-torch). Losses that PyTorch does not have are computed here by their formula."""
import json
import os

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
random = torch.Generator().manual_seed(7)
CASES = []


def numbers(*shape, scale=2.0):
    return torch.randn(*shape, generator=random) * scale


def labels(*shape, classes):
    return torch.randint(0, classes, shape, generator=random)


def unit(*shape):
    return torch.rand(*shape, generator=random)


def case(name, options, prediction, target, compute):
    """`compute(prediction, target)` is the mean over the batch."""
    x = prediction.clone().requires_grad_()
    value = compute(x, target)
    (gradient,) = torch.autograd.grad(value, x)
    CASES.append({
        "name": name,
        "options": options,
        "prediction": x.tolist(),
        "target": target.tolist(),
        "labels": not target.dtype.is_floating_point,
        "value": value.item(),
        "gradient": gradient.tolist(),
    })


def regression():
    p, y = numbers(6, 3), numbers(6, 3)
    column, flat = numbers(5, 1), numbers(5)
    case("mse", {}, p, y, F.mse_loss)
    case("mse", {}, column, flat, lambda a, b: F.mse_loss(a[:, 0], b))
    case("mae", {}, p, y, F.l1_loss)
    for delta in (1.0, 0.3):
        case("huber", {"delta": delta}, p, y, lambda a, b: F.huber_loss(a, b, delta=delta))
    for beta in (1.0, 0.5, 0.0):
        case("smooth_l1", {"beta": beta}, p, y, lambda a, b: F.smooth_l1_loss(a, b, beta=beta))
    case("log_cosh", {}, p, y, lambda a, b: torch.log(torch.cosh(a - b)).mean())
    for q in (0.5, 0.1, 0.95):
        case("quantile", {"quantile": q}, p, y, lambda a, b: torch.maximum(q * (b - a), (q - 1) * (b - a)).mean())

    counts = labels(6, 3, classes=6).to(torch.float64)
    for full in (False, True):
        case("poisson", {"full": full}, p * 0.5, counts, lambda a, b: F.poisson_nll_loss(a, b, full=full))
        case("poisson", {"log_input": False, "full": full, "eps": 1e-6}, unit(6, 3) * 4, counts,
             lambda a, b: F.poisson_nll_loss(a, b, log_input=False, full=full, eps=1e-6))
        case("gaussian", {"full": full}, numbers(6, 2), numbers(6),
             lambda a, b: F.gaussian_nll_loss(a[:, 0], b, a[:, 1].exp(), full=full))
    case("gaussian", {"min_variance": 1e-9}, numbers(4, 3, 2), numbers(4, 3),
         lambda a, b: F.gaussian_nll_loss(a[..., 0], b, a[..., 1].exp(), eps=1e-9))


def classification():
    z, y = numbers(8, 5), labels(8, classes=5)
    w = [0.5, 2.0, 1.0, 0.1, 3.0]
    weight = torch.tensor(w)
    probabilities = torch.softmax(numbers(8, 5), 1)
    gaps = y.clone()
    gaps[2], gaps[5] = -100, -100
    case("cross_entropy", {}, z, y, F.cross_entropy)
    case("cross_entropy", {"label_smoothing": 0.1}, z, y, lambda a, b: F.cross_entropy(a, b, label_smoothing=0.1))
    case("cross_entropy", {"class_weights": w}, z, y, lambda a, b: F.cross_entropy(a, b, weight=weight))
    case("cross_entropy", {"ignored_labels": [-100]}, z, gaps, F.cross_entropy)
    case("cross_entropy", {"ignored_labels": [3]}, z, y, lambda a, b: F.cross_entropy(a, b, ignore_index=3))
    case("cross_entropy", {"ignored_labels": [-100], "class_weights": w, "label_smoothing": 0.2}, z, gaps,
         lambda a, b: F.cross_entropy(a, b, weight=weight, label_smoothing=0.2))
    case("cross_entropy", {"ignored_labels": [-100], "label_smoothing": 0.2}, z, gaps,
         lambda a, b: F.cross_entropy(a, b, label_smoothing=0.2))
    case("cross_entropy", {}, z, probabilities, F.cross_entropy)
    case("cross_entropy", {"class_weights": w, "label_smoothing": 0.1}, z, probabilities,
         lambda a, b: F.cross_entropy(a, b, weight=weight, label_smoothing=0.1))
    sequence, words = numbers(3, 4, 5), labels(3, 4, classes=5)
    words[0, 3] = words[1, 2] = words[1, 3] = -1
    case("cross_entropy", {"ignored_labels": [-1], "class_weights": w}, sequence, words,
         lambda a, b: F.cross_entropy(a.reshape(12, 5), b.reshape(12), weight=weight, ignore_index=-1))

    one, yes = numbers(7, 1), labels(7, classes=2).to(torch.float64)
    many, soft = numbers(4, 3), unit(4, 3)
    case("binary_cross_entropy", {}, one, yes, lambda a, b: F.binary_cross_entropy_with_logits(a[:, 0], b))
    case("binary_cross_entropy", {"positive_weight": [3.0]}, many, soft,
         lambda a, b: F.binary_cross_entropy_with_logits(a, b, pos_weight=torch.tensor(3.0)))
    case("binary_cross_entropy", {"positive_weight": [3.0, 0.5, 1.0]}, many, soft,
         lambda a, b: F.binary_cross_entropy_with_logits(a, b, pos_weight=torch.tensor([3.0, 0.5, 1.0])))

    def focal(a, b, alpha, gamma):  # torchvision's sigmoid_focal_loss
        p = torch.sigmoid(a)
        p_t = p * b + (1 - p) * (1 - b)
        each = F.binary_cross_entropy_with_logits(a, b, reduction="none") * (1 - p_t) ** gamma
        return ((alpha * b + (1 - alpha) * (1 - b)) * each if alpha >= 0 else each).mean()

    for alpha, gamma in ((0.25, 2.0), (-1.0, 2.0), (0.6, 1.5), (0.5, 0.0)):
        case("focal", {"alpha": alpha, "gamma": gamma}, one, yes, lambda a, b: focal(a[:, 0], b, alpha, gamma))
        case("focal", {"alpha": alpha, "gamma": gamma}, many, soft, lambda a, b: focal(a, b, alpha, gamma))

    for margin in (1.0, 0.2):
        options = {"margin": margin}
        case("hinge", options, one, yes, lambda a, b: (margin - (2 * b - 1) * a[:, 0]).clamp(min=0).mean())
        case("hinge", options, one, 2 * yes - 1, lambda a, b: (margin - b * a[:, 0]).clamp(min=0).mean())
        case("squared_hinge", options, one, yes, lambda a, b: (margin - (2 * b - 1) * a[:, 0]).clamp(min=0).square().mean())

    holes = probabilities.clone()
    holes[0, 1] = 0.0
    case("kl_divergence", {}, z, holes, lambda a, b: F.kl_div(F.log_softmax(a, 1), b, reduction="batchmean"))
    case("kl_divergence", {"log_target": True}, z, probabilities.log(),
         lambda a, b: F.kl_div(F.log_softmax(a, 1), b, reduction="batchmean", log_target=True))


def similarity():
    a, b = numbers(6, 4), numbers(6, 4)
    case("cosine", {}, a, b, lambda x, y: (1 - F.cosine_similarity(x, y)).mean())
    pairs, alike = numbers(8, 2, 3), 2.0 * labels(8, classes=2) - 1
    for margin in (0.0, 0.3, -0.5):
        case("cosine_pairs", {"margin": margin}, pairs, alike,
             lambda x, y: F.cosine_embedding_loss(x[:, 0], x[:, 1], y, margin=margin))
    triplets, nothing = numbers(8, 3, 4), torch.zeros(8)
    for options in ({}, {"margin": 0.5}, {"swap": True}, {"p": 1.0}, {"p": 3.0, "margin": 2.0, "swap": True, "eps": 1e-4}):
        case("triplet", options, triplets, nothing,
             lambda x, _: F.triplet_margin_loss(x[:, 0], x[:, 1], x[:, 2], **options))
    case("pairwise_ranking", {}, numbers(7, 2), torch.ones(7), lambda x, _: -F.logsigmoid(x[:, 0] - x[:, 1]).mean())
    case("pairwise_ranking", {}, numbers(7, 2), unit(7),
         lambda x, y: F.binary_cross_entropy_with_logits(x[:, 0] - x[:, 1], y))


def main():
    regression()
    classification()
    similarity()
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses.json")
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(c) for c in CASES) + "\n]\n")


main()
